"""Which transfers that come may run now, and over which links each asks: the offering device's, and those of others who may have it.

Policy on the node's loop: the links are `peer.transfers.datalinks`', the bytes `transfers.bulk`'s. Nothing here waits for a disk.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from peer.effects import Effect
from peer.store.database import Database
from peer.times import wall
from peer.transfers import ledger, manager, sharing
from peer.transfers.datadialer import Neighbours, TransferDialer
from peer.transfers.incoming import Incoming
from peer.transfers.openlinks import OpenLink, OpenLinks
from peer.transfers.outcomes import Outcomes
from peer.transfers.reports import Report
from peer.transfers.underway import UnderWay
from wire import limits
from wire.ids import DeviceId, IdentityKey
from wire.transfer.holding import OfferKey

PARK_AFTER_S = 20.0  # without a link, although the friend is there
QUIET_S = 5.0  # nothing comes, and nothing more is asked of anybody: it waits for a source
HELD = frozenset({ledger.SPACE, ledger.FOLDER, ledger.PAUSED})
"""What a transfer is tried again for without a word of its end: it runs when it turns out to be over."""
ASK_AGAIN_S = (2.0, 300.0)  # somebody who might have it, and had not


class Fetching:
    """The queue of one node. records: the folder of what may be lent. report: takes what transfers tell."""

    def __init__(
        self,
        database: Database,
        coming: UnderWay,
        links: OpenLinks,
        neighbours: Neighbours,
        dialer: TransferDialer,
        outcomes: Outcomes,
        *,
        records: Path,
        report: Callable[[Incoming, Report], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        carry_out: Callable[[list[Effect]], None],
    ) -> None:
        self._database = database
        self._coming = coming
        self._links = links
        self._neighbours = neighbours
        self._dialer = dialer
        self._outcomes = outcomes
        self._records = records
        self._report = report
        self._spawn = spawn
        self._carry_out = carry_out
        self._loop = asyncio.get_running_loop()
        self._attaching: set[tuple[int, DeviceId]] = set()
        self._not_before: dict[tuple[DeviceId, OfferKey], tuple[float, float]] = {}

    def is_asked_by(self, device: DeviceId, key: OfferKey) -> None:
        """Take note that another takes the same offer: it may have something of it soon."""
        self._not_before.pop((device, key), None)

    def dial_for(self, identity: IdentityKey, device: DeviceId) -> bool:
        """Dial a device whose offer is about to be taken, while that is looked at and committed; False if none need be.

        Nothing is asked there before the commit, and a link that nobody needs after all ends by itself.
        """
        is_needed = self._links.of_device(device) is None and self._is_there(device)
        if is_needed:
            self._dial(identity, device)
        return is_needed

    async def consider(self, due: manager.Incoming) -> None:
        """See that a transfer asks whom it can, and say what it waits for if that is nobody."""
        transfer = self._coming.open.get(due.number)
        device = due.key.device
        link = self._links.of_device(device)
        asks = transfer is not None and transfer.asks(device)
        if link is not None and not asks:
            await self._begin(due, link)
        has_others = due.share is not None and await self._consider_others(due, due.share)
        if link is not None:
            if transfer is not None and transfer.is_counting and asks and due.waits_for in HELD:
                await self._note_started(due.number)
            return
        transfer = self._coming.open.get(due.number)
        is_quiet = transfer is None or (
            not transfer.is_busy and time.monotonic() - transfer.asking.brought_at > QUIET_S
        )
        if not has_others:
            await self._seek(due)
            return
        if self._is_there(device):
            self._dial(due.identity, device)
        if is_quiet:
            await self._wait(due, ledger.SOURCE_OFFLINE)
        elif due.waits_for is not None:
            await self._note_started(due.number)

    async def _consider_others(self, due: manager.Incoming, share: sharing.Share) -> bool:
        """Ask others who may have it over their links, or dial them; True if any is asked."""
        has_others = False
        for device, identity in self._database.read(sharing.sources, share, due.key):
            transfer = self._coming.open.get(due.number)
            if transfer is not None and transfer.asks(device):
                has_others = True
                self._not_before.pop((device, due.key), None)
                continue
            at, wait_s = self._not_before.get((device, due.key), (0.0, ASK_AGAIN_S[0] / 2))
            if self._loop.time() < at or (transfer is not None and not transfer.may_ask(device)):
                continue
            link = self._links.of_device(device)
            if link is not None:
                wait_s = min(2 * wait_s, ASK_AGAIN_S[1])
                self._not_before[device, due.key] = self._loop.time() + wait_s, wait_s
                has_others = await self._begin(due, link) or has_others
            elif self._is_there(device):
                self._dial(identity, device)
        return has_others

    async def _begin(self, due: manager.Incoming, link: OpenLink) -> bool:
        """Let a transfer ask over a link, if there is a slot for it."""
        transfer, is_plain = self._coming.open.get(due.number), False
        if (due.number, link.device) in self._attaching:
            return True
        if transfer is None:
            if due.waits_for == ledger.SPACE:
                await self._park_one()  # what is promised to whoever is away is of use to others
            if len(self._coming.open) >= limits.TRANSFERS_AT_ONCE and not await self._park_one():
                await self._wait(due, ledger.SLOT)
                return False
            transfer = Incoming(due, self._report, records=self._records)
            self._coming.open[due.number] = transfer
            is_plain = due.share is None
        if is_plain:  # it asks for its list of files, and no disk has part in that
            link.talk.attach(transfer, link.path)
        else:
            self._attaching.add((due.number, link.device))
            self._spawn(self._attach(link, transfer))
        if link.device == due.key.device and due.waits_for not in HELD:
            self._spawn(self._note_started(due.number))
        return True

    async def _attach(self, link: OpenLink, transfer: Incoming) -> None:
        """Let a transfer ask over a link; a disk of its own that hangs holds no other."""
        try:
            await asyncio.to_thread(link.talk.attach, transfer, link.path)
        finally:
            self._attaching.discard((transfer.due.number, link.device))

    async def _seek(self, due: manager.Incoming) -> None:
        """Dial whoever has it, and say what it waits for until there is a link."""
        device = due.key.device
        if not self._is_there(device):
            await self._wait(due, ledger.FRIEND)
        elif self._links.is_full:
            await self._wait(due, ledger.SLOT)
        else:
            if self._dialer.needs_tracker(device):
                await self._wait(due, ledger.TRACKER)
            elif due.waits_for is None or self._dialer.has_failed(device):
                await self._wait(due, ledger.SOURCE)
            self._dialer.dial(due.identity, device)

    def _dial(self, identity: IdentityKey, device: DeviceId) -> None:
        if not self._links.is_full:
            self._dialer.dial(identity, device)

    def _is_there(self, device: DeviceId) -> bool:
        return self._neighbours.path(device) is not None

    async def _wait(self, due: manager.Incoming, reason: str) -> None:
        """Note what a transfer waits for, if that is news."""
        if due.waits_for != reason:
            await self._outcomes.wait(due.number, reason)

    async def _note_started(self, number: int) -> None:
        change = self._database.write_here_patiently(manager.started, number, wall())
        self._carry_out(await change)

    async def _park_one(self) -> bool:
        """Let go of a transfer that holds a slot, and space, and cannot use it; it goes on when its turn comes again."""
        since = time.monotonic() - PARK_AFTER_S
        for number, transfer in self._coming.open.items():
            device = transfer.due.key.device
            if transfer.asking or self._links.of_device(device) is not None:
                continue
            if self._is_there(device) and transfer.asking.empty_since > since:
                continue
            self._outcomes.take_out(number)
            await self._outcomes.wait(number, ledger.FRIEND)
            await self._outcomes.end(transfer)
            return True
        return False
