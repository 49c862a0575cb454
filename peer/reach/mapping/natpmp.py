"""NAT-PMP (RFC 6886): what is asked of a router, and how its answers read. Bytes and values only.

    address     version 0 (1) | 0 (1)
    map TCP     version 0 (1) | 2 (1) | 0 (2) | inside port (2) | wished outside port (2) | lifetime (4)
    answers     version 0 (1) | 128 + that (1) | result (2) | seconds since its start (4) | address (4),
                or inside port (2) | outside port (2) | lifetime (4)

To take a mapping back, ask for lifetime 0 and outside port 0.
"""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from peer.reach.mapping.lease import nonsense, refused

BY = "NAT-PMP"
VERSION = 0
ADDRESS, MAP_TCP = 0, 2
_ANSWER = 128
_HEAD = struct.Struct("!BBHI")
_MAP = struct.Struct("!BBHHHI")
_MAPPED = struct.Struct("!HHI")
RESULTS = {
    1: "it speaks another version",
    2: "it is switched off there",
    3: "it has no outside address yet",
    4: "it has no port left",
    5: "it does not know the request",
}
"""What a result other than 0 means (RFC 6886, section 3.5)."""


def ask_address() -> bytes:
    """Ask for the outside address."""
    return bytes((VERSION, ADDRESS))


def ask_map(inside: int, outside: int, lifetime_s: int) -> bytes:
    """Ask for a port of TCP. outside: the one wished for, 0 for any. lifetime_s: 0 takes it back."""
    return _MAP.pack(VERSION, MAP_TCP, 0, inside, outside, lifetime_s)


def read_address(data: bytes) -> str:
    """Read the answer to `ask_address`.

    data: any bytes. Raises PeerError with ROUTER_REFUSED, or ROUTER_INVALID for what is no such answer.
    """
    return str(IPv4Address(_body(data, ADDRESS, 4)))


def read_map(data: bytes, inside: int) -> tuple[int, int]:
    """Read the answer to `ask_map`; gives outside port and lifetime in seconds, both 0 for one taken back.

    data: any bytes. Raises PeerError with ROUTER_REFUSED or ROUTER_INVALID.
    """
    said, outside, lifetime_s = _MAPPED.unpack(_body(data, MAP_TCP, _MAPPED.size))
    if said != inside:
        raise nonsense(BY, f"it speaks of port {said}, not of {inside}")
    if (outside == 0) is not (lifetime_s == 0):
        raise nonsense(BY, f"port {outside} for {lifetime_s} s")
    return outside, lifetime_s


def _body(data: bytes, asked: int, size: int) -> bytes:
    if len(data) < _HEAD.size:
        raise nonsense(BY, f"{len(data)} bytes")
    version, operation, result, _ = _HEAD.unpack_from(data)
    if version != VERSION or operation != asked + _ANSWER:
        raise nonsense(BY, f"version {version}, operation {operation}")
    if result != 0:
        raise refused(BY, RESULTS.get(result, f"result {result}"))
    if len(data) != _HEAD.size + size:
        raise nonsense(BY, f"{len(data)} bytes")
    return data[_HEAD.size :]
