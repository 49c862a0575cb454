"""The writer's thread of a database: it commits in groups, and it alone changes anything.

Each job of a batch has a savepoint of its own, but for one that is alone: one that raises undoes its own changes only. A commit that
fails fails every job of its batch, because none of them is durable. One commit for many writers is what
makes `synchronous=FULL` affordable (design section 9: 140,000 durable writes a second against 8,000).

A batch of nothing but unsynced jobs is committed with `synchronous=NORMAL`: it is in the log, in its place and whole,
but the log is not synced for it. The next synced commit takes it along, or a fold of the log after UNSYNCED_S.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peer.errors import PeerError
from peer.store.failures import translate
from peer.store.reserve import Reserve
from wire.codes import Code

Connection = sqlite3.Connection

BATCH_JOBS = 512
"""Most functions that share one commit; bounds what one failed commit can take with it."""

UNSYNCED_S = 0.1
"""How long an unsynced commit waits for a synced one that takes it along; then the log is folded."""


@dataclass(slots=True)
class Job:
    """One fn on its way through the thread. loop: of whoever awaits it, None for a blocked thread.

    is_synced: its commit is to be on the disk before anybody hears of it.
    """

    run: Callable[[Connection], Any]
    outcome: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None = None
    is_synced: bool = True
    value: Any = None
    error: BaseException | None = None

    @property
    def lacks_space(self) -> bool:
        """Whether the disk was too full for it."""
        return isinstance(self.error, PeerError) and self.error.code is Code.NO_SPACE

    def settle(self) -> None:
        """Give the outcome to whoever waits, if anybody still does; in the thread of its loop, if it has one."""
        if self.outcome.done():
            return
        if self.error is not None:
            self.outcome.set_exception(self.error)
        else:
            self.outcome.set_result(self.value)


class Writer(threading.Thread):
    """The only thread that changes the database.

    path: for messages. connection: its commits are synced. jobs: what is to be done, None at the end.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        jobs: queue.SimpleQueue[Job | None],
        reserve: Reserve,
    ) -> None:
        super().__init__(name="database-writer", daemon=True)
        self.commits = 0
        self.wants_scrub = False
        self._path = path
        self._connection = connection
        self._queue = jobs
        self._reserve = reserve
        self._is_last = False
        self._is_synced = True  # as the connection is set
        self._fold_at: float | None = None  # when the log is to be synced that is not, monotonic

    def run(self) -> None:
        """Work until the end of the jobs."""
        while not self._is_last:
            batch = self._next_batch()
            if batch:
                self._run(batch)
                self.commits += 1
                if self.wants_scrub:
                    self.wants_scrub = False
                    self._fold("TRUNCATE")
                settle(batch)
            if self._fold_at is not None and time.monotonic() >= self._fold_at:
                self._fold("PASSIVE")
            with suppress(sqlite3.Error):  # then the next batch is the one to fail
                self._sync_commits(True)

    def _run(self, batch: list[Job]) -> None:
        """Run a batch; what lacks space is run again with that of the reserve."""
        where = str(self._path)
        is_synced = any(job.is_synced for job in batch)
        try:
            self._sync_commits(is_synced)
        except sqlite3.Error as error:
            _fail(batch, error, where)
            return
        changes = self._connection.total_changes
        run_batch(self._connection, batch, where)
        if not is_synced:
            self._fold_at = self._fold_at or time.monotonic() + UNSYNCED_S
        elif self._connection.total_changes > changes and not any(job.error for job in batch):
            self._fold_at = None  # synced with this one; what changes nothing syncs nothing
        starved = [job for job in batch if job.lacks_space]
        if not starved:
            self._reserve.renew()
        while starved and self._reserve.give_up():
            for job in starved:
                job.error = None
            run_batch(self._connection, starved, where)
            starved = [job for job in starved if job.lacks_space]

    def _sync_commits(self, is_synced: bool) -> None:
        """Have the commits from now on synced, or not; raises sqlite3.Error."""
        if is_synced is not self._is_synced:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_synced else 'NORMAL'}")
            self._is_synced = is_synced

    def _fold(self, how: str) -> None:
        """Fold the log into the file, which syncs both."""
        self._fold_at = None
        with suppress(sqlite3.Error):  # a reader or the disk refuses: the next one gets it
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()

    def close_connection(self) -> None:
        """Close the connection after the thread ended: SQLite then folds its log into the file."""
        self._connection.close()

    def _next_batch(self) -> list[Job]:
        """Wait for jobs; gives none at the end, or when the log is to be synced."""
        batch: list[Job] = []
        wait_s = None if self._fold_at is None else max(self._fold_at - time.monotonic(), 0)
        try:
            job = self._queue.get(timeout=wait_s)
        except queue.Empty:
            return batch
        while True:
            if job is None:
                self._is_last = True
                return batch
            batch.append(job)
            if len(batch) == BATCH_JOBS:
                return batch
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return batch


def settle(batch: list[Job]) -> None:
    """Tell everybody who waits how a batch ended: each loop is woken once, however many wait in it."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[Job]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if loop is None:
            _settle_all(jobs)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, jobs)


def _settle_all(jobs: list[Job]) -> None:
    for job in jobs:
        job.settle()


def run_batch(connection: Connection, batch: list[Job], where: str) -> None:
    """Run the jobs in one transaction and note in each how it ended; raises nothing.

    If SQLite ends the transaction by itself in the middle (a full disk may), every job before that
    point failed too: nothing of them is durable.
    """
    is_alone = len(batch) == 1
    try:
        connection.execute("BEGIN IMMEDIATE")
        for number, job in enumerate(batch):
            try:
                run_one(connection, job, is_alone=is_alone)
            except sqlite3.Error as error:
                _fail([job], error, where)
                if not connection.in_transaction:
                    _fail(batch[:number], error, where)
                    run_batch(connection, batch[number + 1 :], where)
                    return
        is_undone = is_alone and batch[0].error is not None
        connection.execute("ROLLBACK" if is_undone else "COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.rollback()
        _fail(batch, error, where)


def run_one(connection: Connection, job: Job, *, is_alone: bool) -> None:
    """Run one job in a savepoint; raises sqlite3.Error only, everything else is noted in the job.

    is_alone: the whole transaction is its savepoint. That spares the copies of the pages it changes.
    """
    if not is_alone:
        connection.execute("SAVEPOINT job")
    try:
        job.value = job.run(connection)
    except sqlite3.Error:
        if connection.in_transaction and not is_alone:
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        raise
    except BaseException as error:  # noqa: BLE001 - carried to whoever awaits, who raises it
        job.error = error
        if not is_alone:
            connection.execute("ROLLBACK TO job")
    if not is_alone:
        connection.execute("RELEASE job")


def _fail(jobs: list[Job], cause: sqlite3.Error, where: str) -> None:
    """Note in each job that did not fail by itself what `cause` means."""
    for job in jobs:
        if job.error is None:
            job.error = translate(cause, where)
            job.error.__cause__ = cause
