"""What a person has to know about a conversation beside what was said in it; each thing said once."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from peer import api
from peer.effects import Effect, NoteDenial, Tell
from peer.log.membership import Conversation
from wire import limits
from wire.codes import Code
from wire.ids import DeviceId
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def notice(
    connection: Connection,
    conversation: Conversation,
    code: Code,
    text: str,
    now: UnixMillis,
    *,
    about: bytes = b"",
    more: Mapping[str, object] | None = None,
) -> list[Effect]:
    """Keep a notice in a conversation and tell it; the same about the same is told again only if its text changed.

    about: what exactly it is about, empty for the conversation as a whole. more: further fields of what is told.
    """
    is_news = connection.execute(
        "INSERT INTO notices (conversation, code, about, text, clock, at) VALUES"
        " (?1, ?2, ?3, ?4, (SELECT coalesce(max(clock), 0) FROM events"
        "  WHERE conversation = ?1), ?5)"
        " ON CONFLICT (conversation, code, about) DO UPDATE SET text = excluded.text,"
        " clock = excluded.clock, at = excluded.at, is_read = 0 WHERE text <> excluded.text"
        " RETURNING 1",
        (conversation.number, code.value, about, text, now),
    ).fetchone()
    if is_news is None:
        return []
    told: dict[str, object] = {
        "code": code.value,
        "message": text,
        "friend": conversation.friend,
        **(more or {}),
    }
    return [Tell(api.Event("notice", told))]


def reject(
    connection: Connection,
    conversation: Conversation,
    digest: bytes,
    code: Code,
    now: UnixMillis,
    *,
    sender: DeviceId,
) -> list[Effect]:
    """Count an event that was refused; a person is told at the first, the tenth, the hundredth.

    digest: SHA-256 of what came, so that one that comes again with every link is counted once. sender: who
    brought it, for the log.
    """
    counted = connection.execute(
        "INSERT INTO rejections (conversation, digest, code, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING RETURNING 1",
        (conversation.number, digest, code.value, now),
    ).fetchone()
    if counted is None:
        return []
    connection.execute(
        "DELETE FROM rejections WHERE conversation = ?1 AND digest NOT IN (SELECT digest FROM"
        " rejections WHERE conversation = ?1 ORDER BY at DESC, digest LIMIT ?2)",
        (conversation.number, limits.REJECTIONS),
    )
    (count,) = connection.execute(
        "UPDATE conversations SET rejected = rejected + 1 WHERE number = ? RETURNING rejected",
        (conversation.number,),
    ).fetchone()
    denial = NoteDenial.of(sender, "event", code)
    if str(count).strip("0") != "1":
        return [denial]
    text = f"{count} message{'' if count == 1 else 's'} rejected: {code.what}"
    return [denial, *notice(connection, conversation, Code.EVENT_INVALID, text, now)]
