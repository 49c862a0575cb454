"""The rows of offers: finding, changing and showing them; what they mean is decided elsewhere.

Plain functions over a connection. An offer's state only goes up in the order of `RANK`, so that devices
which learn of an answer and a withdrawal in different order end alike.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from msgspec import Struct

from peer import api
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.people import contacts
from peer.prefixes import read_prefix
from peer.store import own
from peer.times import rfc3339
from wire.codes import Code
from wire.ids import AccountName, DeviceId, IdentityKey, OfferId
from wire.log.event import Offer, peek_header, read_body
from wire.transfer.holding import OfferKey

Connection = sqlite3.Connection

RANK = {"offered": 0, "accepted": 1, "declined": 2, "withdrawn": 3, "done": 4}
"""The states of an offer; the highest that was ever true is the one it has."""


class OfferRow(Struct, frozen=True):
    """One offer in one conversation. friend: at the other end, whoever offers. event: that made it.

    is_own: this account offers it; with oneself, where every device is the account's: this very device does.
    """

    number: int
    key: OfferKey
    conversation: int
    contact: int
    friend: AccountName
    identity: IdentityKey
    event: bytes
    is_own: bool
    title: str
    files: int
    size: int
    state: str

    @property
    def is_to_oneself(self) -> bool:
        """Whether it goes from one device of this account to its others."""
        return self.contact == contacts.OWN


_OFFER_COLUMNS = (
    "SELECT o.number, o.device, o.offer, o.conversation, v.contact, c.name, v.identity, e.id,"
    " o.is_own, o.title, o.files, o.size, o.state FROM offers o"
    " JOIN conversations v ON v.number = o.conversation JOIN contacts c ON c.number = v.contact"
    " JOIN events e ON e.number = o.event"
)


def _offer_row(row: tuple[Any, ...]) -> OfferRow:
    number, device, offer, conversation, contact, friend, identity, event, is_own, *rest = row
    key = OfferKey(DeviceId(device), OfferId(offer))
    return OfferRow(
        number, key, conversation, contact, friend, identity, event, bool(is_own), *rest
    )


def add(
    connection: Connection,
    offer: Offer,
    *,
    device: DeviceId,
    conversation: int,
    event: int,
    is_own: bool,
    at: int,
) -> OfferRow | None:
    """Keep an offer; None if this device offered the same in this conversation before."""
    row = connection.execute(
        "INSERT INTO offers (offer, device, conversation, event, is_own, title, files, size,"
        " manifest_size, manifest_digest, top_names, recipients, state, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'offered', ?)"
        " ON CONFLICT DO NOTHING RETURNING number",
        (
            offer.offer,
            device,
            conversation,
            event,
            is_own,
            offer.title,
            offer.files,
            offer.size,
            offer.manifest_size,
            offer.manifest_digest,
            json.dumps(offer.top_names),
            b"".join(offer.recipients),
            at,
        ),
    ).fetchone()
    return None if row is None else of_number(connection, row[0])


def of_number(connection: Connection, number: int) -> OfferRow:
    """Give the offer in a row."""
    return _offer_row(
        connection.execute(f"{_OFFER_COLUMNS} WHERE o.number = ?", (number,)).fetchone()
    )


def needed_bytes(connection: Connection, number: int) -> int:
    """Say how much space an offer's files take, as far as its event, if that still has its body, tells."""
    header, body, size = connection.execute(
        "SELECT e.header, e.body, o.size FROM offers o JOIN events e ON e.number = o.event"
        " WHERE o.number = ?",
        (number,),
    ).fetchone()
    content = read_body(peek_header(header), body)
    return content.needed_bytes if isinstance(content, Offer) else int(size)


def made_by(connection: Connection, event: int) -> OfferRow | None:
    """Give the offer that an event made, by the event's row."""
    row = connection.execute(f"{_OFFER_COLUMNS} WHERE o.event = ?", (event,)).fetchone()
    return None if row is None else _offer_row(row)


def before(connection: Connection, conversation: int, offer: bytes, clock: int) -> list[OfferRow]:
    """List the offers of that id that stand before a point of a conversation.

    It is one, unless somebody plays tricks.
    """
    rows = connection.execute(
        f"{_OFFER_COLUMNS} WHERE o.offer = ? AND o.conversation = ? AND e.clock < ?",
        (offer, conversation, clock),
    )
    return [_offer_row(row) for row in rows.fetchall()]


def find_incoming(connection: Connection, prefix: str) -> OfferRow:
    """Give the one offer to this account whose id begins so.

    prefix: 8 or more hex digits. Raises PeerError with UNKNOWN_OFFER, AMBIGUOUS_ID or OFFER_OWN.
    """
    text = read_prefix(prefix, Code.UNKNOWN_OFFER)
    found = with_prefix(connection, text)
    if not found:
        raise PeerError(Code.UNKNOWN_OFFER, f"no offer has an id that begins with {text[:64]}")
    incoming = [row for row in found if not row.is_own]
    if len({row.key.offer for row in found}) > 1:
        raise PeerError(Code.AMBIGUOUS_ID)
    if not incoming:
        raise PeerError(Code.OFFER_OWN)
    if len(incoming) > 1:
        names = " and ".join(sorted({row.friend for row in incoming}))
        raise PeerError(Code.AMBIGUOUS_ID, f"{names} offer different things under this id")
    return incoming[0]


def find_outgoing(connection: Connection, prefix: str) -> list[OfferRow]:
    """Give the one own offer whose id begins so, as it stands in each conversation.

    prefix: as for `find_incoming`. Raises PeerError with UNKNOWN_OFFER, AMBIGUOUS_ID or OFFER_NOT_OWN.
    """
    text = read_prefix(prefix, Code.UNKNOWN_OFFER)
    found = with_prefix(connection, text)
    if not found:
        raise PeerError(Code.UNKNOWN_OFFER, f"no offer has an id that begins with {text[:64]}")
    if len({row.key.offer for row in found}) > 1:
        raise PeerError(Code.AMBIGUOUS_ID)
    mine = [row for row in found if row.is_own]
    if not mine:
        raise PeerError(Code.OFFER_NOT_OWN)
    return mine


def with_prefix(connection: Connection, prefix: str) -> list[OfferRow]:
    """List the offers whose id begins so. prefix: lower-case hex, at least two digits."""
    rows = connection.execute(
        f"{_OFFER_COLUMNS} WHERE o.offer >= ? AND substr(lower(hex(o.offer)), 1, ?) = ?"
        " AND o.offer <= ? ORDER BY o.number",
        (
            bytes.fromhex(prefix[: len(prefix) // 2 * 2]),
            len(prefix),
            prefix,
            bytes.fromhex(prefix.ljust(32, "f")[:32]),
        ),
    )
    return [_offer_row(row) for row in rows.fetchall()]


def pending(connection: Connection, conversation: int) -> int:
    """Count the offers of the friend that nobody answered here."""
    (count,) = connection.execute(
        "SELECT count(*) FROM offers WHERE conversation = ? AND is_own = 0 AND state = 'offered'",
        (conversation,),
    ).fetchone()
    return int(count)


def pending_with(connection: Connection, contact: int) -> int:
    """Count the own offers that a friend has not answered."""
    (count,) = connection.execute(
        "SELECT count(*) FROM offers o JOIN conversations v ON v.number = o.conversation"
        " WHERE v.contact = ? AND o.is_own = 1 AND o.state = 'offered'",
        (contact,),
    ).fetchone()
    return int(count)


def standing(connection: Connection) -> list[OfferId]:
    """List the own offers that somebody may still take."""
    rows = connection.execute(
        "SELECT DISTINCT offer FROM offers WHERE is_own AND state NOT IN ('declined', 'withdrawn')"
    )
    return [OfferId(row[0]) for row in rows]


def is_over(connection: Connection, offer: OfferId) -> bool:
    """Say whether an own offer was made and nobody may take it any more."""
    (made, stand) = connection.execute(
        "SELECT count(*), count(*) FILTER (WHERE state NOT IN ('declined', 'withdrawn'))"
        " FROM offers WHERE is_own AND offer = ?",
        (offer,),
    ).fetchone()
    return bool(made) and not stand


def raise_to(connection: Connection, offer: OfferRow, state: str) -> list[Effect]:
    """Note that a state was reached; one that does not come after what is known changes nothing."""
    below = [name for name, rank in RANK.items() if rank < RANK[state]]
    marks = ",".join("?" * len(below))
    changed = connection.execute(
        f"UPDATE offers SET state = ? WHERE number = ? AND state IN ({marks}) RETURNING 1",
        (state, offer.number, *below),
    ).fetchone()
    return [] if changed is None else [tell(connection, offer.number)]


def tell(connection: Connection, number: int) -> Tell:
    """Give what tells the faces of an offer; `id` is the event that made it."""
    shown, event = _shown(connection, "WHERE o.number = ?", (number,))[0]
    return Tell(api.Event("offer", {**api.as_json(shown), "id": event.hex()}))


def shown(connection: Connection, number: int) -> api.Offer:
    """Give one offer as people see it."""
    return _shown(connection, "WHERE o.number = ?", (number,))[0][0]


def shown_outgoing(connection: Connection, offer: OfferId) -> list[api.Offer]:
    """Give an own offer as people see it, once for each friend it was made to, oldest first."""
    found = _shown(connection, "WHERE o.offer = ? AND o.is_own ORDER BY o.number", (offer,))
    return [shown for shown, _ in found]


def every_shown(connection: Connection) -> list[api.Offer]:
    """Give every offer as people see it, oldest first."""
    return [shown for shown, _ in _shown(connection, "ORDER BY o.number", ())]


def _shown(
    connection: Connection, condition: str, values: tuple[object, ...]
) -> list[tuple[api.Offer, bytes]]:
    my_name = own.need_account(connection).name
    rows = connection.execute(
        "SELECT o.offer, o.is_own, v.id, c.name, o.title, o.files, o.size, o.state, o.at, e.id"
        " FROM offers o JOIN conversations v ON v.number = o.conversation"
        f" JOIN contacts c ON c.number = v.contact JOIN events e ON e.number = o.event {condition}",
        values,
    )
    return [
        (
            api.Offer(
                offer=offer.hex(),
                direction="out" if is_own else "in",
                conversation=conversation.hex(),
                friend=friend,
                sender=my_name if is_own else friend,
                name=title,
                files=files,
                bytes=size,
                state=state,
                at=rfc3339(at),
            ),
            event,
        )
        for offer, is_own, conversation, friend, title, files, size, state, at, event in rows
    ]
