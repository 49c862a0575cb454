"""The folder in which one transfer is put together: every path below it is reached without following a link.

    FOLDER/NAME.<8 hex>.part/     visibly not whole
        journal                   see `peer.transfers.journal`; locked while somebody is at work
        tree/                     what comes, under the names it will have

All access goes by descriptors of folders that were opened one component at a time with O_NOFOLLOW, so whoever
puts a symbolic link there is refused rather than followed. A folder of that name that has no journal of ours
belongs to somebody else and stays as it is.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

from peer.errors import PeerError
from peer.transfers import journal as journals
from peer.transfers import notes
from peer.transfers.disk import READ_FOLDER, Disk
from peer.transfers.journal import Journal
from peer.transfers.notes import Found, Notes
from peer.transfers.paths import TOP, Place
from wire.codes import Code
from wire.transfer.holding import OfferKey

TREE = b"tree"
FOLDERS_OPEN = 64
_NO_FOLDER = frozenset({errno.ENOTDIR, errno.ELOOP, errno.EMLINK})  # a link or a file (EMLINK: BSD)


class Workplace:
    """One work folder, open and locked.

    outside, inside, tree: descriptors of the folder where things land, of the work folder, of the tree.
    found: what an earlier life noted, None if this is the first. lost: how it was noticed that the folder's
    path leads elsewhere by now. Raises OSError, and PeerError with FILE_EXISTS if something else has that name
    or another process is at work in it.
    """

    def __init__(
        self, disk: Disk, folder: Path, name: str, key: OfferKey, manifest_digest: bytes
    ) -> None:
        self.disk = disk
        self.name = name.encode()
        self.found: Notes | None = None
        self.journal: Journal | None = None
        self.lost: OSError | None = None
        self.inside = self.tree = -1
        self.outside = disk.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._enter(name)
            self._take_journal(name, key, manifest_digest)
            self.tree, is_made = _open_or_make(disk, TREE, self.inside, 0o700)
            if is_made:
                disk.fsync(self.inside)
                disk.fsync(self.outside)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of all descriptors, the lock with them; again changes nothing."""
        if self.journal is not None:
            self.journal.close()
            self.journal = None
        for descriptor in (self.tree, self.inside, self.outside):
            if descriptor >= 0:
                self.disk.close(descriptor)
        self.tree = self.inside = self.outside = -1

    def must_stand(self, folder: Path) -> None:
        """See that the path where things land still leads to where they are: raises OSError, and notes it.

        A disk may be unmounted, a folder moved, while it is open: what is written then goes where nobody
        looks for it, and keeps a disk from being let go.
        """
        try:
            found = self.disk.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                here, open_ = self.disk.fstat(found), self.disk.fstat(self.outside)
            finally:
                self.disk.close(found)
            if (here.st_dev, here.st_ino) != (open_.st_dev, open_.st_ino):
                raise FileNotFoundError(errno.ENOENT, "another folder stands there now")
        except OSError as error:
            self.lost = error
            raise

    def _enter(self, name: str) -> None:
        try:
            self.disk.mkdir(self.name, 0o700, dir_fd=self.outside)
        except FileExistsError:
            self.inside = _open_work(self.disk, self.outside, name)
        else:
            self.inside = self.disk.open(self.name, READ_FOLDER, dir_fd=self.outside)

    def _take_journal(self, name: str, key: OfferKey, manifest_digest: bytes) -> None:
        disk = self.disk
        descriptor = _open_journal(disk, self.inside, name)
        if descriptor is not None:
            try:
                found = _recognise(disk, descriptor, key, manifest_digest)
                if found is Found.OURS:
                    self.found = notes.read(disk, descriptor)
                    self.journal = Journal(disk, descriptor, self.found.size, self.found.check)
                    disk.ftruncate(descriptor, self.found.size)
                    return
                if found is Found.FOREIGN:
                    raise _occupied(name)
                empty(disk, self.inside)
            finally:
                if self.journal is None:
                    disk.close(descriptor)
        if disk.names(self.inside):
            raise _occupied(name)  # it has something, and no journal of ours
        self.journal = journals.begin(disk, self.inside, key, manifest_digest)


class Folders:
    """Descriptors of the folders below a tree, a bounded number of them open.

    tree: the descriptor of the tree. places: of the folders of the manifest, by number. May be used from several
    threads: what is done in a folder is done while the lock is held, so none closes under another.
    touched: those whose lists of names changed and are not on the disk yet, by number; others add to it.
    """

    def __init__(self, disk: Disk, tree: int, places: Mapping[int, Place]) -> None:
        self._disk = disk
        self._tree = tree
        self._places = places
        self._open: OrderedDict[int, int] = OrderedDict()
        self.touched: set[int] = set()
        self.lock = threading.Lock()

    def descriptor(self, number: int) -> int:
        """Give the descriptor of the folder that entry `number` is, or of the tree for TOP.

        Made if it is missing. Call it with the lock held; it is good until the next call. Raises OSError.
        """
        if number == TOP:
            return self._tree
        found = self._open.get(number)
        if found is not None:
            self._open.move_to_end(number)
            return found
        place = self._places[number]
        above = self.descriptor(place.parent)
        found, is_made = _open_or_make(self._disk, place.name.encode(), above, 0o777)
        if is_made:
            self.touched.add(place.parent)
        self._open[number] = found
        if len(self._open) > FOLDERS_OPEN:
            self._disk.close(self._open.popitem(last=False)[1])
        return found

    def doubt(self, numbers: Iterable[int]) -> None:
        """Take note that names in these folders, and theirs in those above, may not be on the disk. With the lock held."""
        for number in set(numbers):
            place = number
            while place != TOP and place not in self.touched:
                self.touched.add(place)
                place = self._places[place].parent
            self.touched.add(TOP)

    def top_of(self, number: int) -> str:
        """Give the name of the folder at the top of the tree that holds a folder, or is it."""
        place = self._places[number]
        while place.parent != TOP:
            place = self._places[place.parent]
        return place.name

    def close(self) -> None:
        """Let go of all of them."""
        with self.lock:
            while self._open:
                self._disk.close(self._open.popitem()[1])


def is_there(disk: Disk, folder: Path, name: str, key: OfferKey) -> bool:
    """Say whether there is a work folder of this offer; whatever its manifest. Raises PeerError, OSError."""
    return _visit(disk, folder, name, key, is_removed=False)


def clear(disk: Disk, folder: Path, name: str, key: OfferKey) -> bool:
    """Remove the work folder of this offer and all that is in it; False if there is none.

    What has that name and is not ours stays. Raises PeerError(FILE_EXISTS) while another process is at
    work in it, OSError.
    """
    return _visit(disk, folder, name, key, is_removed=True)


def _visit(disk: Disk, folder: Path, name: str, key: OfferKey, *, is_removed: bool) -> bool:
    opened: list[int] = []
    try:
        opened.append(disk.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        opened.append(disk.open(name.encode(), READ_FOLDER, dir_fd=opened[0]))
        outside, inside = opened
        journal = _open_journal(disk, inside, name, is_locked=is_removed)
        if journal is None:
            is_ours = not disk.names(inside)  # the very first step was its last
        else:
            opened.append(journal)
            is_ours = _recognise(disk, journal, key, b"") is not Found.FOREIGN
        if is_ours and is_removed:
            empty(disk, inside)
            remove_empty(disk, name.encode(), outside)
        return is_ours
    except OSError as error:
        if len(opened) < 2 and (error.errno == errno.ENOENT or error.errno in _NO_FOLDER):
            return False
        raise
    finally:
        for descriptor in opened:
            disk.close(descriptor)


def empty(disk: Disk, inside: int) -> None:
    """Take everything out of a work folder; the journal, which tells whose it is, goes last."""
    for name in disk.names(inside):
        if name != journals.NAME:
            remove_tree(disk, name, inside)
    disk.fsync(inside)
    try:
        disk.unlink(journals.NAME, dir_fd=inside)
    except FileNotFoundError:
        return


def remove_empty(disk: Disk, name: bytes, outside: int) -> None:
    """Remove an emptied work folder, durably."""
    try:
        disk.rmdir(name, dir_fd=outside)
    except FileNotFoundError:
        return
    disk.fsync(outside)


def remove_tree(disk: Disk, name: bytes, above: int) -> None:
    """Remove what has this name and all below it; links are removed, not followed.

    What lies on another file system stays, and all above it. Raises OSError.
    """
    device = disk.fstat(above).st_dev
    levels: list[tuple[bytes, int, list[bytes]]] = []
    todo = [name]
    folder = above
    try:
        while True:
            if todo:
                inner = todo.pop()
                opened = _open_or_unlink(disk, inner, folder, device)
                if opened is not None:
                    levels.append((inner, folder, todo))
                    folder = opened
                    todo = disk.names(folder)
            elif levels:
                disk.close(folder)
                inner, folder, todo = levels.pop()
                disk.rmdir(inner, dir_fd=folder)
            else:
                return
    finally:
        while levels:
            disk.close(folder)
            _, folder, _ = levels.pop()


def _open_or_unlink(disk: Disk, name: bytes, folder: int, device: int) -> int | None:
    """Open what is a folder, unlink what is none."""
    try:
        opened = disk.open(name, READ_FOLDER, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise
        disk.unlink(name, dir_fd=folder)
        return None
    if disk.fstat(opened).st_dev != device:
        disk.close(opened)
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
    return opened


def _open_or_make(disk: Disk, name: bytes, above: int, mode: int) -> tuple[int, bool]:
    """Open a folder of ours; what stands there and is none, a link above all, is removed."""
    try:
        return disk.open(name, READ_FOLDER, dir_fd=above), False
    except FileNotFoundError:
        pass
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            raise
        disk.unlink(name, dir_fd=above)
    disk.mkdir(name, mode, dir_fd=above)
    return disk.open(name, READ_FOLDER, dir_fd=above), True


def _open_work(disk: Disk, outside: int, name: str) -> int:
    try:
        return disk.open(name.encode(), READ_FOLDER, dir_fd=outside)
    except OSError as error:
        if error.errno in _NO_FOLDER:
            raise _occupied(name) from error
        raise


def _open_journal(disk: Disk, inside: int, name: str, *, is_locked: bool = True) -> int | None:
    try:
        descriptor = journals.open_found(disk, inside, is_locked=is_locked)
    except BlockingIOError as error:
        raise PeerError(
            Code.FILE_EXISTS,
            f"another program is at work in {name}",
            remedy="let it finish, or choose another folder",
        ) from error
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _occupied(name) from error
        raise
    if descriptor is not None and not stat.S_ISREG(disk.fstat(descriptor).st_mode):
        disk.close(descriptor)
        raise _occupied(name)
    return descriptor


def _recognise(disk: Disk, descriptor: int, key: OfferKey, manifest_digest: bytes) -> Found:
    start = bytearray(journals.HEADER.size)
    got = disk.preadv(descriptor, [memoryview(start)], 0)
    return notes.recognise(bytes(start[:got]), key, manifest_digest)


def _occupied(name: str) -> PeerError:
    return PeerError(
        Code.FILE_EXISTS,
        f"{name} stands there and is no work folder of this transfer",
        remedy="move it away, or choose another folder",
    )
