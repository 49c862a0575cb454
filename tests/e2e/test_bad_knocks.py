"""What broken and hostile bytes get at the ports of a tracker and of a node, before a link is open.

Each case says what comes back, what the log says, and then the program has to serve somebody else; the numbers
are those of the rows in the list of bad inputs.
"""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.harness.doors import NAMES, Door, Knock, framed, length
from tests.independent.link import preamble
from tests.independent.noise import Handshake

MIB = 1024 * 1024
both = pytest.mark.parametrize("name", NAMES)


# --- before the handshake


@dataclass(frozen=True)
class Case:
    """Bytes, after the preamble of the door if it `is_ours`; the code in the log, and in clear (`` for none)."""

    row: str
    pieces: tuple[bytes, ...]
    code: str
    answer: str = ""
    is_ours: bool = True


STRANGERS = {
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "HTTP POST": b"POST /login HTTP/1.1\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 200,
    "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
    "noise": b"\xa5" * 100,
    "one strange byte": b"X",
}
LOW_ORDER = {
    "zeros": bytes(32),
    "one": b"\x01" + bytes(31),
    "order 8": bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    "p": bytes.fromhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
}
KNOCKS = [
    Case("3 empty", (length(0),), "frame-empty"),
    Case("3 a tag over nothing", (length(16) + bytes(16),), "frame-empty"),
    Case("4 one past the bound", (length(2049),), "frame-too-large-before-auth"),
    Case("4 65,535", (length(65_535), b"x" * 65_535), "frame-too-large-before-auth"),
    Case("4 4 GiB", (length(2**32 - 1), b"x" * MIB), "frame-too-large-before-auth"),
    Case("5 noise", (b"\xa5" * MIB,) * 4, "not-our-protocol", is_ours=False),
    Case("5 noise behind a preamble", (b"\xa5" * MIB,) * 4, "frame-too-large-before-auth"),
    *(
        Case(f"6, 7 {name}", (start,), "not-our-protocol", is_ours=False)
        for name, start in STRANGERS.items()
    ),
    *(
        Case(
            f"8 version {version}",
            (b"HBNB" + bytes((version, 1, 1, 0)),),
            "version-unsupported",
            "version-unsupported",
            is_ours=False,
        )
        for version in (0, 2, 255)
    ),
    *(
        Case(
            f"9 {what}",
            (b"HBNB\x01" + bytes(rest),),
            "suite-unknown",
            "suite-unknown",
            is_ours=False,
        )
        for what, rest in {
            "suite 0": (0, 1, 0),
            "suite 99": (99, 1, 0),
            "purpose 0": (1, 0, 0),
            "purpose 7": (1, 7, 0),
            "last byte": (1, 1, 1),
        }.items()
    ),
    *(
        Case(f"11 {what}", (framed(point + bytes(1200)),), "handshake-failed", "handshake-failed")
        for what, point in LOW_ORDER.items()
    ),
    Case("a message cut short", (framed(b"x" * 17),), "handshake-failed", "handshake-failed"),
    Case("a message of noise", (framed(b"\xff" * 1232),), "handshake-failed", "handshake-failed"),
]


@both
@pytest.mark.parametrize("case", KNOCKS, ids=lambda case: case.row)
def test_who_knocks_with_nonsense_is_refused_at_the_first_bytes(door: Door, case: Case) -> None:
    before = door.look()
    start = (preamble(door.purpose),) if case.is_ours else ()
    with door.knock() as knock:
        knock.send(*start, *case.pieces)
        assert knock.answer() == case.answer
    door.weathered(knock.port, case.code, before)


@pytest.mark.parametrize(
    ("name", "purpose"),
    [("tracker", 2), ("tracker", 3), ("peer", 1), ("peer", 4), ("peer", 5), ("peer", 6)],
)
def test_9_a_purpose_of_the_other_program_is_refused(door: Door, purpose: int) -> None:
    before = door.look()
    with door.knock() as knock:
        knock.send(b"HBNB\x01\x01" + bytes((purpose, 0)))
        assert knock.answer() == "suite-unknown"
    door.weathered(knock.port, "suite-unknown", before)


def test_1_and_2_who_says_nothing_or_little_has_ten_seconds_in_all(doors: dict[str, Door]) -> None:
    """Silence, a byte now and then, a preamble, half a message: all at once, at both ports."""
    starts = {"silence": b"", "a byte": b"H", "a preamble": None, "half a message": b""}
    before = {name: door.look() for name, door in doors.items()}
    knocks: dict[Knock, bytes] = {}
    for door in doors.values():
        whole = preamble(door.purpose)
        for what, start in starts.items():
            knock = door.knock()
            knocks[knock] = b"BNB" if what == "a byte" else b""
            first = whole if start is None else start
            knock.send(first or (whole + length(1232) + b"half" if "half" in what else b""))
    waiting = {knock.socket: knock for knock in knocks}
    while waiting:
        ready, _, _ = select.select(list(waiting), [], [], 4.0)
        for one in ready:
            assert waiting.pop(one).rest() == b""
        if not ready:  # four seconds have passed: the next byte of who trickles
            for knock, drip in knocks.items():
                knock.send(drip[:1])
                knocks[knock] = drip[1:]
    for name, door in doors.items():
        door.lives_on(before[name])  # first: then the lines are written
    for knock in knocks:
        assert knock.door.refusals(knock.port, before[knock.door.name]) == ["handshake-timeout"]
        knock.socket.close()


# --- in the handshake


def with_kem_key(knock: Knock, shake: Handshake, key: bytes) -> None:
    """Say a well sealed message 1 that brings this encapsulation key."""
    message = shake._write_ephemeral()
    shake._mix_key(_dh(shake, knock.door.key))
    knock.send(preamble(knock.door.purpose), framed(message + shake._seal(key)))


def _dh(shake: Handshake, public: bytes) -> bytes:
    from tests.independent.noise import dh

    return dh(shake.dice.ephemeral, public)


def kem_short(knock: Knock, shake: Handshake) -> None:
    with_kem_key(knock, shake, shake.kem.public_key().public_bytes_raw()[:-1])


def kem_long(knock: Knock, shake: Handshake) -> None:
    with_kem_key(knock, shake, shake.kem.public_key().public_bytes_raw() + b"x")


def kem_not_reduced(knock: Knock, shake: Handshake) -> None:
    with_kem_key(knock, shake, b"\xff" * 3 + shake.kem.public_key().public_bytes_raw()[3:])


def reflected(knock: Knock, shake: Handshake) -> None:
    knock.wire.send_frame(knock.begin(shake))


def own_first_message_again(knock: Knock, shake: Handshake) -> None:
    first = shake.write_1()
    knock.send(preamble(knock.door.purpose), framed(first))
    knock.wire.read_frame(2048)
    knock.wire.send_frame(first)


def corrupt_ciphertext(knock: Knock, shake: Handshake) -> None:
    """ML-KEM rejects implicitly: we go on with another secret, which shows at message 3."""
    shake.read_2(knock.begin(shake))
    shake.psk = os.urandom(32)
    knock.wire.send_frame(shake.write_3())


def third_of_another_session(knock: Knock, shake: Handshake) -> None:
    with knock.door.knock() as other:
        elsewhere = other.shake()
        elsewhere.read_2(other.begin(elsewhere))
        third = elsewhere.write_3()
    knock.begin(shake)
    knock.wire.send_frame(third)


def record_before_the_end(knock: Knock, shake: Handshake) -> None:
    knock.begin(shake)
    knock.wire.send_frame(b"\xa5" * 64)


def third_with_more(knock: Knock, shake: Handshake) -> None:
    shake.read_2(knock.begin(shake))
    knock.wire.send_frame(shake.write_3() + b"more")


SHAKES = {
    "10 its own message comes back": reflected,
    "10 the first message comes twice": own_first_message_again,
    "12 a key of 1,183 bytes": kem_short,
    "12 a key of 1,185 bytes": kem_long,
    "12 a coefficient that is not reduced": kem_not_reduced,
    "13 a secret of another ciphertext": corrupt_ciphertext,
    "14 the third message of another session": third_of_another_session,
    "18 a record instead of the third message": record_before_the_end,
    "a third message with more behind it": third_with_more,
}


@both
@pytest.mark.parametrize("row", SHAKES)
def test_a_handshake_that_does_not_verify_fails_closed(door: Door, row: str) -> None:
    before = door.look()
    play: Callable[[Knock, Handshake], None] = SHAKES[row]
    with door.knock() as knock:
        play(knock, knock.shake())
        assert knock.answer() == "handshake-failed"
    door.weathered(knock.port, "handshake-failed", before)


@both
def test_a_hello_beyond_its_bound_is_refused_by_its_length(door: Door) -> None:
    before = door.look()
    with door.knock() as knock:
        shake = knock.shake()
        shake.read_2(knock.begin(shake))
        knock.wire.send_frame(shake.write_3())
        knock.send(length(8 * 1024 + 17))
        knock.rest()
    door.weathered(knock.port, "frame-too-large-before-auth", before)


# --- many of them


def test_only_so_many_of_one_address_stand_at_a_nodes_door(doors: dict[str, Door]) -> None:
    """Who is turned away leaves nothing behind (what was made for each was kept once, for ever)."""
    door = doors["peer"]
    knocks = [door.knock() for _ in range(16)]
    for knock in knocks:
        knock.send(b"HBNB")
    turned_away(door, 100, while_there=knocks)
    before = door.note()
    ports = turned_away(door, 1000, while_there=knocks)
    assert door.memory_bytes - before.memory_bytes < 2 * MIB
    door.flooded()
    for knock in knocks:
        knock.socket.close()
    door.is_well()
    told = [code for port in ports for code in door.refusals(port, before)]
    assert set(told) <= {"too-many-connections"}
    assert len(told) < 500  # 20 a second; the rest is only counted


def turned_away(door: Door, count: int, *, while_there: list[Knock]) -> list[int]:
    """Knock where there is no place left, as long as all of those stand there; gives our ports.

    They stand for ten seconds, in which a busy machine does not come to all of the others.
    """
    ports: list[int] = []
    standing = [knock.socket for knock in while_there]
    while len(ports) < count:
        with door.knock() as knock:
            assert knock.rest() == b""
            if select.select(standing, [], [], 0)[0]:
                break
            ports.append(knock.port)
    assert ports
    return ports


@both
def test_a_thousand_who_are_refused_leave_no_memory_behind(door: Door) -> None:
    """Each costs a line at most, and all together next to nothing (a pump was kept for each of them once)."""
    for _ in range(50):
        with door.knock() as knock:
            knock.send(b"X")
            knock.rest()
    before = door.look()
    for _ in range(1000):
        with door.knock() as knock:
            knock.send(b"X")
            knock.rest()
    assert door.memory_bytes - before.memory_bytes < 2 * MIB
    door.flooded()
    door.is_well()
