"""A sink that several threads write to while another syncs: nothing mixed up, nothing vouched for too early."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from peer.errors import PeerError
from peer.transfers.disk import SystemDisk
from peer.transfers.sink import Sink
from tests.peer.transfers.landings import KEY, digest, file, folder, put
from wire.limits import CHUNK_BYTES
from wire.transfer.manifest import FILE, Entry


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def test_syncing_in_another_thread_vouches_only_for_what_it_brought(tmp_path: Path) -> None:
    """Many small files are written while another thread syncs without pause; then a kill."""
    count = 2000
    content = b"x" * 500
    entries = [folder("d"), *(file(f"d/{number:05}", content) for number in range(count))]
    sink = Sink.open(tmp_path, KEY, "d", entries)
    done = threading.Event()
    problems: list[BaseException] = []

    def sync() -> None:
        try:
            while not done.is_set():
                sink.sync()
        except PeerError as problem:
            problems.append(problem)

    thread = threading.Thread(target=sync)
    thread.start()
    for number in range(count):
        put(sink, number, 0, memoryview(content), digest(content))
        if number % 50 == 49:
            sink.finish_files(range(number - 49, number + 1))
    done.set()
    thread.join()
    assert problems == []
    sink._let_go()  # killed
    sink = Sink.open(tmp_path, KEY, "d", entries)
    assert sum(found.is_whole for found in sink.restored()) == count
    sink.finish()
    sink.discard()
    assert len(names_in(tmp_path / "d")) == count


def test_several_threads_may_write_to_more_parts_than_may_be_open(tmp_path: Path) -> None:
    """Parts are closed and opened again under one another's feet; each byte ends in its own file."""
    count, writers = 40, 4
    size = 3 * CHUNK_BYTES // 2
    entries = [Entry(f"{number:02}", FILE, size, False, 0) for number in range(count)]
    sink = Sink.open(tmp_path, KEY, "many", entries)
    contents = [bytes([number + 1]) * CHUNK_BYTES for number in range(count)]
    done = threading.Event()
    problems: list[BaseException] = []

    def write(own: int) -> None:
        try:
            for index, length in ((1, size - CHUNK_BYTES), (0, CHUNK_BYTES)):
                for number in range(own, count, writers):
                    data = memoryview(contents[number])[:length]
                    put(sink, number, index, data, digest(data))
        except PeerError as problem:
            problems.append(problem)

    def sync() -> None:
        while not done.is_set():
            sink.sync()

    threads = [threading.Thread(target=write, args=(own,)) for own in range(writers)]
    syncing = threading.Thread(target=sync)
    for thread in (syncing, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    syncing.join()
    assert problems == []
    sink.finish_files(range(count))
    sink.finish()
    sink.discard()
    for number in range(count):
        found = (tmp_path / f"{number:02}").read_bytes()
        assert found == contents[number][:1] * size


def test_a_write_does_not_wait_for_a_sync(tmp_path: Path) -> None:
    """The disk takes for ever to sync: writing goes on meanwhile, from the first byte to the last."""
    is_syncing, may_end = threading.Event(), threading.Event()

    class Slow(SystemDisk):
        def fdatasync(self, fd: Any) -> None:
            is_syncing.set()
            assert may_end.wait(30)

    size = 4 * CHUNK_BYTES
    entries = [folder("d"), file("d/big", bytes(size)), file("d/small", b"x")]
    sink = Sink.open(tmp_path, KEY, "d", entries, disk=Slow())
    data = memoryview(b"\1" * CHUNK_BYTES)
    put(sink, 0, 0, data, digest(data))
    syncing = threading.Thread(target=sink.sync)
    syncing.start()
    assert is_syncing.wait(30)
    for index in range(1, 4):
        put(sink, 0, index, data, digest(data))
    put(sink, 1, 0, memoryview(b"x"), digest(b"x"))
    sink.finish_files([0, 1])
    assert syncing.is_alive()
    may_end.set()
    syncing.join()
    sink.finish()
    sink.discard()
    assert names_in(tmp_path / "d") == ["big", "small"]
