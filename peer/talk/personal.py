"""Values of the account about one friend: bound to that friend's identity, so that nobody inherits them with a name."""

from __future__ import annotations

import sqlite3

import msgspec

from peer.people import contacts
from peer.store import settings

Connection = sqlite3.Connection


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    value: bytes
    identity: bytes


def read(connection: Connection, prefix: str, friend: contacts.Contact) -> bytes | None:
    """Give a value; None where it was never set, went back to its default, or was another person's."""
    raw = settings.read(connection, f"{prefix}{friend.name}")
    if raw is None:
        return None
    try:
        stored = msgspec.msgpack.decode(raw, type=_Stored)
    except (msgspec.DecodeError, ValueError):
        return None
    return stored.value if stored.identity == friend.identity else None


def write(
    connection: Connection, prefix: str, friend: contacts.Contact, value: bytes | None
) -> None:
    """Set a value; None for the default."""
    stored = _Stored(value or b"", friend.identity or b"")
    raw = b"" if value is None else msgspec.msgpack.encode(stored)
    settings.write(connection, f"{prefix}{friend.name}", raw)
