"""The node's end of the control socket: takes commands, gives results, notices who leaves."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, suppress
from pathlib import Path
from typing import Any

import msgspec

from peer import api
from peer.errors import PeerError
from wire.codes import Code
from wire.errors import WireError

log = logging.getLogger("peer")
LINE_BYTES = 1024 * 1024
LONGEST_PATH = 100  # AF_UNIX paths end at 107 bytes

Do = Callable[[api.Command, str], AsyncIterator[api.Result]]


class ControlServer:
    """Serves one home's socket from `open` to `close`.

    do: carries out a command with its id. is_full: of the node; a brief one leaves commands that need a
    FULL one to whoever asks.
    """

    def __init__(self, path: Path, do: Do, *, is_full: bool = True) -> None:
        self._path = path
        self._do = do
        self._is_full = is_full
        self._server: asyncio.Server | None = None
        self._clients = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def open(self) -> None:
        """Bind the socket, mode 0600; one that a dead node left behind is replaced."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            is_long = len(os.fsencode(self._path)) > LONGEST_PATH
            place = f"/proc/self/fd/{folder}/{self._path.name}" if is_long else str(self._path)
            self._path.unlink(missing_ok=True)
            listener.bind(place)
            self._path.chmod(0o600)
        except OSError as error:
            listener.close()
            raise PeerError(Code.HOME_UNUSABLE, f"{self._path}: {error.strerror}") from error
        finally:
            os.close(folder)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=LINE_BYTES)

    async def close(self) -> None:
        """Stop serving; verbs that wait for results lose their connection."""
        if self._server is not None:
            self._server.close()
            close_clients = getattr(self._server, "close_clients", None)
            if close_clients is not None:
                close_clients()
            self._path.unlink(missing_ok=True)

    async def wait_idle(self) -> None:
        """Wait until no verb is connected."""
        await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        self._idle.clear()
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
                line = await reader.readline()
                if line:
                    await self._answer(line, reader, writer)
        finally:
            self._clients -= 1
            if self._clients == 0:
                self._idle.set()
            writer.close()

    async def _answer(
        self, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Carry one command out; a client that leaves ends it."""
        try:
            request_id, command = _parse(line)
        except PeerError as error:
            writer.write(_error(error))
            await writer.drain()
            return
        if not self._is_full and api.need_of(command) is api.Need.FULL:
            writer.write(b'{"brief": true}\n')
            await writer.drain()
            return
        async with asyncio.TaskGroup() as group:
            work = group.create_task(self._work(request_id, command, writer))
            leave = group.create_task(_wait_left(reader))
            leave.add_done_callback(lambda _: work.cancel())
            work.add_done_callback(lambda _: leave.cancel())

    async def _work(
        self, request_id: str, command: api.Command, writer: asyncio.StreamWriter
    ) -> None:
        try:
            async with aclosing(_as_generator(self._do(command, request_id))) as results:
                async for result in results:
                    line = json.dumps({"item": api.as_json(result)}).encode() + b"\n"
                    writer.write(line)
                    await writer.drain()
            last = b'{"end": true}\n'
        except (PeerError, WireError) as error:
            last = _error(error)
        except ConnectionError:
            return  # whoever asked is gone
        except Exception:
            log.exception("%s failed", type(command).__name__)
            last = _error(PeerError(Code.INTERNAL))
        with suppress(ConnectionError):
            writer.write(last)
            await writer.drain()


async def _wait_left(reader: asyncio.StreamReader) -> None:
    """Return when the client closed its end; what it still sends is not for us."""
    with suppress(ConnectionError):
        while await reader.read(4096):
            pass


async def _as_generator(results: AsyncIterator[api.Result]) -> Any:
    async for result in results:
        yield result


def _parse(line: bytes) -> tuple[str, api.Command]:
    try:
        request = json.loads(line)
        cls = api.COMMANDS[request["do"]]
        return str(request["id"]), msgspec.convert(request["with"], cls)
    except (ValueError, KeyError, TypeError, RecursionError, msgspec.ValidationError) as error:
        raise PeerError(Code.USAGE, f"the command is not understood: {error}") from error


def _error(error: PeerError | WireError) -> bytes:
    shown = error if isinstance(error, PeerError) else PeerError(error.code, error.detail)
    body = {"code": shown.code.value, "message": shown.message, "remedy": shown.remedy}
    return json.dumps({"error": body}).encode() + b"\n"
