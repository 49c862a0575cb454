"""Signed words between two people: a friend request, its answer, and where a device can be dialled.

All are signed by a device's signing key; the certificate and the list that travel along tie that key to
an identity. A tracker carries these bytes and can only lose them.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.channel.primitives import KEY_BYTES, hkdf, open_, seal, sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity.devices import (
    Certificate,
    DeviceKeys,
    DeviceList,
    check_listed,
    read_certificate,
    read_device_list,
)
from wire.identity.packing import Packed, PackedT, pack, unpack
from wire.identity.sign import Signed, SignPurpose, issue, open_container, read
from wire.ids import (
    AccountNameField,
    BootIdField,
    Counter,
    DeviceId,
    DeviceIdField,
    IdentityKey,
    IdentityKeyField,
    Millis,
    SigningKey,
)
from wire.machine import Entropy

SALT_BYTES = 16
PLACES_BYTES = limits.SEALED_PLACES_BYTES - SALT_BYTES - limits.TAG_BYTES

Nonce = Annotated[bytes, Meta(min_length=16, max_length=16)]
OptionalKey = Annotated[bytes, Meta(max_length=32)]  # empty: none was named
SignedBytes = Annotated[bytes, Meta(max_length=limits.DEVICE_LIST_BYTES)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]


class FriendRequest(Packed, frozen=True):
    """Somebody asks somebody to be friends; good once per nonce."""

    asker_name: AccountNameField
    target_name: AccountNameField
    asker: IdentityKeyField
    target: OptionalKey  # the identity from a friend code, or empty: whoever has the name
    nonce: Nonce
    note: Annotated[str, Meta(max_length=limits.FRIEND_NOTE_CHARS)]
    created: Millis
    certificate: SignedBytes  # of the signing device
    device_list: SignedBytes


class FriendAnswer(Packed, frozen=True):
    """The answer to one very request; the asker pins the answerer's identity from it."""

    request_hash: Hash
    asker: IdentityKeyField
    answerer: IdentityKeyField
    is_yes: bool
    created: Millis
    certificate: SignedBytes
    device_list: SignedBytes


class Host(Packed, frozen=True):
    """One place to dial: a numeric address and a port. is_mapped: a router leads from there to the device."""

    host: Annotated[str, Meta(min_length=2, max_length=64)]
    port: Annotated[int, Meta(ge=1, le=65535)]
    is_mapped: bool = False


class AddressRecord(Packed, frozen=True):
    """Where a device can be dialled; the one with the highest counter counts.

    hosts: in clear, for everybody who passes it on. sealed: as `seal_places` gives them, or empty.
    """

    device: DeviceIdField
    boot_id: BootIdField
    counter: Counter
    hosts: Annotated[tuple[Host, ...], Meta(max_length=limits.ADDRESSES)]
    sealed: Annotated[bytes, Meta(max_length=limits.SEALED_PLACES_BYTES)] = b""


class Places(Packed, frozen=True):
    """What `AddressRecord.sealed` holds."""

    hosts: Annotated[tuple[Host, ...], Meta(max_length=limits.ADDRESSES)]


def request_hash(signed: bytes) -> bytes:
    """Give the 32 bytes by which an answer names its request: SHA-256 of the signed bytes."""
    return sha256(signed)


def issue_friend_request(keys: DeviceKeys, request: FriendRequest) -> bytes:
    """Sign a request; gives at most FRIEND_REQUEST_BYTES."""
    return issue(keys.signing_seed, SignPurpose.FRIEND_REQUEST, request)


def read_friend_request(signed: bytes) -> FriendRequest:
    """Verify a request down to the identity that asks.

    signed: any bytes. Raises RemoteProtocolError with DECODE, SIGNATURE_INVALID, IDENTITY_MISMATCH or
    DEVICE_REVOKED. Whether the names fit and the time is right is for the caller to judge.
    """
    container, request = _open(signed, FriendRequest)
    key = _signing_key(request.certificate, request.device_list, request.asker)
    return read(container, FriendRequest, SignPurpose.FRIEND_REQUEST, key)


def issue_friend_answer(keys: DeviceKeys, answer: FriendAnswer) -> bytes:
    """Sign an answer; gives at most FRIEND_REQUEST_BYTES."""
    return issue(keys.signing_seed, SignPurpose.FRIEND_ANSWER, answer)


def read_friend_answer(signed: bytes) -> FriendAnswer:
    """Verify an answer down to the identity that answers; raises as `read_friend_request`."""
    container, answer = _open(signed, FriendAnswer)
    key = _signing_key(answer.certificate, answer.device_list, answer.answerer)
    return read(container, FriendAnswer, SignPurpose.FRIEND_ANSWER, key)


def issue_addresses(signing_seed: bytes, record: AddressRecord) -> bytes:
    """Sign an address record with a device's signing seed (32 bytes, secret)."""
    return issue(signing_seed, SignPurpose.ADDRESSES, record)


def read_addresses(signed: bytes, device: DeviceId, signing_key: SigningKey) -> AddressRecord:
    """Verify an address record of one device.

    Raises RemoteProtocolError with DECODE, SIGNATURE_INVALID, or IDENTITY_MISMATCH if the device's key
    signed a record that names another.
    """
    container = open_container(signed, limits.ADDRESS_RECORD_BYTES)
    record = read(container, AddressRecord, SignPurpose.ADDRESSES, signing_key)
    if record.device != device:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "addresses name another device")
    return record


def seal_places(hosts: tuple[Host, ...], key: bytes, device: DeviceId, entropy: Entropy) -> bytes:
    """Seal where a device can be dialled, for those whom it gave its address key (32 bytes, secret)."""
    salt = entropy.bytes(SALT_BYTES)
    raw = pack(Places(hosts))
    plain = (len(raw).to_bytes(2, "big") + raw).ljust(PLACES_BYTES, b"\0")
    return salt + seal(_places_key(key, salt), 0, device, plain)


def open_places(record: AddressRecord, key: bytes) -> tuple[Host, ...]:
    """Open what a record holds sealed.

    record: verified. key: 32 bytes, secret. Raises RemoteProtocolError with ADDRESSES_SEALED where another key opens
    it, DECODE for what makes no sense.
    """
    salt, sealed = record.sealed[:SALT_BYTES], record.sealed[SALT_BYTES:]
    plain = open_(_places_key(key, salt), 0, record.device, sealed, Code.ADDRESSES_SEALED)
    length = int.from_bytes(plain[:2], "big")
    return unpack(Places, plain[2 : 2 + length]).hosts


def _places_key(key: bytes, salt: bytes) -> bytes:
    return hkdf(key, salt, b"hobnob/v1/addresses", KEY_BYTES)


def read_vouched(
    certificate: bytes, device_list: bytes, identity: IdentityKey
) -> tuple[Certificate, DeviceList]:
    """Verify a certificate and the list that vouches for it; raises as `check_listed`."""
    verified = read_certificate(certificate, identity)
    listed = read_device_list(device_list, identity)
    check_listed(verified, certificate, listed)
    return verified, listed


def _open(signed: bytes, cls: type[PackedT]) -> tuple[Signed, PackedT]:
    container = open_container(signed, limits.FRIEND_REQUEST_BYTES)
    return container, unpack(cls, container.body)


def _signing_key(certificate: bytes, device_list: bytes, identity: IdentityKey) -> SigningKey:
    return read_vouched(certificate, device_list, identity)[0].signing_key
