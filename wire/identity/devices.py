"""Certificates and device lists: which devices speak for an identity, and which no longer do.

The identity key signs these two and nothing of every day; its seed is at hand only while a person adds or
revokes a device. A certificate says that a device belongs to the identity and which keys it has; the
counted list says which certificates stand. Both are needed to believe a device.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wire import limits
from wire.channel.primitives import sha256, x25519_public
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity.packing import Packed, unpack
from wire.identity.sign import SignPurpose, issue, open_container, public_of, read
from wire.ids import (
    Counter,
    DeviceId,
    DeviceIdField,
    IdentityKey,
    IdentityKeyField,
    LinkKey,
    LinkKeyField,
    Millis,
    SigningKey,
    SigningKeyField,
)
from wire.machine import Entropy, UnixMillis
from wire.messages.session import Hello

DEVICE_ID_BYTES = 16
VERIFIED_KEPT = 256
"""Certificates and lists whose signatures are not checked again when the very same bytes come again, as they do with
every link of a friend: two of the three signatures' worth of a handshake's CPU. At most 7 MiB, usually 0.2."""


class Certificate(Packed, frozen=True):
    """A device belongs to an identity and has these keys."""

    identity: IdentityKeyField
    device: DeviceIdField
    link_key: LinkKeyField
    signing_key: SigningKeyField
    name: Annotated[str, Meta(min_length=1, max_length=limits.DEVICE_NAME_CHARS)]
    created: Millis


class ListedDevice(Packed, frozen=True):
    """One entry of a device list."""

    device: DeviceIdField
    certificate_hash: Annotated[bytes, Meta(min_length=32, max_length=32)]  # SHA-256, as signed
    revoked_at: Millis = 0  # 0: it stands

    @property
    def is_revoked(self) -> bool:
        """Say whether the device was taken off."""
        return self.revoked_at > 0


class DeviceList(Packed, frozen=True):
    """All devices of an identity, revoked ones included: what they wrote before still verifies."""

    identity: IdentityKeyField
    counter: Counter  # from 1, one more with every change
    changed: Millis
    devices: Annotated[tuple[ListedDevice, ...], Meta(max_length=limits.LISTED_DEVICES)]
    state_key_hash: Annotated[bytes, Meta(max_length=32)] = (
        b""  # SHA-256 of the state key from here on; empty: as made at the beginning
    )

    def find(self, device: DeviceId) -> ListedDevice | None:
        """Give the entry of a device, or None."""
        return next((entry for entry in self.devices if entry.device == device), None)

    @property
    def standing(self) -> tuple[DeviceId, ...]:
        """Give the devices that are not revoked."""
        return tuple(entry.device for entry in self.devices if not entry.is_revoked)


@dataclass(frozen=True, slots=True)
class DeviceKeys:
    """What one device is: its names, its secrets, and the signed values that vouch for it.

    link_private: 32 bytes, X25519. signing_seed: 32 bytes, Ed25519. certificate, device_list: signed bytes.
    A `repr` shows no secret.
    """

    device: DeviceId
    identity: IdentityKey
    link_private: bytes = field(repr=False)
    signing_seed: bytes = field(repr=False)
    certificate: bytes = field(repr=False)
    device_list: bytes = field(repr=False)

    @property
    def link_key(self) -> LinkKey:
        """Give the public half of the link key."""
        return LinkKey(x25519_public(self.link_private))

    @property
    def signing_key(self) -> SigningKey:
        """Give the public half of the signing key."""
        return SigningKey(public_of(self.signing_seed))


def issue_certificate(identity_seed: bytes, certificate: Certificate) -> bytes:
    """Sign a certificate; identity_seed: 32 bytes, secret. Gives at most CERTIFICATE_BYTES."""
    return issue(identity_seed, SignPurpose.CERTIFICATE, certificate)


def read_certificate(signed: bytes, identity: IdentityKey | None) -> Certificate:
    """Verify a certificate.

    signed: any bytes. identity: whose device it must be, or None for whoever it names. Raises
    RemoteProtocolError with DECODE, SIGNATURE_INVALID, or IDENTITY_MISMATCH if it names another identity.
    """
    if identity is not None and peek_certificate(signed).identity != identity:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a certificate names another identity")
    return _verify_certificate(signed)


@lru_cache(maxsize=VERIFIED_KEPT)
def _verify_certificate(signed: bytes) -> Certificate:
    """Verify a certificate under the identity it names; what verified once verifies ever after."""
    container = open_container(signed, limits.CERTIFICATE_BYTES)
    named = unpack(Certificate, container.body).identity
    return read(container, Certificate, SignPurpose.CERTIFICATE, named)


def peek_certificate(signed: bytes) -> Certificate:
    """Parse a certificate WITHOUT verifying it, to find out whose it claims to be.

    A tracker compares the link key in it with a handshake's and needs no more. Raises
    RemoteProtocolError with DECODE.
    """
    return unpack(Certificate, open_container(signed, limits.CERTIFICATE_BYTES).body)


def issue_device_list(identity_seed: bytes, device_list: DeviceList) -> bytes:
    """Sign a device list; raises LocalProtocolError for one that `read_device_list` would refuse."""
    try:
        _check_list(device_list)
    except RemoteProtocolError as error:
        raise LocalProtocolError(error.detail, error.code) from error
    return issue(identity_seed, SignPurpose.DEVICE_LIST, device_list)


def read_device_list(signed: bytes, identity: IdentityKey | None) -> DeviceList:
    """Verify a device list.

    signed: any bytes. identity: whose list it must be, or None for whoever it names. Raises
    RemoteProtocolError with DECODE, SIGNATURE_INVALID, IDENTITY_MISMATCH, or DEVICE_LIMIT for a list
    without devices, with one twice, or with more than DEVICES that stand.
    """
    if identity is not None and _peek_list(signed).identity != identity:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a device list names another identity")
    return _verify_list(signed)


def _peek_list(signed: bytes) -> DeviceList:
    return unpack(DeviceList, open_container(signed, limits.DEVICE_LIST_BYTES).body)


@lru_cache(maxsize=VERIFIED_KEPT)
def _verify_list(signed: bytes) -> DeviceList:
    """Verify a list under the identity it names; what verified once verifies ever after."""
    container = open_container(signed, limits.DEVICE_LIST_BYTES)
    named = unpack(DeviceList, container.body).identity
    device_list = read(container, DeviceList, SignPurpose.DEVICE_LIST, named)
    _check_list(device_list)
    return device_list


def check_listed(certificate: Certificate, signed: bytes, device_list: DeviceList) -> None:
    """Check that a verified list vouches for a verified certificate as it stands today.

    signed: the certificate's bytes. Raises RemoteProtocolError with IDENTITY_MISMATCH where the list is
    another's or does not name this very certificate, DEVICE_REVOKED where it took the device off.
    """
    entry = device_list.find(certificate.device)
    if (
        certificate.identity != device_list.identity
        or entry is None
        or entry.certificate_hash != sha256(signed)
    ):
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a device is not on its identity's list")
    if entry.is_revoked:
        raise RemoteProtocolError(Code.DEVICE_REVOKED)


def check_hello(
    hello: Hello,
    remote_static: bytes,
    expected_identity: IdentityKey | None,
    *,
    known_counter: int = 0,
) -> tuple[Certificate, DeviceList]:
    """Decide whether a Hello proves who is at the other end of a link (design, section 4).

    remote_static: 32 bytes, the Noise static key of the other side. expected_identity: who it must be, or
    None where the caller decides after. known_counter: the highest counter of that account's list known
    here. Raises RemoteProtocolError with DECODE, SIGNATURE_INVALID, IDENTITY_MISMATCH, DEVICE_REVOKED,
    DEVICE_LIMIT or LIST_ROLLBACK.

    A certificate that the list names by its hash has the identity's word in the list's signature; whoever keeps
    it verifies its own (a check less at first contact: 0.09 ms each side, 2026-11).
    """
    certificate = peek_certificate(hello.certificate)
    if expected_identity is not None and certificate.identity != expected_identity:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "a certificate names another identity")
    entry = _peek_list(hello.device_list).find(certificate.device)
    if entry is None or entry.certificate_hash != sha256(hello.certificate):
        read_certificate(hello.certificate, expected_identity)  # what is wrong with it comes first
    if certificate.link_key != remote_static:
        raise RemoteProtocolError(
            Code.IDENTITY_MISMATCH, "a certificate's link key is not that of the handshake"
        )
    device_list = read_device_list(hello.device_list, certificate.identity)
    check_listed(certificate, hello.certificate, device_list)
    if device_list.counter < known_counter:
        raise RemoteProtocolError(
            Code.LIST_ROLLBACK, f"list {device_list.counter} came, {known_counter} is known"
        )
    return certificate, device_list


def first_device(
    identity_seed: bytes, name: str, *, now: UnixMillis, entropy: Entropy
) -> DeviceKeys:
    """Make the first device of an identity and its list number 1.

    identity_seed: 32 bytes, secret. name: 1 to 32 characters, for people.
    """
    identity = IdentityKey(public_of(identity_seed))
    return add_device(
        identity_seed, DeviceList(identity, 0, now, ()), name, now=now, entropy=entropy
    )


def add_device(
    identity_seed: bytes,
    device_list: DeviceList,
    name: str,
    *,
    now: UnixMillis,
    entropy: Entropy,
    link_private: bytes | None = None,
) -> DeviceKeys:
    """Make another device and the list that has it, one counter higher.

    device_list: the present one, verified. link_private: 32 bytes, secret, of the link that adds it; drawn
    if None. Raises LocalProtocolError with DEVICE_LIMIT when it is full.
    Revoked devices make room for a listing beyond LISTED_DEVICES, the longest revoked one first.
    """
    identity = IdentityKey(public_of(identity_seed))
    device = DeviceId(entropy.bytes(DEVICE_ID_BYTES))
    link_private = entropy.bytes(32) if link_private is None else link_private
    signing_seed = entropy.bytes(32)
    certificate = issue_certificate(
        identity_seed,
        Certificate(
            identity=identity,
            device=device,
            link_key=LinkKey(x25519_public(link_private)),
            signing_key=SigningKey(public_of(signing_seed)),
            name=name,
            created=now,
        ),
    )
    entries = _with_room(device_list.devices)
    longer = replace(
        device_list,
        counter=device_list.counter + 1,
        changed=now,
        devices=(*entries, ListedDevice(device, sha256(certificate))),
    )
    return DeviceKeys(
        device=device,
        identity=identity,
        link_private=link_private,
        signing_seed=signing_seed,
        certificate=certificate,
        device_list=issue_device_list(identity_seed, longer),
    )


def revoke_device(
    identity_seed: bytes,
    device_list: DeviceList,
    device: DeviceId,
    *,
    now: UnixMillis,
    state_key_hash: bytes = b"",
) -> bytes:
    """Take a device off: gives the signed list one counter higher.

    now: the instant that will stand beside the device. state_key_hash: of the state key that the device does not
    get, 32 bytes, or empty. Raises LocalProtocolError for a device that is not on the list, is off already, or
    is the last that stands.
    """
    if device not in device_list.standing:
        raise LocalProtocolError("no such device stands on the list", Code.DEVICE_UNKNOWN)
    entries = tuple(
        replace(entry, revoked_at=max(now, 1)) if entry.device == device else entry
        for entry in device_list.devices
    )
    shorter = replace(
        device_list,
        counter=device_list.counter + 1,
        changed=now,
        devices=entries,
        state_key_hash=state_key_hash or device_list.state_key_hash,
    )
    return issue_device_list(identity_seed, shorter)


def _with_room(entries: tuple[ListedDevice, ...]) -> tuple[ListedDevice, ...]:
    """Drop the longest revoked entry if the list has no place for one more."""
    revoked = [entry for entry in entries if entry.is_revoked]
    if len(entries) < limits.LISTED_DEVICES or not revoked:
        return entries
    oldest = min(revoked, key=lambda entry: entry.revoked_at)
    return tuple(entry for entry in entries if entry is not oldest)


def _check_list(device_list: DeviceList) -> None:
    ids = {entry.device for entry in device_list.devices}
    standing = len(device_list.standing)
    if len(ids) != len(device_list.devices) or not 1 <= standing <= limits.DEVICES:
        raise RemoteProtocolError(
            Code.DEVICE_LIMIT, f"a list has 1 to {limits.DEVICES} devices, each once"
        )
