"""Makes our own vectors, tests/vectors/handshake.json: whole links with fixed keys, to the byte.

    python -m tests.wire.channel.handshake_vectors > tests/vectors/handshake.json

A stranger who writes a client holds it against that file. Everything random is an input in it; of
the KEM, whose encapsulation cannot be seeded, the ciphertext and the secret are noted as they came.
So making it anew gives other bytes, and is done only when the protocol changes: the file stands as
it is, and `test_own_vectors` replays it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.harness.entropy import NotingEntropy, SeededEntropy
from wire.channel.handshake import XKPSK3, Role
from wire.channel.hybrid import PSK_INFO, HybridHandshake
from wire.channel.primitives import hkdf, x25519_public
from wire.channel.records import Sealer
from wire.channel.symmetric import AESGCM_SHA256

Vector = dict[str, Any]

PROTOCOL = f"Noise_{XKPSK3.name}_{AESGCM_SHA256.name}"
RECORD_BYTES = (1, 5, 17, 256, 3, 40)
PREAMBLES = {"tracker": b"HBNB\x01\x01\x01\x00", "peer": b"HBNB\x01\x01\x02\x00"}
REKEYS = {"tracker": (2**20, 2**35), "peer": (2, 250)}


def make_handshake_vectors() -> Vector:
    """Give everything that handshake.json holds; other bytes at each call (see the module)."""
    return {
        "about": "Links with fixed keys. All values are hex; psk = HKDF-SHA256(kem_secret, salt = "
        "h_after_message_2, info = psk_info, 32 bytes). The initiator draws kem_seed, then its "
        "ephemeral key. Each record is its 4-byte length and its ciphertext; the key of a "
        "direction is replaced by REKEY() after the record that reaches either limit.",
        "protocol": PROTOCOL,
        "psk_info": PSK_INFO.hex(),
        "vectors": [_make(name) for name in PREAMBLES],
    }


def _make(name: str) -> Vector:
    """Shake hands once with dice seeded by `name`, seal some records each way, note everything."""
    fixed = SeededEntropy(f"handshake vectors: {name}")
    privates = fixed.bytes(32), fixed.bytes(32)
    prologue = PREAMBLES[name] + fixed.bytes(32)
    dice = (
        NotingEntropy(SeededEntropy(f"{name}, initiator")),
        NotingEntropy(SeededEntropy(f"{name}, responder")),
    )
    sides = [
        HybridHandshake(
            role=role,
            prologue=prologue,
            static_private=static,
            expected_static=x25519_public(privates[1]) if role is Role.INITIATOR else None,
            entropy=entropy,
        )
        for role, static, entropy in zip(Role, privates, dice, strict=True)
    ]
    messages: list[bytes] = []
    h_after_message_2 = b""
    for number in range(3):
        writer, reader = (sides[0], sides[1]) if number % 2 == 0 else (sides[1], sides[0])
        messages.append(writer.write())
        reader.read(messages[-1])
        if number == 1:
            h_after_message_2 = sides[0]._noise.handshake_hash
    kem_seed, initiator_ephemeral = dice[0].draws
    (responder_ephemeral,) = dice[1].draws
    ((kem_public, (kem_secret, kem_ciphertext)),) = dice[1].pairs.items()
    rekey_after_records, rekey_after_bytes = REKEYS[name]
    sealers = [
        side.split(rekey_after_records=rekey_after_records, rekey_after_bytes=rekey_after_bytes)[0]
        for side in sides
    ]
    return {
        "name": name,
        "prologue": prologue.hex(),
        "initiator_static": privates[0].hex(),
        "initiator_ephemeral": initiator_ephemeral.hex(),
        "responder_static": privates[1].hex(),
        "responder_ephemeral": responder_ephemeral.hex(),
        "kem_seed": kem_seed.hex(),
        "kem_public": kem_public.hex(),
        "kem_ciphertext": kem_ciphertext.hex(),
        "kem_secret": kem_secret.hex(),
        "h_after_message_2": h_after_message_2.hex(),
        "psk": hkdf(kem_secret, h_after_message_2, PSK_INFO, 32).hex(),
        "messages": [message.hex() for message in messages],
        "handshake_hash": sides[0].handshake_hash.hex(),
        "rekey_after_records": rekey_after_records,
        "rekey_after_bytes": rekey_after_bytes,
        "initiator_records": _records(sealers[0], fixed),
        "responder_records": _records(sealers[1], fixed),
    }


def _records(sealer: Sealer, dice: SeededEntropy) -> list[dict[str, str]]:
    plaintexts = [dice.bytes(length) for length in RECORD_BYTES]
    return [{"plaintext": text.hex(), "record": sealer.seal(text).hex()} for text in plaintexts]


if __name__ == "__main__":
    json.dump(make_handshake_vectors(), sys.stdout, indent=1)
    sys.stdout.write("\n")
