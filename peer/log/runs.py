"""Runs: the next lines of one friend's device, taken together. That is what nearly always comes.

A run goes on right behind what is whole of its chain. Each event of it names the one before, and beyond that nothing but
what is shown here; nothing waited for any of them, nothing speaks of them yet. So one look before answers for all, and
one row of its chain and of the heads says the end of it. What is no run is taken event by event, see `receiving`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from peer.effects import Effect
from peer.log import chains
from peer.log.batches import Batch, is_label_off, known_clock
from peer.log.chains import ChainRow
from peer.log.rows import insert_next
from peer.log.showing import Known, known_among, named_by, take_heads, tell_new
from peer.store.listed import listed
from peer.talk import mutes
from wire.errors import RemoteProtocolError
from wire.identity import Certificate
from wire.ids import EventId
from wire.log.event import Event, EventKind, Header, Text, claimed_header, read_event
from wire.messages.conversation import SealedEvent

Connection = sqlite3.Connection
Claim = tuple[EventId, Header]


def take(
    connection: Connection, batch: Batch, events: Sequence[SealedEvent]
) -> tuple[list[Event], list[Effect]]:
    """Take the run that some events begin with, and show it; where there is none, the first is to be looked at alone."""
    begun = _begun(connection, batch, events[0])
    if begun is None:
        return [], []
    author, chain = begun
    claims = _claims(events)
    if not claims:
        return [], []
    here = known_among(connection, _concerned(claims))
    claims = claims[: _unexpected(connection, batch, claims, here)]
    run: list[Event] = []
    offs: list[bool] = []
    heads: set[int] = set()
    for sealed, (event_id, header) in zip(events, claims, strict=False):
        named = [here[event] for event in named_by(header) if event in here]
        is_sound = len(named) == len(named_by(header)) and all(
            not one.is_held and one.clock < header.clock for one in named
        )
        event = _verified(connection, batch, sealed, header) if is_sound else None
        if event is None:
            break
        is_off = is_label_off(header, author, named, batch.now)
        heads.update(one.number for one in named if one.number)
        here[event_id] = Known(0, False, False, header.clock, header.at, is_off)
        run.append(event)
        offs.append(is_off)
    if not run:
        return [], []
    last = insert_next(
        connection, batch.conversation, chain, run, now=batch.now, is_own=False, offs=offs
    )
    take_heads(connection, batch.conversation, last, sorted(heads), is_head=True)
    return run, _shown(connection, batch, run, offs)


def _begun(
    connection: Connection, batch: Batch, sealed: SealedEvent
) -> tuple[Certificate, ChainRow] | None:
    """Give whose run an event may begin, and the chain that it goes on; None where it begins none."""
    try:
        _, header = claimed_header(sealed.header)
    except RemoteProtocolError:
        return None
    author = batch.certificate_of(header.device)
    friend, own = batch.conversation.identity, batch.keys.identity
    if author is None or author.identity != friend or friend == own:
        return None
    if batch.identity not in (friend, own) or header.conversation != batch.conversation.id:
        return None
    chain = chains.find(connection, batch.conversation.number, header.device, header.epoch)
    if chain is None or not chains.is_next(connection, chain, header):
        return None
    return author, chain


def _claims(events: Sequence[SealedEvent]) -> list[Claim]:
    """Give what the first events say of themselves, as long as each is a line that goes on where the former ends."""
    claims: list[Claim] = []
    for sealed in events:
        try:
            event_id, header = claimed_header(sealed.header)
        except RemoteProtocolError:
            break
        if header.kind != EventKind.TEXT or sealed.body is None:
            break
        if claims and not _goes_on(header, *claims[-1]):
            break
        claims.append((event_id, header))
    return claims


def _goes_on(header: Header, before_id: EventId, before: Header) -> bool:
    return (
        header.prev == before_id
        and header.seq == before.seq + 1
        and header.device == before.device
        and header.epoch == before.epoch
        and header.conversation == before.conversation
    )


def _concerned(claims: Sequence[Claim]) -> list[bytes]:
    """Give the ids of a run, and of all that it names."""
    ids: dict[bytes, None] = {}
    for event_id, header in claims:
        ids[event_id] = None
        ids.update(dict.fromkeys(named_by(header)))
    return list(ids)


def _unexpected(
    connection: Connection, batch: Batch, claims: Sequence[Claim], here: dict[bytes, Known]
) -> int:
    """Give how many events are new here, nothing having waited for them or spoken of them before they came."""
    marks, ids = listed([event_id for event_id, _ in claims])
    rows = connection.execute(
        f"SELECT missing FROM lacks WHERE missing IN ({marks}) UNION ALL"
        f" SELECT target FROM abouts WHERE conversation = ? AND target IN ({marks})",
        (*ids, batch.conversation.number, *ids),
    )
    expected = {row[0] for row in rows}
    for count, (event_id, _) in enumerate(claims):
        if event_id in here or event_id in expected:
            return count
    return len(claims)


def _verified(
    connection: Connection, batch: Batch, sealed: SealedEvent, header: Header
) -> Event | None:
    """Verify an event; one that does not is refused when it is looked at alone."""
    try:
        clock = known_clock(connection, batch, header)
        return read_event(sealed, batch.certificate_of, known_clock=clock)
    except RemoteProtocolError:
        return None


def _shown(
    connection: Connection, batch: Batch, run: Sequence[Event], offs: Sequence[bool]
) -> list[Effect]:
    conversation = batch.conversation
    is_muted = mutes.is_muted(connection, conversation.friend, batch.now)
    effects: list[Effect] = []
    for event, is_off in zip(run, offs, strict=True):
        if isinstance(event.content, Text):
            told = tell_new(
                event, event.content, conversation,
                is_own=False, is_off=is_off, is_muted=is_muted,
            )  # fmt: skip
            effects.append(told)
    return effects
