"""Which chunks of an offer are missing, asked for or here: the book a `Receiver` keeps.

A file of several chunks has state of its own while it is under way; of one with a single chunk a byte is
kept, and its digest until somebody vouched for it. Files are taken in the manifest's order.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wire import limits
from wire.errors import LocalProtocolError
from wire.messages.transfer import ChunkRange, PackedChunk
from wire.transfer.digests import DigestTable, chunk_count, chunk_length
from wire.transfer.ranges import RangeSet

_UNTOUCHED, _ASKED, _HERE, _OVER = range(4)  # of a file; one of several chunks is never _HERE


@dataclass(slots=True)
class Several:
    """A file of several chunks that is under way."""

    table: DigestTable
    missing: RangeSet  # neither verified nor asked for
    asked: RangeSet
    maybe_sent: RangeSet  # asked for on an earlier link and not verified


class Book:
    """The chunks of one offer. sizes: bytes of each file, by file index."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = sizes
        self.verified_bytes = 0  # of chunks whose bytes are right
        self.resent_bytes = 0  # came again after they had been asked for before
        self.asked_bytes = 0  # asked for and not yet here
        self.left = len(sizes)  # files that are not over
        self.several: dict[int, Several] = {}
        self.here: dict[int, bytes] = {}  # digests of single chunks that nobody vouched for yet
        self._state = bytearray(len(sizes))
        self._next = 0  # the first file that nobody has begun
        self._todo: deque[int] = deque()  # files before `_next` of which something is missing
        self._maybe_sent: set[int] = set()  # files of one chunk asked for on an earlier link

    def is_over(self, file: int) -> bool:
        """Say whether a file is verified or has failed."""
        return self._state[file] == _OVER

    def is_untouched(self, file: int) -> bool:
        """Say whether nothing of a file was asked for or restored."""
        return self._state[file] == _UNTOUCHED

    def is_complete(self, file: int) -> bool:
        """Say whether all bytes of a file that is not over are here."""
        work = self.several.get(file)
        return file in self.here if work is None else work.table.is_complete

    def complete(self) -> list[int]:
        """List the files whose bytes are all here and that are not over."""
        whole = [file for file, work in self.several.items() if work.table.is_complete]
        return [*whole, *self.here]

    def is_expected(self, file: int, index: int, length: int) -> bool:
        """Say whether this very chunk was asked for and is not here."""
        if file >= len(self.sizes) or self._state[file] != _ASKED:
            return False
        if length != chunk_length(self.sizes[file], index):
            return False
        work = self.several.get(file)
        return index == 0 if work is None else index in work.asked

    def are_expected(self, chunks: Iterable[PackedChunk]) -> bool:
        """Say so of the first chunks of several files, which are small as a rule."""
        sizes, states = self.sizes, self._state
        for chunk in chunks:
            file, length = chunk.file, chunk.length
            if file < len(sizes) and sizes[file] == length and file not in self.several:
                if states[file] != _ASKED:
                    return False
            elif not self.is_expected(file, 0, length):
                return False
        return True

    def is_owed(self, wanted: ChunkRange) -> bool:
        """Say whether something of a range was asked for and is not here."""
        work = self.several.get(wanted.file)
        if work is None:
            return self._state[wanted.file] == _ASKED
        return bool(work.asked.within(wanted.first, wanted.first + wanted.count))

    # --- what an earlier life left

    def restore(
        self, file: int, chunks: Iterable[tuple[int, bytes]], maybe_sent: Iterable[tuple[int, int]]
    ) -> None:
        """Take right chunks of a file (index, digest), and ranges (first, stop) once asked for."""
        count = chunk_count(self.sizes[file])
        if count < 2:
            for _, digest in chunks:
                self._arrive_single(file, digest)
            if self._state[file] == _UNTOUCHED and any(maybe_sent):
                self._maybe_sent.add(file)
            return
        work = self._begin(file)
        self._state[file] = _ASKED
        self._todo.append(file)
        for index, digest in chunks:
            if index < count and index not in work.table.known:
                self._arrive(file, work, index, digest)
        work.maybe_sent = RangeSet(maybe_sent).intersection(work.missing)

    # --- asking

    def choose(self, room: int) -> list[ChunkRange]:
        """Count as asked up to FETCH_RANGES ranges of at most `room` bytes, but one chunk at least."""
        ranges: list[ChunkRange] = []
        ends = self.asked_bytes + room
        while len(ranges) < limits.FETCH_RANGES:
            file = self._first_todo()
            if file is None:
                break
            size = self.sizes[file]
            room = ends - self.asked_bytes
            if size <= limits.CHUNK_BYTES:
                if size > room and self.asked_bytes:
                    break
                self._state[file] = _ASKED
                self._todo.popleft()
                ranges.append(ChunkRange(file, 0, 1))
                self.asked_bytes += size
                continue
            work = self.several.get(file) or self._begin(file)
            first, stop = next(iter(work.missing))
            count = min(stop - first, room // limits.CHUNK_BYTES)
            if count == 0:
                if self.asked_bytes:
                    break
                count = 1
            work.missing.remove(first, first + count)
            work.asked.add(first, first + count)
            self._state[file] = _ASKED
            ranges.append(ChunkRange(file, first, count))
            self.asked_bytes += span_bytes(size, first, first + count)
            if not work.missing:
                self._todo.popleft()
        return ranges

    def give_back(self, wanted: ChunkRange) -> None:
        """Put what was asked for and did not come where it is asked for anew."""
        size = self.sizes[wanted.file]
        work = self.several.get(wanted.file)
        if work is None:
            if self._state[wanted.file] == _ASKED:
                self._state[wanted.file] = _UNTOUCHED
                self._maybe_sent.add(wanted.file)
                self._todo.append(wanted.file)
                self.asked_bytes -= size
            return
        for first, stop in work.asked.within(wanted.first, wanted.first + wanted.count):
            work.missing.add(first, stop)
            work.maybe_sent.add(first, stop)
            work.asked.remove(first, stop)
            self.asked_bytes -= span_bytes(size, first, stop)
        if work.missing:
            self._todo.append(wanted.file)

    def _first_todo(self) -> int | None:
        """Give the file that is asked for next, which then stands first in `_todo`."""
        while self._todo:
            file = self._todo[0]
            work = self.several.get(file)
            if work.missing if work is not None else self._state[file] == _UNTOUCHED:
                return file
            self._todo.popleft()
        while self._next < len(self.sizes):
            file = self._next
            self._next += 1
            if self._state[file] == _UNTOUCHED:
                self._todo.append(file)
                return file
        return None

    # --- what comes

    def take(self, file: int, index: int, digest: bytes) -> None:
        """Count a chunk that was asked for as here; its bytes have this digest."""
        work = self.several.get(file)
        if work is None:
            size = self.sizes[file]
            self.asked_bytes -= size
            if file in self._maybe_sent:
                self.resent_bytes += size
            self._arrive_single(file, digest)
            return
        length = chunk_length(self.sizes[file], index)
        self.asked_bytes -= length
        if index in work.maybe_sent:
            self.resent_bytes += length
        work.asked.remove(index, index + 1)
        self._arrive(file, work, index, digest)

    def take_packed(self, chunks: Iterable[PackedChunk]) -> bool:
        """Count the first chunks of several files as here; False at one that is not expected (any more)."""
        for chunk in chunks:
            file, size = chunk.file, chunk.length
            if file in self.several or size != self.sizes[file]:
                if not self.is_expected(file, 0, size):
                    return False
                self.take(file, 0, chunk.digest)
                continue
            if self._state[file] != _ASKED:
                return False
            self.asked_bytes -= size
            self.verified_bytes += size
            self._state[file] = _HERE
            self.here[file] = chunk.digest
            if self._maybe_sent and file in self._maybe_sent:
                self.resent_bytes += size
        return True

    def end(self, file: int) -> None:
        """Forget a file that is verified, or was before we began."""
        if self._state[file] == _OVER:
            raise LocalProtocolError(f"file {file} is over already")
        self._state[file] = _OVER
        self.several.pop(file, None)
        self.here.pop(file, None)
        self._maybe_sent.discard(file)
        self.left -= 1

    def fail(self, file: int) -> None:
        """Give a file up: what of it was asked for will not come, what came does not count."""
        size, work = self.sizes[file], self.several.get(file)
        if work is not None:
            self.asked_bytes -= sum(span_bytes(size, *span) for span in work.asked)
            self.verified_bytes -= sum(span_bytes(size, *span) for span in work.table.known)
        elif self._state[file] == _ASKED:
            self.asked_bytes -= size
        elif self._state[file] == _HERE:
            self.verified_bytes -= size
        self.end(file)

    # --- inside

    def _begin(self, file: int) -> Several:
        size = self.sizes[file]
        work = self.several[file] = Several(
            DigestTable(size), RangeSet([(0, chunk_count(size))]), RangeSet(), RangeSet()
        )
        return work

    def _arrive(self, file: int, work: Several, index: int, digest: bytes) -> None:
        work.table.put(index, digest)
        work.missing.remove(index, index + 1)
        self.verified_bytes += chunk_length(self.sizes[file], index)

    def _arrive_single(self, file: int, digest: bytes) -> None:
        self._state[file] = _HERE
        self.here[file] = digest
        self.verified_bytes += self.sizes[file]


def span_bytes(size: int, first: int, stop: int) -> int:
    """Add up the lengths of chunks first to stop - 1 of a file of `size` bytes."""
    return min(size, stop * limits.CHUNK_BYTES) - first * limits.CHUNK_BYTES
