"""How fast something goes: bytes a second over the last few seconds, as people like to see it.

What is verified grows by whole chunks, on a slow line by one in many seconds: it is measured from step to step, over
three of them at least, so that such a line shows its pace and neither four times as much nor nothing.
"""

from __future__ import annotations

from collections import deque
from itertools import pairwise

SPAN_S = 4.0
LEAST_S = 0.2
LEAST_STEPS = 3
SAME_S = 0.05  # what comes at once after a wait was on its way at other times: the newest counts
STANDS_AFTER_GAPS = 2.0  # of the longest between two steps: later than that it stands still


class Rate:
    """Measures one transfer from how many bytes it has at which instant."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, int]] = (
            deque()
        )  # when it was seen first that there are so many
        self._now = 0.0

    def note(self, now: float, total_bytes: int) -> None:
        """Take note that there are so many bytes now. now: seconds, monotonic."""
        steps = self._steps
        self._now = now
        if not steps or total_bytes != steps[-1][1]:
            was_still = len(steps) >= LEAST_STEPS and self._stands_still()
            if steps and (was_still or total_bytes < steps[-1][1]):
                steps.clear()  # what stood still, or was taken back, says nothing about what comes now
            if steps and now - steps[-1][0] < SAME_S:
                steps.pop()
            steps.append((now, total_bytes))
        while len(steps) > LEAST_STEPS and now - steps[1][0] >= SPAN_S:
            steps.popleft()

    def per_s(self) -> float | None:
        """Give bytes per second, 0 for what stands still, or None where too little was seen."""
        if len(self._steps) < 2:
            return None
        if self._stands_still():
            return 0.0
        (first, before), (last, after) = self._steps[0], self._steps[-1]
        overdue = max(0.0, self._now - last - self._longest_gap())
        taken = last - first + overdue
        return None if taken < LEAST_S else round((after - before) / taken, 1)

    def _stands_still(self) -> bool:
        quiet = self._now - self._steps[-1][0]
        return quiet >= max(SPAN_S, STANDS_AFTER_GAPS * self._longest_gap())

    def _longest_gap(self) -> float:
        return max((later[0] - earlier[0] for earlier, later in pairwise(self._steps)), default=0.0)
