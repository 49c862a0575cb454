"""Files that only their owner may read: read with that checked, written so that a crash leaves the old or the new."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from peer.errors import PeerError
from wire.codes import Code


def read_private(path: Path, most_bytes: int) -> bytes:
    """Give the first bytes of a file of ours.

    Raises OSError, and PeerError with KEY_FILE_INVALID or KEY_FILE_MODE for what is no such file.
    """
    # O_NONBLOCK: a pipe in the place of the keys must not hold whoever opens it.
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise PeerError(Code.KEY_FILE_INVALID, f"{path} is no regular file")
        if facts.st_uid != os.geteuid():
            raise PeerError(
                Code.KEY_FILE_MODE,
                f"{path} belongs to another user",
                remedy=f"run this as its owner, or: chown {os.geteuid()} {path}",
            )
        if stat.S_IMODE(facts.st_mode) & 0o077:
            raise PeerError(
                Code.KEY_FILE_MODE,
                f"{path} can be read by others",
                remedy=f"run: chmod 600 {path}",
            )
        return file.read(most_bytes)


def write_fresh(fresh: Path, raw: bytes) -> None:
    """Write a file, mode 0600, and sync it; it is gone again if that cannot be. Raises OSError."""
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise


def settle(fresh: Path, path: Path) -> None:
    """Put a fresh file in the place of another one, and sync their folder. Raises OSError."""
    os.replace(fresh, path)  # noqa: PTH105 - a rename, as named
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
