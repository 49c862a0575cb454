"""Homes as former versions of this program left them, one file of SQL each in `tests/frozen_homes`."""

from __future__ import annotations

import base64
import re
import sqlite3
from contextlib import closing
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "frozen_homes"
SCHEMAS = sorted(int(path.stem.removeprefix("schema_")) for path in FOLDER.glob("schema_*.sql"))
TEXTS = ["hello bob", "how are you?", "fine — ü 😀", "for later"]
"""What alice and bob said in each of them, the last not delivered yet."""


def thaw(schema: int, home: Path) -> Path:
    """Make the home that alice had then; gives its database's path."""
    text = (FOLDER / f"schema_{schema}.sql").read_text(encoding="utf-8")
    keys = re.search(r"^-- keys (\S+)$", text, re.MULTILINE)
    assert keys is not None
    home.mkdir(mode=0o700)
    write(home / "keys", base64.b64decode(keys[1]))
    database = home / "peer.sqlite3"
    stamp = home / "peer.sqlite3.stamp"
    write(database, b"")
    write(stamp, bytes(16))
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(text)
        connection.execute(  # it stands where it always stood: no backup that was put back
            "UPDATE place SET inode = ?, stamp = ?, stamp_inode = ?",
            (database.stat().st_ino, bytes(16), stamp.stat().st_ino),
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.commit()
    return database


def write(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    path.touch(mode=0o600)
    path.write_bytes(content)


def rows(database: Path) -> dict[str, list[tuple[object, ...]]]:
    """Give all rows of a database by table, and its version."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        names = connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
        ).fetchall()
        found = {
            name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names
        }
        return {**found, "version": connection.execute("PRAGMA user_version").fetchall()}
