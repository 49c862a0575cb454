"""A disk in memory that knows what is synced: `peer.transfers.disk.Disk` for tests.

It does what a POSIX file system does, as far as transfers use it, and may lose its power: what was not synced
then survives in part or not at all, each name and each page by itself. A test holds it and the real disk to the
same table.
"""

from __future__ import annotations

import copy
import errno
import os
import random
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from peer.transfers.promised import Promised
from tests.harness.inodes import Change, Node, after_power_cut, nodes_of


def failure(number: int) -> OSError:
    """Give the error of that number, as the class Python makes of it."""
    return OSError(number, os.strerror(number))


class MemoryDisk:
    """A disk in memory. root: the only absolute path it knows. capacity: bytes of files it holds.

    has_extras: it has what only some systems have. fault: asked before each operation, by its name; what
    it gives is raised.
    """

    def __init__(self, root: Path, *, capacity: int = 2**40, has_extras: bool = True) -> None:
        self.capacity = capacity
        self.has_extras = has_extras
        self.fault: Callable[[str], OSError | None] = lambda operation: None
        self.now_ns = 10**18
        self.punched: list[tuple[int, int]] = []
        self._count = 1
        self._root_path = root
        self.root = Node(1, stat.S_IFDIR | 0o755)
        self._changes: list[Change] = []
        self._open: dict[int, Node] = {}
        self._locked: dict[Node, int] = {}
        self.promised = Promised()

    # --- what tests do to it

    def copy(self) -> MemoryDisk:
        """Give another with the same on it, of which nobody has anything open."""
        made = MemoryDisk(self._root_path, capacity=self.capacity, has_extras=self.has_extras)
        made.root, made._changes = copy.deepcopy((self.root, self._changes))
        made.now_ns, made.punched, made._count = self.now_ns, [*self.punched], self._count
        return made

    def reboot(self) -> None:
        """Forget every descriptor and lock, as when a process dies."""
        self._open.clear()
        self._locked.clear()
        self.promised = Promised()

    def power_cut(self, dice: random.Random, chance: float) -> None:
        """Lose power: names and pages that were not synced survive with this chance, each by itself."""
        self.reboot()
        nodes = dict.fromkeys(node for change in self._changes for node in nodes_of(change))
        for node in (self.root, *nodes):
            node.entries = {}
        for change in self._changes:
            if change.waits_for and dice.random() >= chance:
                continue
            if change.goes and change.goes[0].entries.get(change.goes[1]):
                del change.goes[0].entries[change.goes[1]]
            if change.comes:
                folder, name, node = change.comes
                folder.entries[name] = node
        for node in nodes:
            if not node.is_folder:
                node.data = after_power_cut(node, dice, chance)
                node.synced = bytes(node.data)
        for node in nodes:
            node.links = 0
        for folder in (self.root, *nodes):
            for node in folder.entries.values():
                node.links += 1
        self._changes = [
            Change(None, (folder, name, node), set())
            for folder in (self.root, *(n for n in nodes if n.is_folder))
            for name, node in folder.entries.items()
        ]

    def put(self, path: str, content: bytes) -> Node:
        """Write a file from outside, durably; folders on the way are made."""
        *above, name = [part.encode() for part in path.split("/")]
        folder = self.root
        for part in above:
            if part not in folder.entries:
                self._add(folder, part, self._node(stat.S_IFDIR | 0o755), waits_for=set())
            folder = folder.entries[part]
        node = self._node(stat.S_IFREG | 0o644)
        node.data, node.synced = bytearray(content), content
        self._add(folder, name, node, waits_for=set())
        return node

    def tree(self, folder: Node | None = None) -> dict[str, Any]:
        """Give what is there: names to bytes of files, or to the same of folders."""
        entries = (folder or self.root).entries
        return {
            name.decode(): self.tree(node) if node.is_folder else bytes(node.data)
            for name, node in sorted(entries.items())
        }

    def node(self, path: str) -> Node:
        """Find what has this path."""
        node = self.root
        for part in path.split("/"):
            node = node.entries[part.encode()]
        return node

    # --- the port

    def open(
        self, path: bytes | Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
    ) -> int:
        self._may("open")
        if dir_fd is None:
            if path != self._root_path:
                raise failure(errno.ENOENT)
            return self._descriptor(self.root)
        folder = self._folder(dir_fd)
        assert isinstance(path, bytes)
        node = folder.entries.get(path)
        if node is None:
            if not flags & os.O_CREAT:
                raise failure(errno.ENOENT)
            node = self._node(stat.S_IFREG | mode & ~0o022)
            self._add(folder, path, node)
        elif flags & os.O_CREAT and flags & os.O_EXCL:
            raise failure(errno.EEXIST)
        elif stat.S_ISLNK(node.mode):
            raise failure(errno.ENOTDIR if flags & os.O_DIRECTORY else errno.ELOOP)
        elif flags & os.O_DIRECTORY and not node.is_folder:
            raise failure(errno.ENOTDIR)
        elif node.is_folder and flags & (os.O_WRONLY | os.O_RDWR):
            raise failure(errno.EISDIR)
        return self._descriptor(node)

    def close(self, fd: int, /) -> None:
        node = self._open.pop(fd)
        if self._locked.get(node) == fd:
            del self._locked[node]

    def pwrite(self, fd: int, data: bytes | memoryview, offset: int, /) -> int:
        self._may("pwrite")
        node = self._open[fd]
        growth = max(0, offset + len(data) - len(node.data))
        room = self.capacity - self._used()
        if growth > room:
            data = memoryview(data)[: max(0, len(data) - (growth - room))]  # as much as fits
            if not data:
                raise failure(errno.ENOSPC)
        if offset > len(node.data):
            node.data.extend(bytes(offset - len(node.data)))
        node.data[offset : offset + len(data)] = data
        node.mtime_ns = self._now()
        return len(data)

    def preadv(self, fd: int, buffers: Sequence[memoryview], offset: int, /) -> int:
        self._may("preadv")
        (buffer,) = buffers
        found = self._open[fd].data[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)

    def ftruncate(self, fd: int, length: int, /) -> None:
        self._may("ftruncate")
        node = self._open[fd]
        if length != len(node.data):
            node.mtime_ns = self._now()
        del node.data[length:]
        node.data.extend(bytes(length - len(node.data)))

    def fdatasync(self, fd: int, /) -> None:
        self._may("fdatasync")
        self._synced(self._open[fd])

    def fsync(self, fd: int, /) -> None:
        self._may("fsync")
        self._synced(self._open[fd])

    def fstat(self, fd: int, /) -> os.stat_result:
        return self._found(self._open[fd])

    def stat(
        self, path: bytes, *, dir_fd: int | None = None, follow_symlinks: bool = True
    ) -> os.stat_result:
        self._may("stat")
        assert dir_fd is not None
        assert not follow_symlinks
        return self._found(self._entry(dir_fd, path))

    def utime(
        self,
        path: int | bytes,
        *,
        ns: tuple[int, int],
        dir_fd: int | None = None,
        follow_symlinks: bool = True,
    ) -> None:
        self._may("utime")
        assert isinstance(path, int)
        self._open[path].mtime_ns = ns[1]

    def mkdir(self, path: bytes, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self._may("mkdir")
        folder = self._folder(dir_fd)
        if path in folder.entries:
            raise failure(errno.EEXIST)
        self._add(folder, path, self._node(stat.S_IFDIR | mode & ~0o022))

    def rmdir(self, path: bytes, *, dir_fd: int | None = None) -> None:
        self._may("rmdir")
        node = self._entry(dir_fd, path)
        if not node.is_folder:
            raise failure(errno.ENOTDIR)
        if node.entries:
            raise failure(errno.ENOTEMPTY)
        self._remove(self._folder(dir_fd), path)

    def unlink(self, path: bytes, *, dir_fd: int | None = None) -> None:
        self._may("unlink")
        node = self._entry(dir_fd, path)
        if node.is_folder:
            raise failure(errno.EISDIR)
        node.links -= 1
        self._remove(self._folder(dir_fd), path)

    def link(
        self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int, follow_symlinks: bool
    ) -> None:
        self._may("link")
        node = self._entry(src_dir_fd, src)
        if dst in self._folder(dst_dir_fd).entries:
            raise failure(errno.EEXIST)
        node.links += 1
        self._add(self._folder(dst_dir_fd), dst, node)

    def rename(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._may("rename")
        node = self._entry(src_dir_fd, src)
        there = self._folder(dst_dir_fd).entries.get(dst)
        if there is not None and there.is_folder != node.is_folder:
            raise failure(errno.EISDIR if there.is_folder else errno.ENOTDIR)
        if there is not None and there.entries:
            raise failure(errno.ENOTEMPTY)
        self._move(src, dst, src_dir_fd, dst_dir_fd)

    def names(self, folder: int) -> list[bytes]:
        self._may("names")
        return sorted(self._folder(folder).entries)

    def files(self, folder: int) -> frozenset[bytes]:
        self._may("files")
        entries = self._folder(folder).entries
        return frozenset(name for name, node in entries.items() if not node.is_folder)

    def free_bytes(self, folder: int) -> int:
        return max(0, self.capacity - self._used())

    def lock(self, descriptor: int) -> None:
        if self._locked.setdefault(self._open[descriptor], descriptor) != descriptor:
            raise failure(errno.EWOULDBLOCK)

    def rename_new(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> bool:
        self._may("rename_new")
        if not self.has_extras:
            return False
        self._entry(src_dir_fd, src)
        if dst in self._folder(dst_dir_fd).entries:
            raise failure(errno.EEXIST)
        self._move(src, dst, src_dir_fd, dst_dir_fd)
        return True

    def sync_all(self, folder: int) -> bool:
        self._may("sync_all")
        if self.has_extras:
            for node in {self.root, *(n for change in self._changes for n in nodes_of(change))}:
                self._synced(node)
        return self.has_extras

    def reserve(self, descriptor: int, offset: int, length: int) -> bool:
        self._may("reserve")
        growth = max(0, offset + length - len(self._open[descriptor].data))
        if self.has_extras and growth > self.capacity - self._used():
            raise failure(errno.ENOSPC)
        return self.has_extras

    def punch(self, descriptor: int, offset: int, length: int) -> bool:
        self._may("punch")
        if self.has_extras:
            data = self._open[descriptor].data
            stop = min(offset + length, len(data))
            data[offset:stop] = bytes(stop - offset)
            self.punched.append((offset, length))
        return self.has_extras

    def is_hole(self, descriptor: int, offset: int, length: int) -> bool:
        return self.has_extras and not any(self._open[descriptor].data[offset : offset + length])

    def forget(self, descriptor: int) -> None:
        assert descriptor in self._open

    # --- inside

    def _may(self, operation: str) -> None:
        problem = self.fault(operation)
        if problem is not None:
            raise problem

    def _now(self) -> int:
        self.now_ns += 1000
        return self.now_ns

    def _used(self) -> int:
        nodes = {n for change in self._changes for n in nodes_of(change) if n.links}
        return sum(len(node.data) for node in nodes)

    def _node(self, mode: int) -> Node:
        self._count += 1
        return Node(self._count, mode, mtime_ns=self._now())

    def _descriptor(self, node: Node) -> int:
        descriptor = next(n for n in range(3, 10_000) if n not in self._open)
        self._open[descriptor] = node
        return descriptor

    def _folder(self, descriptor: int | None) -> Node:
        assert descriptor is not None
        node = self._open[descriptor]
        assert node.is_folder
        return node

    def _entry(self, descriptor: int | None, name: bytes) -> Node:
        node = self._folder(descriptor).entries.get(name)
        if node is None:
            raise failure(errno.ENOENT)
        return node

    def _add(
        self, folder: Node, name: bytes, node: Node, waits_for: set[Node] | None = None
    ) -> None:
        folder.entries[name] = node
        folder.mtime_ns = self._now()
        waiting = {folder} if waits_for is None else waits_for
        self._changes.append(Change(None, (folder, name, node), waiting))

    def _remove(self, folder: Node, name: bytes) -> None:
        del folder.entries[name]
        folder.mtime_ns = self._now()
        self._changes.append(Change((folder, name), None, {folder}))

    def _move(self, src: bytes, dst: bytes, src_dir_fd: int, dst_dir_fd: int) -> None:
        before, after = self._folder(src_dir_fd), self._folder(dst_dir_fd)
        node = before.entries.pop(src)
        after.entries[dst] = node
        before.mtime_ns = after.mtime_ns = self._now()
        self._changes.append(Change((before, src), (after, dst, node), {before, after}))

    def _synced(self, node: Node) -> None:
        if node.is_folder:
            for change in self._changes:
                change.waits_for.discard(node)
        else:
            node.synced = bytes(node.data)

    def _found(self, node: Node) -> os.stat_result:
        size = len(node.data)
        return os.stat_result(
            (node.mode, node.inode, 1, node.links, 0, 0, size, 0, 0, 0),
            {"st_mtime_ns": node.mtime_ns, "st_blocks": -(-size // 512)},
        )
