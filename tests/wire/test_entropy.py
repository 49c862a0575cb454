"""The real dice, and that those of the tests keep the same contract."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.entropy import NotingEntropy, RecordedEntropy, SeededEntropy
from wire.channel.primitives import KemKeyPair, hpke_open, hpke_public
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.machine import Entropy

PAIR = KemKeyPair(bytes(range(64)))
HPKE_PRIVATE = bytes(range(96))


def _played_back() -> Entropy:
    noting = NotingEntropy(SystemEntropy())
    for count in (0, 1, 32, 100, 32):
        noting.bytes(count)
    noting.kem_encapsulate(PAIR.public)
    noting.seal(b"plain", hpke_public(HPKE_PRIVATE), b"info")
    return RecordedEntropy(noting.draws, noting.pairs, noting.sealed)


KINDS: dict[str, Callable[[], Entropy]] = {
    "system": SystemEntropy,
    "seeded": lambda: SeededEntropy(1),
    "noting": lambda: NotingEntropy(SeededEntropy("seed")),
    "recorded": _played_back,
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_all_dice_give_as_many_bytes_as_asked_and_encapsulate(make: Callable[[], Entropy]) -> None:
    dice = make()
    drawn = [dice.bytes(count) for count in (0, 1, 32, 100, 32)]
    assert [len(one) for one in drawn] == [0, 1, 32, 100, 32]
    assert drawn[2] != drawn[4]
    secret, ciphertext = dice.kem_encapsulate(PAIR.public)
    assert PAIR.decapsulate(ciphertext) == secret
    sealed = dice.seal(b"plain", hpke_public(HPKE_PRIVATE), b"info")
    assert hpke_open(HPKE_PRIVATE, b"info", sealed, Code.MAIL_INVALID) == b"plain"


@pytest.mark.parametrize("kind", ["system", "seeded", "noting"])
@pytest.mark.parametrize("key", [b"", PAIR.public[:-1], b"\xff" * 1184])
def test_an_encapsulation_to_no_key_is_a_value_error(kind: str, key: bytes) -> None:
    with pytest.raises(ValueError):
        KINDS[kind]().kem_encapsulate(key)


def test_equal_seeds_give_equal_bytes_in_any_portions() -> None:
    one, other = SeededEntropy(7), SeededEntropy(7)
    assert one.bytes(100) == other.bytes(1) + other.bytes(60) + other.bytes(39)
    assert SeededEntropy(7).bytes(32) != SeededEntropy(8).bytes(32)


def test_recorded_dice_invent_nothing() -> None:
    dice = RecordedEntropy([b"abc"])
    for count in (4, 1):
        with pytest.raises(AssertionError):
            dice.bytes(count)
    with pytest.raises(AssertionError):
        dice.kem_encapsulate(PAIR.public)
    assert dice.is_used_up
