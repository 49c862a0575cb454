"""How far people saw a conversation: marked here, told to friends who may know, followed by own devices.

A place is seen once everything in its chain up to it was shown to a person: there is no hole in what *read* says.
Nothing but `read` marks. A receipt carries it (`peer.log.receipts`) as the friend's switch `receipts` allows; the
account state carries it to the other devices of the account, whatever the switches say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable

from peer import api
from peer.effects import Effect, PushEvents, WantLink
from peer.history import history, transcript
from peer.log import chains, receipts
from peer.log.chains import ChainRow
from peer.log.membership import Conversation, of_number
from peer.mail.enclosed import owe_to
from peer.store import own
from peer.talk import readmarks
from peer.talk.following import raise_to, told
from peer.talk.readmarks import ChainKey
from wire.identity import DeviceKeys
from wire.ids import DeviceId
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def read(
    connection: Connection,
    to: str | None,
    unread_only: bool,
    limit: int | None,
    before: str | None = None,
) -> list[api.Message]:
    """Give lines as `transcript.messages` does, and mark what was given as seen."""
    found = transcript.messages(connection, to, unread_only=unread_only, limit=limit, before=before)
    mark(connection, found)
    return found


def read_and_tell(
    connection: Connection,
    keys: DeviceKeys,
    command: api.ReadMessages,
    linked: Collection[DeviceId],
    now: UnixMillis,
) -> tuple[list[api.Message], list[Effect]]:
    """Do what `read` does, and tell whoever may know. linked: devices with an open link."""
    found = read(connection, command.to, command.unread_only, command.limit, command.before)
    return found, tell(connection, keys, linked, now)


def mark(connection: Connection, lines: Iterable[api.Message]) -> None:
    """Mark lines as seen, and note how far that goes in their conversations."""
    touched: set[int] = set()
    for line in lines:
        if line.kind == "gap":
            continue
        if len(line.id) != history.EVENT_ID_CHARS:
            connection.execute("UPDATE notices SET is_read = 1 WHERE number = ?", (int(line.id),))
            continue
        row = connection.execute(
            "UPDATE events SET is_read = 1 WHERE id = ? AND is_read = 0 RETURNING conversation",
            (bytes.fromhex(line.id),),
        ).fetchone()
        if row is not None:
            touched.add(row[0])
    for number in sorted(touched):
        _note(connection, of_number(connection, number))


def is_due(connection: Connection) -> bool:
    """Say whether something was seen, by a verb without keys, that nobody was told of."""
    row = connection.execute("SELECT 1 FROM conversations WHERE is_seen_news = 1").fetchone()
    return row is not None


def tell(
    connection: Connection, keys: DeviceKeys, linked: Collection[DeviceId], now: UnixMillis
) -> list[Effect]:
    """Sign what was seen, where that may be told, and say how many lines are unread.

    linked: devices with an open link; to the others of the friend it goes by mail.
    """
    rows = connection.execute(
        "SELECT number FROM conversations WHERE is_seen_news = 1 ORDER BY number"
    ).fetchall()
    effects: list[Effect] = []
    for (number,) in rows:
        conversation = of_number(connection, number)
        effects.append(told(connection, conversation))
        if not receipts.may_tell_seen(connection, conversation):
            connection.execute(
                "UPDATE conversations SET is_seen_news = 0 WHERE number = ?", (number,)
            )
            continue
        receipts.sign_receipt(connection, keys, conversation, now)
        effects.append(PushEvents(conversation.id))
        if owe_to(connection, conversation.number, conversation.identity, linked):
            effects.append(WantLink(conversation.identity))
    return effects


# --- inside


def _note(connection: Connection, conversation: Conversation) -> None:
    """Note how far the chains of a conversation are seen now, here and in the account state."""
    me = own.this_device(connection)[1]
    higher: dict[ChainKey, int] = {}
    for chain in chains.every(connection, conversation.number):
        if chain.author == me:
            continue
        high = _seen_to(connection, conversation.number, chain)
        if high > chain.seen:
            raise_to(connection, chain, high)
            higher[chain.device, chain.epoch] = high
    if higher:
        readmarks.add(connection, conversation.id, higher)
    connection.execute(
        "UPDATE conversations SET is_seen_news = 1 WHERE number = ?", (conversation.number,)
    )


def _seen_to(connection: Connection, conversation: int, chain: ChainRow) -> int:
    """Give the last place of a chain up to which nothing is unread, nor lacking below its floor.

    What is below the floor was never here: nobody can have seen it, but on another device that said so.
    """
    if chain.floor > chain.seen + 1:
        return chain.seen
    (first,) = connection.execute(
        "SELECT min(seq) FROM events WHERE conversation = ? AND chain = ? AND is_read = 0",
        (conversation, chain.number),
    ).fetchone()
    return chain.agreed if first is None else min(chain.agreed, int(first) - 1)
