"""The full-text index of what was said: brought up to date in batches, asked by words.

An event is not indexed in the transaction that stores it: that would make six pages more durable with each
message, where many share the cost in a batch. `search.high` says up to which event the index knows, whoever
asks brings it up to date first, and a node's sweep does so every second; so nothing is missed, and a home
that comes from an older version is indexed by the way. What is edited or taken back changes the index in the
very transaction that does it.

FTS5 marks what it forgets and keeps its words until its pieces are merged, which `purge` does in short
steps soon after. (Its `secure-delete` option would do so at once, but it came with SQLite 3.42 and
makes a file that older ones refuse.)
"""

from __future__ import annotations

import sqlite3
from typing import Any

from peer.history import words
from peer.talk import lines
from wire import limits
from wire.codes import Code
from wire.identity.packing import unpack
from wire.log.event import BODIES, EventKind, Offer, Text

Connection = sqlite3.Connection

BATCH = 512
"""Events that one call of `catch_up` looks at: about 15 ms."""

PURGE_PAGES = 100
"""Pages of the index that one call of `purge` writes: about 20 ms."""

_COLUMNS = (
    "SELECT number, conversation, kind, at, received, body, EXISTS (SELECT 1 FROM abouts a"
    " WHERE a.conversation = events.conversation AND a.target = events.id) FROM events"
)
_KINDS = (int(EventKind.TEXT), int(EventKind.OFFER))
_PLACE_BITS = 20
_LATEST_MS = 2**42  # in the year 2109; a place has to fit into 63 bits


def is_behind(connection: Connection) -> bool:
    """Say whether `catch_up` or `purge` has something to do."""
    (high,) = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
    indexed, to_purge = connection.execute("SELECT high, purge FROM search").fetchone()
    return bool(high > indexed or to_purge)


def keep(connection: Connection) -> None:
    """Do a little of what is to be done: index, then purge."""
    if not catch_up(connection):
        purge(connection)


def catch_up(connection: Connection, most: int = BATCH) -> bool:
    """Index the next events; False once there is none left, or one that waits to be shown stands next."""
    (high,) = connection.execute("SELECT high FROM search").fetchone()
    (held,) = connection.execute(
        "SELECT coalesce(min(number), 9e18) FROM events WHERE held > 0"
    ).fetchone()
    rows = connection.execute(
        f"{_COLUMNS} WHERE number > ? AND number < ? ORDER BY number LIMIT ?",
        (high, held, most),
    ).fetchall()
    if not rows:
        return False
    _add(connection, rows)
    connection.execute("UPDATE search SET high = ?", (rows[-1][0],))
    return len(rows) == most


def forget(connection: Connection, event: int) -> None:
    """Take the words of an event out of the index; called before its body goes."""
    row = connection.execute(
        "DELETE FROM words WHERE event = ? RETURNING place, folded", (event,)
    ).fetchone()
    if row is not None:
        connection.execute("INSERT INTO found (found, rowid, folded) VALUES ('delete', ?, ?)", row)
        connection.execute("UPDATE search SET purge = 1")


def changed(connection: Connection, event: int) -> None:
    """Index an event anew: it says something else now, or its body came later than its header."""
    forget(connection, event)
    rows = connection.execute(
        f"{_COLUMNS} WHERE number = ? AND number <= (SELECT high FROM search)",
        (event,),
    ).fetchall()
    _add(connection, rows)


def purge(connection: Connection) -> bool:
    """Rewrite some of the index without what it was told to forget; False once nothing of it is left."""
    (state,) = connection.execute("SELECT purge FROM search").fetchone()
    if state == 0:
        return False
    pages = PURGE_PAGES if state == 2 else -PURGE_PAGES  # a negative number begins with all pieces
    before = connection.total_changes
    connection.execute("INSERT INTO found (found, rank) VALUES ('merge', ?)", (pages,))
    is_done = state == 2 and connection.total_changes - before < 2
    connection.execute("UPDATE search SET purge = ?", (0 if is_done else 2,))
    return not is_done


def _add(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Index rows of events; those that say nothing are left out."""
    added: list[tuple[int, int, str]] = []
    for number, conversation, kind, at, received, body, is_spoken_of in rows:
        if kind not in _KINDS or body is None:
            continue
        text = text_of(connection, number, kind, body) if is_spoken_of else _written(kind, body)
        folded = words.fold(text)
        said = min(at, received, _LATEST_MS)
        place = (said << _PLACE_BITS) + number % (1 << _PLACE_BITS)
        added.append((place, number, f"{mark_of(conversation)} {folded}"))
    for place, number, folded in sorted(
        added
    ):  # in any other order the index writes a piece for each
        free = place
        while connection.execute("SELECT 1 FROM words WHERE place = ?", (free,)).fetchone():
            free += 1
        connection.execute("INSERT INTO words VALUES (?, ?, ?)", (free, number, folded))
        connection.execute("INSERT INTO found (rowid, folded) VALUES (?, ?)", (free, folded))


def text_of(connection: Connection, number: int, kind: int, body: bytes) -> str:
    """Give what a line says now; of an offer the names as well, in one line with its title."""
    if kind == EventKind.TEXT:
        return lines.text_of(connection, number) or ""
    return _written(kind, body)


def _written(kind: int, body: bytes) -> str:
    """Give what a body says."""
    content = unpack(BODIES[EventKind(kind)], body[limits.SALT_BYTES :], Code.EVENT_INVALID)
    if isinstance(content, Offer):
        return " ".join(dict.fromkeys((content.title, *content.top_names)))
    return content.text if isinstance(content, Text) else ""


def mark_of(number: int) -> str:
    """Give the word that every line of a conversation has, so that the index can look into one alone."""
    return f"{words.PRIVATE}{number}"
