"""Renaming without replacing, on every system, and after a kill in the middle of it.

Linux has it in one step. Elsewhere a file is linked under its new name, which fails where there is one, and
unlinked under the old; where there are no links, the new name is taken by an empty file first. A folder's new
name is taken by making it, and the rename replaces that empty folder and nothing else (POSIX: a rename over
a folder that is not empty fails).
"""

from __future__ import annotations

import errno
import os
import stat

from peer.transfers.disk import CREATE_FILE, Disk

_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_TAKEN = frozenset({errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR})


def rename_without_replacing(
    disk: Disk,
    name: bytes,
    folder: int,
    new_name: bytes,
    new_folder: int,
    *,
    is_again: bool = False,
) -> None:
    """Rename `name` in one folder to `new_name` in another of the same file system.

    folder, new_folder: descriptors. is_again: an earlier life may have been killed in this very call, so
    what it left half done is finished. Raises FileExistsError where the new name is taken, OSError.
    """
    if disk.rename_new(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder):
        return
    found = disk.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        _rename_folder(disk, name, folder, new_name, new_folder, is_again=is_again)
    else:
        _rename_file(disk, name, folder, new_name, new_folder, found, is_again=is_again)


def _rename_folder(
    disk: Disk, name: bytes, folder: int, new_name: bytes, new_folder: int, *, is_again: bool
) -> None:
    try:
        disk.mkdir(new_name, 0o700, dir_fd=new_folder)
    except FileExistsError:
        if not is_again:
            raise
    try:
        disk.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)
    except OSError as error:
        if error.errno in _TAKEN:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
        raise


def _rename_file(
    disk: Disk,
    name: bytes,
    folder: int,
    new_name: bytes,
    new_folder: int,
    found: os.stat_result,
    *,
    is_again: bool,
) -> None:
    try:
        disk.link(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder, follow_symlinks=False)
    except FileExistsError:
        if not is_again:
            raise
        there = disk.stat(new_name, dir_fd=new_folder, follow_symlinks=False)
        if (there.st_dev, there.st_ino) != (found.st_dev, found.st_ino):
            if there.st_size or not stat.S_ISREG(there.st_mode):
                raise
            disk.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)
            return
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        disk.close(disk.open(new_name, CREATE_FILE, 0o600, dir_fd=new_folder))
        disk.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=new_folder)
        return
    disk.fsync(new_folder)  # two changes: without power the second may survive and not the first
    disk.unlink(name, dir_fd=folder)
