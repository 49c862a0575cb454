"""The account state: what all devices of an account share, sealed so that the tracker only stores it.

    box   = seal_box(state key, "account-state", state, ad: account name)        wire.vault
    state = [counter, changed, device, entries: array of [key, value, clock, device]]

Each entry is a value under a key, with who set it and when by logical clock: of two for one key the one with
the higher (clock, device) stands, so that devices that changed different things at once lose nothing, whatever
the order in which they meet. `counter` only goes up: a tracker that brings an old box back is noticed by every
device that knows a newer one. The tracker's own version number is for its compare-and-swap alone.

What the values of the first four kinds of keys are stands here; of the rest, the peer's `store.settings` tells.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity.packing import Packed, pack, unpack
from wire.ids import (
    AccountName,
    Counter,
    DeviceIdField,
    EpochField,
    IdentityKey,
    IdentityKeyField,
    Millis,
)
from wire.machine import Entropy
from wire.vault import open_box, seal_box

CONTACT = "contact/"  # and the account's name; value: Contact
VERIFIED = (
    "verified/"  # and the account's name; value: the identity whose safety number was compared
)
LIST = "list/"  # and the account's name; value: ListSeen
READ = "read/"  # and a conversation's id in hex; value: ReadMarks
BOX_BYTES = 48  # what sealing adds, see `wire.vault`

Key = Annotated[str, Meta(min_length=1, max_length=limits.STATE_KEY_CHARS)]
Value = Annotated[bytes, Meta(max_length=limits.STATE_VALUE_BYTES)]
ContactState = Annotated[str, Meta(pattern=r"^(asked|friends|removed|blocked)\Z")]
Hash = Annotated[bytes, Meta(max_length=32)]  # 32 bytes or none


class Entry(Packed, frozen=True):
    """One value of the map. clock: from 1, one more than that of the value it replaces."""

    key: Key
    value: Value
    clock: Annotated[int, Meta(ge=1, le=2**53)]
    device: DeviceIdField  # who set it

    @property
    def rank(self) -> tuple[int, bytes]:
        """Give what decides between two entries of one key: the higher stands."""
        return self.clock, self.device


class AccountState(Packed, frozen=True):
    """The whole map. counter: above that of every state before. changed, device: when, and who sealed it."""

    counter: Counter
    changed: Millis
    device: DeviceIdField
    entries: Annotated[tuple[Entry, ...], Meta(max_length=limits.STATE_ENTRIES)]


class Contact(Packed, frozen=True):
    """How the account stands with a person.

    identity: the pin, 32 bytes, or empty. request_hash: of the signed request that waits for an answer, or
    empty; whichever device hears the answer can tell that it is one.
    """

    state: ContactState
    identity: Hash
    is_by_code: bool  # the pin came by a friend code
    is_pinned: bool  # the pin was a friend's: another identity under this name is an alarm
    since: Millis
    request_hash: Hash = b""


class ListSeen(Packed, frozen=True):
    """The highest counter of a person's device list that a device of the account has seen."""

    identity: IdentityKeyField
    counter: Counter


class SeenPlace(Packed, frozen=True):
    """Up to there a person of the account saw what is in one chain."""

    device: DeviceIdField
    epoch: EpochField
    high: Counter


class ReadMarks(Packed, frozen=True):
    """How far a conversation was seen. Of each chain the highest place stands that any device ever set."""

    chains: Annotated[tuple[SeenPlace, ...], Meta(max_length=limits.SEEN_CHAINS)]


def read_contact(value: bytes) -> Contact:
    """Read the value of a key that begins with CONTACT; raises RemoteProtocolError(STATE_INVALID)."""
    contact = unpack(Contact, value, Code.STATE_INVALID)
    for hash_ in (contact.identity, contact.request_hash):
        if len(hash_) not in (0, 32):
            raise RemoteProtocolError(Code.STATE_INVALID, f"a key or hash of {len(hash_)} bytes")
    if contact.state == "friends" and not contact.identity:
        raise RemoteProtocolError(Code.STATE_INVALID, "a friend without a pin")
    return contact


def read_verified(value: bytes) -> IdentityKey | None:
    """Read the value of a key that begins with VERIFIED; None where the mark was taken back."""
    if len(value) not in (0, 32):
        raise RemoteProtocolError(Code.STATE_INVALID, f"a verified key of {len(value)} bytes")
    return IdentityKey(value) if value else None


def read_list_seen(value: bytes) -> ListSeen:
    """Read the value of a key that begins with LIST; raises RemoteProtocolError(STATE_INVALID)."""
    return unpack(ListSeen, value, Code.STATE_INVALID)


def read_marks(value: bytes) -> ReadMarks:
    """Read the value of a key that begins with READ; raises RemoteProtocolError(STATE_INVALID)."""
    return unpack(ReadMarks, value, Code.STATE_INVALID)


def seal_state(state: AccountState, state_key: bytes, name: AccountName, entropy: Entropy) -> bytes:
    """Seal a state for the tracker; state_key: 32 bytes, secret.

    Raises LocalProtocolError for one that would not fit: callers drop the oldest of what ended first.
    """
    plain = pack(state)
    if len(plain) + BOX_BYTES > limits.ACCOUNT_STATE_BYTES:
        raise LocalProtocolError(f"the account state has {len(plain)} bytes")
    return seal_box(state_key, "account-state", plain, name.encode(), entropy)


def open_state(box: bytes, state_key: bytes, name: AccountName) -> AccountState:
    """Open what a device of the account sealed.

    box: any bytes. Raises RemoteProtocolError(STATE_INVALID) for everything else, and for a key that stands
    twice: then the order would decide.
    """
    plain = open_box(state_key, "account-state", box, name.encode(), Code.STATE_INVALID)
    state = unpack(AccountState, plain, Code.STATE_INVALID)
    if len({entry.key for entry in state.entries}) < len(state.entries):
        raise RemoteProtocolError(Code.STATE_INVALID, "a key stands twice")
    return state


def pages_of(box: bytes) -> list[bytes]:
    """Cut a sealed state into the pages it travels in: at least one, each at most PAGE_BYTES."""
    size = limits.PAGE_BYTES
    return [box[start : start + size] for start in range(0, max(len(box), 1), size)]
