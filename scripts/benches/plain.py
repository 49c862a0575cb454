"""A file over a plain socket, in clear and unchecked: `plain.py give|take PORT PATH`."""

from __future__ import annotations

import os
import socket
import sys
import time

CHUNK = 2**20
WAIT_S = 10.0


def give(port: int, path: str) -> None:
    """Send a file to whoever takes it, and wait until it is written."""
    ends = time.monotonic() + WAIT_S
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port))
            break
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.002)
    with connection, open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        connection.sendall(size.to_bytes(8, "big"))
        sent = 0
        while sent < size:
            sent += os.sendfile(connection.fileno(), file.fileno(), sent, size - sent)
        connection.recv(1)


def take(port: int, path: str) -> None:
    """Receive one file and write it, its space reserved first."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        connection, _ = listener.accept()
    with connection, open(path, "wb", buffering=0) as file:
        size = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        os.posix_fallocate(file.fileno(), 0, size)
        buffer = memoryview(bytearray(CHUNK))
        left = size
        while left:
            count = connection.recv_into(buffer)
            file.write(buffer[:count])
            left -= count
        connection.sendall(b"k")


if __name__ == "__main__":
    {"give": give, "take": take}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
