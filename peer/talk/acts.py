"""What a person does with what was said: edit, delete, react, pin, forward; each writes an event of its own."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer import api
from peer.conversations import add_own, check_text
from peer.effects import Effect
from peer.errors import PeerError
from peer.history.history import find_event
from peer.log.membership import of_number
from peer.people import contacts
from peer.store import own
from peer.talk import about
from peer.talk.about import Target
from peer.talk.lines import words_of
from wire.codes import Code
from wire.errors import LocalProtocolError
from wire.identity import DeviceKeys
from wire.log.event import (
    Content,
    Delete,
    Edit,
    Pin,
    Reaction,
    Text,
    checked_text,
    peek_header,
    read_body,
    text_content,
)
from wire.log.marks import is_mark
from wire.machine import Entropy, UnixMillis

Connection = sqlite3.Connection
Done = tuple[api.MessageChanged, list[Effect]]


class Pen(Struct, frozen=True):
    """What writing an event takes."""

    keys: DeviceKeys
    now: UnixMillis
    entropy: Entropy


def edit(connection: Connection, pen: Pen, prefix: str, text: str) -> Done:
    """Let a message of ours read otherwise.

    prefix: of its id. Raises PeerError with UNKNOWN_MESSAGE, AMBIGUOUS_ID, NOT_AUTHOR, NOT_A_MESSAGE,
    MESSAGE_DELETED, TEXT_INVALID; LocalProtocolError with MESSAGE_EMPTY or MESSAGE_TOO_LONG.
    """
    check_text(text)
    target = _own_words(connection, prefix)
    _check_stands(connection, target)
    return _write(connection, pen, target, Edit(target.id, checked_text(text)))


def delete(connection: Connection, pen: Pen, prefix: str) -> Done:
    """Ask everybody to drop a message of ours; one that is deleted already stays so. Raises as `edit` does."""
    target = _own_words(connection, prefix)
    if about.is_deleted(connection, target):
        return _as_it_was(target), []
    return _write(connection, pen, target, Delete(target.id))


def react(connection: Connection, pen: Pen, prefix: str, mark: str) -> Done:
    """Put a mark on a line, in place of an earlier one; the same again takes it back, as the empty one does.

    Raises PeerError with REACTION_INVALID, UNKNOWN_MESSAGE, AMBIGUOUS_ID, MESSAGE_DELETED.
    """
    if mark and not is_mark(mark):
        raise PeerError(Code.REACTION_INVALID, f"{mark[:32]!r} is not one emoji")
    target = _line(connection, prefix)
    _check_stands(connection, target)
    mine = {author: given for given, author in about.reactions_of(connection, target)}
    before = mine.get(own.this_device(connection)[1], "")
    if not mark and not before:
        return _as_it_was(target), []
    return _write(connection, pen, target, Reaction(target.id, "" if mark == before else mark))


def pin(connection: Connection, pen: Pen, prefix: str, *, is_pinned: bool) -> Done:
    """Keep a line in sight of everybody in the conversation, or end that; what is so already stays so."""
    target = _line(connection, prefix)
    if is_pinned:
        _check_stands(connection, target)
    if about.is_pinned(connection, target) is is_pinned:
        return _as_it_was(target), []
    return _write(connection, pen, target, Pin(target.id, is_pinned))


def forward(
    connection: Connection, pen: Pen, prefix: str, to: str
) -> tuple[api.MessageState, list[Effect]]:
    """Say the words of a message, as they read now, to somebody else, with the name of who wrote them.

    Raises PeerError with UNKNOWN_MESSAGE, AMBIGUOUS_ID, NOT_A_MESSAGE, MESSAGE_DELETED, NO_SUCH_FRIEND, BLOCKED.
    """
    contact = contacts.find_recipient(connection, to)
    target = _line(connection, prefix)
    if target.kind not in about.WORDS:
        raise PeerError(Code.NOT_A_MESSAGE)
    _check_stands(connection, target)
    is_own, words = words_of(connection, target.conversation, target.id) or (False, "")
    header, body = connection.execute(
        "SELECT header, body FROM events WHERE number = ?", (target.number,)
    ).fetchone()
    content = read_body(peek_header(header), body)
    origin = content.origin if isinstance(content, Text) else ""
    if not origin:
        friend = of_number(connection, target.conversation).friend
        origin = own.name(connection) if is_own else friend
    try:
        said = text_content(words, origin=origin)
    except LocalProtocolError as error:
        raise PeerError(Code.NOT_A_MESSAGE, "its words are not here") from error
    event, effects = add_own(connection, pen.keys, contact, said, now=pen.now, entropy=pen.entropy)
    return api.MessageState(event.hex(), "queued"), effects


# --- inside


def _line(connection: Connection, prefix: str) -> Target:
    """Give a line that is shown here, by the beginning of its id."""
    number, event = find_event(connection, prefix)
    (conversation,) = connection.execute(
        "SELECT conversation FROM events WHERE number = ?", (number,)
    ).fetchone()
    target = about.target_of(connection, conversation, event)
    if target is None:
        raise PeerError(
            Code.UNKNOWN_MESSAGE, f"no message has an id that begins with {prefix[:64]}"
        )
    return target


def _own_words(connection: Connection, prefix: str) -> Target:
    target = _line(connection, prefix)
    if target.author != own.this_device(connection)[1]:
        raise PeerError(Code.NOT_AUTHOR)
    if target.kind not in about.WORDS:
        raise PeerError(Code.NOT_A_MESSAGE)
    return target


def _check_stands(connection: Connection, target: Target) -> None:
    if about.is_deleted(connection, target):
        raise PeerError(Code.MESSAGE_DELETED)


def _write(connection: Connection, pen: Pen, target: Target, content: Content) -> Done:
    """Write an event in the conversation of what it speaks of; raises UNKNOWN_MESSAGE if that one is over."""
    conversation = of_number(connection, target.conversation)
    contact = contacts.find_recipient(connection, conversation.friend)
    if contact.identity != conversation.identity:
        raise PeerError(
            Code.UNKNOWN_MESSAGE,
            f"that was said to a former key of {conversation.friend}; nothing is added there",
        )
    event, effects = add_own(
        connection, pen.keys, contact, content, now=pen.now, entropy=pen.entropy
    )
    return api.MessageChanged(target.id.hex(), event.hex(), "queued"), effects


def _as_it_was(target: Target) -> api.MessageChanged:
    return api.MessageChanged(target.id.hex(), None, None)
