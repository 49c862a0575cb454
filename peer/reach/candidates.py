"""Which addresses are dialled: what a friend signed, less what could be used against others or us."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

from wire import limits
from wire.identity import AddressRecord

Address = IPv4Address | IPv6Address


def candidates(
    record: AddressRecord, *, own_host: str, may_loopback: bool
) -> list[tuple[str, int]]:
    """Give the (host, port) pairs of a record worth dialling, at most ADDRESSES, best first.

    own_host: our address as our tracker link uses it, or empty. may_loopback: whether that link runs over
    loopback. Names, multicast, unspecified and link-local addresses are dropped; private ones are dialled
    only from the same network, so that a friend cannot make us knock on our neighbours' doors.
    """
    found = []
    for place in record.hosts[: limits.ADDRESSES]:
        address = _address(place.host)
        if address is not None and _may_dial(address, own_host, may_loopback=may_loopback):
            found.append((address, place.port))
    found.sort(key=lambda pair: (not pair[0].is_loopback, not pair[0].is_private))
    return [(str(address), port) for address, port in found]


def may_dial(host: str, own_host: str, *, may_loopback: bool) -> bool:
    """Say whether a place that somebody names may be dialled; own_host, may_loopback: as of `candidates`."""
    address = _address(host)
    return address is not None and _may_dial(address, own_host, may_loopback=may_loopback)


def _address(host: str) -> Address | None:
    """Read a numeric address; one of IPv4 inside IPv6 is what it really is. None for anything else."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _may_dial(address: Address, own_host: str, *, may_loopback: bool) -> bool:
    if address.is_loopback:
        return may_loopback
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return False
    if address.is_private:
        return _is_near(address, own_host)
    return not address.is_reserved


def _is_near(address: Address, own_host: str) -> bool:
    """Say whether we share the first half of an address: the same /16, or the same /64."""
    try:
        own = ip_address(own_host)
    except ValueError:
        return False
    half = len(own.packed) // 2
    return own.version == address.version and own.packed[:half] == address.packed[:half]
