"""How long words are kept: what is older loses its body, here alone; its header stays (design, section 6).

What nobody has read here yet, and what has not reached the other side, stays whatever its age. How old something
is, its time label says, but no earlier than this device got it if the label lies in the future. The clock of this
machine decides, so nothing goes for an hour after it jumped.
"""

from __future__ import annotations

import sqlite3

from peer.log import bodies
from peer.people import contacts
from peer.settings import preferences
from peer.settings.quantities import OFF
from wire.log.event import EventKind
from wire.machine import UnixMillis

Connection = sqlite3.Connection

KEY = "retention"
BATCH = 512
"""Bodies that one call of `drop_old` drops: about 30 ms with their words in the index."""

JUMP_MS = 600_000
_KINDS = (EventKind.TEXT, EventKind.EDIT, EventKind.REACTION)


class Patience:
    """Says when a look is due: every ten minutes, and an hour after the wall clock jumped.

    Both clocks come as arguments: mono in seconds, wall in milliseconds.
    """

    EVERY_S = 600.0
    AFTER_JUMP_S = 3600.0

    def __init__(self, mono: float, wall: int) -> None:
        self._at = mono
        self._between = wall - mono * 1000

    def is_due(self, mono: float, wall: int) -> bool:
        """Say whether it is time; a jump puts it off."""
        between = wall - mono * 1000
        if abs(between - self._between) > JUMP_MS:
            self._between = between
            self._at = mono + self.AFTER_JUMP_S
        return mono >= self._at

    def looked(self, mono: float, *, is_more: bool) -> None:
        """Take note of a look. is_more: there was more than one batch, the rest is due at once."""
        self._at = mono if is_more else mono + self.EVERY_S


def drop_old(connection: Connection, now: UnixMillis) -> int:
    """Drop the next bodies that are kept no longer; gives how many, BATCH if there may be more."""
    rows = connection.execute(
        "SELECT v.number, c.name FROM conversations v JOIN contacts c ON c.number = v.contact"
    ).fetchall()
    left = BATCH
    for conversation, name in rows:
        kept = preferences.held(connection, KEY, contacts.find(connection, name))
        if kept != OFF and left:
            left -= _drop(connection, conversation, now - preferences.days(kept), now, left)
    return BATCH - left


def _drop(
    connection: Connection, conversation: int, before: int, now: UnixMillis, most: int
) -> int:
    rows = connection.execute(
        "SELECT e.number FROM events e WHERE e.conversation = ? AND (e.at < ? OR e.received < ?)"
        f" AND e.kind IN ({','.join('?' * len(_KINDS))}) AND e.body IS NOT NULL AND e.held = 0"
        " AND e.is_read = 1 AND NOT EXISTS (SELECT 1 FROM outbox o WHERE o.event = e.number"
        " AND o.state IN ('queued', 'sent', 'failed')) LIMIT ?",
        (conversation, before, before, *map(int, _KINDS), most),
    ).fetchall()
    for (number,) in rows:
        bodies.drop(connection, number, now)
    return len(rows)
