"""Two sides of our handshake with fixed link keys, and the side of an attacker."""

from __future__ import annotations

from tests.harness.entropy import SeededEntropy
from wire.channel.handshake import XKPSK3, HandshakeState, Role
from wire.channel.hybrid import HybridHandshake
from wire.channel.primitives import KeyPair, x25519_public
from wire.channel.records import Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256
from wire.machine import Entropy

PROLOGUE = b"HBNB\x01\x01\x02\x00" + b"identity of the responder, in 32"
INITIATOR_KEY = SeededEntropy("initiator's link key").bytes(32)
RESPONDER_KEY = SeededEntropy("responder's link key").bytes(32)
INITIATOR_PUBLIC = x25519_public(INITIATOR_KEY)
RESPONDER_PUBLIC = x25519_public(RESPONDER_KEY)


def initiator(
    entropy: Entropy | None = None,
    prologue: bytes = PROLOGUE,
    static_private: bytes = INITIATOR_KEY,
    expected_static: bytes = RESPONDER_PUBLIC,
) -> HybridHandshake:
    return HybridHandshake(
        role=Role.INITIATOR,
        prologue=prologue,
        static_private=static_private,
        expected_static=expected_static,
        entropy=entropy or SeededEntropy("initiator"),
    )


def responder(
    entropy: Entropy | None = None,
    prologue: bytes = PROLOGUE,
    expected_static: bytes | None = None,
) -> HybridHandshake:
    return HybridHandshake(
        role=Role.RESPONDER,
        prologue=prologue,
        static_private=RESPONDER_KEY,
        expected_static=expected_static,
        entropy=entropy or SeededEntropy("responder"),
    )


def bare(role: Role, static: KeyPair | None = None) -> HandshakeState:
    """One side without our hybrid: an attacker who puts into payloads what it likes."""
    is_initiator = role is Role.INITIATOR
    return HandshakeState(
        pattern=XKPSK3,
        suite=AESGCM_SHA256,
        role=role,
        prologue=PROLOGUE,
        static=static or KeyPair(INITIATOR_KEY if is_initiator else RESPONDER_KEY),
        remote_static=RESPONDER_PUBLIC if is_initiator else None,
        entropy=SeededEntropy("attacker"),
    )


def shake_hands(one: HybridHandshake, other: HybridHandshake) -> list[bytes]:
    """Pass all messages between two sides and give them; errors come through."""
    messages: list[bytes] = []
    while one.next_is_write or other.next_is_write:
        writer, reader = (one, other) if one.next_is_write else (other, one)
        messages.append(writer.write())
        reader.read(messages[-1])
    return messages


def linked(
    rekey_after_records: int = 2**20, rekey_after_bytes: int = 2**35
) -> tuple[tuple[Sealer, Opener], tuple[Sealer, Opener]]:
    """The record ends of two sides that have shaken hands: the initiator's, the responder's."""
    one, other = initiator(), responder()
    shake_hands(one, other)
    limits = {"rekey_after_records": rekey_after_records, "rekey_after_bytes": rekey_after_bytes}
    return one.split(**limits), other.split(**limits)
