"""The disk as transfers use it: one port, the real adapter, and what its faults mean to a person.

Everything goes by descriptors of folders and names of one component below them, as bytes of UTF-8 whatever
the locale is. What only some systems have (`renameat2`, `syncfs`, `fallocate`) answers "not here" elsewhere,
and callers have another way; `SystemDisk(is_portable=True)` answers so everywhere, which tests use.
"""

# ruff: noqa: D102 (the methods of the port that are not `os`' are described together)
from __future__ import annotations

import ctypes
import errno
import fcntl
import os
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Protocol

from peer.errors import PeerError
from peer.transfers.promised import Promised, no_space
from wire.codes import Code
from wire.errors import LocalProtocolError

READ_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
READ_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # NONBLOCK: a pipe put there
CREATE_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
REOPEN_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_NOREPLACE = 1  # <linux/fs.h>
_KEEP_SIZE = 1  # <linux/falloc.h>
_PUNCH_HOLE = 2
_UNSUPPORTED = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP})


class Disk(Protocol):
    """What transfers do to a disk; all raise OSError, names are one component.

    Those of `os` by the same name do what they do there. The others:

    names(folder): what is in a folder. files(folder): the plain files of it. free_bytes(folder): what a person without privileges may use.
    lock(descriptor): take it for this process until it is closed; raises BlockingIOError if another has
    it. rename_new(...): rename without replacing, in one step. sync_all(folder): bring everything of
    its file system to the disk. reserve(descriptor, offset, length): set space aside without making the
    file longer. punch(descriptor, offset, length): make zeros of it. is_hole(descriptor, offset,
    length): tell that no bytes were written there. These five give False where the system cannot.
    forget(descriptor): drop what memory keeps of a file and the disk has, so that it is read from there.
    promised: what is still to be written to it.
    """

    promised: Promised

    def open(
        self, path: bytes | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int: ...
    def close(self, fd: int, /) -> None: ...
    def pwrite(self, fd: int, data: bytes | memoryview, offset: int, /) -> int: ...
    def preadv(self, fd: int, buffers: Sequence[memoryview], offset: int, /) -> int: ...
    def ftruncate(self, fd: int, length: int, /) -> None: ...
    def fdatasync(self, fd: int, /) -> None: ...
    def fsync(self, fd: int, /) -> None: ...
    def fstat(self, fd: int, /) -> os.stat_result: ...
    def stat(
        self, path: bytes, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result: ...
    def utime(
        self,
        path: int | bytes,
        *,
        ns: tuple[int, int],
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None: ...
    def mkdir(self, path: bytes, mode: int = 0o777, *, dir_fd: int | None = None) -> None: ...
    def rmdir(self, path: bytes, *, dir_fd: int | None = None) -> None: ...
    def unlink(self, path: bytes, *, dir_fd: int | None = None) -> None: ...
    def link(
        self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool
    ) -> None: ...
    def rename(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None: ...

    def names(self, folder: int) -> list[bytes]: ...
    def files(self, folder: int) -> frozenset[bytes]: ...
    def free_bytes(self, folder: int) -> int: ...
    def lock(self, descriptor: int) -> None: ...
    def rename_new(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> bool: ...
    def sync_all(self, folder: int) -> bool: ...
    def reserve(self, descriptor: int, offset: int, length: int) -> bool: ...
    def punch(self, descriptor: int, offset: int, length: int) -> bool: ...
    def is_hole(self, descriptor: int, offset: int, length: int) -> bool: ...
    def forget(self, descriptor: int) -> None: ...


class SystemDisk:
    """The disk of this machine. is_portable: do without what only some systems have."""

    promised = Promised()  # one of all, as there is one machine

    def __init__(self, *, is_portable: bool = False) -> None:
        self._is_portable = is_portable

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pwrite = staticmethod(os.pwrite)
    preadv = staticmethod(os.preadv)
    ftruncate = staticmethod(os.ftruncate)
    fdatasync = staticmethod(getattr(os, "fdatasync", os.fsync))
    fsync = staticmethod(os.fsync)
    fstat = staticmethod(os.fstat)
    stat = staticmethod(os.stat)
    utime = staticmethod(os.utime)
    mkdir = staticmethod(os.mkdir)
    rmdir = staticmethod(os.rmdir)
    unlink = staticmethod(os.unlink)
    link = staticmethod(os.link)
    rename = staticmethod(os.rename)

    @staticmethod
    def names(folder: int) -> list[bytes]:
        """List what is in a folder, by its descriptor."""
        return [os.fsencode(name) for name in os.listdir(folder)]

    @staticmethod
    def files(folder: int) -> frozenset[bytes]:
        """List the plain files in a folder, by its descriptor: no links, no folders."""
        with os.scandir(folder) as found:
            names = [each.name for each in found if each.is_file(follow_symlinks=False)]
        joined = os.fsencode("\0".join(names))  # one by one it costs twice
        return frozenset(joined.split(b"\0")) if names else frozenset()

    @staticmethod
    def free_bytes(folder: int) -> int:
        """Say how many bytes may still be written."""
        found = os.fstatvfs(folder)
        return found.f_bavail * found.f_frsize

    @staticmethod
    def lock(descriptor: int) -> None:
        """Take a file for this process until it is closed."""
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def rename_new(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> bool:
        """Rename unless the new name is taken; raises FileExistsError then."""
        return self._call("renameat2", src_dir_fd, src, dst_dir_fd, dst, _NOREPLACE)

    def sync_all(self, folder: int) -> bool:
        """Bring everything of a file system to the disk."""
        return self._call("syncfs", folder)

    def reserve(self, descriptor: int, offset: int, length: int) -> bool:
        """Set space aside; not `posix_fallocate`, which writes zeros where the system cannot."""
        return self._fallocate(descriptor, _KEEP_SIZE, offset, length)

    def punch(self, descriptor: int, offset: int, length: int) -> bool:
        """Make a hole."""
        return self._fallocate(descriptor, _PUNCH_HOLE | _KEEP_SIZE, offset, length)

    def is_hole(self, descriptor: int, offset: int, length: int) -> bool:
        """Tell that nothing was written there, as far as the file system knows."""
        if self._is_portable or not hasattr(os, "SEEK_DATA"):
            return False
        try:
            return os.lseek(descriptor, offset, os.SEEK_DATA) >= offset + length
        except OSError as error:
            return error.errno == errno.ENXIO  # no bytes from there to the end

    @staticmethod
    def forget(descriptor: int) -> None:
        """Have a file read from the disk, not from memory, as far as it was written there."""
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def _fallocate(self, descriptor: int, mode: int, offset: int, length: int) -> bool:
        return self._call(
            "fallocate", descriptor, mode, ctypes.c_int64(offset), ctypes.c_int64(length)
        )

    def _call(self, name: str, *arguments: object) -> bool:
        function = None if self._is_portable else _libc(name)
        if function is None:
            return False
        while function(*arguments) != 0:
            number = ctypes.get_errno()
            if number in _UNSUPPORTED:
                return False
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
        return True


@cache
def _libc(name: str) -> ctypes._NamedFuncPointer | None:
    """Find a function of the C library that only some systems have."""
    try:
        function: ctypes._NamedFuncPointer = getattr(ctypes.CDLL(None, use_errno=True), name)
    except (OSError, AttributeError, TypeError):
        return None
    return function


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def fault(error: OSError, folder: Path, *, need_bytes: int = 0, have_bytes: int = -1) -> PeerError:
    """Give what an error of the disk means to a person.

    folder: where the transfer lands. need_bytes, have_bytes: what was to be written and what is free, as
    far as known. NO_SPACE for a full disk or a used-up quota, NAME_TOO_LONG and SIZE_INVALID for what this
    file system cannot hold, FOLDER_GONE for the rest: not there, read-only, broken, not allowed.
    """
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        detail = f"{folder}: {reason.lower()}"
        if error.errno == errno.ENOSPC or need_bytes:
            detail = no_space(folder, need_bytes, max(have_bytes, 0)).detail
        if error.errno == errno.EDQUOT:
            detail += " (quota)"
        return PeerError(Code.NO_SPACE, detail)
    if error.errno == errno.ENAMETOOLONG:
        return PeerError(Code.NAME_TOO_LONG, f"{folder} cannot hold a name this long")
    if error.errno == errno.EFBIG:
        return PeerError(Code.SIZE_INVALID, f"{folder} cannot hold a file this large")
    return PeerError(Code.FOLDER_GONE, f"{folder}: {reason}")


class Translated:
    """With it the faults of a disk become what they mean to a person; to be used again and again, and within itself.

    check: called before; raises if nothing can be done here. meaning: gives the error for a fault.
    """

    __slots__ = (
        "_check",
        "_meaning",
    )  # and no generator: one at every chunk costs 1 % of a fast transfer

    def __init__(self, check: Callable[[], None], meaning: Callable[[OSError], PeerError]) -> None:
        self._check = check
        self._meaning = meaning

    def __enter__(self) -> None:
        self._check()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, OSError):
            raise self._meaning(error) from error


def refusing(folder: Path) -> Translated:
    """Give what lets nothing be done in a folder any more.

    It knows nobody: a sink and what translates for it are a ring, which would keep all its lists until the
    collector comes.
    """

    def refuse() -> None:
        raise LocalProtocolError("the sink is closed")

    return Translated(refuse, lambda error: fault(error, folder))


def write_all(disk: Disk, descriptor: int, data: memoryview, offset: int) -> None:
    """Write all of `data`, however many calls that takes."""
    written = disk.pwrite(descriptor, data, offset)
    while written < len(data):
        written += disk.pwrite(descriptor, data[written:], offset + written)


def exists(disk: Disk, name: bytes, folder: int) -> bool:
    """Say whether anything has this name in a folder; links are not followed."""
    try:
        disk.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
