"""The node's end of the control socket: takes commands, gives results, notices who leaves.

A connection is kept as long as its client likes and carries any number of commands at once, each line of
answer under the id of its command. Who leaves ends what they asked for.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from peer import api
from peer.errors import PeerError
from wire.codes import Code
from wire.errors import WireError

log = logging.getLogger("peer")
LINE_BYTES = 1024 * 1024
LONGEST_PATH = 100  # AF_UNIX paths end at 107 bytes
COMMANDS_AT_ONCE = 256
"""Under way on one connection; whoever sends more is not read until some have ended."""

Do = Callable[[api.Command, str], AsyncGenerator[api.Result, None]]
AtOnce = Callable[[api.Command, str, Callable[[api.Result | BaseException], None]], bool]


class ControlServer:
    """Serves one home's socket while its context is entered.

    do: carries out a command with its id. at_once: does so for commands that have one result and need no task, which it
    tells to who is named, or what went wrong; False for all others. is_full: of the node; a brief one leaves commands that need a
    FULL one to whoever asks. Entering binds the socket, mode 0600; one that a dead node left behind is
    replaced. Raises PeerError with HOME_UNUSABLE. Leaving ends every command; verbs that wait for results
    lose their connection.
    """

    def __init__(
        self, path: Path, do: Do, at_once: AtOnce | None = None, *, is_full: bool = True
    ) -> None:
        self._path = path
        self._do = do
        self._at_once = at_once or _never
        self._is_full = is_full
        self._clients = _Clients()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        listener = _bind(self._path)
        async with AsyncExitStack() as stack:
            stack.callback(listener.close)
            group = await stack.enter_async_context(asyncio.TaskGroup())
            server = await asyncio.get_running_loop().create_unix_server(
                lambda: _Client(self._do, self._at_once, self._is_full, group, self._clients),
                sock=listener,
            )
            stack.callback(self._close, server)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def wait_idle(self) -> None:
        """Wait until no verb is connected."""
        await self._clients.are_gone.wait()

    def _close(self, server: asyncio.Server) -> None:
        server.close()
        self._clients.are_unwelcome = True
        for client in self._clients.every():
            client.drop()
        self._path.unlink(missing_ok=True)


def _never(*_: object) -> bool:
    return False


def _bind(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        is_long = len(os.fsencode(path)) > LONGEST_PATH
        place = f"/proc/self/fd/{folder}/{path.name}" if is_long else str(path)
        path.unlink(missing_ok=True)
        listener.bind(place)
        path.chmod(0o600)
    except OSError as error:
        listener.close()
        raise PeerError(Code.HOME_UNUSABLE, f"{path}: {error.strerror}") from error
    finally:
        os.close(folder)
    return listener


class _Clients:
    """Who is connected, and whether nobody is. are_unwelcome: who was let in at the last moment leaves again."""

    def __init__(self) -> None:
        self._every: set[_Client] = set()
        self.are_unwelcome = False
        self.are_gone = asyncio.Event()
        self.are_gone.set()

    def every(self) -> list[_Client]:
        return list(self._every)

    def enter(self, client: _Client) -> None:
        self._every.add(client)
        self.are_gone.clear()

    def leave(self, client: _Client) -> None:
        self._every.discard(client)
        if not self._every:
            self.are_gone.set()


class _Client(asyncio.Protocol):
    """One connection: commands come as lines, and their results go as lines, many in one write."""

    def __init__(
        self,
        do: Do,
        at_once: AtOnce,
        is_full: bool,
        group: asyncio.TaskGroup,
        clients: _Clients,
    ) -> None:
        self._do = do
        self._at_once = at_once
        self._is_full = is_full
        self._group = group
        self._clients = clients
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._rest = b""  # of a line that has not come whole
        self._out: list[bytes] = []
        self._waiting: deque[bytes] = deque()
        self._work: set[asyncio.Task[None]] = set()
        self._begun = 0  # without a task, and not answered
        self._may_write = asyncio.Event()
        self._may_write.set()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._clients.enter(self)
        if self._clients.are_unwelcome:
            self.drop()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._waiting += lines
        if len(self._rest) > LINE_BYTES:
            self.drop()
        self._begin_all()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's contract
        self._transport = None
        self._cancel()
        self._clients.leave(self)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # --- commands and their results

    def drop(self) -> None:
        """End what is under way and the connection; what was answered still leaves."""
        self._cancel()
        self._flush()
        if self._transport is not None:
            self._transport.close()

    def _cancel(self) -> None:
        for work in self._work:
            work.cancel()

    def _begin_all(self) -> None:
        """Start what was asked for, as far as there is room, and read no more until all of it began."""
        while self._waiting and self._has_room and self._is_here:
            self._begin(self._waiting.popleft())
        if self._transport is not None and self._is_here:
            if self._waiting:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    @property
    def _has_room(self) -> bool:
        return len(self._work) + self._begun < COMMANDS_AT_ONCE

    @property
    def _is_here(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def _begin(self, line: bytes) -> None:
        """Start what a line asks for; one that is no request at all ends the connection."""
        request_id, command = _read(line)
        if isinstance(command, PeerError):
            self._say(_error(request_id, command))
            if not request_id:
                self.drop()
            return
        if not self._is_full and api.need_of(command) is api.Need.FULL:
            self._say(_line({"id": request_id, "brief": True}))
            return
        self._begun += 1
        if self._at_once(command, request_id, partial(self._answer, request_id, command)):
            return
        self._begun -= 1
        work = self._group.create_task(self._carry_out(request_id, command))
        self._work.add(work)
        work.add_done_callback(self._ended)

    def _ended(self, work: asyncio.Task[None]) -> None:
        self._work.discard(work)
        if self._waiting:
            self._begin_all()

    def _answer(
        self, request_id: str, command: api.Command, outcome: api.Result | BaseException
    ) -> None:
        """Tell what became of a command that has no task."""
        self._begun -= 1
        if isinstance(outcome, BaseException):
            self._say(_failure(request_id, command, outcome))
        else:
            self._say(_line({"id": request_id, "item": api.as_json(outcome)}) + _end(request_id))
        if self._waiting:
            self._begin_all()

    async def _carry_out(self, request_id: str, command: api.Command) -> None:
        try:
            async with aclosing(self._do(command, request_id)) as results:
                async for result in results:
                    self._say(_line({"id": request_id, "item": api.as_json(result)}))
                    if not self._may_write.is_set():
                        await self._may_write.wait()
            last = _end(request_id)
        except Exception as error:  # noqa: BLE001 - the top of a command: `_failure` logs it
            last = _failure(request_id, command, error)
        self._say(last)

    def _say(self, line: bytes) -> None:
        """Queue a line; what one round of the loop gives leaves in one write."""
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(line)

    def _flush(self) -> None:
        out, self._out = self._out, []
        if out and self._transport is not None and self._is_here:
            self._transport.write(b"".join(out))


class _Request(msgspec.Struct):
    """A line of a client: the id it draws, the name of a command, its fields."""

    id: str
    do: str
    fields: msgspec.Raw = msgspec.field(name="with")


_REQUESTS = msgspec.json.Decoder(_Request)


@cache
def _decoder(do: str) -> msgspec.json.Decoder[api.Command]:
    """Give what reads the fields of a command; raises KeyError for one that there is not."""
    return msgspec.json.Decoder(api.COMMANDS[do])


def _read(line: bytes) -> tuple[str, api.Command | PeerError]:
    """Give the id of a request, empty if it has none, and its command, or what is wrong with it."""
    try:
        request = _REQUESTS.decode(line)
        return request.id, _decoder(request.do).decode(request.fields)
    except (ValueError, KeyError, RecursionError, msgspec.MsgspecError):
        return _read_closely(line)


def _read_closely(line: bytes) -> tuple[str, api.Command | PeerError]:
    """Do what `_read` does for all JSON there is: names of files that are no text, and mistakes."""
    request_id = ""
    try:
        request = json.loads(line)
        request_id = str(request["id"])
        return request_id, msgspec.convert(request["with"], api.COMMANDS[request["do"]])
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as error:
        return request_id, PeerError(Code.USAGE, f"the command is not understood: {error}")


def _line(answer: dict[str, object]) -> bytes:
    try:
        return msgspec.json.encode(answer) + b"\n"
    except UnicodeEncodeError:  # a file's name that is no text: JSON can say it, in escapes
        return json.dumps(answer).encode() + b"\n"


def _end(request_id: str) -> bytes:
    return _line({"id": request_id, "end": True})


def _failure(request_id: str, command: api.Command, error: BaseException) -> bytes:
    """Say why a command failed; what nobody foresaw goes to the log."""
    if isinstance(error, PeerError | WireError):
        return _error(request_id, error)
    log.error("%s failed", type(command).__name__, exc_info=error)
    return _error(request_id, PeerError(Code.INTERNAL))


def _error(request_id: str, error: PeerError | WireError) -> bytes:
    shown = error if isinstance(error, PeerError) else PeerError(error.code, error.detail)
    body = {"code": shown.code.value, "message": shown.message, "remedy": shown.remedy}
    return _line({"id": request_id, "error": body})
