"""The least that keeps a message's promise: a line over a plain socket, committed on both sides, then answered."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

LINE = b"x" * 63 + b"\n"
ROWS = 64
FILLING = bytes(3000)  # one row a page


class Bare:
    """A line, a commit, a line back, a commit; the other side is a process of its own.

    name: of its files. pages: that each commit makes durable beside that of the line: of the line where it
    leaves, of the line where it comes, of its answer, which is not synced; 0 for the answer is no commit at all.
    pause_s: before each synced commit of a trip: a disk that was left alone for a moment takes longer than one
    that is driven without a break.
    """

    def __init__(
        self, folder: Path, name: str, pages: tuple[int, int, int], pause_s: float = 0.0
    ) -> None:
        self._pause_s = pause_s
        listener = socket.create_server(("127.0.0.1", 0))
        port, path = str(listener.getsockname()[1]), str(folder / f"{name}-there")
        words = (port, path, str(pages[1]), str(pause_s))
        self._other = subprocess.Popen((sys.executable, __file__, *words))
        self._socket, _ = listener.accept()
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")
        self._database = _open(folder / f"{name}-here")
        self._pages = pages

    def trip(self) -> None:
        """Send one line and wait for its answer."""
        time.sleep(self._pause_s)
        _commit(self._database, 1, self._pages[0])
        self._socket.sendall(LINE)
        self._stream.readline()
        if self._pages[2]:
            self._database.execute("PRAGMA synchronous=NORMAL")
            _commit(self._database, 1, self._pages[2])
            self._database.execute("PRAGMA synchronous=FULL")

    def burst(self, count: int, verbs: int) -> float:
        """Send many, as many in one commit as commands are under way; gives lines a second."""
        began = time.perf_counter()
        answers = threading.Thread(target=lambda: [self._stream.readline() for _ in range(count)])
        answers.start()
        for _ in range(0, count, verbs):
            _commit(self._database, verbs, self._pages[0])
            self._socket.sendall(LINE * verbs)
        answers.join()
        return count / (time.perf_counter() - began)

    def stop(self) -> None:
        """End the other side."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._stream.close()
        self._other.wait(10)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE lines (number INTEGER PRIMARY KEY, line BLOB)")
    database.execute("CREATE TABLE pages (number INTEGER PRIMARY KEY, filling BLOB)")
    filling = [(FILLING,)] * ROWS
    database.execute("BEGIN")
    database.executemany("INSERT INTO pages (filling) VALUES (?)", filling)
    database.execute("COMMIT")
    return database


def _commit(database: sqlite3.Connection, lines: int, pages: int) -> None:
    database.execute("BEGIN")
    database.executemany("INSERT INTO lines (line) VALUES (?)", [(LINE,)] * lines)
    database.execute("UPDATE pages SET filling = ? WHERE number < ?", (FILLING, pages))
    database.execute("COMMIT")


def _answer(port: int, path: Path, pages: int, pause_s: float) -> None:
    """Be the other side: commit what came, then answer it."""
    database = _open(path)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        rest = b""
        while data := connection.recv(65536):
            *lines, rest = (rest + data).split(b"\n")
            time.sleep(pause_s if len(lines) == 1 else 0)
            _commit(database, len(lines), pages)
            connection.sendall(LINE * len(lines))


if __name__ == "__main__":
    _answer(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
