"""One program for one home: a lock that the system lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from peer.errors import PeerError
from wire.codes import Code

RETRY_S = 0.05


class Lock:
    """The lock of one home, held from `acquire` to `release`. path: of the lock file; it stays."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self, wait_s: float = 0.0, *, pause: Callable[[float], None] = time.sleep) -> None:
        """Take the lock, waiting at most `wait_s` seconds for its holder to leave.

        Raises PeerError with ALREADY_RUNNING, naming the holder's pid, or HOME_UNUSABLE.
        """
        until = time.monotonic() + wait_s
        while not self.try_acquire():
            if time.monotonic() >= until:
                raise PeerError(Code.ALREADY_RUNNING, f"a node is running here{self._whose()}")
            pause(RETRY_S)

    def try_acquire(self) -> bool:
        """Take the lock if nobody holds it; False if somebody does. Raises PeerError(HOME_UNUSABLE)."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PeerError(Code.HOME_UNUSABLE, f"{self._path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:  # a network's file system without locks
            os.close(descriptor)
            detail = f"{self._path} cannot be locked: {error.strerror}"
            raise PeerError(Code.HOME_UNUSABLE, detail) from error
        with suppress(
            OSError
        ):  # on a full disk the lock is held all the same, only nobody reads by whom
            os.truncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go of the lock; again changes nothing."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _whose(self) -> str:
        try:
            return f" (pid {int(self._path.read_text(encoding='ascii'))})"
        except (OSError, ValueError):
            return ""
