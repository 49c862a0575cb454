"""Signed values, passwords, vaults, and the names that people compare: PROTOCOL.md, section 3."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from tests.independent.msgpack import Value, pack, unpack_array
from tests.independent.noise import hkdf, nonce, public_of

PREFIX = b"hobnob/v1/"


def now_ms() -> int:
    """Give the wall clock as the wire has it."""
    return time.time_ns() // 1_000_000


def verify_key(seed: bytes) -> bytes:
    """Give the Ed25519 public key of a seed."""
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def covered(purpose: str, *fields: bytes) -> bytes:
    """Give the bytes that a signature covers."""
    start = PREFIX + purpose.encode() + b"\0"
    return start + b"".join(struct.pack(">I", len(field)) + field for field in fields)


def sign(seed: bytes, purpose: str, *fields: bytes) -> bytes:
    """Sign fields for a purpose."""
    return Ed25519PrivateKey.from_private_bytes(seed).sign(covered(purpose, *fields))


def issue(seed: bytes, purpose: str, body: Sequence[Value]) -> bytes:
    """Sign a value."""
    raw = pack(body)
    return pack([raw, sign(seed, purpose, raw)])


def peek(signed: bytes) -> list[Value]:
    """Give the fields of a signed value without believing them."""
    body, signature = unpack_array(signed)
    assert isinstance(body, bytes)
    assert isinstance(signature, bytes)
    if pack([body, signature]) != signed:
        raise ValueError("not the one encoding of a signed value")
    return unpack_array(body)


def read(signed: bytes, purpose: str, key: bytes) -> list[Value]:
    """Verify a signed value and give its fields; raises InvalidSignature."""
    fields = peek(signed)
    body, signature = unpack_array(signed)
    assert isinstance(body, bytes)
    assert isinstance(signature, bytes)
    Ed25519PublicKey.from_public_bytes(key).verify(signature, covered(purpose, body))
    return fields


def value_id(signed: bytes) -> bytes:
    """Give the SHA-256 of a signed value's body: what names an event."""
    body = unpack_array(signed)[0]
    assert isinstance(body, bytes)
    return hashlib.sha256(body).digest()


# --- who somebody is


@dataclass(frozen=True)
class Device:
    """A device of an identity, with its secrets and what vouches for it."""

    id: bytes
    identity: bytes
    link_private: bytes
    signing_seed: bytes
    certificate: bytes
    device_list: bytes

    @property
    def link_key(self) -> bytes:
        """Give the public half of the link key."""
        return public_of(self.link_private)


def make_device(
    identity_seed: bytes,
    *,
    listed: bytes = b"",
    name: str = "independent",
    link_private: bytes | None = None,
    device: bytes | None = None,
    signing_seed: bytes | None = None,
    now: int | None = None,
) -> Device:
    """Make a device and the list that has it; listed: the signed list so far, empty for none."""
    identity = verify_key(identity_seed)
    device = device or os.urandom(16)
    link_private = link_private or os.urandom(32)
    signing_seed = signing_seed or os.urandom(32)
    created = now_ms() if now is None else now
    certificate = issue(
        identity_seed,
        "certificate",
        [identity, device, public_of(link_private), verify_key(signing_seed), name, created],
    )
    before = read(listed, "device-list", identity) if listed else [identity, 0, created, [], b""]
    _, counter, _, devices, state_key_hash = before
    assert isinstance(counter, int)
    assert isinstance(devices, list)
    assert isinstance(state_key_hash, bytes)
    entry: list[Value] = [device, hashlib.sha256(certificate).digest(), 0]
    longer: list[Value] = [identity, counter + 1, created, [*devices, entry], state_key_hash]
    signed = issue(identity_seed, "device-list", longer)
    return Device(device, identity, link_private, signing_seed, certificate, signed)


@dataclass(frozen=True)
class Certificate:
    """What a verified certificate says of a device."""

    identity: bytes
    device: bytes
    link_key: bytes
    signing_key: bytes


def read_certificate(certificate: bytes, device_list: bytes, identity: bytes) -> Certificate:
    """Verify a certificate and that the identity's list vouches for it as it stands today."""
    who, device, link_key, signing_key, _, _ = read(certificate, "certificate", identity)
    of, _, _, devices, *_ = read(device_list, "device-list", identity)
    assert isinstance(devices, list)
    assert who == of == identity
    if [device, hashlib.sha256(certificate).digest(), 0] not in devices:
        raise ValueError("the list does not vouch for this device")
    assert isinstance(device, bytes)
    assert isinstance(link_key, bytes)
    assert isinstance(signing_key, bytes)
    return Certificate(identity, device, link_key, signing_key)


# --- passwords


@dataclass(frozen=True)
class Kdf:
    """How a password becomes keys."""

    salt: bytes
    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 4


FLOOR = Kdf(b"")


@dataclass(frozen=True)
class PasswordKeys:
    """What a password gives."""

    root: bytes
    auth_seed: bytes
    wrap_key: bytes


def derive(
    password: str, name: str, tracker_key: bytes, kdf: Kdf, recovery_key: bytes = b""
) -> PasswordKeys:
    """Turn a password into keys; refuses parameters below the floor."""
    if kdf.memory_kib < FLOOR.memory_kib or kdf.passes < FLOOR.passes or kdf.lanes < FLOOR.lanes:
        raise ValueError("kdf-too-weak")
    content = b"hobnob/v1/kdf\0" + name.encode() + b"\0" + tracker_key + kdf.salt
    root = Argon2id(
        salt=hashlib.sha256(content).digest(),
        length=32,
        iterations=kdf.passes,
        lanes=kdf.lanes,
        memory_cost=kdf.memory_kib,
    ).derive(unicodedata.normalize("NFC", password).encode())
    if recovery_key:
        root = hkdf(root, recovery_key, b"hobnob/v1/recovery")
    return PasswordKeys(
        root, hkdf(root, b"", b"hobnob/v1/auth"), hkdf(root, b"", b"hobnob/v1/wrap")
    )


def seal_box(key: bytes, purpose: str, plaintext: bytes, ad: bytes, salt: bytes) -> bytes:
    """Seal bytes under a key that lasts; salt: 32 random bytes."""
    once = hkdf(key, salt, b"hobnob/v1/box/" + purpose.encode())
    return salt + AESGCM(once).encrypt(nonce(0), plaintext, ad)


def open_box(key: bytes, purpose: str, box: bytes, ad: bytes) -> bytes:
    """Open what `seal_box` sealed; raises InvalidTag."""
    once = hkdf(key, box[:32], b"hobnob/v1/box/" + purpose.encode())
    return AESGCM(once).decrypt(nonce(0), box[32:], ad)


def open_places(key: bytes, sealed: bytes, device: bytes) -> list[list[Value]]:
    """Open where a device can be dialled, with the key that it gives its friends; raises InvalidTag."""
    once = hkdf(key, sealed[:16], b"hobnob/v1/addresses")
    plain = AESGCM(once).decrypt(nonce(0), sealed[16:], device)
    (hosts,) = unpack_array(plain[2 : 2 + int.from_bytes(plain[:2], "big")])
    if not isinstance(hosts, list) or not all(isinstance(host, list) for host in hosts):
        raise TypeError(hosts)
    return [host for host in hosts if isinstance(host, list)]


def seal_vault(
    wrap_key: bytes,
    name: str,
    seed: bytes,
    state_key: bytes,
    counter: int,
    changed: int,
    salt: bytes,
) -> bytes:
    """Seal the vault of an account."""
    plain = pack([seed, state_key, counter, changed])
    return seal_box(wrap_key, "vault", plain, name.encode(), salt)


def open_vault(wrap_key: bytes, name: str, vault: bytes) -> list[Value]:
    """Give identity seed, state key, counter, changed; raises InvalidTag for a wrong password."""
    return unpack_array(open_box(wrap_key, "vault", vault, name.encode()))


# --- what people compare


def conversation_of(one: bytes, other: bytes) -> bytes:
    """Give the id of the conversation of two identities."""
    return hashlib.sha256(b"hobnob/v1/direct\0" + b"".join(sorted((one, other)))).digest()


def safety_number(one: bytes, other: bytes) -> str:
    """Give the 60 digits that two people compare."""
    return "".join(sorted((_safety_half(one), _safety_half(other))))


def _safety_half(identity: bytes) -> str:
    digest = b"hobnob/v1/safety\0" + identity
    for _ in range(5200):
        digest = hashlib.sha256(digest + identity).digest()
    groups = (int.from_bytes(digest[at : at + 5], "big") for at in range(0, 30, 5))
    return "".join(f"{group % 100_000:05}" for group in groups)


def friend_code(name: str, place: str, tracker_key: bytes, identity: bytes) -> str:
    """Give a friend code; place: `hobnob://HOST:PORT/`, empty with an empty key for no tracker."""
    raw = struct.pack("BB", 1, len(name)) + name.encode() + identity
    raw += struct.pack("BB", len(place), len(tracker_key)) + place.encode() + tracker_key
    raw += hashlib.sha256(raw).digest()[:4]
    return "hobnob-friend:" + base64.b32encode(raw).decode().rstrip("=").lower()


def read_friend_code(code: str) -> tuple[str, str, bytes, bytes]:
    """Give name, place, tracker key and identity of a friend code."""
    letters = code.removeprefix("hobnob-friend:").upper()
    raw = base64.b32decode(letters + "=" * (-len(letters) % 8))
    if raw[0] != 1 or hashlib.sha256(raw[:-4]).digest()[:4] != raw[-4:]:
        raise ValueError("not a friend code")
    at = 2 + raw[1]
    name, identity = raw[2:at].decode(), raw[at : at + 32]
    length = raw[at + 32]
    rest = raw[at + 34 : -4]
    return name, rest[:length].decode(), rest[length:], identity


def read_address(address: str) -> tuple[tuple[str, int], bytes]:
    """Give ((host, port), key) of `hobnob://HOST:PORT/#KEY`."""
    place, _, key = address.removeprefix("hobnob://").partition("#")
    host, _, port = place.removesuffix("/").rpartition(":")
    return (host, int(port)), base64.urlsafe_b64decode(key + "=")
