"""Places: all chunks of an offer in one row."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import limits
from wire.messages.transfer import ChunkRange
from wire.transfer.digests import chunk_count, chunk_length
from wire.transfer.places import Places

MIB = limits.MIB
SIZES = st.lists(st.sampled_from([0, 1, 7, MIB - 1, MIB, MIB + 1, 3 * MIB]), max_size=8)


def chunks_of(sizes: list[int]) -> list[tuple[int, int]]:
    return [(file, index) for file, size in enumerate(sizes) for index in range(chunk_count(size))]


@given(SIZES)
def test_places_count_the_chunks_of_all_files_in_order(sizes: list[int]) -> None:
    places, chunks = Places(sizes), chunks_of(sizes)
    assert places.count == len(chunks)
    assert [places.chunk_at(place) for place in range(places.count)] == chunks
    assert [places.of(*chunk) for chunk in chunks] == list(range(len(chunks)))
    for file, size in enumerate(sizes):
        first, stop = places.of_file(file)
        assert stop - first == chunk_count(size)
    for first in range(places.count):
        for stop in range(first + 1, places.count + 1):
            wanted = sum(chunk_length(sizes[file], index) for file, index in chunks[first:stop])
            assert places.bytes_in(first, stop) == wanted
    assert places.bytes_of([(0, 1)] if chunks else []) == (
        chunk_length(sizes[chunks[0][0]], 0) if chunks else 0
    )


@given(SIZES, st.integers(0, 9 * MIB), st.booleans())
def test_ranges_name_the_first_chunks_that_fit(sizes: list[int], room: int, is_idle: bool) -> None:
    places, chunks = Places(sizes), chunks_of(sizes)
    ranges = places.ranges([(0, places.count)], most=3, room=room, is_idle=is_idle)
    named = [
        (wanted.file, index)
        for wanted in ranges
        for index in range(wanted.first, wanted.first + wanted.count)
    ]
    assert named == chunks[: len(named)]
    assert len(ranges) <= 3
    size = sum(chunk_length(sizes[file], index) for file, index in named)
    assert size <= room or (is_idle and len(named) == 1)
    assert bool(ranges) or not chunks or not is_idle


@pytest.mark.parametrize(("most", "files"), [(2, [0, 1]), (9, [0, 1, 2])])
def test_no_more_ranges_are_named_than_may_be(most: int, files: list[int]) -> None:
    ranges = Places([1, 1, 1]).ranges([(0, 3)], most=most, room=9, is_idle=True)
    assert ranges == [ChunkRange(file, 0, 1) for file in files]
