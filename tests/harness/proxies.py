"""A SOCKS5 proxy as people run them: takes a name and password if it has one, and looks names up itself."""

from __future__ import annotations

import socket
import socketserver
import threading
from contextlib import suppress
from typing import Self

REFUSED = b"\5\5\0\1" + bytes(6)
GRANTED = b"\5\0\0\1" + bytes(6)


class Socks5Server(socketserver.ThreadingTCPServer):
    """On a free loopback port, entered for as long as it serves. login: what it wants to be shown, or none.

    asked: the host, as it was named, and the port of each connection.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, login: tuple[bytes, bytes] | None = None) -> None:
        self.login = login
        self.asked: list[tuple[str, int]] = []
        super().__init__(("127.0.0.1", 0), _Client)
        self._thread = threading.Thread(target=self.serve_forever)

    @property
    def place(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Client(socketserver.BaseRequestHandler):
    server: Socks5Server

    def handle(self) -> None:
        with suppress(OSError, EOFError):
            self._serve(self.request)

    def _serve(self, asker: socket.socket) -> None:
        methods = self._take(asker, self._take(asker, 2)[1])
        if self.server.login is None:
            asker.sendall(b"\5\0" if 0 in methods else b"\5\xff")
        else:
            asker.sendall(b"\5\2" if 2 in methods else b"\5\xff")
            name = self._take(asker, self._take(asker, 2)[1])
            is_right = (name, self._take(asker, self._take(asker, 1)[0])) == self.server.login
            asker.sendall(b"\1\0" if is_right else b"\1\1")
            if not is_right:
                return
        kind = self._take(asker, 4)[3]
        host = self._host(asker, kind)
        port = int.from_bytes(self._take(asker, 2), "big")
        self.server.asked.append((host, port))
        try:
            far = socket.create_connection((host, port), 10)
        except OSError:
            asker.sendall(REFUSED)
            return
        with far:
            far.settimeout(None)
            asker.sendall(GRANTED)
            back = threading.Thread(target=_pass, args=(far, asker), daemon=True)
            back.start()
            _pass(asker, far)
            back.join()

    def _host(self, asker: socket.socket, kind: int) -> str:
        if kind == 3:
            return self._take(asker, self._take(asker, 1)[0]).decode()
        family, size = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        return socket.inet_ntop(family, self._take(asker, size))

    def _take(self, asker: socket.socket, count: int) -> bytes:
        came = b""
        while len(came) < count:
            piece = asker.recv(count - len(came))
            if not piece:
                raise EOFError
            came += piece
        return came


def _pass(source: socket.socket, target: socket.socket) -> None:
    """Pass on what comes until one end is gone, then both go."""
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
