"""What was said, in display order: the same on all devices, oldest first."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from typing import Any

from peer import api, contacts
from peer.errors import PeerError
from peer.membership import Conversation
from peer.prefixes import read_prefix
from peer.sizes import bytes_text, count_text
from peer.store import own
from peer.talk import lines as dressing
from peer.talk.mentions import mentions
from peer.times import rfc3339
from wire.codes import Code
from wire.ids import EventId
from wire.log.event import Content, Event, EventKind, Offer, Text, peek_header, read_body

Connection = sqlite3.Connection
EVENT_ID_CHARS = 64  # a notice that is no event has its number instead


def messages(
    connection: Connection,
    to: str | None,
    *,
    unread_only: bool = False,
    limit: int | None = None,
    with_versions: bool = False,
) -> list[api.Message]:
    """Give the newest `limit` lines (all if None) with one person or with all, oldest first.

    A line is a message, a gap where something that an author had seen is missing here, or a notice: of an
    offer of files, or of what a person has to know about the conversation. with_versions: edited ones
    come with what they said before. Raises
    PeerError with NO_SUCH_FRIEND for a name that never was one, CONFIG_INVALID for a negative limit.
    """
    if limit is not None and limit < 0:
        raise PeerError(Code.CONFIG_INVALID, "a limit is 0 or more", remedy="use --limit N")
    me = own.need_account(connection)
    if to is not None and contacts.find(connection, to) is None:
        raise PeerError(Code.NO_SUCH_FRIEND, f"you have no friend of the name {to!r}")
    wanted = _Wanted(to, unread_only, -1 if limit is None else limit, me.name, with_versions)
    lines = [
        *_texts(connection, wanted),
        *_gaps(connection, wanted),
        *_notices(connection, wanted),
        *_offers(connection, wanted),
    ]
    eras = _eras(connection)
    lines.sort(key=lambda line: (eras.get(line[1].conversation, 0), line[0]))
    found = [message for _, message in lines]
    return found if limit is None else found[max(len(found) - limit, 0) :]


def _eras(connection: Connection) -> dict[str, int]:
    """Number the conversations with people whose key changed: what was said to a former key stands first."""
    rows = connection.execute(
        "SELECT v.id, (SELECT count(*) FROM conversations w WHERE w.contact = v.contact"
        " AND w.number < v.number) FROM conversations v WHERE v.contact IN"
        " (SELECT contact FROM conversations GROUP BY contact HAVING count(*) > 1)"
    )
    return {conversation.hex(): era for conversation, era in rows}


def read_one(connection: Connection, event: str, to: str | None) -> api.Message | None:
    """Give one message or offer by its whole id if it belongs to that conversation (or to any)."""
    me = own.need_account(connection)
    row = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.id = ? AND e.kind IN (?, ?) AND (? IS NULL OR c.name = ?)",
        (bytes.fromhex(event), int(EventKind.TEXT), int(EventKind.OFFER), to, to),
    ).fetchone()
    return None if row is None else as_message(connection, row, me.name)


def find_event(connection: Connection, prefix: str) -> tuple[int, EventId]:
    """Give (row, id) of the event whose id begins so; PeerError UNKNOWN_MESSAGE or AMBIGUOUS_ID."""
    text = read_prefix(prefix, Code.UNKNOWN_MESSAGE)
    rows = connection.execute(
        "SELECT number, id FROM events WHERE id >= ? AND substr(hex(id), 1, ?) = upper(?)"
        " ORDER BY id LIMIT 2",
        (bytes.fromhex(text[: len(text) // 2 * 2]), len(text), text),
    ).fetchall()
    if not rows:
        raise PeerError(Code.UNKNOWN_MESSAGE, f"no message has an id that begins with {text}")
    if len(rows) > 1:
        raise PeerError(Code.AMBIGUOUS_ID)
    return rows[0][0], EventId(rows[0][1])


def state_of(connection: Connection, event: bytes) -> str:
    """Give how far a message of ours came."""
    row = connection.execute(
        "SELECT o.state FROM outbox o JOIN events e ON e.number = o.event WHERE e.id = ?", (event,)
    ).fetchone()
    return "queued" if row is None else str(row[0])


def message_of(connection: Connection, number: int) -> api.Message:
    """Give one stored message as people see it."""
    row = connection.execute(f"{MESSAGE_COLUMNS} WHERE e.number = ?", (number,)).fetchone()
    return as_message(connection, row, own.need_account(connection).name)


MESSAGE_COLUMNS = (
    "SELECT e.id, v.id, c.name, e.is_own, e.device, e.at, e.is_clock_off, e.header, e.body,"
    " (SELECT o.state FROM outbox o WHERE o.event = e.number LIMIT 1),"
    " e.is_fork OR EXISTS (SELECT 1 FROM forks f WHERE f.chain = e.chain AND f.seq <= e.seq),"
    " e.clock, e.conversation, EXISTS"
    " (SELECT 1 FROM abouts a WHERE a.conversation = e.conversation AND a.target = e.id), e.gone FROM events e"
    " JOIN conversations v ON v.number = e.conversation JOIN contacts c ON c.number = v.contact"
)


def message_of_new(
    event: Event,
    content: Text,
    conversation: Conversation,
    my_name: str,
    *,
    is_own: bool,
    is_off: bool,
) -> api.Message:
    """Give a message that was stored in this very transaction, in no forked chain, as people see it."""
    header = event.header
    row = (event.id, conversation.id, conversation.friend, is_own, header.device, header.at, is_off)
    return _message(*row, content, "queued", False, my_name)


def as_message(
    connection: Connection, row: tuple[Any, ...], my_name: str, *, with_versions: bool = False
) -> api.Message:
    """Make a message of one row of MESSAGE_COLUMNS, with all that was said of it since."""
    event, conversation, friend, is_own, device, at, is_off, header, body, state, is_forked = row[
        :11
    ]
    number, is_spoken_of, is_dropped = row[12:]
    content = read_body(peek_header(header), body)
    row = (event, conversation, friend, is_own, device, at, is_off)
    line = _message(*row, content, state, is_forked, my_name)
    people = dressing.People(my_name, friend)
    if is_spoken_of:
        line = dressing.dress(connection, line, number, people, with_versions=with_versions)
    if is_dropped and not (line.text or line.gone):
        line = replace(line, gone="retention")
    return dressing.quote(connection, line, number, people) if line.reply_to else line


def _message(
    event: bytes,
    conversation: bytes,
    friend: str,
    is_own: bool,
    device: bytes,
    at: int,
    is_off: bool,
    content: Content | None,
    state: str | None,
    is_forked: bool,
    my_name: str,
) -> api.Message:
    reply_to = content.reply_to.hex() if isinstance(content, Text) and content.reply_to else None
    text = content.text if isinstance(content, Text) else ""
    if isinstance(content, Offer):
        text = _offer_text(my_name if is_own else friend, content)
    return api.Message(
        kind="notice" if isinstance(content, Offer) else "message",
        id=event.hex(),
        conversation=conversation.hex(),
        to=friend if is_own else my_name,
        sender=my_name if is_own else friend,
        device=device.hex(),
        at=rfc3339(at),
        text=text,
        state=state if is_own else None,
        edited=False,
        reply_to=reply_to,
        clock_off=bool(is_off),
        forked=bool(is_forked),
        forwarded_from=(content.origin or None) if isinstance(content, Text) else None,
        mentions_me=not is_own and isinstance(content, Text) and mentions(text, my_name),
    )


def _offer_text(who: str, offer: Offer) -> str:
    """Say what somebody offers: `bob offers holiday (3 files, 64.0 MiB)`."""
    what = f"{count_text(offer.files, 'file')}, {bytes_text(offer.size)}"
    return f"{who} offers {offer.title} ({what})"


# --- the three kinds of lines, each with its place: (clock, device, id), a gap just before its event

Place = tuple[int, bytes, bytes, int]
BEFORE, AT, AFTER = 0, 1, 2
GAP_ROWS = (
    4096  # looked at for one answer, the newest; a log full of holes must not make reading slow
)
LAST_DEVICE = b"\xff" * 17  # a notice stands after every event of its clock


@dataclass(frozen=True, slots=True)
class _Wanted:
    to: str | None
    is_unread_only: bool
    limit: int  # -1: all
    my_name: str
    with_versions: bool


def _texts(connection: Connection, wanted: _Wanted) -> list[tuple[Place, api.Message]]:
    """Give the newest messages of each conversation, each by its own index: a long history costs no more."""
    unread, by = "", "e.clock"
    if wanted.is_unread_only:
        unread, by = " AND e.is_read = 0", "+e.clock"  # few: by their own index, then sorted
    numbers = connection.execute(
        "SELECT v.number FROM conversations v JOIN contacts c ON c.number = v.contact"
        " WHERE ? IS NULL OR c.name = ?",
        (wanted.to, wanted.to),
    ).fetchall()
    lines: list[tuple[Place, api.Message]] = []
    for (number,) in numbers:
        rows = connection.execute(
            f"{MESSAGE_COLUMNS} WHERE e.conversation = ? AND e.kind = ? AND e.held = 0"
            f" AND e.replaced IS NULL{unread}"
            f" ORDER BY {by} DESC, e.device DESC, e.id DESC LIMIT ?",
            (number, int(EventKind.TEXT), wanted.limit),
        )
        lines += [_line(connection, row, wanted) for row in rows]
    return lines


def _line(
    connection: Connection, row: tuple[Any, ...], wanted: _Wanted
) -> tuple[Place, api.Message]:
    """Give a row of MESSAGE_COLUMNS as a line with its place."""
    line = as_message(connection, row, wanted.my_name, with_versions=wanted.with_versions)
    return (row[11], row[4], row[0], AT), line


def _offers(connection: Connection, wanted: _Wanted) -> list[tuple[Place, api.Message]]:
    """Give a line for each offer of files, where its event stands."""
    rows = connection.execute(
        f"{MESSAGE_COLUMNS} WHERE e.number IN (SELECT o.event FROM offers o) AND e.held = 0"
        " AND e.body IS NOT NULL AND (? IS NULL OR c.name = ?) AND (? = 0 OR e.is_read = 0)"
        " ORDER BY e.clock DESC, e.device DESC, e.id DESC LIMIT ?",
        (wanted.to, wanted.to, wanted.is_unread_only, wanted.limit),
    )
    return [_line(connection, row, wanted) for row in rows]


def _gaps(connection: Connection, wanted: _Wanted) -> list[tuple[Place, api.Message]]:
    """Give a mark for each missing event, at the first shown event that names it; marks at one place are one."""
    rows = connection.execute(
        "SELECT l.missing, v.id, c.name, e.is_own, e.device, e.at, e.clock, e.id FROM lacks l"
        " CROSS JOIN events e ON e.number = l.event JOIN conversations v ON v.number = e.conversation"
        " JOIN contacts c ON c.number = v.contact"
        " WHERE e.held = 0 AND (? IS NULL OR c.name = ?) AND (? = 0 OR e.is_read = 0)"
        " ORDER BY e.clock DESC, e.device DESC, e.id DESC, l.missing LIMIT ?",
        (wanted.to, wanted.to, wanted.is_unread_only, GAP_ROWS),
    ).fetchall()
    marked: set[bytes] = set()
    gaps: dict[bytes, tuple[Place, api.Message]] = {}
    for missing, conversation, friend, is_own, device, at, clock, event in reversed(rows):
        if missing not in marked and event not in gaps:
            gap = api.Message(
                kind="gap",
                id=missing.hex(),
                conversation=conversation.hex(),
                to=friend if is_own else wanted.my_name,
                sender=wanted.my_name if is_own else friend,
                device=device.hex(),
                at=rfc3339(at),
                text="",
                state=None,
                edited=False,
                reply_to=None,
                clock_off=False,
            )
            gaps[event] = (clock, device, event, BEFORE), gap
        marked.add(missing)
    return list(gaps.values())


def _notices(connection: Connection, wanted: _Wanted) -> list[tuple[Place, api.Message]]:
    rows = connection.execute(
        "SELECT n.number, v.id, c.name, n.text, n.clock, n.at FROM notices n"
        " JOIN conversations v ON v.number = n.conversation JOIN contacts c ON c.number = v.contact"
        " WHERE (? IS NULL OR c.name = ?) AND (? = 0 OR n.is_read = 0)"
        " ORDER BY n.clock DESC, n.number DESC LIMIT ?",
        (wanted.to, wanted.to, wanted.is_unread_only, wanted.limit),
    )
    return [
        (
            (clock, LAST_DEVICE, number.to_bytes(8, "big"), AFTER),
            api.Message(
                kind="notice",
                id=str(number),
                conversation=conversation.hex(),
                to=wanted.my_name,
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
