"""What waited for a friend whose key changed, said anew to the key that a person accepted.

A direct conversation's id derives from both identities, so another key is another conversation. What this
device said in a former one and nobody signed for is written again in the present one; the former event
loses its words, which were never meant for whoever holds the former key, and is shown no more. Each device
of an account does so for what it wrote itself.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct, structs

from peer.conversations import add_own
from peer.effects import Effect
from peer.history import indexing
from peer.log import bodies
from peer.log.membership import Conversation
from peer.people import contacts, standing
from peer.talk.lines import text_of
from peer.transfers import ledger, offerings
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import AccountName
from wire.log.event import Content, Edit, Event, Offer, Text, peek_header, read_body
from wire.machine import Entropy, UnixMillis
from wire.transfer.states import ENDED, TransferState

Connection = sqlite3.Connection
_WAITING = (
    " FROM conversations v CROSS JOIN contacts c ON c.number = v.contact"
    " CROSS JOIN outbox o ON o.contact = c.number CROSS JOIN events e ON e.number = o.event"
    " WHERE v.identity <> c.identity AND c.state = 'friends' AND c.claimed IS NULL"
    " AND o.state IN ('queued', 'sent', 'failed') AND o.state <> 'failed'"
    " AND e.conversation = v.number AND e.device = ?"
)
"""In this order: few conversations are with a former key, and this is asked every second."""


class _Waiting(Struct, frozen=True):
    """An event of ours that waits in a former conversation."""

    number: int
    id: bytes
    friend: AccountName
    header: bytes
    body: bytes | None


def is_due(connection: Connection, keys: DeviceKeys) -> bool:
    """Say whether anything waits for a key that counts no more, and this device may say it anew."""
    row = connection.execute(f"SELECT 1{_WAITING} LIMIT 1", (keys.device,)).fetchone()
    return row is not None and standing.may_write(connection)


def reissue(
    connection: Connection, keys: DeviceKeys, now: UnixMillis, entropy: Entropy
) -> list[Effect]:
    """Say anew what waits for former keys of friends, in the order it was said; offers that still stand, too.

    A message that was edited meanwhile is said with its last words, one that was deleted is not; what else was done with
    messages there stays behind with them.
    """
    rows = connection.execute(
        f"SELECT e.number, e.id, c.name, e.header, e.body{_WAITING} ORDER BY e.number",
        (keys.device,),
    ).fetchall()
    effects: list[Effect] = []
    said_anew: dict[bytes, bytes] = {}
    for row in rows:
        waiting = _Waiting(*row)
        content = read_body(peek_header(waiting.header), waiting.body)
        connection.execute("DELETE FROM outbox WHERE event = ?", (waiting.number,))
        if isinstance(content, Text):
            words = text_of(connection, waiting.number) or content.text
            reply_to = said_anew.get(content.reply_to, b"")
            content = structs.replace(content, text=words, reply_to=reply_to)
            effects += _say_anew(connection, keys, waiting, content, said_anew, now, entropy)
        elif isinstance(content, Offer):
            ended, stands = _take_back(connection, waiting.number, now)
            effects += ended
            if stands:
                effects += _say_anew(connection, keys, waiting, content, said_anew, now, entropy)
        elif isinstance(
            content, Edit
        ):  # its words went with what it speaks of, if that waited, too
            bodies.drop(connection, waiting.number, now)
    return effects


def follow(connection: Connection, conversation: Conversation, number: int, event: Event) -> None:
    """Show no more what another device of this account said anew, as it shows it no more.

    event: that device's, just stored in row `number`. What it says with the words of one that waits in a former
    conversation is that one, said anew; what comes without words from a former conversation was said anew before.
    """
    if event.content is None:
        is_former = connection.execute(
            "UPDATE events SET replaced = id WHERE number = ? AND EXISTS (SELECT 1 FROM contacts c"
            " WHERE c.number = ? AND c.identity IS NOT ?) RETURNING 1",
            (number, conversation.contact, conversation.identity),
        ).fetchone()
        if is_former is not None:
            connection.execute("DELETE FROM outbox WHERE event = ?", (number,))
        return
    if not isinstance(event.content, Text):
        return
    rows = connection.execute(
        "SELECT e.number, e.header, e.body FROM outbox o CROSS JOIN events e ON e.number = o.event"
        " WHERE o.contact = ? AND o.state IN ('queued', 'sent', 'failed') AND e.conversation <> ?"
        " AND e.device = ? ORDER BY e.number",
        (conversation.contact, conversation.number, event.header.device),
    ).fetchall()
    for former, header, body in rows:
        content = read_body(peek_header(header), body)
        if not isinstance(content, Text):
            continue
        if event.content.text in (content.text, text_of(connection, former)):
            connection.execute("DELETE FROM outbox WHERE event = ?", (former,))
            indexing.forget(connection, former)
            connection.execute(
                "UPDATE events SET body = NULL, replaced = ? WHERE number = ?", (event.id, former)
            )
            return


def _say_anew(
    connection: Connection,
    keys: DeviceKeys,
    waiting: _Waiting,
    content: Content,
    said_anew: dict[bytes, bytes],
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    friend = contacts.find_friend(connection, waiting.friend)
    anew, effects = add_own(connection, keys, friend, content, now=now, entropy=entropy)
    indexing.forget(connection, waiting.number)
    connection.execute(
        "UPDATE events SET body = NULL, replaced = ? WHERE number = ?", (anew, waiting.number)
    )
    said_anew[waiting.id] = anew
    return effects


def _take_back(connection: Connection, event: int, now: UnixMillis) -> tuple[list[Effect], bool]:
    """End an offer in its former conversation; says whether it still stood, so that it is made anew."""
    row = offerings.made_by(connection, event)
    transfer = None if row is None else ledger.transfer_for(connection, row)
    if row is None or transfer is None or transfer[1] in ENDED:
        return [], False
    number, _ = transfer
    effects = ledger.move(connection, number, TransferState.CANCELLED, now, code=Code.KEY_CHANGED)
    return [*effects, *offerings.raise_to(connection, row, "withdrawn")], True
