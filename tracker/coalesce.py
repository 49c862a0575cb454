"""When a session is told: the first change leaves at once, further ones together a moment later.

Pure over `now`. A storm of changes (everybody comes back after a restart) becomes one write for each
recipient and moment, and what was said twice about one thing is sent once.
"""

from __future__ import annotations

from wire import limits
from wire.machine import Monotonic


class Coalescer:
    """Holds back what one session is to be told until its moment.

    quiet_s: seconds between two sendings of changes.
    """

    __slots__ = ("_held", "_last", "_quiet_s")

    def __init__(self, quiet_s: float = limits.PRESENCE_COALESCE_S) -> None:
        self._quiet_s = quiet_s
        self._last: Monotonic | None = None
        self._held: dict[object, bytes] = {}

    @property
    def is_holding(self) -> bool:
        """Say whether anything waits for its moment."""
        return bool(self._held)

    def put(self, record: bytes, key: object, now: Monotonic) -> list[bytes]:
        """Take a record; gives what is to be sent now, in order.

        key: a later record of the same key replaces this one while it is held; None: the record may not
        wait, and what is held goes before it.
        """
        if key is None:
            return [*self.release(now), record]
        is_idle = self._last is None or now >= self._last + self._quiet_s
        if is_idle and not self._held:
            self._last = now
            return [record]
        self._held.pop(key, None)
        self._held[key] = record
        return []

    def release(self, now: Monotonic) -> list[bytes]:
        """Give all that is held, in order: its moment has come."""
        if not self._held:
            return []
        held = list(self._held.values())
        self._held.clear()
        self._last = now
        return held
