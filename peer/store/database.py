"""The database of one home: a writer that commits in groups, and a reader for small questions.

    await database.write(fn, *args)   runs fn(connection, *args) in the writer's thread, inside a transaction
                                      that it may share with others; gives its value after the commit
    await database.write_patiently(fn, *args)   does the same, and tries again while the disk refuses it
    await database.write_here(fn, *args)        does the same as `write`, in the loop's thread where that is quick
    await database.write_unsynced(fn, *args)    does that patiently, but gives the value before the disk has it
    database.read(fn, *args)          runs it at once, in the caller's thread, and cannot change anything
    await database.study(fn, *args)   does the same in a thread of its own: for what takes its time

Which thread commits, and how many writes share one commit, is `writer`'s. A full disk costs the reserve first (see
`reserve`); only then are writes refused.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from peer.errors import PeerError
from peer.store import place
from peer.store.failures import translate, unwritable
from peer.store.opening import BUSY_TIMEOUT_S, connect, open_file
from peer.store.reserve import Reserve
from peer.store.writer import UNSYNCED_S, Job, Writer
from peer.times import wall
from wire.codes import Code
from wire.machine import Entropy

log = logging.getLogger("peer")
P = ParamSpec("P")
T = TypeVar("T")
Connection = sqlite3.Connection

CACHE_KIB = 8192
"""Most pages that the writer keeps in memory, once they were used: ids stand all over their index, and with SQLite's 2 MiB
each message reads several pages again as soon as there are some thousands."""

AGAIN_S = 1.0
"""Between two tries of a patient write."""

REFUSALS = frozenset({Code.NO_SPACE, Code.DATABASE_FAILED})
"""How a disk refuses a write that may work later."""


class Database:
    """One open database file. Made by `open`; used from one event loop, or from plain threads."""

    def __init__(
        self,
        path: Path,
        writer: Connection,
        reader: Connection,
        reserve: Reserve,
        busy_timeout_s: float,
    ) -> None:
        self.path = path
        self.is_restored = False
        self.on_refused: Callable[[PeerError], object] = _log_refusal
        self._is_refused = False
        self._reader = reader
        self._reading = threading.Lock()
        self._brief: list[Job] = []  # of the loop's present round
        self._round_in: asyncio.AbstractEventLoop | None = None
        self._fold_timer: asyncio.TimerHandle | None = None
        self._closing = threading.Lock()
        self._is_closed = False
        self._writer = Writer(path, writer, reserve, busy_timeout_s)
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
        place.check_not_lost(path)
        writer = open_file(path, busy_timeout_s=busy_timeout_s)
        try:
            is_restored = place.check(writer, path, entropy, wall())
            reader = connect(path, is_reader=True, busy_timeout_s=busy_timeout_s)
            writer.execute("PRAGMA busy_timeout = 0")  # `Writer` waits itself, where it may
            writer.execute(
                "PRAGMA wal_autocheckpoint = 0"
            )  # and folds the log after a commit, not in it
            writer.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except sqlite3.Error as error:
            writer.close()
            raise translate(error, str(path)) from error
        except OSError as error:
            writer.close()
            raise unwritable(error, str(path)) from error
        database = cls(path, writer, reader, reserve, busy_timeout_s)
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
        return await self._write(lambda c: fn(c, *args, **kwargs))

    async def write_here(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, for what changes a few rows: where that is quick, it is done in the loop's thread.

        What is asked for in one round of the loop shares a commit.
        """
        return await self._write(lambda c: fn(c, *args, **kwargs), is_brief=True)

    def begin_here(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> asyncio.Future[T]:
        """Do what `write_here` does, for who is no task: gives what will have its value, or what it raises."""
        return self._begin(lambda c: fn(c, *args, **kwargs), is_brief=True)

    def _begin(
        self, run: Callable[[Connection], T], *, is_synced: bool = True, is_brief: bool = False
    ) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        job = Job(run, outcome, loop, is_synced=is_synced, is_brief=is_brief)
        if is_brief and self._writer.is_idle:
            self._submit_brief(job, loop)
        else:
            self._submit(job)
        return outcome

    async def _write(
        self, run: Callable[[Connection], T], *, is_synced: bool = True, is_brief: bool = False
    ) -> T:
        value = await self._begin(run, is_synced=is_synced, is_brief=is_brief)
        if not is_synced and self._fold_timer is None and self._writer.is_unsynced:
            self._fold_timer = asyncio.get_running_loop().call_later(UNSYNCED_S, self._fold)
        return value

    async def write_patiently(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write` does, again and again while the disk refuses: for what no person waits for.

        on_refused is called with the first refusal after a success. Raises as `write` for the rest.
        """
        return await self._write_patiently(lambda c: fn(c, *args, **kwargs))

    async def write_unsynced(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write_patiently` does, but do not wait until the disk has it.

        No kill undoes it, but the power going away may, for as long as UNSYNCED_S; nothing that was written
        after it is ever durable without it. So it is for what this device is told again by whoever
        told it, and for nothing that anybody is promised (D1, D2), or was told on the strength of a
        commit here (D3).
        """
        return await self._write_patiently(
            lambda c: fn(c, *args, **kwargs), is_synced=False, is_brief=True
        )

    async def write_here_patiently(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Do what `write_patiently` does, as `write_here` does it."""
        return await self._write_patiently(lambda c: fn(c, *args, **kwargs), is_brief=True)

    async def _write_patiently(
        self, run: Callable[[Connection], T], *, is_synced: bool = True, is_brief: bool = False
    ) -> T:
        while True:
            try:
                value = await self._write(run, is_synced=is_synced, is_brief=is_brief)
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

    async def study(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn` as `read` does, in a thread and over a connection of its own: for what takes its time."""
        if self._is_closed:
            raise _closed(self.path)
        return await asyncio.to_thread(self._study, lambda reader: fn(reader, *args, **kwargs))

    def _study(self, fn: Callable[[Connection], T]) -> T:
        try:
            reader = connect(self.path, is_reader=True)
            try:
                reader.execute("BEGIN")
                return fn(reader)
            finally:
                reader.close()
        except sqlite3.Error as error:
            raise translate(error, str(self.path)) from error

    async def scrub(self) -> None:
        """Fold the log into the file and empty it: what was deleted before this leaves no bytes in it."""
        self._writer.wants_scrub = True
        await self.write(_nothing)

    async def close(self) -> None:
        """Let everything submitted so far commit, then close; calling it again changes nothing."""
        self._end()
        await asyncio.to_thread(self._close)

    def close_now(self) -> None:
        """Do what `close` does, blocking the calling thread."""
        self._end()
        self._close()

    def _end(self) -> None:
        self._leave(self._take_brief())
        with self._closing:
            if not self._is_closed:
                self._is_closed = True
                self._writer.put(None)

    def _close(self) -> None:
        self._writer.join()
        with self._reading:
            self._reader.close()
        self._writer.close_connection()

    @property
    def commits(self) -> int:
        """How many batches were committed: what group commit saves is writes minus this."""
        return self._writer.commits

    def _submit(self, job: Job) -> None:
        """Leave a job to the writer's thread, after what was asked for before."""
        self._leave(self._take_brief())
        with self._closing:
            if self._is_closed:
                raise _closed(self.path)
            self._writer.put(job)

    def _submit_brief(self, job: Job, loop: asyncio.AbstractEventLoop) -> None:
        """Have a job run in the loop's next round, with all others of this one."""
        with self._closing:
            if self._is_closed:
                raise _closed(self.path)
            self._brief.append(job)
        if self._round_in is not loop:
            self._round_in = loop
            loop.call_soon(self._round)

    def _round(self) -> None:
        self._round_in = None
        brief = self._take_brief()
        if brief and not self._writer.run_here(brief):
            self._leave(brief)

    def _take_brief(self) -> list[Job]:
        with self._closing:
            brief, self._brief = self._brief, []
        return brief

    def _leave(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._writer.put(job)

    def _fold(self) -> None:
        """Bring to the disk what was not synced, unless a commit took it along meanwhile."""
        self._fold_timer = None
        if self._writer.is_unsynced and not self._is_closed:
            self._writer.wants_fold = True
            self._writer.put(Job(_nothing, Future(), is_synced=False))


def _nothing(connection: Connection) -> None:
    """Wait for the writer's turn."""


def _log_refusal(error: PeerError) -> None:
    log.warning("%s", error)


def _closed(path: Path) -> PeerError:
    return PeerError(Code.DATABASE_FAILED, f"{path} is closed already")
