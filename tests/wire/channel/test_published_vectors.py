"""The 472 published vectors of cacophony with X25519: every byte of every message, both sides."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.harness.entropy import RecordedEntropy
from tests.wire.channel.patterns import pattern
from tests.wire.channel.suites import SUITES
from wire.channel.handshake import XKPSK3, HandshakeState, Role
from wire.channel.primitives import KeyPair

FOLDER = os.environ.get("NOISE_VECTORS", "")
if not FOLDER:
    pytest.skip(
        "NOISE_VECTORS does not name the folder of cacophony.txt; our own vectors still run",
        allow_module_level=True,
    )

Vector = dict[str, Any]


def _vectors() -> dict[str, Vector]:
    every = json.loads((Path(FOLDER) / "cacophony.txt").read_text())["vectors"]
    names = ((vector["protocol_name"], vector) for vector in every)
    return {name: vector for name, vector in names if name.split("_")[2] == "25519"}


VECTORS = _vectors()


def _side(vector: Vector, role: Role) -> HandshakeState:
    side = "init" if role is Role.INITIATOR else "resp"
    _, pattern_name, suite_name = vector["protocol_name"].split("_", 2)

    def given(name: str) -> bytes | None:
        value = vector.get(f"{side}_{name}")
        return None if value is None else bytes.fromhex(value)

    static, ephemeral = given("static"), given("ephemeral")
    state = HandshakeState(
        pattern=pattern(pattern_name),
        suite=SUITES[suite_name],
        role=role,
        prologue=given("prologue") or b"",
        static=KeyPair(static) if static else None,
        remote_static=given("remote_static"),
        entropy=RecordedEntropy([ephemeral] if ephemeral else []),
    )
    for psk in vector.get(f"{side}_psks", []):
        state.set_psk(bytes.fromhex(psk))
    return state


def test_all_published_vectors_with_x25519_are_here() -> None:
    assert len(VECTORS) == 472
    assert len({name.split("_")[1] for name in VECTORS}) == 59
    assert {name.split("_", 2)[2] for name in VECTORS} == set(SUITES)
    assert "Noise_XKpsk3_25519_AESGCM_SHA256" in VECTORS


def test_the_products_table_is_the_one_of_the_vectors() -> None:
    assert pattern("XKpsk3") == XKPSK3


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_both_sides_speak_the_published_bytes(name: str) -> None:
    vector = VECTORS[name]
    initiator, responder = _side(vector, Role.INITIATOR), _side(vector, Role.RESPONDER)
    messages = [
        (bytes.fromhex(message["payload"]), bytes.fromhex(message["ciphertext"]))
        for message in vector["messages"]
    ]
    count = len(pattern(name.split("_")[1]).messages)
    for number, (payload, ciphertext) in enumerate(messages[:count]):
        writer, reader = (initiator, responder) if number % 2 == 0 else (responder, initiator)
        assert writer.next_is_write
        assert not reader.next_is_write
        assert writer.write(payload) == ciphertext
        assert reader.read(ciphertext) == payload
    assert initiator.is_finished
    assert responder.is_finished
    handshake_hash = bytes.fromhex(vector["handshake_hash"])
    assert initiator.handshake_hash == responder.handshake_hash == handshake_hash
    for side, other in (("init", responder), ("resp", initiator)):
        private = vector.get(f"{side}_static")
        if private:
            assert other.remote_static == KeyPair(bytes.fromhex(private)).public

    initiator_sends, initiator_receives = initiator.split()
    responder_sends, responder_receives = responder.split()
    is_one_way = count == 1
    for number, (payload, ciphertext) in enumerate(messages[count:], start=count):
        if number % 2 == 0 or is_one_way:
            sender, receiver = initiator_sends, responder_receives
        else:
            sender, receiver = responder_sends, initiator_receives
        assert sender.encrypt(b"", payload) == ciphertext
        assert receiver.decrypt(b"", ciphertext) == payload
