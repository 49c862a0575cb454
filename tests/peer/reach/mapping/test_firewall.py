"""A hole in a firewall of IPv6, with a router played by a socket on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from peer.reach.mapping import pcp
from peer.reach.mapping.firewall import Firewalls
from peer.reach.mapping.gateway import default_gateway_ipv6
from peer.reach.mapping.keeper import PortMapping
from tests.fuzz.routed import NONCE, natpmp_answer, pcp_answer
from tests.harness.entropy import SeededEntropy
from tests.peer.reach.mapping.test_keeper import Around, Router
from wire.codes import Code

OURS = "::1"
OTHER = IPv6Address("2a01::7").packed


class NextDoor(Firewalls):
    """A router at this machine's own loopback, and no other address than that."""

    def router(self) -> str | None:
        return OURS

    def own_address(self) -> str | None:
        return OURS


def grants(question: bytes, host: bytes = IPv6Address(OURS).packed, outside: int = 4000) -> bytes:
    lifetime_s = int.from_bytes(question[4:8], "big")
    return pcp_answer(question[24:36], host=host, outside=outside, lifetime_s=lifetime_s)


async def kept(reply: Callable[[bytes], list[bytes]]) -> tuple[PortMapping, Router]:
    """Ask such a router once, and give back what it grants."""
    loop = asyncio.get_running_loop()
    transport, there = await loop.create_datagram_endpoint(
        lambda: Router(reply), local_addr=(OURS, 0)
    )
    keeper = PortMapping(
        NextDoor(SeededEntropy(1), there.port),
        Around(),
        is_wanted=lambda: True,
        on_change=lambda: None,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(keeper.run(4000))
        await asyncio.sleep(0)
        async with asyncio.timeout(90):
            await keeper.has_tried.wait()
        task.cancel()
    transport.close()
    return keeper, there


def test_a_question_for_ipv6_stands_as_rfc_6887_draws_it() -> None:
    asked = pcp.ask_map("2a01::2", NONCE, 4000, ("2a01::2", 4000), 7200)
    assert asked.hex(" ", -4) == (
        "02010000 00001c20 2a010000 00000000 00000000 00000002"
        " 00010203 04050607 08090a0b 06000000 0fa00fa0 2a010000 00000000 00000000 00000002"
    )
    assert pcp.ask_map("2a01::2", NONCE, 4000, None, 0)[44:] == bytes(16)
    answer = pcp_answer(host=OTHER, outside=4000)
    assert pcp.read_map(answer, NONCE, 4000, is_ipv6=True) == pcp.Mapped("2a01::7", 4000, 7200)


async def test_a_hole_is_asked_for_at_our_own_place() -> None:
    keeper, there = await kept(lambda question: [grants(question)])
    assert keeper.place == (OURS, 4000)
    (question,) = there.asked
    assert question[8:24] == question[44:60] == IPv6Address(OURS).packed
    assert question[40:44] == (4000).to_bytes(2, "big") * 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda question: grants(question, OTHER), Code.ROUTER_REFUSED),
        (lambda question: grants(question, outside=4001), Code.ROUTER_REFUSED),
        (lambda question: grants(question, bytes((8, 8, 8, 8))), Code.ROUTER_INVALID),
        (lambda _: natpmp_answer(1, b"", result=1), Code.ROUTER_REFUSED),
        (lambda _: pcp_answer(result=12), Code.ROUTER_REFUSED),
        (lambda _: b"nonsense", Code.ROUTER_INVALID),
    ],
)
async def test_what_is_no_such_hole_is_named_and_given_back(
    answer: Callable[[bytes], bytes], code: Code
) -> None:
    keeper, _ = await kept(lambda question: [answer(question)])
    assert keeper.place is None
    assert keeper.failure is not None
    assert keeper.failure.code is code


async def test_who_has_no_way_out_asks_nobody() -> None:
    class Alone(NextDoor):
        def router(self) -> str | None:
            return None

    assert Alone(SeededEntropy(1)).find() == ("this machine has no way out by IPv6", "", "")


def test_the_router_is_read_from_the_system_table(tmp_path: Path) -> None:
    nowhere, far = "0" * 32, f"{IPv6Address('fe80::1').packed.hex()}"
    table = tmp_path / "ipv6_route"
    table.write_text(
        f"{nowhere} 00 {nowhere} 00 {far} 00000400 00000003 00000000 00000003     eth1\n"
        f"{nowhere} 00 {nowhere} 00 {OTHER.hex()} 00000100 00000003 00000000 00000003     eth0\n"
        f"{nowhere} 00 {nowhere} 00 {nowhere} 00000001 00000003 00000000 00200200       lo\n"
        f"{OTHER.hex()} 40 {nowhere} 00 {far} 00000001 00000003 00000000 00000003     eth0\n"
        "rubbish\n\xff\n"
    )
    assert default_gateway_ipv6(table) == "2a01::7"
    table.write_text(
        f"{nowhere} 00 {nowhere} 00 {far} 00000400 00000003 00000000 00000003     eth1\n"
    )
    assert default_gateway_ipv6(table) == "fe80::1%eth1"
    assert default_gateway_ipv6(tmp_path / "missing") is None
