"""Doing what the accept policy said of offers: taking them, refusing them, nobody being asked.

What `verdicts` noted when an offer was shown is done right after by whoever runs the node, or by the next one.
Where the policy asks for types of files, the transfer begins before the offer is answered: its list of files
comes first, and only then it is known whether all of them match. If they do not, the offer waits for its
person like any other; until then no transfer is shown.
"""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from peer.effects import Effect, WakeTransfers
from peer.errors import PeerError
from peer.locations import Locations
from peer.people import contacts
from peer.settings import configuring, preferences
from peer.settings.quantities import OFF
from peer.store.database import Database
from peer.transfers import ledger, manager, offerings, verdicts
from peer.transfers.offerings import OfferRow
from wire.identity import DeviceKeys
from wire.ids import OfferId
from wire.log.event import OfferAnswer
from wire.machine import Entropy, UnixMillis

Connection = sqlite3.Connection


async def apply_now(
    database: Database,
    locations: Locations,
    keys: DeviceKeys,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Do what the policy said of offers that nobody answered meanwhile, in a transaction of its own."""
    chosen = database.read(configuring.downloads)
    folder = await asyncio.to_thread(configuring.folder_unasked, locations, chosen)
    return await database.write_patiently(apply, keys, folder, now, entropy)


def apply(
    connection: Connection,
    keys: DeviceKeys,
    folder: Path | PeerError,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Do what the policy said of offers that nobody answered meanwhile.

    folder: absolute, where they go; or why nothing can go there.
    """
    effects: list[Effect] = []
    rows = connection.execute(
        "SELECT number, verdict FROM offers WHERE verdict IS NOT NULL ORDER BY number"
    ).fetchall()
    connection.execute("UPDATE offers SET verdict = NULL WHERE verdict IS NOT NULL")
    for number, verdict in rows:
        row = offerings.of_number(connection, number)
        friend = manager.listener(connection, row)
        if friend is None or not verdicts.may_be_taken(connection, row):
            continue
        if verdict == "never":
            if row.state != "offered":
                continue
            effects += manager.answer(
                connection, keys, friend, row, OfferAnswer.DECLINED, now, entropy
            )
        elif ledger.transfer_for(connection, row) is None:
            effects += _take(connection, keys, friend, row, folder, now, entropy)
    return effects


def fit(
    connection: Connection, keys: DeviceKeys, number: int, now: UnixMillis, entropy: Entropy
) -> list[Effect]:
    """Answer the offer of a transfer whose files all match."""
    row = _provisional(connection, number)
    if row is None:
        return []
    connection.execute("UPDATE transfers SET types = NULL WHERE number = ?", (number,))
    effects = ledger.tell_shown(connection, number)
    friend = manager.listener(connection, row)
    if friend is None or row.state != "offered":
        return effects
    accepted = OfferAnswer.ACCEPTED
    return effects + manager.answer(connection, keys, friend, row, accepted, now, entropy)


def unfit(connection: Connection, number: int) -> list[Effect]:
    """Forget a transfer of which a file does not match: its offer waits for its person."""
    row = _provisional(connection, number)
    if row is None:
        return []
    connection.execute("DELETE FROM transfers WHERE number = ?", (number,))
    return [offerings.tell(connection, row.number)]


# --- inside


def _take(
    connection: Connection,
    keys: DeviceKeys,
    friend: contacts.Contact,
    row: OfferRow,
    folder: Path | PeerError,
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Begin a transfer that nobody was asked about; what is wrong with the folder shows in its row."""
    if isinstance(folder, PeerError):
        number = ledger.add_transfer(connection, row, now)
        return manager.failed(connection, number, folder.code, now, folder.detail)
    types = preferences.held(connection, "accept.types", friend)
    number = ledger.add_transfer(connection, row, now, folder=str(folder))
    effects: list[Effect] = []
    if types == OFF:
        accepted = OfferAnswer.ACCEPTED
        effects += ledger.tell_shown(connection, number)
        effects += manager.answer(connection, keys, friend, row, accepted, now, entropy)
    else:
        connection.execute("UPDATE transfers SET types = ? WHERE number = ?", (types, number))
    return [*effects, WakeTransfers(OfferId(row.key.offer))]


def _provisional(connection: Connection, number: int) -> OfferRow | None:
    """Give the offer of a transfer that waits for its list of files, or None."""
    row = connection.execute(
        "SELECT offer FROM transfers WHERE number = ? AND types IS NOT NULL", (number,)
    ).fetchone()
    return None if row is None else offerings.of_number(connection, row[0])
