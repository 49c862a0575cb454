from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.tracker.storage.test_lockstep import applicant
from tracker.errors import TrackerError
from tracker.storage.migrate import open_database
from tracker.storage.port import AccountId, Store
from tracker.storage.writer import Callbacks, Writer
from wire.codes import Code
from wire.machine import UnixMillis

NOW = UnixMillis(7)


class Desk:
    """Holds the writer's thread until all is submitted, then collects what it delivers."""

    def __init__(self, connection: sqlite3.Connection, **bounds: int) -> None:
        self.groups: list[int] = []
        self.heard: list[object] = []
        self._is_held = threading.Event()
        self._may_go = threading.Event()
        self.writer = Writer(connection, self.deliver, **bounds)
        self.writer.start()
        self.submit(self._hold)
        assert self._is_held.wait(10)

    def _hold(self, _: Store) -> bool:
        self._is_held.set()
        return self._may_go.wait(10)

    def deliver(self, callbacks: Callbacks) -> None:
        self.groups.append(len(callbacks))
        for callback in callbacks:
            callback()

    def submit(self, work: Any) -> None:
        self.writer.submit(work, self.heard.append, self.heard.append)

    def finish(self) -> list[object]:
        self._may_go.set()
        self.writer.stop()
        return self.heard[1:]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tracker.db"


def names(path: Path) -> list[str]:
    with closing(open_database(path)) as database:
        return [row[0] for row in database.execute("SELECT name FROM accounts ORDER BY id")]


def add(number: int) -> Any:
    return lambda store: store.add_account(applicant(number), NOW)


def test_results_come_in_order_and_are_durable_when_they_come(path: Path) -> None:
    desk = Desk(open_database(path))
    durable: list[list[str]] = []

    def look(_: object) -> None:
        with closing(sqlite3.connect(path)) as other:
            durable.append(
                [row[0] for row in other.execute("SELECT name FROM accounts ORDER BY id")]
            )

    for number in range(3):
        desk.submit(add(number))
    desk.writer.submit(lambda store: None, look, look)
    assert desk.finish() == [1, 2, 3]
    assert durable == [["z.0", "y.1", "x.2"]]


def test_what_waits_together_is_committed_together(path: Path) -> None:
    desk = Desk(open_database(path))
    for number in range(4):
        desk.submit(add(number))
    desk.finish()
    assert desk.groups == [1, 4]


def test_a_group_has_a_bound(path: Path) -> None:
    desk = Desk(open_database(path), group=2)
    for number in range(5):
        desk.submit(add(number))
    assert desk.finish() == [1, 2, 3, 4, 5]
    assert desk.groups == [1, 2, 2, 1]


def test_a_refusal_takes_back_its_own_changes_only(path: Path) -> None:
    def refuse(store: Store) -> None:
        store.add_account(applicant(1), NOW)
        raise TrackerError(Code.NAME_TAKEN)

    desk = Desk(open_database(path))
    desk.submit(add(0))
    desk.submit(refuse)
    desk.submit(add(2))
    first, refusal, third = desk.finish()
    assert (first, third) == (1, 2)
    assert isinstance(refusal, TrackerError)
    assert refusal.code is Code.NAME_TAKEN
    assert names(path) == ["z.0", "x.2"]


def test_a_bug_in_one_piece_is_an_internal_error_of_that_piece(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(store: Store) -> None:
        store.add_account(applicant(1), NOW)
        raise ZeroDivisionError

    desk = Desk(open_database(path))
    desk.submit(stumble)
    desk.submit(add(0))
    with caplog.at_level(logging.ERROR):
        failure, number = desk.finish()
    assert isinstance(failure, TrackerError)
    assert failure.code is Code.INTERNAL
    assert number == 1
    assert "a piece of work failed" in caplog.text


def test_a_constraint_that_is_violated_fails_that_piece(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    desk = Desk(open_database(path))
    desk.submit(add(0))
    desk.submit(add(0))
    assert [getattr(item, "code", item) for item in desk.finish()] == [1, Code.INTERNAL]
    assert names(path) == ["z.0"]


def test_a_commit_that_fails_fails_its_whole_group(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A deferred foreign key is checked at the commit: the way to make one fail on purpose."""
    connection = open_database(path)
    connection.execute(
        "CREATE TABLE doomed (x INTEGER REFERENCES accounts (id) DEFERRABLE INITIALLY DEFERRED)"
    )

    def doom(_: Store) -> None:
        connection.execute("INSERT INTO doomed VALUES (99)")

    desk = Desk(connection)
    desk.submit(add(0))
    desk.submit(doom)
    desk.submit(lambda store: store.account(AccountId(1)))
    assert [getattr(item, "code", item) for item in desk.finish()] == [Code.DATABASE_FAILED] * 3
    assert names(path) == []


def test_an_error_that_ends_the_transaction_fails_its_whole_group(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_database(path)

    def fill_the_disk(store: Store) -> None:
        connection.execute("ROLLBACK")  # what SQLite does by itself on SQLITE_FULL
        raise sqlite3.OperationalError("database or disk is full")

    desk = Desk(connection)
    desk.submit(add(0))
    desk.submit(fill_the_disk)
    desk.submit(add(1))
    outcomes = desk.finish()
    assert [getattr(item, "code", item) for item in outcomes] == [Code.DATABASE_FAILED] * 3
    assert "disk is full" in str(outcomes[0])
    assert names(path) == []


def test_after_a_failed_group_the_next_one_works(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_database(path)
    desk = Desk(connection)
    desk.submit(lambda store: connection.execute("ROLLBACK"))
    first = desk.finish()
    assert [getattr(item, "code", item) for item in first] == [Code.DATABASE_FAILED]
    again = Desk(open_database(path))
    again.submit(add(0))
    assert again.finish() == [1]


def test_a_full_disk_fails_its_group_and_nothing_that_comes_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = open_database(path)
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages + 2}")

    def put_much(store: Store) -> None:
        store.put_state(AccountId(1), 1, bytes(200_000))

    desk = Desk(connection)
    desk.submit(add(0))
    desk.submit(put_much)
    codes = [getattr(item, "code", item) for item in desk.finish()]
    assert codes == [Code.DATABASE_FAILED] * 2  # SQLite takes back the whole transaction then
    assert "disk is full" in caplog.text
    assert names(path) == []
    again = Desk(open_database(path))
    again.submit(add(1))
    assert again.finish() == [1]


def test_a_failure_of_one_operation_alone_takes_no_others_along(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: Store) -> None:
        raise sqlite3.OperationalError("interrupted")

    desk = Desk(open_database(path))
    desk.submit(add(0))
    desk.submit(fail)
    codes = [getattr(item, "code", item) for item in desk.finish()]
    assert codes == [1, Code.DATABASE_FAILED]
    assert names(path) == ["z.0"]
