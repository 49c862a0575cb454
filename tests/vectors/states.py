"""An account state: what all devices of an account share, sealed by the state key."""

from __future__ import annotations

from typing import Any

from msgspec.structs import astuple

from tests.harness.entropy import RecordedEntropy
from tests.vectors.identities import THEN, Somebody
from wire.account_state import (
    CONTACT,
    LIST,
    READ,
    VERIFIED,
    AccountState,
    Contact,
    Entry,
    ListSeen,
    ReadMarks,
    SeenPlace,
    seal_state,
)
from wire.identity import direct_conversation
from wire.identity.packing import pack
from wire.ids import Epoch


def make() -> dict[str, Any]:
    """Give everything that state.json holds."""
    alice, bob = Somebody("alice"), Somebody("bob")
    state_key, salt = alice.entropy.bytes(32), alice.entropy.bytes(32)
    friend = Contact("friends", bob.identity, True, True, THEN)
    asked = Contact("asked", b"", False, False, THEN, bytes(range(32)))
    device = alice.keys.device
    marks = ReadMarks((SeenPlace(bob.keys.device, Epoch(bytes(range(8))), 7),))
    conversation = direct_conversation(alice.identity, bob.identity)
    state = AccountState(
        counter=12,
        changed=THEN,
        device=device,
        entries=(
            Entry(f"{CONTACT}bob", pack(friend), 3, device),
            Entry(f"{CONTACT}carol", pack(asked), 1, device),
            Entry(f"{LIST}bob", pack(ListSeen(bob.identity, 2)), 2, device),
            Entry(f"{READ}{conversation.hex()}", pack(marks), 1, device),
            Entry(f"{VERIFIED}bob", bob.identity, 1, bob.keys.device),
            Entry("config/receipts", b"\xc2", 5, device),
        ),
    )
    return {
        "about": "The account state of Alice of identity.json: Bob is a friend whose safety number was compared, Carol "
        "was asked. `contacts`, `list_seen` and `read` are the values of those keys, taken apart.",
        "name": alice.name,
        "state_key": state_key,
        "contacts": {"bob": list(astuple(friend)), "carol": list(astuple(asked))},
        "list_seen": {"bob": [bob.identity, 2]},
        "read": {conversation.hex(): [[bob.keys.device, bytes(range(8)), 7]]},
        "fields": [12, THEN, device, [list(astuple(entry)) for entry in state.entries]],
        "plain": pack(state),
        "box_salt": salt,
        "box": seal_state(state, state_key, alice.name, RecordedEntropy([salt])),
    }
