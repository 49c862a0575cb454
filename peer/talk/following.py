"""What was seen on another device of the account counts as seen here, too; and what is unread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from peer import api
from peer.effects import Effect, Tell
from peer.log import chains
from peer.log.chains import ChainRow
from peer.log.membership import Conversation, find
from peer.store import own
from peer.talk import readmarks
from peer.talk.readmarks import ChainKey

Connection = sqlite3.Connection


def follow(
    connection: Connection, conversation: Conversation, places: Iterable[tuple[ChainKey, int]]
) -> list[Effect]:
    """Take as seen what this account saw on another of its devices.

    places: of chains of others; of what is not here yet nothing is noted.
    """
    me = own.this_device(connection)[1]
    is_news = False
    for (device, epoch), high in places:
        chain = chains.find(connection, conversation.number, device, epoch)
        if chain is None or chain.author == me or high <= chain.seen:
            continue
        raise_to(connection, chain, high)
        connection.execute(
            "UPDATE events SET is_read = 1 WHERE conversation = ? AND chain = ? AND seq <= ?"
            " AND is_read = 0 AND is_fork = 0",
            (conversation.number, chain.number, high),
        )
        is_news = True
    return [told(connection, conversation)] if is_news else []


def merge(connection: Connection, key: str, value: bytes) -> list[Effect]:
    """Take read marks as another device of the account put them; raises RemoteProtocolError(STATE_INVALID)."""
    places = readmarks.places(value)
    conversation_id = readmarks.conversation_of(key)
    conversation = None if conversation_id is None else find(connection, conversation_id)
    return [] if conversation is None else follow(connection, conversation, places.items())


def unread(connection: Connection) -> dict[str, int]:
    """Count what was not seen yet, by friend; who has nothing unread is left out."""
    rows = connection.execute(
        "SELECT c.name, count(*) FROM events e JOIN conversations v ON v.number = e.conversation"
        " JOIN contacts c ON c.number = v.contact WHERE e.is_read = 0 AND e.held = 0 GROUP BY c.name"
    )
    return dict(rows.fetchall())


def raise_to(connection: Connection, chain: ChainRow, high: int) -> None:
    """Note how far a chain was seen."""
    connection.execute("UPDATE chains SET seen = ? WHERE number = ?", (high, chain.number))


def told(connection: Connection, conversation: Conversation) -> Effect:
    """Give what tells the faces how many lines of a conversation are unread."""
    (count,) = connection.execute(
        "SELECT count(*) FROM events e JOIN conversations v ON v.number = e.conversation"
        " WHERE v.contact = ? AND e.is_read = 0 AND e.held = 0",
        (conversation.contact,),
    ).fetchone()
    told: dict[str, object] = {"friend": conversation.friend, "unread": count}
    return Tell(api.Event("unread", told))
