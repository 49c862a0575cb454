"""The sealed map that all devices of an account share: it opens for them alone, and means one thing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.account_state import (
    AccountState,
    Contact,
    Entry,
    ListSeen,
    ReadMarks,
    open_state,
    pages_of,
    read_contact,
    read_list_seen,
    read_marks,
    read_verified,
    seal_state,
)
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError
from wire.identity.packing import pack
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.vault import seal_box

ENTROPY = SeededEntropy(b"account state")
NAME = AccountName("alice")
KEY = b"\x05" * 32
DEVICE = DeviceId(b"d" * 16)
PIN = IdentityKey(b"i" * 32)
FRIEND = Contact("friends", PIN, True, True, 1000)
STATE = AccountState(
    3,
    1000,
    DEVICE,
    (Entry("config/receipts", b"off", 1, DEVICE), Entry("contact/bob", pack(FRIEND), 2, DEVICE)),
)


def is_invalid(error: WireError) -> bool:
    return error.code is Code.STATE_INVALID


def test_what_one_device_seals_another_opens() -> None:
    box = seal_state(STATE, KEY, NAME, ENTROPY)
    assert open_state(box, KEY, NAME) == STATE


def test_two_boxes_of_one_state_share_nothing() -> None:
    one, other = (seal_state(STATE, KEY, NAME, ENTROPY) for _ in range(2))
    assert one != other
    assert len(one) == len(other)


@pytest.mark.parametrize("at", [0, 31, 32, 40, -17, -1])
def test_one_flipped_bit_and_nothing_opens(at: int) -> None:
    box = bytearray(seal_state(STATE, KEY, NAME, ENTROPY))
    box[at] ^= 1
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        open_state(bytes(box), KEY, NAME)


def test_the_state_of_another_account_does_not_open() -> None:
    box = seal_state(STATE, KEY, NAME, ENTROPY)
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        open_state(box, KEY, AccountName("bob"))


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        open_state(raw, KEY, NAME)
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        open_state(seal_box(KEY, "account-state", raw, NAME.encode(), ENTROPY), KEY, NAME)


def test_a_key_that_stands_twice_is_refused() -> None:
    twice = AccountState(
        1, 1, DEVICE, (Entry("k", b"1", 1, DEVICE), Entry("k", b"2", 1, DeviceId(b"e" * 16)))
    )
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        open_state(seal_state(twice, KEY, NAME, ENTROPY), KEY, NAME)


def test_a_state_beyond_its_limit_is_our_own_mistake() -> None:
    value = bytes(limits.STATE_VALUE_BYTES)
    many = limits.ACCOUNT_STATE_BYTES // limits.STATE_VALUE_BYTES
    entries = tuple(Entry(f"k{number}", value, 1, DEVICE) for number in range(many))
    fits = AccountState(1, 1, DEVICE, entries[:-1])
    assert len(seal_state(fits, KEY, NAME, ENTROPY)) <= limits.ACCOUNT_STATE_BYTES
    with pytest.raises(LocalProtocolError):
        seal_state(AccountState(1, 1, DEVICE, entries), KEY, NAME, ENTROPY)


@pytest.mark.parametrize(
    ("size", "sizes"),
    [
        (0, [0]),
        (1, [1]),
        (limits.PAGE_BYTES, [limits.PAGE_BYTES]),
        (limits.PAGE_BYTES + 1, [limits.PAGE_BYTES, 1]),
    ],
)
def test_pages_are_cut_at_their_limit(size: int, sizes: list[int]) -> None:
    pages = pages_of(bytes(size))
    assert [len(page) for page in pages] == sizes


def test_the_later_clock_outranks_and_the_device_breaks_ties() -> None:
    early = Entry("k", b"", 1, DeviceId(b"z" * 16))
    late = Entry("k", b"", 2, DeviceId(b"a" * 16))
    twin = Entry("k", b"", 2, DeviceId(b"b" * 16))
    assert sorted([twin, late, early], key=lambda entry: entry.rank) == [early, late, twin]


def test_values_about_people_round_trip() -> None:
    assert read_contact(pack(FRIEND)) == FRIEND
    assert read_list_seen(pack(ListSeen(PIN, 4))) == ListSeen(PIN, 4)
    assert read_verified(PIN) == PIN
    assert read_verified(b"") is None


@pytest.mark.parametrize(
    "value",
    [
        pack(Contact("friends", b"", False, False, 1)),
        pack(Contact("removed", b"i" * 31, False, False, 1)),
        pack(Contact("asked", b"", False, False, 1, b"h" * 5)),
        b"",
        b"\xc1",
    ],
)
def test_a_contact_without_sense_is_refused(value: bytes) -> None:
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        read_contact(value)


def test_a_mark_of_another_length_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        read_verified(b"i" * 31)
    with pytest.raises(RemoteProtocolError, check=is_invalid):
        read_list_seen(b"x")


def test_read_marks_that_are_none_are_refused() -> None:
    assert read_marks(pack(ReadMarks(()))) == ReadMarks(())
    with pytest.raises(RemoteProtocolError) as caught:
        read_marks(b"rubbish")
    assert caught.value.code is Code.STATE_INVALID
