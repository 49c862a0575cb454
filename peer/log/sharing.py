"""`history share`: a person lets the machines that a friend has now have what was said before they were made.

Without it a friend's device is served what is younger than itself, and older things only as far as no device of that
account has them. The word is kept in the account state, so that every own device goes by it, and names the friend's
identity: another key under the same name was given nothing.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import CloseLinks, Effect, FriendsChanged, WantLink
from peer.log.membership import Conversation
from peer.people import contacts
from peer.store import appearing, settings
from peer.store.devices import known_counter
from wire.codes import Code
from wire.ids import DeviceId
from wire.machine import UnixMillis

Connection = sqlite3.Connection
KEY = "share/"
"""And the friend's name. Value: identity (32 bytes), when, in milliseconds (8 bytes), and the counter of the newest
device list that was known of them then (8 bytes)."""


def share(connection: Connection, name: str, now: UnixMillis) -> tuple[api.Nothing, list[Effect]]:
    """Let the devices that a friend has now have the whole conversation.

    Links are made anew: what a device may have is settled when they begin. Raises PeerError with NO_SUCH_FRIEND,
    BLOCKED or KEY_CHANGED.
    """
    friend = contacts.find_friend(connection, name)
    assert friend.identity is not None
    counter = known_counter(connection, friend.identity)
    value = friend.identity + now.to_bytes(8, "big") + counter.to_bytes(8, "big")
    settings.write(connection, KEY + friend.name, value)
    return api.Nothing(), [
        CloseLinks(friend.identity, Code.GOODBYE),
        WantLink(friend.identity),
        FriendsChanged(friend.name),
    ]


def covers(connection: Connection, conversation: Conversation, device: DeviceId, made: int) -> bool:
    """Say whether a friend's device may have the whole conversation: it was one when that was said.

    made: when, as its certificate claims.
    """
    value = settings.read(connection, KEY + conversation.friend)
    if value is None or value[:32] != conversation.identity:
        return False
    at, counter = (int.from_bytes(value[start : start + 8], "big") for start in (32, 40))
    return made <= at and appearing.of(connection, device).counter <= counter
