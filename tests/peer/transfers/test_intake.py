"""What comes is written, then counted: several chunks of a fast line together, and never what was not asked for."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import pytest

from peer.errors import PeerError
from peer.transfers.intake import Intake, unpacked
from tests.wire.transfer.exchange import KEY, MIB, SIGNING_KEY
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.machine import Monotonic
from wire.messages.transfer import ChunkRange, Fetch, Pack, PackedChunk, Piece, Zeros
from wire.transfer.digests import chunk_digest
from wire.transfer.receiver import Receiver

CHUNK = memoryview(b"c" * MIB)
DIGEST = chunk_digest(CHUNK)
FAST, SLOW = 0.001, 0.5
BIG, SMALL = 0, 1


class Shelf:
    """Where bytes are put; is_full: they cannot be."""

    def __init__(self) -> None:
        self.written: list[tuple[int, int]] = []
        self.noted: list[list[tuple[int, int]]] = []
        self.noted_bytes = 0
        self.is_full = False

    def write(self, chunks: Iterable[tuple[int, int, memoryview]]) -> None:
        if self.is_full:
            raise PeerError(Code.NO_SPACE)
        self.written += [(file, index) for file, index, _ in chunks]

    def write_zeros(self, file: int, first: int, count: int) -> None:
        self.written += [(file, index) for index in range(first, first + count)]

    def note(self, chunks: Sequence[tuple[int, int, bytes]], size_bytes: int) -> None:
        self.noted_bytes += size_bytes
        self.noted.append([(file, index) for file, index, _ in chunks])


class Line:
    """An intake, fed by hand. start: where a receiver begins that may have several sources."""

    def __init__(self, sizes: Sequence[int] = (20 * MIB, 3), *, start: int | None = None) -> None:
        self.shelf = Shelf()
        self.receiver = Receiver(KEY, sizes, SIGNING_KEY, start=start)
        fetches = itertools.count()
        self.receiver.linked(lambda: next(fetches))
        [self.fetch] = [ask.fetch for ask in self.receiver.asks() if isinstance(ask, Fetch)]
        self.intake = Intake(self.receiver, self.shelf)
        self.at = 10.0

    def bring(self, index: int, gap_s: float, *, data: memoryview = CHUNK) -> bool:
        """Bring a chunk of the big file as long after the one before; says whether something was counted."""
        self.at += gap_s
        piece = Piece(self.fetch, BIG, index, MIB, DIGEST)
        return self.intake.take(piece, unpacked(piece, data), KEY.device, Monotonic(self.at))


def test_on_a_slow_line_every_chunk_is_counted_when_it_is_written() -> None:
    line = Line()
    for index in range(3):
        assert line.bring(index, SLOW)
        assert line.intake.verified_bytes == (index + 1) * MIB
    assert line.shelf.noted == [[(BIG, 0)], [(BIG, 1)], [(BIG, 2)]]


def test_on_a_fast_line_four_chunks_are_counted_together() -> None:
    line = Line()
    assert line.bring(0, SLOW)
    counted = [line.bring(index, FAST) for index in range(1, 6)]
    assert counted == [False, False, False, True, False]
    assert line.shelf.written == [(BIG, index) for index in range(6)]
    assert line.shelf.noted == [[(BIG, 0)], [(BIG, index) for index in range(1, 5)]]
    assert line.intake.verified_bytes == line.shelf.noted_bytes == 5 * MIB


def test_what_waits_to_be_counted_is_counted_once_when_it_is_settled() -> None:
    line = Line()
    line.bring(0, SLOW)
    line.bring(1, FAST)
    assert line.intake.settle(Monotonic(line.at))
    assert line.intake.verified_bytes == 2 * MIB
    assert not line.intake.settle(Monotonic(line.at))
    assert line.shelf.noted == [[(BIG, 0)], [(BIG, 1)]]


def test_a_line_that_slows_down_counts_what_waited_with_the_next_chunk() -> None:
    line = Line()
    line.bring(0, SLOW)
    assert not line.bring(1, FAST)
    assert line.bring(2, SLOW)
    assert line.intake.verified_bytes == 3 * MIB


@pytest.mark.parametrize(
    "other",
    [
        Piece(0, BIG, 1, MIB, DIGEST),
        Piece(0, BIG, 3, MIB, DIGEST),
        Piece(1, BIG, 2, MIB, DIGEST),
        Piece(0, SMALL, 2, 3, DIGEST),
        Pack(0, (PackedChunk(SMALL, 3, DIGEST),)),
    ],
    ids=["the same again", "one left out", "another request", "another file", "small files"],
)
def test_only_the_very_next_chunk_goes_on_with_those_that_wait(other: Piece | Pack) -> None:
    line = Line()
    line.bring(0, SLOW)
    assert line.intake.goes_on(other)  # nothing waits
    line.bring(1, FAST)
    assert not line.intake.goes_on(other)
    assert line.intake.goes_on(Piece(line.fetch, BIG, 2, MIB, DIGEST))


def test_where_there_may_be_several_sources_every_chunk_is_counted_at_once() -> None:
    line = Line(start=0)
    assert all(line.bring(index, FAST) for index in range(2))
    assert line.intake.verified_bytes == 2 * MIB


def test_where_there_may_be_several_sources_a_chunk_that_came_from_another_is_left() -> None:
    line = Line(start=0)
    line.bring(0, SLOW)
    line.bring(0, SLOW)
    assert line.shelf.written == [(BIG, 0)]
    assert line.intake.verified_bytes == MIB


def test_bytes_that_are_not_as_announced_are_not_written() -> None:
    line = Line()
    with pytest.raises(RemoteProtocolError) as lie:
        line.bring(0, SLOW, data=memoryview(b"x" * MIB))
    assert lie.value.code is Code.VERIFICATION_FAILED
    assert line.shelf.written == []
    assert line.intake.verified_bytes == 0


def test_what_cannot_be_written_is_not_counted_and_what_waits_still_may_be() -> None:
    line = Line()
    line.bring(0, SLOW)
    line.bring(1, FAST)
    line.shelf.is_full = True
    with pytest.raises(PeerError):
        line.bring(2, FAST)
    line.intake.settle(Monotonic(line.at))
    assert line.intake.verified_bytes == 2 * MIB


def test_small_files_that_cannot_be_written_are_not_counted() -> None:
    line = Line([3])
    line.shelf.is_full = True
    pack = Pack(line.fetch, (PackedChunk(0, 3, chunk_digest(b"abc")),))
    with pytest.raises(PeerError):
        line.intake.take(pack, unpacked(pack, memoryview(b"abc")), KEY.device, Monotonic(line.at))
    assert line.intake.verified_bytes == 0


def test_zeros_are_written_and_counted_as_they_come() -> None:
    line = Line()
    zeros = Zeros(line.fetch, ChunkRange(BIG, 0, 5))
    line.intake.take_zeros(zeros, KEY.device, Monotonic(line.at))
    assert line.shelf.written == [(BIG, index) for index in range(5)]
    assert line.intake.verified_bytes == 5 * MIB
