"""What others were refused, a line of the log each: address, device and our code, nothing of what they said.

Whoever floods us is not written down a million times: beyond so many lines in a second, or in an hour, the
rest is counted and told in one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from tracker.throttle import Window
from wire import limits
from wire.codes import Code
from wire.machine import Monotonic

log = logging.getLogger("tracker")


class Refusals:
    """The lines of one tracker. now: gives the instant on the loop's clock.

    Connections that were refused or ended have a ration of their own, apart from what was denied on those that
    stay: an open link can ask for a lot that is denied, and must not hide who else is at the door.
    """

    def __init__(self, now: Callable[[], Monotonic]) -> None:
        self._now = now
        self._second = Window(limits.REFUSED_LINES_PER_S, 1.0)
        self._hour = Window(limits.REFUSED_LINES_PER_HOUR, 3600.0)
        self._left_out = {"connections were refused": 0, "requests were denied": 0}

    def refused(self, who: str, code: Code, detail: str = "") -> None:
        """Tell of a connection that was turned away, or ended for a fault of theirs. who: address and port."""
        if self._may_tell("connections were refused"):
            log.warning("refused %s: %s%s", who, code.value, f" ({detail})" if detail else "")

    def denied(self, who: str, what: str, code: Code) -> None:
        """Tell of a request that was refused while its link goes on. who: address, port, device. what: its kind."""
        if self._may_tell("requests were denied"):
            log.warning("denied %s: %s: %s", who, what, code.value)

    def _may_tell(self, kind: str) -> bool:
        """Say whether there is a line left, after telling how many of its kind were left out before it."""
        now = self._now()
        if any(window.retry_after_s(kind, now) for window in (self._second, self._hour)):
            self._left_out[kind] += 1
            return False
        for window in (self._second, self._hour):
            window.count(kind, now)
        if self._left_out[kind]:
            log.warning("%d more %s", self._left_out[kind], kind)
            self._left_out[kind] = 0
        return True
