"""Marks on a local network: alike for who knows the device, another each day, noise to others."""

from __future__ import annotations

from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from wire.identity import MARK_BYTES, day_of, days_around, lan_mark, lan_open_mark
from wire.ids import DeviceId, IdentityKey
from wire.machine import UnixMillis

KEYS = st.binary(min_size=32, max_size=32).map(IdentityKey)
DEVICES = st.binary(min_size=16, max_size=16).map(DeviceId)
DAYS = st.integers(0, 2**32 - 1)
ALICE = IdentityKey(b"\xaa" * 32)
DEVICE = DeviceId(b"\x01" * 16)


def test_a_mark_is_made_as_it_is_written_down() -> None:
    day = (20_778).to_bytes(4, "big")
    said = blake3(b"hobnob/v1/lan\0" + ALICE + DEVICE + day).digest()
    assert lan_mark(ALICE, DEVICE, 20_778) == said[:16]
    said = blake3(b"hobnob/v1/lan-open\0" + ALICE + day).digest()
    assert lan_open_mark(ALICE, 20_778) == said[:16]


@given(st.tuples(KEYS, DEVICES, DAYS), st.tuples(KEYS, DEVICES, DAYS))
def test_two_marks_are_alike_only_if_all_is(
    one: tuple[IdentityKey, DeviceId, int], other: tuple[IdentityKey, DeviceId, int]
) -> None:
    assert (lan_mark(*one) == lan_mark(*other)) is (one == other)
    assert len(lan_mark(*one)) == len(lan_open_mark(one[0], one[2])) == MARK_BYTES
    assert lan_open_mark(one[0], one[2]) != lan_mark(*one)


def test_the_days_next_to_now_count_too() -> None:
    noon = UnixMillis(20_778 * 86_400_000 + 43_200_000)
    assert day_of(noon) == 20_778
    assert set(days_around(noon)) == {20_777, 20_778, 20_779}


def test_a_clock_before_1970_has_marks_all_the_same() -> None:
    assert lan_mark(ALICE, DEVICE, -3) == lan_mark(ALICE, DEVICE, 0)
