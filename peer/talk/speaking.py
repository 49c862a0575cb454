"""Events that speak of others, as they are shown: kept, put to use if what they speak of is here, and told."""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import Effect, Tell
from peer.history import indexing
from peer.history.history import message_of
from peer.log import bodies
from peer.log.membership import Conversation
from peer.talk import about
from peer.talk.about import Speech, Target
from wire.log.event import Delete, Edit, Event, Reaction
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def on_speech(
    connection: Connection,
    conversation: Conversation,
    event: Event,
    content: Speech,
    now: UnixMillis,
) -> list[Effect]:
    """Take an edit, a delete, a reaction or a pin that is shown now; one whose target is not here waits for it."""
    (author,) = connection.execute(
        "SELECT h.author FROM events e JOIN chains h ON h.number = e.chain WHERE e.id = ?",
        (event.id,),
    ).fetchone()
    about.note(connection, conversation, event, content, author)
    target = about.target_of(connection, conversation.number, content.target)
    if target is None:
        return []
    if isinstance(content, Edit | Delete):
        if target.kind not in about.WORDS:
            return []
        if author != target.author:
            return about.refuse_strangers(connection, conversation, target, now)
        is_gone = _drop_deleted(connection, target, now)
        if isinstance(content, Delete):
            return [_changed(connection, target, "delete")]
        if not is_gone:
            indexing.changed(connection, target.number)
        last = None if is_gone else about.edit_of(connection, target)
        is_last = last is not None and last.id == event.id
        return [_changed(connection, target, "edit")] if is_last else []
    return [_changed(connection, target, "reaction" if isinstance(content, Reaction) else "pin")]


def on_target(
    connection: Connection, conversation: Conversation, event: Event, now: UnixMillis
) -> list[Effect]:
    """Let what came before a line, and speaks of it, take effect."""
    target = about.target_of(connection, conversation.number, event.id)
    if target is None:
        return []
    _drop_deleted(connection, target, now)
    return about.refuse_strangers(connection, conversation, target, now)


def _drop_deleted(connection: Connection, target: Target, now: UnixMillis) -> bool:
    """Drop the words of a deleted line and of all its edits; False if it is not deleted."""
    if not about.is_deleted(connection, target):
        return False
    for number in (target.number, *about.edits_with_words(connection, target)):
        bodies.drop(connection, number, now)
    return True


def _changed(connection: Connection, target: Target, what: str) -> Effect:
    """Tell a line as it stands now, and what became of it."""
    line = api.as_json(message_of(connection, target.number))
    return Tell(api.Event("change", {"change": what, **line}))
