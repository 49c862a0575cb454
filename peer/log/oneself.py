"""The conversation of an account with itself: notes, and files for one's own other machines.

All in it is this account's own, so nothing there is ever unread. *Delivered* means: another of its devices has it; who
has no other device has it where it is to be.
"""

from __future__ import annotations

import sqlite3

from peer import api
from peer.effects import Effect, Tell
from peer.log.membership import Conversation
from peer.people import contacts
from peer.store import own
from wire.machine import UnixMillis

Connection = sqlite3.Connection


def other_devices(connection: Connection) -> set[bytes]:
    """Give the devices of this account, but for this one, that are on its newest list."""
    this, identity = own.this_device(connection)
    rows = connection.execute(
        "SELECT device FROM devices WHERE identity = ? AND device <> ? AND is_listed",
        (identity, this),
    )
    return {device for (device,) in rows}


def state_at_first(connection: Connection, conversation: Conversation, *, is_here: bool) -> str:
    """Give how far an event of this account came when it is stored; is_here: this very device wrote it.

    What another own device said to oneself is delivered by being here.
    """
    if not conversation.is_with_oneself or (is_here and other_devices(connection)):
        return "queued"
    return "delivered"


def settle(connection: Connection, now: UnixMillis) -> list[Effect]:
    """Let what waits for another own device be delivered where none is left that it could go to."""
    row = connection.execute(
        "SELECT 1 FROM outbox WHERE contact = ? AND state IN ('queued', 'sent', 'failed') LIMIT 1",
        (contacts.OWN,),
    ).fetchone()
    if row is None or other_devices(connection):
        return []
    rows = connection.execute(
        "UPDATE outbox SET state = 'delivered', changed = ? WHERE contact = ?"
        " AND state IN ('queued', 'sent', 'failed')"
        " RETURNING (SELECT id FROM events WHERE number = outbox.event)",
        (now, contacts.OWN),
    ).fetchall()
    name = own.name(connection)
    return [
        Tell(api.Event("receipt", {"id": event.hex(), "state": "delivered", "friend": name}))
        for (event,) in rows
    ]
