"""What one transfer asks for next, and what of what came is believed.

The shell reads records, hashes chunks and writes what is accepted; this machine keeps a window of at most
8 MiB open at each source, believes a chunk only if it was asked for there and its bytes have the digest
that was announced (from anybody but the offering device: that was signed), and calls a file verified when
all of its chunks are and the root that the offering device signed is theirs.

Files are taken in the manifest's order; only those under way have state of their own. Chunks of files that
are verified are forgotten at once. Not safe to use from two threads at once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from wire import limits
from wire.codes import Code, code_of
from wire.errors import WireError
from wire.ids import ChunkDigest, FileRoot, SigningKey
from wire.messages import Message
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchRefused,
    Have,
    Pack,
    Piece,
    SignedDigests,
    StopFetch,
    Zeros,
)
from wire.transfer.digests import (
    DigestBatch,
    DigestTable,
    chunk_count,
    chunk_length,
    file_root,
    page_digest,
    read_digests,
    zero_digest,
)
from wire.transfer.holding import OfferKey
from wire.transfer.ranges import RangeSet

Source: TypeAlias = bytes  # whatever names a source to the shell, for instance its device id


@dataclass(frozen=True, slots=True)
class ChunkAccepted:
    """These bytes are right: write them, then journal the digest."""

    file: int
    index: int
    digest: ChunkDigest


@dataclass(frozen=True, slots=True)
class ZerosAccepted:
    """These chunks are all zero and need not be written where nothing was written before."""

    file: int
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class FileVerified:
    """All chunks of this file and its root are verified: it may get its name."""

    file: int
    root: FileRoot


@dataclass(frozen=True, slots=True)
class FileFailed:
    """This file will not come: why; the others go on."""

    file: int
    code: Code


@dataclass(frozen=True, slots=True)
class SourceFailed:
    """This source is not asked again for this transfer: why. FLOOD: its link has to be closed."""

    source: Source
    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class ReceiverFinished:
    """Every file is verified or has failed."""


ReceiverEvent: TypeAlias = (
    ChunkAccepted | ZerosAccepted | FileVerified | FileFailed | SourceFailed | ReceiverFinished
)


@dataclass(slots=True)
class _File:
    """A file under way."""

    table: DigestTable
    missing: RangeSet  # neither verified nor asked for
    maybe_sent: RangeSet  # asked for in an earlier life and not verified
    signed: dict[int, bytes] = field(
        default_factory=dict
    )  # digests that the offering device signed
    root: FileRoot | None = None


@dataclass(slots=True)
class _Source:
    """One of those who are asked."""

    is_offering: bool
    new_fetch: Callable[[], int]
    asked: dict[int, RangeSet] = field(default_factory=dict)  # file -> chunks
    asked_bytes: int = 0
    fetches: dict[int, set[int]] = field(default_factory=dict)  # open fetch -> its files
    roots: dict[int, int] = field(default_factory=dict)  # open FetchDigests -> file
    stopped: set[int] = field(default_factory=set)
    has: dict[int, RangeSet] = field(default_factory=dict)  # of a source that is not offering
    strays: int = 0


class Receiver:
    """Takes one offer in from any number of sources.

    key: the offer. sizes: bytes of each file, by file index. signing_key: of the offering device.
    window_bytes: at least one chunk.
    """

    def __init__(
        self,
        key: OfferKey,
        sizes: Sequence[int],
        signing_key: SigningKey,
        *,
        window_bytes: int = limits.WINDOW_BYTES,
    ) -> None:
        self.key = key
        self.verified_bytes = 0  # of chunks that were accepted or restored
        self.resent_bytes = 0  # accepted after they had been asked for in an earlier life
        self.files_done = 0
        self._sizes = sizes
        self._signing_key = signing_key
        self._window = window_bytes
        self._sources: dict[Source, _Source] = {}
        self._dropped: set[Source] = set()
        self._files: dict[int, _File] = {}
        self._over = bytearray(len(sizes))  # 1: verified or failed
        self._left = len(sizes)
        self._next = 0  # the first file that was never begun
        self._rootless: deque[int] = deque()  # complete files whose root has to be asked for
        self._events: list[ReceiverEvent] = []

    # --- before the first source: what an earlier life left

    def restore_verified(self, file: int) -> None:
        """Take note of a file that stands in its place."""
        if not self._over[file]:
            self.verified_bytes += self._sizes[file]
            self._end(file)
            self.files_done += 1

    def restore(self, file: int, chunks: Iterable[tuple[int, bytes]], maybe_sent: RangeSet) -> None:
        """Take note of verified chunks of a file (index, digest), and of those asked for before."""
        state = self._begin(file)
        for index, digest in chunks:
            if index not in state.table.known:
                state.table.put(index, digest)
                state.missing.remove(index, index + 1)
                self.verified_bytes += chunk_length(self._sizes[file], index)
        state.maybe_sent = maybe_sent.intersection(state.missing)
        if state.table.is_complete:
            self._rootless.append(file)

    def start(self) -> None:
        """Verify what needs nobody: empty files. Call once, after what was restored."""
        for file, size in enumerate(self._sizes):
            if size == 0 and not self._over[file]:
                self._verify(file, file_root(0, b""))
        self._check_finished()

    # --- sources

    def join(self, source: Source, *, is_offering: bool, new_fetch: Callable[[], int]) -> None:
        """Begin to ask a source; new_fetch: gives fetch ids that are unique on its link.

        One that failed in this transfer is not asked again: it stays out.
        """
        if source not in self._dropped:
            self._sources[source] = _Source(is_offering, new_fetch)

    def leave(self, source: Source) -> None:
        """Take note that a source is gone: what was asked there may be asked elsewhere."""
        state = self._sources.pop(source, None)
        if state is None:
            return
        for number, chunks in state.asked.items():
            self._files[number].missing.update(chunks)
            self._files[number].maybe_sent.update(chunks)
        for number in state.roots.values():
            self._rootless.append(number)
        for files in state.fetches.values():
            for number in files:
                self._want_root(number)

    def stop(self, source: Source) -> list[StopFetch]:
        """Stop asking a source whose link stays; gives what to tell it."""
        state = self._sources.get(source)
        fetches = [] if state is None else [*state.fetches, *state.roots]
        self.leave(source)
        return [StopFetch(fetch) for fetch in fetches]

    def is_asked(self, source: Source) -> bool:
        """Say whether something that was asked of this source is still to come."""
        state = self._sources.get(source)
        return state is not None and bool(state.fetches or state.roots)

    @property
    def is_finished(self) -> bool:
        """Say whether every file is verified or has failed."""
        return not self._left

    # --- asking

    def asks(self, source: Source) -> list[Fetch | FetchDigests]:
        """Give what to ask this source for now; mark it as asked."""
        state = self._sources.get(source)
        if state is None:
            return []
        asks: list[Fetch | FetchDigests] = []
        if state.is_offering:
            for _ in range(len(self._rootless)):
                file = self._rootless.popleft()
                if file not in self._files or len(state.roots) >= limits.OPEN_FETCHES // 4:
                    continue
                fetch = state.new_fetch()
                state.roots[fetch] = file
                asks.append(FetchDigests(fetch, self.key.device, self.key.offer, file, 0))
        room = self._window - state.asked_bytes
        if state.asked_bytes and room < self._window // 4:
            return asks  # a few larger requests instead of many small ones
        while len(state.fetches) < limits.OPEN_FETCHES // 2:
            ranges, taken = self._choose(state, room)
            if not ranges:
                break
            room -= taken
            fetch = state.new_fetch()
            state.fetches[fetch] = {wanted.file for wanted in ranges}
            asks.append(Fetch(fetch, self.key.device, self.key.offer, tuple(ranges)))
        return asks

    def _choose(self, state: _Source, room: int) -> tuple[list[ChunkRange], int]:
        """Pick up to FETCH_RANGES ranges of at most `room` bytes and mark them as asked."""
        ranges: list[ChunkRange] = []
        before = state.asked_bytes
        for file in self._candidates():
            work = self._files.get(file) or self._begin(file)
            for start, stop in list(self._may_give(state, file, work)):
                while start < stop and room > 0 and len(ranges) < limits.FETCH_RANGES:
                    count = min(stop - start, room // limits.CHUNK_BYTES)
                    if count == 0:
                        count = 1  # a last or only chunk may still fit
                    taken = self._length(file, start, count)
                    if taken > room:
                        room = 0
                        break
                    room -= taken
                    state.asked_bytes += taken
                    state.asked.setdefault(file, RangeSet()).add(start, start + count)
                    work.missing.remove(start, start + count)
                    ranges.append(ChunkRange(file, start, count))
                    start += count
            if room <= 0 or len(ranges) >= limits.FETCH_RANGES:
                break
        return ranges, state.asked_bytes - before
