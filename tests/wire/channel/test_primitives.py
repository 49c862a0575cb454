from __future__ import annotations

import sys
from collections.abc import Iterator
from types import ModuleType

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.entropy import SeededEntropy
from tests.wire.channel.suites import SUITES
from wire.channel import primitives
from wire.channel.handshake import Role
from wire.channel.hybrid import HybridHandshake
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError

ML_KEM = "cryptography.hazmat.primitives.asymmetric.mlkem"

LOW_ORDER_POINTS = [
    bytes.fromhex(point)
    for point in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
]
"""Points of small order on Curve25519 and its twist (cr.yp.to/ecdh.html, "validate")."""

LOW_ORDER = LOW_ORDER_POINTS + [
    point[:31] + bytes((point[31] | 0x80,)) for point in LOW_ORDER_POINTS
]
"""The same with the top bit set, which X25519 ignores (RFC 7748, section 5)."""


def test_dh_is_the_one_of_rfc_7748_section_6_1() -> None:
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    bob_public = "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    alice = bytes.fromhex("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
    secret = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert primitives.x25519_public(bob).hex() == bob_public
    assert primitives.dh(bob, alice).hex() == secret


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_a_point_of_low_order_is_refused(point: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        primitives.dh(SeededEntropy(1).bytes(32), point)
    assert caught.value.code is Code.HANDSHAKE_FAILED


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_public_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        primitives.dh(SeededEntropy(1).bytes(32), bytes(length))
    assert caught.value.code is Code.HANDSHAKE_FAILED


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_private_key_of_another_length_is_our_own_mistake(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        primitives.KeyPair(bytes(length))


def test_kem_brings_one_secret_to_both() -> None:
    pair = primitives.KemKeyPair(SeededEntropy(2).bytes(64))
    assert len(pair.public) == primitives.KEM_PUBLIC_BYTES
    secret, ciphertext = primitives.kem_encapsulate(SystemEntropy(), pair.public)
    assert len(ciphertext) == primitives.KEM_CIPHERTEXT_BYTES
    assert pair.decapsulate(ciphertext) == secret
    assert primitives.KemKeyPair(SeededEntropy(2).bytes(64)).public == pair.public


def test_a_corrupt_kem_ciphertext_gives_another_secret_and_no_error() -> None:
    pair = primitives.KemKeyPair(SeededEntropy(2).bytes(64))
    secret, ciphertext = primitives.kem_encapsulate(SystemEntropy(), pair.public)
    corrupt = bytes((ciphertext[0] ^ 1,)) + ciphertext[1:]
    other = pair.decapsulate(corrupt)
    assert len(other) == len(secret)
    assert other != secret


@pytest.mark.parametrize("length", [0, 1087, 1089])
def test_a_kem_ciphertext_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        primitives.KemKeyPair(bytes(64)).decapsulate(bytes(length))
    assert caught.value.code is Code.HANDSHAKE_FAILED


@pytest.mark.parametrize("length", [0, 1183, 1185])
def test_a_kem_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        primitives.kem_encapsulate(SystemEntropy(), bytes(length))
    assert caught.value.code is Code.HANDSHAKE_FAILED


def test_a_kem_seed_of_another_length_is_our_own_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        primitives.KemKeyPair(bytes(63))


class TestWithoutMlKem:
    """The library lacks the algorithm: an old one has no such module, a bare backend refuses it."""

    @pytest.fixture(params=["no module", "no algorithm"])
    def _old_library(
        self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        module = None
        if request.param == "no algorithm":
            module = ModuleType(ML_KEM)
            module.MLKEM768PrivateKey = _Unsupported  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, ML_KEM, module)
        primitives._ml_kem.cache_clear()
        yield
        primitives._ml_kem.cache_clear()

    @pytest.mark.usefixtures("_old_library")
    def test_programs_refuse_to_start(self) -> None:
        with pytest.raises(WireError) as caught:
            primitives.require_ml_kem()
        assert caught.value.code is Code.LIBRARY_TOO_OLD

    @pytest.mark.usefixtures("_old_library")
    def test_no_handshake_begins(self) -> None:
        with pytest.raises(WireError) as caught:
            HybridHandshake(
                role=Role.RESPONDER,
                prologue=b"",
                static_private=bytes(32),
                expected_static=None,
                entropy=SeededEntropy(1),
            )
        assert caught.value.code is Code.LIBRARY_TOO_OLD

    def test_with_it_programs_start(self) -> None:
        primitives.require_ml_kem()


class _Unsupported:
    """What a backend without the algorithm does."""

    @classmethod
    def from_seed_bytes(cls, data: bytes) -> None:
        raise UnsupportedAlgorithm("ML-KEM is not supported by this backend")


def test_the_hash_is_sha_256() -> None:
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert primitives.sha256(b"abc").hex() == digest


@given(st.binary(max_size=70), st.binary(max_size=70), st.sampled_from([64, 96]))
def test_noise_derives_as_its_text_spells_it_out(secret: bytes, salt: bytes, length: int) -> None:
    spelt = SUITES["25519_ChaChaPoly_SHA256"].derive(secret, salt, length)[:length]
    assert primitives.derive(secret, salt, length) == spelt


HKDF_CASES = [
    (
        bytes([0x0B] * 22),
        bytes(range(0x0D)),
        bytes(range(0xF0, 0xFA)),
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        (
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
            "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
            "cc30c58179ec3e87c14c01d5c1f3434f1d87"
        ),
    ),
    (
        bytes([0x0B] * 22),
        b"",
        b"",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("secret", "salt", "info", "okm"), HKDF_CASES)
def test_hkdf_is_the_one_of_rfc_5869_appendix_a(
    secret: bytes, salt: bytes, info: bytes, okm: str
) -> None:
    assert primitives.hkdf(secret, salt, info, len(okm) // 2).hex() == okm


def test_hkdf_gives_no_more_than_255_blocks() -> None:
    assert len(primitives.hkdf(b"secret", b"", b"", 8160)) == 8160
    with pytest.raises(LocalProtocolError):
        primitives.hkdf(b"secret", b"", b"", 8161)


def test_the_cipher_is_aes_256_gcm() -> None:
    """Test case 14 of McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B."""
    sealed = "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"
    assert primitives.seal(bytes(32), 0, b"", bytes(16)).hex() == sealed
    assert primitives.open_(bytes(32), 0, b"", bytes.fromhex(sealed)) == bytes(16)


@given(
    key=st.binary(min_size=32, max_size=32),
    nonce=st.integers(0, 2**64 - 1),
    ad=st.binary(max_size=40),
    plaintext=st.binary(max_size=100),
    bit=st.integers(0),
)
def test_what_is_sealed_opens_alike_by_both_ways_and_no_bit_of_it_may_change(
    key: bytes, nonce: int, ad: bytes, plaintext: bytes, bit: int
) -> None:
    sealed = primitives.seal(key, nonce, ad, plaintext)
    assert primitives.open_(key, nonce, ad, sealed) == plaintext
    cipher = primitives.AesGcm(key, Code.VAULT_INVALID)
    out = bytearray(len(sealed))
    cipher.seal_into(nonce, ad, memoryview(plaintext), memoryview(out))
    assert out == sealed
    back = bytearray(len(plaintext))
    cipher.open_into(nonce, ad, memoryview(sealed), memoryview(back))
    assert back == plaintext

    place, shift = divmod(bit % (8 * len(sealed)), 8)
    out[place] ^= 1 << shift
    for attempt in (
        lambda: cipher.open(nonce, ad, bytes(out)),
        lambda: cipher.open_into(nonce, ad, memoryview(out), memoryview(back)),
        lambda: primitives.open_(key, nonce, ad + b"!", sealed, Code.VAULT_INVALID),
        lambda: primitives.open_(key, nonce ^ 1, ad, sealed, Code.VAULT_INVALID),
    ):
        with pytest.raises(RemoteProtocolError) as caught:
            attempt()
        assert caught.value.code is Code.VAULT_INVALID


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_our_own_mistake(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        primitives.seal(bytes(length), 0, b"", b"")


def test_buffers_of_another_length_are_our_own_mistake() -> None:
    cipher = primitives.AesGcm(bytes(32), Code.LINK_CORRUPT)
    sealed = cipher.seal(0, b"", b"text")
    with pytest.raises(LocalProtocolError):
        cipher.seal_into(0, b"", memoryview(b"text"), memoryview(bytearray(19)))
    with pytest.raises(LocalProtocolError):
        cipher.open_into(0, b"", memoryview(sealed), memoryview(bytearray(5)))


@pytest.mark.parametrize("length", [0, 95, 97])
def test_a_private_hpke_key_of_another_length_is_our_own_mistake(length: int) -> None:
    assert length != primitives.HPKE_PRIVATE_BYTES
    with pytest.raises(LocalProtocolError):
        primitives.hpke_public(bytes(length))
