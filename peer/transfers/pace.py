"""How fast bytes may go, all links together: a bucket that is filled at a rate, and threads that wait for it.

No rate costs nothing: whoever has bytes to move asks `is_set` and goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from wire import limits

SLICE_BYTES: Final = 64 * limits.KIB
"""Moved at once under a rate: small enough that a slow rate is smooth."""

CREDIT_S: Final = 0.25
"""Time that was not used counts so far back: threads wake late, and the rate shall be met all the same."""

IDLE_S: Final = 1.0
"""Longer than a thread wakes late: nothing was to go, so none of that time counts. Else what begins went faster at
first than its person allows, and the pace that is shown of it said so for seconds."""

TICK_S: Final = 0.5


class Bucket:
    """Reserves room for bytes in turn. All instants are seconds of one clock."""

    def __init__(self) -> None:
        self._rate: float | None = None
        self._free_at = 0.0

    def set(self, rate: int | None, now: float) -> None:
        """Set the rate in bytes per second, None for none; what was reserved before counts no more."""
        self._rate = rate
        self._free_at = now

    def reserve(self, count: int, now: float) -> float:
        """Reserve room for some bytes and give the instant from which they may go."""
        if self._rate is None:
            return now
        was_idle = now - self._free_at > IDLE_S
        starts = now if was_idle else max(self._free_at, now - CREDIT_S)
        self._free_at = starts + count / self._rate
        return starts


class Pace:
    """One direction's bucket for the threads of all links."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._bucket = Bucket()
        self._changed = threading.Condition()
        self._settings = 0  # how often the rate was set
        self.is_set = False  # whether bytes have to wait for their turn; asked for each slice

    def set(self, rate: int | None) -> None:
        """Set the rate in bytes per second, None for none; who waits now waits by the new one."""
        with self._changed:
            self._bucket.set(rate, self._clock())
            self.is_set = rate is not None
            self._settings += 1
            self._changed.notify_all()

    def take(self, count: int, is_over: Callable[[], bool]) -> None:
        """Wait until some bytes may go, in a thread. is_over: asked twice a second; then it returns."""
        with self._changed:
            settings = -1
            starts = 0.0
            while not is_over():
                if settings != self._settings:
                    settings = self._settings
                    starts = self._bucket.reserve(count, self._clock())
                wait_s = starts - self._clock()
                if wait_s <= 0:
                    return
                self._changed.wait(min(wait_s, TICK_S))


class Paces:
    """Both directions. up: what leaves; down: what comes."""

    def __init__(self) -> None:
        self.up = Pace()
        self.down = Pace()
