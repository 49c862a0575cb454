"""One program for one home: a lock that the system lets go of when its holder dies.

`flock` where there is one; elsewhere an exclusive transaction of an empty SQLite database, which every
system that runs Python can hold. The pid stands in a file of its own, for people only.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from tracker.errors import TrackerError
from wire.codes import Code

try:
    import fcntl

    HAS_FCNTL = True
except ImportError:  # pragma: no cover  a system without it; tests force the other road
    HAS_FCNTL = False


class Lock:
    """The lock of one home, held from the constructor to `release`.

    path: of the lock file; it stays when the lock is released. has_fcntl: take the first road. Raises TrackerError with
    ALREADY_RUNNING, naming the pid of whoever holds it, or HOME_UNUSABLE.
    """

    def __init__(self, path: Path, *, has_fcntl: bool = HAS_FCNTL) -> None:
        self._pid_file = path.with_name(f"{path.name}.pid")
        self._descriptor: int | None = None
        self._transaction: sqlite3.Connection | None = None
        try:
            if has_fcntl:
                self._descriptor = self._flock(path)
            else:
                self._transaction = self._begin_exclusive(path)
        except (BlockingIOError, sqlite3.OperationalError) as error:
            raise TrackerError(
                Code.ALREADY_RUNNING, f"a tracker is running on this home already{self._whose()}"
            ) from error
        except OSError as error:
            raise TrackerError(Code.HOME_UNUSABLE, f"{path}: {error.strerror}") from error
        with suppress(OSError):  # on a full disk nobody reads whose it is
            self._pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")

    def release(self) -> None:
        """Let go of the lock; again changes nothing."""
        if self._descriptor is not None or self._transaction is not None:
            self._pid_file.unlink(missing_ok=True)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        if self._transaction is not None:
            self._transaction.close()
            self._transaction = None

    @staticmethod
    def _flock(path: Path) -> int:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @staticmethod
    def _begin_exclusive(path: Path) -> sqlite3.Connection:
        connection = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            connection.execute("BEGIN EXCLUSIVE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _whose(self) -> str:
        with suppress(OSError, ValueError):
            return f" (pid {int(self._pid_file.read_text(encoding='ascii'))})"
        return ""
