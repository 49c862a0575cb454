"""What two linked devices owe each other: digests, vectors where they differ, and what is lacking.

Plain functions inside one transaction or one snapshot. The node asks for the pieces of a long history one
after another (`next_batch`), so that no link ever holds more than one batch in memory; a live message is
nothing but the next piece.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from peer import contacts
from peer.conversations import Conversation, of_id, on_events, on_receipt, with_friend
from peer.effects import Effect, SendOnLink
from peer.store.devices import note_device
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys
from wire.ids import ConversationId, DeviceId, Epoch, IdentityKey
from wire.log.event import peek_header
from wire.log.vector import digest_of
from wire.machine import UnixMillis
from wire.messages import Message
from wire.messages.conversation import (
    ConversationDigest,
    Devices,
    Digests,
    Events,
    Receipt,
    SealedEvent,
    Vector,
    VectorEntry,
)

Connection = sqlite3.Connection
BATCH_BYTES = (
    64 * limits.KIB
)  # of headers and bodies in one Events record; a single one may be larger


ChainKey = tuple[ConversationId, DeviceId, Epoch]


@dataclass(slots=True)
class Session:
    """What is known of the other end of one open link: kept by the node, thrown away with the link.

    Touched by the event loop's thread only; what runs in the writer's thread gets no Session.
    """

    device: DeviceId
    identity: IdentityKey
    has: dict[ChainKey, int] = field(
        default_factory=dict
    )  # chain -> highest seq there, or on its way
    level: set[ConversationId] = field(default_factory=set)  # they said what they have of these
    told: set[ConversationId] = field(default_factory=set)  # we said what we have of these
    pages: dict[ConversationId, list[VectorEntry]] = field(default_factory=dict)


def opened(
    connection: Connection,
    keys: DeviceKeys,
    device: DeviceId,
    identity: IdentityKey,
    certificate: bytes,
    device_list: bytes,
) -> list[Effect]:
    """Take note of the device at the other end and say what we have; the first thing on a link."""
    contact = contacts.may_link(connection, identity)
    note_device(connection, identity, certificate, device_list)
    conversation = with_friend(connection, contact)
    row = ConversationDigest(conversation.id, digest_of(vector(connection, conversation)))
    receipt = connection.execute(
        "SELECT signed FROM receipts WHERE conversation = ? AND device = ?",
        (conversation.number, keys.device),
    ).fetchone()
    said: list[Message] = [Digests((row,), is_last=True)]
    if receipt is not None:
        # The last one may have been lost with the link it was sent on.
        said.append(Receipt(receipt[0]))
    return [SendOnLink(device, message) for message in said]


def store(
    connection: Connection,
    keys: DeviceKeys,
    identity: IdentityKey,
    message: Events | Receipt | Devices,
    now: UnixMillis,
) -> list[Effect]:
    """Take what changes the database; raises RemoteProtocolError where the link must end."""
    match message:
        case Events():
            return on_events(connection, keys, identity, message, now)
        case Receipt(signed=signed):
            return on_receipt(connection, keys, identity, signed, now)
        case Devices(device_list=device_list, certificates=certificates):
            for certificate in certificates:
                note_device(connection, identity, certificate, device_list)
            return []


def stored(session: Session, came: Events) -> None:
    """Take note that the other end has what it just sent."""
    for sealed in came.events:
        header = peek_header(sealed.header)
        key = (came.conversation, header.device, header.epoch)
        session.has[key] = max(session.has.get(key, 0), header.seq)


def compare(connection: Connection, session: Session, message: Digests | Vector) -> list[Effect]:
    """Take what the other end has, and say what we have where that differs; changes nothing stored."""
    if isinstance(message, Vector):
        return _on_vector(connection, session, message)
    return _on_digests(connection, session, message.rows)


def vector(connection: Connection, conversation: Conversation) -> list[VectorEntry]:
    """Give what is here of a conversation, one entry a chain."""
    rows = connection.execute(
        "SELECT device, epoch, floor, high, high_id FROM chains WHERE conversation = ?"
        " AND high > 0 ORDER BY device, epoch",
        (conversation.number,),
    )
    return [VectorEntry(*row) for row in rows]


def next_batch(connection: Connection, session: Session) -> list[Effect]:
    """Give the next events that the other end lacks, at most BATCH_BYTES of them; none when it has all.

    Each chain goes in order, and only after they said what they have: nothing arrives with a hole before it.
    """
    for conversation_id in session.level:
        conversation = of_id(connection, conversation_id)
        for entry in vector(connection, conversation):
            key = (conversation_id, entry.device, entry.epoch)
            after = session.has.get(key, 0)
            if entry.high > after:
                events, last = _events_after(connection, conversation, key, after)
                session.has[key] = last
                return [SendOnLink(session.device, Events(conversation_id, events))]
    return []


def _events_after(
    connection: Connection, conversation: Conversation, key: ChainKey, after: int
) -> tuple[tuple[SealedEvent, ...], int]:
    rows = connection.execute(
        "SELECT e.header, e.body, e.seq FROM events e JOIN chains h ON h.number = e.chain"
        " WHERE h.conversation = ? AND h.device = ? AND h.epoch = ? AND e.seq > ?"
        " AND e.is_fork = 0 ORDER BY e.seq LIMIT ?",
        (conversation.number, key[1], key[2], after, limits.EVENTS_PER_BATCH),
    )
    batch: list[SealedEvent] = []
    size, last = 0, after
    for header, body, seq in rows:
        size += len(header) + len(body or b"")
        if batch and size > BATCH_BYTES:
            break
        batch.append(SealedEvent(header, body))
        last = seq
    return tuple(batch), last


def _on_digests(
    connection: Connection, session: Session, rows: tuple[ConversationDigest, ...]
) -> list[Effect]:
    effects: list[Effect] = []
    for row in rows:
        conversation = _shared(connection, session, row.conversation)
        mine = vector(connection, conversation)
        if digest_of(mine) == row.digest:
            _is_level(session, row.conversation, mine)
            continue
        effects += _say_vector(session, row.conversation, mine)
    return effects


def _say_vector(
    session: Session, conversation: ConversationId, mine: list[VectorEntry]
) -> list[Effect]:
    """Say what we have of a conversation, once a link."""
    if conversation in session.told:
        return []
    session.told.add(conversation)
    step = limits.VECTOR_ENTRIES_PER_PAGE
    pages = [mine[at : at + step] for at in range(0, len(mine), step)] or [[]]
    return [
        SendOnLink(session.device, Vector(conversation, tuple(page), is_last=number == len(pages)))
        for number, page in enumerate(pages, 1)
    ]


def _on_vector(connection: Connection, session: Session, came: Vector) -> list[Effect]:
    """Take what they have, and say what we have if our digests were equal here but not there.

    That happens when something is said while the digests are under way: who finds them unequal waits
    for a vector that the other, who found them equal, would otherwise never send (simnet seed 163).
    """
    conversation = _shared(connection, session, came.conversation)
    entries = session.pages.setdefault(came.conversation, [])
    entries += came.entries
    if len(entries) > limits.DEVICES * limits.EPOCHS * 2:
        raise RemoteProtocolError(Code.TOO_MANY_PAGES)
    if not came.is_last:
        return []
    _is_level(session, conversation.id, session.pages.pop(came.conversation))
    return _say_vector(session, conversation.id, vector(connection, conversation))


def _is_level(session: Session, conversation: ConversationId, theirs: list[VectorEntry]) -> None:
    """Note what the other end has of a conversation: from here on it can be sent what it lacks."""
    for entry in theirs:
        session.has[conversation, entry.device, entry.epoch] = entry.high
    session.level.add(conversation)


def _shared(
    connection: Connection, session: Session, conversation_id: ConversationId
) -> Conversation:
    contact = contacts.may_link(connection, session.identity)
    conversation = of_id(connection, conversation_id)
    if conversation.contact != contact.number:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    return conversation
