"""Muted friends: what they say is kept, delivered and counted as ever, and nobody is disturbed by it."""

from __future__ import annotations

import sqlite3

from peer import api
from peer.people import contacts
from peer.store import settings
from peer.talk import personal
from peer.times import rfc3339
from wire.machine import UnixMillis

Connection = sqlite3.Connection
MUTE = "mute/"
"""And the friend's name; value: 8 bytes, until when in milliseconds, 0 for good."""


def mute(connection: Connection, name: str, until: UnixMillis | None, now: UnixMillis) -> api.Muted:
    """Mute a friend for good (0), up to an instant, or no more (None); raises PeerError for who is no friend."""
    friend = contacts.find_recipient(connection, name)
    value = None if until is None else until.to_bytes(8, "big")
    personal.write(connection, MUTE, friend, value)
    return shown(connection, name, now)


def shown(connection: Connection, name: str, now: UnixMillis) -> api.Muted:
    """Give how it stands with a friend."""
    friend = contacts.find(connection, name)
    until = None if friend is None else _until(connection, friend, now)
    ends = rfc3339(until) if until else None
    return api.Muted(name, until is not None, ends)


def is_muted(connection: Connection, name: str, now: UnixMillis) -> bool:
    """Say whether nobody is to be disturbed by what a friend says now."""
    if not settings.has_any(connection, f"{MUTE}{name}"):
        return False
    friend = contacts.find(connection, name)
    return friend is not None and _until(connection, friend, now) is not None


def _until(connection: Connection, friend: contacts.Contact, now: UnixMillis) -> int | None:
    """Give until when, 0 for good, None for not at all."""
    value = personal.read(connection, MUTE, friend)
    if value is None or len(value) != 8:
        return None
    until = int.from_bytes(value, "big")
    return until if until == 0 or until > now else None
