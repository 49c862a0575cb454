"""The verb's end of the control socket; the standard library's quick corners only, see `peer.control`."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

SOCKET_NAME = "control"
TRIES = 3


class NotRunning(Exception):
    """No node serves this home, or none that can do this.

    request_id: whoever does the work now does it under this id.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id


class Failed(Exception):
    """The node answered with an error; attributes as the contract prints them."""

    def __init__(self, code: str, message: str, remedy: str) -> None:
        super().__init__(code, message, remedy)
        self.code = code
        self.message = message
        self.remedy = remedy


def ask(
    home: Path, do: str, arguments: dict[str, object], request_id: str | None = None
) -> Iterator[dict[str, object]]:
    """Have the running node carry out a command; gives its results as they come.

    Raises NotRunning where nobody answers or only a brief node that cannot do this, Failed for the node's error. A node that vanishes before the
    first result is looked for again with the same id, so nothing is done twice.
    """
    request_id = request_id or os.urandom(16).hex()
    request = {"id": request_id, "do": do, "with": arguments}
    line = json.dumps(request).encode() + b"\n"
    for number in range(TRIES):
        connection = _connect(home, request_id)
        has_items = False
        try:
            connection.sendall(line)
            for answer in _lines(connection):
                if "item" in answer:
                    has_items = True
                    yield answer["item"]
                elif "error" in answer:
                    error = answer["error"]
                    raise Failed(error["code"], error["message"], error["remedy"])
                elif "brief" in answer:
                    raise NotRunning(request_id)
                else:
                    return
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            connection.close()
        if has_items or number == TRIES - 1:
            break
    raise Failed("node-vanished", "the running node went away", "run the command again")


class Kept:
    """A connection that is kept for many commands at once, for faces and scripts that go on.

    home: whose node. Raises NotRunning where nobody answers. One thread may ask while another takes answers.
    """

    def __init__(self, home: Path) -> None:
        self._connection = _connect(home, "")

    def begin(self, *requests: tuple[str, dict[str, object]]) -> list[str]:
        """Have commands carried out, each (name, arguments); gives the ids their answers will have."""
        ids = [os.urandom(16).hex() for _ in requests]
        lines = [
            json.dumps({"id": request_id, "do": do, "with": arguments}).encode() + b"\n"
            for request_id, (do, arguments) in zip(ids, requests, strict=True)
        ]
        self._connection.sendall(b"".join(lines))
        return ids

    def answers(self) -> Iterator[dict[str, Any]]:
        """Give every line of answer as it comes: its `id`, and `item`, `error` or `end`; ends with the node."""
        try:
            yield from _lines(self._connection)
        except ConnectionError:
            return

    def close(self) -> None:
        """Leave: commands that are still under way are ended, though what they committed stays."""
        with suppress(OSError):  # the node left first
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def is_served(home: Path) -> bool:
    """Say whether a node answers on this home's socket."""
    try:
        _connect(home, "").close()
    except NotRunning:
        return False
    return True


def _connect(home: Path, request_id: str) -> socket.socket:
    """Connect; through a descriptor of the folder, as a socket's path ends at 107 bytes."""
    try:
        folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise NotRunning(request_id) from error
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path = os.path.join(home, SOCKET_NAME)  # noqa: PTH118 - compared by length only
        is_long = len(os.fsencode(path)) > 100
        connection.connect(f"/proc/self/fd/{folder}/{SOCKET_NAME}" if is_long else path)
    except OSError as error:
        connection.close()
        raise NotRunning(request_id) from error
    finally:
        os.close(folder)
    return connection


def _lines(connection: socket.socket) -> Iterator[dict[str, Any]]:
    with connection.makefile("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return  # the node died in the middle of a line
            yield json.loads(line)
