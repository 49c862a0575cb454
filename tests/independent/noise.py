"""`Noise_XKpsk3_25519_AESGCM_SHA256` with a psk from ML-KEM-768, and the records after it.

PROTOCOL.md, section 1, with the Noise text (revision 34) for what it does not repeat.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import struct
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

NAME = b"Noise_XKpsk3_25519_AESGCM_SHA256"
KEM_KEY_BYTES = 1184
LAST_NONCE = 2**64 - 1


@dataclass
class Dice:
    """Everything random of one handshake; a vector says what they were, else they are drawn."""

    kem_seed: bytes = field(default_factory=lambda: os.urandom(64))
    ephemeral: bytes = field(default_factory=lambda: os.urandom(32))
    encapsulated: tuple[bytes, bytes] | None = None  # (secret, ciphertext) of a vector

    def encapsulate(self, public: bytes) -> tuple[bytes, bytes]:
        """Give (secret, ciphertext) for the owner of an ML-KEM key."""
        if self.encapsulated is not None:
            return self.encapsulated
        return MLKEM768PublicKey.from_public_bytes(public).encapsulate()


def public_of(private: bytes) -> bytes:
    """Give the X25519 public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def dh(private: bytes, public: bytes) -> bytes:
    """Give the X25519 shared secret; the library refuses a result of zeros."""
    return X25519PrivateKey.from_private_bytes(private).exchange(
        X25519PublicKey.from_public_bytes(public)
    )


def hkdf(secret: bytes, salt: bytes, info: bytes) -> bytes:
    """Give 32 bytes by HKDF-SHA256 (RFC 5869); an empty salt is one of zeros."""
    key = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(key, info + b"\x01", "sha256")


def nonce(number: int) -> bytes:
    """Give the 12 bytes of a nonce: 4 zero bytes, then the count."""
    return bytes(4) + struct.pack(">Q", number)


class Direction:
    """One direction of a link: key, count, and when the key is replaced."""

    def __init__(
        self, key: bytes, rekey_after_records: int = 2**20, rekey_after_bytes: int = 2**35
    ) -> None:
        self.key = key
        self.count = 0
        self.limits = rekey_after_records, rekey_after_bytes
        self.used = (0, 0)

    def seal(self, plaintext: bytes) -> bytes:
        """Give the next record, without its length."""
        sealed = AESGCM(self.key).encrypt(nonce(self.count), plaintext, None)
        self._used(len(plaintext))
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Give what the next record carries; raises InvalidTag."""
        plaintext = AESGCM(self.key).decrypt(nonce(self.count), sealed, None)
        self._used(len(plaintext))
        return plaintext

    def _used(self, length: int) -> None:
        self.count += 1
        self.used = self.used[0] + 1, self.used[1] + length
        if any(used >= limit for used, limit in zip(self.used, self.limits, strict=True)):
            self.key = AESGCM(self.key).encrypt(nonce(LAST_NONCE), bytes(32), None)[:32]
            self.used = (0, 0)


class Handshake:
    """One side of a handshake: `write` and `read` by turns, three messages in all, then `split`.

    prologue: preamble and the 32 bytes of whom the initiator expects. static: 32 bytes, private.
    remote_static: whom an initiator calls; a responder learns it.
    """

    def __init__(
        self,
        prologue: bytes,
        static: bytes,
        remote_static: bytes | None,
        dice: Dice | None = None,
    ) -> None:
        self.is_initiator = remote_static is not None
        self.dice = dice or Dice()
        self.static = static
        self.remote_static = remote_static or b""
        self.remote_ephemeral = b""
        self.h = self.ck = NAME.ljust(32, b"\0")
        self.key: bytes | None = None
        self.count = 0
        self.psk = b""
        self.kem = MLKEM768PrivateKey.from_seed_bytes(self.dice.kem_seed)
        self.kem_secret, self.kem_ciphertext = b"", b""
        self._mix_hash(prologue)
        self._mix_hash(self.remote_static if self.is_initiator else public_of(static))

    # --- the messages

    def write_1(self) -> bytes:
        """e, es: with our encapsulation key."""
        message = self._write_ephemeral()
        self._mix_key(dh(self.dice.ephemeral, self.remote_static))
        return message + self._seal(self.kem.public_key().public_bytes_raw())

    def read_1(self, message: bytes) -> None:
        """e, es: their encapsulation key, which we answer."""
        rest = self._read_ephemeral(message)
        self._mix_key(dh(self.static, self.remote_ephemeral))
        self.kem_secret, self.kem_ciphertext = self.dice.encapsulate(self._open(rest))

    def write_2(self) -> bytes:
        """e, ee: with the ciphertext."""
        message = self._write_ephemeral()
        self._mix_key(dh(self.dice.ephemeral, self.remote_ephemeral))
        message += self._seal(self.kem_ciphertext)
        self.psk = hkdf(self.kem_secret, self.h, b"hobnob/v1/psk")
        return message

    def read_2(self, message: bytes) -> None:
        """e, ee: the ciphertext gives the secret, and that the psk."""
        rest = self._read_ephemeral(message)
        self._mix_key(dh(self.dice.ephemeral, self.remote_ephemeral))
        self.kem_secret = self.kem.decapsulate(self._open(rest))
        self.psk = hkdf(self.kem_secret, self.h, b"hobnob/v1/psk")

    def write_3(self) -> bytes:
        """s, se, psk: nothing in it."""
        message = self._seal(public_of(self.static))
        self._mix_key(dh(self.static, self.remote_ephemeral))
        self._mix_key_and_hash(self.psk)
        return message + self._seal(b"")

    def read_3(self, message: bytes) -> None:
        """s, se, psk: who calls."""
        self.remote_static = self._open(message[:48])
        self._mix_key(dh(self.dice.ephemeral, self.remote_static))
        self._mix_key_and_hash(self.psk)
        if self._open(message[48:]):
            raise ValueError("the third message has a payload")

    def split(self) -> tuple[bytes, bytes]:
        """Give the keys of the two directions: we to them, they to us."""
        first, second = self._derive(b"", 2)
        return (first, second) if self.is_initiator else (second, first)

    # --- the symmetric state of the Noise text

    def _write_ephemeral(self) -> bytes:
        public = public_of(self.dice.ephemeral)
        self._mix_hash(public)
        self._mix_key(public)  # section 9.2 of the Noise text: so it is where there is a psk
        return public

    def _read_ephemeral(self, message: bytes) -> bytes:
        self.remote_ephemeral = message[:32]
        self._mix_hash(self.remote_ephemeral)
        self._mix_key(self.remote_ephemeral)
        return message[32:]

    def _derive(self, material: bytes, outputs: int) -> list[bytes]:
        secret = hmac.digest(self.ck, material, "sha256")
        derived, block = [], b""
        for number in range(1, outputs + 1):
            block = hmac.digest(secret, block + bytes((number,)), "sha256")
            derived.append(block)
        return derived

    def _mix_hash(self, content: bytes) -> None:
        self.h = hashlib.sha256(self.h + content).digest()

    def _mix_key(self, material: bytes) -> None:
        self.ck, self.key = self._derive(material, 2)
        self.count = 0

    def _mix_key_and_hash(self, psk: bytes) -> None:
        self.ck, mixed, self.key = self._derive(psk, 3)
        self._mix_hash(mixed)
        self.count = 0

    def _seal(self, plaintext: bytes) -> bytes:
        assert self.key is not None
        sealed = AESGCM(self.key).encrypt(nonce(self.count), plaintext, self.h)
        self.count += 1
        self._mix_hash(sealed)
        return sealed

    def _open(self, sealed: bytes) -> bytes:
        assert self.key is not None
        plaintext = AESGCM(self.key).decrypt(nonce(self.count), sealed, self.h)
        self.count += 1
        self._mix_hash(sealed)
        return plaintext
