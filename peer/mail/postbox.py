"""What goes by mail, to whom, and what becomes of it: the road beside links (design, section 6).

Each device leaves what it wrote itself for each device that did not receipt it: at once where that device is
away, after MAIL_AFTER_S where a link should have brought it. Whichever arrives first counts; the other is a
duplicate and vanishes. Receipts for what came by mail go back the same way unless a link takes them.

Plain functions over the database; the talk with the tracker is in `mail_exchange`, what comes is in `mailing`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from msgspec import Struct

from peer import api
from peer.effects import Effect, Tell
from peer.mail import enclosed
from peer.mail.enclosed import RECORD_BYTES, Enclosed
from peer.store import own
from wire import codec, limits
from wire.identity import DeviceKeys
from wire.ids import AccountName, ConversationId, DeviceId, IdentityKey
from wire.machine import UnixMillis
from wire.mailbox import LETTER_BYTES, Letter
from wire.messages import Message, Purpose
from wire.messages.conversation import Events, SealedEvent

Connection = sqlite3.Connection
AFTER_MS = int(limits.MAIL_AFTER_S * 1000)
LIFETIME_MS = int(limits.MAIL_LIFETIME_S * 1000)
EVENTS_BYTES = LETTER_BYTES - limits.CERTIFICATE_BYTES - limits.DEVICE_LIST_BYTES - 1024

_DUE = """
SELECT c.name, d.identity, d.device, c.shown > 0 OR d.identity = o.identity, h.number,
    max(h.floor, coalesce(m.high, 0) + 1, coalesce((SELECT max(r.high) FROM reaches r
        WHERE r.conversation = v.number AND r.device = h.device AND r.epoch = h.epoch
        AND r.witness = d.device), 0) + 1) AS first,
    h.high, d.made, v.number, coalesce((SELECT a.after FROM appeared a WHERE a.device = d.device), 0)
FROM chains h
JOIN own o ON o.device = h.device
JOIN conversations v ON v.number = h.conversation
JOIN contacts c ON c.number = v.contact AND c.identity = v.identity
JOIN devices d ON d.is_listed AND d.device <> o.device AND d.identity IN (v.identity, o.identity)
LEFT JOIN mailed m ON m.chain = h.number AND m.device = d.device
WHERE c.state IN ('friends', 'own') AND c.claimed IS NULL AND h.high >= first
"""


class Born(Struct, frozen=True):
    """Since when a device is one. made: as its certificate claims; after: the last row of `events` then (`appearing`)."""

    made: int
    after: int


EVER = Born(0, 0)
"""Of our own devices, which may have everything."""


class Addressee(Struct, frozen=True):
    """A device that something should be left for. name: of its account, which may be our own."""

    name: AccountName
    identity: IdentityKey
    device: DeviceId


class Part(Struct, frozen=True):
    """A piece of one own chain: places first to last."""

    chain: int
    first: int
    last: int


class Parcel(Struct, frozen=True):
    """What one item holds, and what is to be noted once the tracker has it."""

    to: Addressee
    letter: Letter
    parts: tuple[Part, ...]
    enclosed: Enclosed


def due(
    connection: Connection,
    linked: Collection[DeviceId],
    now: UnixMillis,
    of: Collection[IdentityKey] | None = None,
) -> tuple[list[Addressee], UnixMillis | None]:
    """Give the devices that mail should go to now, and when to look again for those that a link may serve.

    linked: devices with an open link. of: only what was said with these people; None for all.
    """
    me = own.need_account(connection)
    found: dict[DeviceId, Addressee] = {}
    later: list[int] = []
    rows = (
        connection.execute(_DUE).fetchall()
        if of is None
        else [row for one in of for row in connection.execute(f"{_DUE} AND c.identity = ?", (one,))]
    )
    for row in rows:
        name, identity, device, may_link, chain, first, high, made, _, after = row
        if device in found:
            continue
        born = Born(made, after) if identity != me.identity else EVER
        since = _oldest(connection, chain, first, high, born, now)
        if since is None:
            continue
        at = since + (AFTER_MS if may_link or device in linked else 0)
        if since <= now < at:  # what comes from the future was stored before the clock was set back
            later.append(at)
        else:
            name = me.name if identity == me.identity else name
            found[device] = Addressee(AccountName(name), IdentityKey(identity), DeviceId(device))
    for owed in enclosed.owed(connection):
        addressee = Addressee(*owed)
        if addressee.device not in linked:
            found.setdefault(addressee.device, addressee)
    return list(found.values()), UnixMillis(min(later)) if later else None


def compose(
    connection: Connection, keys: DeviceKeys, to: Addressee, now: UnixMillis
) -> Parcel | None:
    """Put together what fits into one item for a device; None if nothing is to be left for it."""
    me = own.need_account(connection)
    beside = enclosed.enclose(connection, keys, to.device, EVENTS_BYTES)
    records: list[Message] = list(beside.records)
    room = EVENTS_BYTES - beside.size
    parts: list[Part] = []
    chains = connection.execute(f"{_DUE} AND d.device = ? ORDER BY h.number", (to.device,))
    for _, identity, _, _, chain, first, high, made, conversation, after in chains.fetchall():
        born = Born(made, after) if identity != me.identity else EVER
        picked, last, room = _pick(connection, chain, first, high, born, now, room)
        if last >= first:
            parts.append(Part(chain, first, last))
        if picked:
            (id_,) = connection.execute(
                "SELECT id FROM conversations WHERE number = ?", (conversation,)
            ).fetchone()
            records.append(Events(ConversationId(id_), tuple(picked)))
        if last < high:
            break  # the letter is full
    if not records and not parts:
        return None
    letter = Letter(
        me.certificate,
        me.device_list,
        tuple(codec.encode(Purpose.PEER, record) for record in records),
    )
    return Parcel(to, letter, tuple(parts), beside)


def left(connection: Connection, parcel: Parcel, item: bytes, now: UnixMillis) -> list[Effect]:
    """Note that the tracker has a parcel; what it holds for whom it was said to is `sent` (promise D2)."""
    connection.execute("DELETE FROM parcels WHERE at < ?", (now - LIFETIME_MS,))
    effects: list[Effect] = []
    for part in parcel.parts:
        connection.execute(
            "INSERT INTO mailed (chain, device, high) VALUES (?, ?, ?)"
            " ON CONFLICT (chain, device) DO UPDATE SET high = max(high, excluded.high)",
            (part.chain, parcel.to.device, part.last),
        )
        connection.execute(
            "INSERT INTO parcels (item, chain, device, first, last, at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (item, part.chain, parcel.to.device, part.first, part.last, now),
        )
        if is_said_to(connection, parcel.to.identity, part.chain):
            effects += mark(connection, part, ("queued",), "sent", now)
    connection.execute("UPDATE own SET mail_left = mail_left + 1 WHERE mail_left > 0")
    to = parcel.to
    enclosed.left(connection, to.device, to.identity, parcel.enclosed, item, now)
    return effects


def on_nack(connection: Connection, device: DeviceId, item: bytes, now: UnixMillis) -> list[Effect]:
    """Take note that a device could not open an item: it is sealed again once, then it has failed.

    device: who says so, verified. What it does not know as an item of ours for it changes nothing.
    """
    enclosed.on_nack(connection, device, item)
    rows = connection.execute(
        "SELECT p.chain, p.first, p.last, m.nacked, d.identity FROM parcels p JOIN mailed m"
        " ON m.chain = p.chain AND m.device = p.device JOIN devices d ON d.device = p.device"
        " WHERE p.item = ? AND p.device = ?",
        (item, device),
    ).fetchall()
    connection.execute("DELETE FROM parcels WHERE item = ? AND device = ?", (item, device))
    effects: list[Effect] = []
    for chain, first, last, nacked, identity in rows:
        if nacked and first <= nacked:
            part = Part(chain, first, last)
            if is_said_to(connection, identity, chain):
                effects += mark(connection, part, ("queued", "sent"), "failed", now)
            continue
        connection.execute(
            "UPDATE mailed SET high = min(high, ?), nacked = ? WHERE chain = ? AND device = ?",
            (first - 1, last, chain, device),
        )
    return effects


def _oldest(
    connection: Connection, chain: int, first: int, high: int, born: Born, now: UnixMillis
) -> int | None:
    """Give when the first event of a piece was stored that mail may carry, None if there is none."""
    row = connection.execute(
        f"SELECT e.received FROM events e WHERE {_CARRIED} ORDER BY e.seq LIMIT 1",
        (chain, first, high, now - LIFETIME_MS, born.made, born.after),
    ).fetchone()
    return None if row is None else int(row[0])


_CARRIED = (
    "e.chain = ? AND e.is_fork = 0 AND e.seq BETWEEN ? AND ? AND e.received >= ?"
    " AND (min(e.at, e.received) >= ? AND e.number > ? OR EXISTS (SELECT 1 FROM outbox b WHERE b.event = e.number"
    " AND b.state IN ('queued', 'sent')))"
)
"""What mail carries: not what is too old, and for a younger device only what nobody of its account has."""


def _pick(
    connection: Connection,
    chain: int,
    first: int,
    high: int,
    born: Born,
    now: UnixMillis,
    room: int,
) -> tuple[list[SealedEvent], int, int]:
    """Give the next events of a chain that fit, the last place that is settled with them, and the room left."""
    rows = connection.execute(
        f"SELECT e.seq, e.header, e.body FROM events e WHERE {_CARRIED} ORDER BY e.seq LIMIT ?",
        (chain, first, high, now - LIFETIME_MS, born.made, born.after, limits.EVENTS_PER_BATCH),
    ).fetchall()
    picked: list[SealedEvent] = []
    for seq, header, body in rows:
        size = len(header) + len(body or b"") + RECORD_BYTES
        if size > room or len(picked) == limits.EVENTS_PER_BATCH:
            return picked, seq - 1, room
        picked.append(SealedEvent(header, body))
        room -= size
    if len(rows) == limits.EVENTS_PER_BATCH:
        return picked, rows[-1][0], room
    return picked, high, room


def is_said_to(connection: Connection, identity: IdentityKey, chain: int) -> bool:
    """Say whether what stands in a chain of ours was said to that person, and is not for our own devices beside."""
    (partner,) = connection.execute(
        "SELECT v.identity FROM chains h JOIN conversations v ON v.number = h.conversation"
        " WHERE h.number = ?",
        (chain,),
    ).fetchone()
    return bool(partner == identity)


def mark(
    connection: Connection, part: Part, before: tuple[str, ...], state: str, now: UnixMillis
) -> list[Effect]:
    """Give what we said in a piece of a chain another state, where it has one of those before, and tell it."""
    marks = ",".join("?" * len(before))
    rows = connection.execute(
        f"UPDATE outbox SET state = ?, changed = ? WHERE state IN ({marks}) AND event IN"
        " (SELECT number FROM events WHERE chain = ? AND is_fork = 0 AND seq BETWEEN ? AND ?)"
        " RETURNING (SELECT id FROM events WHERE number = outbox.event),"
        " (SELECT name FROM contacts WHERE number = outbox.contact)",
        (state, now, *before, part.chain, part.first, part.last),
    ).fetchall()
    return [
        Tell(api.Event("receipt", {"id": event.hex(), "state": state, "friend": name}))
        for event, name in rows
    ]
