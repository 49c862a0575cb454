"""Values that belong to the account or to this home, by key; who set them, and when by logical clock.

Keys in use, and whether they travel with the account state (`peer.accounts.account_state`):

    presence, presence-until      what the account shows, and until when             travels
    contact/NAME                  state and pin of a person, from `contacts`         travels, at once
    verified/NAME                 the identity whose safety number was compared      travels, at once
    list/NAME                     newest device list seen of a person                travels
    read/CONVERSATION             how far it was seen, see `peer.talk.readmarks`     travels
    posted/DEVICE                 how much of what a device said lies at the tracker, see `peer.mail.posted`    travels
    mute/NAME, draft/NAME         see `peer.talk.mutes` and `drafts`                 travels
    share/NAME                    that a friend's devices may have all of it, and until when made      travels
    config/KEY[/NAME]             what `config` and `accept-policy` set              travels
    here/...                      what concerns this machine alone                   stays

A key that goes back to its default is set to empty bytes, so that the change travels too.
"""

from __future__ import annotations

import sqlite3

from peer.store import own

HERE = "here/"
"""What keys begin with that never leave this home."""


def read(connection: sqlite3.Connection, key: str) -> bytes | None:
    """Give a value, or None where it was never set or went back to its default."""
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    return None if row is None or row[0] == b"" else bytes(row[0])


def has_any(connection: sqlite3.Connection, *keys: str) -> bool:
    """Say whether anything was ever set of some keys, if only to go back to its default."""
    marks = ",".join("?" * len(keys))
    row = connection.execute(f"SELECT 1 FROM settings WHERE key IN ({marks}) LIMIT 1", keys)
    return row.fetchone() is not None


def write(connection: sqlite3.Connection, key: str, value: bytes, *, step: int = 1) -> bool:
    """Set a value, its clock goes up by `step`; False where it was that already.

    value: what the key's reader understands; empty for the default. Raises PeerError(NOT_REGISTERED).
    """
    row = connection.execute("SELECT value FROM settings WHERE key = ?", (key,)).fetchone()
    if (b"" if row is None else row[0]) == value:
        return False
    device, _ = own.this_device(connection)
    connection.execute(
        "INSERT INTO settings (key, value, clock, device) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value, clock = clock + excluded.clock,"
        " device = excluded.device, is_put = 0",
        (key, value, step, device),
    )
    return True


def under(connection: sqlite3.Connection, prefix: str) -> dict[str, bytes]:
    """Give every value whose key begins so, by the rest of its key; defaults are left out."""
    rows = connection.execute(
        "SELECT key, value FROM settings WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1"
        " AND length(value) > 0",
        (prefix,),
    )
    return {key[len(prefix) :]: bytes(value) for key, value in rows}
