"""PCP (RFC 6887), of it MAP for one port of TCP: the request, and how its answer reads. Bytes and values only.

    request   version 2 (1) | MAP 1 (1) | 0 (2) | lifetime (4) | our address (16)
    answer    version 2 (1) | 128 + MAP (1) | 0 (1) | result (1) | lifetime (4) | seconds since its start (4) | 0 (12)
    both      nonce (12) | protocol 6 (1) | 0 (3) | inside port (2) | outside port (2) | outside address (16)

Addresses of IPv4 stand as ::ffff:a.b.c.d. With those of IPv6 nothing is translated: what is asked for is a hole in the
router's firewall, and the place outside is the one inside. The nonce shows who may change a mapping: it is the same for renewing
and for taking back, which is asking for lifetime 0.
"""

from __future__ import annotations

import struct
from ipaddress import IPv6Address

from msgspec import Struct

from peer.reach.mapping.lease import nonsense, refused

BY = "PCP"
VERSION = 2
NONCE_BYTES = 12
_MAP_CODE, _ANSWER, _TCP = 1, 128, 6
_REQUEST = struct.Struct("!BBHI16s")
_HEAD = struct.Struct("!BBBBII12x")
_BODY = struct.Struct("!12sB3xHH16s")
RESULTS = {
    1: "it speaks another version",
    2: "it is not allowed to us",
    3: "it does not understand the request",
    4: "it does not know the request",
    5: "it does not know an option",
    6: "it does not understand an option",
    7: "it has no outside address yet",
    8: "it has no port left",
    9: "it does not map TCP",
    10: "our share of its ports is used up",
    11: "the outside port is not to be had",
    12: "another router stands between it and us",
    13: "it takes no more peers",
}
"""What a result other than 0 means (RFC 6887, section 7.4)."""

UNSUPPORTED_VERSION = 1


class OlderRouter(Exception):
    """The router knows NAT-PMP only: it answers in version 0."""


class Mapped(Struct, frozen=True):
    """An outside address (numeric) and port, for lifetime_s seconds; 0: taken back."""

    host: str
    port: int
    lifetime_s: int


def ask_map(
    own_host: str, nonce: bytes, inside: int, outside: tuple[str, int] | None, lifetime_s: int
) -> bytes:
    """Ask for a port of TCP.

    own_host: our address as the router knows it. nonce: NONCE_BYTES. outside: the place wished for, or None
    for any. lifetime_s: 0 takes it back.
    """
    anywhere = "::" if ":" in own_host else "0.0.0.0"
    host, port = (anywhere, 0) if outside is None else outside
    head = _REQUEST.pack(VERSION, _MAP_CODE, 0, lifetime_s, _sixteen(own_host))
    return head + _BODY.pack(nonce, _TCP, inside, port, _sixteen(host))


def read_map(data: bytes, nonce: bytes, inside: int, *, is_ipv6: bool = False) -> Mapped:
    """Read the answer to `ask_map`.

    data: any bytes. is_ipv6: what was asked for. Raises OlderRouter, or PeerError with ROUTER_REFUSED or, for what is no such answer,
    ROUTER_INVALID.
    """
    if len(data) >= 4 and data[0] == 0 and data[1] & _ANSWER:
        raise OlderRouter
    if len(data) < _HEAD.size:
        raise nonsense(BY, f"{len(data)} bytes")
    version, operation, _, result, lifetime_s, _ = _HEAD.unpack_from(data)
    if operation != _MAP_CODE + _ANSWER:
        raise nonsense(BY, f"version {version}, operation {operation}")
    if result != 0:
        raise refused(BY, RESULTS.get(result, f"result {result}"))
    if version != VERSION or len(data) < _HEAD.size + _BODY.size:
        raise nonsense(BY, f"version {version}, {len(data)} bytes")
    said, protocol, port, outside, host = _BODY.unpack_from(data, _HEAD.size)
    if (said, protocol, port) != (nonce, _TCP, inside):
        raise nonsense(BY, "it answers something else")
    address = IPv6Address(host)
    translated = address.ipv4_mapped
    if lifetime_s and ((translated is None) is not is_ipv6 or outside == 0):
        raise nonsense(BY, f"it grants {address}, port {outside}")
    granted = address if is_ipv6 else translated
    return Mapped("" if granted is None else str(granted), outside, lifetime_s)


def _sixteen(host: str) -> bytes:
    return IPv6Address(host if ":" in host else f"::ffff:{host}").packed
