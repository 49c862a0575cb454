"""Chains: one device's run of sequence numbers in one conversation, as far as it is here.

    floor ... high     every place is here and continues the former one (`floor` 0: from the first on)
    below the floor    not expected from friends any more; own devices may still bring it
    above high         what came out of order, kept until the hole before it closes
    rivals             events whose place, or whose line, another event has already (`is_fork`)

Plain functions inside one transaction. Who may write in a chain is decided in `receiving`; what forks mean
in `forks`.
"""

from __future__ import annotations

import enum
import sqlite3

from msgspec import Struct

from peer.talk import readmarks
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId, Epoch, EventId
from wire.log.branches import Twig, tips, whole
from wire.log.event import Header, peek_header
from wire.messages.conversation import VectorEntry

Connection = sqlite3.Connection
_COLUMNS = "SELECT number, device, epoch, author, floor, high, high_id, forked_at, void_to, seen FROM chains"


class ChainRow(Struct, frozen=True):
    """One row of `chains`."""

    number: int
    device: DeviceId
    epoch: Epoch
    author: bytes
    floor: int
    high: int
    high_id: bytes
    forked_at: int
    void_to: int
    seen: int

    @property
    def agreed(self) -> int:
        """The last place of which there is one event only: all that a receipt can speak of."""
        return self.high if not self.forked_at else min(self.high, self.forked_at - 1)


class Place(enum.Enum):
    """Where an event goes that is not here yet."""

    MAIN = enum.auto()  # its place is free, and its neighbours agree with it
    TAKEN = enum.auto()  # another event has its place: the two are proof of a fork
    ASTRAY = enum.auto()  # its place is free, but it belongs to another line


def find(
    connection: Connection, conversation: int, device: DeviceId, epoch: Epoch
) -> ChainRow | None:
    """Give a chain, or None if nothing of it was ever here."""
    row = connection.execute(
        f"{_COLUMNS} WHERE conversation = ? AND device = ? AND epoch = ?",
        (conversation, device, epoch),
    ).fetchone()
    return None if row is None else ChainRow(*row)


def need(
    connection: Connection, conversation: int, device: DeviceId, epoch: Epoch, author: bytes
) -> ChainRow:
    """Give a chain, made now if there is none; raises RemoteProtocolError for one epoch too many."""
    found = find(connection, conversation, device, epoch)
    if found is not None:
        return found
    if count(connection, conversation, device) >= limits.EPOCHS:
        raise RemoteProtocolError(Code.EVENT_INVALID, "a device began too many epochs")
    connection.execute(
        "INSERT INTO chains (conversation, device, epoch, author, seen) VALUES (?, ?, ?, ?, ?)",
        (
            conversation,
            device,
            epoch,
            author,
            _seen_before(connection, conversation, device, epoch),
        ),
    )
    made = find(connection, conversation, device, epoch)
    assert made is not None
    return made


def _seen_before(connection: Connection, conversation: int, device: DeviceId, epoch: Epoch) -> int:
    """Give how far another device of this account saw a chain of which nothing was here."""
    (id_,) = connection.execute(
        "SELECT id FROM conversations WHERE number = ?", (conversation,)
    ).fetchone()
    return readmarks.known(connection, id_).get((device, epoch), 0)


def count(connection: Connection, conversation: int, device: DeviceId) -> int:
    """Count a device's epochs in a conversation."""
    row = connection.execute(
        "SELECT count(*) FROM chains WHERE conversation = ? AND device = ?", (conversation, device)
    ).fetchone()
    return int(row[0])


def every(connection: Connection, conversation: int) -> list[ChainRow]:
    """List the chains of a conversation, by device and epoch."""
    rows = connection.execute(
        f"{_COLUMNS} WHERE conversation = ? ORDER BY device, epoch", (conversation,)
    )
    return [ChainRow(*row) for row in rows]


def liveliest(connection: Connection, conversation: int, most: int) -> list[ChainRow]:
    """Give the chains of a conversation that have events, at most so many, those that grew last."""
    rows = connection.execute(
        f"{_COLUMNS} WHERE conversation = ? AND high > 0 LIMIT ?", (conversation, most + 1)
    ).fetchall()
    if len(rows) > most:
        rows = connection.execute(
            "SELECT h.number, h.device, h.epoch, h.author, h.floor, h.high, h.high_id, h.forked_at,"
            " h.void_to, h.seen FROM chains h JOIN events e ON e.chain = h.number AND e.seq = h.high"
            " AND e.is_fork = 0 WHERE h.conversation = ? ORDER BY e.number DESC LIMIT ?",
            (conversation, most),
        ).fetchall()
    return [ChainRow(*row) for row in rows]


def of_this_device(
    connection: Connection, conversation: int, device: DeviceId
) -> tuple[Epoch, int, ChainRow | None]:
    """Give the run that this device writes in, its account's list counter, and the chain if there is one."""
    epoch, counter, *row = connection.execute(
        "SELECT coalesce(v.epoch, p.epoch), o.list_counter, h.number, h.device, h.epoch, h.author,"
        " h.floor, h.high, h.high_id, h.forked_at, h.void_to, h.seen"
        " FROM conversations v JOIN place p JOIN own o LEFT JOIN chains h"
        " ON h.conversation = v.number AND h.device = ? AND h.epoch = coalesce(v.epoch, p.epoch)"
        " WHERE v.number = ?",
        (device, conversation),
    ).fetchone()
    return Epoch(epoch), int(counter), None if row[0] is None else ChainRow(*row)


def is_next(connection: Connection, chain: ChainRow, header: Header) -> bool:
    """Say whether an event, as nearly always, goes right behind what is whole, with nothing behind it."""
    if chain.forked_at or header.seq != chain.high + 1 or header.prev != chain.high_id:
        return False
    row = connection.execute(
        "SELECT 1 FROM events WHERE chain = ? AND is_fork = 0 AND seq > ? LIMIT 1",
        (chain.number, chain.high),
    ).fetchone()
    return row is None


def place_of(connection: Connection, chain: ChainRow, header: Header, event: EventId) -> Place:
    """Say where an event goes whose id is not here."""
    rows = connection.execute(
        "SELECT seq, id, header FROM events WHERE chain = ? AND is_fork = 0"
        " AND seq BETWEEN ? AND ?",
        (chain.number, header.seq - 1, header.seq + 1),
    ).fetchall()
    near = {seq: (near_id, raw) for seq, near_id, raw in rows}
    if header.seq in near:
        return Place.TAKEN
    before, after = near.get(header.seq - 1), near.get(header.seq + 1)
    if before is not None and before[0] != header.prev:
        return Place.ASTRAY
    if before is None and chain.forked_at and _is_rival(connection, header.prev):
        return Place.ASTRAY
    if after is not None and peek_header(after[1]).prev != event:
        return Place.ASTRAY
    return Place.MAIN


def _is_rival(connection: Connection, event: bytes) -> bool:
    row = connection.execute("SELECT is_fork FROM events WHERE id = ?", (event,)).fetchone()
    return row is not None and bool(row[0])


def reach(connection: Connection, chain: ChainRow, seq: int, event: EventId) -> None:
    """Move `high` on to an event that has nothing behind it, and behind `high` nothing missing before it."""
    connection.execute(
        "UPDATE chains SET high = ?, high_id = ? WHERE number = ?", (seq, event, chain.number)
    )


def advance(connection: Connection, chain: ChainRow) -> None:
    """Move `high` over everything that is whole now, and the floor down to what was brought below it."""
    floor, high, high_id = chain.floor, chain.high, chain.high_id
    ahead = connection.execute(
        "SELECT seq, id FROM events WHERE chain = ? AND is_fork = 0 AND seq > ? ORDER BY seq",
        (chain.number, high),
    )
    for seq, event in ahead:
        if seq != high + 1:
            if seq - 1 > chain.void_to:
                break
            floor = seq  # nobody will send what lies between
        high, high_id = seq, event
    if floor > 0:
        floor = _lowered(connection, chain.number, floor)
    if (floor, high) != (chain.floor, chain.high):
        connection.execute(
            "UPDATE chains SET floor = ?, high = ?, high_id = ? WHERE number = ?",
            (floor, high, high_id, chain.number),
        )


def _lowered(connection: Connection, chain: int, floor: int) -> int:
    rows = connection.execute(
        "SELECT seq FROM events WHERE chain = ? AND is_fork = 0 AND seq < ? ORDER BY seq DESC",
        (chain, floor),
    )
    for (seq,) in rows:
        if seq != floor - 1:
            break
        floor = seq
    return 0 if floor <= 1 else floor


def never_comes(connection: Connection, chain: ChainRow, last: int) -> None:
    """Note that up to `last` nothing will come any more: the next event here then closes the gap."""
    if last > chain.void_to:
        connection.execute("UPDATE chains SET void_to = ? WHERE number = ?", (last, chain.number))
        again = connection.execute(f"{_COLUMNS} WHERE number = ?", (chain.number,)).fetchone()
        advance(connection, ChainRow(*again))


def branches(connection: Connection, chain: ChainRow) -> list[Twig]:
    """Give every event of a forked chain from the fork on, whatever line it is in."""
    rows = connection.execute(
        "SELECT id, seq, header, is_fork FROM events WHERE chain = ?1 AND is_fork = 0"
        " AND seq >= ?2 UNION ALL"
        " SELECT id, seq, header, is_fork FROM events WHERE chain = ?1 AND is_fork = 1",
        (chain.number, chain.forked_at),
    )
    return [
        Twig(EventId(event), seq, peek_header(header).prev, bool(is_fork))
        for event, seq, header, is_fork in rows
    ]


def is_here(connection: Connection, event: bytes) -> bool:
    """Say whether an event is stored."""
    row = connection.execute("SELECT 1 FROM events WHERE id = ?", (event,)).fetchone()
    return row is not None


def id_at(connection: Connection, chain: int, seq: int) -> EventId | None:
    """Give the id of the event in a place, of the line that came first; None if it is not here."""
    row = connection.execute(
        "SELECT id FROM events WHERE chain = ? AND seq = ? AND is_fork = 0", (chain, seq)
    ).fetchone()
    return None if row is None else EventId(row[0])


def ends(connection: Connection, chain: ChainRow) -> list[Twig]:
    """Give the last event of each branch of a forked chain that is whole here."""
    root = _root(connection, chain)
    found = tips(whole(branches(connection, chain), chain.forked_at, root))
    return found or ([Twig(root, chain.forked_at - 1, b"")] if root else [])


def is_settled(connection: Connection, chain: ChainRow) -> bool:
    """Say whether all that others say they have of a chain is here, every branch of it down to the fork."""
    doubted = connection.execute(
        "SELECT 1 FROM doubts d WHERE d.chain = ?"
        " AND NOT EXISTS (SELECT 1 FROM events e WHERE e.id = d.id)",
        (chain.number,),
    ).fetchone()
    if doubted is not None:
        return False
    if not chain.forked_at:
        return True
    known = branches(connection, chain)
    sound = {twig.id for twig in whole(known, chain.forked_at, _root(connection, chain))}
    return all(twig.id in sound for twig in known if twig.is_rival)


def _root(connection: Connection, chain: ChainRow) -> EventId | None:
    before = chain.forked_at - 1
    return id_at(connection, chain.number, before) if before else EventId(b"")


def vector(connection: Connection, conversation: int, *, is_for_own: bool) -> list[VectorEntry]:
    """Give what is here of a conversation: an entry for each chain, for each branch of a forked one.

    is_for_own: for another device of this account. It may lack what we lack, so a hole is no reason to hear what
    is behind it again: it is told of the last stretch, and brings what it has before that anyway.
    """
    entries: list[VectorEntry] = []
    here: list[tuple[int, int, bytes]]
    for chain in every(connection, conversation):
        if chain.forked_at:
            here = [(chain.floor, tip.seq, tip.id) for tip in ends(connection, chain)]
        elif is_for_own:
            here = [_last_stretch(connection, chain)]
        else:
            here = [(chain.floor, chain.high, chain.high_id)]
        entries += [
            VectorEntry(chain.device, chain.epoch, floor, high, event)
            for floor, high, event in here
            if high
        ]
    return entries[: limits.VECTOR_ENTRIES]


def _last_stretch(connection: Connection, chain: ChainRow) -> tuple[int, int, bytes]:
    """Give (floor, high, id at high) of the highest places that follow each other."""
    rows = connection.execute(
        "SELECT seq, id FROM events WHERE chain = ? AND is_fork = 0 AND seq > ? ORDER BY seq DESC",
        (chain.number, chain.high),
    )
    stretch: list[tuple[int, bytes]] = []
    for seq, event in rows:
        if stretch and stretch[-1][0] != seq + 1:
            break
        stretch.append((seq, event))
    if not stretch:
        return chain.floor, chain.high, chain.high_id
    return stretch[-1][0], *stretch[0]
