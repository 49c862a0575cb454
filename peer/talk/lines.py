"""What a line of a conversation shows of what was said of it since, and of what it answers."""

from __future__ import annotations

import sqlite3

from msgspec import Struct
from msgspec.structs import replace

from peer import api
from peer.store import own
from peer.talk import about
from peer.talk.mentions import mentions
from peer.times import rfc3339
from wire.log.event import Edit, Offer, Text, peek_header, read_body

Connection = sqlite3.Connection
QUOTE_CHARS = 80
"""Of a glimpse: a line's width."""


class People(Struct, frozen=True):
    """The names of the two in a conversation: this account's and the friend's."""

    mine: str
    friend: str


def dress(
    connection: Connection,
    line: api.Message,
    conversation: int,
    people: People,
    *,
    with_versions: bool,
) -> api.Message:
    """Give a line as it stands after all that was said of it."""
    target = about.target_of(connection, conversation, bytes.fromhex(line.id))
    if target is None:
        return line
    _, me = own.this_device(connection)
    marks: dict[str, list[str]] = {}
    for mark, author in about.reactions_of(connection, target):
        marks.setdefault(mark, []).append(people.mine if author == me else people.friend)
    line = replace(
        line,
        reactions=[{"mark": mark, "from": who} for mark, who in marks.items()],
        pinned=about.is_pinned(connection, target),
    )
    if about.is_deleted(connection, target):
        return replace(line, text="", gone="deleted", mentions_me=False)
    edit = about.edit_of(connection, target)
    if edit is None or not isinstance(edit.content, Edit):
        return line
    is_theirs = line.sender != people.mine
    edited = replace(
        line,
        text=edit.content.text,
        edited=True,
        forked=line.forked or edit.is_forked,
        mentions_me=is_theirs and mentions(edit.content.text, people.mine),
    )
    if not with_versions:
        return edited
    first = {"id": line.id, "at": line.at, "text": line.text}
    later = [
        {"id": said.id.hex(), "at": rfc3339(said.at), "text": said.content.text}
        for said in about.edits_of(connection, target)
        if isinstance(said.content, Edit)
    ]
    return replace(edited, versions=[first, *later])


def quote(
    connection: Connection, line: api.Message, conversation: int, people: People
) -> api.Message:
    """Give a line with a glimpse of what it answers, as that reads now, if it is here."""
    if line.reply_to is None:
        return line
    words = words_of(connection, conversation, bytes.fromhex(line.reply_to))
    if words is None:
        return line
    is_own, text = words
    glimpse = {"from": people.mine if is_own else people.friend, "text": _glimpse(text)}
    return replace(line, quote=glimpse)


def words_of(connection: Connection, conversation: int, event: bytes) -> tuple[bool, str] | None:
    """Give (is own, text) of what a line says now; the text is empty where it was deleted or is gone.

    None for what is no line of that conversation that is shown here. An offer has its title.
    """
    target = about.target_of(connection, conversation, event)
    if target is None:
        return None
    is_own, header, body = connection.execute(
        "SELECT is_own, header, body FROM events WHERE number = ?", (target.number,)
    ).fetchone()
    content = read_body(peek_header(header), body)
    if isinstance(content, Offer):
        return bool(is_own), content.title
    edit = about.edit_of(connection, target)
    if edit is not None and isinstance(edit.content, Edit):
        return bool(is_own), edit.content.text
    return bool(is_own), content.text if isinstance(content, Text) else ""


def text_of(connection: Connection, number: int) -> str | None:
    """Give the words that the event in a row has now, with its edits; None if they are gone, or it has none."""
    event, conversation = connection.execute(
        "SELECT id, conversation FROM events WHERE number = ?", (number,)
    ).fetchone()
    words = words_of(connection, conversation, event)
    return words[1] or None if words is not None else None


def _glimpse(text: str) -> str:
    line = " ".join(text[: 4 * QUOTE_CHARS].split())
    return line if len(line) <= QUOTE_CHARS else f"{line[: QUOTE_CHARS - 1]}\N{HORIZONTAL ELLIPSIS}"
