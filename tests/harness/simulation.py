"""The clock, the dice and the order of things in a simulated world: no sockets, no waiting, one seed for all."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable

from wire.machine import UnixMillis

START = 1_700_000_000_000


class Simulation:
    """The clock, the dice, and what is to happen.

    stored: account -> ids of events that a device of it ever committed: what may show as delivered.
    """

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.now = 0
        self.stored: dict[str, set[bytes]] = {}
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def wall(self) -> UnixMillis:
        return UnixMillis(START + self.now)

    def after(self, delay_ms: int, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay_ms, self._count, do))

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due up to that instant, in order."""
        while self._heap and self._heap[0][0] <= until_ms:
            self.now, _, do = heapq.heappop(self._heap)
            do()
        self.now = until_ms
