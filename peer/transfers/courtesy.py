"""When files give way to talk: the pace of one data link, from the round trips of talk beside it. A pure value.

Whoever fills a line fills the queue before it, and talk waits in that queue. The round trip shows it: a round
trip longer than the least of the last minute is time spent waiting. Twice in a row, and the bytes go slower than
what the line was seen to carry, so that the queue drains; else a little faster each time, until they are no
longer what fills it. Without such waiting there is no pace at all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from wire import limits
from wire.machine import Monotonic

PING_EVERY_S: Final = 0.125
"""Half of what design section 7 has: a line's queue grows by a second each second while TCP feels its way, and
two looks have to see it. On 20 Mbit/s, 30 s from the first byte on, 250 ms let 9 % of messages take > 300 ms."""

EXCESS_S: Final = 0.1
"""So much longer than the least is a queue, and not the weather."""

TWICE: Final = 2
LEAST_OVER_S: Final = 60.0
SLOWER: Final = 0.7
SLOWEST: Final = 0.3
"""What a deep queue makes of it: design section 7 has 0.7 for all, which takes 1.7 s to drain half a second."""

FASTER: Final = 0.025  # each time, a twentieth every 250 ms
REGAINING: Final = 4.0
"""So many times faster up to REGAINED of what the line was seen to carry when it was too much."""

REGAINED: Final = 0.85
FRESHLY_FASTER: Final = 0.3
"""Of a link that began with a pace since others have one: nobody knows yet whether it shares their line."""

LEAST_BYTES_PER_S: Final = 64 * limits.KIB
LEVELLING: Final = 4.0
"""How much more or less than FASTER somebody goes faster who has less or more than the others: the square of it, at most so much.

The same factors for all would keep for ever whatever share somebody began with."""

YIELDING: Final = 2.0
"""The same of going slower, for those who seem to wait in one queue; less, since they may wait in two, which both have to
drain. Before the two four friends on one line of 20 Mbit/s had 37, 24, 24 and 15 % of it in 40 s, with them 25, 26, 25 and 24."""

NEEDLESS: Final = 2.0
"""A pace so many times what really goes holds nobody back,"""

NEEDLESS_LOOKS: Final = 16
"""so often in a row: who has just begun, or waits for a disk, goes slowly for another reason."""


class Courtesy:
    """The pace of one data link, in bytes per second; None: as fast as it can."""

    def __init__(self) -> None:
        self.pace: int | None = None
        self._faster = FASTER
        self._carried = 0.0  # bytes per second when we last went slower
        self._excesses = self._needless = 0
        self._drained_at = Monotonic(-1e9)  # until what stood has gone, nothing is judged
        self._leasts: deque[tuple[Monotonic, float]] = deque()  # rising: the first is the least

    def begin(self, pace: int) -> None:
        """Go no faster than that to begin with, unless there is a pace."""
        if self.pace is None:
            self.pace = max(LEAST_BYTES_PER_S, pace)
            self._faster = FRESHLY_FASTER

    def is_late(self, trip_s: float) -> bool:
        """Say whether a round trip of so many seconds, over or not, is one with a queue in it."""
        return bool(self._leasts) and trip_s - self._leasts[0][1] > EXCESS_S

    def answered(
        self,
        trip_s: float,
        bytes_per_s: float,
        now: Monotonic,
        *,
        mean: float | None = None,
        late_mean: float | None = None,
    ) -> None:
        """Take note of a round trip of talk.

        trip_s: in seconds. bytes_per_s: how fast this link's bytes arrived at the other end lately. mean: the
        pace of all links that have one, late_mean: that rate of all whose round trips are late: those seem to wait in
        one queue. Both so that they come to share alike.
        """
        while self._leasts and self._leasts[-1][1] >= trip_s:
            self._leasts.pop()
        self._leasts.append((now, trip_s))
        self._forget(now)
        excess_s = trip_s - self._leasts[0][1]
        if excess_s > EXCESS_S:
            self._exceeded(excess_s, bytes_per_s, now, late_mean)
            return
        self._excesses = 0
        if self.pace is not None:
            level = 1.0 if mean is None else mean / self.pace
            level = max(1 / LEVELLING, min(LEVELLING, level**2))
            is_needless = self.pace > NEEDLESS * bytes_per_s + LEAST_BYTES_PER_S
            self._needless = self._needless + 1 if is_needless else 0
            if self._needless >= NEEDLESS_LOOKS:
                self.pace = None
            elif not is_needless:
                is_low = self.pace < REGAINED * self._carried
                faster = FASTER * REGAINING if is_low else self._faster
                self.pace = int(self.pace * (1 + faster * level))

    def awaited(
        self,
        waited_s: float,
        bytes_per_s: float,
        now: Monotonic,
        *,
        late_mean: float | None = None,
    ) -> None:
        """Take note that a round trip is not over after so long; the rest as of `answered`."""
        self._forget(now)
        if self.is_late(waited_s):
            self._exceeded(waited_s - self._leasts[0][1], bytes_per_s, now, late_mean)

    def _exceeded(
        self, excess_s: float, bytes_per_s: float, now: Monotonic, late_mean: float | None
    ) -> None:
        if now < self._drained_at:
            return
        self._excesses += 1
        if self._excesses < TWICE:
            return
        self._excesses = 0
        self._faster = FASTER
        self._carried = bytes_per_s
        # What stands drains within a second or so. Without a pace it is more than was seen: TCP still doubles.
        factor = SLOWEST if self.pace is None else min(SLOWER, max(SLOWEST, 1 - excess_s))
        if late_mean:
            level = max(1 / YIELDING, min(YIELDING, bytes_per_s / late_mean))
            factor = max(SLOWEST, 1 - (1 - factor) * level)
        least = (self.pace or 0) * SLOWEST  # of who has just begun too little was seen
        slower = max(bytes_per_s * factor, least)
        self.pace = max(LEAST_BYTES_PER_S, int(min(slower, self.pace or slower)))
        self._drained_at = Monotonic(now + excess_s / (1 - factor) + excess_s)

    def _forget(self, now: Monotonic) -> None:
        while len(self._leasts) > 1 and now - self._leasts[0][0] > LEAST_OVER_S:
            self._leasts.popleft()


def means(
    links: Sequence[Courtesy], rates: Sequence[float], trips: Sequence[tuple[float, bool]]
) -> tuple[float | None, float | None]:
    """Give `mean` and `late_mean` of `Courtesy.answered` for links with these rates and round trips."""
    paces = [link.pace for link in links if link.pace is not None]
    late = [
        rate
        for link, rate, (trip_s, _) in zip(links, rates, trips, strict=True)
        if link.is_late(trip_s)
    ]
    return (
        sum(paces) / len(paces) if paces else None,
        sum(late) / len(late) if late else None,
    )
