"""Which addresses are dialled, and in which order: what a friend signed, less what could be used against others or us."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain, zip_longest

from msgspec import Struct

from peer.reach.paths import DIRECT, LAN, MAPPED
from wire import limits
from wire.identity import Host

Address = IPv4Address | IPv6Address

SHARED_HALF = {4: 16, 6: 64}
"""How many leading bits two private addresses of one network have in common."""


class Candidate(Struct, frozen=True):
    """A place worth a dial. host: numeric. path: of the link, if it comes to one."""

    host: str
    port: int
    path: str

    @property
    def place(self) -> tuple[str, int]:
        """The host and port to connect to."""
        return self.host, self.port


def candidates(
    hosts: tuple[Host, ...], *, own_hosts: Collection[str], may_loopback: bool
) -> list[Candidate]:
    """Give the places that a friend's device signed and that are worth dialling, at most ADDRESSES, best first.

    hosts: as it signed them. own_hosts: our addresses. may_loopback: whether our tracker link runs over loopback. Names, addresses with a
    zone, multicast, unspecified, link-local and tunnelled ones are dropped; private ones are dialled only from the
    same network, so that a friend cannot make us knock on our neighbours' doors. First this machine and the
    LAN, then IPv6 and IPv4 in turn, IPv6 first (RFC 8305, section 4), each as the friend ordered them.
    """
    near: list[Candidate] = []
    far: tuple[list[Candidate], list[Candidate]] = ([], [])
    for place in hosts[: limits.ADDRESSES]:
        address = read_address(place.host)
        if address is None or not _may_dial(address, own_hosts, may_loopback=may_loopback):
            continue
        host = str(address)
        if address.is_loopback:
            near.insert(0, Candidate(host, place.port, DIRECT))
        elif address.is_private:
            near.append(Candidate(host, place.port, LAN))
        else:
            path = MAPPED if place.is_mapped else DIRECT
            far[address.version == 4].append(Candidate(host, place.port, path))
    in_turn = chain.from_iterable(zip_longest(*far))
    return [*near, *(found for found in in_turn if found is not None)]


def may_dial(host: str, own_hosts: Collection[str], *, may_loopback: bool) -> bool:
    """Say whether a place that somebody names may be dialled; the rest as of `candidates`."""
    address = read_address(host)
    return address is not None and _may_dial(address, own_hosts, may_loopback=may_loopback)


def is_this_machine(host: str) -> bool:
    """Say whether an address is the loopback, by whatever family."""
    address = read_address(host)
    return address is not None and address.is_loopback


def chosen(place: tuple[str, int]) -> Candidate:
    """Give the candidate that a person names."""
    address = read_address(place[0])
    is_near = address is not None and address.is_private and not address.is_loopback
    return Candidate(*place, LAN if is_near else DIRECT)


def read_address(host: str) -> Address | None:
    """Read a numeric address; one of IPv4 inside IPv6 is what it really is.

    None for anything else: a name, and an address with a zone, which means something on one machine only.
    """
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
    return address


def _may_dial(address: Address, own_hosts: Collection[str], *, may_loopback: bool) -> bool:
    if address.is_loopback:
        return may_loopback
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if isinstance(address, IPv6Address) and (
        address.is_site_local or address.sixtofour is not None or address.teredo is not None
    ):
        return False  # a tunnel's address has one of IPv4 inside, which may be anybody's
    if address.is_private:
        return any(_is_near(address, own_host) for own_host in own_hosts)
    return not address.is_reserved


def _is_near(address: Address, own_host: str) -> bool:
    """Say whether we share the first part of an address: the same /16, or the same /64."""
    own = read_address(own_host)
    if own is None or own.version != address.version:
        return False
    rest = own.max_prefixlen - SHARED_HALF[own.version]
    return int(own) >> rest == int(address) >> rest
