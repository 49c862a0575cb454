"""Showing events: after what their author had seen, or after two seconds with a visible gap (promise D5).

An event is stored the moment it comes. It is shown when everything it names is shown; what it still lacks
stands in `lacks`. When its time is over it is shown nevertheless, and the rows that are left in `lacks` are
the gap a person sees, until the missing events come.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Collection, Iterator, Sequence

from msgspec import Struct

from peer import api
from peer.effects import Effect, Tell
from peer.history.history import message_of, message_of_new
from peer.log.membership import Conversation, of_number, to_members
from peer.store.listed import listed
from peer.talk import mutes, speaking
from peer.talk.about import Speech
from peer.transfers import heard
from wire import limits
from wire.ids import EventId
from wire.log.event import Event, EventKind, Header, Text, peek_header, read_body
from wire.machine import UnixMillis
from wire.messages.conversation import AskEvents, SealedEvent

Connection = sqlite3.Connection
HOLD_MS = int(limits.GAP_SHOWN_AFTER_S * 1000)
DUE_AT_ONCE = 512
"""Most events that one call of `show_due` begins with; the rest is due at the next call."""


class Stored(Struct, frozen=True):
    """An event with its row.

    is_own: written by this account. is_void: of a forked chain. is_new: stored in this very transaction.
    is_clock_off: of a new one, its time label cannot be true.
    named: the rows of what it names, where that is known and all of it is here.
    """

    number: int
    event: Event
    is_own: bool
    is_void: bool
    is_new: bool = False
    is_clock_off: bool = False
    named: tuple[int, ...] | None = None


def on_shown(
    connection: Connection,
    conversation: Conversation,
    stored: Stored,
    now: UnixMillis,
    *,
    is_spoken_of: bool,
) -> list[Effect]:
    """Give what an event leads to, now that its parents are shown; called once for each event.

    is_spoken_of: whether anything here speaks of it. An event of a forked chain is told with its mark, and nothing else follows from it.
    """
    content = stored.event.content
    if isinstance(content, Speech):
        return speaking.on_speech(connection, conversation, stored.event, content, now)
    if stored.event.header.kind == EventKind.TEXT:
        effects: list[Effect] = []
        if is_spoken_of:
            effects = speaking.on_target(connection, conversation, stored.event, now)
        if content is None and not is_spoken_of:
            return effects  # it is told when somebody brings its body
        is_plain = stored.is_new and not (
            stored.is_void or is_spoken_of or conversation.is_with_oneself
        )
        is_muted = None if stored.is_own else mutes.is_muted(connection, conversation.friend, now)
        if isinstance(content, Text) and is_plain:
            told = tell_new(
                stored.event, content, conversation,
                is_own=stored.is_own, is_off=stored.is_clock_off, is_muted=is_muted,
            )  # fmt: skip
        else:
            told = tell(message_of(connection, stored.number), is_muted=is_muted)
        return [*effects, told]
    if stored.is_void:
        return []
    return heard.on_event(
        connection, conversation, stored.number, stored.event, now, is_own=stored.is_own
    )


def tell(shown: api.Message, *, is_muted: bool | None) -> Tell:
    """Give what tells the faces a message. is_muted: whether its author is; None for an own one."""
    return Tell(_told(shown, is_muted))


def _told(shown: api.Message, is_muted: bool | None) -> api.Event:
    body = api.as_json(shown)
    if is_muted is not None:
        body["muted"] = is_muted
    return api.Event("message", body)


def tell_new(
    event: Event,
    content: Text,
    conversation: Conversation,
    *,
    is_own: bool,
    is_off: bool,
    is_muted: bool | None,
) -> Tell:
    """Do what `tell` does, for one as of `message_of_new`; it is made once it is told, when what hurries has left."""

    def told() -> api.Event:
        shown = message_of_new(
            event, content, conversation, conversation.me, is_own=is_own, is_off=is_off
        )
        return _told(shown, is_muted)

    return Tell(told)


def show(
    connection: Connection, conversation: Conversation, stored: Stored, now: UnixMillis
) -> list[Effect]:
    """Show an event, then whatever waited for nothing else."""
    effects: list[Effect] = []
    waiting = deque([stored])
    while waiting:
        one = waiting.popleft()
        waited, is_spoken_of = _known_before(connection, conversation, one)
        named = one.named
        if named is None:
            here = known_among(connection, named_by(one.event.header))
            named = tuple(known.number for known in here.values())
        take_heads(connection, conversation, one.number, named, is_head=not waited)
        effects += on_shown(connection, conversation, one, now, is_spoken_of=is_spoken_of)
        for (number,) in waited:
            ready = connection.execute(
                "UPDATE events SET held = 0 WHERE number = ? AND held > 0"
                " AND NOT EXISTS (SELECT 1 FROM lacks WHERE event = ?) RETURNING number",
                (number, number),
            ).fetchone()
            if ready is not None:
                waiting.append(load(connection, number))
    return effects


def _known_before(
    connection: Connection, conversation: Conversation, one: Stored
) -> tuple[list[tuple[int]], bool]:
    """Give the rows of what waited for an event, which waits no more, and whether anything speaks of it."""
    is_lacking, is_spoken_of = connection.execute(
        "SELECT EXISTS (SELECT 1 FROM lacks WHERE missing = ?1),"
        " EXISTS (SELECT 1 FROM abouts WHERE conversation = ?2 AND target = ?1)",
        (one.event.id, conversation.number),
    ).fetchone()
    waited: list[tuple[int]] = []
    if is_lacking:
        waited = connection.execute(
            "DELETE FROM lacks WHERE missing = ? RETURNING event", (one.event.id,)
        ).fetchall()
    return sorted(waited), bool(is_spoken_of)


class Known(Struct, frozen=True):
    """A stored event that another names. is_off: its time label cannot be true."""

    number: int
    is_wanted: bool  # its body is not here, and may come
    is_held: bool
    clock: int
    at: int
    is_off: bool


def known_among(connection: Connection, ids: Sequence[bytes]) -> dict[bytes, Known]:
    """Give those of some events that are here, by id."""
    marks, ids = listed(ids)
    rows = connection.execute(
        "SELECT id, number, body IS NULL AND gone = 0, held > 0, clock, at, is_clock_off"
        f" FROM events WHERE id IN ({marks})",
        ids,
    )
    return {row[0]: Known(*row[1:]) for row in rows}


def named_by(header: Header) -> list[EventId]:
    """Give what an event names: its chain's former event and its parents, each once."""
    named = [*header.parents] if not header.prev else [EventId(header.prev), *header.parents]
    return [EventId(event) for event in dict.fromkeys(named)]


def note_lacks(connection: Connection, number: int, missing: list[EventId]) -> None:
    """Note what an event waits for."""
    connection.executemany(
        "INSERT INTO lacks (missing, event) VALUES (?, ?)", [(event, number) for event in missing]
    )


def next_due(connection: Connection) -> int | None:
    """Give when the next event has waited long enough, in milliseconds; None if none waits."""
    row = connection.execute("SELECT min(held) FROM events WHERE held > 0").fetchone()
    return None if row[0] is None else int(row[0])


def show_due(connection: Connection, now: UnixMillis) -> list[Effect]:
    """Show what has waited long enough, with a gap, and ask all who may have it for what is missing.

    What would wait for longer than anything does has waited while the clock was set back.
    """
    rows = connection.execute(
        "SELECT number, conversation FROM events WHERE held > 0 AND NOT held BETWEEN ? AND ?"
        " ORDER BY clock, device, id LIMIT ?",
        (now + 1, now + HOLD_MS, DUE_AT_ONCE),
    ).fetchall()
    effects: list[Effect] = []
    asked: dict[int, list[EventId]] = {}
    for number, conversation in rows:
        is_due = connection.execute(
            "UPDATE events SET held = 0 WHERE number = ? AND held > 0 RETURNING 1", (number,)
        ).fetchone()
        if is_due is None:
            continue  # one before it in this very list released it
        asked.setdefault(conversation, []).extend(_absent(connection, number))
        members = of_number(connection, conversation)
        effects += show(connection, members, load(connection, number), now)
    for conversation, ids in asked.items():
        wanted = tuple(dict.fromkeys(ids))[: limits.EVENTS_PER_BATCH]
        if wanted:
            members = of_number(connection, conversation)
            effects += to_members(connection, members, AskEvents(members.id, wanted))
    return effects


def load(connection: Connection, number: int) -> Stored:
    """Give a stored event again."""
    event, header, body, is_own, is_fork, seq, forked_at = connection.execute(
        "SELECT e.id, e.header, e.body, e.is_own, e.is_fork, e.seq, h.forked_at FROM events e"
        " JOIN chains h ON h.number = e.chain WHERE e.number = ?",
        (number,),
    ).fetchone()
    parsed = peek_header(header)
    sealed = SealedEvent(header, body)
    is_void = bool(is_fork) or 0 < forked_at <= seq
    return Stored(
        number,
        Event(EventId(event), parsed, sealed, read_body(parsed, body)),
        bool(is_own),
        is_void,
    )


def _absent(connection: Connection, number: int) -> Iterator[EventId]:
    """Give what an event names that is not even stored."""
    rows = connection.execute(
        "SELECT missing FROM lacks WHERE event = ?"
        " AND NOT EXISTS (SELECT 1 FROM events WHERE id = missing)",
        (number,),
    )
    return (EventId(row[0]) for row in rows)


def take_heads(
    connection: Connection,
    conversation: Conversation,
    number: int,
    named: Collection[int],
    *,
    is_head: bool,
) -> None:
    """Let an event take the place of those it names among the heads. number, named: rows."""
    if is_head and len(named) == 1:  # as nearly always: one step further on the one line there is
        moved = connection.execute(
            "UPDATE heads SET event = ? WHERE conversation = ? AND event = ?",
            (number, conversation.number, *named),
        )
        if moved.rowcount:
            return
    elif named:
        marks = ",".join("?" * len(named))
        connection.execute(
            f"DELETE FROM heads WHERE conversation = ? AND event IN ({marks})",
            (conversation.number, *named),
        )
    if is_head:
        connection.execute(
            "INSERT INTO heads (conversation, event) VALUES (?, ?) ON CONFLICT DO NOTHING",
            (conversation.number, number),
        )
