"""Messages as people see them: one by one, by their rows or ids. In which order they stand: `peer.history.transcript`."""

from __future__ import annotations

import sqlite3
from typing import Any

from msgspec.structs import replace

from peer import api
from peer.errors import PeerError
from peer.log.membership import Conversation
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
