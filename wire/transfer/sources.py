"""What a receiver has asked of each of its sources and is still to come; what is asked next.

With the offering device alone, chunks are asked for in order, one window ahead. With several sources each has a
window of its own, and `wire.transfer.swarm` says which chunks are asked of whom.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec import Struct, field

from wire import limits
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import ChunkRange, Fetch, FetchDigests, Piece, Watch
from wire.transfer.book import Book
from wire.transfer.holding import OfferKey
from wire.transfer.lending import Lending
from wire.transfer.ranges import RangeSet
from wire.transfer.swarm import RETRY_S, Swarm

BRISK_S = 0.004  # since it was asked last: a quarter of a window that came by then came at 500 MB/s
_OPEN_ROOTS = limits.FETCHES_PER_TRANSFER - limits.CHUNK_FETCHES - 1  # one is a Watch


class Asked(Struct):
    """One open Fetch. owed: places that have not come, kept where there are several sources."""

    ranges: tuple[ChunkRange, ...]
    owed: RangeSet


class Requests(Struct):
    """The open requests of one source. new_fetch: gives fetch ids that are unique on its link.

    asked_at: when it was asked for chunks last.
    """

    new_fetch: Callable[[], int]
    asked_at: Monotonic | None = None
    fetches: dict[int, Asked] = field(default_factory=dict[int, Asked])
    roots: dict[int, int] = field(default_factory=dict[int, int])  # open FetchDigests -> file
    watch: int | None = None  # a holder's
    strays: int = 0

    def open(self) -> list[int]:
        """List the ids of all open requests."""
        watch = [] if self.watch is None else [self.watch]
        return [*self.fetches, *self.roots, *watch]


class Sources:
    """The sources of one transfer.

    key: the offer. swarm, lending: where there may be several, else None. window_bytes: of one alone.
    """

    def __init__(
        self,
        key: OfferKey,
        book: Book,
        swarm: Swarm | None,
        lending: Lending | None,
        *,
        window_bytes: int,
    ) -> None:
        self._key = key
        self._book = book
        self._swarm = swarm
        self._lending = lending
        self._window = window_bytes
        self._unsigned = RangeSet()  # of what the offering device brought in this life
        self.rootless: dict[int, None] = {}  # complete files that nobody vouched for, in order
        self.every: dict[DeviceId, Requests] = {}

    def add(self, source: DeviceId, new_fetch: Callable[[], int], now: Monotonic) -> None:
        """Take a source in."""
        self.every[source] = Requests(new_fetch)
        if self._swarm is not None:
            self._swarm.join(source, now)

    def drop(self, source: DeviceId) -> None:
        """Forget a source; what it was asked for is asked for anew."""
        requests = self.every.pop(source, None)
        if requests is not None:
            for asked in requests.fetches.values():
                self._give_back(asked)
            if self._swarm is not None:
                self._swarm.leave(source)
            complete = self._book.complete()
            if source == self._key.device:
                self.rootless = dict.fromkeys(complete)
                self._unsigned = RangeSet()  # what was not signed on that link never will be
                self.claim()
            else:  # it might have been the one whose Fetched would have told
                several = self._book.several
                self.rootless.update(dict.fromkeys(file for file in complete if file in several))

    def silence(self, source: DeviceId, now: Monotonic) -> list[int]:
        """Ask a source that stalls for nothing for a while; gives the fetches that it need not answer."""
        assert self._swarm is not None
        requests = self.every[source]
        stopped = list(requests.fetches)
        for asked in requests.fetches.values():
            self._give_back(asked)
        requests.fetches.clear()
        member = self._swarm.members[source]
        member.asked_bytes = 0
        member.silent_until = Monotonic(now + RETRY_S)
        self.claim()
        return stopped

    def asks(self, source: DeviceId, now: Monotonic) -> list[Fetch | FetchDigests | Watch]:
        """Give what to ask a source for now, and count it as asked."""
        requests = self.every.get(source)
        if requests is None:
            return []
        asks: list[Fetch | FetchDigests | Watch] = []
        if source == self._key.device:
            if self.rootless:
                asks += self._ask_roots(requests)
        elif requests.watch is None:
            requests.watch = requests.new_fetch()
            asks.append(Watch(requests.watch, self._key.device, self._key.offer))
        asks += self._ask_chunks(source, requests, now)
        if asks and source == self._key.device:
            self.claim()
        return asks

    def claim(self) -> None:
        """Let watchers know what is being fetched from the offering device, or came and is not signed yet."""
        if self._lending is not None:
            self._unsigned = self._unsigned.difference(self._lending.vouched.known)
            self._lending.fetching = self.owed(self._key.device).union(self._unsigned)

    def owed(self, source: DeviceId) -> RangeSet:
        """Give the places that a source was asked for and that have not come from anybody."""
        owed = RangeSet()
        requests = self.every.get(source)
        for asked in () if requests is None else requests.fetches.values():
            owed.update(asked.owed)
        return owed.intersection(self._book.asked)

    def _ask_chunks(self, source: DeviceId, requests: Requests, now: Monotonic) -> list[Fetch]:
        """Ask a source for as many chunks as its window has room for; nearly always for none."""
        asks: list[Fetch] = []
        while len(requests.fetches) < limits.CHUNK_FETCHES:
            asked, window = self._book.asked_bytes, self._window
            if self._swarm is not None:
                asked, window = self._swarm.members[source].asked_bytes, self._swarm.window(source)
            room = window - asked
            if room <= 0 or (not asks and asked and room < self._least(requests, window, now)):
                break  # a few larger requests instead of many small ones
            if self._swarm is None:
                ranges = self._book.choose(room, is_idle=not asked)
            else:
                ranges = self._of_several(self._swarm, source, room, now)
            if not ranges:
                break
            requests.asked_at = now
            fetch = self._open(requests, tuple(ranges))
            asks.append(Fetch(fetch, self._key.device, self._key.offer, tuple(ranges)))
        return asks

    def _least(self, requests: Requests, window: int, now: Monotonic) -> int:
        """Say how much room there has to be for it to be asked for more: half the window of a fast one.

        Each request costs both sides as much as a tenth of a chunk (measured 2026-11). A link so long that half
        a window were too little on the way is not so fast, as one window a round trip is all that it brings.
        """
        is_fast = requests.asked_at is not None and now - requests.asked_at < BRISK_S
        return window // 2 if is_fast else window // 4

    def _open(self, requests: Requests, ranges: tuple[ChunkRange, ...]) -> int:
        """Open a Fetch, and give its id."""
        fetch = requests.new_fetch()
        owed = RangeSet()
        if self._swarm is not None:
            owed = RangeSet(self._book.places.span(wanted) for wanted in ranges)
        requests.fetches[fetch] = Asked(ranges, owed)
        return fetch

    def came(
        self, source: DeviceId, fetch: int, spans: Iterable[tuple[int, int]], now: Monotonic
    ) -> None:
        """Take note that a source brought chunks: places (first, stop) each.

        fetch: as it named it; of one that is not open, or has not these chunks, it owes what it owed.
        """
        if self._swarm is None:
            return
        asked = self.every[source].fetches.get(fetch)
        size = owed = 0
        for span in spans:
            its = self._book.places.bytes_in(*span)
            size += its
            if asked is not None and span[0] in asked.owed:
                owed += its
                asked.owed.remove(*span)
            if source == self._key.device:
                self._unsigned.add(*span)
        self._swarm.members[source].bring(size, now, owed_bytes=owed)
        if source == self._key.device:
            self.claim()

    def is_of(self, source: DeviceId, fetch: int, place: int) -> bool:
        """Say whether a chunk is to come from this source, in answer to this fetch."""
        asked = self.every[source].fetches.get(fetch)
        return asked is not None and place in asked.owed

    def is_late(self, source: DeviceId, piece: Piece, now: Monotonic) -> bool:
        """Say whether a chunk was asked for here, but another source was faster; it counts as sent again."""
        if not self._book.take_double(piece.file, piece.index, piece.length):
            return False
        place = self._book.places.of(piece.file, piece.index)
        self.came(source, piece.fetch, [(place, place + 1)], now)
        return True

    def close(self, source: DeviceId, fetch: int) -> tuple[Asked | None, bool]:
        """Close a fetch that was answered to its end; gives it, and whether all of it came from somebody.

        One of which something is missing stays open.
        """
        requests = self.every[source]
        asked = requests.fetches.get(fetch)
        if asked is None:
            return None, True
        if self._swarm is None:
            is_whole = not self._book.is_owed(asked.ranges)
        else:
            is_whole = not asked.owed.intersection(self._book.asked)
        if is_whole:
            del requests.fetches[fetch]
            if self._swarm is not None:
                self._settle(source, asked.owed)
        return asked, is_whole

    def lack(self, source: DeviceId, fetch: int, file: int) -> None:
        """Take note that a holder cannot give a file, or for -1 nothing of a fetch: others are asked."""
        assert self._swarm is not None
        asked = self.every[source].fetches[fetch]
        lacked = asked.owed.copy()
        if file >= 0:
            lacked = lacked.within(*self._book.places.of_file(file))
            self._swarm.lacks(source, *self._book.places.of_file(file))
        else:
            del self.every[source].fetches[fetch]
        for span in lacked:
            self._swarm.lacks(source, *span)
            self._book.give_back(*span)
        asked.owed.difference_update(lacked)
        self._settle(source, lacked)

    def stalled(self, now: Monotonic, alive: Mapping[DeviceId, Monotonic]) -> list[DeviceId]:
        """List the sources that stall, see `Swarm.stalled`."""
        return [] if self._swarm is None else self._swarm.stalled(now, alive)

    # --- inside

    def _ask_roots(self, requests: Requests) -> list[FetchDigests]:
        asks: list[FetchDigests] = []
        while self.rootless and len(requests.roots) < _OPEN_ROOTS:
            file = next(iter(self.rootless))
            del self.rootless[file]
            if not self._book.is_over(file):
                fetch = requests.new_fetch()
                requests.roots[fetch] = file
                asks.append(FetchDigests(fetch, self._key.device, self._key.offer, file, 0))
        return asks

    def _of_several(
        self, swarm: Swarm, source: DeviceId, room: int, now: Monotonic
    ) -> list[ChunkRange]:
        assert self._lending is not None
        book, member = self._book, swarm.members[source]
        spans = swarm.choose(source, book.missing, self._lending.vouched.known, now)
        if spans:
            ranges = book.choose(room, spans, is_idle=not member.asked_bytes)
        elif book.missing or member.asked_bytes:
            return []
        else:
            owed = {each: self._alone(each) for each in self.every if each != source}
            spans = swarm.race(source, owed, self._lending.vouched.known, now)
            ranges = book.double(limits.WINDOW_LEAST_BYTES, spans)
        for wanted in ranges:
            member.ask(book.places.bytes_in(*book.places.span(wanted)), now)
        return ranges

    def _alone(self, source: DeviceId) -> RangeSet:
        """Give the chunks of long files that a source was asked for and nobody else; only those are raced."""
        chunk, sizes = limits.CHUNK_BYTES, self._book.sizes
        found = RangeSet()
        for asked in self.every[source].fetches.values():
            for wanted in asked.ranges:
                if sizes[wanted.file] > chunk:
                    found.update(asked.owed.within(*self._book.places.span(wanted)))
        return found.intersection(self._book.asked).difference(self._book.doubled)

    def _give_back(self, asked: Asked) -> None:
        spans: Iterable[tuple[int, int]] = asked.owed
        if self._swarm is None:
            spans = (self._book.places.span(wanted) for wanted in asked.ranges)
        for span in list(spans):
            self._book.give_back(*span)

    def _settle(self, source: DeviceId, owed: RangeSet) -> None:
        """Count as over what a source was asked for and will not bring."""
        assert self._swarm is not None
        self._swarm.members[source].asked_bytes -= self._book.places.bytes_of(owed)
        for span in owed:
            self._book.doubled.remove(*span)
