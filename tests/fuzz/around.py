"""Targets about where others are said to be: services on the local network, and places that were sealed."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface, ip_address

from msgspec.msgpack import decode, encode

from peer.reach.nearby import Nearby, Network, Opening, properties, read_announced
from tests.fuzz.target import Shape, Target, check
from tests.harness.entropy import SeededEntropy
from tests.harness.people import person
from wire import limits
from wire.channel.primitives import seal
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import AddressRecord, Host, lan_mark, open_places, seal_places
from wire.identity.friendship import SALT_BYTES, Places, _places_key
from wire.identity.packing import pack, unpack
from wire.ids import AccountName, BootId, LinkKey
from wire.machine import Monotonic, UnixMillis

_ALICE = person("alice")
_KEY = b"p" * 32
_OWN: list[Network] = [IPv4Interface("192.168.1.7/24"), IPv6Interface("fd00::7/64")]


def hear_neighbours(data: bytes) -> None:
    """Take what a service on the network says: [properties, addresses, port]; places are of this network alone."""
    try:
        said, hosts, port = unpack_announcement(data)
    except (ValueError, TypeError, RemoteProtocolError):
        return
    found = read_announced(said, hosts, port, _OWN)
    if found is None:
        return
    check(0 < len(found.places) <= limits.LAN_HOSTS, "too many places, or none")
    for host, _ in found.places:
        check(any(ip_address(host.partition("%")[0]) in each.network for each in _OWN), "far away")
    nearby = Nearby()
    for number in range(3):
        nearby.heard(f"service {number}", found, Monotonic(float(number)))
    nearby.places(_ALICE.identity, _ALICE.keys.device, UnixMillis(0))
    nearby.opened(_ALICE.identity, UnixMillis(0))


def unpack_announcement(data: bytes) -> tuple[dict[bytes, bytes | None], list[str], int | None]:
    """Read the three parts of an announcement as the library of multicast would give them."""
    return decode(data, type=tuple[dict[bytes, bytes | None], list[str], int | None])


def _announcements() -> list[bytes]:
    mark = lan_mark(_ALICE.identity, _ALICE.keys.device, 0)
    opening = Opening(b"o" * 16, LinkKey(b"k" * 32), AccountName("alice"))
    hosts = ["192.168.1.9", "fe80::1%eth0", "fd00::9", "224.0.0.1", "8.8.8.8", "nonsense"]
    return [
        encode((properties(mark, None), hosts[:1], 4000)),
        encode((properties(mark, opening), hosts, 65535)),
    ]


def open_sealed_places(data: bytes) -> None:
    """Open places: a box as it comes (0), or anything sealed by the right key."""
    device, box = _ALICE.keys.device, data[1:]
    if data[:1] not in (b"", b"\0"):
        box = bytes(SALT_BYTES) + seal(_places_key(_KEY, bytes(SALT_BYTES)), 0, device, data[1:])
    raw = encode(AddressRecord(device, BootId(b"b" * 16), 3, (), box))
    try:
        record = unpack(AddressRecord, raw)  # as it comes in: a box beyond its bound is not opened
        hosts = open_places(record, _KEY)
    except RemoteProtocolError as error:
        check(error.code is not Code.INTERNAL, "a fault without a name")
        return
    check(len(hosts) <= limits.ADDRESSES, "too many places")
    check(pack(record) == raw, "a record reads otherwise")


def _sealed() -> list[bytes]:
    hosts = (Host("192.0.2.1", 4000), Host("::1", 1))
    box = seal_places(hosts, _KEY, _ALICE.keys.device, SeededEntropy(3))
    raw = pack(Places(hosts))
    return [b"\0" + box, b"\0" + box[:-1], b"\1" + len(raw).to_bytes(2, "big") + raw]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("neighbour", hear_neighbours, _announcements, Shape.PACKED, most_bytes=1500),
        Target("sealed-places", open_sealed_places, _sealed, Shape.BYTES, 1, 1000),
    ]
