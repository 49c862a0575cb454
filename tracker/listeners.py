"""Opens the sockets that a tracker listens on, and says which addresses lead to them."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable
from typing import Any

from tracker.config import ListenAddress
from tracker.errors import TrackerError
from tracker.hosts import reachable_hosts
from wire.codes import Code

BACKLOG = 4096  # a storm of thousands that return at once must not be refused by the system

PROBE_PORTS = 16  # tried for the second one, behind the first

FAMILY_MISSING = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT})

log = logging.getLogger("tracker")


def open_listeners(
    addresses: tuple[ListenAddress, ...],
    *,
    may_lack_family: bool,
    open_one: Callable[[ListenAddress], list[socket.socket]] | None = None,
) -> list[socket.socket]:
    """Bind and listen on all of the addresses.

    may_lack_family: leave out an address whose family this machine lacks, as long as one is left.
    open_one: in place of `open_place`. Raises
    TrackerError with ADDRESS_IN_USE, ADDRESS_REFUSED or ADDRESS_INVALID, with nothing left open.
    """
    opened: list[socket.socket] = []
    try:
        for number, address in enumerate(addresses):
            is_last_hope = number == len(addresses) - 1 and not opened
            try:
                opened += (open_one or open_place)(address)
            except OSError as error:
                if may_lack_family and not is_last_hope and error.errno in FAMILY_MISSING:
                    log.info("not listening on %s: %s", address, error.strerror)
                    continue
                raise _refusal(address, error) from error
    except TrackerError:
        for listener in opened:
            listener.close()
        raise
    return opened


def open_probes(
    listeners: list[socket.socket], chosen: ListenAddress | None
) -> list[socket.socket]:
    """Open the second port, on which devices see how their router maps another connection from the same port.

    chosen: where, or None for the hosts of the listeners at the next port that is free on all of them; empty
    where there is none, as a tracker does without. Raises TrackerError for a chosen one as `open_listeners`.
    """
    if chosen is not None:
        return open_listeners((chosen,), may_lack_family=False)
    places = [place_of(listener) for listener in listeners]
    first = places[0].port + 1
    for port in range(first, min(first + PROBE_PORTS, 65536)):
        wanted = tuple(ListenAddress(place.host, port) for place in places)
        try:
            return open_listeners(wanted, may_lack_family=False)
        except TrackerError:
            continue
    log.info("no second port for probes is free beside %s", places[0])
    return []


def open_place(
    address: ListenAddress, resolve: Callable[..., list[Any]] = socket.getaddrinfo
) -> list[socket.socket]:
    """Listen on what one address stands for: itself, or all that a name resolves to.

    resolve: as `socket.getaddrinfo`. Raises OSError, or TrackerError with ADDRESS_INVALID.
    """
    try:
        found = resolve(
            address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV,
        )
    except (socket.gaierror, UnicodeError) as error:
        raise TrackerError(
            Code.ADDRESS_INVALID, f"--listen {address}: there is no such host here"
        ) from error
    opened: list[socket.socket] = []
    try:
        for family, kind, _, _, place in dict.fromkeys(found):
            listener = socket.socket(family, kind)
            opened.append(listener)
            listener.setblocking(False)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(place)
            listener.listen(BACKLOG)
    except OSError:
        for listener in opened:
            listener.close()
        raise
    return opened


def _refusal(address: ListenAddress, error: OSError) -> TrackerError:
    if error.errno == errno.EADDRINUSE:
        return TrackerError(Code.ADDRESS_IN_USE, f"{address} is in use by another program")
    return TrackerError(Code.ADDRESS_REFUSED, f"{address}: {error.strerror}")


def place_of(listener: socket.socket) -> ListenAddress:
    """Give where a socket listens."""
    host, port = listener.getsockname()[:2]
    return ListenAddress(str(host), int(port))


def places_to_dial(
    listeners: list[socket.socket],
    reachable: Callable[[socket.AddressFamily], list[str]] = reachable_hosts,
) -> list[ListenAddress]:
    """List where others can dial: for a wildcard each address of this machine that they can reach.

    reachable: gives those addresses of a family.
    A machine without a network gives its loopback address. IPv4 stands first: more people have it.
    """
    places: list[ListenAddress] = []
    for listener in sorted(listeners, key=lambda listener: listener.family != socket.AF_INET):
        place = place_of(listener)
        if place.host in ("0.0.0.0", "::"):
            places += [ListenAddress(host, place.port) for host in reachable(listener.family)]
        else:
            places.append(place)
    if not places:
        place = place_of(listeners[0])
        places = [ListenAddress("127.0.0.1" if place.host == "0.0.0.0" else "::1", place.port)]
    return list(dict.fromkeys(places))
