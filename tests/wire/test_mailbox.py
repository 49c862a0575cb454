"""Sealed mail: it opens on its one route, with its one key, and shows nothing of its length but a size class."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.channel.primitives import HPKE_OVERHEAD_BYTES, HPKE_PRIVATE_BYTES, hpke_public
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError
from wire.identity.sign import SignPurpose, issue, public_of
from wire.ids import DeviceId, IdentityKey, SigningKey
from wire.mailbox import (
    LETTER_BYTES,
    LETTER_SIZES,
    Letter,
    NackBody,
    Prekey,
    Route,
    issue_nack,
    issue_prekey,
    open_letter,
    read_nack,
    read_prekey,
    seal_letter,
)

ENTROPY = SeededEntropy("mailbox")
PRIVATE = bytes(range(HPKE_PRIVATE_BYTES))
PUBLIC = hpke_public(PRIVATE)
SEED = b"\x09" * 32
SIGNING = SigningKey(public_of(SEED))
DEVICE = DeviceId(b"d" * 16)
ROUTE = Route(IdentityKey(b"a" * 32), DeviceId(b"1" * 16), IdentityKey(b"b" * 32), DEVICE, 7)
LETTER = Letter(b"certificate", b"list", (b"\x80\x62event", b"\x80\x63receipt"))
PREKEY = Prekey(DEVICE, 7, True, 1000, PUBLIC)


def is_mail_invalid(error: WireError) -> bool:
    return error.code is Code.MAIL_INVALID


def is_prekey_invalid(error: WireError) -> bool:
    return error.code is Code.PREKEY_INVALID


def test_a_letter_opens_with_the_private_half_on_its_route() -> None:
    sealed = seal_letter(LETTER, PUBLIC, ROUTE, ENTROPY)
    assert open_letter(sealed, PRIVATE, ROUTE) == LETTER


def test_two_letters_of_the_same_words_share_nothing() -> None:
    one, other = (seal_letter(LETTER, PUBLIC, ROUTE, ENTROPY) for _ in range(2))
    assert one != other


@pytest.mark.parametrize(
    "route",
    [
        Route(IdentityKey(b"x" * 32), ROUTE.sender_device, ROUTE.recipient, DEVICE, 7),
        Route(ROUTE.sender, DeviceId(b"x" * 16), ROUTE.recipient, DEVICE, 7),
        Route(ROUTE.sender, ROUTE.sender_device, IdentityKey(b"x" * 32), DEVICE, 7),
        Route(ROUTE.sender, ROUTE.sender_device, ROUTE.recipient, DeviceId(b"x" * 16), 7),
        Route(ROUTE.sender, ROUTE.sender_device, ROUTE.recipient, DEVICE, 8),
    ],
)
def test_on_any_other_route_it_does_not_open(route: Route) -> None:
    sealed = seal_letter(LETTER, PUBLIC, ROUTE, ENTROPY)
    with pytest.raises(RemoteProtocolError, check=is_mail_invalid):
        open_letter(sealed, PRIVATE, route)


@pytest.mark.parametrize("at", [0, 1087, 1088, 1119, 1120, -17, -1])
def test_one_flipped_bit_and_nothing_opens(at: int) -> None:
    sealed = bytearray(seal_letter(LETTER, PUBLIC, ROUTE, ENTROPY))
    sealed[at] ^= 1
    with pytest.raises(RemoteProtocolError, check=is_mail_invalid):
        open_letter(bytes(sealed), PRIVATE, ROUTE)


@given(st.binary(max_size=2000))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_refused_by_name_sealed_or_not(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError, check=is_mail_invalid):
        open_letter(raw, PRIVATE, ROUTE)
    sealed = ENTROPY.seal(raw, PUBLIC, ROUTE.info)
    with pytest.raises(RemoteProtocolError, check=is_mail_invalid):
        open_letter(sealed, PRIVATE, ROUTE)


@pytest.mark.parametrize("plain", [b"\0\0\0\1x", b"\0\0\0\0\1", b"\xff\xff\xff\xff"])
def test_padding_that_is_none_is_refused(plain: bytes) -> None:
    sealed = ENTROPY.seal(plain.ljust(LETTER_SIZES[0], b"\0"), PUBLIC, ROUTE.info)
    with pytest.raises(RemoteProtocolError, check=is_mail_invalid):
        open_letter(sealed, PRIVATE, ROUTE)


def test_an_item_has_one_of_seven_sizes_and_the_largest_is_the_limit() -> None:
    sizes = set()
    for length in (3, 900, 1000, 3000, 7000, 15_000, 31_000, 63_000, 90_000):
        sealed = seal_letter(Letter(b"", b"", (bytes(length),)), PUBLIC, ROUTE, ENTROPY)
        sizes.add(len(sealed))
    assert sizes == {size * limits.KIB for size in (2, 4, 8, 16, 32, 64, 96)}
    assert max(sizes) == limits.MAIL_ITEM_BYTES
    assert LETTER_SIZES[-1] + HPKE_OVERHEAD_BYTES == limits.MAIL_ITEM_BYTES


def test_the_longest_message_there_may_be_fits_with_its_certificates() -> None:
    event = limits.EVENT_BODY_BYTES + limits.EVENT_HEADER_BYTES + 100
    letter = Letter(
        bytes(limits.CERTIFICATE_BYTES), bytes(limits.DEVICE_LIST_BYTES), (bytes(event),)
    )
    assert open_letter(seal_letter(letter, PUBLIC, ROUTE, ENTROPY), PRIVATE, ROUTE) == letter


def test_a_letter_beyond_the_limit_is_our_own_mistake() -> None:
    half = bytes(LETTER_BYTES // 2 + 10)
    with pytest.raises(LocalProtocolError):
        seal_letter(Letter(b"", b"", (half, half)), PUBLIC, ROUTE, ENTROPY)


def test_a_key_that_is_none_is_named() -> None:
    with pytest.raises(RemoteProtocolError, check=is_prekey_invalid):
        seal_letter(LETTER, b"\xff" * len(PUBLIC), ROUTE, ENTROPY)


def test_a_prekey_is_believed_of_its_own_device_only() -> None:
    signed = issue_prekey(SEED, PREKEY)
    assert len(signed) <= limits.PREKEY_BYTES
    assert read_prekey(signed, DEVICE, SIGNING) == PREKEY
    with pytest.raises(RemoteProtocolError, check=is_prekey_invalid):
        read_prekey(signed, DeviceId(b"e" * 16), SIGNING)
    with pytest.raises(RemoteProtocolError, check=is_prekey_invalid):
        read_prekey(signed, DEVICE, SigningKey(public_of(b"\x08" * 32)))
    with pytest.raises(RemoteProtocolError, check=is_prekey_invalid):
        read_prekey(issue(SEED, SignPurpose.RECEIPT, PREKEY), DEVICE, SIGNING)
    with pytest.raises(RemoteProtocolError, check=is_prekey_invalid):
        read_prekey(b"junk", DEVICE, SIGNING)


def test_a_nack_is_believed_of_its_own_device_only() -> None:
    body = NackBody(DEVICE, DeviceId(b"1" * 16), b"i" * 16)
    signed = issue_nack(SEED, body)
    assert len(signed) <= limits.NACK_BYTES
    assert read_nack(signed, DEVICE, SIGNING) == body
    with pytest.raises(RemoteProtocolError):
        read_nack(signed, DeviceId(b"e" * 16), SIGNING)
    with pytest.raises(RemoteProtocolError):
        read_nack(issue_prekey(SEED, PREKEY), DEVICE, SIGNING)
