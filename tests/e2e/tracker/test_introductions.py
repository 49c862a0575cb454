"""Probes, introductions and dialling back over a real tracker's ports."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from tests.harness.guest import befriend, come, refusal
from tests.harness.trackers import TrackerProcess
from wire import frames, limits
from wire.address import TrackerAddress
from wire.codes import Code
from wire.messages import Purpose
from wire.messages.reach import (
    AskDialBack,
    AskProbe,
    AskPunch,
    DialledBack,
    Probe,
    Punch,
    PunchGo,
    PunchOffered,
)

PEER = int(Purpose.PEER)
NONCE = bytes(range(16))


async def probe(
    host: str, port: int, ticket: bytes
) -> tuple[tuple[str, int], asyncio.StreamWriter]:
    """Show a ticket at a port; gives where the tracker sees it come from."""
    _, writer = await asyncio.open_connection(host, port)
    writer.write(frames.preamble(Purpose.PROBE) + ticket)
    await writer.drain()
    return writer.get_extra_info("sockname")[:2], writer


async def hang_up(*writers: asyncio.StreamWriter) -> None:
    for writer in writers:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_two_who_probed_hear_of_each_other_and_one_alone_of_itself(
    tracker: TrackerProcess, people: Any
) -> None:
    place = TrackerAddress.parse(tracker.address)
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a, await come(tracker.address, bob) as b:
        await befriend(a, alice, b, bob)
        asked = await a.ask(lambda request: AskPunch(request, bob.name, bob.keys.device, PEER))
        assert isinstance(asked, Punch)
        offered = await b.hears(PunchOffered)
        assert (offered.name, offered.device) == (alice.name, alice.keys.device)
        hers, one = await probe(place.host, place.port, asked.ticket)
        his, other = await probe(place.host, place.port, offered.ticket)
        assert await a.hears(PunchGo) == PunchGo(asked.ticket, *his)
        assert await b.hears(PunchGo) == PunchGo(offered.ticket, *hers)
        alone = await a.ask(AskProbe)
        assert isinstance(alone, Probe)
        assert alone.second_port != place.port
        second, third = await probe(place.host, alone.second_port, alone.ticket)
        first, fourth = await probe(place.host, place.port, alone.ticket)
        assert first != second
        assert await a.hears(PunchGo) == PunchGo(alone.ticket, "", 0)
        await hang_up(one, other, third, fourth)


async def test_a_made_up_ticket_and_anything_else_at_the_second_port_are_refused(
    tracker: TrackerProcess, people: Any
) -> None:
    place = TrackerAddress.parse(tracker.address)
    (alice,) = await people(1)
    async with await come(tracker.address, alice) as a:
        asked = await a.ask(AskProbe)
        assert isinstance(asked, Probe)
    for port, purpose, code in (
        (place.port, Purpose.PROBE, Code.HANDSHAKE_FAILED),
        (asked.second_port, Purpose.PROBE, Code.HANDSHAKE_FAILED),
        (asked.second_port, Purpose.TRACKER, Code.SUITE_UNKNOWN),
        (asked.second_port, Purpose.KEY, Code.SUITE_UNKNOWN),
        (asked.second_port, Purpose.RELAY, Code.SUITE_UNKNOWN),
    ):
        reader, writer = await asyncio.open_connection(place.host, port)
        writer.write(frames.preamble(purpose) + bytes(limits.TICKET_BYTES))
        async with asyncio.timeout(60):
            assert await reader.read(-1) == frames.clear_refusal(code)
        await hang_up(writer)


async def test_a_tracker_dials_back_the_address_that_asks_and_not_too_often(
    tracker: TrackerProcess, people: Any
) -> None:
    (alice,) = await people(1)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait(await reader.read(-1))
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with await come(tracker.address, alice) as a:

        def ask(request: Any) -> AskDialBack:
            return AskDialBack(request, port, NONCE)

        answer = await a.ask(ask)
        assert isinstance(answer, DialledBack)
        assert answer.is_reached
        async with asyncio.timeout(60):
            assert await heard.get() == frames.preamble(Purpose.PROBE) + NONCE
        server.close()
        await server.wait_closed()
        answer = await a.ask(ask)
        assert isinstance(answer, DialledBack)
        assert not answer.is_reached
        for _ in range(limits.DIAL_BACKS - 2):
            await a.ask(ask)
        assert await refusal(a.ask(ask)) is Code.FLOOD
