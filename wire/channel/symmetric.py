"""CipherState and SymmetricState of the Noise text, revision 34, sections 5.1 and 5.2.

Names follow the text (`ck`, `h`, `k`, `n` are spelt out). Both are generic over a `Suite`, the
value that holds the functions; the product has one, `AESGCM_SHA256`. Which message carries what is
not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from wire.channel import primitives
from wire.codes import Code
from wire.errors import LocalProtocolError

NONCES = 2**64 - 1
"""How many messages one key may seal: the nonces 0 to 2^64-2. The last one belongs to REKEY."""


class Aead(Protocol):
    """An AEAD under one key; `primitives.AesGcm` says what arguments and errors are."""

    def seal(self, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
        """Give the ciphertext with its tag of 16 bytes."""
        ...

    def open(self, nonce: int, ad: bytes, ciphertext: bytes) -> bytes:
        """Give the plaintext, or raise RemoteProtocolError."""
        ...

    def seal_into(self, nonce: int, ad: bytes, plaintext: memoryview, out: memoryview) -> None:
        """Write the ciphertext with its tag to `out`."""
        ...

    def open_into(self, nonce: int, ad: bytes, ciphertext: memoryview, out: memoryview) -> None:
        """Write the plaintext to `out`, or raise RemoteProtocolError."""
        ...


class Suite(Struct, frozen=True):
    """The functions of one Noise cipher suite.

    name: as in a protocol name, `25519_AESGCM_SHA256`. hash_length: 32 or 64 bytes. hash: bytes to
    digest. derive: (secret, salt, length) to so many bytes, by HKDF (RFC 5869) without info. aead:
    (key of 32 bytes, code to blame) to an AEAD under that key.
    """

    name: str
    hash_length: int
    hash: Callable[[bytes], bytes]
    derive: Callable[[bytes, bytes, int], bytes]
    aead: Callable[[bytes, Code], Aead]

    def hkdf(self, chaining_key: bytes, material: bytes, outputs: int) -> list[bytes]:
        """Derive keys from a chaining key and new material: HKDF with empty info (Noise, section 4.3).

        chaining_key: hash_length bytes. material: 0, 32 or 64 bytes. outputs: 2 or 3. Gives so many
        values of hash_length bytes.
        """
        size = self.hash_length
        derived = self.derive(material, chaining_key, outputs * size)
        return [derived[at : at + size] for at in range(0, outputs * size, size)]


AESGCM_SHA256 = Suite(
    "25519_AESGCM_SHA256",
    primitives.HASH_BYTES,
    primitives.sha256,
    primitives.derive,
    primitives.AesGcm,
)
"""The suite of our links."""


class CipherState:
    """A key and its counter: the one place where a nonce is chosen.

    The key is set up for its first use, and again after a rest.
    """

    __slots__ = ("_aead", "_blame", "_key", "_suite", "nonce")

    def __init__(self, suite: Suite, key: bytes | None, *, blame: Code) -> None:
        """Start at nonce 0.

        key: 32 bytes, secret, or None: then everything passes in clear, as the first handshake
        messages of some patterns do. blame: the code of a tag that does not verify.
        """
        self._suite = suite
        self._blame = blame
        self._key = key
        self._aead: Aead | None = None
        self.nonce = 0

    @property
    def has_key(self) -> bool:
        """Whether what passes here is sealed."""
        return self._key is not None

    def encrypt(self, ad: bytes, plaintext: bytes) -> bytes:
        """Seal under the next nonce (EncryptWithAd); raises LocalProtocolError if none is left."""
        if self._key is None:
            return plaintext
        sealed = self._keyed().seal(self._next(), ad, plaintext)
        self.nonce += 1
        return sealed

    def decrypt(self, ad: bytes, ciphertext: bytes) -> bytes:
        """Open under the next nonce (DecryptWithAd), which is used up only if the tag verifies.

        Raises RemoteProtocolError with the blame, LocalProtocolError when no nonce is left.
        """
        if self._key is None:
            return ciphertext
        plaintext = self._keyed().open(self._next(), ad, ciphertext)
        self.nonce += 1
        return plaintext

    def encrypt_into(self, plaintext: memoryview, out: memoryview) -> None:
        """Seal under the next nonce to a buffer of exactly the plaintext's length and 16."""
        self._keyed().seal_into(self._next(), b"", plaintext, out)
        self.nonce += 1

    def decrypt_into(self, ciphertext: memoryview, out: memoryview) -> None:
        """Open under the next nonce to a buffer of exactly the ciphertext's length less 16."""
        self._keyed().open_into(self._next(), b"", ciphertext, out)
        self.nonce += 1

    def rekey(self) -> None:
        """Replace the key by REKEY(k) (Noise, section 4.2); the nonce goes on: none repeats."""
        fresh = self._keyed().seal(NONCES, b"", bytes(primitives.KEY_BYTES))
        self._key = fresh[: primitives.KEY_BYTES]
        self._aead = None

    def rest(self) -> None:
        """Free what a key that is set up takes, 2.7 KiB: two microseconds at the next use (2026-11)."""
        self._aead = None

    def _keyed(self) -> Aead:
        if self._aead is None:
            if self._key is None:
                raise LocalProtocolError("this cipher has no key yet")
            self._aead = self._suite.aead(self._key, self._blame)
        return self._aead

    def _next(self) -> int:
        if self.nonce >= NONCES:
            raise LocalProtocolError("every nonce of this key is used")
        return self.nonce


class SymmetricState:
    """The chaining key and the transcript hash of one handshake."""

    __slots__ = ("_chaining_key", "_cipher", "_suite", "handshake_hash")

    def __init__(self, protocol_name: str, suite: Suite) -> None:
        """Start from a name such as `Noise_XX_25519_AESGCM_SHA256` (InitializeSymmetric)."""
        self._suite = suite
        name = protocol_name.encode("ascii")
        fits = len(name) <= suite.hash_length
        self.handshake_hash = name.ljust(suite.hash_length, b"\0") if fits else suite.hash(name)
        self._chaining_key = self.handshake_hash
        self._cipher = CipherState(suite, None, blame=Code.HANDSHAKE_FAILED)

    def mix_key(self, material: bytes) -> None:
        """Take a DH result or, in psk patterns, an ephemeral key (32 bytes) into the key."""
        self._chaining_key, key = self._suite.hkdf(self._chaining_key, material, 2)
        self._set_key(key)

    def mix_hash(self, public: bytes) -> None:
        """Take what both sides must have seen alike, any bytes, into the transcript (MixHash)."""
        self.handshake_hash = self._suite.hash(self.handshake_hash + public)

    def mix_key_and_hash(self, psk: bytes) -> None:
        """Take a pre-shared key (32 bytes, secret) into key and transcript (MixKeyAndHash)."""
        self._chaining_key, mixed, key = self._suite.hkdf(self._chaining_key, psk, 3)
        self.mix_hash(mixed)
        self._set_key(key)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        """Seal with the transcript as associated data, and take the result into it."""
        sealed = self._cipher.encrypt(self.handshake_hash, plaintext)
        self.mix_hash(sealed)
        return sealed

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """Open with the transcript as associated data, or raise HANDSHAKE_FAILED."""
        plaintext = self._cipher.decrypt(self.handshake_hash, ciphertext)
        self.mix_hash(ciphertext)
        return plaintext

    @property
    def has_key(self) -> bool:
        """Whether what is sealed from here on carries a tag (of 16 bytes)."""
        return self._cipher.has_key

    def split(self) -> tuple[CipherState, CipherState]:
        """Give the ciphers of the two directions: the initiator's, the responder's."""
        first, second = self._suite.hkdf(self._chaining_key, b"", 2)
        return self._transport(first), self._transport(second)

    def _transport(self, key: bytes) -> CipherState:
        return CipherState(self._suite, key[: primitives.KEY_BYTES], blame=Code.LINK_CORRUPT)

    def _set_key(self, key: bytes) -> None:
        self._cipher = CipherState(
            self._suite, key[: primitives.KEY_BYTES], blame=Code.HANDSHAKE_FAILED
        )
