"""The programs as real processes with real sockets and real disks."""
