"""What a device tells once it is known to be put back from a backup: what it has, newly signed, to everybody.

Who does not link with it believes its former receipts, and leaves nothing again of what the backup does not have. A
receipt with less makes that due again (`lost.went_back`); links say the same as they open.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from peer.effects import Effect, PushEvents, WantLink
from peer.log import receipts
from peer.log.membership import of_number
from peer.mail.enclosed import owe_to
from wire.identity import DeviceKeys
from wire.ids import DeviceId
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def is_due(connection: Connection) -> bool:
    """Say whether anybody is to be told what this device has."""
    return connection.execute("SELECT 1 FROM conversations WHERE is_to_tell").fetchone() is not None


def tell(
    connection: Connection, keys: DeviceKeys, linked: Collection[DeviceId], now: UnixMillis
) -> list[Effect]:
    """Sign what is here, and owe it to every device of both people in each conversation that waits for that.

    linked: devices with an open link, which need no mail.
    """
    rows = connection.execute(
        "UPDATE conversations SET is_to_tell = 0 WHERE is_to_tell RETURNING number"
    ).fetchall()
    effects: list[Effect] = []
    for (number,) in sorted(rows):
        conversation = of_number(connection, number)
        receipts.sign_receipt(connection, keys, conversation, now)
        effects.append(PushEvents(conversation.id))
        effects += [
            WantLink(identity)
            for identity in sorted({conversation.identity, keys.identity})
            if owe_to(connection, number, identity, {*linked, keys.device})
        ]
    return effects
