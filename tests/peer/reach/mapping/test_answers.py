"""What is asked of a router and what its answers say, byte by byte as RFC 6886 and RFC 6887 have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peer.errors import PeerError
from peer.reach.mapping import natpmp, pcp
from tests.fuzz.routed import NONCE, natpmp_answer, pcp_answer
from wire.codes import Code


def test_natpmp_questions_stand_as_rfc_6886_draws_them() -> None:
    assert natpmp.ask_address() == bytes.fromhex("0000")
    assert natpmp.ask_map(4000, 4001, 7200) == bytes.fromhex("0002 0000 0fa0 0fa1 00001c20")
    assert natpmp.ask_map(4000, 0, 0) == bytes.fromhex("0002 0000 0fa0 0000 00000000")


def test_a_pcp_question_stands_as_rfc_6887_draws_it() -> None:
    asked = pcp.ask_map("192.168.1.2", NONCE, 4000, ("8.8.8.8", 4001), 7200)
    assert asked.hex(" ", -4) == (
        "02010000 00001c20 00000000 00000000 0000ffff c0a80102"
        " 00010203 04050607 08090a0b 06000000 0fa00fa1 00000000 00000000 0000ffff 08080808"
    )
    assert pcp.ask_map("192.168.1.2", NONCE, 4000, None, 0)[42:44] == bytes(2)


def test_what_was_granted_is_read() -> None:
    assert natpmp.read_address(natpmp_answer(0, bytes((8, 8, 4, 4)))) == "8.8.4.4"
    granted = natpmp_answer(2, bytes.fromhex("0fa0 0fa1 00001c20"))
    assert natpmp.read_map(granted, 4000) == (4001, 7200)
    assert natpmp.read_map(natpmp_answer(2, bytes.fromhex("0fa0 0000 00000000")), 4000) == (0, 0)
    assert pcp.read_map(pcp_answer(), NONCE, 4000) == pcp.Mapped("8.8.8.8", 4001, 7200)
    assert (
        pcp.read_map(pcp_answer() + bytes(8), NONCE, 4000).port == 4001
    )  # an option we do not know


@pytest.mark.parametrize(
    ("answer", "read", "code"),
    [
        (b"", natpmp.read_address, Code.ROUTER_INVALID),
        (b"\0\x80\0\0", natpmp.read_address, Code.ROUTER_INVALID),
        (b"HTTP/1.1 400 Bad Request", natpmp.read_address, Code.ROUTER_INVALID),
        (natpmp_answer(0, bytes(4), result=2), natpmp.read_address, Code.ROUTER_REFUSED),
        (natpmp_answer(0, bytes(4), result=999), natpmp.read_address, Code.ROUTER_REFUSED),
        (natpmp_answer(0, bytes(5)), natpmp.read_address, Code.ROUTER_INVALID),
        (
            natpmp_answer(2, bytes.fromhex("0fa1 0fa1 00001c20")),
            lambda data: natpmp.read_map(data, 4000),
            Code.ROUTER_INVALID,
        ),
        (
            natpmp_answer(2, bytes.fromhex("0fa0 0000 00001c20")),
            lambda data: natpmp.read_map(data, 4000),
            Code.ROUTER_INVALID,
        ),
        *(
            (answer, lambda data: pcp.read_map(data, NONCE, 4000), code)
            for answer, code in (
                (b"", Code.ROUTER_INVALID),
                (pcp_answer()[:59], Code.ROUTER_INVALID),
                (b"\3" + pcp_answer()[1:], Code.ROUTER_INVALID),
                (b"\2\1" + pcp_answer()[2:], Code.ROUTER_INVALID),
                (pcp_answer(bytes(12)), Code.ROUTER_INVALID),
                (pcp_answer(inside=4002), Code.ROUTER_INVALID),
                (pcp_answer(outside=0), Code.ROUTER_INVALID),
                (pcp_answer(result=8), Code.ROUTER_REFUSED),
                (pcp_answer(result=200), Code.ROUTER_REFUSED),
            )
        ),
    ],
)
def test_a_no_and_an_answer_without_sense_are_errors_with_a_name(
    answer: bytes, read: Callable[[bytes], Any], code: Code
) -> None:
    with pytest.raises(PeerError) as caught:
        read(answer)
    assert caught.value.code is code
    assert caught.value.remedy


def test_an_address_of_ipv6_is_no_place_outside_for_ipv4() -> None:
    strange = pcp_answer()[:-16] + bytes.fromhex("20010db8000000000000000000000001")
    with pytest.raises(PeerError) as caught:
        pcp.read_map(strange, NONCE, 4000)
    assert caught.value.code is Code.ROUTER_INVALID


def test_a_router_that_knows_the_older_protocol_alone_is_told_apart() -> None:
    with pytest.raises(pcp.OlderRouter):
        pcp.read_map(natpmp_answer(1, b"", result=1), NONCE, 4000)
