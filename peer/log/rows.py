"""Events as rows: storing what was written here or came, and what waits for its receipt.

Who may stand where is decided before, in `receiving` and `runs` or by who writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import repeat

from peer.log import chains
from peer.log.membership import Conversation
from peer.talk import about
from wire.log.event import Event
from wire.machine import UnixMillis

Connection = sqlite3.Connection

_INSERT = (
    "INSERT INTO events (id, conversation, chain, seq, clock, device, kind, at, header, body,"
    " is_own, received, is_read, is_fork, held, is_clock_off)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def insert(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    event: Event,
    *,
    now: UnixMillis,
    is_own: bool,
    is_fork: bool = False,
    held: int = 0,
    is_clock_off: bool = False,
) -> int:
    """Store an event that is not here, wherever in its chain, and give its row.

    held: until when it waits to be shown, 0 for not at all. is_fork: another has its place or its line.
    """
    row = _row(conversation, chain, event, now, is_own, is_clock_off, is_fork, held)
    number = connection.execute(_INSERT, row).lastrowid
    assert number is not None
    if not is_fork:
        chains.advance(connection, chain)
    return number


def insert_next(
    connection: Connection,
    conversation: Conversation,
    chain: chains.ChainRow,
    events: Sequence[Event],
    *,
    now: UnixMillis,
    is_own: bool,
    offs: Iterable[bool] = repeat(False),
) -> int:
    """Store events that go on, one after the other, right behind what is whole of a chain, with nothing behind them.

    offs: of each, whether its time label cannot be true. Gives the row of the last; the others stand right before it.
    """
    connection.executemany(
        _INSERT,
        [
            _row(conversation, chain, event, now, is_own, is_off)
            for event, is_off in zip(events, offs, strict=False)
        ],
    )
    chains.reach(connection, chain, events[-1].header.seq, events[-1].id)
    (number,) = connection.execute("SELECT last_insert_rowid()").fetchone()
    return int(number)


def _row(
    conversation: Conversation,
    chain: chains.ChainRow,
    event: Event,
    now: UnixMillis,
    is_own: bool,
    is_clock_off: bool,
    is_fork: bool = False,
    held: int = 0,
) -> tuple[object, ...]:
    header = event.header
    is_read = is_own or header.kind not in about.LINES or header.seq <= chain.seen
    return (
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
        is_read,
        is_fork,
        held,
        is_clock_off,
    )


def await_receipt(
    connection: Connection, event: int, conversation: Conversation, state: str, since: int
) -> None:
    """Note how far an event of this account came; since: when it was said."""
    connection.execute(
        "INSERT INTO outbox (event, contact, state, since, changed) VALUES (?, ?, ?, ?, ?)",
        (event, conversation.contact, state, since, since),
    )


def await_receipts(
    connection: Connection,
    conversation: Conversation,
    first: int,
    last: int,
    state: str,
    since: int,
) -> None:
    """Note how far events of this account came, in rows one after the other; since: when they were said."""
    connection.executemany(
        "INSERT INTO outbox (event, contact, state, since, changed) VALUES (?, ?, ?, ?, ?)",
        [(event, conversation.contact, state, since, since) for event in range(first, last + 1)],
    )
