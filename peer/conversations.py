"""Conversations: what this device says in them, and what becomes of it.

Each a plain function inside one transaction. What comes from others is taken in `receiving`, what they have
of ours is learnt in `receipts`, and when something is shown decides `showing`.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import Effect, PushEvents, Tell, WantLink, WrittenEvent
from peer.errors import PeerError
from peer.history.history import find_event
from peer.log import chains
from peer.log.membership import Conversation, with_friend
from peer.log.showing import Stored, next_due, show, show_due
from peer.people import contacts
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

    reply_to: the id, or its beginning, of a line with that friend. Raises PeerError with NO_SUCH_FRIEND, BLOCKED,
    UNKNOWN_MESSAGE, TEXT_INVALID; LocalProtocolError with MESSAGE_EMPTY or MESSAGE_TOO_LONG. To a friend
    whose key has changed it waits (`keychange`).
    """
    check_text(text)
    contact = contacts.find_recipient(connection, to)
    target = b"" if reply_to is None else _line_with(connection, contact, reply_to)
    event, effects = add_own(
        connection, keys, contact, text_content(text, target), now=now, entropy=entropy
    )
    drafts.said(connection, contact, text)
    return api.MessageState(event.hex(), "queued"), effects


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
    """Write the next event of this device in the conversation with a friend."""
    conversation = with_friend(connection, contact)
    epoch, list_counter, chain = chains.of_this_device(connection, conversation.number, keys.device)
    if chain is None:
        chain = chains.need(connection, conversation.number, keys.device, epoch, keys.identity)
    heads = connection.execute(
        "SELECT e.id, e.clock, e.number FROM heads h JOIN events e ON e.number = h.event"
        " WHERE h.conversation = ? ORDER BY e.clock DESC, e.device DESC LIMIT ?",
        (conversation.number, limits.PARENTS),
    ).fetchall()
    event = write_event(
        Chain(conversation.id, keys.device, epoch, chain.high, chain.high_id),
        content,
        signing_seed=keys.signing_seed,
        parents=tuple(EventId(row[0]) for row in heads if row[0] != chain.high_id),
        known_clock=_highest_clock(connection, chain, heads),
        list_counter=list_counter,
        now=now,
        entropy=entropy,
    )
    number = insert(connection, conversation, chain, event, now=now, is_own=True, is_next=True)
    await_receipt(connection, number, conversation, "queued", now)
    shown = Stored(
        number,
        event,
        is_own=True,
        is_void=False,
        is_new=True,
        is_written=True,
        named=tuple(row[2] for row in heads),
    )
    effects = show(connection, conversation, shown, now)
    written = WrittenEvent(keys.device, epoch, event.header.seq, event.sealed)
    effects.append(PushEvents(conversation.id, news=written))
    effects.append(WantLink(conversation.identity))
    return event.id, effects


def retry(
    connection: Connection, keys: DeviceKeys, event: str, now: UnixMillis, entropy: Entropy
) -> tuple[api.MessageState, list[Effect]]:
    """Give a failed message another 30 days; one of a forked chain is said anew in its present run.

    event: an id or its beginning. Raises PeerError with UNKNOWN_MESSAGE or AMBIGUOUS_ID; what has not
    failed is left as it is.
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
    effects = show_due(connection, now)
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


# --- rows


def insert(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    event: Event,
    *,
    now: UnixMillis,
    is_own: bool,
    is_next: bool = False,
    is_fork: bool = False,
    held: int = 0,
    is_clock_off: bool = False,
) -> int:
    """Store an event that is not here, and give its row.

    is_next: see `chains.is_next`. held: until when it waits to be shown, 0 for not at all. is_fork: another has its
    place or its line.
    """
    header = event.header
    cursor = connection.execute(
        "INSERT INTO events (id, conversation, chain, seq, clock, device, kind, at, header, body,"
        " is_own, received, is_read, is_fork, held, is_clock_off)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.id,
            conversation.number,
            chain.number,
            header.seq,
            header.clock,
            header.device,
            header.kind,
            header.at,
            event.sealed.header,
            event.sealed.body,
            is_own,
            now,
            is_own or header.kind not in about.LINES or header.seq <= chain.seen,
            is_fork,
            held,
            is_clock_off,
        ),
    )
    number = cursor.lastrowid
    assert number is not None
    if is_next:
        chains.step(connection, chain, event.id)
    elif not is_fork:
        chains.advance(connection, chain)
    return number


def await_receipt(
    connection: Connection, event: int, conversation: Conversation, state: str, since: int
) -> None:
    """Note how far an event of this account came; since: when it was said."""
    connection.execute(
        "INSERT INTO outbox (event, contact, state, since, changed) VALUES (?, ?, ?, ?, ?)",
        (event, conversation.contact, state, since, since),
    )


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
