"""What people compare and copy survives copying, and typing errors are named as such."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.address import TrackerAddress
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import WireError
from wire.identity import (
    FriendCode,
    decode_friend_code,
    direct_conversation,
    encode_friend_code,
    fingerprint,
    looks_like_friend_code,
    safety_number,
)
from wire.identity.naming import CODE_PREFIX
from wire.ids import AccountName, IdentityKey, LinkKey

ALICE = IdentityKey(b"\xaa" * 32)
BOB = IdentityKey(b"\xbb" * 32)
NAME = AccountName("alice")
ADDRESS = TrackerAddress("tracker.example", 9797, LinkKey(b"\x01" * 32))
CODE = encode_friend_code(NAME, ADDRESS, ALICE)


def broken() -> pytest.RaisesExc:
    return pytest.raises(WireError, check=lambda error: error.code is Code.CODE_CHECKSUM)


def recode(body: bytes) -> str:
    """Make a code of any bytes with a checksum that fits."""
    import base64

    raw = body + sha256(body)[:4]
    return CODE_PREFIX + base64.b32encode(raw).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "address", [ADDRESS, TrackerAddress("::1", 1, LinkKey(bytes(32))), None], ids=str
)
def test_a_friend_code_says_what_was_put_in(address: TrackerAddress | None) -> None:
    code = encode_friend_code(NAME, address, ALICE)
    assert decode_friend_code(code) == FriendCode(NAME, address, ALICE)
    assert looks_like_friend_code(code)


def test_a_friend_code_survives_capitals_spaces_and_line_breaks() -> None:
    pasted = " " + CODE[:40].upper() + "\n  " + CODE[40:] + "\r\n"
    assert decode_friend_code(pasted).identity == ALICE


@given(st.integers(len(CODE_PREFIX), len(CODE) - 1), st.sampled_from("abcdefghijklmnop234567"))
def test_a_wrong_character_in_a_friend_code_is_named(index: int, letter: str) -> None:
    typed = CODE[:index] + letter + CODE[index + 1 :]
    if typed != CODE:
        with broken():
            decode_friend_code(typed)


@given(st.integers(0, len(CODE) - 1))
def test_a_friend_code_cut_short_is_named(length: int) -> None:
    with broken():
        decode_friend_code(CODE[:length])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x02\x05alice" + ALICE + b"\x00\x00",
        b"\x01\x05alice" + ALICE + b"\x00\x07" + b"k" * 7,
        b"\x01\x05al ce" + ALICE + b"\x00\x00",
        b"\x01\x05al\xffce" + ALICE + b"\x00\x00",
        b"\x01\x05alice" + ALICE + b"\x03\x00abc",
    ],
    ids=["nothing", "short", "version", "key length", "name", "not ASCII", "address"],
)
def test_nonsense_with_a_right_checksum_is_refused_all_the_same(body: bytes) -> None:
    with broken():
        decode_friend_code(recode(body))


def test_a_name_is_no_friend_code() -> None:
    assert not looks_like_friend_code("alice")
    with broken():
        decode_friend_code("alice")


def test_safety_numbers_are_alike_on_both_sides_and_for_nobody_else() -> None:
    number = safety_number(ALICE, BOB)
    assert number == safety_number(BOB, ALICE)
    assert len(number) == 60
    assert number.isdigit()
    assert number != safety_number(ALICE, IdentityKey(b"\xbc" * 32))


def test_a_conversation_belongs_to_two_people_in_either_order() -> None:
    assert direct_conversation(ALICE, BOB) == direct_conversation(BOB, ALICE)
    assert direct_conversation(ALICE, BOB) != direct_conversation(ALICE, ALICE)


def test_a_fingerprint_is_the_whole_key() -> None:
    assert fingerprint(ALICE) == "aa" * 32
