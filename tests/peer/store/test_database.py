from __future__ import annotations

import asyncio
import shutil
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest

from peer.errors import PeerError
from peer.store import place
from peer.store.database import Database
from peer.store.memory import MemoryDatabase
from peer.store.opening import open_file, schema_steps
from peer.store.reserve import Reserve
from peer.store.writer import Job, Writer
from tests.harness.entropy import SeededEntropy
from wire.codes import Code
from wire.machine import UnixMillis


def add(connection: Connection, nonce: bytes) -> bytes | None:
    connection.execute("INSERT INTO nonces (nonce, until) VALUES (?, 1)", (nonce,))
    return nonce


def nonces(connection: Connection) -> list[bytes]:
    return [row[0] for row in connection.execute("SELECT nonce FROM nonces ORDER BY nonce")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database"


@pytest.fixture
def database(path: Any) -> Iterator[Database]:
    opened = Database.open(path, entropy=SeededEntropy(1))
    yield opened
    opened.close_now()


def written(database: Database, fn: Callable[..., object], *args: object) -> None:
    """Write from where no loop runs."""
    asyncio.run(database.write(fn, *args))


def refused(path: Path, **settings: Any) -> PeerError:
    with pytest.raises(PeerError) as caught:
        Database.open(path, entropy=SeededEntropy(2), **settings)
    return caught.value


async def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    database = Database.open(path, entropy=SeededEntropy(1))
    assert await database.write(add, b"n") == b"n"
    await database.close()
    again = Database.open(path, entropy=SeededEntropy(2))
    assert again.read(nonces) == [b"n"]
    assert not again.is_restored
    again.close_now()
    again.close_now()


async def test_many_writers_share_one_commit(database: Database) -> None:
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(lambda connection: gate.wait(10)))
        tasks = [group.create_task(database.write(add, b"%03d" % n)) for n in range(100)]
        await asyncio.sleep(0)
        gate.set()
    assert len(database.read(nonces)) == 100
    assert [task.result() for task in tasks] == [b"%03d" % n for n in range(100)]
    assert database.commits <= 3


def brief(run: Callable[[Connection], Any]) -> Job:
    return Job(run, Future(), is_brief=True)


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    opened = open_file(path, busy_timeout_s=0)
    yield opened
    opened.close()


def writer_of(path: Path, connection: Connection, *, quick_s: float) -> Writer:
    return Writer(path, connection, Reserve(path.with_name("reserve"), 4096), 60.0, quick_s)


def test_brief_writes_share_a_commit_in_the_thread_that_asks(
    path: Path, connection: Connection
) -> None:
    writer = writer_of(path, connection, quick_s=60.0)
    jobs = [brief(partial(add, nonce=nonce)) for nonce in (b"0", b"1")]
    jobs.append(brief(lambda _: threading.get_ident()))
    assert writer.run_here(jobs)
    assert [job.outcome.result() for job in jobs] == [b"0", b"1", threading.get_ident()]
    assert writer.commits == 1
    assert nonces(connection) == [b"0", b"1"]


def test_a_slow_disk_is_waited_for_in_the_writers_thread(
    path: Path, connection: Connection
) -> None:
    writer = writer_of(path, connection, quick_s=0.0)
    first, second = (brief(partial(add, nonce=nonce)) for nonce in (b"first", b"second"))
    assert writer.run_here([first])  # it has not shown yet what it takes
    assert not writer.run_here([second])
    assert not second.outcome.done()
    writer.put(second)
    writer.put(None)
    writer.start()
    writer.join()
    assert second.outcome.result() == b"second"


def test_a_database_that_another_program_holds_is_waited_for_in_the_writers_thread(
    path: Path, connection: Connection
) -> None:
    writer = writer_of(path, connection, quick_s=60.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    job = brief(partial(add, nonce=b"n"))
    assert not writer.run_here([job])
    writer.put(job)
    writer.put(None)
    writer.start()
    other.close()
    writer.join()
    assert job.outcome.result() == b"n"


def test_what_was_left_to_the_thread_goes_first(path: Path, connection: Connection) -> None:
    writer = writer_of(path, connection, quick_s=60.0)
    writer.put(brief(partial(add, nonce=b"before")))
    assert not writer.run_here([brief(partial(add, nonce=b"after"))])


def synced(connection: Connection) -> bool:
    return bool(connection.execute("PRAGMA synchronous").fetchone()[0] == 2)


async def test_only_a_commit_of_nothing_but_unsynced_writes_is_not_synced(
    database: Database,
) -> None:
    assert await database.write(synced)
    assert not await database.write_unsynced(synced)
    gate = threading.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(database.write(lambda connection: gate.wait(10)))
        together = [
            group.create_task(database.write_unsynced(synced)),
            group.create_task(database.write(synced)),
            group.create_task(database.write_unsynced(synced)),
        ]
        await asyncio.sleep(0)
        gate.set()
    assert [task.result() for task in together] == [True, True, True]
    assert not await database.write_unsynced(synced)


async def test_what_was_not_synced_is_seen_at_once_and_folded_into_the_file_soon(
    database: Database, path: Path
) -> None:
    await database.write_unsynced(add, b"told again")
    assert database.read(nonces) == [b"told again"]
    async with asyncio.timeout(90):
        while b"told again" not in await asyncio.to_thread(path.read_bytes):
            await database.write(synced)


async def test_an_unsynced_write_that_raises_undoes_its_own_changes_only(
    database: Database,
) -> None:
    def fail(connection: Connection) -> None:
        add(connection, b"lost")
        raise KeyError("mine")

    await database.write_unsynced(add, b"before")
    with pytest.raises(KeyError):
        await database.write_unsynced(fail)
    assert database.read(nonces) == [b"before"]
    assert await database.write(synced)


async def test_whoever_leaves_takes_nothing_along_and_holds_nobody_up(database: Database) -> None:
    gate = threading.Event()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await database.write(lambda connection: gate.wait(10) and add(connection, b"left"))
    gate.set()
    await database.write(add, b"stayed")
    assert database.read(nonces) == [b"left", b"stayed"]


def test_a_loop_that_is_closed_does_not_stop_the_writer(database: Database) -> None:
    gate = threading.Event()

    async def ask_and_leave() -> None:
        async with asyncio.timeout(0):
            await database.write(lambda connection: gate.wait(10))

    with pytest.raises(TimeoutError):
        asyncio.run(ask_and_leave())
    gate.set()
    written(database, add, b"after")
    assert database.read(nonces) == [b"after"]


def test_a_function_that_raises_undoes_its_own_changes_only(database: Database) -> None:
    def fail(connection: Any) -> None:
        add(connection, b"lost")
        raise KeyError("mine")

    written(database, add, b"before")
    with pytest.raises(KeyError):
        written(database, fail)
    written(database, add, b"then")
    assert database.read(nonces) == [b"before", b"then"]


def test_a_commit_that_fails_fails_what_it_would_have_made_durable(database: Database) -> None:
    def orphan(connection: Any) -> None:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO conversations (id, contact) VALUES (x'00', 99)")

    with pytest.raises(PeerError) as caught:
        written(database, orphan)
    assert caught.value.code is Code.DATABASE_FAILED
    written(database, add, b"alive")
    assert database.read(nonces) == [b"alive"]


def test_a_full_disk_is_an_error_and_the_writer_lives(database: Database) -> None:
    def limit(connection: Any, pages: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    written(database, limit, 1)
    with pytest.raises(PeerError) as caught:
        written(database, lambda c: [add(c, b"%d" % n * 500) for n in range(500)])
    assert caught.value.code is Code.NO_SPACE
    written(database, limit, 1_000_000)
    written(database, add, b"space again")
    assert database.read(nonces) == [b"space again"]


def test_the_reader_cannot_write(database: Database) -> None:
    with pytest.raises(PeerError) as caught:
        database.read(add, b"n")
    assert caught.value.code is Code.DATABASE_FAILED


async def test_a_closed_database_refuses(path: Path) -> None:
    database = Database.open(path, entropy=SeededEntropy(1))
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(database.write(add, b"n"))
        await asyncio.sleep(0)
        await database.close()
    assert waiting.result() == b"n"
    with pytest.raises(PeerError):
        await database.write(add, b"late")
    with pytest.raises(PeerError):
        database.read(nonces)


def test_every_file_is_for_its_owner_only(database: Database, path: Path) -> None:
    written(database, add, b"n")
    modes = {f.name: stat.S_IMODE(f.stat().st_mode) for f in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "database-wal" in modes


def test_a_file_open_to_others_is_closed_to_them(path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    path.chmod(0o644)
    Database.open(path, entropy=SeededEntropy(2)).close_now()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_database_of_a_newer_version_is_refused_and_kept(path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    newer = schema_steps()[-1][0] + 1
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {newer}")
    connection.close()
    before = path.read_bytes()
    assert refused(path).code is Code.DATABASE_NEWER
    assert path.read_bytes() == before


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b"\0" * 5000])
def test_a_damaged_database_is_refused_named_and_kept(path: Path, damage: bytes) -> None:
    path.write_bytes(damage)
    error = refused(path)
    assert error.code is Code.DATABASE_CORRUPT
    assert str(path) in error.message
    assert path.read_bytes() == damage


def test_damage_in_the_middle_is_found_at_opening(path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    raw = bytearray(path.read_bytes())
    raw[8192:20480] = b"\xff" * 12288
    path.write_bytes(raw)
    assert refused(path).code is Code.DATABASE_CORRUPT
    assert path.read_bytes() == bytes(raw)


def test_damage_in_the_schema_itself_is_named(path: Path) -> None:
    """SQLite's complaint quotes the schema, which is no text any more."""
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    raw = path.read_bytes().replace(b"CREATE TABLE own", b"CREATE \xfaABLE own", 1)
    path.write_bytes(raw)
    assert refused(path).code is Code.DATABASE_CORRUPT
    assert path.read_bytes() == raw


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    assert refused(path).code is Code.DATABASE_CORRUPT


def test_a_home_that_cannot_hold_a_database_is_named(path: Path) -> None:
    path.mkdir()
    assert refused(path).code is Code.HOME_UNUSABLE
    assert refused(path / "missing" / "database").code is Code.HOME_UNUSABLE


def test_a_database_locked_by_another_program_is_named(path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert refused(path, busy_timeout_s=0.01).code is Code.DATABASE_FAILED
    other.close()


def test_a_copy_of_a_database_takes_a_new_epoch(path: Path, tmp_path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (path, place.stamp_path(path)):
        shutil.copy2(file, copy / file.name)
    first = Database.open(path, entropy=SeededEntropy(2))
    second = Database.open(copy / path.name, entropy=SeededEntropy(3))
    assert not first.is_restored
    assert second.is_restored
    assert first.read(place.epoch_of) != second.read(place.epoch_of)
    first.close_now()
    second.close_now()


def test_a_database_put_back_from_a_backup_takes_a_new_epoch(path: Path) -> None:
    Database.open(path, entropy=SeededEntropy(1)).close_now()
    backup = path.read_bytes()
    Database.open(path, entropy=SeededEntropy(2)).close_now()
    path.write_bytes(backup)  # in place: the inode stays
    database = Database.open(path, entropy=SeededEntropy(3))
    assert database.is_restored
    database.close_now()


def test_every_column_of_the_schema_is_explained() -> None:
    for _, sql in schema_steps():
        for line in sql.splitlines():
            text = line.strip()
            is_column = line.startswith("    ") and text.split(" ")[0].islower()
            if is_column and not text.startswith(("--", "(")):
                assert any(word in text for word in ("--", "KEY", "REFERENCES", "CHECK")), line


def test_a_crash_in_memory_loses_what_was_not_committed() -> None:
    database = MemoryDatabase(SeededEntropy(1), UnixMillis(0))
    database.write(add, b"kept")
    database.commit()
    told: list[Any] = []
    database.submit(told.append, add, b"lost")
    database.crash()
    database.commit()
    assert database.read(nonces) == [b"kept"]
    assert told == []
    with pytest.raises(sqlite3.IntegrityError):
        database.write(add, b"kept")


def test_the_steps_of_the_schema_are_numbered_each_once() -> None:
    numbers = [number for number, _ in schema_steps()]
    assert numbers == sorted(set(numbers))
