"""A sink whose parts somebody edits while nobody runs: what is wrong comes again, and never lands."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.transfers.disk import SystemDisk
from tests.peer.transfers.landings import (
    BIG,
    WORK,
    bring,
    chunk,
    digest,
    missing_of,
    open_sink,
    put,
)

BIG_FILE = 1


def test_a_part_that_was_edited_in_between_is_hashed_and_what_is_wrong_comes_again(
    tmp_path: Path,
) -> None:
    for is_clean in (True, False):
        sink = open_sink(SystemDisk(), tmp_path)
        bring(sink)
        sink._let_go() if not is_clean else sink.close()
        for name in ("big", "small"):
            path = next(tmp_path.glob(f"*.part/tree/stuff/inner/{name}"))
            with path.open("r+b") as part:
                part.write(b"edited")
            os.utime(path, ns=(2 * 10**18, 2 * 10**18))
        sink = open_sink(SystemDisk(), tmp_path)
        assert dict(missing_of(sink)) == {0: None, 1: {0}, 2: {0}, 3: None}
        sink.discard()


def test_a_part_that_was_edited_long_before_it_is_opened_again_is_hashed(tmp_path: Path) -> None:
    sink = open_sink(SystemDisk(), tmp_path)
    put(sink, BIG_FILE, 0, chunk(BIG, 0), digest(chunk(BIG, 0)))
    sink.sync()  # the mark covers it
    sink._let_go()  # killed
    work = next(tmp_path.glob("*.part"))
    killed_ns = (work / "journal").stat().st_mtime_ns - 60 * 10**9
    os.utime(work / "journal", ns=(killed_ns, killed_ns))
    part = work / "tree/stuff/inner/big"
    with part.open("r+b") as file:
        file.write(b"edited")
    edited_ns = killed_ns + 10**9
    os.utime(part, ns=(edited_ns, edited_ns))
    sink = open_sink(SystemDisk(), tmp_path)
    assert dict(missing_of(sink))[BIG_FILE] == {0, 1, 2}
    sink.discard()


class Held(SystemDisk):
    """A disk on which nothing gets another name, as if whoever lands ended before the first rename."""

    @staticmethod
    def rename_new(src: bytes, dst: bytes, *, src_dir_fd: int, dst_dir_fd: int) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_what_was_edited_between_the_choice_of_its_name_and_its_landing_comes_again(
    tmp_path: Path,
) -> None:
    sink = open_sink(Held(), tmp_path)
    bring(sink)
    with pytest.raises(PeerError):
        sink.finish()
    sink.close()
    with (tmp_path / f"stuff{WORK}/tree/stuff/inner/big").open("r+b") as part:
        part.write(b"edited")
    sink = open_sink(SystemDisk(), tmp_path)
    assert not sink.is_landing
    assert dict(missing_of(sink))[BIG_FILE] == {0}
    bring(sink)
    sink.finish()
    sink.discard()
    assert (tmp_path / "stuff/inner/big").read_bytes() == BIG
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stuff", "top.txt"]
