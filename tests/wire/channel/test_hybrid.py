"""The handshake of our links, and whoever attacks it: every one fails closed."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.harness.entropy import SeededEntropy
from tests.wire.channel.sides import (
    INITIATOR_PUBLIC,
    PROLOGUE,
    RESPONDER_KEY,
    RESPONDER_PUBLIC,
    bare,
    initiator,
    responder,
    shake_hands,
)
from tests.wire.channel.test_primitives import LOW_ORDER
from wire.channel.handshake import Role
from wire.channel.hybrid import HybridHandshake
from wire.channel.primitives import KemKeyPair, KeyPair, kem_encapsulate
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError

LENGTHS = (1232, 1136, 64)
PLACES = st.integers(0, 2).flatmap(
    lambda number: st.tuples(st.just(number), st.integers(0, 8 * LENGTHS[number] - 1))
)


def _refused(read: Callable[[bytes], object], message: bytes) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(message)
    assert caught.value.code is Code.HANDSHAKE_FAILED


def _assert_dead(side: HybridHandshake) -> None:
    """Nothing more can be got out of a handshake that failed."""
    assert not side.is_finished
    assert not side.next_is_write
    for verb in (
        side.write,
        side.split,
        lambda: side.read(b""),
        lambda: side.handshake_hash,
        lambda: side.remote_static,
    ):
        with pytest.raises(LocalProtocolError):
            verb()


def _until(number: int) -> tuple[HybridHandshake, bytes]:
    """Shake hands until message `number` (from 0) is written; give its reader and the message."""
    writer, reader = initiator(), responder()
    for _ in range(number):
        reader.read(writer.write())
        writer, reader = reader, writer
    return reader, writer.write()


def test_both_sides_end_with_the_same_channel_and_know_each_other() -> None:
    one, other = initiator(), responder()
    assert tuple(map(len, shake_hands(one, other))) == LENGTHS
    assert one.is_finished
    assert other.is_finished
    assert one.handshake_hash == other.handshake_hash
    assert len(one.handshake_hash) == 32
    assert one.remote_static == RESPONDER_PUBLIC
    assert other.remote_static == INITIATOR_PUBLIC
    (seal, open_), (seal_back, open_back) = one.split(), other.split()
    assert open_back.open(seal.seal(b"there")[4:]) == b"there"
    assert open_.open(seal_back.seal(b"and back")[4:]) == b"and back"


def test_no_two_handshakes_are_alike_even_with_the_same_seeds() -> None:
    """The encapsulation alone already makes them differ."""
    hashes = set()
    for _ in range(3):
        one, other = initiator(), responder()
        shake_hands(one, other)
        hashes.add(one.handshake_hash)
    assert len(hashes) == 3


def test_an_initiator_must_know_whom_it_calls() -> None:
    with pytest.raises(LocalProtocolError):
        HybridHandshake(
            role=Role.INITIATOR,
            prologue=PROLOGUE,
            static_private=RESPONDER_KEY,
            expected_static=None,
            entropy=SeededEntropy(1),
        )


def test_verbs_out_of_turn_are_our_own_mistake_and_change_nothing() -> None:
    one, other = initiator(), responder()
    for wrong in (
        other.write,
        one.split,
        lambda: one.read(b""),
        lambda: one.handshake_hash,
        lambda: other.remote_static,
    ):
        with pytest.raises(LocalProtocolError):
            wrong()
    shake_hands(one, other)
    assert one.handshake_hash == other.handshake_hash
    for wrong in (one.write, other.write, lambda: one.read(b""), lambda: other.read(b"")):
        with pytest.raises(LocalProtocolError):
            wrong()


@given(place=PLACES)
@example(place=(0, 8 * 31 + 7))  # the bit of an ephemeral key that X25519 ignores
@example(place=(1, 8 * 31 + 7))
def test_a_flipped_bit_of_any_message_fails_closed(place: tuple[int, int]) -> None:
    number, bit = place
    reader, message = _until(number)
    changed = bytearray(message)
    changed[bit // 8] ^= 1 << bit % 8
    _refused(reader.read, bytes(changed))
    _assert_dead(reader)


@given(place=PLACES, tail=st.binary(min_size=1, max_size=40))
def test_a_message_of_another_length_fails_closed(place: tuple[int, int], tail: bytes) -> None:
    number, bit = place
    for end in (bit // 8, None):
        reader, message = _until(number)
        _refused(reader.read, message + tail if end is None else message[:end])
        _assert_dead(reader)


@given(number=st.integers(0, 2), junk=st.binary(max_size=2048))
def test_any_bytes_instead_of_a_message_fail_closed(number: int, junk: bytes) -> None:
    reader, _ = _until(number)
    _refused(reader.read, junk)
    _assert_dead(reader)


def test_ones_own_message_sent_back_fails_closed() -> None:
    one, other = initiator(), responder()
    first = one.write()
    _refused(one.read, first)
    _assert_dead(one)
    other.read(first)
    _refused(other.read, other.write())
    _assert_dead(other)


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_an_ephemeral_key_of_low_order_fails_closed(point: bytes) -> None:
    for number in (0, 1):
        reader, message = _until(number)
        with pytest.raises(RemoteProtocolError, match="a public key is unusable") as caught:
            reader.read(point + message[32:])
        assert caught.value.code is Code.HANDSHAKE_FAILED
        _assert_dead(reader)


class _LowOrder(KeyPair):
    """An attacker's static key of low order, with which every DH is zero."""

    def __init__(self, point: bytes) -> None:
        super().__init__(bytes(32))
        self.public = point

    def dh(self, public: bytes) -> bytes:
        return bytes(32)


@pytest.mark.parametrize("point", LOW_ORDER, ids=bytes.hex)
def test_a_static_key_of_low_order_fails_closed(point: bytes) -> None:
    attacker, victim = bare(Role.INITIATOR, _LowOrder(point)), responder()
    pair = _attackers_kem()
    victim.read(attacker.write(pair.public))
    attacker.read(victim.write())
    attacker.set_psk(bytes(32))
    with pytest.raises(RemoteProtocolError, match="a public key is unusable") as caught:
        victim.read(attacker.write(b""))
    assert caught.value.code is Code.HANDSHAKE_FAILED
    _assert_dead(victim)


def _attackers_kem() -> KemKeyPair:
    return KemKeyPair(SeededEntropy("attacker's kem").bytes(64))


@pytest.mark.parametrize("length", [0, 1, 1183, 1185, 2048])
def test_a_kem_key_of_another_length_fails_closed(length: int) -> None:
    key = (_attackers_kem().public * 2)[:length]
    victim = responder()
    _refused(victim.read, bare(Role.INITIATOR).write(key))
    _assert_dead(victim)


@given(place=st.integers(0, 767), value=st.integers(3329, 4095))
def test_a_kem_key_with_a_coefficient_that_is_not_reduced_fails_closed(
    place: int, value: int
) -> None:
    """FIPS 203, section 7.2: the key holds 768 numbers of 12 bits, each below 3,329."""
    key = _attackers_kem().public
    numbers = int.from_bytes(key[:1152], "little")
    numbers &= ~(0xFFF << 12 * place)
    numbers |= value << 12 * place
    victim = responder()
    message = bare(Role.INITIATOR).write(numbers.to_bytes(1152, "little") + key[1152:])
    _refused(victim.read, message)
    _assert_dead(victim)


@pytest.mark.parametrize("length", [0, 1087, 1089])
def test_a_kem_ciphertext_of_another_length_fails_closed(length: int) -> None:
    victim, attacker = initiator(), bare(Role.RESPONDER)
    _, ciphertext = kem_encapsulate(SeededEntropy(1), attacker.read(victim.write()))
    _refused(victim.read, attacker.write((ciphertext * 2)[:length]))
    _assert_dead(victim)


class _CorruptingEntropy(SeededEntropy):
    """Dice of a responder whose ciphertext is spoilt before it is sealed."""

    def __init__(self, bit: int) -> None:
        super().__init__("corrupting")
        self._bit = bit

    def kem_encapsulate(self, public_key: bytes) -> tuple[bytes, bytes]:
        secret, ciphertext = super().kem_encapsulate(public_key)
        spoilt = bytearray(ciphertext)
        spoilt[self._bit // 8] ^= 1 << self._bit % 8
        return secret, bytes(spoilt)


@given(bit=st.integers(0, 8 * 1088 - 1))
def test_a_corrupt_kem_ciphertext_shows_at_the_third_message(bit: int) -> None:
    one, other = initiator(), responder(_CorruptingEntropy(bit))
    other.read(one.write())
    one.read(other.write())  # implicit rejection: no error here
    _refused(other.read, one.write())
    _assert_dead(other)


def test_a_third_message_of_another_session_fails_closed() -> None:
    one, other = initiator(), responder()
    *_, third = shake_hands(one, other)
    reader, _ = _until(2)
    _refused(reader.read, third)
    _assert_dead(reader)


def test_a_whole_replayed_handshake_ends_at_the_third_message() -> None:
    first, _, third = shake_hands(initiator(), responder())
    victim = responder(SeededEntropy("later"))
    victim.read(first)  # a first message can always be replayed: it promises nothing
    victim.write()
    _refused(victim.read, third)
    _assert_dead(victim)


def test_a_third_message_with_a_payload_fails_closed() -> None:
    attacker, victim = bare(Role.INITIATOR), responder()
    pair = _attackers_kem()
    victim.read(attacker.write(pair.public))
    secret = pair.decapsulate(attacker.read(victim.write()))
    attacker.set_psk(_psk(secret, attacker.handshake_hash))
    _refused(victim.read, attacker.write(b"early"))
    _assert_dead(victim)


def test_the_psk_is_derived_as_the_specification_says() -> None:
    """The same by hand, without the hybrid, is understood: nothing else goes into the psk."""
    by_hand, other = bare(Role.INITIATOR), responder()
    pair = _attackers_kem()
    other.read(by_hand.write(pair.public))
    secret = pair.decapsulate(by_hand.read(other.write()))
    by_hand.set_psk(_psk(secret, by_hand.handshake_hash))
    other.read(by_hand.write(b""))
    assert other.is_finished
    assert other.handshake_hash == by_hand.handshake_hash


def _psk(secret: bytes, salt: bytes) -> bytes:
    """HKDF-SHA256 by its definition, one block (RFC 5869, sections 2.2 and 2.3)."""
    extracted = hmac.digest(salt, secret, hashlib.sha256)
    return hmac.digest(extracted, b"hobnob/v1/psk\x01", hashlib.sha256)


@pytest.mark.parametrize(
    "caller",
    [
        lambda: initiator(prologue=PROLOGUE + b"!"),
        lambda: initiator(prologue=b""),
        lambda: initiator(expected_static=INITIATOR_PUBLIC),
    ],
    ids=["longer prologue", "no prologue", "another responder"],
)
def test_who_calls_another_one_or_by_another_prologue_fails_at_the_first_message(
    caller: Callable[[], HybridHandshake],
) -> None:
    victim = responder()
    _refused(victim.read, caller().write())
    _assert_dead(victim)


def test_a_responder_that_expects_somebody_refuses_another() -> None:
    one, other = initiator(), responder(expected_static=INITIATOR_PUBLIC)
    shake_hands(one, other)
    assert other.remote_static == INITIATOR_PUBLIC
    one, other = initiator(), responder(expected_static=RESPONDER_PUBLIC)
    other.read(one.write())
    one.read(other.write())
    _refused(other.read, one.write())
    _assert_dead(other)
