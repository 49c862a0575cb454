"""Numbers all chunks of an offer one after another, in the manifest's order: the *places* of its chunks.

What several sources hold of a folder of 100,000 files is so a handful of ranges. An empty file has no place.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate

from wire import limits
from wire.messages.transfer import ChunkRange


class Places:
    """The places of one offer. sizes: bytes of each file, by file index."""

    __slots__ = ("_firsts", "count", "sizes")

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        chunk = limits.CHUNK_BYTES
        self._firsts = list(accumulate((-(-size // chunk) for size in sizes), initial=0))
        self.count = self._firsts[-1]

    def of(self, file: int, index: int) -> int:
        """Give the place of a file's chunk."""
        return self._firsts[file] + index

    def span(self, wanted: ChunkRange) -> tuple[int, int]:
        """Give the places (first, stop) of a range."""
        first = self._firsts[wanted.file] + wanted.first
        return first, first + wanted.count

    def of_file(self, file: int) -> tuple[int, int]:
        """Give the places (first, stop) of all chunks of a file."""
        return self._firsts[file], self._firsts[file + 1]

    def chunk_at(self, place: int) -> tuple[int, int]:
        """Give (file, chunk index) of a place."""
        file = bisect_right(self._firsts, place) - 1
        return file, place - self._firsts[file]

    def bytes_in(self, first: int, stop: int) -> int:
        """Add up the lengths of the chunks at places first to stop - 1, of which there are some."""
        start, index = self.chunk_at(first)
        last, last_index = self.chunk_at(stop - 1)
        if start == last:
            return span_bytes(self.sizes[start], index, last_index + 1)
        return (
            self.sizes[start]
            - index * limits.CHUNK_BYTES
            + sum(self.sizes[start + 1 : last])
            + span_bytes(self.sizes[last], 0, last_index + 1)
        )

    def bytes_of(self, spans: Iterable[tuple[int, int]]) -> int:
        """Add up the lengths of the chunks of places (first, stop) each."""
        return sum(self.bytes_in(*span) for span in spans)

    def ranges(
        self, spans: Iterable[tuple[int, int]], *, most: int, room: int, is_idle: bool
    ) -> list[ChunkRange]:
        """Name the first chunks of some places, as a Fetch does.

        spans: (first, stop) each. most: ranges. room: bytes they may have in all; is_idle: one chunk may
        have more.
        """
        chunk, sizes, firsts = limits.CHUNK_BYTES, self.sizes, self._firsts
        ranges: list[ChunkRange] = []
        for place, stop in spans:
            file = bisect_right(firsts, place) - 1
            while place < stop and len(ranges) < most:
                ends = firsts[file + 1]
                if ends <= place:  # an empty file
                    file += 1
                    continue
                size = sizes[file]
                if size <= chunk:
                    if size > room and not is_idle:
                        return ranges
                    ranges.append(ChunkRange(file, 0, 1))
                    room -= size
                    is_idle = False
                    place = ends  # noqa: PLW2901 - it walks through the span
                    file += 1
                    continue
                first = place - firsts[file]
                count = min(min(stop, ends) - place, room // chunk)
                if count <= 0:
                    if not is_idle:
                        return ranges
                    count = 1
                ranges.append(ChunkRange(file, first, count))
                room -= span_bytes(size, first, first + count)
                is_idle = False
                place += count  # noqa: PLW2901
                file += place == ends
        return ranges


def span_bytes(size: int, first: int, stop: int) -> int:
    """Add up the lengths of chunks first to stop - 1 of a file of `size` bytes."""
    return min(size, stop * limits.CHUNK_BYTES) - first * limits.CHUNK_BYTES
