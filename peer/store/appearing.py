"""Since when a friend's device is known here to be one: the age that nobody can claim.

A certificate says when its device was made, and whoever has an account's password may make one that says it was years
ago. But a list that names a device for the first time is newer than each that did not: what was stored here before
it came is older than that device, whatever the certificate says. Only a machine that never saw an older list has
nothing but the claim.
"""

from __future__ import annotations

import sqlite3

from msgspec import Struct

from wire.identity import DeviceList, read_device_list
from wire.ids import DeviceId, IdentityKey

Connection = sqlite3.Connection


class Appearance(Struct, frozen=True):
    """When a device came to be known. counter: of the list that named it first; after: the last row of `events` then.

    Both are 0 for a device that was known as long as its account was.
    """

    counter: int = 0
    after: int = 0


def note(
    connection: Connection,
    identity: IdentityKey,
    before: bytes | None,
    counter_before: int,
    came: DeviceList,
) -> None:
    """Take note of the devices that a newer list of a friend names for the first time.

    before: the signed list that was the newest until now, None where it was not kept. counter_before: the highest
    counter of any list of theirs that was heard of; 0 for somebody new.
    """
    rows = connection.execute("SELECT device FROM devices WHERE identity = ?", (identity,))
    known = {device for (device,) in rows}
    if before is not None:
        known |= {entry.device for entry in read_device_list(before, identity).devices}
    is_first = not known and counter_before in (0, came.counter)
    (high,) = connection.execute("SELECT coalesce(max(number), 0) FROM events").fetchone()
    connection.executemany(
        "INSERT INTO appeared (device, counter, after) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (entry.device, 0, 0)
            if is_first or entry.device in known
            else (entry.device, came.counter, high)
            for entry in came.devices
        ],
    )


def of(connection: Connection, device: DeviceId) -> Appearance:
    """Give when a device came to be known here."""
    row = connection.execute(
        "SELECT counter, after FROM appeared WHERE device = ?", (device,)
    ).fetchone()
    return Appearance() if row is None else Appearance(*row)
