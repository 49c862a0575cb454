"""A clock that goes when a test says so."""

from __future__ import annotations

from typing import Any

from wire.machine import Machine, Monotonic, UnixMillis

EPOCH_MILLIS = 1_780_000_000_000  # some day in 2026


class Clock:
    """Seconds since some instant, moved by hand; everything of one test shares one."""

    def __init__(self, start: float = 1000.0) -> None:
        """Begin at `start` seconds: not 0, so that forgotten instants show."""
        self.now = Monotonic(start)

    @property
    def millis(self) -> UnixMillis:
        """The wall clock's label of the same instant."""
        return UnixMillis(EPOCH_MILLIS + round(self.now * 1000))

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time does not go back"
        self.now = Monotonic(self.now + seconds)

    def pass_with(self, seconds: float, *machines: Machine[Any]) -> None:
        """Let time pass and call every machine at each instant it asked for, as a pump does."""
        end = self.now + seconds
        for _ in range(100_000):
            due = [(at, machine) for machine in machines if (at := machine.deadline()) is not None]
            at, machine = min(due, key=lambda pair: pair[0], default=(Monotonic(end + 1), None))
            if machine is None or at > end:
                self.now = Monotonic(end)
                return
            self.now = max(self.now, at)
            machine.handle_deadline(now=self.now)
        raise AssertionError("a deadline comes again and again")
