"""A node's side of its local network: when it takes part, what it says of itself, whom it looks for.

How it is done is `lan`'s. What lives here is what that has to know of a node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

from peer.identity import Profile
from peer.listener import parse_listen
from peer.reach import outward, shown
from peer.reach.lan import Lan
from peer.reach.nearby import Place
from peer.reach.whereabouts import Whereabouts
from peer.settings import preferences
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from wire import limits
from wire.identity import AddressRecord, Host, issue_addresses
from wire.ids import BootId, IdentityKey, LinkKey
from wire.machine import Entropy


class Neighbourhood:
    """What one node has near.

    where: what is listened on. is_full: it listens and stays. is_wanted: what the person said for this run, None: as
    it is set.

    addresses: our own signed record of where others near can dial us; empty while nobody is.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        where: Whereabouts,
        *,
        is_full: bool,
        is_wanted: bool | None,
        entropy: Entropy,
    ) -> None:
        self._profile = profile
        self._database = database
        self._where = where
        self._said = is_wanted
        self._is_needed = not is_full and profile.tracker is None
        self.addresses = b""
        self.lan = Lan(
            profile.keys,
            profile.name,
            listening=self._places,
            why_not=self._why_not,
            why_silent=self._why_silent,
            stays_on=outward.stays_on,
            entropy=entropy,
        )

    def begin(
        self,
        boot_id: BootId,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        on_news: Callable[[], None],
    ) -> None:
        """Tell from now on when a device is said to be somewhere new. spawn: makes a task that the node owns."""

        def heard_news() -> None:
            if not self.addresses:
                spawn(self._sign(boot_id))
            on_news()

        self.lan.on_news = heard_news

    async def find(self, identity: IdentityKey, most_s: float) -> list[tuple[Place, LinkKey]]:
        """Give where an account's devices are near that take requests; waits for one to be heard of."""
        self._is_needed = True
        self.lan.look()
        found: list[tuple[Place, LinkKey]] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                while not (found := self.lan.nearby.opened(identity, wall())):
                    await self.lan.next_heard()
        return found

    # --- inside

    def _places(self) -> list[Place]:
        return [parse_listen(place) for place in self._where.listening]

    def _why_not(self) -> str:
        """Say why friends are not looked for near; only who can be dialled, or has no other way, does that."""
        is_set = self._said
        if is_set is None:
            is_set = self._database.read(preferences.held, "lan") == preferences.ON
        if not is_set:
            return "it is switched off"
        if outward.is_proxied():
            return "connections go through a proxy, which they would pass by"
        can_be_dialled = any(not ip_address(host).is_loopback for host, _ in self._places())
        return "" if can_be_dialled or self._is_needed else "nothing listens there"

    def _why_silent(self) -> str:
        """Say why friends near hear nothing of us: the mark is one for all of them, and some are not to find us by it."""
        if not self._database.read(shown.hides_from_somebody):
            return ""
        return "relay-only keeps this machine's address from a friend, who might be near"

    async def _sign(self, boot_id: BootId) -> None:
        """Sign where we can be dialled near, for friends whom no tracker tells."""
        places = self.lan.places()
        if not places:
            return
        counter = await self._database.write_patiently(own.next_counter, wall())
        hosts = tuple(Host(host, port) for host, port in places[: limits.ADDRESSES])
        record = AddressRecord(self._profile.keys.device, boot_id, counter, hosts)
        self.addresses = issue_addresses(self._profile.keys.signing_seed, record)
