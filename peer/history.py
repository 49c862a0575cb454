"""What was said, in display order: the same on all devices, oldest first."""

from __future__ import annotations

import sqlite3

from peer import api, contacts
from peer.conversations import MESSAGE_COLUMNS, as_message
from peer.errors import PeerError
from peer.store import own
from wire.codes import Code
from wire.log.event import EventKind

Connection = sqlite3.Connection


def messages(
    connection: Connection, to: str | None, *, unread_only: bool = False, limit: int | None = None
) -> list[api.Message]:
    """Give the newest `limit` messages (all if None) with one person or with all, oldest first.

    Raises PeerError with NO_SUCH_FRIEND for a name that never was one, CONFIG_INVALID for a negative limit.
    """
    if limit is not None and limit < 0:
        raise PeerError(Code.CONFIG_INVALID, "a limit is 0 or more", remedy="use --limit N")
    me = own.need_account(connection)
    if to is not None and contacts.find(connection, to) is None:
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {to!r}")
    rows = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.kind = ? AND e.held_until IS NULL AND (? IS NULL OR c.name = ?)"
        " AND (? = 0 OR e.is_read = 0)"
        " ORDER BY e.clock DESC, e.device DESC, e.number DESC LIMIT ?",
        (int(EventKind.TEXT), to, to, unread_only, -1 if limit is None else limit),
    ).fetchall()
    return [as_message(row, me.name) for row in reversed(rows)]


def read(
    connection: Connection, to: str | None, unread_only: bool, limit: int | None
) -> list[api.Message]:
    """Give messages as `messages` does, and mark what was given as read."""
    found = messages(connection, to, unread_only=unread_only, limit=limit)
    connection.executemany(
        "UPDATE events SET is_read = 1 WHERE id = ? AND is_read = 0",
        [(bytes.fromhex(message.id),) for message in found],
    )
    return found


def read_one(connection: Connection, event: str, to: str | None) -> api.Message | None:
    """Give one message by its whole id if it belongs to that conversation (or to any), as read."""
    me = own.need_account(connection)
    row = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.id = ? AND e.kind = ? AND (? IS NULL OR c.name = ?)",
        (bytes.fromhex(event), int(EventKind.TEXT), to, to),
    ).fetchone()
    return None if row is None else as_message(row, me.name)
