"""A sink on a disk that is full, broken, gone or read-only: a named fault, and nothing lost or wrong."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.transfers.disk import SystemDisk
from peer.transfers.sink import Sink
from tests.harness.disks import MemoryDisk, failure
from tests.harness.dying import DyingDisk
from tests.peer.transfers.landings import (
    BIG,
    ENTRIES,
    KEY,
    LANDED,
    MTIME_MS,
    ROOT,
    Transfer,
    bring,
    check_whole_or_absent,
    chunk,
    digest,
    failing_once,
    file,
    missing_of,
    open_sink,
    put,
)
from wire.codes import Code
from wire.ids import OfferId
from wire.limits import CHUNK_BYTES, RESERVE_AHEAD_BYTES
from wire.transfer.holding import OfferKey
from wire.transfer.manifest import FILE, Entry

BIG_FILE = 1
OPERATIONS = [
    "open", "pwrite", "preadv", "ftruncate", "fdatasync", "fsync", "stat", "utime", "mkdir", "unlink", "rmdir",
    "rename", "link", "names", "rename_new", "sync_all", "reserve", "punch",
]  # fmt: skip


def try_on(transfer: Transfer, disk: MemoryDisk) -> PeerError | None:
    """Run a transfer to its end or to a fault of the disk, as the one who drives it does."""
    if transfer.path is not None:
        transfer.run(disk)
        return None
    sink = None
    try:
        sink = open_sink(disk)
        if not sink.is_landing:
            bring(sink)
        transfer.path = sink.finish()
        sink.discard()
    except PeerError as problem:
        return problem
    finally:
        if sink is not None:
            sink.close()
    return None


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EIO, Code.FOLDER_GONE),
        (errno.EROFS, Code.FOLDER_GONE),
        (errno.EACCES, Code.FOLDER_GONE),
        (errno.EDQUOT, Code.NO_SPACE),
        (errno.ENOSPC, Code.NO_SPACE),
    ],
    ids=lambda value: getattr(value, "value", str(value)),
)
def test_any_operation_may_fail_at_any_time_and_it_lands_in_the_end(
    number: int, code: Code, has_extras: bool
) -> None:
    failed = 0
    for operation in OPERATIONS:
        for after in range(200):
            disk = MemoryDisk(ROOT, has_extras=has_extras)
            has_failed = failing_once(disk, operation, number, after=after)
            transfer = Transfer()
            problem = try_on(transfer, disk)
            if not has_failed():
                break  # there are not so many of its kind in a whole run
            failed += problem is not None
            assert problem is None or problem.code is code, (operation, after)
            check_whole_or_absent(disk.tree())
            disk.fault = lambda called: None
            assert disk._open == {}, (operation, after)
            if problem is not None:
                if transfer.path is None:
                    assert try_on(transfer, disk) is None, (operation, after)
                else:
                    Sink.clear(ROOT, KEY, "stuff", disk=disk)
            assert disk.tree() == LANDED, (operation, after)
    assert failed > 60


@pytest.mark.parametrize("has_extras", [True, False], ids=["all-of-linux", "portable"])
def test_a_full_disk_is_named_and_the_same_write_works_when_there_is_space(
    has_extras: bool,
) -> None:
    disk = MemoryDisk(ROOT, has_extras=has_extras)
    sink = open_sink(disk)
    disk.capacity = CHUNK_BYTES // 2
    first = chunk(BIG, 0)
    with pytest.raises(PeerError) as full:
        put(sink, BIG_FILE, 0, first, digest(first))
    assert full.value.code is Code.NO_SPACE
    assert f"{sum(entry.size for entry in ENTRIES)} are needed" in full.value.message
    with pytest.raises(PeerError):
        put(sink, 2, 0, memoryview(b"x" * CHUNK_BYTES), b"")
    disk.capacity = 2**30
    bring(sink)
    sink.finish()
    sink.discard()
    assert disk.tree() == LANDED


def test_what_cannot_fit_is_refused_at_once_with_both_figures_and_leaves_nothing() -> None:
    disk = MemoryDisk(ROOT, capacity=1000)
    with pytest.raises(PeerError) as full:
        Sink.open(ROOT, KEY, "film", [Entry("film", FILE, 10**9, False, MTIME_MS)], disk=disk)
    assert full.value.code is Code.NO_SPACE
    assert "1000000000" in full.value.message
    assert disk.tree() == {}
    assert disk._open == {}


def two_films(disk: MemoryDisk) -> tuple[Sink, Callable[[], Sink]]:
    """Open one film of two chunks; gives it and what opens another."""

    def opened(number: int) -> Sink:
        entries = [Entry("film", FILE, 2 * CHUNK_BYTES, False, MTIME_MS)]
        key = OfferKey(KEY.device, OfferId(bytes([number]) * 16))
        return Sink.open(ROOT, key, f"film {number}", entries, disk=disk)

    return opened(1), lambda: opened(2)


def test_space_that_another_transfer_still_writes_to_is_not_counted_on_twice() -> None:
    disk = MemoryDisk(ROOT, capacity=3 * CHUNK_BYTES)
    first, open_second = two_films(disk)
    data = memoryview(b"\1" * CHUNK_BYTES)
    for index in range(2):
        with pytest.raises(PeerError) as full:
            open_second()
        assert full.value.code is Code.NO_SPACE
        left, need = (2 - index) * CHUNK_BYTES, 2 * CHUNK_BYTES
        promised = f"bytes free, {left} of them promised to another transfer, and {need} are needed"
        assert promised in full.value.message
        put(first, 0, index, data, digest(data))
    with pytest.raises(PeerError) as full:
        open_second()
    assert "promised" not in full.value.message
    first.finish_files([0])
    first.finish()
    first.discard()
    assert list(disk.tree()) == ["film"]
    disk.capacity += CHUNK_BYTES * 2
    open_second().discard()


@pytest.mark.parametrize("ended", [Sink.close, Sink.discard])
def test_space_that_a_closed_transfer_would_have_used_is_for_others(
    ended: Callable[[Sink], None],
) -> None:
    disk = MemoryDisk(ROOT, capacity=3 * CHUNK_BYTES)
    first, open_second = two_films(disk)
    ended(first)
    open_second().close()


def test_holes_need_no_space() -> None:
    disk = MemoryDisk(ROOT, capacity=10_000)
    sink = Sink.open(
        ROOT, KEY, "film", [Entry("film", FILE, 10**9, False, MTIME_MS, 100)], disk=disk
    )
    sink.discard()


def test_a_resumed_transfer_needs_space_only_for_what_is_missing() -> None:
    disk = MemoryDisk(ROOT)
    sink = open_sink(disk)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    sink.close()
    disk.capacity = len(BIG) + 20_000
    sink = open_sink(disk)
    sink.close()
    disk.capacity = CHUNK_BYTES + 20_000
    with pytest.raises(PeerError) as full:
        open_sink(disk)
    assert full.value.code is Code.NO_SPACE
    disk.capacity = 2**30
    sink = open_sink(disk)
    assert dict(missing_of(sink))[BIG_FILE] == {1, 2}  # nothing was lost by the refusal
    sink.close()


def test_space_is_set_aside_ahead_of_dense_files_alone_and_less_where_there_is_less() -> None:
    class Setting(MemoryDisk):
        asked: list[tuple[int, int]]

        def reserve(self, descriptor: int, offset: int, length: int) -> bool:
            self.asked.append((offset, length))
            return super().reserve(descriptor, offset, length)

    disk = Setting(ROOT)
    disk.asked = []
    size = 100 * CHUNK_BYTES
    entries = [
        Entry("a", FILE, size, False, MTIME_MS),
        Entry("b", FILE, size, False, MTIME_MS, CHUNK_BYTES),
    ]
    sink = Sink.open(ROOT, KEY, "films", entries, disk=disk)
    data = chunk(BIG, 0)
    for index in (0, 1, 63, 64, 99):
        put(sink, 0, index, data, digest(data))
        put(sink, 1, index, data, digest(data))
    steps = [(0, 5), (5, 4), (63, 5), (68, 4), (99, 1)]
    assert disk.asked == [(first * CHUNK_BYTES, count * CHUNK_BYTES) for first, count in steps]
    disk.capacity = disk._used() + 3 * CHUNK_BYTES
    put(sink, 0, 40, data, digest(data))
    disk.asked.clear()
    sink.discard()
    sink = Sink.open(ROOT, KEY, "films", entries[:1], disk=MemoryDisk(ROOT))
    sink.discard()


def test_space_is_set_aside_in_steps_up_to_a_bound_ahead_of_whoever_writes_on() -> None:
    class Setting(MemoryDisk):
        aside = 0

        def reserve(self, descriptor: int, offset: int, length: int) -> bool:
            assert offset == self.aside
            self.aside = offset + length
            return super().reserve(descriptor, offset, length)

    disk = Setting(ROOT)
    count = 100
    entries = [Entry("a", FILE, count * CHUNK_BYTES, False, MTIME_MS)]
    sink = Sink.open(ROOT, KEY, "film", entries, disk=disk)
    data = chunk(BIG, 0)
    most = RESERVE_AHEAD_BYTES // CHUNK_BYTES
    for index in range(count):
        put(sink, 0, index, data, digest(data))
        ahead = disk.aside // CHUNK_BYTES - (index + 1)
        assert min(4, count - index - 1) <= ahead <= most
        assert ahead > most - 4 or index < 24 or disk.aside == count * CHUNK_BYTES
    sink.discard()


def test_a_disk_too_full_to_set_more_aside_is_met_by_whoever_writes_there() -> None:
    disk = MemoryDisk(ROOT, capacity=200 * CHUNK_BYTES)
    sink = Sink.open(ROOT, KEY, "film", [file("film", bytes(100 * CHUNK_BYTES))], disk=disk)
    data = chunk(BIG, 0)
    put(sink, 0, 0, data, digest(data))
    disk.capacity = disk._used() + 3 * CHUNK_BYTES
    put(sink, 0, 1, data, digest(data))
    disk.capacity = disk._used()
    with pytest.raises(PeerError) as full:
        put(sink, 0, 70, data, digest(data))
    assert full.value.code is Code.NO_SPACE
    sink.close()


def test_a_little_that_fits_is_written_though_a_lot_does_not() -> None:
    disk = MemoryDisk(ROOT, capacity=200 * CHUNK_BYTES)
    sink = Sink.open(ROOT, KEY, "film", [file("film", bytes(100 * CHUNK_BYTES))], disk=disk)
    disk.capacity = 3 * CHUNK_BYTES
    data = chunk(BIG, 0)
    put(sink, 0, 0, data, digest(data))
    with pytest.raises(PeerError) as full:
        put(sink, 0, 70, data, digest(data))
    assert full.value.code is Code.NO_SPACE
    sink.close()


def test_after_a_sync_that_failed_nothing_is_vouched_for_until_it_was_hashed_again() -> None:
    """What the system could not write it counts as written: a second fsync says all is well."""
    disk = MemoryDisk(ROOT)
    sink = open_sink(disk)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    disk.fault = lambda operation: failure(errno.EIO) if operation == "fdatasync" else None
    with pytest.raises(PeerError):
        sink.sync()
    disk.fault = lambda operation: None
    with pytest.raises(PeerError) as lost:
        sink.sync()
    assert lost.value.code is Code.FOLDER_GONE
    with pytest.raises(PeerError):
        put(sink, BIG_FILE, 2, chunk(BIG, 2), digest(chunk(BIG, 2)))
    sink.close()
    part = next(iter(disk.root.entries.values())).entries[b"tree"].entries[b"stuff"]
    part.entries[b"inner"].entries[b"big"].data[:100] = bytes(100)  # what was there is lost
    sink = open_sink(disk)
    assert dict(missing_of(sink))[BIG_FILE] == {0, 1, 2}
    sink.close()


def test_a_full_disk_at_the_mark_of_a_sync_loses_nothing_and_the_next_sync_covers_it() -> None:
    disk = MemoryDisk(ROOT)
    sink = open_sink(disk)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    before = sink.unsynced_bytes
    failing_once(disk, "pwrite", errno.ENOSPC)
    with pytest.raises(PeerError) as full:
        sink.sync()
    assert full.value.code is Code.NO_SPACE
    assert sink.unsynced_bytes == before == CHUNK_BYTES
    sink.sync()
    assert sink.unsynced_bytes == 0
    sink._let_go()
    reading = DyingDisk(disk, 10_000)
    sink = open_sink(reading)
    assert dict(missing_of(sink))[BIG_FILE] == {1, 2}
    sink.close()


def test_a_folder_that_is_gone_is_named_and_never_made(tmp_path: Path) -> None:
    with pytest.raises(PeerError) as gone:
        Sink.open(tmp_path / "share", KEY, "stuff", ENTRIES)
    assert gone.value.code is Code.FOLDER_GONE
    assert not (tmp_path / "share").exists()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PeerError) as gone:
        Sink.open(tmp_path / "file", KEY, "stuff", ENTRIES)
    assert gone.value.code is Code.FOLDER_GONE


def test_a_work_folder_that_somebody_removed_under_way_is_noticed_before_anything_lands(
    tmp_path: Path,
) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    shutil.rmtree(next(tmp_path.glob("*.part")) / "tree" / "stuff" / "inner")
    with pytest.raises(PeerError) as gone:
        sink.finish()
    assert gone.value.code is Code.FOLDER_GONE
    sink.close()
    transfer = Transfer(tmp_path)
    transfer.run(SystemDisk())
    assert (tmp_path / "stuff/inner/big").read_bytes() == BIG


def test_a_whole_work_folder_that_vanished_is_named_and_begun_anew(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    shutil.rmtree(next(tmp_path.glob("*.part")))
    with pytest.raises(PeerError) as gone:
        sink.finish()
    assert gone.value.code is Code.FOLDER_GONE
    sink.close()
    Transfer(tmp_path).run(SystemDisk())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stuff", "top.txt"]
