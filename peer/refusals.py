"""What others were refused, a line of the log each: their address or device, our code, nothing of what they said.

Whoever floods us is not written down a million times: beyond so many lines in a second, or in an hour, the
rest is counted and told in one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from wire import limits
from wire.codes import Code
from wire.link import Ending, LinkClosed

IN_GOOD_ORDER = frozenset({Code.GOODBYE, Code.SHUTTING_DOWN, Code.LINK_REPLACED, Code.LINK_LOST})

log = logging.getLogger("peer")


class Ration:
    """So many lines a second and an hour. Both windows begin with the first line that falls into them."""

    def __init__(self) -> None:
        self._left_out = 0
        self._windows = [
            _Window(1.0, limits.REFUSED_LINES_PER_S),
            _Window(3600.0, limits.REFUSED_LINES_PER_HOUR),
        ]

    def take(self, now: float) -> int | None:
        """Ask for one line; gives None if there may be none, else how many were left out before it.

        now: seconds, monotonic.
        """
        if any(window.is_full(now) for window in self._windows):
            self._left_out += 1
            return None
        for window in self._windows:
            window.count += 1
        left_out, self._left_out = self._left_out, 0
        return left_out


class _Window:
    def __init__(self, length_s: float, most: int) -> None:
        self._length_s = length_s
        self._most = most
        self._begin = float("-inf")
        self.count = 0

    def is_full(self, now: float) -> bool:
        if now >= self._begin + self._length_s:
            self._begin, self.count = now, 0
        return self.count >= self._most


class Refusals:
    """The lines of one program. clock: gives seconds, monotonic.

    Connections that were refused or ended have a ration of their own, apart from what was denied on those that
    stay: an open link can say a lot that is denied, and must not hide who else is at the door.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._connections = Ration()
        self._denials = Ration()

    def closed(self, who: str, closed: LinkClosed) -> None:
        """Tell how a link ended; nothing where it ended in good order, or by them."""
        if closed.by is Ending.US and closed.code not in IN_GOOD_ORDER:
            self.refused(who, closed.code, closed.text)

    def refused(self, who: str, code: Code, detail: str = "") -> None:
        """Tell of a connection that was turned away, or ended for a fault of theirs. who: address and port."""
        left_out = self._connections.take(self._clock())
        if left_out is not None:
            if left_out:
                log.warning("%d more connections were refused", left_out)
            log.warning("refused %s: %s%s", who, code.value, f" ({detail})" if detail else "")

    def denied(self, who: str, what: str, code: Code) -> None:
        """Tell of something that was not taken while its link goes on. who: address or device. what: its kind."""
        left_out = self._denials.take(self._clock())
        if left_out is not None:
            if left_out:
                log.warning("%d more things were denied", left_out)
            log.warning("denied %s: %s: %s", who, what, code.value)
