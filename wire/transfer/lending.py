"""What a holder has of somebody else's offer, and what each of its watchers is told of that.

A holder tells only of chunks whose signed digests it has, and passes the signed batches on first, so whoever
is told can check what it then asks for. Shared by the transfer that comes and all links that lend, in threads of
their own: sets are never changed, but replaced by changed ones, so each reader sees one or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from wire import limits
from wire.ids import ChunkDigest
from wire.machine import Monotonic
from wire.messages.transfer import Have, SignedDigests, Span
from wire.transfer.ranges import RangeSet
from wire.transfer.vouched import Vouched

_BATCHES_AT_ONCE = 16  # passed on in one step


class Lending:
    """What may be lent. vouched: what was signed. held: places of chunks that are verified here."""

    def __init__(self, vouched: Vouched, held: RangeSet | None = None) -> None:
        self.vouched = vouched
        self.held = RangeSet() if held is None else held
        self.fetching = RangeSet()  # places that are asked of the offering device now

    def has(self, file: int, first: int, count: int) -> bool:
        """Say whether these chunks may be lent."""
        place = self.vouched.places.of(file, first)
        return all(
            around is not None and place + count <= around[1]
            for around in (self.held.around(place), self.vouched.known.around(place))
        )

    def digest(self, file: int, index: int) -> ChunkDigest | None:
        """Give what a chunk's bytes have to be."""
        digest = self.vouched.digest(self.vouched.places.of(file, index))
        return None if digest is None else ChunkDigest(digest)

    def hold(self, spans: Iterable[tuple[int, int]]) -> None:
        """Lend more: places (first, stop) each."""
        held = self.held.copy()
        for span in spans:
            held.add(*span)
        self.held = held

    def lose(self, file: int) -> None:
        """Lend no more of a file: it is not what it was."""
        held = self.held.copy()
        held.remove(*self.vouched.places.of_file(file))
        self.held = held


class Watching:
    """One watcher of a link. fetch: of its Watch, which every Have repeats."""

    __slots__ = ("_batches", "_claimed", "_due", "_lending", "_told", "fetch")

    def __init__(self, fetch: int, lending: Lending, now: Monotonic) -> None:
        self.fetch = fetch
        self._lending = lending
        self._batches = 0  # passed on
        self._told = RangeSet()
        self._claimed = RangeSet()
        self._due = now

    def deadline(self) -> Monotonic:
        """Name the instant from which there may be news."""
        return self._due

    def news(self, now: Monotonic) -> list[SignedDigests | Have]:
        """Give what is to be told now: signed batches first, then a Have, if anything changed."""
        if now < self._due:
            return []
        vouched, lending = self._lending.vouched, self._lending
        batches = vouched.batches[self._batches : self._batches + _BATCHES_AT_ONCE]
        self._batches += len(batches)
        said: list[SignedDigests | Have] = [SignedDigests(batch) for batch in batches]
        if self._batches < len(vouched.batches):
            return said  # more of them in the next step
        self._due = Monotonic(now + limits.HAVE_EVERY_S)
        fresh = lending.held.intersection(vouched.known).difference(self._told)
        room = limits.HAVE_SPANS
        held: list[Span] = []
        for first, stop in fresh:
            touches = first - 1 in self._told or stop in self._told
            if len(held) >= room or (not touches and self._told.spans >= limits.HELD_SPANS):
                continue
            held.append(Span(first, stop - first))
            self._told.add(first, stop)
        if not held and self._claimed == lending.fetching:
            return said
        self._claimed = lending.fetching
        return [
            *said,
            Have(self.fetch, tuple(held), _spans(self._claimed, vouched.places.bytes_in)),
        ]


def _spans(
    places: Iterable[tuple[int, int]], bytes_in: Callable[[int, int], int]
) -> tuple[Span, ...]:
    """Name what is being fetched, as far as a Have may."""
    spans: list[Span] = []
    room = limits.CLAIM_BYTES
    for first, stop in places:
        room -= bytes_in(first, stop)
        if room < 0 or len(spans) == limits.CLAIM_SPANS:
            break
        spans.append(Span(first, stop - first))
    return tuple(spans)
