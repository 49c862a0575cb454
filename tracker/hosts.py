"""The addresses of this machine that others can reach: what a person pastes after starting a tracker.

Linux tells them by interface; where that road is missing, the system is asked which address it would use
towards the outside (a datagram socket is connected, nothing is sent).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from pathlib import Path

try:
    import fcntl

    HAS_FCNTL = True
except ImportError:  # pragma: no cover  a system without it; tests force the other road
    HAS_FCNTL = False

SIOCGIFADDR = 0x8915
OUTSIDE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}  # RFC 5737 and RFC 3849
IF_INET6 = Path("/proc/net/if_inet6")


def reachable_hosts(
    family: socket.AddressFamily, *, has_fcntl: bool = HAS_FCNTL, if_inet6: Path = IF_INET6
) -> list[str]:
    """List the addresses that others can reach, without loopback and link-local ones, sorted stably.

    family: AF_INET or AF_INET6. has_fcntl, if_inet6: what the system has to tell them by. Empty on a
    machine without a network.
    """
    try:
        found = _of_interfaces(family, has_fcntl=has_fcntl, if_inet6=if_inet6)
    except OSError:
        found = []
    found = found or _towards_outside(family)
    return [host for host in dict.fromkeys(found) if _is_reachable(host)]


def _is_reachable(host: str) -> bool:
    address = ipaddress.ip_address(host)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _of_interfaces(family: socket.AddressFamily, *, has_fcntl: bool, if_inet6: Path) -> list[str]:
    """Ask Linux: one IPv4 address of each interface by ioctl, all IPv6 addresses from /proc."""
    if family == socket.AF_INET6:
        lines = if_inet6.read_text(encoding="ascii").splitlines()
        return [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in lines]
    if not has_fcntl:
        return []
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode()[:15])
            try:
                answer = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, request)
            except OSError:  # an interface without an IPv4 address
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return found


def _towards_outside(family: socket.AddressFamily) -> list[str]:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((OUTSIDE[family], 9))
            host: str = probe.getsockname()[0]
            return [host]
    except OSError:
        return []
