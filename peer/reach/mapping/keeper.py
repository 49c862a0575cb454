"""The port of the router that leads here: asked for, renewed, taken back at the end.

PCP is tried first; a router that knows NAT-PMP alone says so; UPnP comes last, as it takes seconds. Only while the
tracker link runs, and not over loopback: nobody else would learn of the place. What is granted counts only where
the tracker sees us at that very address; otherwise another router stands before the one that answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Protocol

from peer.errors import PeerError
from peer.reach import outward
from peer.reach.mapping import natpmp, pcp, upnp
from peer.reach.mapping.asking import PORT, ask
from peer.reach.mapping.gateway import default_gateway, own_address
from peer.reach.mapping.lease import Lease
from wire import limits
from wire.codes import Code
from wire.machine import Entropy

log = logging.getLogger("peer.reach")


class Surroundings(Protocol):
    """Where we are, as the tracker link shows it; empty before it ran."""

    own_host: str
    observed_host: str
    is_loopback: bool


class Door(Protocol):
    """What a router can be asked for: a port of its own (`Routers`), or a hole in its firewall (`Firewalls`)."""

    def find(self) -> tuple[str | None, str, str]:
        """Say why nothing is to be asked, None where it is; and the router's address, and ours as it knows it."""

    async def grant(self, router: str, own_host: str, inside: int, before: Lease | None) -> Lease:
        """Ask for it, or for the same again; raises PeerError with why there is none."""

    async def take_back(self, router: str, lease: Lease) -> None:
        """Give it back; raises PeerError."""

    def doubt(self, lease: Lease, seen: str) -> PeerError | None:
        """Say what is wrong with a place that a router names, if anything is. seen: where the tracker sees us."""


class Routers:
    """What is asked of the routers of this machine; tests put another one in its place.

    port: of NAT-PMP and PCP. entropy: for the nonce, one for as long as we run.
    """

    def __init__(self, entropy: Entropy, port: int = PORT) -> None:
        self._nonce = entropy.bytes(pcp.NONCE_BYTES)
        self._port = port
        self._url = ""

    def router(self) -> str | None:
        """Give the router's address, None where there is none."""
        return default_gateway()

    def own_address(self, router: str) -> str | None:
        """Give our address as the router sees it."""
        return own_address(router)

    def find(self) -> tuple[str | None, str, str]:
        """See whether there is a router, and whether one is needed; as of `Door`."""
        router = self.router()
        if router is None:
            return "this machine sends to no router by IPv4", "", ""
        own_host = self.own_address(router)
        if own_host is None:
            return "the router cannot be sent to", "", ""
        if ip_address(own_host).is_global:
            return f"none is needed: {own_host} is an address of the Internet", "", ""
        return None, router, own_host

    async def grant(self, router: str, own_host: str, inside: int, before: Lease | None) -> Lease:
        """Ask for a mapping, or for the same again; raises PeerError with why no protocol served."""
        if before is not None and before.by == upnp.BY:
            return await self._by_upnp(own_host, inside, before)
        try:
            return await self._by_pcp(router, own_host, inside, before)
        except pcp.OlderRouter:
            return await self._by_natpmp(router, own_host, inside, before)
        except PeerError as error:
            if before is not None:
                raise
            try:
                return await self._by_upnp(own_host, inside, None)
            except PeerError as other:
                if error.code is Code.NO_ROUTER is not other.code:
                    raise
                raise PeerError(error.code, f"{error.message}; {other.message}") from error

    async def take_back(self, router: str, lease: Lease) -> None:
        """Give a mapping back; raises PeerError."""
        own_host, inside = lease.inside
        if lease.by == upnp.BY:
            await upnp.unmap_port(lease.port, self._url)
        elif lease.by == natpmp.BY:
            question = natpmp.ask_map(inside, 0, 0)
            await ask((router, self._port), question, lambda data: natpmp.read_map(data, inside))
        else:
            nonce = lease.secret
            question = pcp.ask_map(own_host, nonce, inside, None, 0)
            await ask(
                (router, self._port), question, lambda data: pcp.read_map(data, nonce, inside)
            )

    def doubt(self, lease: Lease, seen: str) -> PeerError | None:
        """See whether another router stands before the one that answered; as of `Door`."""
        if not ip_address(lease.host).is_global:
            return PeerError(
                Code.ROUTER_REFUSED,
                f"the router's own outside address, {lease.host}, is none of the Internet:"
                " another router stands before it",
            )
        if "." in seen and ip_address(seen).is_global and seen != lease.host:
            return PeerError(
                Code.ROUTER_REFUSED,
                f"the router says that its outside address is {lease.host}, the tracker sees {seen}:"
                " another router stands before it",
            )
        return None

    async def _by_pcp(self, router: str, own_host: str, inside: int, before: Lease | None) -> Lease:
        wished = None if before is None else (before.host, before.port)
        nonce = self._nonce
        question = pcp.ask_map(own_host, nonce, inside, wished, limits.MAPPING_S)
        found = await ask(
            (router, self._port), question, lambda data: pcp.read_map(data, nonce, inside)
        )
        place = own_host, inside
        return Lease(pcp.BY, found.host, found.port, found.lifetime_s, place, nonce)

    async def _by_natpmp(
        self, router: str, own_host: str, inside: int, before: Lease | None
    ) -> Lease:
        place = router, self._port
        host = await ask(place, natpmp.ask_address(), natpmp.read_address)
        wished = inside if before is None else before.port
        question = natpmp.ask_map(inside, wished, limits.MAPPING_S)
        port, lifetime_s = await ask(place, question, lambda data: natpmp.read_map(data, inside))
        return Lease(natpmp.BY, host, port, lifetime_s, (own_host, inside))

    async def _by_upnp(self, own_host: str, inside: int, before: Lease | None) -> Lease:
        wished = inside if before is None else before.port
        lease, self._url = await upnp.map_port(own_host, inside, wished, limits.MAPPING_S)
        return lease


class PortMapping:
    """The mapping of one node.

    port: this machine's, that friends dial. is_wanted: asked each time. on_change: called when there is another
    outside place, or none any more. After `run` ended, `take_back` gives up what is still held.
    """

    def __init__(
        self,
        routers: Door,
        surroundings: Surroundings,
        *,
        is_wanted: Callable[[], bool],
        on_change: Callable[[], None],
    ) -> None:
        self._routers = routers
        self._surroundings = surroundings
        self._is_wanted = is_wanted
        self._on_change = on_change
        self._news = asyncio.Event()
        self._router = ""
        self._until = 0.0  # on the loop's clock: then the lease is over
        self.lease: Lease | None = None
        self.failure: PeerError | None = None
        self.why_not: str | None = "this node listens on nothing that a router could send to"
        self._is_running = False
        self.has_tried = asyncio.Event()
        self.has_tried.set()  # until `run` begins there is nothing to wait for

    @property
    def place(self) -> tuple[str, int] | None:
        """The outside address and port, None for none."""
        return None if self.lease is None else (self.lease.host, self.lease.port)

    def look(self) -> None:
        """Take note that something may be another: where we are, or what is wanted."""
        if self._is_running:
            self.has_tried.clear()
            self._news.set()

    async def run(self, port: int) -> None:
        """Keep a port mapped until cancelled. port: this machine's."""
        self._is_running = True
        self.has_tried.clear()
        while True:
            self._news.clear()
            wait_s = await self._round(port)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()

    async def take_back(self) -> None:
        """Give the mapping back; a router that does not answer lets it run out by itself."""
        lease, self.lease = self.lease, None
        if lease is None:
            return
        try:
            async with asyncio.timeout(limits.UNMAPPING_S):
                await self._routers.take_back(self._router, lease)
        except (PeerError, TimeoutError, pcp.OlderRouter) as error:
            log.info("the router still maps port %d: %s", lease.port, error)

    # --- inside

    async def _round(self, port: int) -> float | None:
        """Ask, renew or give up; gives in how many seconds to do so again, None for when there is news."""
        before = self.place
        self.why_not, own_host = self._judge()
        if self.why_not is not None:
            await self.take_back()
            self.failure = None
            wait_s: float | None = None
        else:
            if self.lease is not None and self.lease.inside != (own_host, port):
                await self.take_back()
            wait_s = await self._grant(own_host, port)
        if not self._news.is_set():
            self.has_tried.set()
        if self.place != before:
            self._on_change()
        return wait_s

    def _judge(self) -> tuple[str | None, str]:
        """Say why nothing is to be mapped, None where it is, and which address of ours the router knows."""
        around = self._surroundings
        if not self._is_wanted():
            return "switched off by port-mapping", ""
        if outward.is_proxied():
            return "the tracker is reached through a proxy", ""
        if not around.own_host:
            return "the tracker link does not run yet", ""
        if around.is_loopback:
            return "the tracker runs on this machine", ""
        why_not, router, own_host = self._routers.find()
        if why_not is None:
            self._router = router
        return why_not, own_host

    async def _grant(self, own_host: str, port: int) -> float:
        """Ask; a renewal that fails is tried again for as long as the lease lasts."""
        now = asyncio.get_running_loop().time()
        try:
            lease = await self._routers.grant(self._router, own_host, port, self.lease)
        except PeerError as error:
            self.failure = error
        except pcp.OlderRouter:
            self.failure = PeerError(Code.ROUTER_INVALID)
        else:
            self.failure = self._routers.doubt(lease, self._surroundings.observed_host)
            self.lease = lease
            if self.failure is None:
                lifetime_s = lease.lifetime_s or limits.MAPPING_S
                self._until = now + lifetime_s
                return min(max(lifetime_s, limits.MAPPING_LEAST_S), limits.MAPPING_S) / 2
            await self.take_back()
        log.info("no port is mapped: %s", self.failure)
        if self.lease is not None and self._until > now:
            return max((self._until - now) / 2, limits.MAPPING_LEAST_S / 2)
        self.lease = None
        return limits.MAPPING_AGAIN_S
