"""What later events say of an earlier one: kept by what they speak of, and who of them wins.

The last of an author, by (clock, device, id), counts; a delete counts whenever it comes. Edits and deletes are
the author's of the target alone, and whoever else tries is counted as refused. See PROTOCOL.md, section 4.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer.effects import Effect
from peer.log.membership import Conversation
from peer.log.notices import reject
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId, EventId
from wire.log.event import (
    Content,
    Delete,
    Edit,
    Event,
    EventKind,
    Pin,
    Reaction,
    peek_header,
    read_body,
)
from wire.log.marks import is_mark
from wire.machine import UnixMillis

Connection = sqlite3.Connection
Speech = Edit | Delete | Reaction | Pin
"""What speaks of another event."""

WORDS = (EventKind.TEXT,)
LINES = (EventKind.TEXT, EventKind.OFFER)
"""What each of them may speak of: edits and deletes of WORDS, reactions and pins of LINES."""


class Target(Struct, frozen=True):
    """A line that is spoken of. author: an identity."""

    number: int
    id: EventId
    conversation: int
    author: bytes
    kind: int


class Said(Struct, frozen=True):
    """One event that speaks of another. content: None where its body is gone. is_forked: of a forked chain."""

    id: bytes
    author: bytes
    rank: tuple[int, bytes, bytes]
    at: int
    content: Content | None
    is_forked: bool


def target_of(connection: Connection, conversation: int, event: bytes) -> Target | None:
    """Give what an id stands for in a conversation, None unless it is a line that is shown here."""
    row = connection.execute(
        "SELECT e.number, e.id, e.conversation, h.author, e.kind FROM events e"
        " JOIN chains h ON h.number = e.chain WHERE e.id = ? AND e.conversation = ? AND e.held = 0"
        " AND e.kind IN (?, ?)",
        (event, conversation, *map(int, LINES)),
    ).fetchone()
    return None if row is None else Target(*row)


def note(
    connection: Connection, conversation: Conversation, event: Event, content: Speech, author: bytes
) -> None:
    """Keep an event that speaks of another, by what it speaks of."""
    header = event.header
    connection.execute(
        "INSERT INTO abouts (conversation, target, kind, author, clock, device, id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            conversation.number,
            content.target,
            header.kind,
            author,
            header.clock,
            header.device,
            event.id,
        ),
    )


def is_spoken_of(connection: Connection, conversation: int, target: bytes) -> bool:
    """Say whether anything here speaks of an event."""
    row = connection.execute(
        "SELECT 1 FROM abouts WHERE conversation = ? AND target = ? LIMIT 1",
        (conversation, target),
    ).fetchone()
    return row is not None


def is_deleted(connection: Connection, target: Target) -> bool:
    """Say whether the author of a line took it back."""
    return target.kind in WORDS and _is_asked(connection, target, EventKind.DELETE)


def edits_with_words(connection: Connection, target: Target) -> list[int]:
    """Give the rows of a line's edits by its author whose words are here."""
    rows = connection.execute(
        "SELECT number FROM events WHERE body IS NOT NULL AND id IN (SELECT id FROM abouts"
        " WHERE conversation = ? AND target = ? AND kind = ? AND author = ?)",
        (target.conversation, target.id, int(EventKind.EDIT), target.author),
    )
    return [row[0] for row in rows]


def is_gone_for_good(connection: Connection, event: bytes) -> bool:
    """Say whether an event is one that its author deleted: nobody's copy of its body is wanted."""
    row = connection.execute(
        "SELECT 1 FROM events e JOIN chains h ON h.number = e.chain JOIN abouts d"
        " ON d.conversation = e.conversation AND d.target = e.id AND d.kind = ? AND d.author = h.author"
        " WHERE e.id = ? AND e.kind = ? LIMIT 1",
        (int(EventKind.DELETE), event, int(EventKind.TEXT)),
    ).fetchone()
    return row is not None


def refuse_strangers(
    connection: Connection, conversation: Conversation, target: Target, now: UnixMillis
) -> list[Effect]:
    """Count edits and deletes of a line that somebody else wrote; one that came before is not counted again."""
    rows = connection.execute(
        "SELECT id, device FROM abouts WHERE conversation = ? AND target = ? AND kind IN (?, ?)"
        " AND author <> ? LIMIT ?",
        (
            target.conversation,
            target.id,
            int(EventKind.EDIT),
            int(EventKind.DELETE),
            target.author,
            limits.REJECTIONS,
        ),
    ).fetchall()
    effects: list[Effect] = []
    for event, device in rows:
        effects += reject(
            connection, conversation, event, Code.NOT_AUTHOR, now, sender=DeviceId(device)
        )
    return effects


# --- what counts


def edit_of(connection: Connection, target: Target) -> Said | None:
    """Give the edit whose words stand in a line's place."""
    if target.kind not in WORDS:
        return None
    return _last(connection, target, EventKind.EDIT, target.author)


def edits_of(connection: Connection, target: Target) -> list[Said]:
    """Give the newest edits of a line, oldest first, at most VERSIONS_SHOWN."""
    if target.kind not in WORDS:
        return []
    rows = connection.execute(
        f"{_SAID} AND a.author = ? ORDER BY a.clock DESC, a.device DESC, a.id DESC LIMIT ?",
        (
            target.conversation,
            target.id,
            int(EventKind.EDIT),
            target.author,
            limits.VERSIONS_SHOWN,
        ),
    ).fetchall()
    return [_said(row) for row in reversed(rows)]


def reactions_of(connection: Connection, target: Target) -> list[tuple[str, bytes]]:
    """Give (mark, identity) of who has a mark on a line, in the order in which they gave it."""
    found = [
        (said.rank, said.content.mark, said.author)
        for said in _lasts(connection, target, EventKind.REACTION)
        if isinstance(said.content, Reaction) and is_mark(said.content.mark)
    ]
    return [(mark, author) for _, mark, author in sorted(found)]


def is_pinned(connection: Connection, target: Target) -> bool:
    """Say whether a line is kept in sight; the last word of anybody decides."""
    said = max(_lasts(connection, target, EventKind.PIN), key=lambda said: said.rank, default=None)
    return said is not None and isinstance(said.content, Pin) and said.content.is_pinned


_SAID = (
    "SELECT a.id, a.author, a.clock, a.device, e.at, e.header, e.body,"
    " e.is_fork OR EXISTS (SELECT 1 FROM forks f WHERE f.chain = e.chain AND f.seq <= e.seq)"
    " FROM abouts a JOIN events e ON e.id = a.id"
    " WHERE a.conversation = ? AND a.target = ? AND a.kind = ?"
)


def _said(row: tuple[bytes, bytes, int, bytes, int, bytes, bytes | None, int]) -> Said:
    event, author, clock, device, at, header, body, is_forked = row
    content = read_body(peek_header(header), body)
    return Said(event, author, (clock, device, event), at, content, bool(is_forked))


def _is_asked(connection: Connection, target: Target, kind: EventKind) -> bool:
    row = connection.execute(
        "SELECT 1 FROM abouts WHERE conversation = ? AND target = ? AND kind = ? AND author = ?"
        " LIMIT 1",
        (target.conversation, target.id, int(kind), target.author),
    ).fetchone()
    return row is not None


def _last(connection: Connection, target: Target, kind: EventKind, author: bytes) -> Said | None:
    row = connection.execute(
        f"{_SAID} AND a.author = ? ORDER BY a.clock DESC, a.device DESC, a.id DESC LIMIT 1",
        (target.conversation, target.id, int(kind), author),
    ).fetchone()
    return None if row is None else _said(row)


def _lasts(connection: Connection, target: Target, kind: EventKind) -> list[Said]:
    """Give the last of each author, from one author to the next: ten thousand of one cost no more than one."""
    found: list[Said] = []
    author = b""
    while True:
        (after,) = connection.execute(
            "SELECT min(author) FROM abouts WHERE conversation = ? AND target = ? AND kind = ?"
            " AND author > ?",
            (target.conversation, target.id, int(kind), author),
        ).fetchone()
        if after is None:
            return found
        author = bytes(after)
        said = _last(connection, target, kind, author)
        if said is not None:
            found.append(said)
