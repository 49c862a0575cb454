"""Which chunks of an offer are missing, asked for or here: the book a `Receiver` keeps.

Kept as sets of places (`wire.transfer.places`), so a folder of many small files costs no more than one long
file. Of a file of several chunks the digests are kept while it is under way; of one with a single chunk its
digest until somebody vouched for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wire import limits
from wire.errors import LocalProtocolError
from wire.messages.transfer import ChunkRange, PackedChunk
from wire.transfer.digests import DigestTable, chunk_count, chunk_length
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet


class Book:
    """The chunks of one offer. sizes: bytes of each file, by file index."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.places = Places(sizes)
        self.missing = RangeSet([(0, self.places.count)])  # neither here nor asked for
        self.asked = RangeSet()  # of anybody, and not here
        self.doubled = RangeSet()  # of two sources, one of which has not answered: no strays
        self.verified_bytes = 0  # of chunks whose bytes are right
        self.resent_bytes = 0  # came again after they had been asked for before
        self.asked_bytes = 0  # of `asked`
        self.left = len(sizes)  # files that are not over
        self.several: dict[int, DigestTable] = {}  # of files of several chunks under way
        self.here: dict[int, bytes] = {}  # digests of single chunks that nobody vouched for yet
        self._is_over = bytearray(len(sizes))
        self._maybe_sent = RangeSet()  # asked for on an earlier link and not verified

    def is_over(self, file: int) -> bool:
        """Say whether a file is verified or has failed."""
        return bool(self._is_over[file])

    def is_complete(self, file: int) -> bool:
        """Say whether all bytes of a file that is not over are here."""
        table = self.several.get(file)
        return file in self.here if table is None else table.is_complete

    def complete(self) -> list[int]:
        """List the files whose bytes are all here and that are not over."""
        whole = [file for file, table in self.several.items() if table.is_complete]
        return [*whole, *self.here]

    def is_expected(self, file: int, index: int, length: int) -> bool:
        """Say whether this very chunk was asked for and is not here."""
        if file >= len(self.sizes):
            return False
        left = self.sizes[file] - index * limits.CHUNK_BYTES
        is_its_length = left > 0 and length == min(left, limits.CHUNK_BYTES)
        return is_its_length and self.places.of(file, index) in self.asked

    def are_expected(self, chunks: Iterable[PackedChunk]) -> bool:
        """Say so of the first chunks of several files, which are small as a rule and lie side by side."""
        sizes = self.sizes
        first = stop = 0  # asked for, around the last one
        for chunk in chunks:
            file, length = chunk.file, chunk.length
            if file >= len(sizes) or sizes[file] != length or not length:
                if not self.is_expected(file, 0, length):
                    return False
                continue
            place = self.places.of(file, 0)
            if not first <= place < stop:
                span = self.asked.around(place)
                if span is None:
                    return False
                first, stop = span
        return True

    def is_owed(self, ranges: Iterable[ChunkRange]) -> bool:
        """Say whether something of some ranges was asked for and is not here."""
        return any(self.asked.within(*span) for span in self._joined(ranges))

    # --- what an earlier life left

    def restore(
        self, file: int, chunks: Iterable[tuple[int, bytes]], maybe_sent: Iterable[tuple[int, int]]
    ) -> None:
        """Take right chunks of a file (index, digest), and ranges (first, stop) once asked for."""
        count = chunk_count(self.sizes[file])
        for index, digest in chunks:
            place = self.places.of(file, index)
            if index < count and place in self.missing:
                self.missing.remove(place, place + 1)
                self.verified_bytes += chunk_length(self.sizes[file], index)
                self._know(file, index, [digest])
        start = self.places.of(file, 0)
        for first, stop in maybe_sent:
            for span in self.missing.within(start + first, start + min(stop, count)):
                self._maybe_sent.add(*span)

    # --- asking

    def choose(
        self, room: int, spans: Iterable[tuple[int, int]] | None = None, *, is_idle: bool = True
    ) -> list[ChunkRange]:
        """Count as asked up to FETCH_RANGES ranges of at most `room` bytes.

        spans: places that are missing, (first, stop) each, best first; all that is missing, in order, unless
        told. is_idle: one chunk may have more than `room`.
        """
        if spans is None:
            spans = self.missing.first(room // limits.CHUNK_BYTES + limits.FETCH_RANGES)
        ranges = self.places.ranges(spans, most=limits.FETCH_RANGES, room=room, is_idle=is_idle)
        for first, stop in self._joined(ranges):
            self.missing.remove(first, stop)
            self.asked.add(first, stop)
            self.asked_bytes += self.places.bytes_in(first, stop)
        return ranges

    def double(self, room: int, spans: Iterable[tuple[int, int]]) -> list[ChunkRange]:
        """Give ranges of at most `room` bytes of what was asked for, to be asked of another source as well."""
        ranges = self.places.ranges(spans, most=limits.FETCH_RANGES, room=room, is_idle=True)
        for span in self._joined(ranges):
            self.doubled.add(*span)
        return ranges

    def give_back(self, first: int, stop: int) -> None:
        """Put what was asked for and did not come where it is asked for anew: places first to stop - 1.

        What another source was asked for as well is still to come.
        """
        alone = self.asked.within(first, stop).difference(self.doubled.within(first, stop))
        for span in alone:
            self.missing.add(*span)
            self._maybe_sent.add(*span)
            self.asked.remove(*span)
            self.asked_bytes -= self.places.bytes_in(*span)
        self.doubled.remove(first, stop)

    def _joined(self, ranges: Iterable[ChunkRange]) -> list[tuple[int, int]]:
        """Give the places of ranges, neighbours joined."""
        joined: list[tuple[int, int]] = []
        for wanted in ranges:
            first, stop = self.places.span(wanted)
            if joined and joined[-1][1] == first:
                joined[-1] = joined[-1][0], stop
            else:
                joined.append((first, stop))
        return joined

    # --- what comes

    def take(self, file: int, first: int, digests: Sequence[bytes]) -> None:
        """Count consecutive chunks of a file that were asked for as here; their bytes have these digests."""
        place = self.places.of(file, first)
        self._came(place, place + len(digests))
        self._know(file, first, digests)

    def take_packed(self, chunks: Iterable[PackedChunk]) -> bool:
        """Count the first chunks of several files as here; False at one that is not expected (any more)."""
        sizes, here, of = self.sizes, self.here, self.places.of
        first = stop = 0  # of small files that lie side by side
        around = range(0)  # asked for, around the last one
        try:
            for chunk in chunks:
                file, size = chunk.file, chunk.length
                if file >= len(sizes) or size != sizes[file] or not size:
                    if not self.is_expected(file, 0, size):
                        return False
                    self.take(file, 0, [chunk.digest])
                    continue
                place = of(file, 0)
                if place not in around:
                    around = range(*(self.asked.around(place) or (0, 0)))
                if file in here or place not in around:
                    return False
                if place != stop:
                    self._came(first, stop)
                    first = stop = place
                stop += 1
                here[file] = chunk.digest
            return True
        finally:
            self._came(first, stop)

    def take_double(self, file: int, index: int, length: int) -> bool:
        """Count a chunk that another source was faster with; False: nobody was asked for it twice."""
        if file >= len(self.sizes) or index >= chunk_count(self.sizes[file]):
            return False
        place = self.places.of(file, index)
        if place not in self.doubled or length != chunk_length(self.sizes[file], index):
            return False
        self.doubled.remove(place, place + 1)
        self.resent_bytes += length
        return True

    def end(self, file: int) -> None:
        """Forget a file that is verified, or was before we began."""
        if self._is_over[file]:
            raise LocalProtocolError(f"file {file} is over already")
        self._is_over[file] = 1
        self.left -= 1
        if self.here.pop(file, None) is None:  # else its one chunk came, so it is not missing
            self.missing.remove(*self.places.of_file(file))
            self.several.pop(file, None)

    def fail(self, file: int) -> None:
        """Give a file up: what of it was asked for will not come, what came does not count."""
        first, stop = self.places.of_file(file)
        self.asked_bytes -= self.places.bytes_of(self.asked.within(first, stop))
        self.asked.remove(first, stop)
        table = self.several.get(file)
        if table is not None:
            self.verified_bytes -= self.places.bytes_of(
                (first + one, first + other) for one, other in table.known
            )
        elif file in self.here:
            self.verified_bytes -= self.sizes[file]
        self.end(file)

    # --- inside

    def _came(self, first: int, stop: int) -> None:
        """Count what was asked for as come: places first to stop - 1."""
        if first == stop:
            return
        size = self.places.bytes_in(first, stop)
        self.asked.remove(first, stop)
        self.asked_bytes -= size
        self.verified_bytes += size
        if self._maybe_sent:
            self.resent_bytes += self.places.bytes_of(self._maybe_sent.within(first, stop))

    def _know(self, file: int, first: int, digests: Sequence[bytes]) -> None:
        size = self.sizes[file]
        if size <= limits.CHUNK_BYTES:
            self.here[file] = digests[0]
        else:
            table = self.several.get(file)
            if table is None:
                table = self.several[file] = DigestTable(size)
            table.put(first, *digests)
