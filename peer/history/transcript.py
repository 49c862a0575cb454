"""What was said, in display order: the same on all devices, oldest first; whole or page by page.

A line is a message, a gap where something that an author had seen is missing here, or a notice: of an offer of
files, or of what a person has to know about the conversation. Each has a key, and a page is found by the key
it ends or begins with, each kind of line by its own index: a long history costs no more than a short one.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct

from peer import api
from peer.errors import PeerError
from peer.history.history import EVENT_ID_CHARS, MESSAGE_COLUMNS, as_message, find_event
from peer.people import contacts
from peer.store import own
from peer.times import rfc3339
from wire.codes import Code
from wire.log.event import EventKind

Connection = sqlite3.Connection

Place: TypeAlias = tuple[int, bytes, bytes, int]
"""(clock, device, id, which of the three below) within one conversation."""

Key: TypeAlias = tuple[int, Place]
"""(era, place): what was said to a former key of a person stands in an era before."""

BEFORE, AT, AFTER = 0, 1, 2  # a gap stands before its event, a notice after the events of its clock
GAP_ROWS = (
    4096  # looked at for one answer, the nearest; a log full of holes must not make reading slow
)
LAST_DEVICE = b"\xff" * 17
NOTICE_DIGITS = 18  # of a number that SQLite takes
PAGE = 256
"""Lines that one step of a whole history gives."""


class Line(Struct, frozen=True):
    """One line with its place among all."""

    key: Key
    message: api.Message


class Wanted(Struct, frozen=True):
    """Which lines. to: of one person, None for all. limit: most lines, None for all of them.

    before, after: only what stands there. until: only what was said before that instant, in milliseconds.
    is_from_start: if there are more than `limit`, those that stand first; else those that stand last.
    """

    to: str | None = None
    is_unread_only: bool = False
    limit: int | None = None
    before: Key | None = None
    after: Key | None = None
    until: int | None = None
    is_from_start: bool = False
    with_versions: bool = False


def messages(
    connection: Connection,
    to: str | None,
    *,
    unread_only: bool = False,
    limit: int | None = None,
    before: str | None = None,
    with_versions: bool = False,
) -> list[api.Message]:
    """Give the newest `limit` lines (all if None) with one person or with all, oldest first.

    before: as `cut` takes it. with_versions: edited ones come with what they said before. Raises PeerError as
    `cut` does, NO_SUCH_FRIEND for a name that never was one, CONFIG_INVALID for a negative limit.
    """
    key, until = cut(connection, before)
    wanted = Wanted(to, unread_only, limit, key, None, until, with_versions=with_versions)
    return [line.message for line in page(connection, wanted)]


def cut(connection: Connection, text: str | None) -> tuple[Key | None, int | None]:
    """Give (key, instant) that a person names to see what stands before: the id of a line, or a date.

    A date without a zone is this machine's. Raises PeerError with DATE_INVALID, UNKNOWN_MESSAGE, AMBIGUOUS_ID.
    """
    if text is None:
        return None, None
    if "-" in text or ":" in text:
        try:
            return None, int(datetime.fromisoformat(text.strip()).astimezone().timestamp() * 1000)
        except (ValueError, OverflowError, OSError) as error:
            raise PeerError(Code.DATE_INVALID, f"{text[:40]!r} is no date") from error
    return _key_of(connection, text.strip()), None


def page(connection: Connection, wanted: Wanted) -> list[Line]:
    """Give the lines that are wanted, in display order; raises PeerError as `messages` does."""
    if wanted.limit is not None and wanted.limit < 0:
        raise PeerError(Code.CONFIG_INVALID, "a limit is 0 or more", remedy="use --limit N")
    my_name = own.need_account(connection).name
    if wanted.to is not None and contacts.find(connection, wanted.to) is None:
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {wanted.to!r}")
    lines: list[Line] = []
    for number, era in _conversations(connection, wanted):
        part = _Part(wanted, number, era, my_name)
        if part.is_empty:
            continue
        for kind in (_texts, _offers, _gaps, _notices):
            lines += (line for line in kind(connection, part) if part.holds(line.key))
    lines.sort(key=lambda line: line.key)
    if wanted.limit is None:
        return lines
    return (
        lines[: wanted.limit]
        if wanted.is_from_start
        else lines[max(len(lines) - wanted.limit, 0) :]
    )


def _conversations(connection: Connection, wanted: Wanted) -> list[tuple[int, int]]:
    """Give (row, era) of the conversations that have something to show."""
    return connection.execute(
        "SELECT v.number, (SELECT count(*) FROM conversations w WHERE w.contact = v.contact"
        " AND w.number < v.number) FROM conversations v JOIN contacts c ON c.number = v.contact"
        " WHERE (?1 IS NULL OR c.name = ?1) AND (NOT ?2"
        " OR EXISTS (SELECT 1 FROM events e WHERE e.conversation = v.number AND e.is_read = 0)"
        " OR EXISTS (SELECT 1 FROM notices n WHERE n.conversation = v.number AND n.is_read = 0))",
        (wanted.to, wanted.is_unread_only),
    ).fetchall()


def _key_of(connection: Connection, text: str) -> Key:
    """Give the key of a line by its id or the beginning of it."""
    if len(text) <= NOTICE_DIGITS and text.isascii() and text.isdigit():
        row = connection.execute(
            "SELECT conversation, clock, number FROM notices WHERE number = ?", (int(text),)
        ).fetchone()
        if row is not None:
            conversation, clock, number = row
            return _era(connection, conversation), _notice_place(clock, number)
    row = None
    if len(text) == EVENT_ID_CHARS and all(one in "0123456789abcdefABCDEF" for one in text):
        row = connection.execute(
            "SELECT e.number FROM lacks l JOIN events e ON e.number = l.event WHERE l.missing = ? AND e.held = 0"
            " ORDER BY e.clock, e.device, e.id LIMIT 1",
            (bytes.fromhex(text),),
        ).fetchone()
    number, slot = (row[0], BEFORE) if row is not None else (find_event(connection, text)[0], AT)
    conversation, clock, device, event = connection.execute(
        "SELECT conversation, clock, device, id FROM events WHERE number = ?", (number,)
    ).fetchone()
    return _era(connection, conversation), (clock, device, event, slot)


def _era(connection: Connection, conversation: int) -> int:
    row = connection.execute(
        "SELECT count(*) FROM conversations w JOIN conversations v ON v.contact = w.contact"
        " WHERE v.number = ? AND w.number < v.number",
        (conversation,),
    ).fetchone()
    return int(row[0])


# --- one conversation


class _Part(Struct, frozen=True):
    """What is wanted of one conversation."""

    wanted: Wanted
    number: int
    era: int
    my_name: str

    @property
    def is_empty(self) -> bool:
        """Whether all of it stands beyond what is wanted."""
        before, after = self.wanted.before, self.wanted.after
        return (before is not None and self.era > before[0]) or (
            after is not None and self.era < after[0]
        )

    def holds(self, key: Key) -> bool:
        """Say whether a line is wanted, exactly; the database was asked for a little more."""
        before, after = self.wanted.before, self.wanted.after
        return (before is None or key < before) and (after is None or key > after)

    @property
    def bounds(self) -> tuple[Place | None, Place | None]:
        """The places (after, before) that bound this conversation, None where nothing does."""
        before, after = self.wanted.before, self.wanted.after
        return (
            None if after is None or after[0] != self.era else after[1],
            None if before is None or before[0] != self.era else before[1],
        )

    def where(self, unread: str, at: str) -> tuple[str, list[object]]:
        """Give what narrows a query of events, and its values."""
        after, before = self.bounds
        text, values = "", list[object]()
        for place, sign in ((after, ">="), (before, "<=")):
            if place is not None:
                text += f" AND (e.clock, e.device, e.id) {sign} (?, ?, ?)"
                values += place[:3]
        return text + self._both(unread, at, values), values

    def where_notices(self) -> tuple[str, list[object]]:
        """Give what narrows a query of notices, and its values."""
        after, before = self.bounds
        text, values = "", list[object]()
        for place, sign in ((after, ">="), (before, "<=")):
            if place is not None:
                text += f" AND (n.clock, n.number) {sign} (?, ?)"
                values += [place[0], int.from_bytes(place[2]) if place[3] == AFTER else -1]
        return text + self._both("n.is_read", "n.at", values), values

    def _both(self, unread: str, at: str, values: list[object]) -> str:
        text = f" AND {unread} = 0" if self.wanted.is_unread_only else ""
        if self.wanted.until is not None:
            text += f" AND {at} < ?"
            values.append(self.wanted.until)
        return text

    @property
    def way(self) -> str:
        """In which order the nearest come first."""
        return "ASC" if self.wanted.is_from_start else "DESC"

    @property
    def most(self) -> int:
        """Rows that are enough: one may be the bound itself; -1: all."""
        return -1 if self.wanted.limit is None else self.wanted.limit + 1


def _texts(connection: Connection, part: _Part) -> list[Line]:
    """Give messages by the index that has them in order; a few unread ones by their own, then sorted."""
    narrow, values = part.where("e.is_read", "e.at")
    by = "+e.clock" if part.wanted.is_unread_only else "e.clock"
    rows = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.conversation = ? AND e.kind = ? AND e.held = 0"
        f" AND e.replaced IS NULL{narrow}"
        f" ORDER BY {by} {part.way}, e.device {part.way}, e.id {part.way} LIMIT ?",
        (part.number, int(EventKind.TEXT), *values, part.most),
    ).fetchall()
    return [_line(connection, row, part) for row in rows]


def _offers(connection: Connection, part: _Part) -> list[Line]:
    """Give a line for each offer of files, where its event stands."""
    narrow, values = part.where("e.is_read", "e.at")
    rows = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.number IN (SELECT o.event FROM offers o) AND e.conversation = ?"
        f" AND e.held = 0 AND e.body IS NOT NULL{narrow}"
        f" ORDER BY e.clock {part.way}, e.device {part.way}, e.id {part.way} LIMIT ?",
        (part.number, *values, part.most),
    ).fetchall()
    return [_line(connection, row, part) for row in rows]


def _line(connection: Connection, row: tuple[Any, ...], part: _Part) -> Line:
    """Give a row of MESSAGE_COLUMNS as a line."""
    message = as_message(connection, row, part.my_name, with_versions=part.wanted.with_versions)
    return Line((part.era, (row[11], row[4], row[0], AT)), message)


def _gaps(connection: Connection, part: _Part) -> list[Line]:
    """Give a mark for each missing event, at the first shown event that names it; marks at one place are one."""
    narrow, values = part.where("e.is_read", "e.at")
    rows = connection.execute(
        "SELECT l.missing, v.id, c.name, e.is_own, e.device, e.at, e.clock, e.id FROM lacks l"
        " CROSS JOIN events e ON e.number = l.event JOIN conversations v ON v.number = e.conversation"
        f" JOIN contacts c ON c.number = v.contact WHERE e.held = 0 AND e.conversation = ?{narrow}"
        f" ORDER BY e.clock {part.way}, e.device {part.way}, e.id {part.way}, l.missing LIMIT ?",
        (part.number, *values, GAP_ROWS),
    ).fetchall()
    rows.sort(key=lambda row: (row[6], row[4], row[7], row[0]))
    marked: set[bytes] = set()
    gaps: dict[bytes, Line] = {}
    for missing, conversation, friend, is_own, device, at, clock, event in rows:
        if missing in marked or event in gaps or _is_named_before(connection, part, missing, event):
            marked.add(missing)
            continue
        marked.add(missing)
        gap = api.Message(
            kind="gap",
            id=missing.hex(),
            conversation=conversation.hex(),
            to=friend if is_own else part.my_name,
            sender=part.my_name if is_own else friend,
            device=device.hex(),
            at=rfc3339(at),
            text="",
            state=None,
            edited=False,
            reply_to=None,
            clock_off=False,
        )
        gaps[event] = Line((part.era, (clock, device, event, BEFORE)), gap)
    return list(gaps.values())


def _is_named_before(connection: Connection, part: _Part, missing: bytes, event: bytes) -> bool:
    """Say whether a line on a former page names it: that one has the mark."""
    if part.bounds[0] is None and part.wanted.is_from_start:
        return False
    row = connection.execute(
        "SELECT 1 FROM lacks l CROSS JOIN events f ON f.number = l.event JOIN events e ON e.id = ?"
        " WHERE l.missing = ? AND f.held = 0 AND (? = 0 OR f.is_read = 0)"
        " AND (f.clock, f.device, f.id) < (e.clock, e.device, e.id) LIMIT 1",
        (event, missing, part.wanted.is_unread_only),
    ).fetchone()
    return row is not None


def _notices(connection: Connection, part: _Part) -> list[Line]:
    narrow, values = part.where_notices()
    rows = connection.execute(
        "SELECT n.number, v.id, c.name, n.text, n.clock, n.at FROM notices n"
        " JOIN conversations v ON v.number = n.conversation JOIN contacts c ON c.number = v.contact"
        f" WHERE n.conversation = ?{narrow} ORDER BY n.clock {part.way}, n.number {part.way} LIMIT ?",
        (part.number, *values, part.most),
    )
    return [
        Line(
            (part.era, _notice_place(clock, number)),
            api.Message(
                kind="notice",
                id=str(number),
                conversation=conversation.hex(),
                to=part.my_name,
                sender=friend,
                device="",
                at=rfc3339(at),
                text=text,
                state=None,
                edited=False,
                reply_to=None,
                clock_off=False,
            ),
        )
        for number, conversation, friend, text, clock, at in rows
    ]


def _notice_place(clock: int, number: int) -> Place:
    return clock, LAST_DEVICE, number.to_bytes(8, "big"), AFTER
