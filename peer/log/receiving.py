"""Receiving events: what is taken into a log, what waits, what is refused; never the end of a link.

An event that cannot be believed is refused alone: it is counted, the person hears of it once, and everything
else of the same batch is taken. So nothing that one member writes can keep the others from catching up.
"""

from __future__ import annotations

import sqlite3

from msgspec.structs import replace

from peer.effects import Effect, PushEvents, SendOnLink
from peer.history import indexing
from peer.log import chains, forks, oneself, runs
from peer.log.batches import Batch, is_label_off, known_clock
from peer.log.chains import ChainRow, Place
from peer.log.membership import of_number, shares, to_members
from peer.log.notices import reject
from peer.log.receipts import mark_delivered, sign_receipt
from peer.log.rows import await_receipt, insert
from peer.log.showing import (
    HOLD_MS,
    Known,
    Stored,
    known_among,
    load,
    named_by,
    note_lacks,
    on_shown,
    show,
)
from peer.mail import posted
from peer.people import reissuing
from peer.store.devices import certificate_of
from peer.talk import about
from wire import limits
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import Certificate, DeviceKeys
from wire.ids import DeviceId, EventId, IdentityKey
from wire.log.event import Event, Header, claimed_header, read_body, read_event
from wire.machine import Entropy, UnixMillis
from wire.messages.conversation import AskEvents, Events, SealedEvent, Unavailable

Connection = sqlite3.Connection


def on_events(
    connection: Connection,
    keys: DeviceKeys,
    sender: DeviceId,
    identity: IdentityKey,
    came: Events,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Take a batch that a linked device sent, and sign a receipt for all that is stored now.

    sender, identity: the device at the other end, and whose it is. Raises RemoteProtocolError(NOT_ADMITTED)
    for a stranger only.
    """
    conversation = shares(connection, identity, came.conversation)
    if conversation is None:
        return []
    known: dict[DeviceId, Certificate | None] = {}

    def certificate(device: DeviceId) -> Certificate | None:
        if device not in known:
            known[device] = certificate_of(connection, device)
        return known[device]

    batch = Batch(keys, conversation, sender, identity, certificate, now, entropy)
    effects: list[Effect] = []
    stored: list[Event] = []
    rest = came.events
    while rest:
        run, shown = runs.take(connection, batch, rest)
        effects += shown
        stored += run
        rest = rest[len(run) :]
        if rest:
            effects += _take(connection, batch, rest[0], stored)
            rest = rest[1:]
    effects += _mark_own(connection, batch, stored)
    bodiless = tuple(
        event.id
        for event in stored
        if event.sealed.body is None and not about.is_gone_for_good(connection, event.id)
    )
    if bodiless:
        asked = AskEvents(conversation.id, bodiless)
        effects += to_members(connection, conversation, asked, except_device=sender)
    news = sign_receipt(connection, keys, conversation, now, brought_by=sender)
    return [*effects, PushEvents(conversation.id, news=news)]


def on_unavailable(
    connection: Connection,
    keys: DeviceKeys,
    identity: IdentityKey,
    came: Unavailable,
) -> list[Effect]:
    """Take note that a friend will never send some events of a chain: this gap may be final.

    It becomes final with the first event behind it, which is signed. About our own chain nobody can know
    better than we; and what an own device lacks, a friend may still have.
    """
    conversation = shares(connection, identity, came.conversation)
    author = certificate_of(connection, came.device)
    if conversation is None or author is None or came.device == keys.device:
        return []
    if identity == keys.identity:
        return []
    if author.identity not in (conversation.identity, keys.identity):
        return []
    try:
        chain = chains.need(
            connection, conversation.number, came.device, came.epoch, author.identity
        )
    except RemoteProtocolError:
        return []
    if came.first <= chain.high + 1:
        chains.never_comes(connection, chain, came.last)
    return []


def _take(
    connection: Connection,
    batch: Batch,
    sealed: SealedEvent,
    stored: list[Event],
) -> list[Effect]:
    """Take one event, or refuse it."""
    try:
        event_id, claimed = claimed_header(sealed.header)
        here = known_among(connection, [event_id, *named_by(claimed)])
        if event_id in here:
            is_wanted = here[event_id].is_wanted and sealed.body is not None
            return _embody(connection, batch, here[event_id].number, sealed) if is_wanted else []
        clock = known_clock(connection, batch, claimed)
        event = read_event(sealed, batch.certificate_of, known_clock=clock)
        effects = _store_whole(connection, batch, event, here)
    except RemoteProtocolError as error:
        if error.code is Code.DEVICE_UNKNOWN:
            return []  # of a device that we shall hear of: it comes again
        digest = sha256(sealed.header)
        return reject(
            connection,
            batch.conversation,
            digest,
            error.code,
            batch.now,
            sender=batch.sender,
        )
    stored.append(event)
    return effects


def _store_whole(
    connection: Connection, batch: Batch, event: Event, here: dict[bytes, Known]
) -> list[Effect]:
    """Store an event or leave no trace of it; raises as `_store` does."""
    connection.execute("SAVEPOINT event")
    try:
        return _store(connection, batch, event, here)
    except RemoteProtocolError:
        connection.execute("ROLLBACK TO event")
        raise
    finally:
        connection.execute("RELEASE event")


def _store(
    connection: Connection, batch: Batch, event: Event, here: dict[bytes, Known]
) -> list[Effect]:
    """Put a verified event where it belongs; raises RemoteProtocolError for one that may not stand here.

    here: of what it names, what is stored.
    """
    header, conversation, now = event.header, batch.conversation, batch.now
    author = _author(connection, batch, event)
    is_own = author.identity == batch.keys.identity
    missing = [named for named in named_by(header) if named not in here or here[named].is_held]
    if any(known.clock >= header.clock for known in here.values()):
        raise RemoteProtocolError(Code.CLOCK_INVALID, "an event claims to be before what it names")
    chain = chains.need(
        connection, conversation.number, header.device, header.epoch, author.identity
    )
    place = chains.place_of(connection, chain, header, event.id)
    _check_room(connection, chain, place, header)
    effects: list[Effect] = []
    if header.device == batch.keys.device:
        effects += forks.on_own_returned(connection, conversation, header, now, batch.entropy)
    if place is not Place.MAIN:
        effects += _on_rival(connection, batch, chain, place, event)
    is_void = place is not Place.MAIN or 0 < chain.forked_at <= header.seq
    is_clock_off = is_label_off(header, author, here.values(), now)
    number = insert(
        connection, conversation, chain, event, now=now, is_own=is_own,
        is_fork=place is not Place.MAIN,
        held=now + HOLD_MS if missing else 0,
        is_clock_off=is_clock_off,
    )  # fmt: skip
    if is_own:
        is_here = header.device == batch.keys.device
        state = oneself.state_at_first(connection, conversation, is_here=is_here)
        await_receipt(connection, number, conversation, state, min(now, header.at))
        if header.device != batch.keys.device:
            reissuing.follow(connection, conversation, number, event)
    note_lacks(connection, number, missing)
    if not missing:
        named = tuple(known.number for known in here.values())
        new = Stored(
            number, event, is_own, is_void, is_new=True, is_clock_off=is_clock_off, named=named
        )
        effects += show(connection, conversation, new, now)
    return effects


def _author(connection: Connection, batch: Batch, event: Event) -> Certificate:
    """Give whose event it is, if that may be."""
    header, conversation = event.header, batch.conversation
    author = batch.certificate_of(header.device)
    if author is None or author.identity not in (conversation.identity, batch.keys.identity):
        raise RemoteProtocolError(Code.EVENT_INVALID, "an event of somebody who is no member")
    if header.conversation != conversation.id:
        raise RemoteProtocolError(Code.EVENT_INVALID, "an event of another conversation")
    if batch.identity in (author.identity, batch.keys.identity):
        return author  # a device of the same account, or of ours, stands for it
    is_revoked = connection.execute(
        "SELECT 1 FROM devices WHERE device = ? AND revoked > 0", (header.device,)
    ).fetchone()
    is_named = connection.execute("SELECT 1 FROM lacks WHERE missing = ?", (event.id,)).fetchone()
    if is_revoked and not is_named:
        raise RemoteProtocolError(Code.DEVICE_REVOKED, "an event of a device that was taken off")
    return author


def _check_room(connection: Connection, chain: ChainRow, place: Place, header: Header) -> None:
    """Refuse what is beyond the bound of a forked chain."""
    if place is Place.MAIN and not 0 < chain.forked_at <= header.seq:
        return
    (rivals,) = connection.execute(
        "SELECT count(*) FROM events WHERE chain = ? AND is_fork = 1", (chain.number,)
    ).fetchone()
    line = max(chain.high + 1 - chain.forked_at, 0) if chain.forked_at else 0
    if rivals + line >= limits.FORK_EVENTS:
        raise RemoteProtocolError(Code.FORKED, "a forked chain goes on beyond its bound")


def _on_rival(
    connection: Connection, batch: Batch, chain: ChainRow, place: Place, event: Event
) -> list[Effect]:
    """Note a fork that an event shows, and ask for what it continues if that is not here."""
    header, conversation = event.header, batch.conversation
    effects: list[Effect] = []
    if place is Place.TAKEN:
        (standing,) = connection.execute(
            "SELECT header FROM events WHERE chain = ? AND seq = ? AND is_fork = 0",
            (chain.number, header.seq),
        ).fetchone()
        effects += forks.prove(
            connection, conversation, chain, standing, event.sealed.header, batch.now
        )
    else:
        before = chains.id_at(connection, chain.number, header.seq - 1)
        is_before = before is not None and before != header.prev
        seq = header.seq - 1 if is_before else header.seq
        effects += forks.fork_at(connection, conversation, chain, seq, batch.now)
    if header.prev and not chains.is_here(connection, header.prev):
        asked = AskEvents(conversation.id, (EventId(header.prev),))
        effects.append(SendOnLink(batch.sender, asked))
    return effects


def _embody(connection: Connection, batch: Batch, number: int, sealed: SealedEvent) -> list[Effect]:
    """Take the body of an event that somebody passed on without it, and show it now; not of a deleted one."""
    stored = load(connection, number)
    if about.is_gone_for_good(connection, stored.event.id):
        return []
    content = read_body(stored.event.header, sealed.body)
    connection.execute("UPDATE events SET body = ? WHERE number = ?", (sealed.body, number))
    indexing.changed(connection, number)
    held, conversation = connection.execute(
        "SELECT held, conversation FROM events WHERE number = ?", (number,)
    ).fetchone()
    event = replace(stored.event, sealed=sealed, content=content)
    if held:
        return []
    members = of_number(connection, conversation)
    shown = replace(stored, event=event)
    is_spoken_of = about.is_spoken_of(connection, members.number, event.id)
    return on_shown(connection, members, shown, batch.now, is_spoken_of=is_spoken_of)


def _mark_own(connection: Connection, batch: Batch, stored: list[Event]) -> list[Effect]:
    """Mark what came of this account's chains and was receipted, or left as mail, before it came."""
    touched = {
        (event.header.device, event.header.epoch)
        for event in stored
        if (author := batch.certificate_of(event.header.device)) is not None
        and author.identity == batch.keys.identity
    }
    effects: list[Effect] = []
    for device, epoch in sorted(touched):
        chain = chains.find(connection, batch.conversation.number, device, epoch)
        if chain is not None:
            if device != batch.keys.device:
                effects += posted.mark(connection, batch.conversation, chain)
            effects += mark_delivered(connection, batch.conversation, chain, batch.now)
    return effects
