"""Space set aside for talk: a file beside the database that is given up when the disk is full (promise F5).

A full disk is seldom full by our doing, and the first thing a person then wants is to go on talking, and to
hear what is wrong. So the last MiB are ours: a write that lacks space gets it from this file, piece by piece,
as whoever filled the disk would take all that is let go of at once. The file grows again when the disk has
room. It has no content, and what is in it never matters.
"""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from wire import limits

log = logging.getLogger("peer")
_BLOCK = bytes(limits.MIB)
_STAT_BLOCK = 512


class Reserve:
    """The reserve of one database. path: of the file. size_bytes: what it holds when it is whole."""

    def __init__(self, path: Path, size_bytes: int = limits.RESERVE_BYTES) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._is_whole = False

    def give_up(self) -> bool:
        """Let go of a piece, for a write that is then tried again; False if nothing is left."""
        self._is_whole = False
        try:
            held = self._held_bytes()
            os.truncate(self._path, max(0, held - limits.RESERVE_PIECE_BYTES))
        except OSError:
            return False
        if held:
            log.warning("the disk is full; %s still holds %d bytes for talk", self._path, held)
        return held > 0

    def renew(self) -> None:
        """Set the space aside if it is not, and the disk has plenty beside it; never raises."""
        if self._is_whole:
            return
        with suppress(OSError):
            held = self._held_bytes()
            if held < self._size_bytes:
                found = os.statvfs(self._path.parent)
                if held + found.f_bavail * found.f_frsize < 2 * self._size_bytes:
                    return
                self._fill()
            self._is_whole = True

    def _held_bytes(self) -> int:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return 0
        return min(found.st_blocks * _STAT_BLOCK, found.st_size)

    def _fill(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(self._path, flags, 0o600)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, self._size_bytes)
            else:
                for _ in range(0, self._size_bytes, len(_BLOCK)):
                    os.write(descriptor, _BLOCK)
        finally:
            os.close(descriptor)
