"""Targets a tracker stores for others and cannot read: the account state, prekeys, letters, nacks."""

from __future__ import annotations

from functools import cache

from peer.accounts import account_state
from tests.fuzz.logged import people
from tests.fuzz.seeds import packed
from tests.fuzz.signed import container
from tests.fuzz.target import Shape, Target, check
from tests.harness.entropy import SeededEntropy
from wire import limits, mailbox
from wire.account_state import (
    CONTACT,
    LIST,
    VERIFIED,
    AccountState,
    Contact,
    Entry,
    ListSeen,
    open_state,
    pages_of,
    read_contact,
    read_list_seen,
    read_verified,
    seal_state,
)
from wire.channel.primitives import HPKE_PRIVATE_BYTES, hpke_public
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import RemoteProtocolError
from wire.identity import SignPurpose
from wire.identity.packing import pack, unpack
from wire.ids import AccountName, DeviceId
from wire.messages.accounts import StateKeyCopy
from wire.state_key import _info, open_state_key, seal_state_key, state_key_hash
from wire.vault import seal_box

_KEY = b"s" * 32
_NAME = AccountName("alice")
_HPKE_PRIVATE = b"p" * HPKE_PRIVATE_BYTES


# --- the account state


def open_states(data: bytes) -> None:
    """Open a state: a box as it comes (0), or anything sealed by the right key; then read every value."""
    box = data[1:]
    if data[:1] not in (b"", b"\0"):
        box = seal_box(_KEY, "account-state", data[1:], _NAME.encode(), SeededEntropy(6))
    try:
        state = open_state(box, _KEY, _NAME)
    except RemoteProtocolError as error:
        check(error.code is Code.STATE_INVALID, f"{error.code} from a state")
        return
    for entry in state.entries:
        for read in (read_contact, read_verified, read_list_seen):
            try:
                read(entry.value)
            except RemoteProtocolError as error:
                check(error.code is Code.STATE_INVALID, f"{error.code} from a value")
    again = seal_state(state, _KEY, _NAME, SeededEntropy(7))
    check(all(len(page) <= limits.PAGE_BYTES for page in pages_of(again)), "a page too long")
    check(open_state(again, _KEY, _NAME) == state, "a state reads otherwise when sealed again")


def merge_states(data: bytes) -> None:
    """Merge a state that another device of alice's sealed into her database, and take it back."""
    try:
        state = unpack(AccountState, data)
    except RemoteProtocolError:
        return
    alice = people()[0]
    connection = alice.database.connection
    connection.execute("SAVEPOINT fuzz")
    try:
        account_state.merge(connection, state, 3)
        account_state.merge(connection, state, 4)
        account_state.mirror(connection)
        account_state.due(connection, alice.world.wall())
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        check(broken is None, f"a row names another that is not there: {broken}")
    finally:
        connection.execute("ROLLBACK TO fuzz")
        connection.execute("RELEASE fuzz")


@cache
def _states() -> list[AccountState]:
    alice, bob, eve = people()
    device, other = alice.keys.device, DeviceId(b"o" * 16)
    friend = Contact("friends", bob.keys.identity, False, True, 1000)
    changed = Contact("friends", eve.keys.identity, True, True, 2000)
    asked = Contact("asked", b"", False, False, 3000, b"r" * 32)
    values = {
        f"{CONTACT}bob": pack(friend),
        f"{CONTACT}carol": pack(asked),
        f"{VERIFIED}bob": bob.keys.identity,
        f"{LIST}bob": pack(ListSeen(bob.keys.identity, 4)),
        "config/receipts": packed(True),
        "config/bandwidth.up": packed(5),
    }
    entries = tuple(Entry(key, value, 2, other) for key, value in values.items())
    later = (Entry(f"{CONTACT}bob", pack(changed), 9, other), Entry("draft/bob", b"x", 1, device))
    return [AccountState(3, 1000, other, entries), AccountState(4, 1000, device, later)]


def _state_seeds() -> list[bytes]:
    return [
        *(b"\0" + seal_state(state, _KEY, _NAME, SeededEntropy(8)) for state in _states()),
        *(b"\1" + pack(state) for state in _states()),
    ]


def open_state_keys(data: bytes) -> None:
    """Open a copy of the state key: as it comes (0), or anything sealed to the device; it is the key or none."""
    identity, device = people()[0].keys.identity, people()[0].keys.device
    sealed = data[1:]
    if data[:1] not in (b"", b"\0"):
        info = _info(identity, device, 5)
        sealed = SystemEntropy().seal(data[1:], hpke_public(_HPKE_PRIVATE), info)
    copy = StateKeyCopy(device, 5, sealed)
    try:
        found = open_state_key(copy, _HPKE_PRIVATE, identity, state_key_hash(_KEY))
    except RemoteProtocolError as error:
        check(error.code is Code.STATE_INVALID, f"{error.code} from a copy")
        return
    check(found == _KEY, "another state key")


def _state_keys() -> list[bytes]:
    alice = people()[0].keys
    prekey = mailbox.Prekey(alice.device, 5, False, 1000, hpke_public(_HPKE_PRIVATE))
    copy = seal_state_key(_KEY, alice.identity, prekey, SystemEntropy())
    return [b"\0" + copy.sealed, b"\1" + _KEY, b"\1" + _KEY[:-1]]


# --- the mailbox


def _route() -> mailbox.Route:
    alice, bob, _ = people()
    return mailbox.Route(
        bob.keys.identity, bob.keys.device, alice.keys.identity, alice.keys.device, 5
    )


def read_prekeys(data: bytes) -> None:
    """Read a prekey of bob's as it comes (0), or anything well signed; then seal a letter to it."""
    bob = people()[1]
    signed = data[1:]
    if data[:1] not in (b"", b"\0"):
        signed = container(bob.keys.signing_seed, SignPurpose.PREKEY, data[1:])
    letter = mailbox.Letter(b"", b"", ())
    try:
        prekey = mailbox.read_prekey(signed, bob.keys.device, bob.keys.signing_key)
        sealed = mailbox.seal_letter(letter, prekey.public, _route(), SystemEntropy())
    except RemoteProtocolError as error:
        check(error.code is Code.PREKEY_INVALID, f"{error.code} from a prekey")
        return
    check(len(sealed) <= limits.MAIL_ITEM_BYTES, "an item beyond its bound")


def open_letters(data: bytes) -> None:
    """Open an item as it comes (0), a letter of any bytes (1), or anything sealed for us (2)."""
    mode, content = data[:1], data[1:]
    sealed = content
    if mode not in (b"", b"\0"):
        plain = content
        if mode == b"\1":
            size = next((s for s in mailbox.LETTER_SIZES if len(content) + 4 <= s), 0)
            plain = (len(content).to_bytes(4, "big") + content).ljust(size, b"\0")
        sealed = SystemEntropy().seal(plain, hpke_public(_HPKE_PRIVATE), _route().info)
    try:
        letter = mailbox.open_letter(sealed, _HPKE_PRIVATE, _route())
    except RemoteProtocolError as error:
        check(error.code is Code.MAIL_INVALID, f"{error.code} from a letter")
        return
    check(len(letter.records) <= limits.LETTER_RECORDS, "too many records in one letter")


def read_nacks(data: bytes) -> None:
    """Read a nack of bob's as it comes (0), or anything well signed."""
    bob = people()[1]
    signed = data[1:]
    if data[:1] not in (b"", b"\0"):
        signed = container(bob.keys.signing_seed, SignPurpose.NACK, data[1:])
    try:
        mailbox.read_nack(signed, bob.keys.device, bob.keys.signing_key)
    except RemoteProtocolError as error:
        known = (Code.DECODE, Code.SIGNATURE_INVALID)
        check(error.code in known, f"{error.code} from a nack")


def _prekeys() -> list[bytes]:
    bob = people()[1]
    public = hpke_public(_HPKE_PRIVATE)
    prekey = mailbox.Prekey(bob.keys.device, 5, True, 1000, public)
    signed = mailbox.issue_prekey(bob.keys.signing_seed, prekey)
    return [b"\0" + signed, b"\1" + pack(prekey)]


def _letters() -> list[bytes]:
    bob = people()[1]
    letter = mailbox.Letter(bob.keys.certificate, bob.keys.device_list, (b"\x80\x63abc",) * 3)
    sealed = mailbox.seal_letter(letter, hpke_public(_HPKE_PRIVATE), _route(), SystemEntropy())
    return [b"\0" + sealed, b"\1" + pack(letter), b"\2" + bytes(mailbox.LETTER_SIZES[0])]


def _nacks() -> list[bytes]:
    bob = people()[1]
    body = mailbox.NackBody(bob.keys.device, people()[0].keys.device, b"i" * 16)
    return [b"\0" + mailbox.issue_nack(bob.keys.signing_seed, body), b"\1" + pack(body)]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("state", open_states, _state_seeds, Shape.PACKED, 1),
        Target("state-merge", merge_states, lambda: [pack(s) for s in _states()], Shape.PACKED),
        Target("state-key", open_state_keys, _state_keys, Shape.BYTES, 1),
        Target("prekey", read_prekeys, _prekeys, Shape.PACKED, 1),
        Target("letter", open_letters, _letters, Shape.PACKED, 1),
        Target("nack", read_nacks, _nacks, Shape.PACKED, 1),
    ]
