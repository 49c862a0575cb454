"""Multicast DNS by `zeroconf`: the one module that knows the library, imported when a node first needs it.

It takes 60 ms and 10 MB, which a node that listens on the loopback only never pays. What the library cannot
do becomes OSError here; what others announce goes on as it came, for `nearby` to judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from types import TracebackType
from typing import Self

import ifaddr
import zeroconf
from zeroconf import ServiceStateChange, Zeroconf
from zeroconf.asyncio import AsyncServiceBrowser, AsyncServiceInfo, AsyncZeroconf

from peer.reach.nearby import Heard, Network

SERVICE = "_hobnob._tcp.local."
RESOLVE_MS = 2000
RESOLVED_AT_ONCE = 16
"""Announcements that came in pieces and whose rest is asked for; further ones are heard when they come again."""


def own_networks(on: str = "") -> list[Network]:
    """Give the addresses of this machine with their networks, but for the loopback; may block.

    on: an interface by name, or an address of it: only that; empty for all.
    """
    found: list[Network] = []
    for adapter in ifaddr.get_adapters():
        for each in adapter.ips:
            host = each.ip if isinstance(each.ip, str) else each.ip[0]
            prefix = f"{host.partition('%')[0]}/{each.network_prefix}"
            network = IPv4Interface(prefix) if each.is_IPv4 else IPv6Interface(prefix)
            is_meant = on in ("", adapter.name, adapter.nice_name, str(network.ip))
            if is_meant and not network.ip.is_loopback:
                found.append(network)
    return found


class Mdns:
    """One node on the networks of these addresses, while its context is entered.

    hosts: own addresses, as text. heard: called with a service's name, what it says, its addresses and port.
    gone: called with the name of one that left. Entering and `announce` raise OSError.
    """

    def __init__(self, hosts: list[str], heard: Heard, gone: Callable[[str], None]) -> None:
        self._heard = heard
        self._gone = gone
        self._resolving: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._info: AsyncServiceInfo | None = None
        try:
            self._zeroconf = AsyncZeroconf(interfaces=list(hosts))
        except (zeroconf.Error, RuntimeError) as error:
            raise OSError(str(error)) from error

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._browser = AsyncServiceBrowser(
            self._zeroconf.zeroconf, SERVICE, handlers=[self._on_change]
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._browser.async_cancel()
            await self._zeroconf.async_close()  # says goodbye for what was announced
        finally:
            for task in self._resolving:
                task.cancel()
            await self._group.__aexit__(kind, error, trace)

    async def announce(
        self, instance: str, port: int, hosts: list[str], properties: dict[bytes, bytes]
    ) -> None:
        """Announce this in place of what was announced before; instance: a name that tells nothing."""
        try:
            await self.fall_silent()
            info = AsyncServiceInfo(
                SERVICE,
                f"{instance}.{SERVICE}",
                port=port,
                properties=properties,
                server=f"{instance}.local.",
                addresses=[ip_address(host).packed for host in hosts],
            )
            # Nobody else has that name: asking first would take a second.
            await self._zeroconf.async_register_service(info, cooperating_responders=True)
        except zeroconf.Error as error:
            raise OSError(str(error) or type(error).__name__) from error
        self._info = info

    async def fall_silent(self) -> None:
        """Take back what was announced."""
        info, self._info = self._info, None
        if info is not None:
            await self._zeroconf.async_unregister_service(info)

    def is_own(self, name: str) -> bool:
        """Say whether a service is what we announce."""
        return self._info is not None and name == self._info.name

    # --- inside

    def _on_change(
        self,
        zeroconf: Zeroconf,  # noqa: ARG002 - the library names its arguments
        service_type: str,  # noqa: ARG002
        name: str,
        state_change: ServiceStateChange,
    ) -> None:
        if self.is_own(name):
            return
        if state_change is ServiceStateChange.Removed:
            self._gone(name)
        elif len(self._resolving) < RESOLVED_AT_ONCE:
            task = self._group.create_task(self._resolve(name))
            self._resolving.add(task)
            task.add_done_callback(self._resolving.discard)

    async def _resolve(self, name: str) -> None:
        try:
            info = AsyncServiceInfo(SERVICE, name)
            is_whole = info.load_from_cache(self._zeroconf.zeroconf)
            if not is_whole and not await info.async_request(self._zeroconf.zeroconf, RESOLVE_MS):
                return
        except (zeroconf.Error, OSError):
            return  # a name that is none, or we are leaving
        self._heard(name, info.properties, info.parsed_scoped_addresses(), info.port)
