"""What two linked devices say to each other about their logs, from the first digests to live talk.

    Digests                 what I have, 16 bytes a conversation
    Fork, Vector            where digests differ: proofs of forks, then what I have, chain by chain
    Unavailable, Events     what you will never get from me, and what you lack
    Receipt                 what I have, signed; after the vectors, so that it cannot be mistaken
    Devices                 certificates, before the first event of a device that you may not know
    StateKey                between own devices: the key of the account state
    AskEvents               single events by id: branches of forks, and what a gap is about

Plain functions: `store` inside one transaction, `compare` and `next_batch` over one snapshot. The node asks for the
pieces of a long history one after another, so that no link ever holds more than one batch in memory; a
live message is nothing but the next piece.
"""

from __future__ import annotations

import sqlite3
from typing import TypeGuard

from peer.effects import Effect, GiveStateKey, NoteTyping, SendOnLink, TakeStateKey
from peer.log import chains, forks, receipts
from peer.log.membership import Conversation, make_all, shared, shares, with_friend
from peer.log.receiving import on_events, on_unavailable
from peer.log.sessions import BATCH_BYTES, Progress, Session, next_events, note_level, start_of
from peer.mail.enclosed import forget_owed
from peer.people import contacts, standing
from peer.reach import shown
from peer.store import own
from peer.store.devices import introduction, list_of, note_device
from wire import limits
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys
from wire.ids import ConversationId, DeviceId, IdentityKey
from wire.log.event import peek_header
from wire.log.vector import digest_of
from wire.machine import Entropy, UnixMillis
from wire.messages import Message
from wire.messages.accounts import StateKey
from wire.messages.conversation import (
    AskEvents,
    ConversationDigest,
    Devices,
    Digests,
    Events,
    Fork,
    Receipt,
    SealedEvent,
    Typing,
    Unavailable,
    Vector,
    VectorEntry,
)
from wire.messages.reach import AddressKey

Connection = sqlite3.Connection
Stored = Events | Receipt | Devices | Unavailable | Fork | Vector | Digests | StateKey | AddressKey
Compared = Digests | Vector | AskEvents | Typing
DIGESTS_PER_PAGE = 512


def opened(
    connection: Connection,
    device: DeviceId,
    identity: IdentityKey,
    certificate: bytes,
    device_list: bytes,
    now: UnixMillis,
) -> list[Effect]:
    """Take note of the device at the other end and say what we have; the first thing on a link.

    Raises RemoteProtocolError with NOT_ADMITTED for strangers, and as `note_device` does.
    """
    contact = contacts.may_link(connection, identity)
    before = list_of(connection, identity)
    note_device(connection, identity, certificate, device_list)
    effects = standing.news(connection, identity, before, now)
    forget_owed(connection, device)
    if contact.number == contacts.OWN:
        make_all(connection)
        effects.append(GiveStateKey(device))
    else:
        with_friend(connection, contact)
    rows = [
        ConversationDigest(one.id, digest_of(_vector(connection, identity, one)))
        for one in shared(connection, identity)
    ]
    step = DIGESTS_PER_PAGE
    pages = [rows[at : at + step] for at in range(0, len(rows), step)] or [[]]
    effects += [
        SendOnLink(device, Digests(tuple(page), is_last=number == len(pages)))
        for number, page in enumerate(pages, 1)
    ]
    return effects + shown.on_link(connection, device, identity, now)


# --- what changes the database


def is_stored(message: Message) -> TypeGuard[Stored]:
    """Say whether a message has to go to `store`: all but questions."""
    return isinstance(message, Stored)


def is_told_again(message: Stored) -> bool:
    """Say whether what a message says need not be on the disk before it counts.

    A receipt is: what it says is true without us, its author says its newest on every link, and what counts once more then
    is the same. If it is forgotten with the power, a message is `queued` again until that link.
    """
    return isinstance(message, Receipt)


def store(
    connection: Connection,
    keys: DeviceKeys,
    device: DeviceId,
    identity: IdentityKey,
    message: Stored,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Take what changes the database; device, identity: of the other end.

    What does not verify is dropped, or counted where it is an event: nothing that is well formed ends the link.
    Raises RemoteProtocolError(NOT_ADMITTED) where the friendship has ended meanwhile.
    """
    match message:
        case Events():
            return on_events(connection, keys, device, identity, message, now, entropy)
        case Receipt(signed=signed):
            return receipts.on_receipt(connection, keys, device, identity, signed, now, entropy)
        case Devices(device_list=device_list, certificates=certificates):
            contacts.may_link(connection, identity)
            return standing.introduced(connection, device_list, certificates, now)
        case StateKey(state_key=state_key):
            is_own = identity == keys.identity
            return [TakeStateKey(state_key)] if is_own else []
        case AddressKey(key=key):
            return shown.take(connection, device, identity, key)
        case Unavailable():
            return on_unavailable(connection, keys, identity, message)
        case Fork():
            found = shares(connection, identity, message.conversation)
            if found is not None:
                return forks.on_fork(connection, keys, device, found, message, now, entropy)
        case Digests(rows=rows):
            if forks.is_doubted_by(connection, device):
                forks.forget_claims(connection, device, _alike(connection, identity, rows))
        case Vector():
            found = shares(connection, identity, message.conversation)
            if found is not None:
                forks.on_claims(connection, keys, device, found, message, now, entropy)
    return []


def stored(session: Session, message: Message) -> None:
    """Take note that the other end has what it just sent."""
    if not isinstance(message, Events) or message.conversation not in session.level:
        return
    progress = session.level[message.conversation]
    for sealed in message.events:
        try:
            header = peek_header(sealed.header)
        except RemoteProtocolError:
            continue
        progress.take((header.device, header.epoch), header.seq)


# --- what is answered from a snapshot


def is_compared(message: Message) -> TypeGuard[Compared]:
    """Say whether a message has to go to `compare`."""
    return isinstance(message, Compared)


def compare(connection: Connection, session: Session, message: Compared) -> list[Effect]:
    """Take what the other end has, and say what we have where that differs; answer what it asks for."""
    match message:
        case Digests(rows=rows):
            return [e for row in rows for e in _on_digest(connection, session, row)]
        case Vector():
            return _on_vector(connection, session, message)
        case AskEvents():
            return _on_ask(connection, session, message)
        case Typing(conversation=conversation, is_typing=is_typing):
            found = shares(connection, session.identity, conversation)
            if found is None or found.identity != session.identity:
                return []
            return [NoteTyping(found.friend, session.device, is_typing)]


def next_batch(connection: Connection, session: Session) -> list[Effect]:
    """Give the next events that the other end lacks, at most BATCH_BYTES of them; none when it has all.

    Then come the receipts that are owed.
    """
    while session.behind:
        conversation_id = next(iter(session.behind))
        conversation = _still_shared(connection, session, conversation_id)
        progress = session.level.get(conversation_id)
        effects: list[Effect] = []
        if conversation is not None and progress is not None:
            events, devices, is_all = next_events(connection, progress, session, conversation)
            if events:
                effects = _send_events(connection, session, conversation, events, devices)
            if not is_all:
                return effects
            effects += _say_receipts(connection, session, progress, conversation)
        del session.behind[conversation_id]
        if effects:
            return effects
    return []


def _still_shared(
    connection: Connection, session: Session, conversation_id: ConversationId
) -> Conversation | None:
    """Give a conversation that is to be brought up to date, None if the friendship has ended meanwhile."""
    try:
        return shares(connection, session.identity, conversation_id)
    except RemoteProtocolError:
        return None


def _alike(
    connection: Connection, identity: IdentityKey, rows: tuple[ConversationDigest, ...]
) -> list[Conversation]:
    """Give the conversations of which the other end has the same as we."""
    found = []
    for row in rows:
        conversation = shares(connection, identity, row.conversation)
        if conversation is not None:
            mine = _vector(connection, identity, conversation)
            if digest_of(mine) == row.digest:
                found.append(conversation)
    return found


def _on_digest(connection: Connection, session: Session, row: ConversationDigest) -> list[Effect]:
    conversation = shares(connection, session.identity, row.conversation)
    if conversation is None:
        return []
    mine = _vector(connection, session.identity, conversation)
    if digest_of(mine) == row.digest:
        return _level(connection, session, conversation, mine)
    return _say_vector(connection, session, conversation, mine)


def _on_vector(connection: Connection, session: Session, came: Vector) -> list[Effect]:
    """Take what they have, and say what we have if our digests were equal here but not there.

    That happens when something is said while the digests are under way: who finds them unequal waits
    for a vector that the other, who found them equal, would otherwise never send (simnet seed 163).
    """
    conversation = shares(connection, session.identity, came.conversation)
    if conversation is None or conversation.id in session.heard:
        return []
    entries = session.pages.setdefault(conversation.id, [])
    entries += came.entries[: max(limits.VECTOR_ENTRIES - len(entries), 0)]
    if not came.is_last:
        return []
    session.heard.add(conversation.id)
    effects = _level(connection, session, conversation, session.pages.pop(conversation.id))
    mine = _vector(connection, session.identity, conversation)
    return effects + _say_vector(connection, session, conversation, mine)


def _vector(
    connection: Connection, identity: IdentityKey, conversation: Conversation
) -> list[VectorEntry]:
    """Give what is here of a conversation, for whoever is at the other end."""
    is_own = identity == own.this_device(connection)[1]
    return chains.vector(connection, conversation.number, is_for_own=is_own)


def _say_vector(
    connection: Connection, session: Session, conversation: Conversation, mine: list[VectorEntry]
) -> list[Effect]:
    """Say what we have of a conversation, once a link: proofs of forks, then the vector."""
    if conversation.id in session.told:
        return []
    session.told.add(conversation.id)
    step = limits.VECTOR_ENTRIES_PER_PAGE
    pages = [mine[at : at + step] for at in range(0, len(mine), step)] or [[]]
    said: list[Message] = []
    for proof in forks.proofs(connection, conversation):
        said += _introduce(connection, session, {peek_header(proof.first).device})
        said.append(proof)
    said += [
        Vector(conversation.id, tuple(page), is_last=number == len(pages))
        for number, page in enumerate(pages, 1)
    ]
    return [SendOnLink(session.device, message) for message in said]


def _say_receipts(
    connection: Connection, session: Session, progress: Progress, conversation: Conversation
) -> list[Effect]:
    """Say our newest receipt; bring another device of ours those of everybody else; each once a link.

    A receipt names places. One that speaks of chains of the other end's account waits until the very events are here
    that were said to be there: after a restored backup the same places may hold something else.
    """
    this, identity = own.this_device(connection)
    effects: list[Effect] = []
    for device, signed in receipts.kept(connection, conversation):
        key = (conversation.id, device)
        is_for_them = device == this or session.identity == identity
        if not is_for_them or device == session.device or session.receipts.get(key) == signed:
            continue
        if receipts.speaks_of(connection, conversation, signed, session.identity, progress.tips):
            session.receipts[key] = signed
            if (
                device == this
            ):  # it speaks of known chains only: what is said of them is here, and stays
                for chain in receipts.chains_in(signed):
                    progress.tips.pop(chain, None)
            said = [*_introduce(connection, session, {device}), Receipt(signed)]
            effects += [SendOnLink(session.device, message) for message in said]
    return effects


def _level(
    connection: Connection, session: Session, conversation: Conversation, theirs: list[VectorEntry]
) -> list[Effect]:
    """Note what they have; say what they will never get, and ask for what shows a fork we do not know."""
    never, strange = note_level(connection, session, conversation, theirs)
    said: list[Message] = [*never]
    step = limits.EVENTS_PER_BATCH
    said += [
        AskEvents(conversation.id, tuple(strange[at : at + step]))
        for at in range(0, len(strange), step)
    ]
    return [SendOnLink(session.device, message) for message in said]


def _on_ask(connection: Connection, session: Session, came: AskEvents) -> list[Effect]:
    """Give single events by id, one batch of them at most: what they may have, and what is here."""
    conversation = shares(connection, session.identity, came.conversation)
    if conversation is None or not came.ids:
        return []
    lines = {chain.number: chain for chain in chains.every(connection, conversation.number)}
    progress = session.level.get(conversation.id) or Progress()
    marks = ",".join("?" * len(came.ids))
    rows = connection.execute(
        f"SELECT header, body, chain, seq FROM events WHERE conversation = ? AND id IN ({marks})"
        " ORDER BY clock, device, id",
        (conversation.number, *came.ids),
    )
    events: list[SealedEvent] = []
    devices: set[DeviceId] = set()
    size = 0
    for header, body, of_chain, seq in rows:
        chain = lines[of_chain]
        if seq < start_of(connection, session, progress, conversation, chain):
            continue
        size += len(header) + len(body or b"")
        if events and size > BATCH_BYTES:
            break
        events.append(SealedEvent(header, body))
        devices.add(chain.device)
    return _send_events(connection, session, conversation, events, devices) if events else []


def _send_events(
    connection: Connection,
    session: Session,
    conversation: Conversation,
    events: list[SealedEvent],
    devices: set[DeviceId],
) -> list[Effect]:
    said: list[Message] = [
        *_introduce(connection, session, devices),
        Events(conversation.id, tuple(events)),
    ]
    return [SendOnLink(session.device, message) for message in said]


def _introduce(connection: Connection, session: Session, devices: set[DeviceId]) -> list[Devices]:
    """Give the certificates of devices that the other end may not know, once a link."""
    said = []
    strangers = devices - session.introduced - {session.device}
    if strangers:
        session.introduced.add(own.this_device(connection)[0])  # it introduced itself
        strangers -= session.introduced
    for device in sorted(strangers):
        if device in session.introduced:
            continue  # came with one before it
        found = introduction(connection, device)
        session.introduced.add(device)
        if found is not None:
            signed, certificates, known = found
            session.introduced |= known
            said.append(Devices(signed, certificates))
    return said
