"""What broken and hostile records get on open links with a tracker and with a node.

As in `test_bad_knocks`: one code, one line of the log, and somebody else is served.
"""

from __future__ import annotations

import gzip
import random
import socket
import struct
import time
from collections.abc import Callable

import pytest

from tests.fuzz.mutation import mutate_message
from tests.fuzz.seeds import records
from tests.harness.doors import NAMES, Door, ends_with, framed, length
from tests.independent.link import Ended, Link
from tests.independent.msgpack import pack
from wire import limits
from wire.messages import Purpose

MIB = 1024 * 1024
both = pytest.mark.parametrize("name", NAMES)


# --- on an open link


PING, CLOSE = b"\x80\x05", b"\x80\x04"
DEEP = b"\x91" * 10_000
RECORDS: dict[str, tuple[bytes, str]] = {
    "22 unknown and critical": (b"\xff\xee\x90", "unknown-critical"),
    "no number": (b"\x80", "decode"),
    "no body": (PING, "decode"),
    "25 10,000 deep": (PING + DEEP, "decode-depth"),
    "26 a map": (PING + b"\x81\xa1a\x01", "decode-keys"),
    "26 a map with many keys": (
        PING
        + b"\xdf\x00\x00\x75\x30"
        + b"".join(b"\xcd" + n.to_bytes(2, "big") + b"\x00" for n in range(30_000)),
        "decode-keys",
    ),
    "26 a map inside": (PING + b"\x91\x81\x01\x02", "decode-keys"),
    "27 no UTF-8": (CLOSE + b"\x92\xa2\xff\xfe\xa0", "text-invalid"),
    "27 half a surrogate pair": (CLOSE + b"\x92\xa3\xed\xa0\x80\xa0", "text-invalid"),
    "27 overlong": (CLOSE + b"\x92\xa2\xc0\xaf\xa0", "text-invalid"),
    "28 NaN": (PING + b"\x91\xcb\x7f\xf8" + bytes(6), "number-invalid"),
    "28 infinity": (PING + b"\x91\xcb\x7f\xf0" + bytes(6), "number-invalid"),
    "28 minus zero": (PING + b"\x91\xcb\x80" + bytes(7), "number-invalid"),
    "29 true": (PING + pack([True]), "type-mismatch"),
    "29 a text": (PING + pack(["5"]), "type-mismatch"),
    "29 a fraction": (PING + b"\x91\xcb" + struct.pack(">d", 5.0), "type-mismatch"),
    "30 2^63": (PING + b"\x91\xcf" + (2**63).to_bytes(8, "big"), "number-range"),
    "30 -1": (PING + b"\x91\xff", "number-range"),
    "31 a field is missing": (PING + b"\x90", "field-missing"),
    "31 nothing": (PING + b"\x91\xc0", "field-missing"),
    "a text without end": (CLOSE + b"\x92\xdb\xff\xff\xff\xff", "decode"),
    "an array without end": (PING + b"\xdd\xff\xff\xff\xff", "decode"),
    "a text too long": (CLOSE + b"\x92\xa1x\xda\x00\xc9" + b"x" * 201, "length-range"),
    "32 a byte behind": (PING + b"\x91\x01\x00", "trailing-bytes"),
    # nothing is ever inflated: the first byte is a small number, and what follows is behind the value
    "33 gzip": (PING + gzip.compress(bytes(2**20)), "trailing-bytes"),
    "33 zstd": (PING + b"\x28\xb5\x2f\xfd" + bytes(60), "trailing-bytes"),
}


@both
@pytest.mark.parametrize("row", RECORDS)
def test_a_record_that_does_not_decode_ends_the_link_with_its_code(door: Door, row: str) -> None:
    record, code = RECORDS[row]
    before = door.look()
    port, end = ends_with(door.link(), record)
    assert end.code == code
    assert len(end.text) <= 200
    door.weathered(port, code, before)


@both
def test_22_and_31_what_may_come_later_is_passed_over(door: Door) -> None:
    before = door.look()
    with door.link() as link:
        link.say_record(b"\x7f\xee\xc1")  # unknown, and nobody looks into it
        link.say("Ping", 7, "a field of tomorrow")
        assert pong_of(link) == 7
        link.end()
    door.lives_on(before)


def pong_of(link: Link) -> int:
    """Give the token of the next Pong."""
    while True:
        record = link.record()
        if record[:2] == b"\x80\x06":
            return record[-1]


def raw_end(link: Link, *pieces: bytes) -> tuple[int, Ended]:
    """Send bytes as they are on an open link; gives our port and the end."""
    port: int = link.wire.connection.getsockname()[1]
    with link:
        for piece in pieces:
            link.wire.send(piece)
        return port, link.until_end()


def flipped(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes((sealed[-1] ^ 1,))


SEALED: dict[str, Callable[[Link], list[bytes]]] = {
    "19 a bit is flipped": lambda link: [framed(flipped(link.sealer.seal(PING + b"\x91\x01")))],
    "20 a record comes twice": lambda link: [framed(link.sealer.seal(PING + b"\x91\x01"))] * 2,
    "20 a record is lost": lambda link: [
        framed(link.sealer.seal(PING + b"\x91\x01") and link.sealer.seal(PING + b"\x91\x02"))
    ],
    "noise": lambda _: [framed(b"\xa5" * 40)],
}


@both
@pytest.mark.parametrize("row", SEALED)
def test_a_record_that_does_not_verify_ends_the_link(door: Door, row: str) -> None:
    before = door.look()
    link = door.link()
    port, end = raw_end(link, *SEALED[row](link))
    assert end.code == "link-corrupt"
    door.weathered(port, "link-corrupt", before)


@both
@pytest.mark.parametrize(
    ("count", "code"),
    [
        (0, "frame-empty"),
        (16, "frame-empty"),
        (128 * 1024 + 17, "record-too-large"),
        (2**32 - 1, "record-too-large"),
    ],
)
def test_21_and_23_a_length_that_cannot_be_ends_the_link_at_once(
    door: Door, count: int, code: str
) -> None:
    before = door.look()
    port, end = raw_end(door.link(), length(count), b"x" * MIB)
    assert end.code in (code, "eof")  # what we still sent may cut the last word off
    door.weathered(port, code, before)


@both
@pytest.mark.parametrize("is_reset", [False, True])
def test_34_a_link_that_breaks_in_the_middle_of_a_record_leaves_nothing_behind(
    door: Door, *, is_reset: bool
) -> None:
    before = door.look()
    for _ in range(20):
        link = door.link()
        link.wire.send(length(100_000) + b"half" * 5000)
        if is_reset:
            link.wire.connection.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
        link.wire.close()
    door.lives_on(before)


@both
def test_35_pings_are_answered_ten_a_second_and_more_are_a_flood(door: Door) -> None:
    before = door.look()
    link = door.link()
    port = link.wire.connection.getsockname()[1]
    answered, began = 0, time.monotonic()
    with link:
        link.wire.send(b"".join(framed(link.sealer.seal(PING + pack([n]))) for n in range(2000)))
        try:
            while True:
                record = link.record()
                answered += record[:2] == b"\x80\x06"
                if record[:2] == CLOSE:
                    assert b"flood" in record
        except Ended:
            pass
    took_s = time.monotonic() - began
    assert answered <= limits.PINGS_PER_S * (took_s + 2) + 1  # of the seconds that began meanwhile
    door.weathered(port, "flood", before)


@both
def test_38_what_comes_behind_a_close_is_ignored(door: Door) -> None:
    before = door.look()
    link = door.link()
    link.say("Close", "goodbye", "")
    port, end = raw_end(link, b"\xa5" * 1000)
    assert end.code == "eof"
    assert door.refusals(port, before) == []
    door.lives_on(before)


@both
def test_whatever_is_said_ends_a_link_at_most(door: Door) -> None:
    """Messages of all kinds, most of them changed somewhere; the fuzzer does the same a million times."""
    dice = random.Random(door.purpose)
    pool = records(Purpose.TRACKER if door.purpose == "tracker" else Purpose.PEER, 2)
    before = door.look()
    for _ in range(30):
        with door.link() as link:
            for _ in range(30):
                said = mutate_message(dice.choice(pool), dice, dice.choice(pool))
                if 0 < len(said) < 100_000:
                    link.say_record(said)
            link.say("Close", "goodbye", "")
            link.until_end()
    door.lives_on(before)
