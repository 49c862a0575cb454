"""Where one transfer's bytes land: part files, their journal, syncs, and the final names at the very end.

All of it blocks and is called from threads, never on the node's loop. Nothing here waits for the disk but `open`,
`sync`, `finish`, `close` and `discard`; `sync` may run in another thread than the rest, and holds nobody else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from peer.errors import PeerError
from peer.transfers import paths, workplace
from peer.transfers.disk import READ_FILE, Disk, SystemDisk, Translated, fault, refusing, write_all
from peer.transfers.landing import Landing
from peer.transfers.notes import Notes
from peer.transfers.parts import Disturbed, Parts, create
from peer.transfers.paths import TOP, Place
from peer.transfers.restoring import (
    Restored,
    Restoring,
    Slot,
    gone,
    is_disturbed,
    report,
    times,
)
from peer.transfers.unsynced import Unsynced
from peer.transfers.workplace import Folders, Workplace
from wire import limits
from wire.codes import Code, code_of
from wire.errors import LocalProtocolError
from wire.transfer import manifest
from wire.transfer.digests import chunk_length, zero_digest
from wire.transfer.holding import OfferKey
from wire.transfer.manifest import FILE, Entry

_UNDER_WAY, _WHOLE, _DROPPED = range(3)


class Sink:
    """One transfer that comes in, open; made by `open`.

    Everything raises PeerError for the disk's faults. Then close it: what was journalled stays good, and
    another `open` goes on. A write that found no space may also be tried again.
    """

    def __init__(
        self, disk: Disk, folder: Path, place: Workplace, entries: Sequence[Entry]
    ) -> None:
        assert place.journal is not None
        self._disk = disk
        self._folder = folder
        self._work = place
        self._journal = place.journal
        self._notes = place.found or Notes()
        self._failed = self._notes.failed
        self._entries = entries
        self._slots: list[Slot] = []
        places: dict[int, Place] = {}  # of folders alone: there may be 100,000 files
        tops: list[tuple[int, str]] = []
        for number, (entry, landing) in enumerate(zip(entries, paths.plan(entries), strict=True)):
            if entry.kind == FILE:
                self._slots.append(Slot(entry, landing.parent, landing.name.encode()))
            else:
                places[number] = landing
            if landing.parent == TOP:
                tops.append((number, landing.name))
        self._folder_numbers = list(places)  # of entries, those above first
        self._folders = Folders(disk, place.tree, places)
        self._sync_folders = Folders(disk, place.tree, places)  # of whoever calls `sync`
        self._inodes: dict[int, int] = {}
        self._parts = Parts(disk, self._folders, self._slots, self._inodes)
        self._unsynced = Unsynced(
            disk,
            place.tree,
            folders=self._folders,
            own_folders=self._sync_folders,
            parts=self._parts,
            slots=self._slots,
        )
        self._landing = Landing(
            disk,
            self._journal,
            tree=place.tree,
            outside=place.outside,
            tops=tops,
            noted=self._notes.landing,
        )
        self._lock = self._folders.lock
        self._sync_lock = threading.Lock()
        self._state = bytearray(len(self._slots))
        self._is_open = True
        self._missing_bytes = sum(entry.needed_bytes for entry in entries)
        self._translated = Translated(self._check, self._fault)

    # --- opening, and what an earlier life left

    @classmethod
    def open(
        cls,
        folder: Path,
        key: OfferKey,
        title: str,
        entries: Sequence[Entry],
        *,
        disk: Disk | None = None,
    ) -> Sink:
        """Make the work folder of a transfer, or go on with it.

        folder: where everything lands; it must be there. title: of the offer, any text. entries: the
        manifest, checked. Raises PeerError with NO_SPACE (what is missing would not fit), FOLDER_GONE,
        FILE_EXISTS (something else has the work folder's name, or another process is at work in it).
        """
        disk = disk or SystemDisk()
        digest = manifest.digest(msgspec.msgpack.encode(entries))
        try:
            place = Workplace(disk, folder, paths.work_name(title, key.offer), key, digest)
        except OSError as error:
            raise fault(error, folder) from error
        sink = cls(disk, folder, place, entries)
        try:
            with sink._translated:
                if sink.is_landing:
                    sink._look_again()
                if not sink.is_landing:
                    sink._look()
                    sink._take_space(is_first=place.found is None)
        except BaseException:
            sink._let_go()
            raise
        return sink

    @staticmethod
    def exists(folder: Path, key: OfferKey, title: str, *, disk: Disk | None = None) -> bool:
        """Say whether this transfer has a work folder. Raises PeerError."""
        name = paths.work_name(title, key.offer)
        try:
            return workplace.is_there(disk or SystemDisk(), folder, name, key)
        except OSError as error:
            raise fault(error, folder) from error

    @staticmethod
    def clear(folder: Path, key: OfferKey, title: str, *, disk: Disk | None = None) -> bool:
        """Remove the work folder of a transfer that is not open; False if it has none.

        What has its name and is not ours stays. Raises PeerError.
        """
        name = paths.work_name(title, key.offer)
        try:
            return workplace.clear(disk or SystemDisk(), folder, name, key)
        except OSError as error:
            raise fault(error, folder) from error

    @property
    def is_landing(self) -> bool:
        """Whether all was whole in this life or an earlier one: nothing is left but `finish`."""
        return self._landing.is_begun

    @property
    def failed(self) -> list[tuple[int, Code]]:
        """Give the files an earlier life dropped and went on without, and why; they count if it landed."""
        return [(file, code_of(code)) for file, code in sorted(self._failed.items())]

    @property
    def unsynced_bytes(self) -> int:
        """How many bytes `sync` would bring to the disk."""
        return self._unsynced.bytes

    def restored(self) -> Iterator[Restored]:
        """Give what counts of each file that was begun, once; to be asked before anything is written."""
        if not self.is_landing:
            yield from report(self._notes, self._slots)
        self._notes = Notes()

    def _look_again(self) -> None:
        """Go on landing only with what is as it was when all was whole."""
        standing, wholes = self._landing.standing(), self._notes.wholes
        if is_disturbed(self._disk, self._folders, self._slots, wholes, standing):
            self._landing.give_up()

    def _look(self) -> None:
        """Compare what was noted with the disk."""
        found = Restoring(self._disk, self._folders, self._slots, self._notes).look()
        if found.dropped:
            self._journal.dropped(found.dropped)
        self._unsynced.add(found.unsynced)
        with self._lock:
            self._folders.doubt(self._slots[file].parent for file in found.unsynced)
        self._inodes.update(found.inodes)
        self._missing_bytes -= found.held_bytes
        for file in self._notes.wholes:
            self._state[file] = _WHOLE

    def _take_space(self, *, is_first: bool) -> None:
        outside, disk = self._work.outside, self._disk
        device, free = disk.fstat(outside).st_dev, lambda: disk.free_bytes(outside)
        try:
            disk.promised.take(self, self._folder, device, lambda: self._missing_bytes, free)
        except PeerError:
            if is_first:
                self.discard()
            raise

    # --- what comes

    def asked(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Note what is asked for, (file, first, stop) each: a later life knows what comes twice."""
        several: list[tuple[int, int, int]] = []
        runs: list[tuple[int, int]] = []
        for file, first, stop in ranges:
            if self._slots[file].entry.size > limits.CHUNK_BYTES:
                several.append((file, first, stop))
            elif runs and runs[-1][1] == file:
                runs[-1] = runs[-1][0], file + 1
            else:
                runs.append((file, file + 1))
        with self._translated:
            self._journal.asked(several, runs)

    def write(self, chunks: Iterable[tuple[int, int, memoryview]]) -> None:
        """Put verified chunks in their places, (file, index, data) each; they count when they are noted."""
        with self._translated:
            for file, index, data in chunks:
                if self._slots[file].entry.size <= limits.CHUNK_BYTES:
                    self._write_single(self._slots[file], data)
                else:
                    self._parts.write(file, data, index * limits.CHUNK_BYTES)

    def note(self, chunks: Sequence[tuple[int, int, bytes]], size_bytes: int) -> None:
        """Journal chunks that were written: (file, index, digest) each, of so many bytes in all."""
        with self._translated:
            self._unsynced.add([chunk[0] for chunk in chunks], size_bytes)
            self._missing_bytes -= size_bytes
            self._journal.chunks(chunks)

    def write_zeros(self, file: int, first: int, count: int) -> None:
        """Take chunks first to first + count - 1, which are all zero: as holes."""
        slot = self._slots[file]
        size = slot.entry.size
        with self._translated:
            if size <= limits.CHUNK_BYTES:
                self._write_single(slot, None)
            else:
                start = first * limits.CHUNK_BYTES
                self._parts.write_zeros(
                    file, start, min((first + count) * limits.CHUNK_BYTES, size) - start
                )
            self._unsynced.add([file])
            if size <= limits.CHUNK_BYTES:
                self._journal.chunks([(file, 0, zero_digest(chunk_length(size, 0)))])
            else:
                self._journal.zeros(file, first, first + count)

    def finish_files(self, files: Sequence[int]) -> None:
        """Give files that were vouched for their length and time, and journal that they are whole."""
        with self._translated:
            for file in files:
                slot = self._slots[file]
                if slot.entry.size > limits.CHUNK_BYTES:
                    self._parts.settle(file)
                elif slot.entry.size == 0:
                    self._write_single(slot, None)
                self._state[file] = _WHOLE
            self._unsynced.add(files)
            self._journal.whole(files)

    def drop_file(self, file: int, code: Code) -> None:
        """Remove what came of a file that cannot be had, and note why; the others go on."""
        slot = self._slots[file]
        with self._translated:
            self._journal.failed(file, code.value)
            self._parts.forget(file)
            self._unsynced.discard(file)
            self._state[file] = _DROPPED
            with self._lock:
                try:
                    self._disk.unlink(slot.name, dir_fd=self._folders.descriptor(slot.parent))
                except FileNotFoundError:
                    return

    def _write_single(self, slot: Slot, data: memoryview | None) -> None:
        """Write a file of one chunk at once, with its mode and time; data: None for a hole."""
        disk, folders = self._disk, self._folders
        with self._lock:
            descriptor = create(disk, slot, folders.descriptor(slot.parent))
            folders.touched.add(slot.parent)
        try:
            if data is None:
                disk.ftruncate(descriptor, slot.entry.size)
            else:
                write_all(disk, descriptor, data, 0)
            disk.utime(descriptor, ns=times(slot.entry))
        finally:
            disk.close(descriptor)

    def open_file(self, file: int) -> int:
        """Open what came of a file for reading, in any thread; the descriptor is the caller's. Raises OSError."""
        slot = self._slots[file]
        with self._lock:
            return self._disk.open(
                slot.name, READ_FILE, dir_fd=self._folders.descriptor(slot.parent)
            )

    # --- syncing and ending

    def sync(self) -> None:
        """Bring what was written to the disk, then mark it; from any thread."""
        with self._sync_lock, self._translated:
            self._unsynced.sync(self._journal)
            self._work.must_stand(self._folder)

    def finish(self) -> Path:
        """Land: every file is whole or dropped. Gives the one top's path, or the folder of several.

        The work folder stays, as a note of where things went, until `discard`: whoever is killed before opens,
        finishes again, and gets the same path. Raises LocalProtocolError while a file is under way.
        """
        with self._sync_lock, self._translated:
            if not self.is_landing:
                if _UNDER_WAY in self._state:
                    raise LocalProtocolError("a transfer cannot land before every file is whole")
                self._settle_folders()
                self._unsynced.sync(self._journal)
            self._work.must_stand(self._folder)
            return self._landing.land(self._folder)

    def _settle_folders(self) -> None:
        """See that every file is there, make the empty folders, give all folders their times."""
        with self._lock:
            wholes = [file for file, state in enumerate(self._state) if state == _WHOLE]
            for slot in gone(self._disk, self._folders, self._slots, wholes):
                raise Disturbed(f"{slot.name.decode()} was removed or changed by somebody")
            for number in reversed(self._folder_numbers):
                self._folders.descriptor(number)
            for number in reversed(self._folder_numbers):
                self._disk.utime(self._folders.descriptor(number), ns=times(self._entries[number]))
                self._folders.touched.add(number)
            self._folders.touched.add(TOP)

    def close(self) -> None:
        """Stop in good order: sync, mark, note how the parts stand; again changes nothing.

        Never raises for the disk: what could not be marked is hashed again in the next life.
        """
        with self._sync_lock:
            if not self._is_open:
                return
            try:
                if self._unsynced.loss is None and not self.is_landing:
                    count = self._unsynced.sync(self._journal)
                    self._journal.end(self._parts.pins(), count)
            except OSError:
                pass  # the marks that stand already say what counts
            finally:
                self._let_go()

    def discard(self) -> None:
        """Remove the work folder and all in it: what landed is noted elsewhere, or nothing is wanted."""
        with self._sync_lock:
            if not self._is_open:
                return
            try:
                self._parts.close()
                workplace.empty(self._disk, self._work.inside)
                workplace.remove_empty(self._disk, self._work.name, self._work.outside)
            except OSError as error:
                raise self._fault(error) from error
            self._let_go()

    # --- inside

    def _let_go(self) -> None:
        self._is_open = False
        self._disk.promised.release(self)
        self._translated = refusing(self._folder)
        self._parts.close()
        self._folders.close()
        self._sync_folders.close()
        self._work.close()

    def _check(self) -> None:
        if (loss := self._unsynced.loss or self._work.lost) is not None:
            raise self._fault(loss)

    def _fault(self, error: OSError) -> PeerError:
        try:
            have = self._disk.free_bytes(self._work.outside)
        except OSError:
            have = 0
        return fault(error, self._folder, need_bytes=self._missing_bytes, have_bytes=have)
