"""Somebody local puts links, pipes and other people's things where a sink works: nothing outside is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peer.errors import PeerError
from peer.transfers.disk import SystemDisk
from peer.transfers.sink import Sink
from peer.transfers.workplace import remove_tree
from tests.peer.transfers.landings import (
    BIG,
    CONTENTS,
    ENTRIES,
    FILES,
    KEY,
    WORK,
    Transfer,
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

BIG_FILE, SMALL_FILE, TOP_FILE = 1, 2, 3
PRECIOUS = b"precious"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Make a folder with a file that nobody may touch."""
    place = tmp_path / "outside"
    place.mkdir()
    (place / "precious").write_bytes(PRECIOUS)
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "downloads"
    place.mkdir()
    return place


@pytest.fixture(autouse=True)
def nothing_outside_is_touched(outside: Any) -> Iterator[None]:
    before = outside.stat().st_mtime_ns
    yield
    assert [path.name for path in outside.iterdir()] == ["precious"]
    assert (outside / "precious").read_bytes() == PRECIOUS
    assert outside.stat().st_mtime_ns == before
    assert stat.S_IMODE((outside / "precious").stat().st_mode) == 0o644


def begun(root: Path) -> Path:
    """Begin a transfer and stop in good order; gives its tree."""
    sink = open_sink(SystemDisk(), root)
    bring(sink)
    sink.close()
    return root / f"stuff{WORK}" / "tree"


def check_landed(root: Path) -> None:
    Transfer(root).run(SystemDisk())
    found = {str(p.relative_to(root)): p for p in root.rglob("*") if p.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == CONTENTS
    assert not any(path.is_symlink() for path in root.rglob("*"))


def test_a_link_in_place_of_the_work_folder_is_refused_and_stays(root: Path, outside: Path) -> None:
    (root / f"stuff{WORK}").symlink_to(outside)
    with pytest.raises(PeerError) as refused:
        open_sink(SystemDisk(), root)
    assert refused.value.code is Code.FILE_EXISTS
    assert not Sink.exists(root, KEY, "stuff")
    assert not Sink.clear(root, KEY, "stuff")
    assert (root / f"stuff{WORK}").is_symlink()


@pytest.mark.parametrize("made", ["file", "folder"])
def test_what_somebody_else_has_under_that_name_stays_as_it_is(root: Path, made: str) -> None:
    place = root / f"stuff{WORK}"
    if made == "file":
        place.write_bytes(b"theirs")
    else:
        place.mkdir()
        (place / "theirs").write_bytes(b"theirs")
        (place / "journal").write_bytes(
            b"Dear diary, today I was no journal of Hobnob's at all. " * 2
        )
    with pytest.raises(PeerError) as refused:
        open_sink(SystemDisk(), root)
    assert refused.value.code is Code.FILE_EXISTS
    assert not Sink.clear(root, KEY, "stuff")
    assert place.exists()
    if made == "folder":
        (place / "journal").unlink()
        with pytest.raises(PeerError):
            open_sink(SystemDisk(), root)
        assert not Sink.clear(root, KEY, "stuff")
        assert (place / "theirs").read_bytes() == b"theirs"


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_no_journal_is_read_through_anything_but_a_file(
    root: Path, outside: Path, kind: str
) -> None:
    place = root / f"stuff{WORK}"
    place.mkdir()
    if kind == "link":
        (place / "journal").symlink_to(outside / "precious")
    elif kind == "pipe":
        os.mkfifo(place / "journal")
    else:
        (place / "journal").mkdir()
    with pytest.raises(PeerError) as refused:
        open_sink(SystemDisk(), root)
    assert refused.value.code is Code.FILE_EXISTS


@pytest.mark.parametrize("name", ["stuff/inner/big", "stuff/inner/small", "stuff/empty", "top.txt"])
@pytest.mark.parametrize(
    "kind", ["link", "hard-link", "pipe", "missing", "same-size-link", "folder"]
)
def test_a_part_that_was_replaced_between_two_lives_comes_again(
    root: Path, outside: Path, name: str, kind: str
) -> None:
    part = begun(root) / name
    content = part.read_bytes()
    part.unlink()
    if kind == "link":
        part.symlink_to(outside / "precious")
    elif kind == "same-size-link":
        (root / "copy").write_bytes(content)
        part.symlink_to(root / "copy")
    elif kind == "hard-link":
        os.link(outside / "precious", part)
    elif kind == "pipe":
        os.mkfifo(part)
    elif kind == "folder":
        (part / "below").mkdir(parents=True)
    sink = open_sink(SystemDisk(), root)
    found = dict(missing_of(sink))
    number = [entry.path for entry in ENTRIES if entry.is_file].index(name)
    assert found[number] is not None
    assert [file for file, missing in found.items() if missing is not None] == [number]
    sink.close()
    (root / "copy").unlink(missing_ok=True)
    check_landed(root)


@pytest.mark.parametrize("target", ["folder", "file", "nothing"])
def test_a_folder_of_the_tree_that_became_a_link_is_made_anew(
    root: Path, outside: Path, target: str
) -> None:
    tree = begun(root)
    (tree / "stuff").rename(root / "away")
    (tree / "stuff").symlink_to(
        {"folder": outside, "file": outside / "precious", "nothing": Path("nowhere")}[target]
    )
    sink = open_sink(SystemDisk(), root)
    assert dict(missing_of(sink)) == {0: set(), 1: {0, 1, 2}, 2: {0}, 3: None}
    sink.close()
    for path in sorted((root / "away").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (root / "away").rmdir()
    check_landed(root)


def test_the_tree_itself_as_a_link_is_made_anew(root: Path, outside: Path) -> None:
    tree = begun(root)
    for path in sorted(tree.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    tree.rmdir()
    tree.symlink_to(outside)
    check_landed(root)


@pytest.mark.parametrize("kind", ["link", "hard-link", "file"])
def test_a_small_file_is_never_written_into_what_somebody_put_there_first(
    root: Path, outside: Path, kind: str
) -> None:
    sink = open_sink(SystemDisk(), root)
    theirs = root / f"stuff{WORK}" / "tree" / "top.txt"
    if kind == "link":
        theirs.symlink_to(outside / "precious")
    elif kind == "hard-link":
        os.link(outside / "precious", theirs)
    else:
        theirs.write_bytes(b"longer than what comes" * 100)
    put(sink, TOP_FILE, 0, memoryview(FILES[TOP_FILE]), digest(FILES[TOP_FILE]))
    assert theirs.read_bytes() == FILES[TOP_FILE]
    assert not theirs.is_symlink()
    sink.close()
    check_landed(root)


@pytest.mark.parametrize("kind", ["link", "hard-link", "file"])
def test_a_large_file_is_never_written_into_what_somebody_put_there_first(
    root: Path, outside: Path, kind: str
) -> None:
    sink = open_sink(SystemDisk(), root)
    inner = root / f"stuff{WORK}" / "tree" / "stuff" / "inner"
    inner.mkdir(parents=True)
    if kind == "link":
        (inner / "big").symlink_to(outside / "precious")
    elif kind == "hard-link":
        os.link(outside / "precious", inner / "big")
    else:
        (inner / "big").write_bytes(b"\7" * len(BIG) * 2)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    sink.close()
    check_landed(root)


def test_a_part_that_was_replaced_while_it_was_closed_is_noticed(root: Path, outside: Path) -> None:
    """More parts than may be open: one of them is closed, replaced by a link, and needed again."""
    size = 2 * 1024 * 1024
    entries = [folder("d"), *(file(f"d/{number:02}", bytes(size)) for number in range(20))]
    sink = Sink.open(root, KEY, "d", entries)
    data = memoryview(b"\1" * (size // 2))
    for number in range(20):
        put(sink, number, 0, data, digest(data))
    part = next(root.glob("*.part/tree/d/00"))
    part.unlink()
    part.symlink_to(outside / "precious")
    with pytest.raises(PeerError) as noticed:
        put(sink, 0, 1, data, digest(data))
    assert noticed.value.code is Code.FOLDER_GONE
    sink.close()
    sink = Sink.open(root, KEY, "d", entries)
    restored = {found.file: [index for index, _ in found.chunks] for found in sink.restored()}
    assert restored.get(0, []) == []
    assert restored[1] == [0]
    sink.discard()


@pytest.mark.parametrize("name", ["top.txt", "stuff/inner/small", "stuff/inner/big"])
@pytest.mark.parametrize("now", ["gone", "a link"])
def test_a_whole_file_that_was_taken_away_before_landing_is_noticed(
    root: Path, outside: Path, name: str, now: str
) -> None:
    sink = open_sink(SystemDisk(), root)
    bring(sink)
    part = root / f"stuff{WORK}" / "tree" / name
    part.unlink()
    if now == "a link":
        part.symlink_to(outside / "precious")
    with pytest.raises(PeerError) as noticed:
        sink.finish()
    assert noticed.value.code is Code.FOLDER_GONE
    sink.close()
    assert os.listdir(root) == [f"stuff{WORK}"]  # noqa: PTH208
    check_landed(root)


def test_a_large_file_that_was_edited_before_landing_is_noticed(root: Path) -> None:
    sink = open_sink(SystemDisk(), root)
    bring(sink)
    with (root / f"stuff{WORK}/tree/stuff/inner/big").open("r+b") as part:
        part.write(b"edited")
    with pytest.raises(PeerError) as noticed:
        sink.finish()
    assert noticed.value.code is Code.FOLDER_GONE
    sink.close()
    check_landed(root)


def test_cancelling_follows_no_link(root: Path, outside: Path) -> None:
    tree = begun(root)
    (tree / "stuff" / "to-outside").symlink_to(outside)
    (tree / "stuff" / "inner" / "to-file").symlink_to(outside / "precious")
    (root / f"stuff{WORK}" / "more").symlink_to(outside)
    assert Sink.clear(root, KEY, "stuff")
    assert list(root.iterdir()) == []


def test_removing_a_link_removes_the_link(root: Path, outside: Path) -> None:
    (root / "link").symlink_to(outside)
    above = os.open(root, os.O_RDONLY)
    remove_tree(SystemDisk(), b"link", above)
    remove_tree(SystemDisk(), b"none", above)
    os.close(above)
    assert list(root.iterdir()) == []


def test_somebody_who_takes_the_final_name_in_the_last_moment_keeps_it(root: Path) -> None:
    class Racing(SystemDisk):
        """Takes each name right before it is renamed to, once."""

        taken = 0

        def rename_new(self, src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> bool:
            if self.taken < 3:
                Racing.taken += 1
                os.close(os.open(dst, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=dst_dir_fd))
            return super().rename_new(src, dst, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    sink = Sink.open(root, KEY, "film.mkv", [file("film.mkv", b"ours")], disk=Racing())
    put(sink, 0, 0, memoryview(b"ours"), digest(b"ours"))
    sink.finish_files([0])
    assert sink.finish() == root / "film (3).mkv"
    sink.close()
    sink = Sink.open(root, KEY, "film.mkv", [file("film.mkv", b"ours")], disk=Racing())
    assert sink.finish() == root / "film (3).mkv"
    sink.discard()
    assert (root / "film (3).mkv").read_bytes() == b"ours"
    assert (root / "film.mkv").read_bytes() == b""
