"""Who is shown where this machine can be dialled: the key of our address records, who was given it, and who never is.

The tracker passes the records on and cannot read them. Each friend's device gets the key once, end to end: on a link,
else by mail. A friend with `relay-only` never gets it. Where somebody has it who is to have it no more (a friendship
that ended, a device taken off, `relay-only` set later) another key takes its place, for the next record and everybody
else. Plain functions over the database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from peer import api
from peer.effects import CloseLinks, Effect, SendOnLink, WantLink
from peer.people import contacts
from peer.settings import preferences
from peer.settings.quantities import OFF
from peer.store import own, settings
from peer.times import rfc3339
from wire import limits
from wire.codes import Code
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import Entropy, UnixMillis
from wire.messages.reach import AddressKey

Connection = sqlite3.Connection

RELAY_ONLY = "relay-only"
_PLACE = f"{settings.HERE}address-key"
_NUMBER_BYTES = 8

_OWED = """
SELECT d.device, d.identity, coalesce(c.name, o.name) FROM devices d JOIN own o
LEFT JOIN contacts c ON c.identity = d.identity AND c.state = 'friends' AND c.claimed IS NULL
WHERE d.is_listed AND d.device <> o.device AND (c.name IS NOT NULL OR d.identity = o.identity)
AND NOT EXISTS (SELECT 1 FROM shown_to s WHERE s.number = ? AND s.device = d.device AND s.unopened <> 1)
"""
_HAVE_IT_STILL = """
SELECT 1 FROM shown_to s WHERE s.number = ? AND NOT EXISTS (
    SELECT 1 FROM devices d JOIN own o
    LEFT JOIN contacts c ON c.identity = d.identity AND c.state = 'friends' AND c.claimed IS NULL
    WHERE d.device = s.device AND d.is_listed AND (c.name IS NOT NULL OR d.identity = o.identity)
) LIMIT 1
"""


# --- our own key


def own_key(connection: Connection) -> bytes | None:
    """Give the key of our records, 32 bytes, secret; None before the first was made."""
    stored = settings.read(connection, _PLACE)
    return None if stored is None else stored[_NUMBER_BYTES:]


def need_key(connection: Connection, entropy: Entropy) -> tuple[bytes, list[Effect]]:
    """Give the key of our records; another one if somebody has it who is to have it no more.

    The effects end the links that show our address to who is not to see it.
    """
    number, key = _number(connection), own_key(connection)
    hidden = _hidden_who_have_it(connection, number)
    if key is None or hidden or connection.execute(_HAVE_IT_STILL, (number,)).fetchone():
        key = entropy.bytes(limits.ADDRESS_KEY_BYTES)
        stored = (number + 1).to_bytes(_NUMBER_BYTES, "big") + key
        settings.write(connection, _PLACE, stored)
    return key, [CloseLinks(identity, Code.GOODBYE) for identity in hidden]


def is_stale(connection: Connection) -> bool:
    """Say whether somebody has the key who is to have it no more."""
    number = _number(connection)
    return bool(
        connection.execute(_HAVE_IT_STILL, (number,)).fetchone()
        or _hidden_who_have_it(connection, number)
    )


def _number(connection: Connection) -> int:
    stored = settings.read(connection, _PLACE)
    return 0 if stored is None else int.from_bytes(stored[:_NUMBER_BYTES], "big")


# --- who may see it


def is_hidden_from(connection: Connection, identity: IdentityKey) -> bool:
    """Say whether somebody is never to see our address; our own devices always do."""
    contact = contacts.of_identity(connection, identity)
    return contact is not None and contact.state != "own" and _is_hidden(connection, contact.name)


def hides_from_somebody(connection: Connection) -> bool:
    """Say whether there is a friend, or might be one, who is never to see our address."""
    key = preferences.KEYS[RELAY_ONLY]
    return preferences.held(connection, RELAY_ONLY) == preferences.ON or any(
        chosen == preferences.ON for _, chosen in preferences.of_friends(connection, key)
    )


def is_shown_by_choice(connection: Connection, identity: IdentityKey) -> bool:
    """Say whether somebody may see our address though all else goes through a proxy: `relay-only` is set to off."""
    contact = contacts.of_identity(connection, identity)
    if contact is None or contact.state == "own":
        return False
    return preferences.value(connection, RELAY_ONLY, contact) == OFF


def _is_hidden(connection: Connection, name: str) -> bool:
    return preferences.held_for(connection, RELAY_ONLY, name) == preferences.ON


def _hidden_who_have_it(connection: Connection, number: int) -> list[IdentityKey]:
    """List the identities with the present key that are to see nothing."""
    key = preferences.KEYS[RELAY_ONLY]
    if preferences.value(connection, RELAY_ONLY) is None and not preferences.of_friends(
        connection, key
    ):
        return []
    rows = connection.execute(
        "SELECT DISTINCT s.identity FROM shown_to s WHERE s.number = ?", (number,)
    )
    return [IdentityKey(row[0]) for row in rows if is_hidden_from(connection, row[0])]


def owed(connection: Connection) -> list[tuple[AccountName, IdentityKey, DeviceId]]:
    """List the devices that are to have the key and were not given it, or in a letter that did not open."""
    if own_key(connection) is None:
        return []
    rows = connection.execute(_OWED, (_number(connection),)).fetchall()
    me = own.this_device(connection)[1] if rows else None
    return [
        (AccountName(name), IdentityKey(identity), DeviceId(device))
        for device, identity, name in rows
        if identity == me or not _is_hidden(connection, name)
    ]


# --- giving and taking


def give(connection: Connection, device: DeviceId, identity: IdentityKey, now: UnixMillis) -> None:
    """Note that a device was given the key."""
    connection.execute(
        "INSERT INTO shown_to (number, device, identity, at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (number, device) DO UPDATE SET unopened = 2 WHERE unopened = 1",
        (_number(connection), device, identity, now),
    )
    connection.execute(
        "DELETE FROM shown_to WHERE number < ? AND at <="
        " (SELECT at FROM shown_to ORDER BY at DESC LIMIT 1 OFFSET ?)",
        (_number(connection), limits.SHOWN_LOG),
    )


def unopened(connection: Connection, device: DeviceId) -> None:
    """Note that the letter in which a device was given the key did not open: it is given again once.

    It counts among those that have the key: that it did not open is only its word.
    """
    connection.execute(
        "UPDATE shown_to SET unopened = 1 WHERE number = ? AND device = ? AND unopened = 0",
        (_number(connection), device),
    )


def on_link(
    connection: Connection, device: DeviceId, identity: IdentityKey, now: UnixMillis
) -> list[Effect]:
    """Give the key to a device whose link opened; again does no harm, it may have lost what it had."""
    key = own_key(connection)
    if key is None or is_hidden_from(connection, identity):
        return []
    give(connection, device, identity, now)
    return [SendOnLink(device, AddressKey(key))]


def to_linked(
    connection: Connection, linked: Collection[DeviceId], now: UnixMillis
) -> list[Effect]:
    """Give the key to the devices with a link that were not given it."""
    return [
        effect
        for _, identity, device in owed(connection)
        if device in linked
        for effect in on_link(connection, device, identity, now)
    ]


def take(
    connection: Connection, device: DeviceId, identity: IdentityKey, key: bytes
) -> list[Effect]:
    """Keep the key of a device's records as it gave it to us; where it can be dialled may be known now."""
    changed = connection.execute(
        "UPDATE devices SET address_key = ?1 WHERE device = ?2 AND identity = ?3"
        " AND address_key IS NOT ?1",
        (key, device, identity),
    )
    return [WantLink(identity)] if changed.rowcount else []


# --- for the person


def log(connection: Connection) -> list[api.ShownTo]:
    """List the devices that were given our address, newest first, those that have it no more included."""
    own.need_account(connection)
    rows = connection.execute(
        "SELECT coalesce(c.name, o.name, ''), s.device, coalesce(d.name, ''), s.at, s.number"
        " FROM shown_to s LEFT JOIN contacts c ON c.identity = s.identity"
        " LEFT JOIN own o ON o.identity = s.identity LEFT JOIN devices d ON d.device = s.device"
        " ORDER BY s.at DESC, s.number DESC, s.device"
    )
    number = _number(connection)
    return [
        api.ShownTo(
            friend=name, device=device.hex(), name=title, at=rfc3339(at), is_current=of == number
        )
        for name, device, title, at, of in rows
    ]
