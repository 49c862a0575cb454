"""The disk in memory and the real one answer alike, with all that Linux has and without."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.transfers.disk import (
    CREATE_FILE,
    READ_FILE,
    READ_FOLDER,
    REOPEN_FILE,
    Disk,
    SystemDisk,
    fault,
)
from peer.transfers.rename import rename_without_replacing
from tests.harness.disks import MemoryDisk, failure
from wire.codes import Code


class Bench:
    """A disk, a folder of it, and what to compare."""

    def __init__(self, disk: Disk, root: Path) -> None:
        self.disk = disk
        self.folder = disk.open(root, os.O_RDONLY | os.O_DIRECTORY)

    def make(self, name: bytes, content: bytes = b"") -> None:
        descriptor = self.disk.open(name, CREATE_FILE, 0o644, dir_fd=self.folder)
        self.disk.pwrite(descriptor, content, 0)
        self.disk.close(descriptor)

    def inside(self, name: bytes) -> int:
        self.disk.mkdir(name, 0o755, dir_fd=self.folder)
        return self.disk.open(name, READ_FOLDER, dir_fd=self.folder)

    def content(self, name: bytes, folder: int | None = None) -> bytes:
        where = self.folder if folder is None else folder
        descriptor = self.disk.open(name, READ_FILE, dir_fd=where)
        buffer = memoryview(bytearray(100))
        got = self.disk.preadv(descriptor, [buffer], 0)
        self.disk.close(descriptor)
        return bytes(buffer[:got])


@pytest.fixture(params=["real", "real-portable", "memory", "memory-portable"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    is_portable = request.param.endswith("portable")
    if request.param.startswith("real"):
        return Bench(SystemDisk(is_portable=is_portable), tmp_path)
    root = Path("/downloads")
    return Bench(MemoryDisk(root, has_extras=not is_portable), root)


def error_of(act: Callable[[], object]) -> int | None:
    with pytest.raises(OSError) as problem:
        act()
    return problem.value.errno


def test_names_are_made_once_and_found_only_as_what_they_are(bench: Bench) -> None:
    disk, folder = bench.disk, bench.folder
    bench.make(b"file", b"x")
    disk.mkdir(b"folder", 0o755, dir_fd=folder)
    assert sorted(disk.names(folder)) == [b"file", b"folder"]
    assert disk.files(folder) == {b"file"}
    assert error_of(lambda: disk.open(b"file", CREATE_FILE, 0o644, dir_fd=folder)) == errno.EEXIST
    assert error_of(lambda: disk.open(b"none", REOPEN_FILE, dir_fd=folder)) == errno.ENOENT
    assert error_of(lambda: disk.open(b"file", READ_FOLDER, dir_fd=folder)) == errno.ENOTDIR
    assert error_of(lambda: disk.open(b"folder", REOPEN_FILE, dir_fd=folder)) == errno.EISDIR
    assert error_of(lambda: disk.mkdir(b"file", dir_fd=folder)) == errno.EEXIST
    assert (
        error_of(lambda: disk.stat(b"none", dir_fd=folder, follow_symlinks=False)) == errno.ENOENT
    )
    assert error_of(lambda: disk.unlink(b"folder", dir_fd=folder)) == errno.EISDIR
    assert error_of(lambda: disk.rmdir(b"file", dir_fd=folder)) == errno.ENOTDIR
    inner = disk.open(b"folder", READ_FOLDER, dir_fd=folder)
    disk.close(disk.open(b"in", CREATE_FILE, dir_fd=inner))
    assert error_of(lambda: disk.rmdir(b"folder", dir_fd=folder)) == errno.ENOTEMPTY


def test_bytes_stay_where_they_were_put_and_gaps_are_zeros(bench: Bench) -> None:
    disk = bench.disk
    descriptor = disk.open(b"file", CREATE_FILE, 0o644, dir_fd=bench.folder)
    assert disk.pwrite(descriptor, b"abc", 5) == 3
    assert bench.content(b"file") == b"\0\0\0\0\0abc"
    disk.ftruncate(descriptor, 6)
    disk.ftruncate(descriptor, 8)
    assert bench.content(b"file") == b"\0\0\0\0\0a\0\0"
    disk.utime(descriptor, ns=(7, 7_000_000_000))
    found = disk.fstat(descriptor)
    assert (found.st_size, found.st_mtime_ns, found.st_nlink) == (8, 7_000_000_000, 1)


def test_reserving_makes_no_file_longer_and_punching_makes_zeros(bench: Bench) -> None:
    disk = bench.disk
    descriptor = disk.open(b"file", CREATE_FILE, 0o644, dir_fd=bench.folder)
    disk.pwrite(descriptor, b"x" * 8192, 0)
    disk.reserve(descriptor, 8192, 65536)
    assert disk.fstat(descriptor).st_size == 8192
    if disk.punch(descriptor, 0, 8192):
        assert bench.content(b"file") == bytes(100)
        assert disk.is_hole(descriptor, 0, 4096)
    assert disk.fstat(descriptor).st_size == 8192
    disk.forget(descriptor)
    disk.sync_all(bench.folder)
    assert disk.free_bytes(bench.folder) > 0


def test_a_lock_is_held_by_one_descriptor_until_it_is_closed(bench: Bench) -> None:
    disk = bench.disk
    bench.make(b"file")
    first, second = (disk.open(b"file", REOPEN_FILE, dir_fd=bench.folder) for _ in range(2))
    disk.lock(first)
    with pytest.raises(BlockingIOError):
        disk.lock(second)
    disk.close(first)
    disk.lock(second)


@pytest.mark.parametrize("is_again", [False, True])
def test_a_rename_takes_a_free_name_and_never_another(bench: Bench, is_again: bool) -> None:
    disk, folder = bench.disk, bench.folder
    tree = bench.inside(b"tree")
    for name, content in ((b"taken", b"theirs"), (b"film", b"ours")):
        bench.make(name, content)
    rename_without_replacing(disk, b"film", folder, b"film", tree, is_again=is_again)
    assert bench.content(b"film", tree) == b"ours"
    with pytest.raises(FileExistsError):
        rename_without_replacing(disk, b"film", tree, b"taken", folder, is_again=is_again)
    assert (bench.content(b"taken"), bench.content(b"film", tree)) == (b"theirs", b"ours")


@pytest.mark.parametrize("is_again", [False, True])
def test_a_folder_takes_a_free_name_and_never_one_with_something_in_it(
    bench: Bench, is_again: bool
) -> None:
    disk, folder = bench.disk, bench.folder
    tree = bench.inside(b"tree")
    disk.mkdir(b"stuff", dir_fd=tree)
    taken = bench.inside(b"taken")
    disk.close(disk.open(b"theirs", CREATE_FILE, dir_fd=taken))
    bench.make(b"file", b"theirs")
    for name in (b"taken", b"file"):
        with pytest.raises(FileExistsError):
            rename_without_replacing(disk, b"stuff", tree, name, folder, is_again=is_again)
    rename_without_replacing(disk, b"stuff", tree, b"stuff", folder, is_again=is_again)
    assert sorted(disk.names(folder)) == [b"file", b"stuff", b"taken", b"tree"]
    assert disk.names(taken) == [b"theirs"]


def test_an_empty_folder_that_somebody_made_is_not_replaced(bench: Bench) -> None:
    tree = bench.inside(b"tree")
    bench.disk.mkdir(b"stuff", dir_fd=tree)
    bench.disk.mkdir(b"stuff", dir_fd=bench.folder)
    with pytest.raises(FileExistsError):
        rename_without_replacing(bench.disk, b"stuff", tree, b"stuff", bench.folder)


def test_a_rename_that_was_killed_halfway_is_finished_in_the_next_life(bench: Bench) -> None:
    """Between link and unlink, and between mkdir and rename: only the portable way has such a half."""
    disk, folder = bench.disk, bench.folder
    if disk.sync_all(folder):
        return
    tree = bench.inside(b"tree")
    bench.make(b"film", b"ours")
    disk.link(b"film", b"film", src_dir_fd=folder, dst_dir_fd=tree, follow_symlinks=False)
    rename_without_replacing(disk, b"film", tree, b"film", folder, is_again=True)
    disk.mkdir(b"stuff", dir_fd=tree)
    disk.mkdir(b"stuff", dir_fd=folder)
    rename_without_replacing(disk, b"stuff", tree, b"stuff", folder, is_again=True)
    assert disk.names(tree) == []
    assert bench.content(b"film") == b"ours"


@pytest.mark.parametrize("is_again", [False, True])
def test_where_there_are_no_links_an_empty_file_holds_the_name(is_again: bool) -> None:
    disk = MemoryDisk(Path("/downloads"), has_extras=False)
    disk.fault = lambda operation: failure(errno.EPERM) if operation == "link" else None
    bench = Bench(disk, Path("/downloads"))
    tree = bench.inside(b"tree")
    for name in (b"film", b"taken"):
        bench.make(name, b"theirs" if name == b"taken" else b"ours")
    rename_without_replacing(disk, b"film", bench.folder, b"film", tree, is_again=is_again)
    with pytest.raises(FileExistsError):
        rename_without_replacing(disk, b"film", tree, b"taken", bench.folder, is_again=is_again)
    assert (bench.content(b"film", tree), bench.content(b"taken")) == (b"ours", b"theirs")


def test_an_empty_file_that_held_a_name_before_a_kill_is_replaced() -> None:
    disk = MemoryDisk(Path("/downloads"), has_extras=False)
    bench = Bench(disk, Path("/downloads"))
    tree = bench.inside(b"tree")
    bench.make(b"film", b"ours")
    disk.close(disk.open(b"film", CREATE_FILE, dir_fd=tree))
    rename_without_replacing(disk, b"film", bench.folder, b"film", tree, is_again=True)
    assert bench.content(b"film", tree) == b"ours"


def test_a_link_is_not_followed_by_anything_that_opens(tmp_path: Path) -> None:
    disk = SystemDisk()
    (tmp_path / "file").write_bytes(b"x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to-file").symlink_to("file")
    (tmp_path / "to-folder").symlink_to("folder")
    folder = disk.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    for name, flags in (
        (b"to-file", REOPEN_FILE),
        (b"to-file", READ_FILE),
        (b"to-folder", READ_FOLDER),
    ):
        assert error_of(partial(disk.open, name, flags, dir_fd=folder)) in {
            errno.ELOOP,
            errno.ENOTDIR,
        }
    os.close(folder)


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, Code.NO_SPACE),
        (errno.EDQUOT, Code.NO_SPACE),
        (errno.EROFS, Code.FOLDER_GONE),
        (errno.EIO, Code.FOLDER_GONE),
        (errno.ENOENT, Code.FOLDER_GONE),
        (errno.EACCES, Code.FOLDER_GONE),
        (errno.ESTALE, Code.FOLDER_GONE),
        (errno.EMFILE, Code.FOLDER_GONE),
        (errno.EFBIG, Code.SIZE_INVALID),
        (errno.ENAMETOOLONG, Code.NAME_TOO_LONG),
    ],
)
def test_a_fault_of_the_disk_has_a_code_and_names_the_folder(number: int, code: Code) -> None:
    problem = fault(failure(number), Path("/downloads"), need_bytes=5000, have_bytes=7)
    assert isinstance(problem, PeerError)
    assert problem.code is code
    assert "/downloads" in problem.message
    if code is Code.NO_SPACE:
        assert "5000" in problem.message
        assert " 7 " in problem.message
