"""What was heard on the local network: who says to be where. Bounded, and believed by nobody.

Pure, over `now`. An announcement is a hint, which anybody on the network can make or repeat: all that ever
follows from one is a handshake with the device that a mark names, at an address of this very network. What
lives here: what is remembered, and for whom. What does not: multicast (`mdns`), when it is used (`dialer`).

    key   value
    v     "1"
    m     16 bytes, the device's mark of the day (`wire.identity.marks`)
    and while the device takes requests from people without a tracker:
    o     16 bytes, the account's open mark of the day
    k     32 bytes, the device's link key
    n     the account's name
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Interface, IPv6Interface, ip_address

from msgspec import Struct

from wire import limits
from wire.errors import WireError
from wire.identity import MARK_BYTES, days_around, lan_mark, lan_open_mark
from wire.ids import AccountName, DeviceId, IdentityKey, LinkKey, account_name
from wire.machine import Monotonic, UnixMillis

Place = tuple[str, int]
Network = IPv4Interface | IPv6Interface
"""One address of this machine, with the network that it is on."""

Heard = Callable[[str, Mapping[bytes, bytes | None], list[str], int | None], None]
"""Called with a service's name, what it says, its addresses and its port."""

VERSION = b"1"
LINK_KEY_BYTES = 32


class Opening(Struct, frozen=True):
    """What a device adds while it takes requests. mark: by which its account's friend code finds it."""

    mark: bytes
    link_key: LinkKey
    name: AccountName


class Announced(Struct, frozen=True):
    """What one service says. places: at most LAN_HOSTS, all on a network of ours."""

    mark: bytes
    places: tuple[Place, ...]
    opening: Opening | None = None


def properties(mark: bytes, opening: Opening | None) -> dict[bytes, bytes]:
    """Give what is announced of a device; see the module."""
    said = {b"v": VERSION, b"m": mark}
    if opening is not None:
        said |= {b"o": opening.mark, b"k": opening.link_key, b"n": opening.name.encode()}
    return said


def read_announced(
    said: Mapping[bytes, bytes | None], hosts: Iterable[str], port: int | None, own: list[Network]
) -> Announced | None:
    """Take an announcement as it came; None for one that cannot be used. hosts: as text. own: our networks."""
    mark = said.get(b"m")
    if said.get(b"v") != VERSION or mark is None or len(mark) != MARK_BYTES:
        return None
    if port is None or not 0 < port <= 65535:
        return None
    near = [host for host in hosts if is_near(host, own)][: limits.LAN_HOSTS]
    if not near:
        return None
    return Announced(mark, tuple((host, port) for host in near), _opening(said))


def _opening(said: Mapping[bytes, bytes | None]) -> Opening | None:
    mark, key, name = said.get(b"o"), said.get(b"k"), said.get(b"n")
    if mark is None or key is None or name is None:
        return None
    if len(mark) != MARK_BYTES or len(key) != LINK_KEY_BYTES:
        return None
    try:
        return Opening(mark, LinkKey(key), account_name(name.decode()))
    except (WireError, UnicodeDecodeError):
        return None


def is_near(host: str, own: list[Network]) -> bool:
    """Say whether a numeric address is another machine's on a network of ours."""
    try:
        address = ip_address(host)
    except ValueError:
        return False
    if address.is_loopback or address.is_multicast or address.is_unspecified:
        return False
    plain = ip_address(host.partition("%")[0])
    return any(plain in each.network for each in own if each.version == plain.version) and all(
        plain != each.ip for each in own
    )


class Nearby:
    """What services say now, the newest LAN_SERVICES of them."""

    def __init__(self) -> None:
        self._services: dict[str, Announced] = {}
        self._told: dict[tuple[bytes, Place], Monotonic] = {}

    def __len__(self) -> int:
        return len(self._services)

    def heard(self, service: str, announced: Announced, now: Monotonic) -> bool:
        """Take what a service says; True if it names a place that was not named for this mark of late."""
        self._services.pop(service, None)
        self._services[service] = announced
        if len(self._services) > limits.LAN_SERVICES:
            self._services.pop(next(iter(self._services)))
        news = [self._is_news(announced.mark, place, now) for place in announced.places]
        return True in news

    def gone(self, service: str) -> None:
        """Forget a service that said goodbye, or that nobody heard of for long."""
        self._services.pop(service, None)

    def clear(self) -> None:
        """Forget all of them: this machine is on another network now."""
        self._services.clear()
        self._told.clear()

    def places(self, identity: IdentityKey, device: DeviceId, wall: UnixMillis) -> list[Place]:
        """Give where a device is said to be, at most LAN_HOSTS, by who said so last."""
        if not self._services:
            return []
        marks = [lan_mark(identity, device, day) for day in days_around(wall)]
        said = (each for each in reversed(self._services.values()) if each.mark in marks)
        return _places(said)

    def opened(self, identity: IdentityKey, wall: UnixMillis) -> list[tuple[Place, LinkKey]]:
        """Give where devices of an account say that they take requests, and with which link keys."""
        marks = [lan_open_mark(identity, day) for day in days_around(wall)]
        found = [
            (place, each.opening.link_key)
            for each in reversed(self._services.values())
            if each.opening is not None and each.opening.mark in marks
            for place in each.places
        ]
        return list(dict.fromkeys(found))[: limits.LAN_HOSTS]

    def _is_news(self, mark: bytes, place: Place, now: Monotonic) -> bool:
        told = self._told.pop((mark, place), None)
        self._told[mark, place] = now if told is None else max(told, now)
        while len(self._told) > limits.LAN_SERVICES * limits.LAN_HOSTS:
            self._told.pop(next(iter(self._told)))
        return told is None or now - told >= limits.LAN_FRESH_S


def _places(said: Iterable[Announced]) -> list[Place]:
    found = dict.fromkeys(place for each in said for place in each.places)
    return list(found)[: limits.LAN_HOSTS]
