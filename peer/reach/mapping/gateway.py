"""Which router the system sends to: the one thing about it that only the system knows."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

ROUTES = Path("/proc/net/route")
"""Linux: a line for each route, numbers in hex, addresses in the machine's byte order."""

ROUTES_IPV6 = Path("/proc/net/ipv6_route")
"""The same: target, its length, source, its length, next hop, metric, uses, flags, all in hex, and a device."""

_UP, _IS_GATEWAY = 1, 2
MOST_BYTES = 256 * 1024


def default_gateway(routes: Path = ROUTES) -> str | None:
    """Give the router's address of IPv4, None where there is none or the system does not say."""
    found: list[tuple[int, str]] = []
    for line in _lines(routes)[1:]:
        fields = line.split()
        try:
            target, gateway, flags, metric, mask = (
                int(fields[index], 10 if index == 6 else 16) for index in (1, 2, 3, 6, 7)
            )
        except (IndexError, ValueError):
            continue
        if target == mask == 0 and flags & _UP and flags & _IS_GATEWAY and 0 < gateway < 2**32:
            found.append((metric, str(IPv4Address(_swapped(gateway)))))
    return min(found)[1] if found else None


def default_gateway_ipv6(routes: Path = ROUTES_IPV6) -> str | None:
    """Give the router's address of IPv6, with its device where it needs one; None as above."""
    found: list[tuple[int, str]] = []
    for line in _lines(routes):
        fields = line.split()
        try:
            target, length, metric, flags = (int(fields[index], 16) for index in (0, 1, 5, 8))
            gateway, device = IPv6Address(bytes.fromhex(fields[4])), fields[9]
        except (IndexError, ValueError):
            continue
        if target == length == 0 and flags & _UP and flags & _IS_GATEWAY:
            zone = f"%{device}" if gateway.is_link_local else ""
            found.append((metric, f"{gateway}{zone}"))
    return min(found)[1] if found else None


def own_address(gateway: str) -> str | None:
    """Give our address as the router sees it; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((gateway, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def _lines(routes: Path) -> list[str]:
    try:
        with routes.open("rb") as file:
            return file.read(MOST_BYTES).decode("ascii", "replace").splitlines()
    except OSError:
        return []


def _swapped(number: int) -> int:
    import sys

    return int.from_bytes(number.to_bytes(4, sys.byteorder), "big")
