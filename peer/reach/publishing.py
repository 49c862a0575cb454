"""Telling friends, by the tracker, where this device can be dialled; anew whenever that is another place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from peer.errors import PeerError
from peer.identity import Profile
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire.identity import AddressRecord, Host, issue_addresses
from wire.ids import BootId
from wire.messages import reach
from wire.messages.session import Done


class Publishing:
    """What one node publishes. places: where it can be dialled now, best first."""

    def __init__(
        self,
        profile: Profile,
        database: Database,
        boot_id: BootId,
        places: Callable[[], tuple[Host, ...]],
    ) -> None:
        self._profile = profile
        self._database = database
        self._boot_id = boot_id
        self._places = places
        self._news = asyncio.Event()
        self.signed = b""  # our own record, as it was published last

    def look(self) -> None:
        """Take note that the places may be others."""
        self._news.set()

    async def keep(self, link: TrackerLink) -> None:
        """Publish on a link to the tracker, and again after each change, until cancelled or the link ends."""
        told: tuple[Host, ...] = ()
        with suppress(PeerError):  # the link is gone, or will say so by itself
            while True:
                self._news.clear()
                places = self._places()
                if places != told:
                    self.signed = await self._sign(places)
                    await link.ask(partial(reach.PutAddresses, signed=self.signed), Done)
                    told = places
                await self._news.wait()

    async def _sign(self, places: tuple[Host, ...]) -> bytes:
        keys = self._profile.keys
        counter = await self._database.write_patiently(own.next_counter, wall())
        record = AddressRecord(keys.device, self._boot_id, counter, places)
        return issue_addresses(keys.signing_seed, record)
