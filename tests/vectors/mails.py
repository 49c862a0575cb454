"""Mail: prekeys, letters, and items that were sealed once; sealing draws, so those are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec.structs import astuple

from tests.harness.entropy import SeededEntropy
from tests.vectors.identities import THEN, Somebody
from wire import codec
from wire.channel.primitives import HPKE_PRIVATE_BYTES, hpke_public, hpke_seal
from wire.identity.packing import pack
from wire.mailbox import (
    LENGTH_BYTES,
    LETTER_SIZES,
    Letter,
    NackBody,
    Prekey,
    Route,
    issue_nack,
    issue_prekey,
)
from wire.messages import Purpose
from wire.messages.conversation import Receipt
from wire.messages.mailbox import Nack


def kept(file: Path) -> bytes | None:
    """Give the item of the file that is there, None if there is none."""
    if not file.exists():
        return None
    return bytes.fromhex(json.loads(file.read_text(encoding="utf-8"))["item"]["hex"])


def make(item: bytes | None) -> dict[str, Any]:
    """Give everything that mail.json holds; without an item one is sealed anew."""
    alice, bob = Somebody("alice"), Somebody("bob")
    private = SeededEntropy("vectors: a prekey").bytes(HPKE_PRIVATE_BYTES)
    public = hpke_public(private)
    prekey = Prekey(bob.keys.device, 3, True, THEN, public)
    nack = NackBody(alice.keys.device, bob.keys.device, bytes(range(16)))
    signed_nack = issue_nack(alice.keys.signing_seed, nack)
    records = (
        codec.encode(Purpose.PEER, Receipt(b"a receipt, signed")),
        codec.encode(Purpose.PEER, Nack(signed_nack)),
    )
    letter = Letter(alice.keys.certificate, alice.keys.device_list, records)
    raw = pack(letter)
    plain = (len(raw).to_bytes(LENGTH_BYTES, "big") + raw).ljust(LETTER_SIZES[0], b"\0")
    route = Route(alice.identity, alice.keys.device, bob.identity, bob.keys.device, 3)
    return {
        "about": "Alice leaves a letter for Bob's first device (identity.json), sealed to his prekey number 3. `private` "
        "is the ML-KEM seed and the X25519 key one after the other.",
        "private": private,
        "public": public,
        "prekey_fields": list(astuple(prekey)),
        "prekey": issue_prekey(bob.keys.signing_seed, prekey),
        "nack_fields": list(astuple(nack)),
        "nack": signed_nack,
        "letter_fields": [letter.certificate, letter.device_list, list(records)],
        "letter": raw,
        "info": route.info,
        "item": hpke_seal(plain, public, route.info) if item is None else item,
    }
