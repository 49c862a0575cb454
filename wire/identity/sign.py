"""Ed25519 signatures, each for one purpose, and the container in which a signed value travels.

A signature covers `hobnob/v1/`, the purpose, a zero byte and the fields, each after its length in four
bytes: nothing signed for one purpose verifies for another. The list of purposes is closed. A signed value
is MessagePack of [body, signature]; the body's bytes are what was signed, and readers parse those very
bytes after they verified. There is one encoding of a container: its hash stands for it elsewhere.

RFC 8032 is the algorithm; `cryptography` refuses signatures whose scalar is not reduced, so nobody but
the signer can make a second one for the same bytes.
"""

from __future__ import annotations

import enum
from functools import lru_cache
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity.packing import Packed, pack, unpack
from wire.ids import Signature

PREFIX = b"hobnob/v1/"
SEED_BYTES = 32
SIGNATURE_BYTES = 64

PUBLIC_KEYS_KEPT = 64
"""Keys that are ready to verify with: friends' devices sign again and again."""


class SignPurpose(enum.Enum):
    """Everything that is ever signed, and by which key."""

    CERTIFICATE = b"certificate"  # by the identity: this device is mine
    DEVICE_LIST = b"device-list"  # by the identity: these are all my devices
    ROTATION = b"rotation"  # by the old identity: this is my new one
    REGISTER = b"register"  # by the identity: I take this name at this tracker, on this link
    LOGIN = b"login"  # by the key derived from the password, on this link
    PASSWORD = b"password"  # by the same: another takes its place, on this link
    DELETE_ACCOUNT = b"delete-account"  # by the same: the account goes, on this link
    EVENT = b"event"  # by a device, as all that follow
    RECEIPT = b"receipt"
    FRIEND_REQUEST = b"friend-request"
    FRIEND_ANSWER = b"friend-answer"
    ADDRESSES = b"addresses"
    DIGESTS = b"digests"
    PREKEY = b"prekey"
    NACK = b"nack"


class Signed(Packed, frozen=True):
    """The container: bytes and the signature over them."""

    body: bytes
    signature: Signature


def public_of(seed: bytes) -> bytes:
    """Give the public key (32 bytes) of an Ed25519 seed (32 bytes, secret)."""
    return _private(seed).public_key().public_bytes_raw()


def sign(seed: bytes, purpose: SignPurpose, *fields: bytes) -> bytes:
    """Sign the fields for a purpose; gives 64 bytes.

    seed: 32 bytes, secret. fields: any bytes each; their number and order belong to the purpose.
    """
    return _private(seed).sign(_covered(purpose, fields))


def verify(public: bytes, purpose: SignPurpose, signature: bytes, *fields: bytes) -> None:
    """Check a signature; raises RemoteProtocolError with SIGNATURE_INVALID if it is none of this key.

    public: 32 bytes. signature: any bytes.
    """
    try:
        _public(public).verify(signature, _covered(purpose, fields))
    except (InvalidSignature, ValueError) as error:
        raise RemoteProtocolError(
            Code.SIGNATURE_INVALID, f"signature of a {purpose.value.decode()} does not verify"
        ) from error


def issue(seed: bytes, purpose: SignPurpose, value: Packed) -> bytes:
    """Sign a value; gives the container's bytes. Raises LocalProtocolError beyond the value's bounds."""
    return enclose(seed, purpose, pack(value))


def enclose(seed: bytes, purpose: SignPurpose, body: bytes) -> bytes:
    """Sign the bytes of a packed value as they are; gives the container's bytes."""
    return pack(Signed(body, sign(seed, purpose, body)))


def open_container(raw: bytes, most_bytes: int, code: Code = Code.DECODE) -> Signed:
    """Take a container apart without verifying anything.

    raw: any bytes. most_bytes: the bound of this kind of value. Raises RemoteProtocolError with `code` for
    what is no container in its one encoding: the hash of a container must not have twins.
    """
    if len(raw) > most_bytes:
        raise RemoteProtocolError(code, f"a signed value has at most {most_bytes} bytes")
    container = unpack(Signed, raw, code)
    if msgspec.msgpack.encode(container) != raw:
        raise RemoteProtocolError(code, "a signed value is not in its one encoding")
    return container


ValueT = TypeVar("ValueT", bound=Packed)


def read(
    container: Signed,
    cls: type[ValueT],
    purpose: SignPurpose,
    public: bytes,
    code: Code = Code.DECODE,
) -> ValueT:
    """Verify a container and parse what was verified.

    Raises RemoteProtocolError with SIGNATURE_INVALID, or with `code` where the signer signed nonsense.
    """
    verify(public, purpose, container.signature, container.body)
    return unpack(cls, container.body, code)


@lru_cache(maxsize=1)
def _private(seed: bytes) -> Ed25519PrivateKey:
    """Give a key ready to sign; one is kept, since a device signs with one for as long as it runs."""
    try:
        return Ed25519PrivateKey.from_private_bytes(seed)
    except ValueError as error:
        raise LocalProtocolError("an Ed25519 seed has 32 bytes") from error


@lru_cache(maxsize=PUBLIC_KEYS_KEPT)
def _public(public: bytes) -> Ed25519PublicKey:
    """Give a key ready to verify; raises ValueError for bytes that are none."""
    return Ed25519PublicKey.from_public_bytes(public)


def _covered(purpose: SignPurpose, fields: tuple[bytes, ...]) -> bytes:
    parts = [PREFIX, purpose.value, b"\0"]
    for field in fields:
        parts += (len(field).to_bytes(4, "big"), field)
    return b"".join(parts)
