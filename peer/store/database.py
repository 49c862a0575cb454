"""The database of one home: a writer thread that commits in groups, and a reader for small questions.

    await database.write(fn, *args)   runs fn(connection, *args) in the writer's thread, inside a transaction
                                      that it may share with others; gives its value after the commit
    await database.write_patiently(fn, *args)   does the same, and tries again while the disk refuses it
    database.read(fn, *args)          runs it at once, in the caller's thread, and cannot change anything

Each fn of a batch has a savepoint of its own: one that raises undoes its own changes only. A commit that
fails fails every fn of its batch, because none of them is durable. One commit for many writers is what
makes `synchronous=FULL` affordable (design section 9: 140,000 durable writes a second against 8,000).

A full disk costs the reserve first (see `reserve`); only then are writes refused.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from peer.errors import PeerError
from peer.store import place
from peer.store.failures import translate, unwritable
from peer.store.opening import BUSY_TIMEOUT_S, connect, open_file
from peer.store.reserve import Reserve
from peer.times import wall
from wire.codes import Code
from wire.machine import Entropy

log = logging.getLogger("peer")
P = ParamSpec("P")
T = TypeVar("T")
Connection = sqlite3.Connection

AGAIN_S = 1.0
"""Between two tries of a patient write."""

REFUSALS = frozenset({Code.NO_SPACE, Code.DATABASE_FAILED})
"""How a disk refuses a write that may work later."""

BATCH_JOBS = 512
"""Most functions that share one commit; bounds what one failed commit can take with it."""


@dataclass(slots=True)
class _Job:
    """One fn on its way through the writer's thread. loop: of whoever awaits it, None for a blocked thread."""

    run: Callable[[Connection], Any]
    outcome: asyncio.Future[Any] | Future[Any]
    loop: asyncio.AbstractEventLoop | None = None
    value: Any = None
    error: BaseException | None = None

    @property
    def lacks_space(self) -> bool:
        return isinstance(self.error, PeerError) and self.error.code is Code.NO_SPACE

    def settle(self) -> None:
        """Give the outcome to whoever waits, if anybody still does; in the thread of its loop, if it has one."""
        if self.outcome.done():
            return
        if self.error is not None:
            self.outcome.set_exception(self.error)
        else:
            self.outcome.set_result(self.value)


class Database:
    """One open database file. Made by `open`; used from one event loop, or from plain threads."""

    def __init__(
        self, path: Path, writer: Connection, reader: Connection, reserve: Reserve
    ) -> None:
        self.path = path
        self.is_restored = False
        self.on_refused: Callable[[PeerError], object] = _log_refusal
        self._is_refused = False
        self._reader = reader
        self._reading = threading.Lock()
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._is_closed = False
        self._writer = _Writer(path, writer, self._jobs, reserve)
        self._writer.start()

    @classmethod
    def open(
        cls, path: Path, *, entropy: Entropy, busy_timeout_s: float = BUSY_TIMEOUT_S
    ) -> Database:
        """Open, check, migrate; then see whether this file went back in time.

        path: absolute; its folder exists and is locked by the caller. If the file's inode or the stamp
        beside it is not as last written, a new epoch is taken (promise D7) and `is_restored` is set,
        unless the file is fresh. Raises PeerError: HOME_UNUSABLE, DATABASE_NEWER, DATABASE_CORRUPT,
        DATABASE_FAILED, NO_SPACE, and that only if the reserve is used up too.
        """
        reserve = Reserve(path.with_name(f"{path.name}.reserve"))
        try:
            database = cls._open(path, entropy, busy_timeout_s, reserve)
        except PeerError as error:
            if error.code is not Code.NO_SPACE or not reserve.give_up():
                raise
            return cls.open(path, entropy=entropy, busy_timeout_s=busy_timeout_s)
        reserve.renew()
        return database

    @classmethod
    def _open(
        cls, path: Path, entropy: Entropy, busy_timeout_s: float, reserve: Reserve
    ) -> Database:
        writer = open_file(path, busy_timeout_s=busy_timeout_s)
        try:
            is_restored = place.check(writer, path, entropy, wall())
            reader = connect(path, is_reader=True, busy_timeout_s=busy_timeout_s)
        except sqlite3.Error as error:
            writer.close()
            raise translate(error, str(path)) from error
        except OSError as error:
            writer.close()
            raise unwritable(error, str(path)) from error
        database = cls(path, writer, reader, reserve)
        database.is_restored = is_restored
        return database

    async def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(connection, *args, **kwargs)` durably and give its value after the commit.

        Raises what fn raises (its own changes are undone, sqlite3.Error translated) and PeerError
        NO_SPACE, DATABASE_CORRUPT or DATABASE_FAILED when the commit fails. An awaiter that is
        cancelled leaves fn in the queue: it may still happen.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        self._submit(_Job(lambda connection: fn(connection, *args, **kwargs), outcome, loop))
        return await outcome

    async def write_patiently(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, again and again while the disk refuses: for what no person waits for.

        on_refused is called with the first refusal after a success. Raises as `write` for the rest.
        """
        while True:
            try:
                value = await self.write(fn, *args, **kwargs)
            except PeerError as error:
                if error.code not in REFUSALS or self._is_closed:
                    raise
                if not self._is_refused:
                    self._is_refused = True
                    self.on_refused(error)
            else:
                self._is_refused = False
                return value
            await asyncio.sleep(AGAIN_S)

    def write_now(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, blocking the calling thread: for callers without a loop."""
        outcome: Future[T] = Future()
        self._submit(_Job(lambda connection: fn(connection, *args, **kwargs), outcome))
        return outcome.result()

    def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(connection, *args, **kwargs)` over one snapshot, in the caller's thread.

        fn: asks small, indexed questions only, since it runs on the loop. Raises what fn raises;
        an attempt to write raises PeerError(DATABASE_FAILED).
        """
        with self._reading:
            if self._is_closed:
                raise _closed(self.path)
            try:
                self._reader.execute("BEGIN")
                try:
                    return fn(self._reader, *args, **kwargs)
                finally:
                    self._reader.execute("ROLLBACK")
            except sqlite3.Error as error:
                raise translate(error, str(self.path)) from error

    async def scrub(self) -> None:
        """Fold the log into the file and empty it: what was deleted before this leaves no bytes in it."""
        self._writer.wants_scrub = True
        await self.write(_nothing)

    async def close(self) -> None:
        """Let everything submitted so far commit, then close; calling it again changes nothing."""
        await asyncio.to_thread(self.close_now)

    def close_now(self) -> None:
        """Do what `close` does, blocking the calling thread."""
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._jobs.put(None)
        self._writer.join()
        with self._reading:
            self._reader.close()
        self._writer.close_connection()

    @property
    def commits(self) -> int:
        """How many batches were committed: what group commit saves is writes minus this."""
        return self._writer.commits

    def _submit(self, job: _Job) -> None:
        with self._closing:
            if self._is_closed:
                raise _closed(self.path)
            self._jobs.put(job)


class _Writer(threading.Thread):
    """The only thread that changes the database."""

    def __init__(
        self,
        path: Path,
        connection: Connection,
        jobs: queue.SimpleQueue[_Job | None],
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

    def run(self) -> None:
        while not self._is_last:
            batch = self._next_batch()
            if batch:
                self._run(batch)
                self.commits += 1
                if self.wants_scrub:
                    self.wants_scrub = False
                    with suppress(sqlite3.Error):  # a reader is in the way: the next one gets it
                        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                settle(batch)

    def _run(self, batch: list[_Job]) -> None:
        """Run a batch; what lacks space is run again with that of the reserve."""
        where = str(self._path)
        run_batch(self._connection, batch, where)
        starved = [job for job in batch if job.lacks_space]
        if not starved:
            self._reserve.renew()
        while starved and self._reserve.give_up():
            for job in starved:
                job.error = None
            run_batch(self._connection, starved, where)
            starved = [job for job in starved if job.lacks_space]

    def close_connection(self) -> None:
        """Close the connection after the thread ended: SQLite then folds its log into the file."""
        self._connection.close()

    def _next_batch(self) -> list[_Job]:
        batch: list[_Job] = []
        job = self._queue.get()
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


def settle(batch: list[_Job]) -> None:
    """Tell everybody who waits how a batch ended: each loop is woken once, however many wait in it."""
    by_loop: dict[asyncio.AbstractEventLoop | None, list[_Job]] = {}
    for job in batch:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if loop is None:
            _settle_all(jobs)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle_all, jobs)


def _settle_all(jobs: list[_Job]) -> None:
    for job in jobs:
        job.settle()


def run_batch(connection: Connection, batch: list[_Job], where: str) -> None:
    """Run the jobs in one transaction and note in each how it ended; raises nothing.

    If SQLite ends the transaction by itself in the middle (a full disk may), every job before that
    point failed too: nothing of them is durable.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        for number, job in enumerate(batch):
            try:
                run_one(connection, job)
            except sqlite3.Error as error:
                _fail([job], error, where)
                if not connection.in_transaction:
                    _fail(batch[:number], error, where)
                    run_batch(connection, batch[number + 1 :], where)
                    return
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.rollback()
        _fail(batch, error, where)


def run_one(connection: Connection, job: _Job) -> None:
    """Run one job in a savepoint; raises sqlite3.Error only, everything else is noted in the job."""
    connection.execute("SAVEPOINT job")
    try:
        job.value = job.run(connection)
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK TO job")
            connection.execute("RELEASE job")
        raise
    except BaseException as error:  # noqa: BLE001 - carried to whoever awaits, who raises it
        job.error = error
        connection.execute("ROLLBACK TO job")
    connection.execute("RELEASE job")


def _fail(jobs: list[_Job], cause: sqlite3.Error, where: str) -> None:
    """Note in each job that did not fail by itself what `cause` means."""
    for job in jobs:
        if job.error is None:
            job.error = translate(cause, where)
            job.error.__cause__ = cause


def _nothing(connection: Connection) -> None:
    """Wait for the writer's turn."""


def _log_refusal(error: PeerError) -> None:
    log.warning("%s", error)


def _closed(path: Path) -> PeerError:
    return PeerError(Code.DATABASE_FAILED, f"{path} is closed already")
