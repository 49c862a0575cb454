"""Opening the database file: who may read it, whether it is ours, sound, and of which version.

What lives here: everything between a path and a connection that may be used, migrations included.
What does not: transactions of the running program (`database`). Nothing here ever deletes or renames
a database; before a migration touches one, a copy is put beside it.
"""

from __future__ import annotations

import os
import sqlite3
from importlib import resources
from pathlib import Path

from peer.errors import PeerError
from peer.store.failures import damage, foreign, translate, unwritable
from wire.codes import Code

APPLICATION_ID = 0x484E4F42
"""Stands in the file's header ("HNOB"): a database of another program is refused, not changed."""

BUSY_TIMEOUT_S = 5.0
"""How long another program's lock on the file is waited for; a backup tool holds it for moments."""

CHECK_BYTES = 8 * 1024 * 1024
"""Files up to this size are checked whole at every opening (8 MiB take about 10 ms); larger ones after
an unclean end only."""

_FOLDER_MODE_OTHERS = 0o077


def schema_steps() -> list[tuple[int, str]]:
    """Give every step of the schema, oldest first: (version from 1, SQL text)."""
    folder = resources.files("peer.store") / "schema"
    steps = [
        (int(entry.name.split("_", 1)[0]), entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    ]
    return sorted(steps)


def prepare_file(path: Path) -> None:
    """Make the database file if there is none, readable by its owner only, whatever the umask is.

    path: absolute; its folder exists. Raises PeerError(HOME_UNUSABLE or NO_SPACE) that names what is wrong.
    """
    try:
        is_fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            if os.fstat(descriptor).st_mode & _FOLDER_MODE_OTHERS:
                os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        if is_fresh:
            sync_folder(path.parent)
    except OSError as error:
        raise unwritable(error, str(path)) from error


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def connect(
    path: Path | str, *, is_reader: bool = False, busy_timeout_s: float = BUSY_TIMEOUT_S
) -> sqlite3.Connection:
    """Open a connection with the settings all of ours have: durable commits, erased deletions.

    path: of a file, or `:memory:`. is_reader: refuse every write. Raises sqlite3.Error.
    """
    connection = sqlite3.connect(
        path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
    )
    try:
        _configure(connection, is_reader=is_reader)
    except (
        UnicodeDecodeError
    ) as error:  # SQLite quotes the damaged schema, and Python cannot read that
        connection.close()
        raise damage("the schema is no text") from error
    return connection


def _configure(connection: sqlite3.Connection, *, is_reader: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # deleted talk leaves no bytes in free pages
    connection.execute("PRAGMA temp_store = MEMORY")  # nothing spills outside the home
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")  # a commit survives the power going away
    connection.execute("PRAGMA fullfsync = ON")  # macOS: through the drive's cache too
    if is_reader:
        connection.execute("PRAGMA query_only = ON")


def migrate(connection: sqlite3.Connection, path: Path | None = None) -> None:
    """Bring the schema to this program's version, step by step, each step in a transaction.

    A fresh database gets all of them in one, so that no kill leaves an empty one of an older version.
    path: where the file is, for the backup copy beside it before the first step of an existing
    database; None in memory. Raises PeerError: DATABASE_NEWER, DATABASE_CORRUPT for a foreign file;
    sqlite3.Error for the rest.
    """
    steps = schema_steps()
    where = str(path) if path else "the database"
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    application = int(connection.execute("PRAGMA application_id").fetchone()[0])
    has_tables = connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None
    if application != APPLICATION_ID and (has_tables or application or version):
        raise foreign(where)
    if version > steps[-1][0]:
        detail = f"{where} has schema {version}, this program knows up to {steps[-1][0]}"
        raise PeerError(Code.DATABASE_NEWER, detail)
    if version and version < steps[-1][0] and path is not None:
        back_up(connection, path.with_name(f"{path.name}.schema-{version}"))
    if not version:
        steps = [(steps[-1][0], "\n".join(sql for _, sql in steps))]
    for number, sql in steps:
        if number > version:
            _step(connection, number, sql)


def _step(connection: sqlite3.Connection, number: int, sql: str) -> None:
    """Run one step in a transaction of its own.

    References are not watched meanwhile (a table may be rebuilt under its name) but must hold after it.
    """
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        connection.executescript(
            f"BEGIN IMMEDIATE;\nPRAGMA application_id = {APPLICATION_ID};\n{sql}\n"
            f"PRAGMA user_version = {number};"
        )
        if connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
            raise sqlite3.IntegrityError(f"references do not hold after step {number}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.rollback()
        connection.execute("PRAGMA foreign_keys = ON")


def back_up(connection: sqlite3.Connection, target: Path) -> None:
    """Copy the whole database to `target`, mode 0600; an older copy of that name is replaced last.

    Raises PeerError(HOME_UNUSABLE) or sqlite3.Error.
    """
    draft = target.with_name(target.name + ".draft")
    prepare_file(draft)
    copy = sqlite3.connect(draft, isolation_level=None)
    try:
        copy.execute("PRAGMA synchronous = FULL")
        connection.backup(copy)
    finally:
        copy.close()
    draft.replace(target)
    sync_folder(target.parent)


def check_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Look for damage; raises PeerError(DATABASE_CORRUPT) that names the file and the first finding."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise translate(damage(str(found)), str(path))


def open_file(path: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> sqlite3.Connection:
    """Give a connection to the database at `path`, made or migrated as needed.

    path: absolute. Raises PeerError: HOME_UNUSABLE, DATABASE_NEWER, DATABASE_CORRUPT,
    DATABASE_FAILED, NO_SPACE; the file stays where and as it is in each case.
    """
    log = path.with_name(path.name + "-wal")
    prepare_file(path)
    was_unclean = log.exists() and log.stat().st_size > 0
    connection = None
    try:
        connection = connect(path, busy_timeout_s=busy_timeout_s)
        if path.stat().st_size <= CHECK_BYTES or was_unclean:
            check_sound(connection, path)
        migrate(connection, path)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
    except sqlite3.Error as error:
        if connection is not None:
            connection.close()
        raise translate(error, str(path)) from error
    except PeerError:
        if connection is not None:
            connection.close()
        raise
    return connection
