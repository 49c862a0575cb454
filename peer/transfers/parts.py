"""The files of several chunks that are under way: a bounded number of them open, each by its own descriptor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from msgspec import Struct

from peer.transfers.disk import CREATE_FILE, REOPEN_FILE, Disk, write_all
from peer.transfers.restoring import Slot, is_own_file, times
from peer.transfers.workplace import Folders, remove_tree
from wire import limits

FILES_OPEN = 16
_STEP_BYTES = 4 * limits.MIB  # set aside with one write
_ZEROS = bytes(limits.CHUNK_BYTES)


class Disturbed(OSError):
    """Somebody replaced or removed a part while it was under way."""


class _Part(Struct):
    descriptor: int
    end: int  # where the bytes end that the file has
    reserved: range  # for which space was set aside
    users: int = 0


class Parts:
    """Opens parts when they are needed, closes those not used for longest; safe from any thread.

    slots: of all files. inodes: of the parts that an earlier life began, by file; kept up to date.
    """

    def __init__(
        self, disk: Disk, folders: Folders, slots: Sequence[Slot], inodes: dict[int, int]
    ) -> None:
        self._disk = disk
        self._folders = folders
        self._lock = folders.lock
        self._slots = slots
        self._inodes = inodes
        self._open: OrderedDict[int, _Part] = OrderedDict()

    def write(self, file: int, data: memoryview, offset: int) -> None:
        """Put bytes in their place, with space set aside ahead of them. Raises OSError."""
        part = self._take(file)
        try:
            self._reserve(part, self._slots[file], offset, len(data))
            write_all(self._disk, part.descriptor, data, offset)
        except BaseException:
            self._let_go(part)
            raise
        self._let_go(part, offset + len(data))

    def write_zeros(self, file: int, offset: int, length: int) -> None:
        """Have zeros there: what was written before becomes a hole, else there is one. Raises OSError."""
        part = self._take(file)
        try:
            length = min(length, part.end - offset)
            if length <= 0 or self._disk.punch(part.descriptor, offset, length):
                return
            zeros = memoryview(_ZEROS)
            for start in range(offset, offset + length, len(zeros)):
                left = min(len(zeros), offset + length - start)
                write_all(self._disk, part.descriptor, zeros[:left], start)
        finally:
            self._let_go(part)

    def settle(self, file: int) -> None:
        """Give a whole file its length and time, and close it. Raises OSError."""
        part = self._take(file)
        try:
            self._disk.ftruncate(part.descriptor, self._slots[file].entry.size)
            self._disk.utime(part.descriptor, ns=times(self._slots[file].entry))
        finally:
            self._let_go(part)
        self.forget(file)

    def opened(self, files: AbstractSet[int]) -> set[int]:
        """Give those of some files that are open now."""
        with self._lock:
            return files & self._open.keys()

    def sync(self, file: int) -> bool:
        """Bring a part to the disk if it is open; False if it is not. Raises OSError."""
        with self._lock:
            part = self._open.get(file)
            if part is None:
                return False
            part.users += 1
        try:
            self._disk.fdatasync(part.descriptor)
        finally:
            self._let_go(part)
        return True

    def forget(self, file: int) -> None:
        """Close a part that is whole or given up."""
        with self._lock:
            self._inodes.pop(file, None)
            part = self._open.pop(file, None)
            if part is not None:
                part.users -= 1  # its last user closes it
                if part.users < 0:
                    self._disk.close(part.descriptor)

    def pins(self) -> list[tuple[int, int, int]]:
        """Say of each part under way how it stands: (file, modification time, inode)."""
        pins = []
        with self._lock:
            for file in self._inodes:
                slot = self._slots[file]
                folder = self._folders.descriptor(slot.parent)
                found = self._disk.stat(slot.name, dir_fd=folder, follow_symlinks=False)
                pins.append((file, found.st_mtime_ns, found.st_ino))
        return pins

    def close(self) -> None:
        """Close all; nobody may be using them."""
        with self._lock:
            while self._open:
                self._disk.close(self._open.popitem()[1].descriptor)

    def _take(self, file: int) -> _Part:
        """Open a part, or find it open, for somebody who lets go of it again."""
        with self._lock:
            part = self._open.get(file)
            if part is None:
                self._close_oldest()
                part = self._open[file] = self._opened(file)
            else:
                self._open.move_to_end(file)
            part.users += 1
        return part

    def _let_go(self, part: _Part, end: int = 0) -> None:
        """Use a part no more; end: where what was written ends."""
        with self._lock:
            part.end = max(part.end, end)
            part.users -= 1
            if part.users < 0:
                self._disk.close(part.descriptor)

    def _close_oldest(self) -> None:
        """Close the part not used for longest, if too many are open; one in use stays."""
        if len(self._open) < FILES_OPEN:
            return
        idle = (file for file, part in self._open.items() if not part.users)
        oldest = next(idle, None)
        if oldest is not None:
            self._disk.close(self._open.pop(oldest).descriptor)

    def _opened(self, file: int) -> _Part:
        """Open a part that was begun, or make it; what else has its name is removed, never followed."""
        slot = self._slots[file]
        folder = self._folders.descriptor(slot.parent)
        descriptor = self._reopened(slot.name, folder, self._inodes.get(file))
        if descriptor is None:
            if file in self._inodes:
                raise Disturbed(
                    f"{slot.name.decode()} was removed or replaced while it was under way"
                )
            descriptor = create(self._disk, slot, folder)
            self._folders.touched.add(slot.parent)
        found = self._disk.fstat(descriptor)
        self._inodes[file] = found.st_ino
        return _Part(descriptor, found.st_size, range(0))

    def _reopened(self, name: bytes, folder: int, inode: int | None) -> int | None:
        if inode is None:
            return None
        try:
            descriptor = self._disk.open(name, REOPEN_FILE, dir_fd=folder)
        except OSError:
            return None
        found = self._disk.fstat(descriptor)
        if is_own_file(found) and found.st_ino == inode:
            return descriptor
        self._disk.close(descriptor)
        return None

    def _reserve(self, part: _Part, slot: Slot, offset: int, length: int) -> None:
        """Set space aside ahead of the writes, a step with each, unless the file is said to have holes.

        All of it at once would hold up the line: on a tmpfs it takes as long as writing does.
        """
        size, stop, here = slot.entry.size, offset + length, part.reserved
        if slot.entry.needed_bytes < size:
            return
        is_here = offset in here and stop <= here.stop
        start = here.stop if is_here else offset
        wanted = min(max(start, stop) + _STEP_BYTES, stop + limits.RESERVE_AHEAD_BYTES, size)
        if is_here and wanted < min(start + _STEP_BYTES, size):
            return
        try:
            if wanted > start:
                self._disk.reserve(part.descriptor, start, wanted - start)
        except OSError:
            if is_here:
                return  # whoever writes there meets it
            self._disk.reserve(part.descriptor, offset, length)  # a little may fit yet
            wanted = stop
        part.reserved = range(here.start if is_here else offset, wanted)


def create(disk: Disk, slot: Slot, folder: int) -> int:
    """Make a file anew, with the executable bit or without; what had its name is removed, never followed.

    folder: descriptor of the one it lies in. Gives a descriptor. Raises OSError.
    """
    mode = (
        0o777 if slot.entry.is_executable else 0o666
    )  # less what the umask takes; never more bits
    try:
        return disk.open(slot.name, CREATE_FILE, mode, dir_fd=folder)
    except FileExistsError:
        remove_tree(disk, slot.name, folder)
        return disk.open(slot.name, CREATE_FILE, mode, dir_fd=folder)
