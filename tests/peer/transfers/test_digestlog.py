"""Digests kept beside an offer: what another life finds, what damage costs, and that a full disk costs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.transfers.digestlog import DigestLog
from wire.ids import ChunkDigest

ENTRIES = [
    (file, index, ChunkDigest(bytes([file, index]) * 16)) for file in (0, 7) for index in range(50)
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log"


def kept(path: Path) -> list[tuple[int, int, ChunkDigest]]:
    return list(DigestLog(path).load())


def filled(path: Path) -> DigestLog:
    log = DigestLog(path)
    for entry in ENTRIES:
        log.note(*entry)
    return log


def test_what_was_noted_is_found_by_another_life(path: Path) -> None:
    assert kept(path) == []
    log = filled(path)
    assert kept(path) == ENTRIES[:64]  # what a kill leaves
    log.close()
    assert kept(path) == ENTRIES
    for entry in ENTRIES:
        log.note(*entry)
    log.close()
    log.close()
    assert kept(path) == ENTRIES
    assert path.stat().st_mode & 0o777 == 0o600


def test_another_life_goes_on_behind_what_it_found(path: Path) -> None:
    filled(path).close()
    log = DigestLog(path)
    assert list(log.load()) == ENTRIES
    log.note(*ENTRIES[0])
    log.note(9, 9, ENTRIES[0][2])
    log.close()
    assert kept(path) == [*ENTRIES, (9, 9, ENTRIES[0][2])]


@pytest.mark.parametrize("damage", ["torn", "zeros", "flipped"])
def test_a_damaged_end_is_left_out_and_written_over(path: Path, damage: str) -> None:
    filled(path).close()
    content = bytearray(path.read_bytes())
    if damage == "torn":
        del content[-1:]
    elif damage == "zeros":
        content[-36 * 40 - 8 :] = bytes(36 * 40 + 8)
    else:
        content[-1] ^= 1
    path.write_bytes(content)
    log = DigestLog(path)
    assert list(log.load()) == ENTRIES[:64]
    log.note(*ENTRIES[99])
    log.close()
    assert kept(path) == [*ENTRIES[:64], ENTRIES[99]]


def test_a_log_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    log = filled(tmp_path / "missing" / "log")
    log.close()
    assert not (tmp_path / "missing").exists()
    target = tmp_path / "target"
    target.write_bytes(b"theirs")
    (tmp_path / "link").symlink_to(target)
    filled(tmp_path / "link").close()
    assert target.read_bytes() == b"theirs"
    (tmp_path / "folder").mkdir()
    filled(tmp_path / "folder").close()
