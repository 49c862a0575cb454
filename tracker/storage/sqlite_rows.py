"""The four ways in which SQLite is asked; all SQL is constant, values travel as parameters."""

from __future__ import annotations

import sqlite3
from typing import Any

Row = tuple[Any, ...]


class Asking:
    """A connection in autocommit mode, whose transactions its maker opens.

    connection: made with `isolation_level=None`, its schema the newest.
    """

    __slots__ = ("_db",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def _one(self, sql: str, *values: object) -> Row | None:
        row: Row | None = self._db.execute(sql, values).fetchone()
        return row

    def _all(self, sql: str, *values: object) -> list[Row]:
        return self._db.execute(sql, values).fetchall()

    def _number(self, sql: str, *values: object) -> int:
        row = self._one(sql, *values)
        return int(row[0]) if row else 0

    def _do(self, sql: str, *values: object) -> int:
        return self._db.execute(sql, values).rowcount
