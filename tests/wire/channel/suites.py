"""The cipher suites of the published vectors; the product's own is the product's very object."""

from __future__ import annotations

import functools
import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire.channel import primitives
from wire.channel.symmetric import AESGCM_SHA256, Aead, Suite
from wire.codes import Code
from wire.errors import RemoteProtocolError


class ChaChaPoly:
    """ChaCha20-Poly1305 with nonces of 4 zero bytes and 64 bits, little-endian (Noise, 12.3)."""

    def __init__(self, key: bytes, blame: Code) -> None:
        self._cipher = ChaCha20Poly1305(key)
        self._blame = blame

    def seal(self, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
        return self._cipher.encrypt(_nonce(nonce), plaintext, ad)

    def open(self, nonce: int, ad: bytes, ciphertext: bytes) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(nonce), ciphertext, ad)
        except InvalidTag as error:
            raise RemoteProtocolError(self._blame) from error

    def seal_into(self, nonce: int, ad: bytes, plaintext: memoryview, out: memoryview) -> None:
        out[:] = self.seal(nonce, ad, bytes(plaintext))

    def open_into(self, nonce: int, ad: bytes, ciphertext: memoryview, out: memoryview) -> None:
        out[:] = self.open(nonce, ad, bytes(ciphertext))


def _nonce(nonce: int) -> bytes:
    return bytes(4) + nonce.to_bytes(8, "little")


def _digest(name: str, content: bytes) -> bytes:
    return hashlib.new(name, content).digest()


def _derive(name: str, secret: bytes, salt: bytes, length: int) -> bytes:
    """Do HKDF as the Noise text spells it out (section 4.3), not as the product does."""
    key = hmac.digest(salt, secret, name)
    derived = block = hmac.digest(key, b"\x01", name)
    while len(derived) < length:
        number = len(derived) // len(block) + 1
        block = hmac.digest(key, block + bytes((number,)), name)
        derived += block
    return derived


def _suites() -> dict[str, Suite]:
    ciphers: dict[str, type[ChaChaPoly | primitives.AesGcm]] = {
        "AESGCM": primitives.AesGcm,
        "ChaChaPoly": ChaChaPoly,
    }
    suites: dict[str, Suite] = {}
    for cipher, aead in ciphers.items():
        for hash_name in ("SHA256", "SHA512", "BLAKE2s", "BLAKE2b"):
            name, library = f"25519_{cipher}_{hash_name}", hash_name.lower()
            suites[name] = Suite(
                name,
                hashlib.new(library).digest_size,
                functools.partial(_digest, library),
                functools.partial(_derive, library),
                aead,
            )
    suites[AESGCM_SHA256.name] = AESGCM_SHA256
    return suites


SUITES = _suites()
"""By name: 2 ciphers and 4 hashes."""


class NotingAead:
    """AES-GCM that writes down which nonce sealed under which key; `noting_suite` makes one."""

    def __init__(self, notes: list[tuple[bytes, int]], key: bytes, blame: Code) -> None:
        self._notes = notes
        self._key = key
        self._inner = primitives.AesGcm(key, blame)
        self.open = self._inner.open
        self.open_into = self._inner.open_into

    def seal(self, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
        self._notes.append((self._key, nonce))
        return self._inner.seal(nonce, ad, plaintext)

    def seal_into(self, nonce: int, ad: bytes, plaintext: memoryview, out: memoryview) -> None:
        self._notes.append((self._key, nonce))
        self._inner.seal_into(nonce, ad, plaintext, out)


def noting_suite(notes: list[tuple[bytes, int]]) -> Suite:
    """The product's suite, which notes (key, nonce) of everything it seals."""

    def aead(key: bytes, blame: Code) -> Aead:
        return NotingAead(notes, key, blame)

    suite = AESGCM_SHA256
    return Suite(suite.name, suite.hash_length, suite.hash, suite.derive, aead)
