"""Mail: items sealed to one device that is away. PROTOCOL.md, section 4, Mail.

HPKE is written out here (RFC 9180, base mode, one message), with the KEM of the document.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.independent import values
from tests.independent.message_numbers import NAMES, NUMBERS
from tests.independent.msgpack import Value, pack, unpack_array
from tests.independent.noise import dh, public_of
from tests.independent.values import Certificate, Device

KIB = 1024
SIZES = [size * KIB for size in (2, 4, 8, 16, 32, 64, 96)]
ENCAPSULATION = 1088 + 32
OVERHEAD = ENCAPSULATION + 16
SUITE = b"HPKE" + struct.pack(">HHH", 0x647A, 0x0001, 0x0002)


@dataclass(frozen=True)
class MailKey:
    """A key that items are sealed to: the ML-KEM seed (64 bytes) and the X25519 private key (32)."""

    number: int
    seed: bytes
    private: bytes

    @property
    def public(self) -> bytes:
        """Give the public half."""
        kem = MLKEM768PrivateKey.from_seed_bytes(self.seed).public_key()
        return kem.public_bytes_raw() + public_of(self.private)


def new_key(number: int) -> MailKey:
    """Draw a key."""
    return MailKey(number, os.urandom(64), os.urandom(32))


def prekey(own: Device, key: MailKey, *, is_one_time: bool, created: int) -> bytes:
    """Sign the public half of a key."""
    body: list[Value] = [own.id, key.number, is_one_time, created, key.public]
    return values.issue(own.signing_seed, "prekey", body)


def info_of(sender: bytes, device: bytes, recipient: bytes, to_device: bytes, number: int) -> bytes:
    """Give what an item is bound to: identity and device of both, and the prekey's number."""
    names = sender + device + recipient + to_device
    return b"hobnob/v1/mail\0" + names + struct.pack(">Q", number)


def seal(public: bytes, info: bytes, plaintext: bytes) -> bytes:
    """Seal to a public key."""
    kem_secret, kem_ciphertext = MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    ephemeral = os.urandom(32)
    theirs = public[1184:]
    shared = _combine(kem_secret, dh(ephemeral, theirs), public_of(ephemeral), theirs)
    key, nonce = _schedule(shared, info)
    sealed = AESGCM(key).encrypt(nonce, plaintext, None)
    return kem_ciphertext + public_of(ephemeral) + sealed


def open_sealed(key: MailKey, info: bytes, item: bytes) -> bytes:
    """Open what `seal` sealed; raises InvalidTag."""
    kem_ciphertext, theirs = item[:1088], item[1088:ENCAPSULATION]
    kem_secret = MLKEM768PrivateKey.from_seed_bytes(key.seed).decapsulate(kem_ciphertext)
    shared = _combine(kem_secret, dh(key.private, theirs), theirs, public_of(key.private))
    once, nonce = _schedule(shared, info)
    return AESGCM(once).decrypt(nonce, item[ENCAPSULATION:], None)


def write_letter(own: Device, records: Sequence[tuple[str, Sequence[Value]]]) -> bytes:
    """Write a letter of messages, padded as it is sealed."""
    written: list[Value] = [
        struct.pack(">H", NUMBERS[name]) + pack(fields) for name, fields in records
    ]
    letter = pack([own.certificate, own.device_list, written])
    size = next(size for size in SIZES if 4 + len(letter) + OVERHEAD <= size)
    return (struct.pack(">I", len(letter)) + letter).ljust(size - OVERHEAD, b"\0")


def read_letter(
    plaintext: bytes, identity: bytes
) -> tuple[Certificate, list[tuple[str, list[Value]]]]:
    """Give who wrote a letter, verified, and the messages in it."""
    if len(plaintext) + OVERHEAD not in SIZES:
        raise ValueError("not one of the sizes")
    (length,) = struct.unpack(">I", plaintext[:4])
    if any(plaintext[4 + length :]):
        raise ValueError("padded with something")
    certificate, device_list, written = unpack_array(plaintext[4 : 4 + length])
    assert isinstance(certificate, bytes)
    assert isinstance(device_list, bytes)
    assert isinstance(written, list)
    records = []
    for record in written:
        assert isinstance(record, bytes)
        (number,) = struct.unpack(">H", record[:2])
        records.append((NAMES[number], unpack_array(record[2:])))
    return values.read_certificate(certificate, device_list, identity), records


def _combine(kem_secret: bytes, dh_secret: bytes, ephemeral: bytes, static: bytes) -> bytes:
    """Give the shared secret of both KEMs."""
    return hashlib.sha3_256(
        kem_secret + dh_secret + ephemeral + static + rb"\.//^" + b"\\"
    ).digest()


def _schedule(shared: bytes, info: bytes) -> tuple[bytes, bytes]:
    """Give key and nonce of the one message (RFC 9180, section 5.1, mode_base)."""
    hashes = _extract(b"", b"psk_id_hash", b"") + _extract(b"", b"info_hash", info)
    secret = _extract(shared, b"secret", b"")
    context = b"\0" + hashes
    return _expand(secret, b"key", context, 32), _expand(secret, b"base_nonce", context, 12)


def _extract(salt: bytes, label: bytes, material: bytes) -> bytes:
    return hmac.digest(salt or bytes(32), b"HPKE-v1" + SUITE + label + material, "sha256")


def _expand(secret: bytes, label: bytes, context: bytes, length: int) -> bytes:
    content = struct.pack(">H", length) + b"HPKE-v1" + SUITE + label + context
    return hmac.digest(secret, content + b"\x01", "sha256")[:length]
