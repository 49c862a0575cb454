"""What follows when an account's device list changes: links of devices taken off end at once, people hear of it.

Lists come by many roads (the tracker, a Hello, mail, `Devices` on a link) and are verified and kept by
`store.devices`. Whoever takes one asks here, in the same transaction, what is news about it. Nobody is believed
for a list but the identity that signed it.
"""

from __future__ import annotations

import sqlite3
from functools import lru_cache

from peer import api
from peer.accounts import alarms
from peer.effects import CloseLinks, Effect, NoteDenial, SendOnLink, TakenOff, Tell
from peer.errors import PeerError
from peer.log.membership import with_friend
from peer.log.notices import notice
from peer.people import contacts
from peer.store import own
from peer.store.devices import (
    certificate_of,
    introduction,
    list_of,
    note_introduced,
    note_list,
)
from peer.times import rfc3339
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceList, read_device_list
from wire.ids import DeviceId, IdentityKey
from wire.machine import UnixMillis
from wire.messages.conversation import Devices

Connection = sqlite3.Connection
ID_CHARS = 8  # of a device that has no name here yet


def news(
    connection: Connection, identity: IdentityKey, before: bytes | None, now: UnixMillis
) -> list[Effect]:
    """Give what follows from the newest list of an account.

    before: the signed list that was the newest until now, None where none was known: then nothing is news.
    """
    newest = list_of(connection, identity)
    if newest is None or before is None or newest == before:
        return []
    former, present = read_device_list(before, identity), read_device_list(newest, identity)
    off = [device for device in former.standing if device not in present.standing]
    came = [device for device in present.standing if former.find(device) is None]
    effects: list[Effect] = [CloseLinks(identity, Code.DEVICE_REVOKED, device) for device in off]
    if identity == own.this_device(connection)[1]:
        return effects + _own(connection, present, off, came)
    contact = contacts.of_identity(connection, identity)
    if contact is None or contact.state != "friends":
        return effects
    conversation = with_friend(connection, contact)
    for device in off:
        text = f"{contact.name} took {name_of(connection, device)} off their devices"
        effects += notice(connection, conversation, Code.DEVICE_REVOKED, text, now, about=device)
    (is_verified,) = connection.execute(
        "SELECT verified IS identity FROM contacts WHERE number = ?", (contact.number,)
    ).fetchone()
    for device in came if is_verified else ():
        text = f"{contact.name} has another device: {name_of(connection, device)}"
        effects += notice(connection, conversation, Code.DEVICE_ADDED, text, now, about=device)
    return effects


def take_own(
    connection: Connection,
    signed: bytes,
    certificates: tuple[bytes, ...],
    now: UnixMillis,
) -> list[Effect]:
    """Take a list of this account as the tracker shows it now, and the certificates of its devices.

    One that is older than known is an alarm, until the tracker shows what is known. Raises WireError for one that
    does not verify.
    """
    me = own.need_account(connection)
    counter = read_device_list(signed, me.identity).counter
    if counter < me.list_counter:
        text = f"the tracker shows list {counter} of this account's devices, {me.list_counter} is known"
        return alarms.raise_(connection, Code.LIST_ROLLBACK, text)
    alarms.end(connection, Code.LIST_ROLLBACK)
    return learn(connection, me.identity, signed, certificates, now)


def learn(
    connection: Connection,
    identity: IdentityKey,
    signed: bytes,
    certificates: tuple[bytes, ...],
    now: UnixMillis,
) -> list[Effect]:
    """Take a list of an account that is known here, and certificates as far as they verify, and give the news.

    Raises RemoteProtocolError as `note_list` does: whoever shows a list shows the newest.
    """
    before = list_of(connection, identity)
    note_list(connection, identity, signed)
    note_introduced(connection, signed, certificates)
    return news(connection, identity, before, now)


def introduced(
    connection: Connection, signed: bytes, certificates: tuple[bytes, ...], now: UnixMillis
) -> list[Effect]:
    """Take a list that somebody brought, of whoever it is, if it is newer than known, and give the news."""
    try:
        identity = read_device_list(signed, None).identity
    except RemoteProtocolError:
        return []
    before = list_of(connection, identity)
    note_introduced(connection, signed, certificates)
    return news(connection, identity, before, now)


def told_by_tracker(
    connection: Connection,
    name: str,
    signed: bytes,
    certificates: tuple[bytes, ...],
    now: UnixMillis,
) -> list[Effect]:
    """Take a friend's list, or ours, from the tracker; an older one is told by name. Raises WireError else.

    certificates: of devices on it, as far as they are known; the names of devices stand in them.
    """
    me = own.need_account(connection)
    if name == me.name:
        return take_own(connection, signed, certificates, now)
    contact = contacts.find(connection, name)
    if contact is None or contact.identity is None:
        return []
    try:
        return learn(connection, contact.identity, signed, certificates, now)
    except RemoteProtocolError as error:
        if error.code is not Code.LIST_ROLLBACK:
            raise
        text = f"the tracker shows an older list of {name}'s devices: {error.detail}"
        told = Tell(api.Event("notice", {"code": error.code.value, "message": text}))
        return [told, NoteDenial("the tracker", "a device list", error.code)]


def newest_of(connection: Connection, name: str) -> bytes | None:
    """Give the newest device list known here of an account, ours too, by its name; None for others."""
    me = own.need_account(connection)
    if name == me.name:
        return me.device_list
    contact = contacts.find(connection, name)
    known = None if contact is None else contact.identity
    return None if known is None else list_of(connection, known)


def waits_for(connection: Connection, name: str) -> bool:
    """Say whether an alarm stands because the tracker showed an older list of this account."""
    is_ours = name == own.name(connection)
    return is_ours and alarms.stands(connection, Code.LIST_ROLLBACK)


def shown_again(connection: Connection) -> None:
    """Take note that the tracker shows our newest list."""
    alarms.end(connection, Code.LIST_ROLLBACK)


def refused(connection: Connection) -> list[Effect]:
    """Take note that the tracker says of this device that it was taken off; a signed list may not have come yet."""
    if alarms.stands(connection, Code.DEVICE_REVOKED):
        return []
    text = "the tracker says that this machine was taken off the account's devices"
    return alarms.raise_(connection, Code.DEVICE_REVOKED, text)


def admitted(connection: Connection) -> None:
    """Take note that the tracker lets this device in; raises PeerError(DEVICE_REVOKED) if our own list does not."""
    if is_off(connection):
        raise PeerError(Code.DEVICE_REVOKED)
    alarms.end(connection, Code.DEVICE_REVOKED)


def is_said_off(connection: Connection) -> bool:
    """Say whether this device was taken off by our own list, or the tracker says so: it may become another one."""
    return is_off(connection) or alarms.stands(connection, Code.DEVICE_REVOKED)


def looked_at(connection: Connection, certificates: tuple[bytes, ...]) -> None:
    """Learn what own devices are called; a person sees them all, so those that are new are no news any more."""
    me = own.need_account(connection)
    note_introduced(connection, me.device_list, certificates)
    alarms.end(connection, Code.DEVICE_ADDED)


def is_off(connection: Connection) -> bool:
    """Say whether this device was taken off, by the newest list of the account that is known here."""
    return own.this_device(connection)[0] not in own.own_list(connection).standing


def check_may_write(connection: Connection) -> None:
    """Raise PeerError(DEVICE_REVOKED) where this device was taken off: nobody takes what it says any more."""
    if not may_write(connection):
        raise PeerError(Code.DEVICE_REVOKED)


def may_write(connection: Connection) -> bool:
    """Say whether others still take what this device says, by the newest list of the account that is known here."""
    row = connection.execute("SELECT device_list, identity, device FROM own").fetchone()
    return row is None or _stands(*row)


@lru_cache(maxsize=16)
def _stands(signed: bytes, identity: IdentityKey, device: DeviceId) -> bool:
    """Say whether a list has a device; kept, as it is asked for every event of ours and a signature costs more than that."""
    return device in read_device_list(signed, identity).standing


def show(connection: Connection) -> list[Effect]:
    """Give what shows the newest list of this account to everybody who is linked."""
    this, _ = own.this_device(connection)
    found = introduction(connection, this)
    if found is None:
        return []
    signed, certificates, _ = found
    rows = connection.execute(
        "SELECT device FROM devices WHERE is_listed AND device <> ? ORDER BY device", (this,)
    )
    return [SendOnLink(DeviceId(row[0]), Devices(signed, certificates)) for row in rows]


def name_of(connection: Connection, device: DeviceId) -> str:
    """Give what a device is called by its owner, the beginning of its id where that is not known."""
    certificate = certificate_of(connection, device)
    return device.hex()[:ID_CHARS] if certificate is None else certificate.name


def _own(
    connection: Connection, present: DeviceList, off: list[DeviceId], came: list[DeviceId]
) -> list[Effect]:
    at = rfc3339(present.changed)
    this, _ = own.this_device(connection)
    if this in off:
        text = f"this machine was taken off the account's devices ({at})"
        return [*alarms.raise_(connection, Code.DEVICE_REVOKED, text), TakenOff()]
    effects: list[Effect] = []
    for device in off:
        body: dict[str, object] = {
            "code": Code.DEVICE_REVOKED.value,
            "message": f"{name_of(connection, device)} was taken off this account's devices ({at})",
        }
        effects.append(Tell(api.Event("notice", body)))
    for device in came:
        text = f"{name_of(connection, device)} ({device.hex()[:ID_CHARS]}) became a device of this account ({at})"
        effects += alarms.add(connection, Code.DEVICE_ADDED, text)
    return effects + (show(connection) if off or came else [])
