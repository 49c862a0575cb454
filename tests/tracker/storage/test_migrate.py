from __future__ import annotations

import re
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from tracker.errors import TrackerError
from tracker.storage.migrate import APPLICATION_ID, SCHEMA, open_database, open_in_memory
from wire.codes import Code


def refused(path: Path, schema: Path = SCHEMA) -> TrackerError:
    with pytest.raises(TrackerError) as caught:
        open_database(path, schema=schema)
    return caught.value


def test_a_fresh_database_has_the_newest_schema_and_is_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(open_database(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (5,)
        assert database.execute("PRAGMA secure_delete").fetchone() == (1,)
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("PRAGMA synchronous").fetchone() == (2,)
        assert database.execute("PRAGMA foreign_keys").fetchone() == (1,)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert set(modes) >= {"tracker.db", "tracker.db-wal"}
    assert set(modes.values()) == {0o600}


def test_opening_again_changes_nothing_and_copies_nothing(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    open_database(path).close()
    before = path.read_bytes()
    open_database(path).close()
    assert path.read_bytes() == before
    assert {file.name for file in tmp_path.iterdir()} == {"tracker.db", "tracker.db.made"}


def test_a_mark_that_cannot_be_made_is_named_and_the_next_start_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    mark = path.with_name("tracker.db.made")
    mark.symlink_to(tmp_path / "nowhere" / "mark")
    error = refused(path)
    assert error.code is Code.DATABASE_FAILED
    assert str(mark) in error.message
    mark.unlink()
    open_database(path).close()
    assert mark.exists()


@pytest.mark.parametrize("is_there", [True, False])
def test_a_database_that_was_made_and_is_lost_is_not_begun_anew(
    tmp_path: Path, is_there: bool
) -> None:
    path = tmp_path / "tracker.db"
    open_database(path).close()
    if is_there:
        path.write_bytes(b"")
    else:
        path.unlink()
    error = refused(path)
    assert error.code is Code.DATABASE_CORRUPT
    assert str(path.with_name("tracker.db.made")) in error.remedy
    assert path.exists() == is_there


def test_every_column_of_every_schema_file_has_a_comment() -> None:
    for file in SCHEMA.glob("*.sql"):
        for block in re.findall(r"CREATE TABLE \w+ \((.*?)\n\)", file.read_text(), re.DOTALL):
            for line in block.splitlines():
                if re.match(r"\s{4}[a-z_]+\s+(INTEGER|TEXT|BLOB)", line):
                    assert "-- " in line, line


def test_a_newer_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(open_database(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    error = refused(path)
    assert error.code is Code.DATABASE_NEWER
    assert "99" in error.message
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"this is no database, but it is long enough to look at" * 20,
        b"SQLite format 3\0" + b"\xff" * 4096,
    ],
)
def test_a_damaged_database_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "tracker.db"
    path.write_bytes(content)
    error = refused(path)
    assert error.code is Code.DATABASE_CORRUPT
    assert str(path) in error.message
    assert path.read_bytes() == content


def test_a_database_with_a_torn_page_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(open_database(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 3] = b"\xa5" * 4096
    path.write_bytes(content)
    assert refused(path).code is Code.DATABASE_CORRUPT
    assert path.read_bytes() == content


def test_damage_in_the_schema_itself_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(open_database(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes().replace(b"CREATE TABLE accounts", b"CREATE \xfaABLE accounts", 1)
    path.write_bytes(content)
    assert refused(path).code is Code.DATABASE_CORRUPT
    assert path.read_bytes() == content


def test_the_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    error = refused(path)
    assert error.code is Code.DATABASE_CORRUPT
    assert "no tracker's database" in error.message


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    path.mkdir()
    error = refused(path)
    assert error.code is Code.DATABASE_FAILED
    assert str(path) in error.message


def test_a_database_that_another_program_holds_is_named(
    tmp_path: Path,
) -> None:
    path = tmp_path / "tracker.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TrackerError) as caught:
            open_database(path, busy_timeout_s=0.0)
    assert caught.value.code is Code.DATABASE_FAILED


def steps(folder: Path, *more: str) -> Path:
    folder.mkdir()
    for number, statements in enumerate(("CREATE TABLE things (name TEXT) STRICT;", *more), 1):
        (folder / f"{number:04}_step.sql").write_text(statements)
    return folder


def test_an_upgrade_keeps_a_copy_of_what_was_before(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    with closing(open_database(path, schema=steps(tmp_path / "one"))) as database:
        database.execute("INSERT INTO things VALUES ('kept')")
    two = steps(tmp_path / "two", "ALTER TABLE things ADD COLUMN size INTEGER;", "SELECT 1;")
    with closing(open_database(path, schema=two)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        assert database.execute("SELECT name, size FROM things").fetchall() == [("kept", None)]
    copy = tmp_path / "tracker.db.before-0003"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with closing(sqlite3.connect(copy)) as before:
        assert before.execute("PRAGMA user_version").fetchone() == (1,)
        assert before.execute("SELECT * FROM things").fetchall() == [("kept",)]


def test_a_step_that_fails_leaves_the_last_good_version(tmp_path: Path) -> None:
    path = tmp_path / "tracker.db"
    open_database(path, schema=steps(tmp_path / "one")).close()
    two = steps(tmp_path / "two", "CREATE TABLE more (x TEXT);", "CREATE TABLE more (y TEXT);")
    assert refused(path, schema=two).code is Code.DATABASE_FAILED
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (2,)
        assert database.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)


def test_the_schema_in_memory_is_the_newest() -> None:
    with closing(open_in_memory()) as database:
        tables = {row[0] for row in database.execute("SELECT name FROM sqlite_schema")}
    assert {"accounts", "devices", "friendships", "friend_requests", "blocks"} <= tables
