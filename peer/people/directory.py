"""Learning the devices of friends whom another device of this account made: the tracker's directory has them.

What it says is believed only as far as it verifies under the pin.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress

from peer.effects import Effect, NoteDenial, WantLink
from peer.errors import PeerError
from peer.people import contacts, standing
from peer.store.database import Database
from peer.store.devices import list_of, note_addresses, note_device, note_list
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import peek_certificate
from wire.ids import AccountName
from wire.messages import reach

Connection = sqlite3.Connection


def unlearned(connection: Connection) -> list[str]:
    """Name the friends whose device list is not known here, or is known to be an old one."""
    rows = connection.execute(
        "SELECT name FROM contacts WHERE state = 'friends' AND device_list IS NULL ORDER BY name"
    )
    return [name for (name,) in rows]


async def learn(link: TrackerLink, database: Database) -> list[Effect]:
    """Ask for the devices of everybody in `unlearned`; raises PeerError if the link ended."""
    effects: list[Effect] = []
    for name in database.read(unlearned):
        try:
            found = await link.ask(
                lambda request, name=name: reach.AskDirectory(request, name),  # type: ignore[misc]
                reach.Directory,
            )
        except PeerError as error:
            if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                raise
            continue  # no friend any more, or for the tracker not yet one
        try:
            effects += await database.write_patiently(note, found)
        except RemoteProtocolError as error:
            effects.append(NoteDenial("the tracker", "Directory", error.code))
    return effects


def note(connection: Connection, found: reach.Directory) -> list[Effect]:
    """Keep what the directory says of a friend; raises RemoteProtocolError where the list does not verify."""
    contact = contacts.find(connection, found.name)
    if contact is None or contact.state != "friends" or contact.identity is None:
        return []
    note_list(connection, contact.identity, found.device_list)
    newest = list_of(connection, contact.identity)
    effects: list[Effect] = [WantLink(contact.identity)]
    for record in found.devices:
        try:
            note_device(
                connection, contact.identity, record.certificate, newest or found.device_list
            )
            if record.addresses:
                device = peek_certificate(record.certificate).device
                note_addresses(connection, device, record.addresses)
        except RemoteProtocolError as error:  # of a device that was taken off, or that is no device
            effects.append(NoteDenial("the tracker", "a device in Directory", error.code))
    return effects


async def take_list(
    link: TrackerLink, database: Database, name: AccountName, signed: bytes
) -> list[Effect]:
    """Take a device list that the tracker shows, a friend's or ours, with the names of who is new on it."""
    if database.read(standing.newest_of, name) == signed:
        if database.read(standing.waits_for, name):
            await database.write_patiently(standing.shown_again)
        return []
    certificates: tuple[bytes, ...] = ()
    with suppress(PeerError):  # without names it counts all the same
        found = await link.ask(lambda request: reach.AskDirectory(request, name), reach.Directory)
        certificates = tuple(record.certificate for record in found.devices)
    try:
        return await database.write_patiently(
            standing.told_by_tracker, name, signed, certificates, wall()
        )
    except WireError as error:  # nobody's who counts: nothing was stored
        return [NoteDenial("the tracker", "a device list", error.code)]
