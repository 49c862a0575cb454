"""One link between two programs: preamble, handshake, hello, records, keepalive and close as one machine."""
