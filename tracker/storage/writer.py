"""The one thread that asks the storage: pieces of work in groups, one durable commit a group.

What lives here: the queue, the savepoints and the commit. Each piece of work runs in a savepoint of its
own, so one that raises takes back its own changes only; results are delivered after the commit of
their group, in the order of submission; a commit that fails fails every piece of its group. Measured in
the design: 140,000 durable writes a second against 8,000 with a commit each.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from msgspec import Struct

from tracker.errors import TrackerError
from tracker.storage.port import Store
from tracker.storage.sqlite import SqliteStore
from wire.codes import Code

GROUP = 1000
"""Pieces of work in one group at most, so that the first of them does not wait for ever."""

T = TypeVar("T")
Work = Callable[[Store], T]
Callbacks = list[Callable[[], object]]

log = logging.getLogger(__name__)


class _Piece(Struct, frozen=True):
    work: Work[Any]
    done: Callable[[Any], object]
    failed: Callable[[TrackerError], object]


class Writer:
    """Runs pieces of work over the storage on a thread of its own.

    connection: open, in autocommit mode, usable from another thread; the writer owns and closes it.
    deliver: called on the writer's thread with what is to be called, in order, on the caller's; for
    asyncio something around `call_soon_threadsafe`. group: pieces that one commit takes at most.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        deliver: Callable[[Callbacks], object],
        *,
        group: int = GROUP,
    ) -> None:
        self._connection = connection
        self._store: Store = SqliteStore(connection)
        self._deliver = deliver
        self._group = group
        self._queue: queue.SimpleQueue[_Piece | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tracker-storage")

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(
        self,
        work: Work[T],
        done: Callable[[T], object],
        failed: Callable[[TrackerError], object],
    ) -> None:
        """Queue one piece of work.

        work: called on the writer's thread inside a transaction. done: gets its result after the
        commit. failed: gets the TrackerError it raised, DATABASE_FAILED if the commit failed, INTERNAL
        for anything else. Exactly one of the two is called, through `deliver`.
        """
        self._queue.put(_Piece(work, done, failed))

    def stop(self) -> None:
        """Let what is queued finish, close the database, end the thread; blocks until then."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_over = False
        while not is_over:
            pieces, is_over = self._next_group()
            if pieces:
                self._deliver(self._commit(pieces))
        self._connection.close()

    def _next_group(self) -> tuple[list[_Piece], bool]:
        """Wait for the first piece and take what else is there; True if the end was among it."""
        pieces: list[_Piece] = []
        item = self._queue.get()
        while item is not None:
            pieces.append(item)
            if len(pieces) == self._group:
                return pieces, False
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                return pieces, False
        return pieces, True

    def _commit(self, pieces: list[_Piece]) -> Callbacks:
        """Run a group in one transaction and say what is to be called then."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            callbacks = [self._run_one(piece) for piece in pieces]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            log.error("the database failed for %d operations: %s", len(pieces), error)  # noqa: TRY400
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            failure = TrackerError(Code.DATABASE_FAILED, str(error))
            return [_bind(piece.failed, failure) for piece in pieces]
        return callbacks

    def _run_one(self, piece: _Piece) -> Callable[[], object]:
        """Run one piece in its savepoint; raises sqlite3.Error only if the whole transaction is gone."""
        self._connection.execute("SAVEPOINT piece")
        try:
            result = piece.work(self._store)
        except Exception as error:
            if not self._connection.in_transaction:  # full disk and the like roll back everything
                raise sqlite3.OperationalError(str(error)) from error
            self._connection.execute("ROLLBACK TO piece")
            self._connection.execute("RELEASE piece")
            if isinstance(error, TrackerError):
                return _bind(piece.failed, error)
            if isinstance(error, sqlite3.OperationalError):
                log.error("the database failed for one operation: %s", error)  # noqa: TRY400
                return _bind(piece.failed, TrackerError(Code.DATABASE_FAILED, str(error)))
            log.exception("a piece of work failed")
            return _bind(piece.failed, TrackerError(Code.INTERNAL))
        self._connection.execute("RELEASE piece")
        return _bind(piece.done, result)


def _bind(callback: Callable[[Any], object], argument: object) -> Callable[[], object]:
    return lambda: callback(argument)
