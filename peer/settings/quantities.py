"""How sizes, rates, hours and places on the network are written by a person, and their one spelling. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address

from msgspec import Struct

from peer.reach.socks5 import Proxy
from wire import limits

OFF = "off"
"""Stands for no limit; a friend's `off` counts over a limit that holds for all others."""

NONE = frozenset({"0", "off", "none"})
"""What a person may write for it, in lower case."""

DAY_MINUTES = 24 * 60
MOST_SPANS = 12

_UNITS = {
    "": 1,
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "TB": 1000**4,
    "KIB": 1024,
    "MIB": 1024**2,
    "GIB": 1024**3,
    "TIB": 1024**4,
}
_SPELT = {"KIB": "KiB", "MIB": "MiB", "GIB": "GiB", "TIB": "TiB", "B": ""}
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?) ?([A-Za-z]{0,3})\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,6})([smhd]?)\Z", re.ASCII)
_SPAN = re.compile(
    r"([0-9]{1,2}):([0-9]{2}) ?- ?([0-9]{1,2}):([0-9]{2})((?: +(?:up|down) +[^ ]+){1,2})\Z",
    re.IGNORECASE,
)


def size_bytes(text: str) -> int:
    """Give the bytes of a SIZE; raises ValueError."""
    match = _SIZE.match(text.strip())
    factor = None if match is None else _UNITS.get(match[2].upper())
    if match is None or factor is None:
        raise ValueError(text)
    return int(float(match[1]) * factor) if "." in match[1] else int(match[1]) * factor


def rate_bytes_per_s(text: str) -> int | None:
    """Give the bytes per second of a bandwidth, None for no limit; raises ValueError."""
    if text == OFF:
        return None
    return size_bytes(text.removesuffix("/s"))


def one_size(text: str) -> str:
    """Give a SIZE of at least a byte, or `off`, in its one spelling; raises ValueError, for 0 as well.

    Who bounds something by 0 does not mean that it has no bound.
    """
    folded = text.strip().lower()
    if folded in NONE and folded != "0":
        return OFF
    if not 1 <= size_bytes(text) <= limits.FILE_BYTES:
        raise ValueError(text)
    match = _SIZE.match(text.strip())
    assert match is not None
    unit = match[2].upper()
    return match[1] + _SPELT.get(unit, unit)


def one_rate(text: str) -> str:
    """Give a bandwidth, or `off`, in its one spelling; raises ValueError."""
    folded = text.strip().lower()
    if folded in NONE or folded == "0/s":
        return OFF
    size = text.strip()
    if folded.endswith("/s"):
        size = size[:-2]
    if size_bytes(size) < limits.BANDWIDTH_BYTES_PER_S_LEAST:
        raise ValueError(text)
    return f"{one_size(size)}/s"


def duration_s(text: str) -> float:
    """Give the seconds of a DURATION; raises ValueError."""
    match = _DURATION.match(text.strip().lower())
    if match is None:
        raise ValueError(text)
    return float(int(match[1]) * _SECONDS[match[2]])


def one_duration(text: str) -> str:
    """Give a DURATION of at least a second, or `off`, in its one spelling; raises ValueError."""
    folded = text.strip().lower()
    if folded in NONE:
        return OFF
    if duration_s(folded) < 1:
        raise ValueError(text)
    return f"{folded}s" if folded.isdecimal() else folded


class Span(Struct, frozen=True):
    """Some hours of every day, and what holds then.

    starts, ends: minutes of the day, ends not included; it may lie before starts: then midnight is in between.
    rates: "up" and "down" to a bandwidth in its one spelling; what is not named is as at all other times.
    """

    starts: int
    ends: int
    rates: tuple[tuple[str, str], ...]

    def holds(self, minute: int) -> bool:
        """Say whether a minute of the day is in it."""
        if self.starts < self.ends:
            return self.starts <= minute < self.ends
        return minute >= self.starts or minute < self.ends

    def __str__(self) -> str:
        rates = " ".join(f"{way} {rate}" for way, rate in self.rates)
        return f"{_clock(self.starts)}-{_clock(self.ends)} {rates}"


def spans(text: str) -> list[Span]:
    """Read a daily schedule: `08:00-18:00 up 1MB/s down 5MB/s, 22:00-06:00 up off`, or `off` for none.

    Raises ValueError, also for hours that are named twice.
    """
    if text.strip().lower() in NONE:
        return []
    found = [_span(part.strip()) for part in text.split(",")]
    if len(found) > MOST_SPANS:
        raise ValueError(text)
    for minute in range(DAY_MINUTES):
        if sum(span.holds(minute) for span in found) > 1:
            raise ValueError(text)
    return sorted(found, key=lambda span: span.starts)


def one_schedule(text: str) -> str:
    """Give a daily schedule in its one spelling; raises as `spans`."""
    return ", ".join(map(str, spans(text))) or OFF


def _span(text: str) -> Span:
    match = _SPAN.match(text)
    if match is None:
        raise ValueError(text)
    starts, ends = _minute(match[1], match[2]), _minute(match[3], match[4])
    if starts in (ends, DAY_MINUTES):
        raise ValueError(text)
    words = match[5].split()
    rates = {way.lower(): one_rate(rate) for way, rate in zip(words[::2], words[1::2], strict=True)}
    if len(rates) != len(words) // 2:
        raise ValueError(text)
    return Span(starts, ends, tuple(sorted(rates.items(), reverse=True)))


def _minute(hours: str, minutes: str) -> int:
    minute = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or minute > DAY_MINUTES:
        raise ValueError(f"{hours}:{minutes}")
    return minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def one_proxy(text: str) -> str:
    """Give a proxy's one spelling; raises ValueError, also for one with a name or password."""
    if text.strip().lower() in NONE:
        return OFF
    proxy = Proxy.parse(text)
    if proxy.name:
        raise ValueError(text)  # others on this machine read command lines
    return str(proxy)


def one_interface(text: str) -> str:
    """Give the one spelling of an interface's name or an address; raises ValueError."""
    stripped = text.strip()
    if stripped.lower() in NONE:
        return OFF
    try:
        address = ip_address(stripped)
    except ValueError:
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_.@-]{0,14}", stripped) is None:
            raise
        return stripped
    if address.is_unspecified or address.is_multicast or "%" in stripped:
        raise ValueError(text)
    return str(address)
