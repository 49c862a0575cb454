"""Who changes a database: one batch of jobs after another, each batch in one commit.

Each job of a batch has a savepoint of its own, but for one that is alone: one that raises undoes its own changes only. A commit that
fails fails every job of its batch, because none of them is durable. One commit for many writers is what
makes `synchronous=FULL` affordable (design section 9: 140,000 durable writes a second against 8,000).

Batches run in a thread of their own; those of brief jobs run in the thread of whoever has them as long as the disk is
quick and nothing else is under way: to wake a thread, and by it the loop again, costs each commit of a message
0.1 to 0.3 ms (2026-11), as much as the commit itself.

A batch of nothing but unsynced jobs is committed with `synchronous=NORMAL`: it is in the log, in its place and whole,
but the log is not synced for it. The next synced commit takes it along, or a fold of the log, which whoever has such
jobs asks for after UNSYNCED_S.
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
from pathlib import Path
from typing import Any

from msgspec import Struct

from peer.errors import PeerError
from peer.store.failures import translate
from peer.store.reserve import Reserve
from wire.codes import Code

Connection = sqlite3.Connection

BATCH_JOBS = 512
"""Most functions that share one commit; bounds what one failed commit can take with it."""

UNSYNCED_S = 0.1
"""How long an unsynced commit waits for a synced one that takes it along; then the log is folded."""

QUICK_S = 0.005
"""A disk that commits within this is waited for on the spot; nobody notices a loop that stands still for so long."""

FADING = 0.9
"""What is left of the memory of a slow commit one commit later: after one of 20 ms it takes 14 quick ones."""

FOLD_CHANGES = 1000
"""Rows that change between two folds of the log, so that none has to happen inside a commit."""

BUSY_AGAIN_S = 0.01
"""Between two looks for whether another program let go of the database."""


class Job(Struct):
    """One fn on its way through a batch. loop: of whoever awaits it, None for a blocked thread.

    is_synced: its commit is to be on the disk before anybody hears of it. is_brief: it may hold up a loop.
    """

    run: Callable[[Connection], Any]
    outcome: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None = None
    is_synced: bool = True
    is_brief: bool = False
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
    """Runs all that changes the database.

    path: for messages. connection: waits for no lock itself, and its commits are synced. patience_s: how long
    another program's lock is waited for, in the thread. quick_s: see QUICK_S.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        reserve: Reserve,
        patience_s: float,
        quick_s: float = QUICK_S,
    ) -> None:
        super().__init__(name="database-writer", daemon=True)
        self.commits = 0
        self.wants_fold = self.wants_scrub = False  # after the next batch of the thread
        self._path = path
        self._connection = connection
        self._reserve = reserve
        self._patience_s = patience_s
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._turn = threading.Lock()  # of whoever uses the connection
        self._counting = threading.Lock()
        self._queued = 0  # jobs that the thread has not settled
        self._is_synced = True  # as the connection is set
        self.is_unsynced = False  # something was committed that the disk does not have
        self._unfolded = 0  # changes since the last fold
        self._quick_s = quick_s
        self._commit_s = 0.0  # what commits took of late

    # --- called by whoever has jobs

    def put(self, job: Job | None) -> None:
        """Leave a job to the thread; None ends it after what came before."""
        with self._counting:
            self._queued += 1
        self._queue.put(job)

    def run_here(self, batch: list[Job]) -> bool:
        """Run a batch of brief jobs in this thread and settle it; False: that might take its time, and nothing was done."""
        is_quick = self._commit_s <= self._quick_s and self._unfolded < FOLD_CHANGES
        if not self.is_idle or not is_quick or not self._turn.acquire(blocking=False):
            return False
        try:
            self._begin(batch, patience_s=0)
            self._run(batch)
        except sqlite3.Error:
            return False
        finally:
            self._turn.release()
        _settle_all(batch)
        return True

    @property
    def is_idle(self) -> bool:
        """Whether the thread has nothing to do."""
        return not self._queued

    # --- in the thread

    def run(self) -> None:
        """Work until the end of the jobs."""
        is_last = False
        while not is_last:
            batch, is_last = self._next_batch()
            with self._turn:
                if batch:
                    self._run_patiently(batch)
                if self.wants_scrub:
                    self._fold("TRUNCATE")
            with self._counting:
                self._queued -= len(batch)
            settle(batch)
            if self.wants_fold or self._unfolded >= FOLD_CHANGES:
                with self._turn:
                    self._fold("PASSIVE")

    def _next_batch(self) -> tuple[list[Job], bool]:
        """Wait for jobs; says with them whether they are the last."""
        batch: list[Job] = []
        job = self._queue.get()
        while job is not None:
            batch.append(job)
            if len(batch) == BATCH_JOBS:
                return batch, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def close_connection(self) -> None:
        """Close the connection after the thread ended: SQLite then folds its log into the file, which is to be synced."""
        with suppress(sqlite3.Error):
            self._sync_commits(True)
        self._connection.close()

    def _run_patiently(self, batch: list[Job]) -> None:
        try:
            self._begin(batch, self._patience_s)
        except sqlite3.Error as error:
            _fail(batch, error, str(self._path))
        else:
            self._run(batch)

    # --- in either

    def _begin(self, batch: list[Job], patience_s: float) -> None:
        """Begin the transaction of a batch; raises sqlite3.Error."""
        self._sync_commits(any(job.is_synced for job in batch))
        begin(self._connection, patience_s)

    def _run(self, batch: list[Job]) -> None:
        """Run a batch that began; what lacks space is run again with that of the reserve."""
        where = str(self._path)
        changes = self._connection.total_changes
        commit_s = run_batch(self._connection, batch, where)
        self.commits += 1
        changed = self._connection.total_changes - changes
        if changed:  # what changes nothing syncs nothing
            self._unfolded += changed
            if self._is_synced:
                self._commit_s = max(commit_s, self._commit_s * FADING)
            if not self._is_synced:
                self.is_unsynced = True
            elif not any(job.error for job in batch):
                self.is_unsynced = False
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
        self._unfolded = 0
        self.wants_fold = self.wants_scrub = self.is_unsynced = False
        with suppress(sqlite3.Error):  # a reader or the disk refuses: the next one gets it
            self._sync_commits(True)
            self._connection.execute(f"PRAGMA wal_checkpoint({how})").fetchone()


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


def begin(connection: Connection, patience_s: float) -> None:
    """Begin a transaction that may write, as soon as no other program does; raises sqlite3.Error if that takes long."""
    ends = time.monotonic() + patience_s
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= ends:
                raise
            time.sleep(BUSY_AGAIN_S)
        else:
            return


def run_batch(connection: Connection, batch: list[Job], where: str) -> float:
    """Run the jobs in one transaction and note in each how it ended; raises nothing. Gives seconds of the commit.

    If SQLite ends the transaction by itself in the middle (a full disk may), every job before that
    point failed too: nothing of them is durable.
    """
    is_alone = len(batch) == 1
    try:
        if not connection.in_transaction:
            connection.execute("BEGIN IMMEDIATE")
        for number, job in enumerate(batch):
            try:
                run_one(connection, job, is_alone=is_alone)
            except sqlite3.Error as error:
                _fail([job], error, where)
                if not connection.in_transaction:
                    _fail(batch[:number], error, where)
                    return run_batch(connection, batch[number + 1 :], where)
        is_undone = is_alone and batch[0].error is not None
        began = time.perf_counter()
        connection.execute("ROLLBACK" if is_undone else "COMMIT")
        return time.perf_counter() - began
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.rollback()
        _fail(batch, error, where)
        return 0.0


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
