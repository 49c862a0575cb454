"""A sink on a real disk: what lands, what a later life finds, what is never touched."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from peer.errors import PeerError
from peer.transfers.disk import SystemDisk
from peer.transfers.sink import Sink
from tests.peer.transfers.landings import (
    BIG,
    CONTENTS,
    ENTRIES,
    FILES,
    KEY,
    MTIME_MS,
    WORK,
    bring,
    chunk,
    digest,
    file,
    folder,
    missing_of,
    open_sink,
    put,
)
from wire.codes import Code
from wire.errors import LocalProtocolError
from wire.ids import OfferId
from wire.limits import CHUNK_BYTES
from wire.transfer.digests import zero_digest
from wire.transfer.holding import OfferKey
from wire.transfer.manifest import FILE, FOLDER, Entry

BIG_FILE, SMALL_FILE = 1, 2
DISKS = [SystemDisk(), SystemDisk(is_portable=True)]


def found_in(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def names_in(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir())


def open_descriptors() -> int:
    """Count the descriptors of this process that are open."""
    count = 0
    for number in range(4096):
        try:
            os.fstat(number)
        except OSError:
            continue
        count += 1
    return count


def land(root: Path, title: str, entries: list[Entry], contents: list[bytes]) -> Path:
    """Bring files of one chunk and land them."""
    sink = Sink.open(root, KEY, title, entries)
    for number, content in enumerate(contents):
        if content:
            put(sink, number, 0, memoryview(content), digest(content))
    sink.finish_files(range(len(contents)))
    path = sink.finish()
    sink.discard()
    return path


@pytest.mark.parametrize("disk", DISKS, ids=["all-of-linux", "portable"])
def test_a_folder_lands_as_it_was_with_times_modes_empty_folders_and_nothing_else(
    tmp_path: Path, disk: SystemDisk
) -> None:
    sink = open_sink(disk, tmp_path)
    bring(sink)
    assert [path.name for path in tmp_path.iterdir()] == [f"stuff{WORK}"]
    assert sink.finish() == tmp_path
    sink.discard()
    assert found_in(tmp_path) == dict(sorted(CONTENTS.items()))
    assert (tmp_path / "stuff" / "hollow").is_dir()
    for entry in ENTRIES:
        found = (tmp_path / entry.path).stat()
        assert found.st_mtime_ns == MTIME_MS * 1_000_000
        if entry.is_file:
            umask = os.umask(0)
            os.umask(umask)
            assert stat.S_IMODE(found.st_mode) == (0o777 if entry.is_executable else 0o666) & ~umask


def test_one_file_or_folder_gives_its_own_path_and_a_taken_name_gets_a_number(
    tmp_path: Path,
) -> None:
    (tmp_path / "film.mkv").write_bytes(b"theirs")
    (tmp_path / "film (1).mkv").mkdir()
    (tmp_path / "dir").symlink_to("nowhere")
    entries = [file("film.mkv", b"ours")]
    assert land(tmp_path, "film.mkv", entries, [b"ours"]) == tmp_path / "film (2).mkv"
    assert land(tmp_path, "dir", [folder("dir")], []) == tmp_path / "dir (1)"
    assert (tmp_path / "film.mkv").read_bytes() == b"theirs"
    assert (tmp_path / "film (2).mkv").read_bytes() == b"ours"


def test_hostile_names_and_twins_stay_inside_and_apart(tmp_path: Path) -> None:
    root = tmp_path / "downloads"
    root.mkdir()
    names = sorted([".bashrc", "..\\evil", "A", "CON", "a", "x\x1b[2J", "~"], key=str.encode)
    contents = [name.encode() for name in names]
    land(root, "../..", [file(n, c) for n, c in zip(names, contents, strict=True)], contents)
    assert found_in(tmp_path) == {
        "downloads/_.._evil": b"..\\evil",
        "downloads/_.bashrc": b".bashrc",
        "downloads/A": b"A",
        "downloads/_CON": b"CON",
        "downloads/a (1)": b"a",
        "downloads/x_[2J": b"x\x1b[2J",
        "downloads/_~": b"~",
    }


@pytest.mark.parametrize(
    ("mtime_ms", "seconds"),
    [(-1, 0), (-(2**62), 0), (0, 0), (2**53, 4_102_444_800), (1_234, 1.234)],
)
def test_a_time_that_cannot_be_is_clamped(tmp_path: Path, mtime_ms: int, seconds: float) -> None:
    path = land(tmp_path, "x", [Entry("x", FILE, 1, False, mtime_ms)], [b"x"])
    assert path.stat().st_mtime == seconds
    path = land(tmp_path, "d", [Entry("d", FOLDER, 0, False, mtime_ms)], [])
    assert path.stat().st_mtime == seconds


def test_zeros_are_holes(tmp_path: Path) -> None:
    size = 64 * CHUNK_BYTES + 5
    sparse = Entry("sparse", FILE, size, False, MTIME_MS, 5)
    sink = Sink.open(
        tmp_path, KEY, "sparse", [sparse, Entry("zero", FILE, 1000, False, MTIME_MS, 0)]
    )
    sink.write_zeros(0, 0, 64)
    put(sink, 0, 64, memoryview(b"bytes"), digest(b"bytes"))
    sink.write_zeros(1, 0, 1)
    sink.finish_files([0, 1])
    sink.finish()
    sink.discard()
    assert (tmp_path / "sparse").stat().st_size == size
    assert (tmp_path / "sparse").stat().st_blocks * 512 < CHUNK_BYTES
    assert (tmp_path / "sparse").read_bytes() == bytes(64 * CHUNK_BYTES) + b"bytes"
    assert (tmp_path / "zero").read_bytes() == bytes(1000)


@pytest.mark.parametrize("disk", DISKS, ids=["all-of-linux", "portable"])
def test_zeros_replace_what_an_earlier_life_left_there(tmp_path: Path, disk: SystemDisk) -> None:
    sink = open_sink(disk, tmp_path)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    wrong = memoryview(b"\7" * CHUNK_BYTES)
    sink._parts.write(BIG_FILE, wrong, CHUNK_BYTES)  # written, and killed before the journal knew
    sink.close()
    sink = open_sink(disk, tmp_path)
    bring(sink)
    sink.finish()
    assert (tmp_path / "stuff/inner/big").read_bytes() == BIG


def test_after_a_clean_stop_nothing_is_read_again(tmp_path: Path) -> None:
    class Reading(SystemDisk):
        read = 0

        def preadv(self, fd: int, buffers: Any, offset: int, flags: int = 0, /) -> int:
            Reading.read += sum(map(len, buffers)) >= CHUNK_BYTES
            return os.preadv(fd, buffers, offset)

    sink = open_sink(SystemDisk(), tmp_path)
    sink.asked([(BIG_FILE, 0, 3), (SMALL_FILE, 0, 1), (3, 0, 1)])
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    sink.write_zeros(BIG_FILE, 1, 1)
    put(sink, SMALL_FILE, 0, memoryview(FILES[SMALL_FILE]), digest(FILES[SMALL_FILE]))
    sink.finish_files([SMALL_FILE])
    sink.close()
    disk: Any = Reading()
    sink = open_sink(disk, tmp_path)
    restored = {found.file: found for found in sink.restored()}
    assert list(restored[BIG_FILE].chunks) == [
        (0, digest(chunk(BIG, 0))),
        (1, zero_digest(CHUNK_BYTES)),
    ]
    assert restored[BIG_FILE].asked == [(2, 3)]
    assert restored[SMALL_FILE].is_whole
    assert (restored[3].is_whole, list(restored[3].chunks), list(restored[3].asked)) == (
        False,
        [],
        [(0, 1)],
    )
    assert Reading.read == 0
    sink.close()


def test_what_was_dropped_once_is_not_believed_after_a_later_mark(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    sink._let_go()  # killed: no mark
    part = next(tmp_path.glob("*.part/tree/stuff/inner/big"))
    part.write_bytes(b"\7" * CHUNK_BYTES)
    sink = open_sink(SystemDisk(), tmp_path)
    assert dict(missing_of(sink))[BIG_FILE] == {0, 1, 2}
    sink.close()  # a mark that would cover the first claim
    sink = open_sink(SystemDisk(), tmp_path)
    assert dict(missing_of(sink))[BIG_FILE] == {0, 1, 2}
    bring(sink)
    sink.finish()
    assert (tmp_path / "stuff/inner/big").read_bytes() == BIG


def test_a_chunk_that_no_file_has_is_not_believed_whatever_number_a_damaged_journal_gives_it(
    tmp_path: Path,
) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    sink._journal.chunks((BIG_FILE, number, bytes(32)) for number in (3, 2**32 - 2, 2**32 - 1))
    sink._let_go()  # killed: no mark
    sink = open_sink(SystemDisk(), tmp_path)
    assert dict(missing_of(sink))[BIG_FILE] is None  # whole
    sink.close()


def test_a_transfer_lands_in_a_later_life_where_it_said_it_would(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    first = sink.finish()
    sink.close()  # killed before anybody noted the end
    sink = open_sink(SystemDisk(), tmp_path)
    assert sink.is_landing
    assert list(sink.restored()) == []
    assert sink.finish() == first
    sink.discard()
    assert names_in(tmp_path) == ["stuff", "top.txt"]


def test_a_file_that_failed_is_left_out_and_the_others_land(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    sink.drop_file(BIG_FILE, Code.NO_SUCH_FILE)
    sink.drop_file(3, Code.CHANGED_AT_SENDER)
    sink.drop_file(3, Code.CHANGED_AT_SENDER)
    assert sink.finish() == tmp_path / "stuff"
    sink.discard()
    assert sorted(found_in(tmp_path)) == ["stuff/empty", "stuff/inner/small"]


def test_nothing_lands_while_a_file_is_under_way(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    with pytest.raises(LocalProtocolError):
        sink.finish()
    assert names_in(tmp_path) == [f"stuff{WORK}"]
    sink.close()
    sink.close()
    with pytest.raises(LocalProtocolError):
        sink.sync()


def test_cancelling_removes_what_is_its_own_open_or_not(tmp_path: Path) -> None:
    (tmp_path / "stuff").write_bytes(b"theirs")
    open_sink(SystemDisk(), tmp_path).discard()
    assert not Sink.clear(tmp_path, KEY, "stuff")
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    assert Sink.exists(tmp_path, KEY, "stuff")
    with pytest.raises(PeerError) as busy:
        Sink.clear(tmp_path, KEY, "stuff")
    assert busy.value.code is Code.FILE_EXISTS
    sink.close()
    assert Sink.clear(tmp_path, KEY, "stuff")
    assert not Sink.exists(tmp_path, KEY, "stuff")
    assert not Sink.exists(tmp_path / "gone", KEY, "stuff")
    assert found_in(tmp_path) == {"stuff": b"theirs"}


def test_a_transfer_is_open_once(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    with pytest.raises(PeerError) as busy:
        open_sink(SystemDisk(), tmp_path)
    assert busy.value.code is Code.FILE_EXISTS
    sink.close()
    open_sink(SystemDisk(), tmp_path).discard()


def test_another_manifest_of_the_offer_begins_anew(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    sink.close()
    sink = Sink.open(tmp_path, KEY, "stuff", ENTRIES[:-1])
    assert list(sink.restored()) == []
    sink.discard()
    assert names_in(tmp_path) == []


def test_an_offer_that_imitates_another_ones_name_gets_nothing_of_it(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    sink.close()
    imitation = OfferKey(KEY.device, OfferId(KEY.offer[:4] + b"x" * 12))
    with pytest.raises(PeerError) as refused:
        Sink.open(tmp_path, imitation, "stuff", ENTRIES)
    assert refused.value.code is Code.FILE_EXISTS
    assert not Sink.clear(tmp_path, imitation, "stuff")
    sink = open_sink(SystemDisk(), tmp_path)
    assert all(missing is None for _, missing in missing_of(sink))
    sink.close()


def test_a_journal_torn_before_it_began_is_begun_anew(tmp_path: Path) -> None:
    open_sink(SystemDisk(), tmp_path).close()
    os.truncate(tmp_path / f"stuff{WORK}" / "journal", 10)
    sink = open_sink(SystemDisk(), tmp_path)
    bring(sink)
    sink.finish()
    sink.discard()
    assert names_in(tmp_path) == ["stuff", "top.txt"]


def test_more_parts_than_may_be_open_take_turns(tmp_path: Path) -> None:
    size = CHUNK_BYTES + 1
    entries = [file(f"{number:02}", b"x" * size) for number in range(40)]
    sink = Sink.open(tmp_path, KEY, "many", entries)
    first = memoryview(b"x" * CHUNK_BYTES)
    for number in range(40):
        put(sink, number, 0, first, digest(first))
    assert len(sink._parts._open) == 16
    sink.sync()
    for number in range(40):
        put(sink, number, 1, first[:1], digest(b"x"))
    sink.finish_files(range(40))
    sink.finish()
    sink.discard()
    assert {path.stat().st_size for path in tmp_path.iterdir()} == {size}


def test_descriptors_are_bounded_and_all_given_back(tmp_path: Path) -> None:
    before = open_descriptors()
    entries = [folder("d")]
    for number in range(200):
        entries += [folder(f"d/{number:03}"), file(f"d/{number:03}/f", b"x")]
    sink = Sink.open(tmp_path, KEY, "d", entries)
    for number in range(200):
        put(sink, number, 0, memoryview(b"x"), digest(b"x"))
    sink.finish_files(range(200))
    sink.sync()
    assert open_descriptors() < before + 150
    sink.finish()
    sink.discard()
    assert open_descriptors() == before
