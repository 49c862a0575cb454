"""Telling friends, by the tracker, where this device can be dialled; anew whenever that, or who may know it, changes.

The tracker gets it sealed (`shown`): it passes on what only those open who were given the key.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial

from peer.effects import Effect
from peer.errors import PeerError
from peer.identity import Profile
from peer.reach import shown
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire.identity import AddressRecord, DeviceKeys, Host, issue_addresses, seal_places
from wire.ids import BootId, DeviceId
from wire.machine import Entropy
from wire.messages import reach
from wire.messages.session import Done

LOOK_S = 2.0
"""How often it is asked whether somebody knows our places who is to know them no more."""


class Publishing:
    """What one node publishes.

    places: where it can be dialled now, best first. linked: gives the devices with an open link. on_effects: called
    after each commit, when the key may be another one.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        boot_id: BootId,
        places: Callable[[], tuple[Host, ...]],
        *,
        linked: Callable[[], Collection[DeviceId]],
        on_effects: Callable[[list[Effect]], None],
        entropy: Entropy,
    ) -> None:
        self._keys = profile.keys
        self._database = database
        self._boot_id = boot_id
        self._places = places
        self._linked = linked
        self._on_effects = on_effects
        self._entropy = entropy
        self._news = asyncio.Event()
        self._has_told = (
            self._database.read(shown.own_key) is not None
        )  # in this run or a former one
        self.signed = b""  # our own record, as it was published last

    def look(self) -> None:
        """Take note that the places may be others."""
        self._news.set()

    async def keep(self, link: TrackerLink) -> None:
        """Publish on a link to the tracker, and again after each change, until cancelled or the link ends."""
        told: tuple[Host, ...] | None = None
        with suppress(PeerError):  # the link is gone, or will say so by itself
            while True:
                self._news.clear()
                places = self._places()
                if (places or self._has_told) and (
                    places != told or self._database.read(shown.is_stale)
                ):
                    self.signed, effects = await self._database.write_patiently(
                        _sign, self._keys, self._boot_id, places, self._linked(), self._entropy
                    )
                    self._on_effects(effects)
                    await link.ask(partial(reach.PutAddresses, signed=self.signed), Done)
                    told, self._has_told = places, True
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):
                        await self._news.wait()


def _sign(
    connection: sqlite3.Connection,
    keys: DeviceKeys,
    boot_id: BootId,
    places: tuple[Host, ...],
    linked: Collection[DeviceId],
    entropy: Entropy,
) -> tuple[bytes, list[Effect]]:
    """Make a record of our places, and give its key to who is linked; the others get it by mail."""
    key, effects = shown.need_key(connection, entropy)
    sealed = seal_places(places, key, keys.device, entropy)
    record = AddressRecord(keys.device, boot_id, own.next_counter(connection, wall()), (), sealed)
    effects += shown.to_linked(connection, linked, wall())
    return issue_addresses(keys.signing_seed, record), effects
