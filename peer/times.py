"""Instants for people and scripts: milliseconds since 1970 to RFC 3339, and the minute of the day."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from wire.machine import UnixMillis

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799_999  # the end of the year 9999: later claims are shown as that


def wall() -> UnixMillis:
    """Give the wall clock's present instant."""
    return UnixMillis(time.time_ns() // 1_000_000)


def rfc3339(millis: int) -> str:
    """Give an instant as `2026-05-01T12:00:00.000Z`."""
    instant = _EPOCH + timedelta(milliseconds=min(millis, _LAST))
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def minute_of_day() -> int:
    """Give the minute of the day, 0 to 1,439, by this machine's clock and where it is."""
    now = time.localtime()
    return now.tm_hour * 60 + now.tm_min
