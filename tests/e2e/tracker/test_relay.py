"""The relay over a real tracker's port: tickets, bytes that pass, and everything that ends a joint."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.harness.guest import Guest, befriend, come, refusal
from tests.harness.people import Person
from tests.harness.trackers import WIDE, TrackerProcess
from wire import frames
from wire.address import TrackerAddress
from wire.codes import Code
from wire.messages import Purpose
from wire.messages.friends import RemoveFriend
from wire.messages.presence import SetPresence, Show
from wire.messages.reach import AskRelay, Relay, RelayOffered

PEER = int(Purpose.PEER)

pytestmark = pytest.mark.measured


class Half:
    """One connection to the relay."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def dial(cls, address: str, ticket: bytes, first: bytes = b"") -> Half:
        place = TrackerAddress.parse(address)
        reader, writer = await asyncio.open_connection(place.host, place.port)
        writer.write(frames.preamble(Purpose.RELAY) + ticket + first)
        return cls(reader, writer)

    async def hears(self, count: int) -> bytes:
        async with asyncio.timeout(60):
            return await self.reader.readexactly(count)

    async def rest(self) -> bytes:
        async with asyncio.timeout(60):
            try:
                return await self.reader.read(-1)
            except ConnectionResetError:
                return b""
            finally:
                await self.close()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError):
            await self.writer.wait_closed()


async def meet(a: Guest, b: Guest, alice: Person, bob: Person) -> tuple[bytes, bytes]:
    """Have alice ask for bob; gives both tickets."""
    answer = await a.ask(lambda request: AskRelay(request, bob.name, bob.keys.device, PEER))
    assert isinstance(answer, Relay)
    offered = await b.hears(RelayOffered)
    assert (offered.name, offered.device, offered.purpose) == (alice.name, alice.keys.device, PEER)
    return answer.ticket, offered.ticket


async def test_two_halves_hear_each_other_whichever_comes_first(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await befriend(a, alice, b, bob)
        mine, theirs = await meet(a, b, alice, bob)
        early = await Half.dial(tracker.address, theirs, b"said before anybody was there")
        late = await Half.dial(tracker.address, mine)
        assert await late.hears(29) == b"said before anybody was there"
        much = bytes(range(256)) * 8192  # 2 MiB: more than any buffer on the way
        late.writer.write(much)
        assert await early.hears(len(much)) == much
        await late.close()
        assert await early.rest() == b""


async def counts(place: str) -> dict[str, int]:
    """Scrape a tracker."""
    host, _, port = place.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\nHost: there\r\n\r\n")
    head, _, body = (await reader.read(-1)).decode().partition("\r\n\r\n")
    writer.close()
    assert head.startswith("HTTP/1.1 200 OK")
    rows = [line.rpartition(" ") for line in body.splitlines() if not line.startswith("#")]
    return {name.removeprefix("hobnob_"): int(value) for name, _, value in rows}


async def test_what_the_relay_did_can_be_counted(tmp_path: Path, people: Any) -> None:
    more = ("--metrics", "127.0.0.1:0", "--limit", "relays_per_account=1")
    with TrackerProcess(tmp_path / "home", *WIDE, *more) as tracker:
        place = tracker.ready["metrics"]
        before = await counts(place)
        assert (before["relay_on"], before["relay_bytes_total"], before["relay_joints"]) == (
            1,
            0,
            0,
        )
        alice, bob = await people(2, tracker.address)
        async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
            await befriend(a, alice, b, bob)
            mine, theirs = await meet(a, b, alice, bob)
            one = await Half.dial(tracker.address, mine, b"12345")
            other = await Half.dial(tracker.address, theirs)
            assert await other.hears(5) == b"12345"
            ask = a.ask(lambda request: AskRelay(request, bob.name, bob.keys.device, PEER))
            assert await refusal(ask) is Code.RELAY_LIMIT
            again = await Half.dial(tracker.address, mine)
            await again.rest()
            found = await counts(place)
            assert found["sessions"] >= 2
            assert (found["relay_joints"], found["relay_joints_total"]) == (1, 1)
            assert found["relay_bytes_total"] == 5
            refused = {name: count for name, count in found.items() if "refused" in name and count}
            assert refused == {
                'relay_refused_total{why="account"}': 1,
                'relay_refused_total{why="ticket"}': 1,
            }
            await one.close()
            await other.close()


@pytest.mark.parametrize("asked", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\r\n" * 2])
async def test_who_asks_for_anything_else_gets_nothing(tmp_path: Path, asked: bytes) -> None:
    with TrackerProcess(tmp_path / "home", "--metrics", "127.0.0.1:0") as tracker:
        host, _, port = tracker.ready["metrics"].rpartition(":")
        for flood in (asked, b"x" * 100_000):
            reader, writer = await asyncio.open_connection(host, int(port))
            with suppress(ConnectionError):
                writer.write(flood)
                came = await reader.read(-1)
                assert b"hobnob" not in came
            writer.close()


async def test_a_ticket_is_taken_once_and_a_made_up_one_never(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await befriend(a, alice, b, bob)
        mine, _ = await meet(a, b, alice, bob)
        first = await Half.dial(tracker.address, mine)
        for ticket in (mine, bytes(16)):
            again = await Half.dial(tracker.address, ticket)
            assert await again.rest() == frames.clear_refusal(Code.HANDSHAKE_FAILED)
        await first.close()


async def test_nobody_is_joined_with_a_stranger_or_with_somebody_who_looks_offline(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob, carol = await people(3)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
        await come(tracker.address, carol) as c,
    ):
        await befriend(a, alice, b, bob)

        def ask(who: Person) -> Any:
            return lambda request: AskRelay(request, who.name, who.keys.device, PEER)

        assert await refusal(c.ask(ask(alice))) is Code.NOT_FRIENDS
        assert await refusal(a.ask(ask(alice))) is Code.NOT_ONLINE
        await b.ask(lambda request: SetPresence(request, Show.INVISIBLE))
        assert await refusal(a.ask(ask(bob))) is Code.NOT_ONLINE
        assert b.pushed == []


async def test_friends_who_part_are_parted_here_too(tracker: TrackerProcess, people: Any) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await befriend(a, alice, b, bob)
        mine, theirs = await meet(a, b, alice, bob)
        one, other = (
            await Half.dial(tracker.address, mine, b"x"),
            await Half.dial(tracker.address, theirs, b"y"),
        )
        assert (await one.hears(1), await other.hears(1)) == (b"y", b"x")
        await a.ask(lambda request: RemoveFriend(request, bob.name))
        assert (await one.rest(), await other.rest()) == (b"", b"")


@pytest.mark.parametrize("is_on", [True, False], ids=["bounded", "off"])
async def test_the_host_bounds_the_relay_or_switches_it_off(
    tmp_path: Path, *, is_on: bool, people: Any
) -> None:
    more = ["--limit", "relay_pair_bytes=100000"] if is_on else ["--relay", "off"]
    with TrackerProcess(tmp_path / "home", *WIDE, *more) as tracker:
        alice, bob = await people(2, tracker.address)
        async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
            await befriend(a, alice, b, bob)

            def ask(request: Any) -> AskRelay:
                return AskRelay(request, bob.name, bob.keys.device, PEER)

            if is_on:
                mine, theirs = await meet(a, b, alice, bob)
                one = await Half.dial(tracker.address, mine)
                other = await Half.dial(tracker.address, theirs)
                one.writer.write(bytes(200_000))
                assert len(await other.rest()) < 200_000
                assert await one.rest() == b""
            assert await refusal(a.ask(ask)) is (Code.RELAY_LIMIT if is_on else Code.RELAY_OFF)
