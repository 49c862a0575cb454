"""Our own vectors replay to the byte: the format of a link changes only on purpose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import vectors
from tests.harness.entropy import RecordedEntropy
from tests.wire.channel.handshake_vectors import PROTOCOL, make_handshake_vectors
from wire.channel.handshake import Role
from wire.channel.hybrid import PSK_INFO, HybridHandshake
from wire.channel.primitives import KemKeyPair, hkdf, x25519_public
from wire.channel.records import Opener, Sealer

Vector = dict[str, Any]

COMMITTED: Vector = json.loads(
    (Path(vectors.__file__).parent / "handshake.json").read_text(encoding="utf-8")
)


def _sides(vector: Vector) -> tuple[HybridHandshake, HybridHandshake, list[RecordedEntropy]]:
    """Give initiator and responder of a vector, and their dice."""

    def of(name: str) -> bytes:
        return bytes.fromhex(vector[name])

    pairs = {of("kem_public"): (of("kem_secret"), of("kem_ciphertext"))}
    dice = [
        RecordedEntropy([of("kem_seed"), of("initiator_ephemeral")]),
        RecordedEntropy([of("responder_ephemeral")], pairs),
    ]
    initiator = HybridHandshake(
        role=Role.INITIATOR,
        prologue=of("prologue"),
        static_private=of("initiator_static"),
        expected_static=x25519_public(of("responder_static")),
        entropy=dice[0],
    )
    responder = HybridHandshake(
        role=Role.RESPONDER,
        prologue=of("prologue"),
        static_private=of("responder_static"),
        expected_static=None,
        entropy=dice[1],
    )
    return initiator, responder, dice


def _replay(vector: Vector) -> None:
    """Do everything a vector says, on both sides."""
    initiator, responder, dice = _sides(vector)
    for number, expected in enumerate(vector["messages"]):
        even = number % 2 == 0
        writer, reader = (initiator, responder) if even else (responder, initiator)
        message = writer.write()
        assert message.hex() == expected
        reader.read(message)
    for side in (initiator, responder):
        assert side.handshake_hash.hex() == vector["handshake_hash"]
    assert all(one.is_used_up for one in dice)
    limits = {name: vector[name] for name in ("rekey_after_records", "rekey_after_bytes")}
    seal, open_ = initiator.split(**limits)
    seal_back, open_back = responder.split(**limits)
    _replay_records(vector["initiator_records"], seal, open_back)
    _replay_records(vector["responder_records"], seal_back, open_)


def _replay_records(records: list[dict[str, str]], sealer: Sealer, opener: Opener) -> None:
    for entry in records:
        plaintext, record = bytes.fromhex(entry["plaintext"]), bytes.fromhex(entry["record"])
        assert sealer.seal(plaintext) == record
        assert opener.open(record[4:]) == plaintext


@pytest.mark.parametrize("vector", COMMITTED["vectors"], ids=lambda vector: vector["name"])
def test_the_committed_vectors_replay_to_the_byte(vector: Vector) -> None:
    _replay(vector)


@pytest.mark.parametrize("vector", COMMITTED["vectors"], ids=lambda vector: vector["name"])
def test_the_inputs_of_the_committed_vectors_belong_together(vector: Vector) -> None:
    """What a stranger computes: KEM key and secret from the seed, psk from the secret."""
    pair = KemKeyPair(bytes.fromhex(vector["kem_seed"]))
    assert pair.public.hex() == vector["kem_public"]
    secret = pair.decapsulate(bytes.fromhex(vector["kem_ciphertext"]))
    assert secret.hex() == vector["kem_secret"]
    psk = hkdf(secret, bytes.fromhex(vector["h_after_message_2"]), PSK_INFO, 32)
    assert psk.hex() == vector["psk"]


def test_the_committed_vectors_name_the_protocol_and_reach_a_new_key() -> None:
    assert COMMITTED["protocol"] == PROTOCOL == "Noise_XKpsk3_25519_AESGCM_SHA256"
    assert COMMITTED["psk_info"] == PSK_INFO.hex()
    assert [vector["name"] for vector in COMMITTED["vectors"]] == ["tracker", "peer"]
    peer = COMMITTED["vectors"][1]
    assert len(peer["initiator_records"]) > 2 * peer["rekey_after_records"]


def test_vectors_that_are_made_anew_replay_as_well() -> None:
    made = make_handshake_vectors()
    assert made.keys() == COMMITTED.keys()
    for fresh, committed in zip(made["vectors"], COMMITTED["vectors"], strict=True):
        assert fresh.keys() == committed.keys()
        _replay(fresh)
