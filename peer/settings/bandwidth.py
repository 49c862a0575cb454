"""What bandwidth holds for whom at which minute of the day: limits for all together, and for single friends."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from peer.people import contacts
from peer.settings import preferences
from peer.settings.quantities import OFF, Span, rate_bytes_per_s, spans
from wire.ids import IdentityKey

UP: Final = "up"
DOWN: Final = "down"
_SCHEDULE = "bandwidth.schedule"


class Bandwidth(Struct, frozen=True):
    """How fast files may go, in bytes per second; None for no limit. schedule: what holds at some hours instead."""

    up: int | None = None
    down: int | None = None
    schedule: Sequence[Span] = ()

    def at(self, minute: int) -> tuple[int | None, int | None]:
        """Give both ways' limits at a minute of the day, 0 to 1,439."""
        found: dict[str, int | None] = {UP: self.up, DOWN: self.down}
        for span in self.schedule:
            if span.holds(minute):
                found.update((way, rate_bytes_per_s(rate)) for way, rate in span.rates)
        return found[UP], found[DOWN]


def of_all(connection: sqlite3.Connection) -> Bandwidth:
    """Give what holds for all files together."""
    return _read({key: preferences.held(connection, key) for key in preferences.BANDWIDTH})


def of_friends(connection: sqlite3.Connection) -> dict[IdentityKey, Bandwidth]:
    """Give what was set for single friends; it counts beside what holds for all."""
    texts: dict[IdentityKey, dict[str, str]] = {}
    for name in preferences.BANDWIDTH:
        for friend, text in preferences.of_friends(connection, preferences.KEYS[name]):
            person = contacts.find(connection, friend)
            if person is not None and person.identity is not None:
                texts.setdefault(person.identity, {})[name] = text
    return {identity: _read(found) for identity, found in texts.items()}


def _read(texts: dict[str, str]) -> Bandwidth:
    up, down = (rate_bytes_per_s(texts.get(f"bandwidth.{way}", OFF)) for way in (UP, DOWN))
    return Bandwidth(up, down, tuple(spans(texts.get(_SCHEDULE, OFF))))
