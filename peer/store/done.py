"""Which commands were carried out already: what is asked twice with one id is done once (contract, 1)."""

from __future__ import annotations

import json
import sqlite3

from peer import api
from wire.machine import UnixMillis

KEPT_MS = 24 * 3600 * 1000
"""A verb asks again within seconds; a day is far beyond that."""


def find(connection: sqlite3.Connection, command: str) -> api.Relayed | None:
    """Give the result of a command that was carried out, or None."""
    row = connection.execute("SELECT result FROM done WHERE command = ?", (command,)).fetchone()
    return None if row is None else api.Relayed(json.loads(row[0]))


def note(connection: sqlite3.Connection, command: str, result: api.Result, now: UnixMillis) -> None:
    """Keep a result, in the transaction that made it true."""
    connection.execute(
        "INSERT INTO done (command, result, at) VALUES (?, ?, ?)",
        (command, json.dumps(api.as_json(result)), now),
    )


def forget(connection: sqlite3.Connection, now: UnixMillis) -> None:
    """Drop the results that nobody asks for again; looks at every row, so not for each command."""
    connection.execute("DELETE FROM done WHERE at < ?", (now - KEPT_MS,))
