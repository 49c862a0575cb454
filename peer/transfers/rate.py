"""How fast something goes: bytes a second over the last few seconds, as people like to see it."""

from __future__ import annotations

from collections import deque

SPAN_S = 4.0
LEAST_S = 0.2


class Rate:
    """Measures one transfer from how many bytes it has at which instant."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, now: float, total_bytes: int) -> None:
        """Take note that there are so many bytes now. now: seconds, monotonic."""
        self._seen.append((now, total_bytes))
        while len(self._seen) > 2 and now - self._seen[1][0] >= SPAN_S:
            self._seen.popleft()

    def per_s(self) -> float | None:
        """Give bytes per second, or None where too little was seen."""
        if len(self._seen) < 2:
            return None
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return None if last - first < LEAST_S else round(max(0, after - before) / (last - first), 1)
