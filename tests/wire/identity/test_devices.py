"""Certificates and device lists: who speaks for an identity, and what is not believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity import (
    DeviceList,
    ListedDevice,
    add_device,
    check_hello,
    check_listed,
    first_device,
    issue_certificate,
    issue_device_list,
    peek_certificate,
    read_certificate,
    read_device_list,
    read_vouched,
    revoke_device,
)
from wire.identity.devices import DeviceKeys
from wire.identity.packing import pack
from wire.identity.sign import Signed, SignPurpose, issue, open_container
from wire.ids import BootId, DeviceId, IdentityKey, Signature
from wire.machine import UnixMillis
from wire.messages.session import Hello

SEED = b"\x01" * 32
OTHER_SEED = b"\x02" * 32
ENTROPY = SeededEntropy(b"devices")
KEYS = first_device(SEED, "laptop", now=UnixMillis(1000), entropy=ENTROPY)
OTHER = first_device(OTHER_SEED, "desk", now=UnixMillis(1000), entropy=ENTROPY)
LIST = read_device_list(KEYS.device_list, KEYS.identity)


def refused(code: Code) -> pytest.RaisesExc:
    return pytest.raises(RemoteProtocolError, check=lambda error: error.code is code)


def hello_of(keys: DeviceKeys, device_list: bytes | None = None) -> Hello:
    signed = device_list or keys.device_list
    return Hello(keys.certificate, signed, 0, BootId(bytes(16)))


def test_a_first_device_stands_on_list_number_one() -> None:
    assert LIST.counter == 1
    assert LIST.standing == (KEYS.device,)
    certificate = read_certificate(KEYS.certificate, KEYS.identity)
    assert (certificate.name, certificate.link_key) == ("laptop", KEYS.link_key)
    assert certificate.signing_key == KEYS.signing_key
    check_listed(certificate, KEYS.certificate, LIST)


def test_a_device_shows_no_secret_in_its_repr() -> None:
    shown = repr(KEYS)
    assert KEYS.link_private.hex() not in shown
    assert repr(KEYS.link_private) not in shown
    assert repr(KEYS.signing_seed) not in shown


def test_a_second_device_makes_a_list_one_higher_and_may_bring_its_link_key() -> None:
    keys = add_device(
        SEED, LIST, "desk", now=UnixMillis(2000), entropy=ENTROPY, link_private=b"\x09" * 32
    )
    longer = read_device_list(keys.device_list, KEYS.identity)
    assert (longer.counter, len(longer.standing)) == (2, 2)
    assert keys.link_private == b"\x09" * 32


def test_a_revoked_device_is_on_the_list_but_does_not_stand() -> None:
    second = add_device(SEED, LIST, "desk", now=UnixMillis(2000), entropy=ENTROPY)
    longer = read_device_list(second.device_list, KEYS.identity)
    shorter = revoke_device(SEED, longer, KEYS.device, now=UnixMillis(3000))
    assert read_device_list(shorter, KEYS.identity).standing == (second.device,)
    with refused(Code.DEVICE_REVOKED):
        check_hello(hello_of(KEYS, shorter), KEYS.link_key, KEYS.identity)


def test_the_last_device_cannot_be_revoked_nor_one_that_is_not_there() -> None:
    for device in (KEYS.device, OTHER.device):
        with pytest.raises(LocalProtocolError):
            revoke_device(SEED, LIST, device, now=UnixMillis(3000))


def test_more_devices_than_the_limit_are_refused_by_their_own_maker() -> None:
    entries = tuple(
        ListedDevice(DeviceId(bytes([n]) * 16), bytes(32)) for n in range(limits.DEVICES)
    )
    full = DeviceList(KEYS.identity, 5, 1000, entries)
    with pytest.raises(LocalProtocolError) as caught:
        add_device(SEED, full, "one too many", now=UnixMillis(2000), entropy=ENTROPY)
    assert caught.value.code is Code.DEVICE_LIMIT


def test_a_full_list_forgets_the_longest_revoked_device_first() -> None:
    revoked = tuple(
        ListedDevice(DeviceId(bytes([n]) * 16), bytes(32), revoked_at=100 + n)
        for n in range(1, limits.LISTED_DEVICES)
    )
    full = DeviceList(KEYS.identity, 9, 1000, (LIST.devices[0], *revoked))
    added = add_device(SEED, full, "desk", now=UnixMillis(2000), entropy=ENTROPY)
    listed = read_device_list(added.device_list, KEYS.identity)
    assert len(listed.devices) == limits.LISTED_DEVICES
    assert listed.find(DeviceId(b"\x01" * 16)) is None
    assert listed.find(DeviceId(b"\x02" * 16)) is not None


@pytest.mark.parametrize(
    "entries",
    [(), (LIST.devices[0], LIST.devices[0])],
    ids=["without devices", "with one device twice"],
)
def test_a_list_that_makes_no_sense_is_refused_even_if_signed(
    entries: tuple[ListedDevice, ListedDevice],
) -> None:
    signed = issue(SEED, SignPurpose.DEVICE_LIST, DeviceList(KEYS.identity, 1, 1, tuple(entries)))
    with refused(Code.DEVICE_LIMIT):
        read_device_list(signed, KEYS.identity)


def test_a_hello_proves_its_device() -> None:
    certificate, device_list = check_hello(hello_of(KEYS), KEYS.link_key, KEYS.identity)
    assert (certificate.device, device_list.counter) == (KEYS.device, 1)
    assert check_hello(hello_of(KEYS), KEYS.link_key, None)[0].identity == KEYS.identity


def test_a_certificate_with_a_broken_signature_is_proven_by_a_list_alone_and_never_kept() -> None:
    container = open_container(KEYS.certificate, limits.CERTIFICATE_BYTES)
    broken = pack(Signed(container.body, Signature(bytes(64))))
    vouching = issue_device_list(
        SEED,
        DeviceList(
            KEYS.identity, 1, UnixMillis(1000), (ListedDevice(KEYS.device, sha256(broken)),)
        ),
    )
    for device_list in (KEYS.device_list, issue_device_list(SEED, LIST)):
        with refused(Code.SIGNATURE_INVALID):
            check_hello(
                Hello(broken, device_list, 0, BootId(bytes(16))), KEYS.link_key, KEYS.identity
            )
    hello = Hello(broken, vouching, 0, BootId(bytes(16)))
    assert check_hello(hello, KEYS.link_key, KEYS.identity)[0].device == KEYS.device
    with refused(Code.SIGNATURE_INVALID):
        read_certificate(broken, KEYS.identity)


def test_a_hello_with_somebody_elses_link_key_is_refused() -> None:
    with refused(Code.IDENTITY_MISMATCH):
        check_hello(hello_of(KEYS), OTHER.link_key, KEYS.identity)


def test_a_hello_of_another_identity_than_expected_is_refused() -> None:
    with refused(Code.IDENTITY_MISMATCH):
        check_hello(hello_of(OTHER), OTHER.link_key, KEYS.identity)


def test_a_hello_with_another_identitys_list_is_refused() -> None:
    with refused(Code.IDENTITY_MISMATCH):
        check_hello(hello_of(KEYS, OTHER.device_list), KEYS.link_key, KEYS.identity)


def test_an_older_list_than_known_is_a_rollback() -> None:
    with refused(Code.LIST_ROLLBACK):
        check_hello(hello_of(KEYS), KEYS.link_key, KEYS.identity, known_counter=2)


def test_a_certificate_that_the_list_names_by_another_hash_is_refused() -> None:
    certificate = peek_certificate(KEYS.certificate)
    again = issue_certificate(SEED, certificate)
    forged = DeviceList(KEYS.identity, 2, 1, (ListedDevice(KEYS.device, sha256(again + b"x")),))
    with refused(Code.IDENTITY_MISMATCH):
        check_listed(certificate, KEYS.certificate, forged)


def test_a_certificate_signed_by_another_identity_is_refused() -> None:
    forged = issue(OTHER_SEED, SignPurpose.CERTIFICATE, peek_certificate(KEYS.certificate))
    with refused(Code.SIGNATURE_INVALID):
        read_certificate(forged, None)


def test_a_signature_for_one_purpose_is_worth_nothing_for_another() -> None:
    certificate = peek_certificate(KEYS.certificate)
    forged = issue(SEED, SignPurpose.DEVICE_LIST, certificate)
    with refused(Code.SIGNATURE_INVALID):
        read_certificate(forged, KEYS.identity)


def test_vouched_bytes_give_certificate_and_list() -> None:
    certificate, listed = read_vouched(KEYS.certificate, KEYS.device_list, KEYS.identity)
    assert certificate.device in listed.standing


def test_a_container_has_one_encoding_and_a_bound() -> None:
    longer = KEYS.certificate + b"\x00" * limits.CERTIFICATE_BYTES
    with refused(Code.DECODE):
        read_certificate(longer, None)
    container = open_container(KEYS.certificate, limits.CERTIFICATE_BYTES)
    assert pack(Signed(container.body, container.signature)) == KEYS.certificate
    twin = b"\xdc\x00\x02" + KEYS.certificate[1:]  # the same array with a longer header
    with refused(Code.DECODE):
        open_container(twin, limits.CERTIFICATE_BYTES)


def test_a_list_that_its_own_maker_would_refuse_is_never_signed() -> None:
    with pytest.raises(LocalProtocolError):
        issue_device_list(SEED, DeviceList(KEYS.identity, 1, 1, ()))


@given(st.integers(0, len(KEYS.certificate) - 1), st.integers(0, 7))
def test_a_flipped_bit_in_a_certificate_is_never_believed(index: int, bit: int) -> None:
    damaged = bytearray(KEYS.certificate)
    damaged[index] ^= 1 << bit
    with pytest.raises(RemoteProtocolError):
        read_certificate(bytes(damaged), KEYS.identity)


@given(st.binary(max_size=200))
def test_bytes_of_strangers_never_raise_anything_but_a_protocol_error(raw: bytes) -> None:
    for read in (read_certificate, read_device_list):
        with pytest.raises(RemoteProtocolError):
            read(raw, None)


def test_an_identity_is_32_bytes_whatever_a_seed_says() -> None:
    with pytest.raises(LocalProtocolError):
        first_device(b"short", "x", now=UnixMillis(1), entropy=ENTROPY)
    assert len(IdentityKey(KEYS.identity)) == 32


def test_what_verified_before_is_still_believed_for_its_own_identity_only() -> None:
    for read, signed in (
        (read_certificate, KEYS.certificate),
        (read_device_list, KEYS.device_list),
    ):
        first = read(signed, KEYS.identity)
        assert read(bytes(bytearray(signed)), KEYS.identity) is first
        assert read(signed, None) is first
        with refused(Code.IDENTITY_MISMATCH):
            read(signed, OTHER.identity)
        with pytest.raises(RemoteProtocolError):
            read(signed[:-1] + bytes((signed[-1] ^ 1,)), KEYS.identity)
