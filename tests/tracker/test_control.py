from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tracker import control
from tracker.control import REQUEST_BYTES, ControlSocket, ask, short_path
from tracker.errors import TrackerError
from wire.codes import Code


def handle(do: str, arguments: dict[str, Any], reply: Any) -> None:
    match do:
        case "count":
            for number in range(arguments["to"]):
                reply.item({"number": number})
            reply.end()
        case "fail":
            reply.fail(TrackerError(Code.NOT_ALLOWED, "no", remedy="ask somebody"))
        case _:
            raise TrackerError(Code.USAGE, f"cannot {do}")


@pytest.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    server = ControlSocket(tmp_path / "control", handle)
    await server.open()
    yield tmp_path / "control"
    server.close()
    server.close()
    assert not (tmp_path / "control").exists()


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def asked(path: Path, do: str, **arguments: object) -> list[dict[str, object]]:
    """Ask from a thread, as another process would."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, lambda: list(ask(path, do, arguments)))


async def raw(path: Path, *lines: bytes) -> list[dict[str, Any]]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.writelines(lines)
    writer.write_eof()
    async with asyncio.timeout(90):
        got = await reader.read()
    writer.close()
    await writer.wait_closed()
    return [json.loads(line) for line in got.splitlines()]


async def test_items_come_one_by_one_and_end(path: Path) -> None:
    assert await asked(path, "count", to=3) == [{"number": 0}, {"number": 1}, {"number": 2}]
    assert await asked(path, "count", to=0) == []
    assert mode_of(path) == 0o600


async def test_an_error_comes_with_its_remedy(path: Path) -> None:
    with pytest.raises(TrackerError) as caught:
        await asked(path, "fail")
    assert (caught.value.code, caught.value.message, caught.value.remedy) == (
        Code.NOT_ALLOWED,
        "no",
        "ask somebody",
    )
    with pytest.raises(TrackerError) as caught:
        await asked(path, "dance")
    assert caught.value.code is Code.USAGE


@pytest.mark.parametrize(
    "line",
    [
        b"rubbish\n",
        b"[]\n",
        b"{}\n",
        b'{"id": 1, "do": 5}\n',
        b'{"id": 1, "do": "count", "with": []}\n',
        b'{"id": 1, "do": "count", "with": {"to": "x"}}\n',
        b"[" * 60_000 + b"\n",
        b"\xff\xfe\n",
    ],
)
async def test_a_request_that_is_not_understood_is_refused(path: Path, line: bytes) -> None:
    (answer,) = await raw(path, line)
    assert answer["error"]["code"] == "usage"


async def test_an_endless_request_is_cut_off(path: Path) -> None:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(b"x" * (REQUEST_BYTES + 1))
    async with asyncio.timeout(90):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


async def test_several_requests_on_one_connection_each_get_their_answer(path: Path) -> None:
    answers = await raw(
        path,
        b'{"id": "a", "do": "count", "with": {"to": 1}}\n{"id": "b", "do": ',
        b'"fail"}\n',
    )
    assert [answer["id"] for answer in answers] == ["a", "a", "b"]


async def test_who_hangs_up_first_is_not_written_to(tmp_path: Path) -> None:
    held: list[Any] = []
    server = ControlSocket(tmp_path / "control", lambda _do, _with, reply: held.append(reply))
    await server.open()
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control"))
    writer.write(b'{"id": 1, "do": "x"}\n')
    other = await asyncio.open_unix_connection(str(tmp_path / "control"))
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(90):
        while not held or held[0]._connection.transport is not None:
            other[1].write(b"{}\n")
            await other[0].readline()
    held[0].item({})
    held[0].end()
    server.close()
    async with asyncio.timeout(90):
        assert await other[0].read() == b""
    other[1].close()
    assert reader


async def test_a_place_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrackerError) as caught:
        await ControlSocket(tmp_path / "missing" / "control", handle).open()
    assert caught.value.code is Code.HOME_UNUSABLE


def test_nobody_there_is_not_running(tmp_path: Path) -> None:
    with pytest.raises(TrackerError) as caught:
        list(ask(tmp_path / "control", "count", {}))
    assert caught.value.code is Code.NOT_RUNNING
    assert caught.value.remedy == "run: hobnob-tracker serve"


@pytest.fixture
def fading(tmp_path: Path) -> Iterator[socket.socket]:
    """Somebody who listens, answers one item and goes away."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "control"))
        listener.listen()

        def serve() -> None:
            link, _ = listener.accept()
            link.recv(1000)
            link.sendall(b'{"item": {"number": 1}}\n')
            link.close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener
        thread.join()


@pytest.mark.usefixtures("fading")
def test_a_tracker_that_vanishes_in_the_middle_is_named(tmp_path: Path) -> None:
    got: list[object] = []
    with pytest.raises(TrackerError) as caught:
        got.extend(ask(tmp_path / "control", "count", {}))
    assert caught.value.code is Code.NODE_VANISHED


def test_a_long_path_goes_through_the_folders_descriptor(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    with short_path(folder / "control") as name:
        assert len(name) < control.UNIX_PATH_BYTES
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
    assert (folder / "control").exists()
