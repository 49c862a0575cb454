"""The database without a file: the same functions over memory, driven by hand, for a simulated network.

A crash is what it is on disk: everything since the last commit is rolled back, and everything but the
connection is lost. No thread, no clock, no loop.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from peer.store import place
from peer.store.opening import connect, migrate
from wire.machine import Entropy, UnixMillis

P = ParamSpec("P")
T = TypeVar("T")
Connection = sqlite3.Connection


class MemoryDatabase:
    """A twin of `Database` that commits when it is told to.

    entropy: gives the first epoch. now: when it is begun.
    """

    def __init__(self, entropy: Entropy, now: UnixMillis) -> None:
        self.connection = connect(":memory:")
        migrate(self.connection)
        self.connection.execute("BEGIN")
        place.take_new_epoch(self.connection, entropy, now)
        self.connection.execute("COMMIT")
        self._waiting: list[tuple[Callable[[Any], None], Any]] = []

    def write(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run `fn(connection, ...)` in a savepoint of the open batch and give its value at once.

        What fn changed is durable after `commit` only; nothing that follows from it may leave before.
        Raises what fn raises; its own changes are undone then.
        """
        if not self.connection.in_transaction:
            self.connection.execute("BEGIN")
        self.connection.execute("SAVEPOINT job")
        try:
            value = fn(self.connection, *args, **kwargs)
        except BaseException:
            self.connection.execute("ROLLBACK TO job")
            self.connection.execute("RELEASE job")
            raise
        self.connection.execute("RELEASE job")
        return value

    def submit(
        self,
        then: Callable[[T], None],
        fn: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Run fn as `write` does and call `then(value)` after the commit, if that ever comes."""
        self._waiting.append((then, self.write(fn, *args, **kwargs)))

    def submit_unsynced(
        self,
        then: Callable[[T], None],
        fn: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Run fn and call `then(value)` at once, unless others wait for the same commit; a crash may undo it."""
        if self.is_awaited:
            self.submit(then, fn, *args, **kwargs)
        else:
            then(self.write(fn, *args, **kwargs))

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for the commit of the open batch."""
        return bool(self._waiting)

    def read(
        self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a question; unlike on disk it sees the open batch too, so ask after `commit`."""
        return fn(self.connection, *args, **kwargs)

    def commit(self) -> None:
        """Make the open batch durable, then hand out the values that `submit` kept, in order."""
        if self.connection.in_transaction:
            self.connection.execute("COMMIT")
        waiting, self._waiting = self._waiting, []
        for then, value in waiting:
            then(value)

    def crash(self) -> None:
        """Lose what was not committed, and whoever waited for it."""
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")
        self._waiting.clear()

    def image(self) -> Connection:
        """Give a copy of the whole database as of the last commit: a backup."""
        assert not self.connection.in_transaction
        copy = connect(":memory:")
        self.connection.backup(copy)
        return copy

    def restore(self, image: Connection) -> None:
        """Go back in time to a backup; the caller then takes a new epoch, as the stamp would have it."""
        self.crash()
        image.backup(self.connection)
