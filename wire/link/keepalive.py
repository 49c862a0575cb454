"""Is anybody there: pings when we were silent, an end when they were, and a measured round trip."""

from __future__ import annotations

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.machine import Monotonic

PING_TOKENS = 2**32


class Keepalive:
    """The clock of one open link.

    heartbeat_s: how long we may be silent. dead_after_s: how long they may. Both in seconds.
    """

    __slots__ = (
        "_dead_after_s",
        "_heartbeat_s",
        "_pings_in_second",
        "_received",
        "_second",
        "_sent",
        "_token",
        "_waiting",
        "round_trip_s",
    )

    def __init__(self, heartbeat_s: float, dead_after_s: float, *, now: Monotonic) -> None:
        self._heartbeat_s = heartbeat_s
        self._dead_after_s = dead_after_s
        self._sent = now
        self._received = now
        self._token = 0
        self._waiting: tuple[int, Monotonic] | None = None  # the ping whose answer is measured
        self._second = now
        self._pings_in_second = 0
        self.round_trip_s: float | None = None

    def sent(self, now: Monotonic) -> None:
        """Take note that we said something."""
        self._sent = now

    def received(self, now: Monotonic) -> None:
        """Take note that they said something that verified."""
        self._received = now

    def waits_s(self, now: Monotonic) -> float | None:
        """Give for how long a ping is unanswered, or None if none is."""
        return None if self._waiting is None else now - self._waiting[1]

    def next_ping(self, now: Monotonic) -> int:
        """Give the token of a ping that is sent now."""
        self._token = (self._token + 1) % PING_TOKENS
        self._waiting = (self._token, now)
        return self._token

    def pinged(self, now: Monotonic) -> None:
        """Count a ping of theirs; raises RemoteProtocolError(FLOOD) beyond PINGS_PER_S."""
        if now - self._second >= 1:
            self._second, self._pings_in_second = now, 0
        self._pings_in_second += 1
        if self._pings_in_second > limits.PINGS_PER_S:
            raise RemoteProtocolError(Code.FLOOD, f"more than {limits.PINGS_PER_S} pings a second")

    def ponged(self, token: int, now: Monotonic) -> None:
        """Measure the round trip if this answers the last ping; others are ignored."""
        if self._waiting is not None and self._waiting[0] == token:
            self.round_trip_s = now - self._waiting[1]
            self._waiting = None

    def is_dead(self, now: Monotonic) -> bool:
        """Say whether they were silent for too long."""
        return now >= self._received + self._dead_after_s

    def is_ping_due(self, now: Monotonic) -> bool:
        """Say whether we were silent for a heartbeat."""
        return now >= self._sent + self._heartbeat_s

    def deadline(self) -> Monotonic:
        """Name the next instant at which one of the two can be true."""
        return Monotonic(min(self._received + self._dead_after_s, self._sent + self._heartbeat_s))
