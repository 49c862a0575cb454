"""What was written and is not on the disk yet, and bringing it there without holding whoever writes.

The order that everything rests on: bytes are written, then the file counts as dirty here, then the journal says
so. `sync` counts the journal's entries first, takes the dirty files next, and vouches for so many entries when
those are on the disk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from peer.transfers.disk import READ_FILE, Disk
from peer.transfers.journal import Journal
from peer.transfers.parts import Parts
from peer.transfers.restoring import Slot
from peer.transfers.workplace import Folders

_ONE_BY_ONE = 32  # beyond so many files and folders the whole file system is synced at once


class Unsynced:
    """The dirty files and folders of one sink.

    tree: its descriptor. folders: that the writers use; its lock guards what is dirty. own_folders: others,
    for whoever syncs, which is one at a time. loss: why the system could not write something; it may have let
    go of that, so nothing can be vouched for any more.
    """

    def __init__(
        self,
        disk: Disk,
        tree: int,
        *,
        folders: Folders,
        own_folders: Folders,
        parts: Parts,
        slots: Sequence[Slot],
    ) -> None:
        self._disk = disk
        self._tree = tree
        self._folders = folders
        self._own_folders = own_folders
        self._parts = parts
        self._slots = slots
        self._dirty: set[int] = set()
        self.bytes = 0
        self.loss: OSError | None = None

    def add(self, files: Iterable[int], size_bytes: int = 0) -> None:
        """Take note that something was written to these files."""
        with self._folders.lock:
            self._dirty.update(files)
            self.bytes += size_bytes

    def discard(self, file: int) -> None:
        """Forget a file that is gone."""
        with self._folders.lock:
            self._dirty.discard(file)

    def sync(self, journal: Journal) -> int:
        """Sync and mark; gives how many entries of the journal the mark covers. Raises OSError."""
        count = journal.count  # before anything is taken: see above
        with self._folders.lock:
            dirty, self._dirty = self._dirty, set()
            touched = self._folders.touched | self._own_folders.touched
            self._folders.touched, self._own_folders.touched = set(), set()
            size, self.bytes = self.bytes, 0
        try:
            self._bring(dirty, touched)
        except OSError as error:
            self.loss = error
            raise
        try:
            journal.mark(count)
        except OSError:
            with self._folders.lock:
                self._dirty |= dirty
                self._folders.touched |= touched
                self.bytes += size
            raise
        return count

    def _bring(self, dirty: set[int], touched: set[int]) -> None:
        opened = self._parts.opened(dirty)
        left = dirty - {file for file in opened if self._parts.sync(file)}
        is_much = len(left) + len(touched) > _ONE_BY_ONE
        if is_much and self._disk.sync_all(self._tree):
            return
        for file in left:
            self._bring_file(self._slots[file])
        for number in touched:
            with self._own_folders.lock:
                self._disk.fsync(self._own_folders.descriptor(number))

    def _bring_file(self, slot: Slot) -> None:
        with self._own_folders.lock:
            folder = self._own_folders.descriptor(slot.parent)
            try:
                descriptor = self._disk.open(slot.name, READ_FILE, dir_fd=folder)
            except FileNotFoundError:
                return  # given up meanwhile, or somebody removed it: landing will see
        try:
            self._disk.fsync(descriptor)
        finally:
            self._disk.close(descriptor)
