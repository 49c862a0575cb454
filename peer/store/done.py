"""Which commands were carried out already: what is asked twice with one id is done once (contract, 1)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from peer import api
from peer.store.listed import listed
from wire.machine import UnixMillis

KEPT_MS = 24 * 3600 * 1000
"""A verb asks again within seconds; a day is far beyond that."""


def find(connection: sqlite3.Connection, command: str) -> api.Relayed | None:
    """Give the result of a command that was carried out, or None."""
    return find_all(connection, [command]).get(command)


def find_all(connection: sqlite3.Connection, commands: Sequence[str]) -> dict[str, api.Relayed]:
    """Give the results of those of some commands that were carried out."""
    marks, commands = listed(commands)
    rows = connection.execute(
        f"SELECT command, result FROM done WHERE command IN ({marks})", commands
    )
    return {command: api.Relayed(json.loads(result)) for command, result in rows}


def note(connection: sqlite3.Connection, command: str, result: api.Result, now: UnixMillis) -> None:
    """Keep a result, in the transaction that made it true."""
    note_all(connection, [(command, result)], now)


def note_all(
    connection: sqlite3.Connection, results: Iterable[tuple[str, api.Result]], now: UnixMillis
) -> None:
    """Keep results of commands, in the transaction that made them true."""
    connection.executemany(
        "INSERT INTO done (command, result, at) VALUES (?, ?, ?)",
        [(command, _text(result), now) for command, result in results],
    )


def _text(result: api.Result) -> str:
    item = api.as_json(result)
    try:
        return msgspec.json.encode(item).decode()
    except UnicodeEncodeError:  # a file's name that is no text: JSON can say it, in escapes
        return json.dumps(item)


def forget(connection: sqlite3.Connection, now: UnixMillis) -> None:
    """Drop the results that nobody asks for again; looks at every row, so not for each command."""
    connection.execute("DELETE FROM done WHERE at < ?", (now - KEPT_MS,))
