"""Reading what is offered: the bytes that were offered or a code, never those of another file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from peer.transfers.source import Reader
from peer.transfers.survey import survey
from tests.house.tree import ROOT
from wire.codes import Code
from wire.limits import CHUNK_BYTES

SIZES = [1, 10_000, CHUNK_BYTES, 3 * CHUNK_BYTES + 5]


def filled(path: Path, size: int) -> Path:
    path.write_bytes(os.urandom(size))
    return path


def reader_of(*paths: Any) -> Reader:
    return Reader(survey(list(paths)).files)


def read(reader: Reader, file: int, offset: int, length: int) -> bytes | Code:
    into = memoryview(bytearray(length))
    return reader.read(file, offset, into) or bytes(into)


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize("size", SIZES)
def test_the_bytes_are_read_from_where_they_are_asked(tmp_path: Path, size: int) -> None:
    path = filled(tmp_path / "file", size)
    reader = reader_of(path)
    content = path.read_bytes()
    for offset in range(0, size, CHUNK_BYTES):
        length = min(CHUNK_BYTES, size - offset)
        assert read(reader, 0, offset, length) == content[offset : offset + length]
    assert reader.holds(0)
    reader.close()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_open", [False, True])
def test_a_file_that_changed_is_never_taken_for_the_one_offered(
    tmp_path: Path, size: int, is_open: bool
) -> None:
    def grow(path: Path) -> None:
        with path.open("ab") as file:
            file.write(b"more")

    def cut(path: Path) -> None:
        os.truncate(path, size - 1)

    def replace(path: Path) -> None:
        filled(tmp_path / "other", size).replace(path)

    def write_over(path: Path) -> None:
        found = path.stat()
        with path.open("r+b") as file:
            file.write(b"X")
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - 1))

    def become_a_fifo(path: Path) -> None:
        path.unlink()
        os.mkfifo(path)

    for change in (grow, cut, replace, write_over, become_a_fifo):
        path = filled(tmp_path / f"file-{change.__name__}", size)
        reader = reader_of(path)
        if is_open:
            read(reader, 0, 0, 1)
        change(path)
        assert not reader.holds(0)
        if not is_open:
            assert read(reader, 0, 0, 1) is Code.CHANGED_AT_SENDER
        reader.close()


def test_a_file_that_changes_while_it_leaves_is_noticed_long_before_its_end(tmp_path: Path) -> None:
    path = filled(tmp_path / "file", 40 * CHUNK_BYTES)
    reader = reader_of(path)
    read(reader, 0, 0, CHUNK_BYTES)
    found = path.stat()
    with path.open("r+b") as file:
        file.write(b"another")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns - 1))
    noticed = [
        index
        for index in range(1, 18)
        if read(reader, 0, index * CHUNK_BYTES, CHUNK_BYTES) is Code.CHANGED_AT_SENDER
    ]
    assert noticed == [16, 17]  # and from there on at once


def test_a_file_that_is_cut_while_it_is_open_gives_no_bytes_behind_its_end(tmp_path: Path) -> None:
    path = filled(tmp_path / "file", 3 * CHUNK_BYTES)
    reader = reader_of(path)
    read(reader, 0, 0, CHUNK_BYTES)
    os.truncate(path, CHUNK_BYTES + 7)
    assert read(reader, 0, CHUNK_BYTES, CHUNK_BYTES) is Code.CHANGED_AT_SENDER
    reader.close()


def test_what_is_gone_is_a_code_and_no_exception(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    path = filled(tmp_path / "folder" / "file", 10)
    reader = reader_of(path)
    path.unlink()
    assert read(reader, 0, 0, 10) is Code.NO_SUCH_FILE
    (tmp_path / "folder").rmdir()
    (tmp_path / "folder").write_bytes(b"")
    assert read(reader, 0, 0, 10) is Code.NO_SUCH_FILE
    assert reader.hole_chunks(0, 0, 1) == 0
    assert not reader.holds(0)


def test_an_empty_file_is_read_as_nothing(tmp_path: Path) -> None:
    reader = reader_of(filled(tmp_path / "file", 0))
    assert read(reader, 0, 0, 0) == b""


def test_few_descriptors_are_open_and_none_is_left(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    for number in range(40):
        with (tmp_path / "t" / f"{number}").open("wb") as file:
            file.truncate(2 * CHUNK_BYTES)
    before = open_files()
    reader = reader_of(tmp_path / "t")
    for file in [*range(40), *range(40)]:
        assert read(reader, file, 0, 10) == bytes(10)
        assert open_files() - before <= 16
    reader.close()
    assert open_files() == before


def test_holes_are_counted_in_whole_chunks_up_to_the_end(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.write(b"x" * CHUNK_BYTES)
        file.seek(10 * CHUNK_BYTES + 5)
        file.write(b"y")
        file.truncate(20 * CHUNK_BYTES + 1)
    reader = reader_of(path)
    assert reader.hole_chunks(0, 0, 30) == 0
    assert reader.hole_chunks(0, 1, 30) == 9
    assert reader.hole_chunks(0, 1, 4) == 4
    assert reader.hole_chunks(0, 10, 30) == 0
    assert reader.hole_chunks(0, 11, 30) == 10
    assert reader.hole_chunks(0, 20, 30) == 1
    reader.close()


AUDITED = """
import os, sys
from pathlib import Path
from peer.transfers.source import Reader
from peer.transfers.survey import survey

path, size = Path(sys.argv[1]), int(sys.argv[2])
reader = Reader(survey([path]).files)
path.unlink()
os.mkfifo(path)
opened = []
sys.addaudithook(lambda name, words: opened.append(words[0]) if name == "open" else None)
code = reader.read(0, 0, memoryview(bytearray(min(size, 1024))))
assert code.value == "changed-at-sender", code
assert reader.hole_chunks(0, 0, 1) == 0
assert os.fsencode(path) not in map(os.fsencode, opened), opened
"""


@pytest.mark.parametrize("size", SIZES)
def test_what_is_no_file_any_more_is_not_even_opened(tmp_path: Path, size: Any) -> None:
    path = filled(tmp_path / "file", size)
    words = [sys.executable, "-c", AUDITED, str(path), str(size)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
