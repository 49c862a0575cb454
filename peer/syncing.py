"""What two linked devices owe each other: digests, vectors where they differ, and what is lacking.

Plain functions inside one transaction or one snapshot. The pieces of a long history are asked for by the
node one after another (`next_batch`), so that no link ever holds more than one batch in memory.
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
from wire.ids import ConversationId, DeviceId, IdentityKey
from wire.log.vector import Missing, digest_of, lacking
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


@dataclass(slots=True)
class Session:
    """What one open link still owes: kept by the node, thrown away with the link."""

    device: DeviceId
    identity: IdentityKey
    owed: list[tuple[ConversationId, Missing]] = field(default_factory=list)
    vectors: dict[ConversationId, list[VectorEntry]] = field(default_factory=dict)


def opened(
    connection: Connection,
    keys: DeviceKeys,
    session: Session,
    certificate: bytes,
    device_list: bytes,
) -> list[Effect]:
    """Take note of the device at the other end and say what we have; the first thing on a link."""
    contact = contacts.may_link(connection, session.identity)
    note_device(connection, session.identity, certificate, device_list)
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
    return [SendOnLink(session.device, message) for message in said]


def on_message(
    connection: Connection,
    keys: DeviceKeys,
    session: Session,
    message: Message,
    now: UnixMillis,
) -> list[Effect]:
    """Take what came on a link; raises RemoteProtocolError where the link must end."""
    match message:
        case Events():
            return on_events(connection, keys, session.identity, message, now)
        case Receipt(signed=signed):
            return on_receipt(connection, keys, session.identity, signed, now)
        case Digests(rows=rows):
            return _on_digests(connection, session, rows)
        case Vector():
            _on_vector(connection, session, message)
            return []
        case Devices(device_list=device_list, certificates=certificates):
            for certificate in certificates:
                note_device(connection, session.identity, certificate, device_list)
            return []
    return []


def vector(connection: Connection, conversation: Conversation) -> list[VectorEntry]:
    """Give what is here of a conversation, one entry a chain."""
    rows = connection.execute(
        "SELECT device, epoch, floor, high, high_id FROM chains WHERE conversation = ?"
        " AND high > 0 ORDER BY device, epoch",
        (conversation.number,),
    )
    return [VectorEntry(*row) for row in rows]


def next_batch(connection: Connection, session: Session) -> list[Effect]:
    """Give the next events that this link owes, at most BATCH_BYTES of them; none when all is said."""
    while session.owed:
        conversation_id, missing = session.owed[0]
        conversation = of_id(connection, conversation_id)
        rows = connection.execute(
            "SELECT e.header, e.body, e.seq FROM events e JOIN chains h ON h.number = e.chain"
            " WHERE h.conversation = ? AND h.device = ? AND h.epoch = ? AND e.seq BETWEEN ? AND ?"
            " AND e.is_fork = 0 ORDER BY e.seq LIMIT ?",
            (
                conversation.number,
                missing.device,
                missing.epoch,
                missing.first,
                missing.last,
                limits.EVENTS_PER_BATCH,
            ),
        )
        batch: list[SealedEvent] = []
        size, last = 0, missing.first - 1
        for header, body, seq in rows:
            size += len(header) + len(body or b"")
            if batch and size > BATCH_BYTES:
                break
            batch.append(SealedEvent(header, body))
            last = seq
        if not batch or last >= missing.last:
            session.owed.pop(0)
        else:
            rest = Missing(missing.device, missing.epoch, last + 1, missing.last)
            session.owed[0] = (conversation_id, rest)
        if batch:
            return [SendOnLink(session.device, Events(conversation_id, tuple(batch)))]
    return []


def _on_digests(
    connection: Connection, session: Session, rows: tuple[ConversationDigest, ...]
) -> list[Effect]:
    effects: list[Effect] = []
    for row in rows:
        conversation = _shared(connection, session, row.conversation)
        mine = vector(connection, conversation)
        if digest_of(mine) == row.digest:
            continue
        step = limits.VECTOR_ENTRIES_PER_PAGE
        pages = [mine[at : at + step] for at in range(0, len(mine), step)] or [[]]
        for number, page in enumerate(pages, 1):
            said = Vector(row.conversation, tuple(page), is_last=number == len(pages))
            effects.append(SendOnLink(session.device, said))
    return effects


def _on_vector(connection: Connection, session: Session, came: Vector) -> None:
    conversation = _shared(connection, session, came.conversation)
    entries = session.vectors.setdefault(came.conversation, [])
    entries += came.entries
    if len(entries) > limits.DEVICES * limits.EPOCHS * 2:
        raise RemoteProtocolError(Code.TOO_MANY_PAGES)
    if came.is_last:
        theirs = session.vectors.pop(came.conversation)
        owed = lacking(vector(connection, conversation), theirs)
        session.owed += [(came.conversation, missing) for missing in owed]


def _shared(
    connection: Connection, session: Session, conversation_id: ConversationId
) -> Conversation:
    contact = contacts.may_link(connection, session.identity)
    conversation = with_friend(connection, contact)
    if conversation.id != conversation_id:
        raise RemoteProtocolError(Code.UNKNOWN_CONVERSATION)
    return conversation
