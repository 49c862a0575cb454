"""Where one node is: what it listens on, its addresses, the router's port that leads to it, and what friends are told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import ip_address
from typing import Protocol

from msgspec import Struct

from peer.config import LastRun, read_last_run, write_last_run
from peer.listener import parse_listen
from peer.locations import Locations
from peer.reach import outward
from peer.reach.candidates import read_address
from peer.reach.mapping.firewall import Firewalls
from peer.reach.mapping.keeper import PortMapping, Routers
from peer.reach.paths import DIRECT, LAN, MAPPED
from peer.reach.places import own_hosts, to_publish
from wire.identity import Host
from wire.machine import Entropy

LOOK_S = 5.0
"""How often this machine's addresses are looked at."""


class Vicinity(Struct):
    """Where we are, as the tracker link shows it, or showed it last.

    own_host: our address of that link, hosts: all our addresses. observed_host: what the tracker sees.
    """

    own_host: str = ""
    hosts: tuple[str, ...] = ()
    observed_host: str = ""
    tracker_host: str = ""
    is_loopback: bool = False


class Seen(Protocol):
    """What a tracker link that stands shows."""

    own_host: str
    observed_host: str
    tracker_host: str
    is_loopback: bool


class Whereabouts:
    """Kept by the node. may_map: whether the person wants a port mapped. on_change: there are other places to tell."""

    def __init__(
        self,
        locations: Locations,
        entropy: Entropy,
        *,
        may_map: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._locations = locations
        self._on_change = on_change
        self._may_map = may_map
        self._might_map = True
        self.listening: list[str] = []
        self.vicinity = Vicinity(
            hosts=tuple(own_hosts("")), is_loopback=read_last_run(locations).was_over_loopback
        )
        self.mapping = PortMapping(
            Routers(entropy), self.vicinity, is_wanted=may_map, on_change=on_change
        )
        self.opening = PortMapping(  # in the router's firewall: no other place, so nobody is told
            Firewalls(entropy), self.vicinity, is_wanted=may_map, on_change=lambda: None
        )

    def came_online(self, seen: Seen) -> None:
        """Take what the tracker link shows."""
        around = self.vicinity
        is_moved = around.is_loopback is not seen.is_loopback
        around.own_host, around.observed_host = seen.own_host, seen.observed_host
        around.tracker_host, around.is_loopback = seen.tracker_host, seen.is_loopback
        around.hosts = tuple(own_hosts(seen.own_host)) if seen.own_host else ()
        if is_moved and self.listening:
            self.note_run()
        self._look_at_router()

    async def watch(self) -> None:
        """Look every now and then, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """See whether this machine has other addresses than before, and whether another thing is wanted."""
        around = self.vicinity
        if (may_map := self._may_map()) is not self._might_map:
            self._might_map = may_map
            self._look_at_router()
        if around.own_host and (hosts := tuple(own_hosts(around.own_host))) != around.hosts:
            around.hosts = hosts
            self._look_at_router()
            self._on_change()

    def note_run(self) -> None:
        """Note for the next run where friends may look for us again, and where we may look for them."""
        port = int(self.listening[0].rpartition(":")[2])
        write_last_run(self._locations, LastRun(port, self.vicinity.is_loopback))

    def places(self) -> tuple[Host, ...]:
        """Give where this machine can be dialled, as friends are told; none where it does not listen, or by a proxy."""
        around = self.vicinity
        if outward.is_proxied():
            return ()
        hosts = [around.own_host] if around.is_loopback else list(around.hosts)
        return to_publish(self.listening, hosts, self.mapping.place)

    async def keep_mapped(self) -> None:
        """Keep a port of the router leading here, if this machine listens where the router can send."""
        async with asyncio.TaskGroup() as group:
            for keeper, version in ((self.mapping, 4), (self.opening, 6)):
                ports = [port for host, port in self._places_for_outside() if host == version]
                if ports:
                    group.create_task(keeper.run(ports[0]))

    async def take_back(self) -> None:
        """Give back what the router granted."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.mapping.take_back())
            group.create_task(self.opening.take_back())

    def came_by(self, peer: str) -> str:
        """Give the path of a link that was dialled to us from an address."""
        address = read_address(peer)
        if address is None or address.is_loopback:
            return DIRECT
        if address.is_private:
            return LAN
        return MAPPED if self.mapping.lease is not None and address.version == 4 else DIRECT

    def _places_for_outside(self) -> list[tuple[int, int]]:
        """List the listeners that a router could send to: the version of IP, and the port."""
        found = [(ip_address(host), port) for host, port in map(parse_listen, self.listening)]
        return [(host.version, port) for host, port in found if not host.is_loopback]

    def _look_at_router(self) -> None:
        self.mapping.look()
        self.opening.look()
