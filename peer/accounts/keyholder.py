"""The profile of this device while its node runs, and the key file it came from: one change at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from peer.errors import PeerError
from peer.identity import Profile, rewrite_key_file
from peer.locations import Locations
from peer.store import own
from peer.store.database import Database
from wire.machine import Entropy
from wire.state_key import state_key_hash


class KeyHolder:
    """What a node signs and seals with, as it is now.

    on_refused: hears of a key file that could not be written.
    """

    def __init__(
        self,
        locations: Locations,
        profile: Profile,
        database: Database,
        *,
        on_refused: Callable[[PeerError], None],
        entropy: Entropy,
    ) -> None:
        self.profile = profile
        self.turn = asyncio.Lock()  # one change of password, devices or account at a time
        self._locations = locations
        self._database = database
        self._on_refused = on_refused
        self._entropy = entropy

    async def rewrite(self, profile: Profile) -> None:
        """Write the key file anew; whoever has the turn. Raises PeerError."""
        await asyncio.to_thread(rewrite_key_file, self._locations, profile, self._entropy)

    async def take_state_key(self, state_key: bytes) -> bool:
        """Keep the state key that was renewed; False where the key file cannot be written, which takes it another time.

        Our own `device revoke` may have it on its way to the key file already: one writes that file after the other.
        """
        async with self.turn:
            named = self._database.read(own.own_list).state_key_hash
            if self.profile.state_key == state_key or state_key_hash(state_key) != named:
                return True
            self.profile = replace(self.profile, state_key=state_key)
            try:
                await self.rewrite(self.profile)
            except PeerError as error:
                self._on_refused(error)
                return False
        return True
