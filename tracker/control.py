"""The control socket: admin verbs of this machine talk to the running tracker through it.

JSON lines over a local stream socket below the home, mode 0600. A request is {"id", "do", "with"}; the
replies are {"id", "item"} ... and then {"id", "end": true} or {"id", "error": {"code", "message",
"remedy"}}. `ControlSocket` is the tracker's end, `ask` the verb's, synchronous and of the standard library.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, cast

from tracker.errors import TrackerError
from wire.codes import Code, code_of

REQUEST_BYTES = 64 * 1024  # one line of a request; what is longer is none of ours
ANSWER_TIMEOUT_S = 30.0
UNIX_PATH_BYTES = 107  # of sun_path in Linux, without the zero at its end


class Reply(Protocol):
    """Where a request's answer goes."""

    def item(self, item: dict[str, object]) -> None:
        """Send one result."""
        ...

    def end(self) -> None:
        """Say that there are no more."""
        ...

    def fail(self, error: TrackerError) -> None:
        """Say that the request failed."""
        ...


Handler = Callable[[str, dict[str, Any], Reply], None]
"""Called with the verb, its arguments and where the answer goes; raises TrackerError to refuse."""


@contextmanager
def short_path(path: Path) -> Iterator[str]:
    """Give a name of the path that fits into a socket address, through the folder's descriptor."""
    if len(os.fsencode(path)) <= UNIX_PATH_BYTES:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


class _Connection(asyncio.Protocol):
    """One verb that is connected."""

    def __init__(self, handler: Handler, connections: set[_Connection]) -> None:
        self._handler = handler
        self._connections = connections
        self._buffer = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        self._connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._connections.discard(self)
        self.transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\n")) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            self._request(line)
        if len(self._buffer) > REQUEST_BYTES and self.transport is not None:
            self.transport.abort()

    def _request(self, line: bytes) -> None:
        reply = _Answering(self, None)
        try:
            request = json.loads(line)
            reply = _Answering(self, request["id"])
            do, arguments = request["do"], request.get("with", {})
            if not (isinstance(do, str) and isinstance(arguments, dict)):
                raise TypeError(do)
            self._handler(do, arguments, reply)
        except (ValueError, TypeError, KeyError, RecursionError):
            reply.fail(
                TrackerError(Code.USAGE, "a request of the control socket is not understood")
            )
        except TrackerError as error:
            reply.fail(error)

    def send(self, answer: dict[str, object]) -> None:
        """Send one line, if the verb still listens."""
        if self.transport is not None:
            self.transport.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")


class _Answering:
    """The answer to one request."""

    def __init__(self, connection: _Connection, request: object) -> None:
        self._connection = connection
        self._request = request

    def item(self, item: dict[str, object]) -> None:
        self._connection.send({"id": self._request, "item": item})

    def end(self) -> None:
        self._connection.send({"id": self._request, "end": True})

    def fail(self, error: TrackerError) -> None:
        what = {"code": error.code.value, "message": error.message, "remedy": error.remedy}
        self._connection.send({"id": self._request, "error": what})


class ControlSocket:
    """The tracker's end of the control socket. path: where it stands; what stood there is replaced."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen; the lock of the home is held, so nobody else does."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._path) as name:
                listener.bind(name)
            self._path.chmod(0o600)
            loop = asyncio.get_running_loop()
            self._server = await loop.create_unix_server(self._connect, sock=listener)
        except OSError as error:
            listener.close()
            raise TrackerError(Code.HOME_UNUSABLE, f"{self._path}: {error.strerror}") from error

    def _connect(self) -> _Connection:
        return _Connection(self._handler, self._connections)

    def close(self) -> None:
        """Stop listening and end the connections; the socket's file goes."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for connection in list(self._connections):
            if connection.transport is not None:
                connection.transport.close()
        self._path.unlink(missing_ok=True)


def ask(path: Path, do: str, arguments: dict[str, object]) -> Iterator[dict[str, object]]:
    """Ask the running tracker; gives its items.

    Raises TrackerError with NOT_RUNNING where nobody answers, or with what the tracker said.
    """
    not_running = TrackerError(
        Code.NOT_RUNNING, f"no tracker runs on {path.parent}", remedy="run: hobnob-tracker serve"
    )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
        link.settimeout(ANSWER_TIMEOUT_S)
        try:
            with short_path(path) as name:
                link.connect(name)
        except OSError as error:
            raise not_running from error
        yield from _converse(link, {"id": os.urandom(8).hex(), "do": do, "with": arguments})


def _converse(link: socket.socket, request: dict[str, object]) -> Iterator[dict[str, object]]:
    vanished = TrackerError(Code.NODE_VANISHED, "the tracker went away before it answered")
    with suppress(OSError), link.makefile("rwb") as stream:
        stream.write(json.dumps(request).encode() + b"\n")
        stream.flush()
        for line in stream:
            answer = json.loads(line)
            if "item" in answer:
                yield answer["item"]
            elif "error" in answer:
                error = answer["error"]
                raise TrackerError(code_of(error["code"]), error["message"], remedy=error["remedy"])
            else:
                return
    raise vanished
