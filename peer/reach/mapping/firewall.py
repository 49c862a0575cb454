"""A hole in the router's firewall for an address of IPv6: nothing is translated there, but many routers let nothing in.

By PCP (RFC 6887, section 11: MAP serves firewalls, too); `keeper` keeps it open. A router that does not know PCP changes
nothing: friends are told the address in any case.
"""

from __future__ import annotations

from ipaddress import ip_address

from peer.errors import PeerError
from peer.reach.mapping import pcp
from peer.reach.mapping.asking import PORT, ask
from peer.reach.mapping.gateway import default_gateway_ipv6
from peer.reach.mapping.lease import Lease, refused
from peer.reach.places import sends_from
from wire import limits
from wire.machine import Entropy


class Firewalls:
    """What is asked of this machine's router of IPv6; tests put another one in its place.

    entropy: for the nonce, one for as long as we run. port: of PCP.
    """

    def __init__(self, entropy: Entropy, port: int = PORT) -> None:
        self._nonce = entropy.bytes(pcp.NONCE_BYTES)
        self._port = port

    def router(self) -> str | None:
        """Give the router's address, None where there is none."""
        return default_gateway_ipv6()

    def own_address(self) -> str | None:
        """Give the address of ours that others can dial, None for none."""
        host = sends_from(6)
        return host if host is not None and ip_address(host).is_global else None

    def find(self) -> tuple[str | None, str, str]:
        """See whether there is a router, and an address behind it; as of `keeper.Door`."""
        router, own_host = self.router(), self.own_address()
        if router is None or own_host is None:
            return "this machine has no way out by IPv6", "", ""
        return None, router, own_host

    async def grant(self, router: str, own_host: str, inside: int, before: Lease | None) -> Lease:
        """Ask for a hole, or for the same again; raises PeerError."""
        del before  # a hole is where the listener is
        found = await self._ask(router, own_host, inside, limits.MAPPING_S)
        return Lease(
            pcp.BY, found.host, found.port, found.lifetime_s, (own_host, inside), self._nonce
        )

    async def take_back(self, router: str, lease: Lease) -> None:
        """Close it; raises PeerError."""
        await self._ask(router, *lease.inside, 0)

    def doubt(self, lease: Lease, seen: str) -> PeerError | None:
        """See that the hole is for our very address and port: friends are told of no other; as of `keeper.Door`."""
        del seen  # which may be of IPv4, or another address of ours
        if (lease.host, lease.port) == lease.inside:
            return None
        return refused(pcp.BY, f"it would let others in at [{lease.host}]:{lease.port} only")

    async def _ask(self, router: str, own_host: str, inside: int, lifetime_s: int) -> pcp.Mapped:
        nonce = self._nonce
        question = pcp.ask_map(own_host, nonce, inside, (own_host, inside), lifetime_s)
        try:
            return await ask(
                (router, self._port),
                question,
                lambda data: pcp.read_map(data, nonce, inside, is_ipv6=True),
                own_host=own_host,
            )
        except pcp.OlderRouter as error:
            raise refused(pcp.BY, "it knows NAT-PMP only, which has no IPv6") from error
