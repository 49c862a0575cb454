"""What is known of the other end of one open link, and in which order it is sent what it lacks.

    said what it has        `level`: per chain the highest place it has, per forked chain the ids
    the walk                what it lacks, in display order: causes before effects, so nothing has to wait
    live                    what was stored here since the walk began, in the order of storing

Questions to a snapshot only; the session itself is touched by the event loop's thread alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from msgspec import Struct, field

from peer.log import chains, sharing
from peer.log.chains import ChainRow
from peer.log.membership import Conversation
from peer.store import appearing
from peer.store.devices import certificate_of
from wire import limits
from wire.ids import ConversationId, DeviceId, Epoch, EventId, IdentityKey
from wire.log.branches import below
from wire.messages.conversation import SealedEvent, Unavailable, VectorEntry

Connection = sqlite3.Connection
ChainKey = tuple[DeviceId, Epoch]
Cursor = tuple[int, bytes, bytes]  # clock, device, id: a place in display order
BATCH_BYTES = (
    64 * limits.KIB
)  # of headers and bodies in one Events record; a single one may be larger
ROWS_AT_ONCE = 1024


class Progress(Struct):
    """How far the other end is in one conversation.

    has: highest place there, or on its way. floors: they may lack things below it all the same. ids: of forked
    chains, what is there or on its way. tips: the last events of chains there, as they said. starts:
    below it a chain is not served to them. at: where the walk is, None when it is over. stored: the last row
    of `events` that was looked at as live. followed: how many left since without a look, see `live`.
    """

    has: dict[ChainKey, int] = field(default_factory=dict)
    floors: dict[ChainKey, int] = field(default_factory=dict)
    ids: set[bytes] = field(default_factory=set)
    tips: dict[ChainKey, set[bytes]] = field(default_factory=dict)
    starts: dict[ChainKey, int] = field(default_factory=dict)
    at: Cursor | None = None
    stored: int = 0
    followed: int = 0

    def take(self, key: ChainKey, seq: int) -> None:
        """Take note of an event that they sent; one that leaves out places shows that those may be lacking."""
        has = self.has.get(key, 0)
        if seq > has + 1:
            self.floors[key] = seq
        self.has[key] = max(has, seq)


class Session(Struct):
    """The other end of one open link: kept by the node, thrown away with the link."""

    device: DeviceId
    identity: IdentityKey
    level: dict[ConversationId, Progress] = field(default_factory=dict)  # said what it has of these
    told: set[ConversationId] = field(default_factory=set)  # heard from us what we have of these
    receipts: dict[tuple[ConversationId, DeviceId], bytes] = field(
        default_factory=dict
    )  # got these
    behind: dict[ConversationId, None] = field(default_factory=dict)  # may lack something of these
    introduced: set[DeviceId] = field(default_factory=set)  # knows the certificates of these
    pages: dict[ConversationId, list[VectorEntry]] = field(default_factory=dict)
    heard: set[ConversationId] = field(default_factory=set)  # said all of its vector of these
    written: dict[ConversationId, list[SealedEvent]] = field(default_factory=dict)  # leave next
    written_bytes: int = 0  # of headers and bodies
    signed: dict[ConversationId, bytes] = field(
        default_factory=dict
    )  # our receipts that leave next

    def touch(self, conversation: ConversationId) -> None:
        """Take note that something was stored in a conversation; it is sent at the next batch."""
        if conversation in self.level:
            self.behind[conversation] = None


class _Row(Struct, frozen=True):
    number: int
    key: ChainKey
    seq: int
    cursor: Cursor
    is_branch: bool  # of a forked chain, from the fork on: known by its id


def note_level(
    connection: Connection,
    session: Session,
    conversation: Conversation,
    theirs: Iterable[VectorEntry],
) -> tuple[list[Unavailable], list[EventId]]:
    """Note what the other end has: from here on it can be sent what it lacks.

    Gives what it will never be sent, and the ids of events there that show a fork unknown here.
    """
    progress = Progress()
    said: dict[ChainKey, list[VectorEntry]] = {}
    for entry in theirs:
        if entry.high:
            key = (entry.device, entry.epoch)
            said.setdefault(key, []).append(entry)
            progress.tips.setdefault(key, set()).add(entry.high_id)
    never: list[Unavailable] = []
    strange: list[EventId] = []
    starts: list[int] = []
    may_have_all = _may_have_all(connection, session, conversation)
    for chain in chains.every(connection, conversation.number):
        key = (chain.device, chain.epoch)
        entries = said.get(key, [])
        strange += _note_chain(connection, progress, chain, entries)
        start = start_of(connection, session, progress, conversation, chain)
        has = progress.has.get(key, 0)
        if start - 1 > has:
            never.append(
                Unavailable(conversation.id, chain.device, chain.epoch, has + 1, start - 1)
            )
            progress.has[key] = start - 1
        floor = min((entry.floor for entry in entries), default=0)
        if may_have_all and floor > 1:
            progress.floors[key] = floor
        first = _first_lacking(connection, progress, chain)
        if first is not None:
            starts.append(first)
    if starts:
        progress.at = (min(starts), b"", b"")
    (stored,) = connection.execute(
        "SELECT coalesce(max(number), 0) FROM events WHERE conversation = ?",
        (conversation.number,),
    ).fetchone()
    progress.stored = stored
    session.level[conversation.id] = progress
    session.behind[conversation.id] = None
    return never, strange


def _note_chain(
    connection: Connection, progress: Progress, chain: ChainRow, entries: list[VectorEntry]
) -> list[EventId]:
    """Note what they have of one chain; gives ids that we lack because there is another line than ours."""
    key = (chain.device, chain.epoch)
    high = max((entry.high for entry in entries), default=0)
    strange = [
        EventId(entry.high_id)
        for entry in entries
        if (chain.forked_at or entry.high <= chain.high)
        and not chains.is_here(connection, entry.high_id)
    ]
    progress.has[key] = high
    if chain.forked_at:
        known = chains.branches(connection, chain)
        progress.ids |= below(known, (entry.high_id for entry in entries))
        strange += [
            EventId(twig.prev)
            for twig in known
            if twig.is_rival and twig.prev and not chains.is_here(connection, twig.prev)
        ]
        progress.has[key] = min(high, chain.forked_at - 1)
    return strange


def _first_lacking(connection: Connection, progress: Progress, chain: ChainRow) -> int | None:
    """Give the clock of the first event of a chain that they lack, None if they have all."""
    key = (chain.device, chain.epoch)
    after = 0 if key in progress.floors else progress.has.get(key, 0)
    row = connection.execute(
        "SELECT clock FROM events WHERE chain = ? AND is_fork = 0 AND seq > ? ORDER BY seq LIMIT 1",
        (chain.number, after),
    ).fetchone()
    clocks = [] if row is None else [int(row[0])]
    if chain.forked_at:
        rivals = connection.execute(
            "SELECT min(clock) FROM events WHERE chain = ? AND is_fork = 1", (chain.number,)
        ).fetchone()
        clocks += [] if rivals[0] is None else [int(rivals[0])]
    return min(clocks, default=None)


def next_events(
    connection: Connection, progress: Progress, session: Session, conversation: Conversation
) -> tuple[list[SealedEvent], set[DeviceId], bool]:
    """Give the next events that they lack, at most BATCH_BYTES, whose they are, and whether that was all."""
    rows = chains.every(connection, conversation.number)
    lines = {chain.number: chain for chain in rows}
    while progress.at is not None:
        found = _rows(
            connection, lines,
            "conversation = ? AND (clock, device, id) > (?, ?, ?) ORDER BY clock, device, id",
            (conversation.number, *progress.at),
        )  # fmt: skip
        picked, last = _pick(connection, progress, session, conversation, lines, found)
        if last is not None:
            progress.at = last.cursor
        elif len(found) < ROWS_AT_ONCE:
            progress.at = None
        else:
            progress.at = found[-1].cursor
        if picked:
            return picked, {row.key[0] for row in found}, False
    while True:
        found = _rows(
            connection, lines,
            "conversation = ? AND number > ? ORDER BY number",
            (conversation.number, progress.stored),
        )  # fmt: skip
        picked, last = _pick(connection, progress, session, conversation, lines, found)
        if last is not None:
            progress.stored = last.number
        elif found:
            progress.stored = found[-1].number
        progress.followed = 0
        is_all = last is None and len(found) < ROWS_AT_ONCE
        if picked or is_all:
            return picked, {row.key[0] for row in found}, is_all


def _rows(
    connection: Connection,
    lines: dict[int, ChainRow],
    where: str,
    arguments: tuple[object, ...],
) -> list[_Row]:
    rows = connection.execute(
        "SELECT number, chain, seq, clock, device, id, is_fork FROM events"
        f" WHERE {where} LIMIT {ROWS_AT_ONCE}",
        arguments,
    )
    found = []
    for number, of_chain, seq, clock, device, event, is_fork in rows:
        chain = lines[of_chain]
        is_branch = bool(is_fork) or 0 < chain.forked_at <= seq
        key = (chain.device, chain.epoch)
        found.append(_Row(number, key, seq, (clock, device, event), is_branch))
    return found


def _pick(
    connection: Connection,
    progress: Progress,
    session: Session,
    conversation: Conversation,
    lines: dict[int, ChainRow],
    rows: list[_Row],
) -> tuple[list[SealedEvent], _Row | None]:
    """Take what they lack of some rows; gives the last row looked at if not all were."""
    by_key = {(chain.device, chain.epoch): chain for chain in lines.values()}
    picked: list[SealedEvent] = []
    size = 0
    before: _Row | None = None
    for row in rows:
        start = start_of(connection, session, progress, conversation, by_key[row.key])
        if row.seq < start or not _is_lacking(progress, row):
            before = row
            continue
        header, body = connection.execute(
            "SELECT header, body FROM events WHERE number = ?", (row.number,)
        ).fetchone()
        size += len(header) + len(body or b"")
        if picked and (size > BATCH_BYTES or len(picked) == limits.EVENTS_PER_BATCH):
            return picked, before
        picked.append(SealedEvent(header, body))
        if row.is_branch:
            progress.ids.add(row.cursor[2])
        else:
            progress.has[row.key] = max(progress.has.get(row.key, 0), row.seq)
        before = row
    return picked, None


def _is_lacking(progress: Progress, row: _Row) -> bool:
    if row.is_branch:
        return row.cursor[2] not in progress.ids
    return row.seq > progress.has.get(row.key, 0) or row.seq < progress.floors.get(row.key, 0)


def start_of(
    connection: Connection,
    session: Session,
    progress: Progress,
    conversation: Conversation,
    chain: ChainRow,
) -> int:
    """Give the first place of a chain that the other end is served (design, section 6: history).

    A friend's device gets from us what is younger than itself, and older things only from the first on that no
    device of its account has receipted, or all of it if a person said so; own devices get everything.
    """
    key = (chain.device, chain.epoch)
    if key not in progress.starts:
        progress.starts[key] = _history_start(connection, session, conversation, chain)
    return progress.starts[key]


def _may_have_all(connection: Connection, session: Session, conversation: Conversation) -> bool:
    """Say whether the other end is an own device, or a friend's that the whole conversation was shared with."""
    if session.identity != conversation.identity or conversation.is_with_oneself:
        return True
    certificate = certificate_of(connection, session.device)
    made = 0 if certificate is None else certificate.created
    return sharing.covers(connection, conversation, session.device, made)


def _history_start(
    connection: Connection, session: Session, conversation: Conversation, chain: ChainRow
) -> int:
    if session.device == chain.device or _may_have_all(connection, session, conversation):
        return 1
    younger = _first_younger(connection, session.device, chain)
    if younger is not None:
        younger = min(younger, _first_unreceipted(connection, session, conversation, chain))
    if chain.floor and not _stands(connection, chain.device):
        return max(younger or 1, chain.floor)  # nobody has what is below it any more
    return younger or 1


def _first_younger(connection: Connection, device: DeviceId, chain: ChainRow) -> int | None:
    """Give the first place of a chain from which on all is younger than a device; None: all of it is.

    Its certificate's time is a claim: what was stored here before anybody heard of the device is older, too.
    """
    certificate = certificate_of(connection, device)
    born = 0 if certificate is None else certificate.created
    after = appearing.of(connection, device).after
    oldest = connection.execute(
        "SELECT min(at, received) FROM events WHERE chain = ? AND is_fork = 0 ORDER BY seq LIMIT 1",
        (chain.number,),
    ).fetchone()
    if oldest is None or (oldest[0] >= born and not after):
        return None
    (claimed,) = connection.execute(
        "SELECT min(seq) FROM events WHERE chain = ? AND is_fork = 0 AND min(at, received) >= ?",
        (chain.number, born),
    ).fetchone()
    (before,) = connection.execute(
        "SELECT coalesce(max(seq), 0) FROM events WHERE chain = ? AND is_fork = 0 AND number <= ?",
        (chain.number, after),
    ).fetchone()
    return max(chain.high + 1 if claimed is None else int(claimed), int(before) + 1)


def _first_unreceipted(
    connection: Connection, session: Session, conversation: Conversation, chain: ChainRow
) -> int:
    """Give the first place of a chain that no device of the other end's account has receipted."""
    receipted = chain.high  # they wrote it themselves
    if chain.author != session.identity:
        (receipted,) = connection.execute(
            "SELECT coalesce(max(r.high), 0) FROM reaches r JOIN devices d ON d.device = r.witness"
            " WHERE r.conversation = ? AND r.device = ? AND r.epoch = ? AND d.identity = ?",
            (conversation.number, chain.device, chain.epoch, session.identity),
        ).fetchone()
    return int(receipted) + 1


def _stands(connection: Connection, device: DeviceId) -> bool:
    """Say whether a device is on its owner's newest list; this one always is."""
    row = connection.execute(
        "SELECT is_listed FROM devices WHERE device = ?1"
        " UNION ALL SELECT 1 FROM own WHERE device = ?1",
        (device,),
    ).fetchone()
    return row is not None and bool(row[0])
