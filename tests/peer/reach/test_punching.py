"""Simultaneous open over real sockets, with a tracker's ports played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from peer.people.roster import Target
from peer.reach.punching import Punching
from wire import limits
from wire.ids import DeviceId, IdentityKey, LinkKey
from wire.messages import Purpose
from wire.messages.reach import PunchGo

TICKET = bytes(range(16))
BOB = Target(
    DeviceId(b"\x02" * 16),
    IdentityKey(b"\xbb" * 32),
    "bob",
    LinkKey(b"\x03" * 32),
    addresses=None,
    signing_key=bytes(32),
    known_counter=0,
    address_key=None,
    is_there=True,
)


@dataclass
class Loopback:
    """Where somebody is whose tracker link runs over loopback, or does not."""

    is_loopback: bool
    hosts: tuple[str, ...] = ("127.0.0.1",)
    tracker_host: str = "127.0.0.1"


class Ports:
    """A tracker's two ports: what each was shown, and from where."""

    def __init__(self) -> None:
        self.seen: list[tuple[bool, bytes, tuple[str, int]]] = []
        self.news = asyncio.Event()
        self.numbers: list[int] = []
        self._servers: list[asyncio.Server] = []

    async def open(self) -> None:
        for is_second in (False, True):
            server = await asyncio.start_server(self._taker(is_second), "127.0.0.1", 0)
            self._servers.append(server)
            self.numbers.append(server.sockets[0].getsockname()[1])

    def _taker(self, is_second: bool) -> Any:
        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readexactly(limits.PREAMBLE_BYTES + limits.TICKET_BYTES)
            place = writer.get_extra_info("peername")
            self.seen.append((is_second, head[limits.PREAMBLE_BYTES :], place))
            self.news.set()
            await reader.read(1)
            writer.close()

        return take

    async def until(self, count: int) -> None:
        async with asyncio.timeout(90):
            while len(self.seen) < count:
                self.news.clear()
                await self.news.wait()

    async def close(self) -> None:
        for server in self._servers:
            server.close()


@pytest.fixture
async def ports() -> AsyncIterator[Ports]:
    made = Ports()
    await made.open()
    yield made
    await made.close()


class Opened(asyncio.Protocol):
    path = ""

    def __init__(self) -> None:
        self.is_open = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.is_open.set()


def punching(ports: Ports, opened: Opened, *, is_loopback: bool = True) -> Punching:
    async def ask(*_: object) -> Any:
        raise AssertionError("nothing is asked here")

    return Punching(
        ask=ask,
        surroundings=Loopback(is_loopback),
        tracker_port=ports.numbers[0],
        begin=lambda *_: opened,  # type: ignore[arg-type]
    )


async def test_the_other_is_dialled_from_the_very_port_that_the_tracker_saw(ports: Ports) -> None:
    """With nothing between two sockets neither waits for the other: who is dialled has to listen here."""
    opened = Opened()
    alice = punching(ports, opened)
    callers: asyncio.Queue[tuple[str, int]] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        callers.put_nowait(writer.get_extra_info("peername"))
        await reader.read(1)
        writer.close()

    bob = await asyncio.start_server(take, "127.0.0.1", 0)
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        meeting = group.create_task(alice.meet(BOB, Purpose.PEER, TICKET, ports.numbers[1]))
        await ports.until(2)
        (place,) = {place for _, _, place in ports.seen}
        assert [(is_second, ticket) for is_second, ticket, _ in ports.seen] == [
            (True, TICKET),
            (False, TICKET),
        ]
        alice.go(PunchGo(TICKET, *bob.sockets[0].getsockname()))
        assert await callers.get() == place
    assert meeting.result() is True
    await opened.is_open.wait()
    assert opened.path == "punched"
    opened.transport.close()
    bob.close()


@pytest.mark.parametrize(
    "place",
    [("", 0), ("127.0.0.1", None), ("192.168.77.1", 22), ("224.0.0.1", 80), ("localhost", 80)],
    ids=["none", "loopback", "a neighbour", "everybody", "a name"],
)
async def test_a_place_that_no_friend_could_name_is_not_dialled_for_a_tracker_either(
    place: tuple[str, int | None], ports: Ports
) -> None:
    opened = Opened()
    alice = punching(ports, opened, is_loopback=False)
    host, port = place
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        meeting = group.create_task(alice.meet(BOB, Purpose.PEER, TICKET, 0))
        await ports.until(1)
        alice.go(PunchGo(TICKET, host, ports.numbers[0] if port is None else port))
    assert meeting.result() is False
    assert not opened.is_open.is_set()
    assert len(ports.seen) == 1
    assert ("another port" in alice.why_not[BOB.device]) is (host == "")


async def test_a_place_of_another_family_is_not_tried_and_that_is_said(ports: Ports) -> None:
    alice = punching(ports, Opened())
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        meeting = group.create_task(alice.meet(BOB, Purpose.PEER, TICKET, 0))
        await ports.until(1)
        alice.go(PunchGo(TICKET, "::1", ports.numbers[0]))
    assert meeting.result() is False
    assert "the other by IPv6" in alice.why_not[BOB.device]


async def test_a_word_to_go_for_an_unknown_ticket_changes_nothing(ports: Ports) -> None:
    punching(ports, Opened()).go(PunchGo(TICKET, "127.0.0.1", ports.numbers[0]))
    assert ports.seen == []
