"""Keeping a port mapped, with a router played by a socket on this machine; and what a bad one comes to."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from peer.errors import PeerError
from peer.reach.mapping import natpmp, pcp, upnp
from peer.reach.mapping.asking import ask
from peer.reach.mapping.gateway import default_gateway
from peer.reach.mapping.keeper import PortMapping, Routers
from peer.reach.mapping.lease import Lease
from tests.fuzz.routed import natpmp_answer, pcp_answer
from tests.harness.entropy import SeededEntropy
from wire.codes import Code

HOME = "192.168.1.2"


class Router(asyncio.DatagramProtocol):
    """Answers each question with what `reply` makes of it; keeps the questions."""

    def __init__(self, reply: Callable[[bytes], list[bytes]]) -> None:
        self.reply = reply
        self.asked: list[bytes] = []
        self.news = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked.append(data)
        for answer in self.reply(data):
            self.transport.sendto(answer, addr)
        self.news.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(90):
            while len(self.asked) < count:
                self.news.clear()
                await self.news.wait()


@asynccontextmanager
async def router(reply: Callable[[bytes], list[bytes]]) -> AsyncIterator[Router]:
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(
        lambda: Router(reply), local_addr=("127.0.0.1", 0)
    )
    yield made
    transport.close()


def grants_pcp(question: bytes, lifetime_s: int = 7200) -> list[bytes]:
    asked_s = int.from_bytes(question[4:8], "big")
    inside = int.from_bytes(question[40:42], "big")
    return [
        pcp_answer(question[24:36], inside=inside, lifetime_s=min(asked_s, lifetime_s)),
    ]


def grants_natpmp(question: bytes) -> list[bytes]:
    if question[0] != 0:
        return [natpmp_answer(question[1] & 127, b"", result=1)]
    if question[1] == 0:
        return [natpmp_answer(0, bytes((8, 8, 8, 8)))]
    inside, lifetime = question[4:6], question[8:12]
    outside = (4001).to_bytes(2, "big") if any(lifetime) else bytes(2)
    return [natpmp_answer(2, inside + outside + lifetime)]


@dataclass
class Around:
    own_host: str = HOME
    observed_host: str = "8.8.8.8"
    is_loopback: bool = False


class NextDoor(Routers):
    """A router at this machine's own loopback; there is no other way out."""

    def router(self) -> str | None:
        return "127.0.0.1"

    def own_address(self, router: str) -> str | None:
        return HOME

    async def _by_upnp(self, own_host: str, inside: int, before: Lease | None) -> Lease:
        raise PeerError(Code.NO_ROUTER, "no router answers by UPnP")


class Kept:
    """A port mapping under way, and how often it said that the place is another."""

    def __init__(self, port: int, around: Around | None = None) -> None:
        self.is_wanted = True
        self.around = around or Around()
        self.changes = 0
        self.news = asyncio.Event()
        self.mapping = PortMapping(
            NextDoor(SeededEntropy(1), port),
            self.around,
            is_wanted=lambda: self.is_wanted,
            on_change=self._changed,
        )

    def _changed(self) -> None:
        self.changes += 1
        self.news.set()

    async def changed(self, count: int) -> None:
        async with asyncio.timeout(90):
            while self.changes < count:
                self.news.clear()
                await self.news.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[PortMapping]:
        async with asyncio.TaskGroup() as group:
            assert self.mapping.has_tried.is_set()  # nobody waits for what does not run
            task = group.create_task(self.mapping.run(4000))
            await asyncio.sleep(0)
            async with asyncio.timeout(90):
                await self.mapping.has_tried.wait()
            yield self.mapping
            task.cancel()


@pytest.mark.parametrize(("reply", "by"), [(grants_pcp, pcp.BY), (grants_natpmp, natpmp.BY)])
async def test_a_port_is_mapped_told_and_taken_back(
    reply: Callable[[bytes], list[bytes]], by: str
) -> None:
    async with router(reply) as there:
        kept = Kept(there.port)
        async with kept.running() as mapping:
            assert mapping.lease is not None
            assert (mapping.lease.by, mapping.place) == (by, ("8.8.8.8", 4001))
            assert kept.changes == 1
        before = len(there.asked)
        await mapping.take_back()
        assert mapping.place is None
        (last,) = set(there.asked[before:])  # it is asked again where an answer takes long
        assert last[4:8] == bytes(4) if by == pcp.BY else last[8:12] == bytes(4)
        before = len(there.asked)
        await mapping.take_back()
        assert len(there.asked) == before


async def test_a_mapping_is_renewed_under_the_same_nonce_and_for_the_same_place() -> None:
    async with router(lambda question: grants_pcp(question, 120)) as there:
        kept = Kept(there.port)
        async with kept.running() as mapping:
            mapping.look()
            await there.until(2)
            first, *_, again = there.asked
            assert first[24:36] == again[24:36]
            assert again[42:44] == (4001).to_bytes(2, "big")
            assert kept.changes == 1


async def test_a_renewal_that_fails_leaves_what_was_granted_for_as_long_as_it_lasts() -> None:
    async with router(grants_pcp) as there:
        kept = Kept(there.port)
        async with kept.running() as mapping:
            there.reply = lambda _: [pcp_answer(result=8)]
            mapping.look()
            await there.until(2)
            assert (mapping.place, kept.changes) == (("8.8.8.8", 4001), 1)


async def test_what_is_switched_off_is_taken_back_and_said() -> None:
    async with router(grants_pcp) as there:
        kept = Kept(there.port)
        async with kept.running() as mapping:
            kept.is_wanted = False
            mapping.look()
            await kept.changed(2)
            assert (mapping.place, mapping.failure) == (None, None)
            assert mapping.why_not == "switched off by port-mapping"
            assert there.asked[-1][4:8] == bytes(4)


@pytest.mark.parametrize(
    ("around", "why"),
    [
        (Around(own_host=""), "the tracker link does not run yet"),
        (Around(is_loopback=True), "the tracker runs on this machine"),
    ],
)
async def test_no_router_is_asked_where_nobody_would_learn_of_it(around: Around, why: str) -> None:
    async with router(grants_pcp) as there, Kept(there.port, around).running() as mapping:
        assert (mapping.why_not, mapping.place, there.asked) == (why, None, [])


@pytest.mark.parametrize(
    ("answer", "observed", "words"),
    [
        (bytes((192, 168, 0, 7)), "8.8.8.8", "none of the Internet"),
        (bytes((8, 8, 4, 4)), "8.8.8.8", "the tracker sees 8.8.8.8"),
    ],
)
async def test_a_place_where_nobody_sees_us_is_given_back(
    answer: bytes, observed: str, words: str
) -> None:
    def reply(question: bytes) -> list[bytes]:
        lifetime_s = int.from_bytes(question[4:8], "big")
        return [pcp_answer(question[24:36], host=answer, lifetime_s=lifetime_s)]

    async with router(reply) as there:
        kept = Kept(there.port, Around(observed_host=observed))
        async with kept.running() as mapping:
            assert (mapping.place, kept.changes) == (None, 0)
            assert mapping.failure is not None
            assert mapping.failure.code is Code.ROUTER_REFUSED
            assert words in mapping.failure.message
            assert there.asked[-1][4:8] == bytes(4)


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([b"\xff" * 2000], Code.ROUTER_INVALID),
        ([b"?"], Code.ROUTER_INVALID),
        ([b"nonsense"] * 40, Code.ROUTER_INVALID),
        ([pcp_answer(result=2)], Code.ROUTER_REFUSED),
        ([], Code.NO_ROUTER),
    ],
)
async def test_a_router_that_answers_nonsense_is_named_and_costs_one_question(
    replies: list[bytes], code: Code
) -> None:
    async with router(lambda _: replies) as there, Kept(there.port).running() as mapping:
        assert mapping.place is None
        assert mapping.failure is not None
        assert mapping.failure.code is code
        assert len(there.asked) <= 4


async def test_a_closed_door_is_no_router() -> None:
    async with router(grants_pcp) as there:
        port = there.port
    with pytest.raises(PeerError) as caught:
        await ask(("127.0.0.1", port), b"?", lambda data: data)
    assert caught.value.code is Code.NO_ROUTER


async def test_an_answer_behind_a_stray_one_counts() -> None:
    def reply(question: bytes) -> list[bytes]:
        return [b"stray", *grants_pcp(question)]

    async with router(reply) as there, Kept(there.port).running() as mapping:
        assert mapping.place == ("8.8.8.8", 4001)


# --- UPnP: the program in a process of its own, played by a script


def program(folder: Path, text: str) -> Path:
    path = folder / "played.py"
    path.write_text(f"import json, sys, time\nwords = sys.argv[1:]\n{text}\n")
    return path


GRANTS = (
    "print(json.dumps({'host': '8.8.8.8', 'port': int(words[3]), 'url': 'http://192.168.1.1/'}))"
)


async def test_what_upnp_grants_is_read_and_a_port_that_is_taken_is_passed_over(
    tmp_path: Path,
) -> None:
    taken = f"if words[3] == '4000': sys.exit('Exception: {upnp.TAKEN}')\n{GRANTS}"
    lease, url = await upnp.map_port(HOME, 4000, 4000, 7200, program=program(tmp_path, taken))
    assert (lease.port, lease.lifetime_s, url) == (4001, 7200, "http://192.168.1.1/")


async def test_a_router_that_maps_for_good_only_does_so(tmp_path: Path) -> None:
    for_good = f"if words[4] != '0': sys.exit('Exception: {upnp.FOR_GOOD_ONLY}')\n{GRANTS}"
    lease, _ = await upnp.map_port(HOME, 4000, 4000, 7200, program=program(tmp_path, for_good))
    assert lease.lifetime_s == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("print('{')", Code.ROUTER_INVALID),
        ("print('[' * 4000)", Code.ROUTER_INVALID),
        ("print(json.dumps({'host': 'example', 'port': 1, 'url': ''}))", Code.ROUTER_INVALID),
        ("sys.exit('Exception: No UPnP device discovered')", Code.NO_ROUTER),
        ("sys.exit('Exception: Success')", Code.NO_ROUTER),
        ("sys.exit('Exception: \\x1b[2J' + 'x' * 9000)", Code.ROUTER_REFUSED),
        (f"sys.exit('Exception: {upnp.TAKEN}')", Code.ROUTER_REFUSED),
        ("sys.exit(7)", Code.ROUTER_REFUSED),
    ],
)
async def test_upnp_that_goes_wrong_is_an_error_with_a_name(
    tmp_path: Path, text: str, code: Code
) -> None:
    with pytest.raises(PeerError) as caught:
        await upnp.map_port(HOME, 4000, 4000, 7200, program=program(tmp_path, text))
    assert caught.value.code is code
    assert len(caught.value.message) < 200
    assert caught.value.message.isprintable()


def test_the_router_is_read_from_the_system_table(tmp_path: Path) -> None:
    swap = "0101A8C0" if sys.byteorder == "little" else "C0A80101"
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
    rows = (
        "eth1\t00000000\t0201A8C0\t0003\t0\t0\t600\t00000000\t0\t0\t0\n"
        f"eth0\t00000000\t{swap}\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
        "rubbish\n\xff\n"
    )
    table = tmp_path / "route"
    table.write_text(head + rows)
    assert default_gateway(table) == "192.168.1.1"
    table.write_text(head)
    assert default_gateway(table) is None
    assert default_gateway(tmp_path / "missing") is None
