"""Dropping what was said while its header stays: the one place where a body goes."""

from __future__ import annotations

import sqlite3

from peer.history import indexing
from wire.machine import UnixMillis


def drop(connection: sqlite3.Connection, event: int, now: UnixMillis) -> None:
    """Drop the body of an event for good, and its words from the index; a copy that comes later is not taken.

    event: its row. now: milliseconds, kept with it.
    """
    indexing.forget(connection, event)
    connection.execute(
        "UPDATE events SET body = NULL, gone = ? WHERE number = ? AND gone = 0", (now, event)
    )
