"""Conversations: what this device says in them, and what becomes of it.

Each a plain function inside one transaction. What comes from others is taken in `receiving`, what they have
of ours is learnt in `receipts`, and when something is shown decides `showing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from msgspec import Struct

from peer import api
from peer.effects import Effect, PushEvents, Tell, WantLink, WrittenEvent
from peer.errors import PeerError
from peer.history.history import find_event, state_of
from peer.log import chains, oneself, rows
from peer.log.membership import with_friend
from peer.log.showing import Stored, next_due, on_shown, show_due, take_heads
from peer.people import contacts, standing
from peer.talk import about, drafts
from wire import limits
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import EventId
from wire.log.event import (
    Chain,
    Content,
    Event,
    peek_header,
    read_body,
    text_content,
    write_event,
)
from wire.machine import Entropy, UnixMillis

Connection = sqlite3.Connection
LIFETIME_MS = int(limits.MESSAGE_LIFETIME_S * 1000)


class Saying(Struct, frozen=True):
    """What a person says to a friend. reply_to: the id, or its beginning, of a line with that friend."""

    text: str
    reply_to: str | None = None


def say(
    connection: Connection,
    keys: DeviceKeys,
    to: str,
    text: str,
    reply_to: str | None,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[api.MessageState, list[Effect]]:
    """Commit a message to a friend, or a note to oneself (promise D1); raises as `say_all`."""
    [said] = say_all(connection, keys, to, [Saying(text, reply_to)], now, entropy)
    return said


def say_all(
    connection: Connection,
    keys: DeviceKeys,
    to: str,
    sayings: Sequence[Saying],
    now: UnixMillis,
    entropy: Entropy,
) -> list[tuple[api.MessageState, list[Effect]]]:
    """Commit messages to one friend, in this order, or none of them (promise D1).

    Raises PeerError with NO_SUCH_FRIEND, BLOCKED, UNKNOWN_MESSAGE, TEXT_INVALID, DEVICE_REVOKED;
    LocalProtocolError with MESSAGE_EMPTY or MESSAGE_TOO_LONG. To a friend whose key has changed they wait (`keychange`).
    """
    for saying in sayings:
        check_text(saying.text)
    contact = contacts.find_recipient(connection, to)
    contents = [
        text_content(
            saying.text,
            b"" if saying.reply_to is None else _line_with(connection, contact, saying.reply_to),
        )
        for saying in sayings
    ]
    written = write_own(connection, keys, contact, contents, now=now, entropy=entropy)
    drafts.said(connection, contact, [saying.text for saying in sayings])
    is_note = contact.number == contacts.OWN
    return [
        (
            api.MessageState(event.hex(), state_of(connection, event) if is_note else "queued"),
            effects,
        )
        for event, effects in written
    ]


def check_text(text: str) -> None:
    """Raise PeerError(TEXT_INVALID) for what no UTF-8 can be made of."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise PeerError(Code.TEXT_INVALID, "the message is not valid UTF-8") from error


def _line_with(connection: Connection, contact: contacts.Contact, prefix: str) -> EventId:
    """Give the id of a line in a conversation with somebody, one under a former key included."""
    number, event = find_event(connection, prefix)
    conversation, of_contact = connection.execute(
        "SELECT v.number, v.contact FROM events e JOIN conversations v ON v.number = e.conversation"
        " WHERE e.number = ?",
        (number,),
    ).fetchone()
    if of_contact != contact.number or about.target_of(connection, conversation, event) is None:
        raise PeerError(
            Code.UNKNOWN_MESSAGE, f"nothing was said with {contact.name} under the id {prefix[:64]}"
        )
    return event


def add_own(
    connection: Connection,
    keys: DeviceKeys,
    contact: contacts.Contact,
    content: Content,
    *,
    now: UnixMillis,
    entropy: Entropy,
) -> tuple[EventId, list[Effect]]:
    """Write the next event of this device in the conversation with a friend, or with oneself."""
    [written] = write_own(connection, keys, contact, [content], now=now, entropy=entropy)
    return written


def write_own(
    connection: Connection,
    keys: DeviceKeys,
    contact: contacts.Contact,
    contents: Sequence[Content],
    *,
    now: UnixMillis,
    entropy: Entropy,
) -> list[tuple[EventId, list[Effect]]]:
    """Write the next events of this device in the conversation with a friend, at least one, each after the other.

    Gives of each its id and what follows from it. Raises PeerError(DEVICE_REVOKED) on a device that was taken off.
    """
    standing.check_may_write(connection)
    conversation = with_friend(connection, contact)
    epoch, list_counter, chain = chains.of_this_device(connection, conversation.number, keys.device)
    if chain is None:
        chain = chains.need(connection, conversation.number, keys.device, epoch, keys.identity)
    heads = connection.execute(
        "SELECT e.id, e.clock, e.number FROM heads h JOIN events e ON e.number = h.event"
        " WHERE h.conversation = ? ORDER BY e.clock DESC, e.device DESC LIMIT ?",
        (conversation.number, limits.PARENTS),
    ).fetchall()
    parents = tuple(EventId(row[0]) for row in heads if row[0] != chain.high_id)
    clock = _highest_clock(connection, chain, heads)
    at = Chain(conversation.id, keys.device, epoch, chain.high, chain.high_id)
    events: list[Event] = []
    for content in contents:
        event = write_event(
            at,
            content,
            signing_seed=keys.signing_seed,
            parents=parents,
            known_clock=clock,
            list_counter=list_counter,
            now=now,
            entropy=entropy,
        )
        events.append(event)
        parents, clock = (), event.header.clock
        at = Chain(conversation.id, keys.device, epoch, event.header.seq, event.id)
    last = rows.insert_next(connection, conversation, chain, events, now=now, is_own=True)
    state = oneself.state_at_first(connection, conversation, is_here=True)
    rows.await_receipts(connection, conversation, last - len(events) + 1, last, state, now)
    take_heads(connection, conversation, last, [row[2] for row in heads], is_head=True)
    written: list[tuple[EventId, list[Effect]]] = []
    for number, event in enumerate(events, last - len(events) + 1):
        stored = Stored(number, event, is_own=True, is_void=False, is_new=True)
        effects = on_shown(connection, conversation, stored, now, is_spoken_of=False)
        news = WrittenEvent(keys.device, epoch, event.header.seq, event.sealed)
        effects.append(PushEvents(conversation.id, news=news))
        effects.append(WantLink(conversation.identity))
        written.append((event.id, effects))
    return written


def retry(
    connection: Connection, keys: DeviceKeys, event: str, now: UnixMillis, entropy: Entropy
) -> tuple[api.MessageState, list[Effect]]:
    """Give a failed message another 30 days; one of a forked chain is said anew in its present run.

    event: an id or its beginning. Raises PeerError with UNKNOWN_MESSAGE, AMBIGUOUS_ID or DEVICE_REVOKED; what
    has not failed is left as it is.
    """
    number, found = find_event(connection, event)
    row = connection.execute(
        "SELECT o.state, c.name, v.identity, e.header, e.body, e.seq, e.is_fork, h.forked_at"
        " FROM outbox o JOIN events e ON e.number = o.event JOIN contacts c ON c.number = o.contact"
        " JOIN conversations v ON v.number = e.conversation JOIN chains h ON h.number = e.chain"
        " WHERE o.event = ?",
        (number,),
    ).fetchone()
    if row is None:
        raise PeerError(Code.UNKNOWN_MESSAGE, "only own messages are sent again")
    state, friend, identity, header, body, seq, is_fork, forked_at = row
    if state != "failed":
        return api.MessageState(found.hex(), state), []
    standing.check_may_write(connection)
    if is_fork or 0 < forked_at <= seq:
        content = read_body(peek_header(header), body)
        if content is not None:
            contact = contacts.find_recipient(connection, friend)
            again, effects = add_own(connection, keys, contact, content, now=now, entropy=entropy)
            return api.MessageState(again.hex(), "queued"), effects
    connection.execute(
        "UPDATE outbox SET state = 'queued', since = ?, changed = ? WHERE event = ?",
        (now, now, number),
    )
    told: dict[str, object] = {"id": found.hex(), "state": "queued", "friend": friend}
    return api.MessageState(found.hex(), "queued"), [
        Tell(api.Event("receipt", told)),
        WantLink(identity),
    ]


def expire(connection: Connection, now: UnixMillis) -> list[Effect]:
    """Do what time asks for: show what waited long enough, fail what 30 days did not deliver (D6)."""
    effects = [*show_due(connection, now), *oneself.settle(connection, now)]
    rows = connection.execute(
        "UPDATE outbox SET state = 'failed', changed = ? WHERE state IN ('queued', 'sent', 'failed')"
        " AND state <> 'failed' AND since < ? RETURNING (SELECT id FROM events WHERE number = outbox.event),"
        " (SELECT name FROM contacts WHERE number = outbox.contact)",
        (now, now - LIFETIME_MS),
    ).fetchall()
    for event, name in rows:
        told: dict[str, object] = {"id": event.hex(), "state": "failed", "friend": name}
        effects.append(Tell(api.Event("receipt", told)))
    return effects


def next_tick(connection: Connection) -> UnixMillis | None:
    """Give when `expire` has something to do, as far as it is soon: events that wait to be shown."""
    due = next_due(connection)
    return None if due is None else UnixMillis(due)


def _highest_clock(
    connection: Connection, chain: chains.ChainRow, heads: list[tuple[bytes, int, int]]
) -> int:
    """Give the highest clock among what the next event of a chain names; 0 for nothing."""
    clocks = [clock for _, clock, _ in heads]
    if chain.high and all(event != chain.high_id for event, _, _ in heads):
        clocks += connection.execute(
            "SELECT clock FROM events WHERE id = ?", (chain.high_id,)
        ).fetchone()
    return max(clocks, default=0)
