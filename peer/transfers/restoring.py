"""What an earlier life left of a transfer, compared with what is on the disk: the journal is only a hint.

Chunks that no mark covers are hashed again. All chunks of a file are, when it is not as it was left: whole files
have the manifest's length and time, parts of a clean stop the time and inode that were noted, and nobody writes to
a part later than to the journal. What is wrong is dropped, and the journal is told, so that no later mark
covers it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec
from blake3 import blake3

from peer.transfers.disk import REOPEN_FILE, Disk
from peer.transfers.notes import ChunkNotes, Notes
from peer.transfers.paths import TOP
from peer.transfers.workplace import Folders
from wire import limits
from wire.transfer.digests import chunk_count, chunk_length, zero_digest
from wire.transfer.manifest import Entry

EVERY_CHUNK = 2**32 - 1
_PARENT = attrgetter("parent")  # of a slot
_LATEST_MTIME_MS = 4_102_444_800_000  # the year 2100; beyond it or before 1970 is some mistake
_SLACK_NS = 200_000_000  # a kill between a chunk's write and its entry; nobody edits a part so soon after it


class Restored(msgspec.Struct, frozen=True):
    """What an earlier life left of one file.

    chunks: (index, digest) of those that are right, to be read once; none of a whole file, which needs
    none. asked: ranges (first, stop) that were asked for and are not here.
    """

    file: int
    is_whole: bool
    chunks: Iterable[tuple[int, bytes]]
    asked: Sequence[tuple[int, int]]


class Slot(msgspec.Struct, frozen=True, gc=False):
    """Where one file of the manifest is; there are many. parent: number of its folder's entry, or TOP."""

    entry: Entry
    parent: int
    name: bytes


class Findings(msgspec.Struct):
    """What looking at the disk gave.

    dropped: (file, first, stop) that do not count any more. unsynced: files with chunks that are right and
    perhaps not on the disk. inodes: of the parts that go on. held_bytes: what need not be found again.
    """

    dropped: list[tuple[int, int, int]] = msgspec.field(default_factory=list)
    unsynced: set[int] = msgspec.field(default_factory=set)
    inodes: dict[int, int] = msgspec.field(default_factory=dict)
    held_bytes: int = 0


def times(entry: Entry) -> tuple[int, int]:
    """Give the access and modification time a received file gets, in nanoseconds, clamped."""
    at = entry.mtime_ms
    if not 0 <= at <= _LATEST_MTIME_MS:
        at = 0 if at < 0 else _LATEST_MTIME_MS
    at *= 1_000_000
    return at, at


def is_own_file(found: os.stat_result) -> bool:
    """Say whether this is a plain file of no other name: no link of any kind that somebody put there."""
    return stat.S_ISREG(found.st_mode) and found.st_nlink == 1


def is_as_left(found: os.stat_result, entry: Entry) -> bool:
    """Say whether a whole file looks as it was left."""
    return is_own_file(found) and _is_timed(found, entry)


def _is_timed(found: os.stat_result, entry: Entry) -> bool:
    return found.st_size == entry.size and found.st_mtime_ns == times(entry)[1]


def is_disturbed(
    disk: Disk,
    folders: Folders,
    slots: Sequence[Slot],
    wholes: Collection[int],
    standing: Collection[str],
) -> bool:
    """Say whether a file that was whole is not as it was left, but for further names: a landing may give it some.

    standing: what of the top to look at. Raises OSError.
    """
    with folders.lock:
        for file in wholes:
            if file >= len(slots):
                return True
            slot = slots[file]
            top = slot.name.decode() if slot.parent == TOP else folders.top_of(slot.parent)
            if top not in standing:
                continue
            found = _stat(disk, slot, folders.descriptor(slot.parent))
            if found is None or not stat.S_ISREG(found.st_mode) or not _is_timed(found, slot.entry):
                return True
    return False


def gone(
    disk: Disk, folders: Folders, slots: Sequence[Slot], wholes: Iterable[int]
) -> Iterator[Slot]:
    """Give the whole files that are not as they were left; of those of one chunk, only those without their name.

    A look at each of 100,000 small files costs a sixth of what writing them does. Call it with the lock of
    `folders` held. Raises OSError.
    """
    by_folder = sorted((slots[file] for file in wholes), key=_PARENT)
    for parent, inside in groupby(by_folder, _PARENT):  # each folder is read once
        folder = folders.descriptor(parent)
        files = disk.files(folder)
        for slot in inside:
            if slot.name not in files:
                yield slot
            elif slot.entry.size > limits.CHUNK_BYTES:
                found = _stat(disk, slot, folder)
                if found is None or not is_as_left(found, slot.entry):
                    yield slot


def _stat(disk: Disk, slot: Slot, folder: int) -> os.stat_result | None:
    try:
        return disk.stat(slot.name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None


class Restoring:
    """Compares notes with the disk. slots: of all files, by index."""

    def __init__(self, disk: Disk, folders: Folders, slots: Sequence[Slot], notes: Notes) -> None:
        self._disk = disk
        self._folders = folders
        self._slots = slots
        self._notes = notes
        self._buffer = memoryview(bytearray(limits.CHUNK_BYTES + 1))
        self.findings = Findings()

    def look(self) -> Findings:
        """Look at every file that was begun; the notes then say what counts. Raises OSError."""
        for file in self._notes.files():
            if file >= len(self._slots):
                self._drop(file)
                self._notes.asked.discard(file)
            elif self._slots[file].entry.size <= limits.CHUNK_BYTES:
                self._look_at_single(file, self._slots[file])
            else:
                self._look_at_several(file, self._slots[file])
        return self.findings

    def _look_at_single(self, file: int, slot: Slot) -> None:
        size = slot.entry.size
        is_here = file in self._notes.singles or (size == 0 and file in self._notes.wholes)
        if not is_here:
            if file in self._notes.wholes or file in self._notes.several:
                self._drop(file)
            return
        found = self._stat(slot)
        is_sure = file not in self._notes.doubtful
        if found is None or not is_own_file(found) or found.st_size != size:
            self._drop(file)
        elif is_sure and is_as_left(found, slot.entry):
            self.findings.held_bytes += size
        elif self._is_single_right(slot, self._notes.singles.get(file)):
            self.findings.unsynced.add(file)
            self.findings.held_bytes += size
        else:
            self._drop(file)

    def _is_single_right(self, slot: Slot, digest: bytes | None) -> bool:
        with self._folders.lock:
            folder = self._folders.descriptor(slot.parent)
            descriptor = self._disk.open(slot.name, REOPEN_FILE, dir_fd=folder)
        try:
            self._disk.forget(descriptor)
            got = self._disk.preadv(descriptor, [self._buffer], 0)
            if got != slot.entry.size:
                return False
            if got and blake3(self._buffer[:got]).digest() != digest:
                return False
            self._disk.utime(descriptor, ns=times(slot.entry))
            return True
        finally:
            self._disk.close(descriptor)

    def _look_at_several(self, file: int, slot: Slot) -> None:
        notes = self._notes.chunks_of(file)
        if file in self._notes.doubtful:
            self._notes.doubtful.discard(file)
            notes.doubtful.add(0, 1)
        count = chunk_count(slot.entry.size)
        notes.drop(count, EVERY_CHUNK + 1)  # a damaged entry may name the last number, no drop can
        is_whole = file in self._notes.wholes and notes.known.count == count
        if not notes.known and not is_whole:
            return
        found = self._stat(slot)
        if found is None or not is_own_file(found):
            self._drop(file)
            return
        if not self._is_untouched(found, slot.entry, notes, is_whole=is_whole):
            notes.doubtful = notes.known.copy()
        if notes.doubtful:
            self._hash_doubtful(file, slot, notes)
            is_whole = file in self._notes.wholes
        if is_whole:
            del self._notes.several[file]
        else:
            self._notes.wholes.discard(file)
            self.findings.inodes[file] = found.st_ino
        held = sum(min(stop * limits.CHUNK_BYTES, slot.entry.size) for _, stop in notes.known)
        held -= sum(first * limits.CHUNK_BYTES for first, _ in notes.known)
        self.findings.held_bytes += min(max(held, found.st_blocks * 512), slot.entry.size)

    def _is_untouched(
        self, found: os.stat_result, entry: Entry, notes: ChunkNotes, *, is_whole: bool
    ) -> bool:
        if is_whole:
            return is_as_left(found, entry)
        written = list(notes.known.difference(notes.zeros))  # zeros may lie beyond the end
        if written and found.st_size < min(written[-1][1] * limits.CHUNK_BYTES, entry.size):
            return False  # somebody cut it
        if notes.pin is not None:
            return notes.pin == (found.st_mtime_ns % 2**64, found.st_ino % 2**64)
        return found.st_mtime_ns <= self._notes.written_ns + _SLACK_NS

    def _hash_doubtful(self, file: int, slot: Slot, notes: ChunkNotes) -> None:
        """Hash what is in doubt; a whole file that stays so gets its length and time again."""
        size = slot.entry.size
        with self._folders.lock:
            folder = self._folders.descriptor(slot.parent)
            descriptor = self._disk.open(slot.name, REOPEN_FILE, dir_fd=folder)
        try:
            self._disk.forget(descriptor)
            wrong = [
                index
                for index in notes.doubtful.indexes()
                if not self._is_right(
                    descriptor, index, chunk_length(size, index), notes.digest(index)
                )
            ]
            for index in wrong:
                notes.drop(index, index + 1)
                self.findings.dropped.append((file, index, index + 1))
            if wrong:
                self._notes.wholes.discard(file)
            elif file in self._notes.wholes:
                self._disk.ftruncate(descriptor, size)
                self._disk.utime(descriptor, ns=times(slot.entry))
        finally:
            self._disk.close(descriptor)
        self.findings.unsynced.add(file)

    def _is_right(self, descriptor: int, index: int, length: int, digest: bytes | None) -> bool:
        """Hash one chunk; digest: None for zeros. What lies beyond the end of the file is zeros too."""
        offset = index * limits.CHUNK_BYTES
        if digest is None and self._disk.is_hole(descriptor, offset, length):
            return True
        got = self._disk.preadv(descriptor, [self._buffer[:length]], offset)
        if got < length:
            self._buffer[got:length] = bytes(length - got)
        return blake3(self._buffer[:length]).digest() == (digest or zero_digest(length))

    def _stat(self, slot: Slot) -> os.stat_result | None:
        with self._folders.lock:
            return _stat(self._disk, slot, self._folders.descriptor(slot.parent))

    def _drop(self, file: int) -> None:
        self.findings.dropped.append((file, 0, EVERY_CHUNK))
        self._notes.singles.pop(file, None)
        self._notes.several.pop(file, None)
        self._notes.wholes.discard(file)


def report(notes: Notes, slots: Sequence[Slot]) -> Iterator[Restored]:
    """Give what counts of each file, and forget it; the notes were looked at before."""
    for file in notes.files():
        if file in notes.wholes:
            yield Restored(file, True, (), ())
        elif (several := notes.several.get(file)) is not None:
            asked = list(several.asked.difference(several.known))
            yield Restored(file, False, _digests(several, slots[file].entry.size), asked)
        elif (digest := notes.singles.get(file)) is not None:
            yield Restored(file, False, ((0, digest),), ())
        else:
            yield Restored(file, False, (), ((0, 1),))


def _digests(notes: ChunkNotes, size: int) -> Iterator[tuple[int, bytes]]:
    for index in notes.known.indexes():
        yield index, notes.digest(index) or zero_digest(chunk_length(size, index))
