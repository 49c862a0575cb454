"""What letters hold beside events: receipts, nacks, and the key of our address records; what is owed, and given again.

Nobody answers what is in here, so only a nack that names the letter tells that it did not arrive: then it is given
again, once. A receipt or the key that a link brought meanwhile is given by mail no more.

Plain functions over the database. Events, and which of them go by mail, are in `postbox`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from msgspec import Struct

from peer.reach import shown
from wire import limits
from wire.identity import DeviceKeys
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import UnixMillis
from wire.mailbox import NackBody, issue_nack
from wire.messages import Message
from wire.messages.conversation import Receipt
from wire.messages.mailbox import Nack
from wire.messages.reach import AddressKey

Connection = sqlite3.Connection
LIFETIME_MS = int(limits.MAIL_LIFETIME_S * 1000)
RECORD_BYTES = 64  # at most, around what is in a letter
NACKS_PER_LETTER = 32


class Enclosed(Struct, frozen=True):
    """What one letter holds beside events. size: bytes it takes at most."""

    records: tuple[Message, ...]
    receipts: tuple[int, ...]  # conversations
    nacks: tuple[bytes, ...]  # items
    has_key: bool  # of our address records
    size: int


# --- what is owed


def owe_receipts(
    connection: Connection, device: DeviceId, conversations: Collection[bytes]
) -> None:
    """Note that a device whose mail was taken waits for receipts in these conversations."""
    connection.executemany(
        "INSERT INTO owed_receipts (device, conversation)"
        " SELECT ?, number FROM conversations WHERE id = ? ON CONFLICT DO UPDATE SET is_again = 0",
        [(device, conversation) for conversation in conversations],
    )


def owe_to(
    connection: Connection,
    conversation: int,
    identity: IdentityKey,
    linked: Collection[DeviceId],
) -> bool:
    """Note that a person's devices wait for a receipt, but for those that are linked; False if none does."""
    rows = connection.execute(
        "SELECT device FROM devices WHERE identity = ? AND is_listed", (identity,)
    ).fetchall()
    away = [device for (device,) in rows if device not in linked]
    connection.executemany(
        "INSERT INTO owed_receipts (device, conversation) VALUES (?, ?)"
        " ON CONFLICT DO UPDATE SET is_again = 0",
        [(device, conversation) for device in away],
    )
    return bool(away)


def owe_reminder(connection: Connection, device: DeviceId, conversation: bytes) -> None:
    """Note that a device is to be given the newest receipt of its own, which it does not seem to know."""
    connection.execute(
        "INSERT INTO owed_receipts (device, conversation, is_reminder)"
        " SELECT ?, number, 1 FROM conversations WHERE id = ?"
        " ON CONFLICT DO UPDATE SET is_again = 0, is_reminder = 1",
        (device, conversation),
    )


def owe_nack(connection: Connection, device: DeviceId, item: bytes) -> None:
    """Note that an item of a device did not open here; beyond NACKS_OWED nobody is told any more."""
    connection.execute(
        "INSERT INTO owed_nacks (device, item) SELECT ?, ?"
        " WHERE (SELECT count(*) FROM owed_nacks) < ? ON CONFLICT DO NOTHING",
        (device, item, limits.NACKS_OWED),
    )


def forget_owed(connection: Connection, device: DeviceId) -> None:
    """Forget what is owed to a device: a link with it says it all, but for nacks."""
    connection.execute("DELETE FROM owed_receipts WHERE device = ?", (device,))
    connection.execute("DELETE FROM enclosed WHERE device = ? AND nack IS NULL", (device,))


def owed(connection: Connection) -> list[tuple[AccountName, IdentityKey, DeviceId]]:
    """List the devices that something is owed to."""
    rows = connection.execute(
        "SELECT coalesce(c.name, o.name), d.identity, d.device FROM devices d JOIN own o"
        " LEFT JOIN contacts c ON c.identity = d.identity AND c.state = 'friends'"
        " AND c.claimed IS NULL WHERE d.is_listed AND (c.name IS NOT NULL OR d.identity = o.identity)"
        " AND d.device IN (SELECT device FROM owed_receipts UNION SELECT device FROM owed_nacks)"
    ).fetchall()
    return [*rows, *shown.owed(connection)]


# --- one letter


def enclose(connection: Connection, keys: DeviceKeys, device: DeviceId, room: int) -> Enclosed:
    """Give what is owed to a device, as far as it fits into so many bytes."""
    before = room
    records: list[Message] = []
    nacks = [
        bytes(row[0])
        for row in connection.execute(
            "SELECT item FROM owed_nacks WHERE device = ? LIMIT ?", (device, NACKS_PER_LETTER)
        )
    ]
    for item in nacks:
        records.append(Nack(issue_nack(keys.signing_seed, NackBody(keys.device, device, item))))
        room -= limits.NACK_BYTES
    has_key = any(device == one for _, _, one in shown.owed(connection))
    if has_key:
        key = shown.own_key(connection)
        assert key is not None
        records.append(AddressKey(key))
        room -= RECORD_BYTES
    receipts: list[int] = []
    rows = connection.execute(
        "SELECT w.conversation, mine.signed, theirs.signed FROM owed_receipts w"
        " LEFT JOIN receipts mine ON mine.conversation = w.conversation AND mine.device = ?"
        " LEFT JOIN receipts theirs ON theirs.conversation = w.conversation"
        " AND theirs.device = w.device AND w.is_reminder WHERE w.device = ?",
        (keys.device, device),
    )
    for number, *found in rows.fetchall():
        given = [Receipt(signed) for signed in found if signed is not None]
        size = sum(len(receipt.signed) + RECORD_BYTES for receipt in given)
        if size > room:
            break
        records += given
        receipts.append(number)
        room -= size
    return Enclosed(tuple(records), tuple(receipts), tuple(nacks), has_key, before - room)


def left(
    connection: Connection,
    device: DeviceId,
    identity: IdentityKey,
    enclosed: Enclosed,
    item: bytes,
    now: UnixMillis,
) -> None:
    """Note that a letter with this lies at the tracker: it is owed no more, unless a nack names the letter.

    What was given again already is not remembered: it is given twice at most.
    """
    connection.execute("DELETE FROM enclosed WHERE at < ?", (now - LIFETIME_MS,))
    if enclosed.has_key:
        shown.give(connection, device, identity, now)
        connection.execute(
            "INSERT INTO enclosed (item, device, at) VALUES (?, ?, ?)", (item, device, now)
        )
    for conversation in enclosed.receipts:
        row = (device, conversation)
        connection.execute("DELETE FROM enclosed WHERE device = ? AND conversation = ?", row)
        connection.execute(
            "INSERT INTO enclosed (item, device, conversation, at, is_reminder)"
            " SELECT ?3, device, conversation, ?4, is_reminder FROM owed_receipts WHERE device = ?1 AND conversation = ?2 AND NOT is_again",
            (*row, item, now),
        )
        connection.execute("DELETE FROM owed_receipts WHERE device = ? AND conversation = ?", row)
    for nack in enclosed.nacks:
        connection.execute(
            "INSERT INTO enclosed (item, device, nack, at) SELECT ?3, device, item, ?4"
            " FROM owed_nacks WHERE device = ?1 AND item = ?2 AND NOT is_again"
            " AND (SELECT count(*) FROM enclosed) < ?5",
            (device, nack, item, now, limits.NACKS_OWED),
        )
        connection.execute("DELETE FROM owed_nacks WHERE device = ? AND item = ?", (device, nack))


def on_nack(connection: Connection, device: DeviceId, item: bytes) -> None:
    """Owe once more what was in a letter that a device could not open."""
    letter = (item, device)
    connection.execute(
        "INSERT INTO owed_receipts (device, conversation, is_again, is_reminder)"
        " SELECT device, conversation, 1, is_reminder FROM enclosed WHERE item = ? AND device = ?"
        " AND conversation IS NOT NULL ON CONFLICT DO UPDATE SET"
        " is_reminder = max(is_reminder, excluded.is_reminder)",
        letter,
    )
    connection.execute(
        "INSERT INTO owed_nacks (device, item, is_again) SELECT device, nack, 1 FROM enclosed"
        " WHERE item = ? AND device = ? AND nack IS NOT NULL ON CONFLICT DO NOTHING",
        letter,
    )
    key = connection.execute(
        "SELECT 1 FROM enclosed WHERE item = ? AND device = ? AND conversation IS NULL AND nack IS NULL",
        letter,
    ).fetchone()
    if key is not None:
        shown.unopened(connection, device)
    connection.execute("DELETE FROM enclosed WHERE item = ? AND device = ?", letter)


def tracker_went_back(connection: Connection) -> None:
    """Owe once more what was in letters of which the tracker may have lost any."""
    for item, device in connection.execute("SELECT DISTINCT item, device FROM enclosed").fetchall():
        on_nack(connection, device, item)
