"""What people write for a time, a count or a port, as numbers; the forms the contract names and no others."""

from __future__ import annotations

import re

from peer.cli.exit_codes import Misuse

_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_NUMBER = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,9})?)([A-Za-z]*)\Z")  # [0-9]: int('٣٤') is 34
LONGEST_S = 36_500 * 86_400.0
_PORT = re.compile(r"[0-9]{1,5}\Z")


def duration(text: str) -> float:
    """Give the seconds of a DURATION: a number, or a number with `s m h d`; raises Misuse."""
    match = _NUMBER.match(text)
    if match is None or match[2] not in _SECONDS:
        raise Misuse(f"{text!r} is no duration: seconds, or a number with s, m, h or d (like 90s)")
    return float(match[1]) * _SECONDS[match[2]]


def span(text: str) -> float:
    """Give the seconds of a DURATION for which something is to hold: more than none; raises Misuse."""
    seconds = duration(text)
    if not 0 < seconds <= LONGEST_S:
        raise Misuse(f"{text!r} is no time to hold for: more than 0, and at most 36500d")
    return seconds


def count(text: str) -> int:
    """Give a count from 0 to 2^31; raises Misuse."""
    if not re.match(r"[0-9]{1,10}\Z", text) or int(text) > 2**31:
        raise Misuse(f"{text!r} is no count: a whole number from 0 up")
    return int(text)


def host_and_port(text: str) -> str:
    """Check a HOST:PORT to listen on, HOST in brackets if it is an IPv6 address; port 0 means any free one.

    Gives the text unchanged. Raises Misuse with the code `port-invalid` or `address-invalid`.
    """
    host, colon, port = text.rpartition(":")
    if not colon:
        raise Misuse(f"{text!r} lacks the port: write HOST:PORT", code="address-invalid")
    if not _PORT.match(port) or int(port) > 65_535:
        raise Misuse(f"{port!r} is no port: a number from 0 to 65535", code="port-invalid")
    bracketed = host.startswith("[") and host.endswith("]")
    if not host or (":" in host and not bracketed) or any(c.isspace() for c in host):
        raise Misuse(
            f"{host!r} is no host; write IPv6 addresses in brackets", code="address-invalid"
        )
    return text
