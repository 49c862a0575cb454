"""The control socket: results in order, errors by code, clients that leave, bytes that are no command."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path

import pytest

from peer import api
from peer.control import client
from peer.control.server import COMMANDS_AT_ONCE, ControlServer
from peer.errors import PeerError
from wire.codes import Code


class Worker:
    """Carries out commands as a node would, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[api.Command, str]] = []
        self.ended = asyncio.Event()

    async def do(self, command: api.Command, request_id: str) -> AsyncGenerator[api.Result, None]:
        self.asked.append((command, request_id))
        if isinstance(command, api.WatchEvents):
            try:
                yield api.Event("notice", {"code": "first"})
                await asyncio.Event().wait()
            finally:
                self.ended.set()
        elif isinstance(command, api.WhoAmI):
            raise PeerError(Code.NOT_REGISTERED)
        elif isinstance(command, api.GetStatus):
            raise ZeroDivisionError
        else:
            yield api.MessageState("00", "queued")
            yield api.MessageState("00", "delivered")


@asynccontextmanager
async def serving(home: Path, *, is_full: bool = True) -> AsyncIterator[Worker]:
    worker = Worker()
    async with ControlServer(home / client.SOCKET_NAME, worker.do, is_full=is_full):
        yield worker


async def answers(home: Path, do: str, arguments: dict[str, object]) -> list[dict[str, object]]:
    return await asyncio.to_thread(lambda: list(client.ask(home, do, arguments)))


async def test_results_come_in_order_and_the_id_is_the_verbs(tmp_path: Path) -> None:
    async with serving(tmp_path) as worker:
        found = await answers(tmp_path, "SendText", {"to": "bob", "text": "hi"})
        assert found == [{"id": "00", "state": "queued"}, {"id": "00", "state": "delivered"}]
        [(command, request_id)] = worker.asked
        assert command == api.SendText("bob", "hi")
        assert len(bytes.fromhex(request_id)) == 16


async def test_a_brief_node_leaves_what_needs_a_full_one_to_whoever_asks(tmp_path: Path) -> None:
    async with serving(tmp_path, is_full=False) as worker:
        asked: tuple[tuple[str, dict[str, object]], ...] = (
            ("AcceptOffer", {"offer": "ab"}),
            ("ReadMessages", {"follow": True}),
            ("OfferFiles", {"to": ["bob"], "paths": ["/x"], "wait": True}),
            ("WatchEvents", {}),
        )
        for do, arguments in asked:
            with pytest.raises(client.NotRunning) as caught:
                await answers(tmp_path, do, arguments)
            assert len(bytes.fromhex(caught.value.request_id)) == 16
        assert worker.asked == []
        await answers(tmp_path, "SendText", {"to": "bob", "text": "hi"})
        await answers(tmp_path, "GiveWay", {"stays": False})
        assert len(worker.asked) == 2


async def test_an_error_has_its_code_and_both_sentences(tmp_path: Path) -> None:
    async with serving(tmp_path):
        with pytest.raises(client.Failed) as caught:
            await answers(tmp_path, "WhoAmI", {})
        assert caught.value.code == "not-registered"
        assert caught.value.message
        assert caught.value.remedy


async def test_a_mistake_of_ours_is_told_as_such_and_leaves_the_server_alive(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path):
        with pytest.raises(client.Failed) as caught:
            await answers(tmp_path, "GetStatus", {})
        assert caught.value.code == "internal"
        assert "ZeroDivisionError" in caplog.text
        assert await answers(tmp_path, "SendText", {"to": "bob", "text": "hi"})


@pytest.mark.parametrize(
    ("do", "arguments"),
    [
        ("Explode", {}),
        ("SendText", {}),
        ("SendText", {"to": 3, "text": "x"}),
        ("SendText", {"to": "bob"}),
    ],
)
async def test_what_is_no_command_is_a_wrong_use(
    tmp_path: Path, do: str, arguments: dict[str, object]
) -> None:
    async with serving(tmp_path) as worker:
        with pytest.raises(client.Failed) as caught:
            await answers(tmp_path, do, arguments)
        assert caught.value.code == "usage"
        assert worker.asked == []


@pytest.mark.parametrize(
    "line",
    [b"\n", b"{}\n", b"[1]\n", b"null\n", b"[" * 100_000 + b"\n", b"\xff\xfe\n", b"x" * 2_000_000],
)
async def test_bytes_that_are_no_request_leave_the_server_alive(
    tmp_path: Path, line: bytes
) -> None:
    async with serving(tmp_path):

        def knock() -> None:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.connect(str(tmp_path / client.SOCKET_NAME))
                try:
                    raw.sendall(line)
                    while raw.recv(4096):
                        pass
                except ConnectionError:
                    pass

        if line.endswith(b"\n"):
            await asyncio.to_thread(knock)
        else:
            with socket.socket(socket.AF_UNIX) as raw:
                raw.setblocking(False)
                raw.connect(str(tmp_path / client.SOCKET_NAME))
                with suppress(ConnectionError):
                    await asyncio.get_running_loop().sock_sendall(raw, line)
        assert len(await answers(tmp_path, "SendText", {"to": "bob", "text": "hi"})) == 2


async def test_a_client_that_leaves_ends_what_it_followed(tmp_path: Path) -> None:
    async with serving(tmp_path) as worker:

        def first_only() -> dict[str, object]:
            items: Iterator[dict[str, object]] = client.ask(tmp_path, "WatchEvents", {})
            return next(items)

        assert await asyncio.to_thread(first_only) == {"event": "notice", "code": "first"}
        async with asyncio.timeout(90):
            await worker.ended.wait()


async def test_a_home_whose_path_is_too_long_for_a_socket_is_served_all_the_same(
    tmp_path: Path,
) -> None:
    home = tmp_path / ("long" * 40)
    home.mkdir()
    async with serving(home):
        assert len(await answers(home, "SendText", {"to": "bob", "text": "hi"})) == 2
        assert (home / client.SOCKET_NAME).stat().st_mode & 0o777 == 0o600


async def test_a_socket_that_a_dead_node_left_is_nobody_and_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / client.SOCKET_NAME))
    with pytest.raises(client.NotRunning) as caught:
        list(client.ask(tmp_path, "WhoAmI", {}, "ab" * 16))
    assert caught.value.request_id == "ab" * 16
    assert not client.is_served(tmp_path)
    async with serving(tmp_path):
        assert len(await answers(tmp_path, "SendText", {"to": "bob", "text": "hi"})) == 2


def test_a_home_that_is_not_there_is_nobody(tmp_path: Path) -> None:
    with pytest.raises(client.NotRunning):
        list(client.ask(tmp_path / "nowhere", "WhoAmI", {}))


def test_a_node_that_vanishes_is_asked_again_under_the_same_id(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / client.SOCKET_NAME))
        listener.listen()
        ids: list[str] = []

        def drop_one_then_answer() -> None:
            for answer in (b'{"item": {"n"', b'{"item": {"n": 1}}\n{"end": true}\n'):
                connection, _ = listener.accept()
                with connection, connection.makefile("rb") as stream:
                    ids.append(json.loads(stream.readline())["id"])
                    connection.sendall(answer)

        import threading

        server = threading.Thread(target=drop_one_then_answer)
        server.start()
        assert list(client.ask(tmp_path, "WhoAmI", {})) == [{"n": 1}]
        server.join()
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_one_connection_carries_many_commands_and_a_mistake_ends_only_itself(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as worker:
        kept = await asyncio.to_thread(client.Kept, tmp_path)
        say: tuple[str, dict[str, object]] = ("SendText", {"to": "bob", "text": "hi"})
        ids = await asyncio.to_thread(kept.begin, ("WatchEvents", {}), say, ("Explode", {}), say)
        came = await asyncio.to_thread(lambda: list(islice(kept.answers(), 8)))
        words = [[next(k for k in a if k != "id") for a in came if a["id"] == one] for one in ids]
        assert words == [["item"], ["item", "item", "end"], ["error"], ["item", "item", "end"]]
        assert not worker.ended.is_set()
        kept.close()
        async with asyncio.timeout(90):
            await worker.ended.wait()


async def test_what_goes_beyond_the_most_at_once_begins_when_others_have_ended(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as worker:
        kept = await asyncio.to_thread(client.Kept, tmp_path)
        watch: tuple[str, dict[str, object]] = ("WatchEvents", {})
        await asyncio.to_thread(kept.begin, *[watch] * (COMMANDS_AT_ONCE + 50))
        await asyncio.to_thread(lambda: list(islice(kept.answers(), COMMANDS_AT_ONCE)))
        assert len(worker.asked) == COMMANDS_AT_ONCE
        kept.close()
        again = await asyncio.to_thread(client.Kept, tmp_path)
        say: tuple[str, dict[str, object]] = ("SendText", {"to": "bob", "text": "hi"})
        await asyncio.to_thread(again.begin, *[say] * (COMMANDS_AT_ONCE + 50))
        came = (COMMANDS_AT_ONCE + 50) * 3
        assert len(await asyncio.to_thread(lambda: list(islice(again.answers(), came)))) == came
        again.close()


async def test_who_comes_while_the_server_leaves_is_let_go_and_holds_nothing_up(
    tmp_path: Path,
) -> None:
    watch: tuple[str, dict[str, object]] = ("WatchEvents", {})
    async with serving(tmp_path) as worker:
        early = client.Kept(tmp_path)
        early.begin(watch)
        late = client.Kept(tmp_path)  # in the backlog: the loop has not seen it
        late.begin(watch)
    assert list(await asyncio.to_thread(lambda: list(early.answers()))) == []
    assert len(worker.asked) == 0
    for kept in (early, late):
        kept.close()
