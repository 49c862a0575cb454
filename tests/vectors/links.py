"""One whole link between two devices, every byte of both directions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.harness.entropy import NotingEntropy, RecordedEntropy, SeededEntropy
from tests.vectors.identities import Somebody
from wire.channel.handshake import Role
from wire.channel.primitives import KemKeyPair
from wire.codes import Code
from wire.ids import BootId
from wire.link import Link, LinkConfig
from wire.machine import Entropy, Monotonic
from wire.messages import Purpose
from wire.messages.session import Hello

NOW = Monotonic(0.0)
Encapsulation = tuple[bytes, bytes]  # secret, ciphertext


def kept(file: Path) -> Encapsulation | None:
    """Give the encapsulation of the file that is there, None if there is none."""
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return (
        bytes.fromhex(found["kem_secret"]["hex"]),
        bytes.fromhex(found["kem_ciphertext"]["hex"]),
    )


def make(encapsulation: Encapsulation | None) -> dict[str, Any]:
    """Give everything that link.json holds; without an encapsulation a new one is drawn."""
    alice, bob = Somebody("alice"), Somebody("bob")
    dice = SeededEntropy("vectors: a link")
    kem_seed, ephemeral, answer = dice.bytes(64), dice.bytes(32), dice.bytes(32)
    kem_public = KemKeyPair(kem_seed).public
    responder_dice: Entropy = NotingEntropy(SeededEntropy("nothing of it is drawn"))
    if encapsulation is None:
        encapsulation = responder_dice.kem_encapsulate(kem_public)
    responder_dice = RecordedEntropy([answer], {kem_public: encapsulation})
    hellos = [
        Hello(who.keys.certificate, who.keys.device_list, 1, BootId(who.entropy.bytes(16)))
        for who in (alice, bob)
    ]
    caller = Link(
        Role.INITIATOR,
        LinkConfig(
            purpose=Purpose.PEER,
            static_private=alice.keys.link_private,
            responder=bob.identity,
            hello=hellos[0],
            expected_static=bob.keys.link_key,
            expected_identity=bob.identity,
        ),
        now=NOW,
        entropy=RecordedEntropy([kem_seed, ephemeral]),
    )
    called = Link(
        Role.RESPONDER,
        LinkConfig(
            purpose=Purpose.PEER,
            static_private=bob.keys.link_private,
            responder=bob.identity,
        ),
        now=NOW,
        entropy=responder_dice,
    )
    flights: list[bytes] = []

    def carry(one: Link, other: Link) -> None:
        flights.append(one.data_to_send())
        other.receive_data(flights[-1], now=NOW)

    carry(caller, called)
    carry(called, caller)
    carry(caller, called)
    called.admit(hellos[1])
    carry(called, caller)
    caller.ping(now=NOW)
    carry(caller, called)
    carry(called, caller)
    caller.close(Code.GOODBYE, "until tomorrow")
    carry(caller, called)
    return {
        "about": "Alice's first device dials Bob's (identity.json), both say Hello, Alice pings and hangs up. Flights "
        "are whole: preamble, lengths and all, Alice's and Bob's by turns.",
        "initiator_static": alice.keys.link_private,
        "responder_static": bob.keys.link_private,
        "responder_identity": bob.identity,
        "kem_seed": kem_seed,
        "initiator_ephemeral": ephemeral,
        "responder_ephemeral": answer,
        "kem_secret": encapsulation[0],
        "kem_ciphertext": encapsulation[1],
        "handshake_hash": caller.handshake_hash,
        "hellos": [
            [hello.certificate, hello.device_list, hello.known_counter, hello.boot_id, 0]
            for hello in hellos
        ],
        "flights": flights,
    }
