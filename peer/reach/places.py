"""Where this machine can be dialled: which of its addresses friends are told, best first."""

from __future__ import annotations

import socket
from ipaddress import IPv6Address, ip_address
from pathlib import Path

from peer.listener import WILDCARDS, parse_listen
from wire import limits
from wire.identity import Host

IPV6_ADDRESSES = Path("/proc/net/if_inet6")
"""Linux: a line for each, as 32 hex digits, then interface, prefix, scope and flags in hex, and a name."""

OUTSIDE = {4: "192.0.2.1", 6: "2001:db8::1"}
"""For documentation only (RFC 5737, RFC 3849): nothing is sent there, it only chooses the way out."""

_GLOBAL_SCOPE = 0x00
_TEMPORARY, _FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
MOST_BYTES = 256 * 1024
IPV6_MOST = 4
"""Addresses of IPv6 that are told: a machine may have dozens, of former days among them."""


def own_hosts(tracker_side: str, table: Path = IPV6_ADDRESSES) -> list[str]:
    """Give this machine's addresses that others might dial: of IPv4 the one that it sends from, of IPv6 several.

    tracker_side: the one that the tracker link uses, empty for none; it comes first in its family.
    """
    found = [tracker_side] if tracker_side else []
    for version in (4, 6):
        usual_one = sends_from(version)
        if usual_one is not None and (version == 6 or not _has_version(found, 4)):
            found.append(usual_one)
    usual = [host for host in _ipv6_of(table) if host not in found]
    found += usual[: max(0, IPV6_MOST - sum(":" in host for host in found))]
    return list(dict.fromkeys(found))


def to_publish(
    listening: list[str], hosts: list[str], mapped: tuple[str, int] | None
) -> tuple[Host, ...]:
    """Give the places to tell friends, at most ADDRESSES.

    listening: HOST:PORT each, as the sockets say. hosts: as `own_hosts` gives them; they stand for a wildcard of their
    family. mapped: the place outside that a router leads here from.
    """
    found: list[Host] = []
    for place in listening:
        host, port = parse_listen(place)
        if host in WILDCARDS:
            found += [Host(each, port) for each in hosts if (":" in each) is (":" in host)]
        else:
            found.append(Host(host, port))
    if mapped is not None:
        found.insert(1, Host(*mapped, is_mapped=True))
    return tuple(dict.fromkeys(each for each in found if _is_tellable(each.host)))[
        : limits.ADDRESSES
    ]


def _is_tellable(host: str) -> bool:
    """Say whether an address means the same to somebody else."""
    address = ip_address(host)
    has_zone = isinstance(address, IPv6Address) and address.scope_id is not None
    return not (has_zone or address.is_link_local or address.is_multicast or address.is_unspecified)


def sends_from(version: int) -> str | None:
    """Give the address that this machine sends from to the Internet, None without a way there."""
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((OUTSIDE[version], 9))
            host = str(probe.getsockname()[0])
    except OSError:
        return None
    address = ip_address(host)
    return None if address.is_loopback or address.is_link_local else host


def _ipv6_of(table: Path) -> list[str]:
    """List the addresses of IPv6 that others can dial, lasting ones first; empty where the system does not say."""
    try:
        with table.open("rb") as file:
            text = file.read(MOST_BYTES).decode("ascii", "replace")
    except OSError:
        return []
    found: list[tuple[bool, str]] = []
    for line in text.splitlines():
        fields = line.split()
        try:
            address = IPv6Address(bytes.fromhex(fields[0]))
            scope, flags = int(fields[3], 16), int(fields[4], 16)
        except (IndexError, ValueError):
            continue
        if scope == _GLOBAL_SCOPE and not flags & (_FAILED | _DEPRECATED | _TENTATIVE):
            found.append((bool(flags & _TEMPORARY), str(address)))
    return [host for _, host in sorted(found)]


def _has_version(hosts: list[str], version: int) -> bool:
    return any(ip_address(host).version == version for host in hosts)
