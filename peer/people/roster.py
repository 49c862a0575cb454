"""The friend list as people see it, and what a tracker says about friends while its link lasts."""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from peer import api
from peer.effects import Effect, Tell, WantLink
from peer.people import contacts, keychange, overtures, standing
from peer.store import own, settings
from peer.store.devices import list_of, note_addresses, note_device
from peer.talk import following
from peer.times import rfc3339
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import DeviceKeys, fingerprint, peek_certificate
from wire.ids import DeviceId, IdentityKey, LinkKey
from wire.machine import UnixMillis
from wire.messages import Message, friends, reach
from wire.messages.accounts import DeviceAdded
from wire.messages.presence import PresenceChanged, Show

Connection = sqlite3.Connection


def requests(connection: Connection) -> list[api.FriendRequest]:
    """List the requests that wait, both directions, oldest first."""
    rows = connection.execute(
        "SELECT name, state, coalesce(claimed, identity), note, asked, claimed IS NOT NULL FROM contacts"
        " WHERE state IN ('asked_in', 'asked_out')"
        " OR (state IN ('friends', 'removed') AND claimed IS NOT NULL AND request IS NOT NULL)"
        " ORDER BY asked, name"
    )
    return [
        api.FriendRequest(
            name,
            "out" if state == "asked_out" else "in",
            None if identity is None else fingerprint(identity),
            note,
            rfc3339(asked),
            key_changed=bool(is_changed),
        )
        for name, state, identity, note, asked, is_changed in rows
    ]


_LAST_MS = 2**53  # what messages have for an instant ends there
SHOWN = {
    Show.OFFLINE: "offline",
    Show.AVAILABLE: "available",
    Show.AWAY: "away",
    Show.BUSY: "busy",
    Show.INVISIBLE: "offline",
}


def list_friends(connection: Connection, *, online_only: bool) -> list[api.Friend]:
    """List the friends with presence as last told; while the tracker is away all are offline."""
    rows = connection.execute(
        "SELECT c.name, c.shown, c.text, c.verified IS c.identity AND c.claimed IS NULL,"
        " (SELECT count(*) FROM devices d WHERE d.identity = c.identity AND d.is_listed),"
        " c.last_seen, c.identity, c.claimed FROM contacts c WHERE c.state = 'friends' ORDER BY c.name"
    )
    listed = []
    unread = following.unread(connection)
    for name, shown, text, is_verified, devices, last_seen, identity, claimed in rows:
        presence = SHOWN[Show(shown)]
        if online_only and presence == "offline":
            continue
        seen = rfc3339(last_seen) if last_seen else None
        listed.append(
            api.Friend(
                friend=name,
                presence=presence,
                text=text,
                verified=bool(is_verified),
                devices=devices,
                last_seen=seen,
                fingerprint=fingerprint(identity),
                key_changed=None if claimed is None else fingerprint(claimed),
                unread=unread.get(name, 0),
            )
        )
    return listed


def names_listed(connection: Connection) -> frozenset[str]:
    """Give the names of friends that the tracker knows as ours, and so tells the presence of."""
    rows = connection.execute(
        "SELECT name FROM contacts WHERE state = 'friends' AND is_listed = 1"
    ).fetchall()
    return frozenset(name for (name,) in rows)


# --- what the tracker says


def on_tracker(
    connection: Connection, keys: DeviceKeys, message: Message, now: UnixMillis
) -> list[Effect]:
    """Take one thing the tracker said unasked; what does not concern friends gives no effects.

    Raises RemoteProtocolError where what came does not verify: nothing is stored then.
    """
    match message:
        case friends.FriendAsked():
            return overtures.on_asked(connection, keys, message, now)
        case friends.FriendAnswered():
            return overtures.on_answered(connection, message, now)
        case friends.FriendRemoved(name=name):
            return overtures.on_removed(connection, name, now)
        case friends.FriendAdded(friend=friend):
            return _note_friend(connection, friend, now)
        case PresenceChanged():
            return _note_presence(connection, message)
        case DeviceAdded(device_list=signed):
            name = own.name(connection)
            return standing.told_by_tracker(connection, name, signed, (), now)
        case friends.DevicesChanged(name=name, device_list=signed):
            return standing.told_by_tracker(connection, name, signed, (), now)
        case reach.AddressesChanged():
            return _note_reach(connection, message)
    return []


def is_early(connection: Connection, message: Message) -> bool:
    """Say whether something is about a friendship that the account state has still to tell us of."""
    match message:
        case friends.FriendAdded(friend=friend):
            name = friend.name
        case friends.FriendAnswered():
            return contacts.find(connection, message.name) is None
        case PresenceChanged() | reach.AddressesChanged():
            name = message.name
        case _:
            return False
    if name == own.need_account(connection).name:
        return False
    contact = contacts.find(connection, name)
    return contact is None or contact.state != "friends"


def on_friends(connection: Connection, rows: list[friends.Friend], now: UnixMillis) -> list[Effect]:
    """Take the whole list after Enter: presence of friends; friendships nobody signed are ignored.

    A friend that was listed once and is no longer ended the friendship while we were away. The tracker can
    end one so, as it can refuse to serve; it can never make one.
    """
    connection.execute("UPDATE contacts SET shown = 0")
    effects = [effect for row in rows for effect in _note_friend(connection, row, now)]
    for name in sorted(names_listed(connection) - {row.name for row in rows}):
        effects += overtures.on_removed(connection, name, now)  # another key is an alarm already
    return effects


def tracker_lost(connection: Connection) -> None:
    """Forget what only a live tracker link can know."""
    connection.execute("UPDATE contacts SET shown = 0")
    connection.execute("UPDATE devices SET is_online = 0")


class Target(Struct, frozen=True):
    """A device of a friend, or another one of our own, that may be dialled."""

    device: DeviceId
    identity: IdentityKey
    friend: str
    link_key: LinkKey
    addresses: bytes | None
    signing_key: bytes
    known_counter: int
    address_key: bytes | None  # what its addresses open with
    is_there: bool  # its account is online, as far as the tracker says; own ones may always be


def dial_targets(connection: Connection, identity: IdentityKey | None = None) -> list[Target]:
    """List the devices of accepted friends and our other ones that stand.

    identity: only those of one account.
    """
    rows = connection.execute(
        "SELECT d.device, d.identity, c.name, d.link_key, d.addresses, d.signing_key,"
        " c.list_counter, d.address_key, c.shown <> 0 FROM devices d JOIN contacts c ON c.identity = d.identity"
        " WHERE c.state = 'friends' AND c.claimed IS NULL AND d.is_listed"
        " AND (?1 IS NULL OR d.identity = ?1)"
        " UNION ALL SELECT d.device, d.identity, o.name, d.link_key, d.addresses, d.signing_key,"
        " o.list_counter, d.address_key, 1 FROM devices d JOIN own o ON o.identity = d.identity"
        " WHERE d.device <> o.device AND d.is_listed"
        " AND (?1 IS NULL OR d.identity = ?1)",
        (identity,),
    )
    return [Target(*row) for row in rows]


def _note_friend(connection: Connection, row: friends.Friend, now: UnixMillis) -> list[Effect]:
    """Take a friend as the tracker lists it; one of another identity than the pin is an alarm."""
    contact = contacts.find(connection, row.name)
    if contact is None or contact.state != "friends":
        return []
    if keychange.is_another(contact, row.identity):
        return keychange.changed(connection, contact, row.identity, now)
    connection.execute("UPDATE contacts SET is_listed = 1 WHERE number = ?", (contact.number,))
    changed = PresenceChanged(row.name, row.show, row.text, row.last_seen)
    return [*keychange.back(connection, contact, now), *_note_presence(connection, changed)]


def _note_presence(connection: Connection, said: PresenceChanged) -> list[Effect]:
    contact = contacts.find(connection, said.name)
    if contact is None or contact.state != "friends":
        return []
    before = connection.execute(
        "SELECT shown, text FROM contacts WHERE number = ?", (contact.number,)
    ).fetchone()
    connection.execute(
        "UPDATE contacts SET shown = ?, text = ?, last_seen = max(last_seen, ?) WHERE number = ?",
        (int(said.show), said.text, said.last_seen, contact.number),
    )
    effects: list[Effect] = []
    if before != (int(said.show), said.text):
        shown: dict[str, object] = {
            "friend": said.name,
            "presence": SHOWN[said.show],
            "text": said.text,
        }
        effects.append(Tell(api.Event("presence", shown)))
    if SHOWN[said.show] != "offline" and contact.identity is not None:
        effects.append(WantLink(contact.identity))
    return effects


def _note_reach(connection: Connection, said: reach.AddressesChanged) -> list[Effect]:
    """Take where a device of a friend, or of ours, can be dialled, with the certificate that makes it one."""
    identity = identity_named(connection, said.name)
    if identity is None or said.device == own.need_account(connection).device:
        return []
    certificate = peek_certificate(said.certificate)
    if certificate.identity != identity or certificate.device != said.device:
        raise RemoteProtocolError(Code.IDENTITY_MISMATCH, "addresses of another identity")
    newest = list_of(connection, identity)
    if newest is None:
        return []
    note_device(connection, identity, said.certificate, newest)
    note_addresses(connection, said.device, said.signed)
    return [WantLink(identity)]


def identity_named(connection: Connection, name: str) -> IdentityKey | None:
    """Give the identity of a friend, or our own: other devices of ours are dialled like friends'."""
    me = own.need_account(connection)
    if name == me.name:
        return me.identity
    contact = contacts.find(connection, name)
    return None if contact is None or contact.state != "friends" else contact.identity


def own_presence(connection: Connection) -> tuple[Show, str]:
    """Give what this account wants to show, and the text with it."""
    raw = settings.read(connection, "presence")
    if raw is None:
        return Show.AVAILABLE, ""
    return Show(raw[0]), raw[1:].decode()


def presence_until(connection: Connection) -> int:
    """Give when that ends and AVAILABLE comes back, in milliseconds; 0: it stays until changed.

    A time that no message can carry, as earlier versions of this program kept it, is as good as none.
    """
    raw = settings.read(connection, "presence-until")
    until = 0 if raw is None else int.from_bytes(raw, "big")
    return until if until <= _LAST_MS else 0


def to_show(connection: Connection, now: UnixMillis) -> tuple[Show, str, int]:
    """Give what to show from now on, and until when; what was for a time that is over is not shown again."""
    show, text = own_presence(connection)
    until = presence_until(connection)
    return (Show.AVAILABLE, "", 0) if 0 < until <= now else (show, text, until)


def set_own_presence(connection: Connection, show: Show, text: str, until: int = 0) -> None:
    """Keep what this account wants to show from now on, up to `until` (milliseconds, 0: for good)."""
    settings.write(connection, "presence", bytes((int(show),)) + text.encode())
    settings.write(connection, "presence-until", until.to_bytes(8, "big"))
