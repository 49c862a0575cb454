"""Sets of chunk indexes as sorted, disjoint, half-open ranges; the arithmetic both sides plan with.

A file of 16 TiB has 16,777,216 chunks; what is asked for or verified of it is nearly always a handful of
runs. All operations keep the ranges sorted, disjoint and not touching, so equal sets compare equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """A set of integers from 0, kept as half-open ranges [start, stop).

    ranges: pairs (start, stop) with 0 <= start <= stop, in any order, overlapping or not.
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._stops: list[int] = []
        for start, stop in ranges:
            self.add(start, stop)

    @classmethod
    def of(cls, *indexes: int) -> RangeSet:
        """Make the set of these single integers."""
        return cls((index, index + 1) for index in indexes)

    def add(self, start: int, stop: int) -> None:
        """Put start, start + 1, ... stop - 1 in; nothing when stop <= start."""
        if stop <= start:
            return
        first = bisect_left(self._stops, start)  # the first range that touches or follows
        last = bisect_right(self._starts, stop)  # behind the last range that touches
        if first < last:
            start = min(start, self._starts[first])
            stop = max(stop, self._stops[last - 1])
        self._starts[first:last] = [start]
        self._stops[first:last] = [stop]

    def remove(self, start: int, stop: int) -> None:
        """Take start, start + 1, ... stop - 1 out; those that are not in it do not matter."""
        if stop <= start:
            return
        first = bisect_right(self._stops, start)  # the first range that reaches beyond start
        last = bisect_left(self._starts, stop)  # behind the last range that begins before stop
        if first >= last:
            return
        starts: list[int] = []
        stops: list[int] = []
        if self._starts[first] < start:
            starts.append(self._starts[first])
            stops.append(start)
        if self._stops[last - 1] > stop:
            starts.append(stop)
            stops.append(self._stops[last - 1])
        self._starts[first:last] = starts
        self._stops[first:last] = stops

    def update(self, other: RangeSet) -> None:
        """Put all of `other` in."""
        for start, stop in other:
            self.add(start, stop)

    def difference_update(self, other: RangeSet) -> None:
        """Take all of `other` out."""
        for start, stop in list(other):
            self.remove(start, stop)

    def copy(self) -> RangeSet:
        """Give a set of its own with the same members."""
        twin = RangeSet()
        twin._starts = self._starts.copy()
        twin._stops = self._stops.copy()
        return twin

    def union(self, other: RangeSet) -> RangeSet:
        """Give the members of either."""
        result = self.copy()
        result.update(other)
        return result

    def difference(self, other: RangeSet) -> RangeSet:
        """Give the members of this that are not in `other`."""
        result = self.copy()
        result.difference_update(other)
        return result

    def intersection(self, other: RangeSet) -> RangeSet:
        """Give the members of both."""
        result = RangeSet()
        fewer, more = sorted((self, other), key=lambda ranges: ranges.spans)
        for span in fewer:
            result.update(more.within(*span))
        return result

    def within(self, start: int, stop: int) -> RangeSet:
        """Give the members from start to stop - 1; costs what it gives, not what there is."""
        result = RangeSet()
        position = bisect_right(self._stops, start)
        while position < len(self._starts) and self._starts[position] < stop:
            result.add(max(start, self._starts[position]), min(stop, self._stops[position]))
            position += 1
        return result

    def around(self, index: int) -> tuple[int, int] | None:
        """Give the range (start, stop) that a member lies in, or None if it is none."""
        position = bisect_right(self._starts, index) - 1
        if position < 0 or index >= self._stops[position]:
            return None
        return self._starts[position], self._stops[position]

    def first(self, count: int) -> RangeSet:
        """Give the lowest `count` members, or all where there are fewer."""
        result = RangeSet()
        for start, stop in self:
            if count <= 0:
                break
            taken = min(stop - start, count)
            result.add(start, start + taken)
            count -= taken
        return result

    def __contains__(self, index: int) -> bool:
        position = bisect_right(self._starts, index) - 1
        return position >= 0 and index < self._stops[position]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Give the ranges as (start, stop), lowest first."""
        return iter(zip(self._starts, self._stops, strict=True))

    def indexes(self) -> Iterator[int]:
        """Give the members one by one, lowest first."""
        for start, stop in self:
            yield from range(start, stop)

    @property
    def count(self) -> int:
        """How many members there are. Not `len`: `list` of the ranges would set that much memory aside."""
        return sum(self._stops) - sum(self._starts)

    @property
    def spans(self) -> int:
        """How many ranges there are."""
        return len(self._starts)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return "RangeSet([" + ", ".join(f"({start}, {stop})" for start, stop in self) + "])"
