"""The account state of this home: how people and settings become entries, and how entries of other devices count.

Plain functions over the database. Entries live in the table `settings`; those about people are mirrored there
from `contacts` just before they are looked at, so that nothing which changes a contact has to know of them.
Putting and fetching are in `peer.accounts.state_exchange`; the format and the rule of merging in `wire.account_state`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress

from msgspec import Struct

from peer.accounts import alarms
from peer.effects import Effect, FriendsChanged
from peer.mail import posted
from peer.people import befriending, contacts
from peer.store import settings
from peer.talk import following, readmarks
from wire import limits
from wire.account_state import (
    BOX_BYTES,
    CONTACT,
    LIST,
    READ,
    VERIFIED,
    AccountState,
    Contact,
    Entry,
    ListSeen,
    read_contact,
    read_list_seen,
    read_verified,
)
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity.packing import pack
from wire.ids import AccountName, Counter, DeviceId, IdentityKey
from wire.machine import UnixMillis

Connection = sqlite3.Connection

ENTRY_BYTES = 40  # at most, beside key and value: clock, device, the array's own bytes
SAID = {"asked_out": "asked", "friends": "friends", "removed": "removed", "blocked": "blocked"}
"""State of a contact -> as it stands in the account state; a request of theirs reaches every device by itself."""


class Snapshot(Struct, frozen=True):
    """What is to be put. base_version: of the state at the tracker that it builds on."""

    base_version: Counter
    state: AccountState


# --- from here to the tracker


def mirror(connection: Connection) -> None:
    """Bring the entries about people up to date with `contacts`, and that of what this device left as mail."""
    posted.mirror(connection)
    rows = connection.execute(
        "SELECT name, state, identity, is_by_code, pinned, since, request_hash, verified,"
        " list_counter FROM contacts WHERE state <> 'own'"
    ).fetchall()
    for name, state, identity, is_by_code, pinned, since, waiting, verified, counter in rows:
        if state in SAID:
            hash_ = waiting if state == "asked_out" else None
            said = Contact(
                SAID[state], identity or b"", bool(is_by_code), bool(pinned), since, hash_ or b""
            )
            # Every device hears from the tracker that the friendship ended: a block has to outrank that.
            step = 2 if state == "blocked" else 1
            settings.write(connection, CONTACT + name, pack(said), step=step)
        settings.write(connection, VERIFIED + name, verified or b"")
        if state == "friends" and counter > 0:
            seen = pack(ListSeen(IdentityKey(identity), counter))
            settings.write(connection, LIST + name, seen)


def due(connection: Connection, now: UnixMillis) -> Snapshot | None:
    """Give what the tracker does not hold yet, with all the rest; None if it holds everything."""
    mirror(connection)
    row = connection.execute(
        "SELECT 1 FROM settings WHERE is_put = 0 AND substr(key, 1, ?) <> ? LIMIT 1",
        (len(settings.HERE), settings.HERE),
    ).fetchone()
    if row is None:
        return None
    version, counter, device = connection.execute(
        "SELECT state_version, state_counter, device FROM own"
    ).fetchone()
    entries = _fitting(_entries(connection).values())
    return Snapshot(version, AccountState(counter + 1, now, DeviceId(device), entries))


def put(connection: Connection, snapshot: Snapshot, version: int) -> None:
    """Note that the tracker holds a snapshot, as that version; what changed meanwhile is still to be put."""
    connection.executemany(
        "UPDATE settings SET is_put = 1 WHERE key = ? AND clock = ? AND device = ?",
        [(entry.key, entry.clock, entry.device) for entry in snapshot.state.entries],
    )
    _note_version(connection, version, snapshot.state.counter)
    alarms.end(connection, Code.STATE_ROLLBACK)


def _entries(connection: Connection) -> dict[str, Entry]:
    rows = connection.execute("SELECT key, value, clock, device FROM settings ORDER BY key")
    return {row[0]: Entry(*row) for row in rows if not row[0].startswith(settings.HERE)}


def _fitting(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Leave out the longest ended friendships if the whole would not fit: nothing depends on them."""
    kept = list(entries)
    most_bytes = limits.ACCOUNT_STATE_BYTES - BOX_BYTES - 4 * ENTRY_BYTES
    over_bytes = sum(map(_size, kept)) - most_bytes
    over_count = len(kept) - limits.STATE_ENTRIES
    if over_bytes <= 0 and over_count <= 0:
        return tuple(kept)
    ended = sorted(
        (contact.since, entry.key.removeprefix(CONTACT))
        for entry in kept
        if entry.key.startswith(CONTACT)
        and (contact := read_contact(entry.value)).state == "removed"
    )
    for _, name in ended:
        if over_bytes <= 0 and over_count <= 0:
            break
        mine = {CONTACT + name, VERIFIED + name, LIST + name}
        gone = [entry for entry in kept if entry.key in mine]
        over_bytes -= sum(map(_size, gone))
        over_count -= len(gone)
        kept = [entry for entry in kept if entry.key not in mine]
    return tuple(kept)


def _size(entry: Entry) -> int:
    return len(entry.key.encode()) + len(entry.value) + ENTRY_BYTES


# --- from the tracker to here


def merge(connection: Connection, state: AccountState, version: int) -> list[Effect]:
    """Take what other devices of this account set; of two values for one key the higher (clock, device) stands.

    version: of the state at the tracker. One that is older than known here is merged as well, nothing is lost
    by it; it is said as a notice, and what is newer here is put again. A value that does not make sense is
    left alone.
    """
    mirror(connection)
    effects = _alarm(connection, state)
    mine = _entries(connection)
    theirs = {entry.key: entry for entry in state.entries}
    connection.executemany(
        "UPDATE settings SET is_put = ? WHERE key = ?",
        [(key in theirs and theirs[key].rank >= entry.rank, key) for key, entry in mine.items()],
    )
    for key in sorted(theirs):  # `contact/` comes before what is said about the same person
        entry = theirs[key]
        effects += _take(connection, mine.get(key), entry, is_put=True)
    _note_version(connection, version, state.counter)
    return effects


def merge_some(connection: Connection, entries: Iterable[Entry]) -> list[Effect]:
    """Take entries that another device of this account gave on a link; each stands as if the tracker had brought it.

    The tracker may not have them yet, so they are put by whoever comes first. What would be too much is left alone.
    """
    mirror(connection)
    mine = _entries(connection)
    effects: list[Effect] = []
    for entry in sorted(entries, key=lambda entry: entry.key):
        if entry.key not in mine and len(mine) >= limits.STATE_ENTRIES:
            continue
        effects += _take(connection, mine.get(entry.key), entry, is_put=False)
        mine[entry.key] = entry
    return effects


def whole(connection: Connection) -> dict[str, Entry]:
    """Give every entry that the devices of the account share, by key."""
    mirror(connection)
    return _entries(connection)


def _take(
    connection: Connection, mine: Entry | None, entry: Entry, *, is_put: bool
) -> list[Effect]:
    """Let the higher of two entries stand; is_put: the tracker has the one that came."""
    is_older = mine is not None and mine.rank >= entry.rank
    if entry.key.startswith(settings.HERE) or (is_older and not entry.key.startswith((LIST, READ))):
        return []  # counters only go up, whoever saw them: they have no need of a rank
    try:
        effects = _apply(connection, entry)
    except RemoteProtocolError:
        return []  # of a version of this program that says more, or says it otherwise
    if is_older:
        _add_marks(connection, entry)
        return effects
    connection.execute(
        "INSERT INTO settings (key, value, clock, device, is_put) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, clock = excluded.clock,"
        " device = excluded.device, is_put = excluded.is_put",
        (entry.key, entry.value, entry.clock, entry.device, is_put),
    )
    if mine is not None:
        _add_marks(connection, mine)
    return effects


def _add_marks(connection: Connection, other: Entry) -> None:
    """Put the union of two values of read marks, if the one that stands says less."""
    conversation = readmarks.conversation_of(other.key) if other.key.startswith(READ) else None
    if conversation is not None:
        with suppress(RemoteProtocolError):
            readmarks.add(connection, conversation, readmarks.places(other.value))


def _alarm(connection: Connection, state: AccountState) -> list[Effect]:
    (known,) = connection.execute("SELECT state_counter FROM own").fetchone()
    if state.counter >= known:
        return []
    text = (
        f"the tracker brought account state {state.counter}, {known} is known here;"
        " what this device knows is put again"
    )
    return alarms.raise_(connection, Code.STATE_ROLLBACK, text)


def _note_version(connection: Connection, version: int, counter: int) -> None:
    connection.execute(
        "UPDATE own SET state_version = ?, state_counter = max(state_counter, ?)",
        (version, counter),
    )


def _apply(connection: Connection, entry: Entry) -> list[Effect]:
    """Let a value that won take effect; raises RemoteProtocolError for one that makes no sense."""
    if entry.key.startswith(CONTACT):
        name = _name(entry.key.removeprefix(CONTACT))
        return _apply_contact(connection, name, read_contact(entry.value))
    if entry.key.startswith(VERIFIED):
        name = _name(entry.key.removeprefix(VERIFIED))
        connection.execute(
            "UPDATE contacts SET verified = ? WHERE name = ?", (read_verified(entry.value), name)
        )
        return []
    if entry.key.startswith(READ):
        return following.merge(connection, entry.key, entry.value)
    if entry.key.startswith(posted.POSTED):
        return posted.merge(connection, entry.key, entry.value)
    if entry.key.startswith(LIST):
        seen = read_list_seen(entry.value)
        # The list itself is not in the state: the directory has it, and an older one is refused.
        connection.execute(
            "UPDATE contacts SET list_counter = ?, device_list = NULL"
            " WHERE name = ? AND identity = ? AND list_counter < ?",
            (seen.counter, entry.key.removeprefix(LIST), seen.identity, seen.counter),
        )
    return []


_IS_ALARM = "(claimed IS NOT NULL AND identity IS ?2 AND ?1 IN ('friends', 'removed'))"
"""Another key is shown, and what another device says of that person has the former pin: nobody judged it yet."""


def _apply_contact(connection: Connection, name: AccountName, said: Contact) -> list[Effect]:
    """Stand with a person as another device of this account does, in every column that `mirror` reads."""
    connection.execute(
        "INSERT INTO contacts (name, state, since) VALUES (?, 'removed', 0) ON CONFLICT DO NOTHING",
        (name,),
    )
    before = contacts.find(connection, name)
    assert before is not None
    if before.state == "own":
        return []  # no device of the account says that of it
    if before.state == "asked_in" and said.state == "removed" and said.since < before.since:
        return []  # that person asked again since
    effects: list[Effect] = []
    is_gone = before.state == "friends" and said.state != "friends"
    if is_gone or (before.state == "friends" and before.identity != said.identity):
        end = "blocked" if said.state == "blocked" else "removed"
        effects += befriending.part(connection, before, end, UnixMillis(said.since))
    if before.identity != (said.identity or None):
        connection.execute(
            "UPDATE contacts SET device_list = NULL, list_counter = 0, is_listed = 0 WHERE name = ?",
            (name,),
        )
    connection.execute(
        "UPDATE contacts SET state = ?, identity = ?, is_by_code = ?, pinned = ?, since = ?, request_hash = ?,"
        f" request = CASE WHEN {_IS_ALARM} OR (state = 'asked_out' AND ?1 = 'asked_out') THEN request"
        f" END, asked = ?5, claimed = iif({_IS_ALARM}, claimed, NULL),"
        f" answer = iif({_IS_ALARM}, answer, NULL)"
        " WHERE name = ?",
        (
            "asked_out" if said.state == "asked" else said.state,
            said.identity or None,
            said.is_by_code,
            said.is_pinned,
            said.since,
            said.request_hash or None,
            name,
        ),
    )
    is_new = said.state == "friends" and (before.state, before.identity) != (
        "friends",
        said.identity,
    )
    is_blocked = said.state == "blocked" and before.state != "blocked"
    if is_new or is_gone or is_blocked:
        word = "removed" if said.state == "asked" else said.state
        effects += [FriendsChanged(name), befriending.friend_event(name, word)]
    return effects


def _name(text: str) -> AccountName:
    if not 1 < len(text) <= 32 or not text.isascii():
        raise RemoteProtocolError(Code.STATE_INVALID, "a contact without a name")
    return AccountName(text)
