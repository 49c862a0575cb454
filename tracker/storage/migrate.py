"""Opens the tracker's database: makes it, checks it, brings its schema up step by step.

What lives here: files, pragmas and versions. `PRAGMA user_version` is the number of the last schema file
that ran; each file runs in one transaction together with that number, and before the first of them an
existing database is copied beside itself. A damaged or newer database is refused and left as it is.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tracker.errors import TrackerError
from wire.codes import Code

APPLICATION_ID = 0x48424E54
"""`HBNT`, in the header of the file: this is a tracker's database and no other SQLite file."""

SCHEMA = Path(__file__).parent / "schema"

BUSY_TIMEOUT_S = 5.0  # another program (a backup, an operator's shell) holds the file for so long


def open_database(
    path: Path, *, schema: Path = SCHEMA, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> sqlite3.Connection:
    """Open the database, making or upgrading it as needed.

    path: where it stands or shall stand; its folder exists. schema: the folder of numbered `.sql` files.
    busy_timeout_s: how long another program that holds the file is waited for.
    Gives a connection in autocommit mode that may be handed to another thread. Raises TrackerError with
    DATABASE_NEWER, DATABASE_CORRUPT (the file stays untouched) or DATABASE_FAILED.
    """
    try:
        _check_not_lost(path)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise TrackerError(Code.DATABASE_FAILED, f"{path}: {error.strerror}") from error
    connection = sqlite3.connect(
        path,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        _check(connection, path)
        _configure(connection)
        _upgrade(connection, path, schema)
        _mark(path)
    except OSError as error:
        connection.close()
        raise TrackerError(Code.DATABASE_FAILED, f"{_mark_of(path)}: {error.strerror}") from error
    except sqlite3.OperationalError as error:
        connection.close()
        raise TrackerError(Code.DATABASE_FAILED, f"{path}: {error}") from error
    except sqlite3.DatabaseError as error:
        connection.close()
        raise _corrupt(path, str(error)) from error
    except (
        UnicodeDecodeError
    ) as error:  # SQLite quotes the damaged schema, and Python cannot read that
        connection.close()
        raise _corrupt(path, "the schema is no text") from error
    except BaseException:
        connection.close()
        raise
    return connection


def open_in_memory() -> sqlite3.Connection:
    """Make a database of the newest schema in memory, for tests and for looking at the schema."""
    connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA foreign_keys = ON")
    _upgrade(connection, Path(":memory:"), SCHEMA)
    return connection


def _corrupt(path: Path, what: str) -> TrackerError:
    return TrackerError(
        Code.DATABASE_CORRUPT,
        f"the database {path} is damaged ({what})",
        remedy="it was left as it is; put a backup in its place, or start with another --home",
    )


def _mark_of(path: Path) -> Path:
    """Give where it is noted that a database was made."""
    return path.with_name(f"{path.name}.made")


def _mark(path: Path) -> None:
    """Note durably that the database was made: from now on a missing one is a loss."""
    if _mark_of(path).exists():
        return
    os.close(os.open(_mark_of(path), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _check_not_lost(path: Path) -> None:
    """Refuse to begin without accounts, in silence, where there was a database: whoever is quick would take the names."""
    mark = _mark_of(path)
    size = path.stat().st_size if path.exists() else None
    if size or not mark.exists():
        return
    state = "is gone" if size is None else "is empty"
    raise TrackerError(
        Code.DATABASE_CORRUPT,
        f"the database {path} {state}, and all accounts with it",
        remedy=f"put a backup in its place; or delete {mark} to begin with no accounts",
    )


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no sound database of a tracker, before anything is written to it."""
    connection.execute("PRAGMA trusted_schema = OFF")
    found = connection.execute("PRAGMA application_id").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if found != APPLICATION_ID and (found or tables):
        raise _corrupt(path, "it is no tracker's database")
    verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise _corrupt(path, verdict)


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # an answer means: on the disk
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what was deleted leaves no bytes behind
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute(
        "PRAGMA journal_size_limit = 67108864"
    )  # 64 MiB: a storm's log shrinks again


def _upgrade(connection: sqlite3.Connection, path: Path, schema: Path) -> None:
    """Run the schema files that this database has not seen, each with its number in one transaction."""
    steps = sorted((int(file.name[:4]), file) for file in schema.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    newest = steps[-1][0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > newest:
        raise TrackerError(
            Code.DATABASE_NEWER,
            f"the database {path} has schema {version}, this program knows up to {newest}",
        )
    if 0 < version < newest:
        _copy_beside(connection, path.with_name(f"{path.name}.before-{newest:04}"))
    for number, file in steps:
        if number > version:
            _run(connection, number, file)


def _run(connection: sqlite3.Connection, number: int, file: Path) -> None:
    statements = file.read_text(encoding="utf-8")
    try:
        connection.executescript(
            f"BEGIN EXCLUSIVE;\n{statements}\nPRAGMA application_id = {APPLICATION_ID};\n"
            f"PRAGMA user_version = {number};\nCOMMIT;"
        )
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _copy_beside(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the database to `target`, whole or not at all."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with closing(sqlite3.connect(part)) as copy:
        connection.backup(copy)
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(target)
