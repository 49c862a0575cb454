"""The least that our design costs in Python: its records and digests, space reserved, a sync, and no bookkeeping.

`floor.py give|take PORT PATH` says `ready`, begins at the first line it is told, and says `done`.
"""

from __future__ import annotations

import os
import socket
import sys

from blake3 import blake3
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

CHUNK = 2**20
LENGTH, TAG, DIGEST = 4, 16, 32
_ANNOUNCED = DIGEST + TAG
_START = LENGTH + _ANNOUNCED  # where the record of the chunk begins
_KEY = bytes(32)  # nothing here is secret


def give(port: int, path: str) -> None:
    """Send a file to whoever takes it, and wait until it is on the disk."""
    cipher, nonce = AESGCM(_KEY), 0
    out = memoryview(bytearray(_START + LENGTH + CHUNK + TAG))
    chunk = memoryview(bytearray(CHUNK))
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        file = os.open(path, os.O_RDONLY)
        size = os.fstat(file).st_size
        connection.sendall(size.to_bytes(8, "big"))
        _wait_to_begin()
        for start in range(0, size, CHUNK):
            length = os.preadv(file, [chunk], start)
            digest = blake3(chunk[:length]).digest()
            out[:LENGTH] = _ANNOUNCED.to_bytes(LENGTH, "big")
            cipher.encrypt_into(nonce.to_bytes(12, "big"), digest, b"", out[LENGTH:_START])
            body = _START + LENGTH
            out[_START:body] = (length + TAG).to_bytes(LENGTH, "big")
            end = body + length + TAG
            number = (nonce + 1).to_bytes(12, "big")
            cipher.encrypt_into(number, chunk[:length], b"", out[body:end])
            nonce += 2
            connection.sendall(out[:end])
        connection.recv(1)
        os.close(file)


def take(port: int, path: str) -> None:
    """Receive one file, compare each chunk with its digest, write and sync it."""
    cipher, nonce = AESGCM(_KEY), 0
    head = memoryview(bytearray(LENGTH))
    sealed = memoryview(bytearray(CHUNK + TAG))
    with socket.create_server(("127.0.0.1", port)) as listener:
        print("listening", flush=True)
        connection, _ = listener.accept()
    with connection:
        size = int.from_bytes(connection.recv(8, socket.MSG_WAITALL), "big")
        _wait_to_begin()
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.posix_fallocate(file, 0, size)

        def record() -> memoryview:
            connection.recv_into(head, LENGTH, socket.MSG_WAITALL)
            length = int.from_bytes(head, "big")
            connection.recv_into(sealed, length, socket.MSG_WAITALL)
            number = nonce.to_bytes(12, "big")
            plain = sealed[: length - TAG]
            cipher.decrypt_into(number, sealed[:length], b"", plain)
            return plain

        for start in range(0, size, CHUNK):
            digest = bytes(record())
            nonce += 1
            chunk = record()
            nonce += 1
            if blake3(chunk).digest() != digest:
                raise OSError("a chunk is not what was sent")
            os.pwrite(file, chunk, start)
        os.fdatasync(file)
        os.close(file)
        connection.sendall(b"k")


def _wait_to_begin() -> None:
    print("ready", flush=True)
    sys.stdin.readline()


if __name__ == "__main__":
    {"give": give, "take": take}[sys.argv[1]](int(sys.argv[2]), sys.argv[3])
    print("done", flush=True)
