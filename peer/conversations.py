"""Conversations: saying, receiving, receipts; each a plain function inside one transaction.

An event is stored once, under its id and its place in its chain; the receipt leaves after the commit
that stored it. Duplicates find their row and are receipted again, so dedupe lives in the database alone.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from peer import api, contacts
from peer.effects import Effect, PushEvents, PushReceipt, Tell, WantLink
from peer.errors import PeerError
from peer.history import find_event, message_of
from peer.store import own
from peer.store.devices import certificate_of, signing_key_of
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys, direct_conversation
from wire.ids import ConversationId, DeviceId, Epoch, EventId
from wire.log.event import (
    Chain,
    Content,
    Event,
    EventKind,
    Text,
    read_event,
    text_content,
    write_event,
)
from wire.log.receipt import Reach, ReceiptBody, issue_receipt, peek_receipt, read_receipt
from wire.machine import Entropy, UnixMillis
from wire.messages.conversation import Events

Connection = sqlite3.Connection


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of `conversations` with the person in it."""

    number: int
    id: ConversationId
    contact: int
    friend: str
    clock: int


def with_friend(connection: Connection, contact: contacts.Contact) -> Conversation:
    """Give the conversation with a friend, made now if there is none."""
    me = own.need_account(connection)
    if contact.identity is None:
        raise PeerError(Code.NO_SUCH_FRIEND)
    conversation = direct_conversation(me.identity, contact.identity)
    connection.execute(
        "INSERT INTO conversations (id, contact) VALUES (?, ?) ON CONFLICT DO NOTHING",
        (conversation, contact.number),
    )
    return of_id(connection, conversation)


def of_id(connection: Connection, conversation: bytes) -> Conversation:
    """Give a conversation by id; raises RemoteProtocolError(UNKNOWN_CONVERSATION)."""
    row = connection.execute(
        "SELECT v.number, v.id, v.contact, c.name, v.clock FROM conversations v"
        " JOIN contacts c ON c.number = v.contact WHERE v.id = ?",
        (conversation,),
    ).fetchone()
    if row is None:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    return Conversation(*row)


# --- saying


def say(
    connection: Connection,
    keys: DeviceKeys,
    to: str,
    text: str,
    reply_to: str | None,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.MessageState, list[Effect]]:
    """Commit a message to a friend (promise D1).

    Raises PeerError with NO_SUCH_FRIEND, BLOCKED, KEY_CHANGED, UNKNOWN_MESSAGE, TEXT_INVALID; LocalProtocolError with
    MESSAGE_EMPTY or MESSAGE_TOO_LONG.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PeerError(Code.TEXT_INVALID, "the message is not valid UTF-8") from error
    contact = contacts.find_friend(connection, to)
    target = b"" if reply_to is None else find_event(connection, reply_to)[1]
    event, effects = add_own(
        connection, keys, contact, text_content(text, target), now=now, entropy=entropy
    )
    return api.MessageState(event.hex(), "queued"), effects


def add_own(
    connection: Connection,
    keys: DeviceKeys,
    contact: contacts.Contact,
    content: Content,
    *,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[EventId, list[Effect]]:
    """Write the next event of this device in the conversation with a friend."""
    conversation = with_friend(connection, contact)
    epoch = own.epoch(connection)
    chain_number, high, high_id = _chain(
        connection, conversation, keys.device, epoch, keys.identity
    )
    heads = connection.execute(
        "SELECT e.id FROM heads h JOIN events e ON e.number = h.event WHERE h.conversation = ?"
        " ORDER BY e.clock DESC, e.device DESC LIMIT ?",
        (conversation.number, limits.PARENTS),
    ).fetchall()
    event = write_event(
        Chain(conversation.id, keys.device, epoch, high, high_id),
        content,
        signing_seed=keys.signing_seed,
        parents=tuple(EventId(row[0]) for row in heads if row[0] != high_id),
        known_clock=conversation.clock,
        list_counter=own.need_account(connection).list_counter,
        now=now,
        entropy=entropy,
    )
    number = _store(connection, conversation, chain_number, event, now, is_own=True)
    connection.execute(
        "INSERT INTO outbox (event, contact, state, since, changed) VALUES (?, ?, 'queued', ?, ?)",
        (number, contact.number, now, now),
    )
    effects: list[Effect] = [PushEvents(conversation.id, (event.id,))]
    if contact.identity is not None:
        effects.append(WantLink(contact.identity))
    if isinstance(content, Text):
        shown = message_of(connection, number)
        effects.append(Tell(api.Event("message", api.as_json(shown))))
    return event.id, effects


# --- receiving


def on_events(
    connection: Connection, keys: DeviceKeys, identity: bytes, came: Events, now: UnixMillis
) -> list[Effect]:
    """Take a batch that a linked friend sent, and sign a receipt for all that is stored now.

    identity: whose device sent it. Raises RemoteProtocolError for an event that breaks the rules of its
    log; nothing of the batch is stored then.
    """
    contact = contacts.may_link(connection, identity)
    conversation = with_friend(connection, contact)
    if came.conversation != conversation.id:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    effects: list[Effect] = []
    clock = conversation.clock
    for sealed in came.events:
        event = read_event(
            sealed, lambda device: certificate_of(connection, device), known_clock=clock
        )
        effects += _receive(connection, conversation, contact, event, now)
        clock = max(clock, event.header.clock)
    effects.append(PushReceipt(conversation.id, sign_receipt(connection, keys, conversation, now)))
    return effects


def _receive(
    connection: Connection,
    conversation: Conversation,
    contact: contacts.Contact,
    event: Event,
    now: UnixMillis,
) -> list[Effect]:
    header = event.header
    author = certificate_of(connection, header.device)
    me = own.need_account(connection)
    if author is None or author.identity not in (contact.identity, me.identity):
        raise RemoteProtocolError(Code.EVENT_INVALID, "an event of somebody who is no member")
    if header.conversation != conversation.id:
        raise RemoteProtocolError(Code.EVENT_INVALID, "an event of another conversation")
    chain, high, high_id = _chain(
        connection, conversation, header.device, header.epoch, author.identity
    )
    if header.seq <= high:
        return _repeated(connection, chain, event, now)
    if header.seq != high + 1 or header.prev != high_id:
        raise RemoteProtocolError(Code.EVENT_INVALID, f"seq {header.seq} after {high}")
    is_own = author.identity == me.identity
    number = _store(connection, conversation, chain, event, now, is_own=is_own)
    if event.header.kind == EventKind.TEXT:
        shown = message_of(connection, number)
        return [Tell(api.Event("message", api.as_json(shown)))]
    return []


def _repeated(connection: Connection, chain: int, event: Event, now: UnixMillis) -> list[Effect]:
    """Look at an event whose place is taken: the same one again, or proof of a fork."""
    row = connection.execute(
        "SELECT id, header FROM events WHERE chain = ? AND seq = ? AND is_fork = 0",
        (chain, event.header.seq),
    ).fetchone()
    if row is None or row[0] == event.id:
        return []
    connection.execute("UPDATE chains SET is_forked = 1 WHERE number = ?", (chain,))
    connection.execute(
        "INSERT INTO forks (chain, seq, first, second, found) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (chain, event.header.seq, row[1], event.sealed.header, now),
    )
    notice = {"code": Code.FORKED.value, "message": Code.FORKED.what}
    return [Tell(api.Event("notice", dict(notice)))]


def sign_receipt(
    connection: Connection, keys: DeviceKeys, conversation: Conversation, now: UnixMillis
) -> bytes:
    """Sign what is stored here of the others' chains; call it in the transaction that stored it."""
    rows = connection.execute(
        "SELECT device, epoch, high FROM chains WHERE conversation = ? AND device <> ? AND high > 0"
        " ORDER BY device, epoch",
        (conversation.number, keys.device),
    )
    signed = issue_receipt(
        keys.signing_seed,
        ReceiptBody(
            conversation=conversation.id,
            device=keys.device,
            has=tuple(Reach(DeviceId(row[0]), Epoch(row[1]), row[2]) for row in rows),
            seen=None,
            counter=own.next_counter(connection, now),
            list_counter=own.need_account(connection).list_counter,
        ),
    )
    _keep_receipt(connection, conversation, keys.device, peek_receipt(signed), signed, now)
    return signed


def on_receipt(
    connection: Connection, keys: DeviceKeys, identity: bytes, signed: bytes, now: UnixMillis
) -> list[Effect]:
    """Take a friend's receipt: what it covers is delivered (promise D3), also after it had failed."""
    contact = contacts.may_link(connection, identity)
    claimed = peek_receipt(signed)
    signing_key = signing_key_of(connection, claimed.device)
    author = certificate_of(connection, claimed.device)
    if signing_key is None or author is None or author.identity != contact.identity:
        raise RemoteProtocolError(Code.SIGNATURE_INVALID, "a receipt of somebody else")
    receipt = read_receipt(signed, claimed.device, signing_key)
    conversation = of_id(connection, receipt.conversation)
    if conversation.contact != contact.number:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    if not _keep_receipt(connection, conversation, claimed.device, receipt, signed, now):
        return []
    effects: list[Effect] = []
    for reach in receipt.has:
        if reach.device != keys.device:
            continue
        rows = connection.execute(
            "UPDATE outbox SET state = 'delivered', changed = ? WHERE contact = ?"
            " AND state IN ('queued', 'sent', 'failed') AND event IN"
            " (SELECT e.number FROM events e JOIN chains h ON h.number = e.chain WHERE"
            "  h.conversation = ? AND h.device = ? AND h.epoch = ? AND e.seq <= ?)"
            " RETURNING (SELECT id FROM events WHERE number = outbox.event)",
            (now, contact.number, conversation.number, reach.device, reach.epoch, reach.high),
        ).fetchall()
        for row in rows:
            told = {"id": row[0].hex(), "state": "delivered", "friend": contact.name}
            effects.append(Tell(api.Event("receipt", dict(told))))
    return effects


def expire(connection: Connection, now: UnixMillis) -> list[Effect]:
    """Mark as failed what was not delivered in 30 days (promise D6)."""
    rows = connection.execute(
        "UPDATE outbox SET state = 'failed', changed = ? WHERE state IN ('queued', 'sent')"
        " AND since < ? RETURNING (SELECT id FROM events WHERE number = outbox.event),"
        " (SELECT name FROM contacts WHERE number = outbox.contact)",
        (now, now - int(limits.MESSAGE_LIFETIME_S * 1000)),
    ).fetchall()
    return [
        Tell(api.Event("receipt", {"id": row[0].hex(), "state": "failed", "friend": row[1]}))
        for row in rows
    ]


# --- inside


def _chain(
    connection: Connection,
    conversation: Conversation,
    device: DeviceId,
    epoch: Epoch,
    author: bytes,
) -> tuple[int, int, bytes]:
    """Give (row, high, id at high) of one run, made now if there is none."""
    key = (conversation.number, device, epoch)
    question = "SELECT number, high, high_id FROM chains WHERE conversation = ? AND device = ? AND epoch = ?"
    row = connection.execute(question, key).fetchone()
    if row is None:
        count = connection.execute(
            "SELECT count(*) FROM chains WHERE conversation = ? AND device = ?", key[:2]
        ).fetchone()
        if count[0] >= limits.EPOCHS:
            raise RemoteProtocolError(Code.EVENT_INVALID, "a device began too many epochs")
        connection.execute(
            "INSERT INTO chains (conversation, device, epoch, author) VALUES (?, ?, ?, ?)",
            (*key, author),
        )
        row = connection.execute(question, key).fetchone()
    return row[0], row[1], row[2]


def _store(
    connection: Connection,
    conversation: Conversation,
    chain: int,
    event: Event,
    now: UnixMillis,
    *,
    is_own: bool,
) -> int:
    header = event.header
    cursor = connection.execute(
        "INSERT INTO events (id, conversation, chain, seq, clock, device, kind, at, header, body,"
        " is_own, received, is_read) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.id,
            conversation.number,
            chain,
            header.seq,
            header.clock,
            header.device,
            header.kind,
            header.at,
            event.sealed.header,
            event.sealed.body,
            is_own,
            now,
            is_own,
        ),
    )
    number = cursor.lastrowid
    assert number is not None
    connection.execute(
        "UPDATE chains SET high = ?, high_id = ? WHERE number = ?", (header.seq, event.id, chain)
    )
    connection.execute(
        "UPDATE conversations SET clock = max(clock, ?) WHERE number = ?",
        (header.clock, conversation.number),
    )
    for parent in (header.prev, *header.parents):
        connection.execute(
            "DELETE FROM heads WHERE event = (SELECT number FROM events WHERE id = ?)", (parent,)
        )
    connection.execute(
        "INSERT INTO heads (event, conversation) VALUES (?, ?)", (number, conversation.number)
    )
    return int(number)


def _keep_receipt(
    connection: Connection,
    conversation: Conversation,
    device: DeviceId,
    receipt: ReceiptBody,
    signed: bytes,
    now: UnixMillis,
) -> bool:
    """Keep a receipt if it is the newest of its device; False if a newer one is here."""
    cursor = connection.execute(
        "INSERT INTO receipts (conversation, device, counter, signed, received)"
        " VALUES (?, ?, ?, ?, ?) ON CONFLICT (conversation, device) DO UPDATE SET"
        " counter = excluded.counter, signed = excluded.signed, received = excluded.received"
        " WHERE excluded.counter > receipts.counter",
        (conversation.number, device, receipt.counter, signed, now),
    )
    return cursor.rowcount > 0
