"""What the library computes for the channel: X25519, ML-KEM-768, SHA-256, HMAC, HKDF, AES-GCM.

The only module that calls these functions of `cryptography`, and the only one that sees the
library's exceptions: what the other side caused becomes RemoteProtocolError, what we caused
LocalProtocolError. No randomness here: private keys and seeds are arguments. Signatures live in
`wire.identity`.
"""

from __future__ import annotations

import functools
import hashlib
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
    from cryptography.hazmat.primitives.hpke import Suite

    from wire.machine import Entropy

KEY_BYTES = 32  # X25519 keys, private and public; AES-256 keys; HKDF output for one key
HASH_BYTES = 32  # SHA-256
KEM_SEED_BYTES = 64  # d || z of FIPS 203, section 7.1
KEM_PUBLIC_BYTES = 1184  # ML-KEM-768 encapsulation key
KEM_CIPHERTEXT_BYTES = 1088
HPKE_PRIVATE_BYTES = KEM_SEED_BYTES + KEY_BYTES  # ML-KEM seed | X25519 private key
HPKE_PUBLIC_BYTES = KEM_PUBLIC_BYTES + KEY_BYTES
HPKE_OVERHEAD_BYTES = KEM_CIPHERTEXT_BYTES + KEY_BYTES + 16  # encapsulation and tag

_NONCE_BYTES = 12
_SHA256 = hashes.SHA256()


class KeyPair:
    """An X25519 key pair (RFC 7748); loading one costs as much as a DH, so it is kept loaded."""

    __slots__ = ("_private", "public")

    def __init__(self, private: bytes) -> None:
        """Load a private key and compute its public half.

        private: 32 bytes, secret, uniformly random. Raises LocalProtocolError for another length.
        """
        try:
            self._private = X25519PrivateKey.from_private_bytes(private)
        except ValueError as error:
            raise LocalProtocolError("an X25519 private key has 32 bytes") from error
        self.public = self._private.public_key().public_bytes_raw()

    def dh(self, public: bytes) -> bytes:
        """Compute the shared secret of 32 bytes with the other side's public key.

        public: the other side's key as it came, any length. Raises RemoteProtocolError with
        HANDSHAKE_FAILED if it is not 32 bytes or of low order, so that the secret would be all zero
        (RFC 7748, section 6.1).
        """
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError as error:
            raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "a public key is unusable") from error


@functools.lru_cache(maxsize=2)
def static_pair(private: bytes) -> KeyPair:
    """Give the pair of a key that is used for every link (32 bytes, secret), loaded once.

    A device has one, or two while it is added by a link of its own; ephemeral keys are no business of this.
    """
    return KeyPair(private)


def x25519_public(private: bytes) -> bytes:
    """Give the public half (32 bytes) of an X25519 private key (32 bytes, secret)."""
    return KeyPair(private).public


def dh(private: bytes, public: bytes) -> bytes:
    """Compute one X25519 secret: `KeyPair(private).dh(public)`, for those who need it once."""
    return KeyPair(private).dh(public)


@functools.cache
def _ml_kem() -> type[MLKEM768PrivateKey]:
    """Find ML-KEM-768 and try it: an old library lacks the module, or its backend the algorithm."""
    try:
        # Imported here and not above: its absence must become an error with a remedy.
        from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

        MLKEM768PrivateKey.from_seed_bytes(bytes(KEM_SEED_BYTES))
    except (ImportError, UnsupportedAlgorithm) as error:
        raise WireError(Code.LIBRARY_TOO_OLD, str(error)) from error
    return MLKEM768PrivateKey


def require_ml_kem() -> None:
    """Refuse to go on without ML-KEM-768; programs call it at their start, each handshake again.

    Raises WireError with LIBRARY_TOO_OLD. There is no fall-back: a link without it would look the
    same and promise less.
    """
    _ml_kem()


class KemKeyPair:
    """An ML-KEM-768 key pair (FIPS 203) for one handshake."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Derive the pair from its seed (FIPS 203, algorithm 16).

        seed: 64 bytes, secret, uniformly random. `public` has 1,184 bytes. Raises
        LocalProtocolError for another length, WireError with LIBRARY_TOO_OLD where the library
        lacks the algorithm.
        """
        try:
            self._private = _ml_kem().from_seed_bytes(seed)
        except ValueError as error:
            raise LocalProtocolError("an ML-KEM seed has 64 bytes") from error
        self.public = self._private.public_key().public_bytes_raw()

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Give the secret of 32 bytes that a ciphertext carries.

        ciphertext: as it came, any length. A corrupt one of the right length (1,088) gives another,
        unpredictable secret (implicit rejection, FIPS 203, section 6.3): the handshake then fails
        at its next tag. Raises RemoteProtocolError with HANDSHAKE_FAILED for another length.
        """
        try:
            return self._private.decapsulate(ciphertext)
        except ValueError as error:
            raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "a KEM value is unusable") from error


def kem_encapsulate(entropy: Entropy, public: bytes) -> tuple[bytes, bytes]:
    """Make a secret and the ciphertext that carries it to the owner of an ML-KEM-768 key.

    public: the key as it came, any length. Gives (secret: 32 bytes, ciphertext: 1,088 bytes).
    Raises RemoteProtocolError with HANDSHAKE_FAILED for a key that is not 1,184 bytes or has
    coefficients that are not reduced (the input check of FIPS 203, section 7.2, which the library
    makes).
    """
    try:
        return entropy.kem_encapsulate(public)
    except ValueError as error:
        raise RemoteProtocolError(Code.HANDSHAKE_FAILED, "a KEM value is unusable") from error


def sha256(content: bytes) -> bytes:
    """Give the SHA-256 (32 bytes) of any bytes."""
    return hashlib.sha256(content).digest()


def derive(secret: bytes, salt: bytes, length: int) -> bytes:
    """Do what Noise calls HKDF: the one of RFC 5869 without info; arguments as of `hkdf`."""
    return hkdf(secret, salt, b"", length)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """Derive `length` bytes from a secret by HKDF-SHA256 (RFC 5869).

    secret: any bytes with enough entropy in them. salt: public, may be empty. info: what the key is
    for. length: at most 8,160 bytes. Raises LocalProtocolError for more.
    """
    try:
        return HKDF(_SHA256, length, salt, info).derive(secret)
    except ValueError as error:
        raise LocalProtocolError("HKDF gives at most 8,160 bytes") from error


class AesGcm:
    """AES-256-GCM under one key, with the nonces of Noise: 4 zero bytes, then 64 bits, big-endian.

    Never use one nonce twice with one key: whoever holds an instance counts
    (`symmetric.CipherState`).
    """

    __slots__ = ("_blame", "_cipher")

    def __init__(self, key: bytes, blame: Code) -> None:
        """Set up a key.

        key: 32 bytes, secret. blame: the code of what it means here if a tag does not verify.
        Raises LocalProtocolError for a key of another length.
        """
        if len(key) != KEY_BYTES:
            raise LocalProtocolError("an AES-256 key has 32 bytes")
        self._cipher = AESGCM(key)
        self._blame = blame

    def seal(self, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
        """Give the ciphertext with its tag of 16 bytes.

        nonce: 0 to 2^64-1. ad: authenticated only. plaintext: any bytes, also none.
        """
        return self._cipher.encrypt(nonce.to_bytes(_NONCE_BYTES, "big"), plaintext, ad)

    def open(self, nonce: int, ad: bytes, ciphertext: bytes) -> bytes:
        """Give the plaintext of a ciphertext with tag, or raise RemoteProtocolError(blame)."""
        try:
            return self._cipher.decrypt(nonce.to_bytes(_NONCE_BYTES, "big"), ciphertext, ad)
        except InvalidTag as error:
            raise RemoteProtocolError(self._blame, "a tag did not verify") from error

    def seal_into(self, nonce: int, ad: bytes, plaintext: memoryview, out: memoryview) -> None:
        """Write the ciphertext with its tag to `out` without a copy in between.

        plaintext, out: contiguous views of bytes, `out` of exactly the plaintext's length and 16.
        Raises LocalProtocolError for another length.
        """
        try:
            self._cipher.encrypt_into(nonce.to_bytes(_NONCE_BYTES, "big"), plaintext, ad, out)
        except ValueError as error:
            raise LocalProtocolError("a buffer to seal into has another length") from error

    def open_into(self, nonce: int, ad: bytes, ciphertext: memoryview, out: memoryview) -> None:
        """Write the plaintext to `out` without a copy in between.

        ciphertext, out: contiguous views of bytes, `out` of exactly the ciphertext's length less
        16; they begin at one place or do not overlap. Raises RemoteProtocolError with the blame
        (what then stands in `out` must not be read) and LocalProtocolError for another length.
        """
        try:
            self._cipher.decrypt_into(nonce.to_bytes(_NONCE_BYTES, "big"), ciphertext, ad, out)
        except InvalidTag as error:
            raise RemoteProtocolError(self._blame, "a tag did not verify") from error
        except ValueError as error:
            raise LocalProtocolError("a buffer to open into has another length") from error


def seal(key: bytes, nonce: int, ad: bytes, plaintext: bytes) -> bytes:
    """Seal once under a key that seals nothing else with this nonce; see `AesGcm.seal`.

    key: 32 bytes, secret. nonce: 0 to 2^64-1, too short to be drawn at random: whoever needs that
    derives a fresh key by `hkdf` from a random salt and uses nonce 0.
    """
    return AesGcm(key, Code.LINK_CORRUPT).seal(nonce, ad, plaintext)


def open_(
    key: bytes, nonce: int, ad: bytes, ciphertext: bytes, blame: Code = Code.LINK_CORRUPT
) -> bytes:
    """Open what `seal` made; RemoteProtocolError with the code `blame` if it does not verify."""
    return AesGcm(key, blame).open(nonce, ad, ciphertext)


def hpke_public(private: bytes) -> bytes:
    """Give the public half of an HPKE key; private: HPKE_PRIVATE_BYTES, secret, uniformly random."""
    kem, dh = _hpke_halves(private)
    return kem.public_key().public_bytes_raw() + dh.public_key().public_bytes_raw()


def hpke_seal(plaintext: bytes, public: bytes, info: bytes) -> bytes:
    """Seal to a public key by HPKE; only the real dice call this, since the library draws.

    public: HPKE_PUBLIC_BYTES. Raises ValueError for bytes that are no such key.
    """
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PublicKey
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PublicKey

    key = MLKEM768X25519PublicKey(
        MLKEM768PublicKey.from_public_bytes(public[:KEM_PUBLIC_BYTES]),
        X25519PublicKey.from_public_bytes(public[KEM_PUBLIC_BYTES:]),
    )
    return _hpke().encrypt(plaintext, key, info=info)


def hpke_open(private: bytes, info: bytes, sealed: bytes, blame: Code) -> bytes:
    """Open what was sealed by HPKE to the public half of a key, or raise RemoteProtocolError(blame).

    private: HPKE_PRIVATE_BYTES, secret. sealed: any bytes.
    """
    from cryptography.hazmat.primitives.hpke import MLKEM768X25519PrivateKey

    try:
        return _hpke().decrypt(sealed, MLKEM768X25519PrivateKey(*_hpke_halves(private)), info=info)
    except (InvalidTag, ValueError) as error:
        raise RemoteProtocolError(blame, "a sealed item does not open") from error


@functools.cache
def _hpke() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def _hpke_halves(private: bytes) -> tuple[MLKEM768PrivateKey, X25519PrivateKey]:
    from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

    if len(private) != HPKE_PRIVATE_BYTES:
        raise LocalProtocolError(f"a private HPKE key has {HPKE_PRIVATE_BYTES} bytes")
    return (
        MLKEM768PrivateKey.from_seed_bytes(private[:KEM_SEED_BYTES]),
        X25519PrivateKey.from_private_bytes(private[KEM_SEED_BYTES:]),
    )
