"""The account state between linked devices of the account: what changes on one shows on the other within a second.

The tracker carries it too (`state_exchange`), once a minute and sealed; here it goes from device to device, also while
no tracker is there. Both say the digest of what they have as a link opens, whole states follow only where these
differ, and then what changes. Merged per key, so it does not matter what came by which road.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256

from msgspec import Struct

from peer.accounts import account_state
from peer.effects import Effect
from peer.errors import PeerError
from peer.links import Links, PeerLink
from peer.store.database import Database
from wire import limits
from wire.account_state import Entry
from wire.ids import DeviceId
from wire.messages import Message
from wire.messages.accounts import StateEntries, StateEntry

Connection = sqlite3.Connection
Ranks = dict[str, tuple[int, bytes]]
PACE_S = 1.0  # between two looks
SHARE = 20  # of the time at most goes into looking: one part in so many
ROW_BYTES = 40  # at most, beside key and value


class Level(Struct):
    """What the device at the other end of one link has. ranks: by key; None while that is not known."""

    ranks: Ranks | None = None


def digest_of(entries: Mapping[str, Entry]) -> bytes:
    """Give 16 bytes that say which value stands under each key."""
    hashed = sha256(b"hobnob/v1/state-digest")
    for key in sorted(entries):
        entry, raw = entries[key], key.encode()
        hashed.update(len(raw).to_bytes(2, "big") + raw)
        hashed.update(entry.clock.to_bytes(8, "big") + entry.device)
    return hashed.digest()[:16]


def begin(connection: Connection) -> StateEntries:
    """Give what is said first on a link."""
    return StateEntries(digest_of(account_state.whole(connection)), ())


def take(connection: Connection, level: Level, came: StateEntries) -> list[Effect]:
    """Take what the other end says, and note what it has."""
    entries = [Entry(row.key, row.value, row.clock, row.device) for row in came.entries]
    effects = account_state.merge_some(connection, entries) if entries else []
    if level.ranks is None:
        mine = account_state.whole(connection)
        is_alike = digest_of(mine) == came.digest
        level.ranks = {key: entry.rank for key, entry in mine.items()} if is_alike else {}
    for entry in entries:
        level.ranks[entry.key] = max(entry.rank, level.ranks.get(entry.key, entry.rank))
    return effects


def news(entries: Mapping[str, Entry], level: Level) -> list[StateEntries]:
    """Give in pages what the other end does not have, and note that it has it from now on."""
    if level.ranks is None:
        return []
    lacking = [
        entry
        for key, entry in entries.items()
        if key not in level.ranks or level.ranks[key] < entry.rank
    ]
    level.ranks.update((entry.key, entry.rank) for entry in lacking)
    digest = digest_of(entries) if lacking else b""
    return [StateEntries(digest, tuple(page)) for page in _pages(lacking)]


def _pages(entries: Iterable[Entry]) -> list[list[StateEntry]]:
    pages: list[list[StateEntry]] = []
    size_bytes = limits.PAGE_BYTES
    for entry in entries:
        row_bytes = len(entry.key.encode()) + len(entry.value) + ROW_BYTES
        if size_bytes + row_bytes > limits.PAGE_BYTES:
            pages.append([])
            size_bytes = 0
        pages[-1].append(StateEntry(entry.key, entry.value, entry.clock, entry.device))
        size_bytes += row_bytes
    return pages


class StateLinks:
    """The links of one node with other devices of its account.

    links: all of the node. carry_out: called after each commit.
    """

    def __init__(
        self,
        database: Database,
        links: Links[PeerLink],
        carry_out: Callable[[list[Effect], PeerLink | None], None],
    ) -> None:
        self._database = database
        self._links = links
        self._carry_out = carry_out
        self._levels: dict[DeviceId, Level] = {}
        self._is_pressing = asyncio.Event()
        self._looked_at = -1  # commits that were looked at

    async def opened(self, device: DeviceId) -> None:
        """Begin with a device that is linked now."""
        self._levels[device] = Level()
        self._send(device, await self._database.write_patiently(begin))

    def closed(self, device: DeviceId) -> None:
        """Forget a device that is linked no more."""
        if self._links.of_device(device) is None:
            self._levels.pop(device, None)

    async def heard(self, device: DeviceId, came: StateEntries) -> None:
        """Take what a device said; who is not of this account has no level, and is not heard."""
        level = self._levels.get(device)
        if level is not None:
            self._carry_out(await self._database.write_patiently(take, level, came), None)
            self.press()

    def _send(self, device: DeviceId, message: Message) -> None:
        link = self._links.of_device(device)
        if link is not None:
            link.pump.send(message)

    def press(self) -> None:
        """Take note that something changed which is to be told at once."""
        self._is_pressing.set()

    async def keep(self) -> None:
        """Tell what changes, until cancelled."""
        clock = asyncio.get_running_loop().time
        pace_s = PACE_S
        while True:
            try:
                async with asyncio.timeout(pace_s):
                    await self._is_pressing.wait()
            except TimeoutError:
                if not self._levels or self._database.commits == self._looked_at:
                    continue
            self._is_pressing.clear()
            if not self._levels:
                continue
            began, before = clock(), self._database.commits
            try:
                entries = await self._database.write_patiently(account_state.whole)
            except PeerError:
                continue  # it closes
            for device, level in self._levels.items():
                for message in news(entries, level):
                    self._send(device, message)
            self._looked_at = before + 1  # our own, if nothing else was written meanwhile
            pace_s = max(PACE_S, SHARE * (clock() - began))
