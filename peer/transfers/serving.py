"""What this device gives to whom: own offers that friends fetch, one `Served` for each device and offer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from peer.effects import Effect
from peer.store.database import Database
from peer.times import wall
from peer.transfers import ledger, manager
from peer.transfers.digestlog import DigestLog
from peer.transfers.figures import Figures
from peer.transfers.outgoing import Served
from peer.transfers.shelf import Shelf, Shelved
from peer.transfers.source import Reader
from peer.transfers.talk import TransferTalk
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import ChunkDigest, DeviceId, IdentityKey, OfferId
from wire.transfer.holding import Holding, OfferKey


class Serving:
    """The offers that are being fetched from here. shelf: where they are kept. carry_out: does effects."""

    def __init__(
        self,
        database: Database,
        keys: DeviceKeys,
        shelf: Shelf,
        figures: Figures,
        carry_out: Callable[[list[Effect]], None],
    ) -> None:
        self._database = database
        self._keys = keys
        self._shelf = shelf
        self._figures = figures
        self._carry_out = carry_out
        self._logs: dict[OfferId, DigestLog] = {}
        self._served: dict[tuple[DeviceId, OfferKey], Served] = {}
        self._dropped: list[tuple[DeviceId, Served]] = []  # a thread may still read their files

    async def find(self, device: DeviceId, identity: IdentityKey, key: OfferKey) -> Served | Code:
        """Give what a device may fetch under a key, or why not.

        UNKNOWN_OFFER: it is not theirs, or we do not have it. PAUSED: a person holds it here.
        """
        if key.device != self._keys.device:
            return Code.UNKNOWN_OFFER
        number = self._database.read(manager.outgoing, identity, key)
        if number is None:
            return Code.UNKNOWN_OFFER
        if self._database.read(ledger.is_paused, number):
            return Code.PAUSED
        served = self._served.get((device, key))
        if served is None or served.number != number:
            log = self._logs.setdefault(key.offer, self._shelf.digests(key.offer))
            kept, known = await asyncio.to_thread(_load, self._shelf, key.offer, log)
            if kept is None:
                return Code.UNKNOWN_OFFER
            holding = Holding(
                key,
                manifest=kept.manifest,
                sizes=kept.sizes,
                signing_seed=self._keys.signing_seed,
            )
            await asyncio.to_thread(holding.restore, known)
            served = self._served[device, key] = Served(number, holding, Reader(kept.files), log)
        self._figures.begin(number)
        return served

    async def started(self, served: Served) -> None:
        """Note that an offer is being fetched; whoever fetches it need not wait for the commit."""
        change = self._database.write_patiently(manager.started, served.number, wall())
        self._carry_out(await change)

    def withdraw(self, device: DeviceId, identity: IdentityKey, talk: TransferTalk) -> None:
        """Serve no more on a link what was withdrawn, answered, held or taken from a friend."""
        for served in talk.served:
            key = served.holding.key
            number = self._database.read(manager.outgoing, identity, key)
            if number is None:
                talk.withdraw(key, Code.UNKNOWN_OFFER)
            elif self._database.read(ledger.is_paused, number):
                talk.withdraw(key, Code.PAUSED)
            else:
                continue
            self._forget(device, served)
            self._dropped.append((device, served))

    async def stopped(self, served: Served) -> None:
        """Note that a friend wants nothing more of an offer for now: they hold it, or their disk does."""
        self._figures.end(served.number)
        change = self._database.write_patiently(
            manager.waiting, served.number, ledger.FRIEND, wall()
        )
        self._carry_out(await change)

    async def left(self, device: DeviceId, talk: TransferTalk) -> None:
        """Note of what was served on a link that nobody fetches it now; a link ended, its threads too.

        What the friend was told cannot be had, in all its files, has failed: nothing will bring it back.
        """
        for dropped in [dropped for dropped in self._dropped if dropped[0] == device]:
            self._dropped.remove(dropped)
            dropped[1].reader.close()
        for served in talk.served:
            served.reader.close()
            await asyncio.to_thread(served.digests.close)
            self._figures.end(served.number)
            failed = list(served.holding.failed.values())
            if failed and len(failed) == len(served.holding.sizes):
                self._forget(device, served)
                change = self._database.write_patiently(
                    manager.failed, served.number, failed[0], wall()
                )
            else:
                change = self._database.write_patiently(
                    manager.waiting, served.number, ledger.FRIEND, wall()
                )
            self._carry_out(await change)

    def close(self) -> None:
        """Let go of all files."""
        for served in [*self._served.values(), *(served for _, served in self._dropped)]:
            served.reader.close()
        for log in self._logs.values():
            log.close()

    def _forget(self, device: DeviceId, served: Served) -> None:
        self._served.pop((device, served.holding.key), None)
        self._figures.end(served.number)


def _load(
    shelf: Shelf, offer: OfferId, log: DigestLog
) -> tuple[Shelved | None, list[tuple[int, int, ChunkDigest]]]:
    """Give an offer as it was kept, and what is known of its digests; in a thread."""
    log.flush()
    return shelf.load(offer), list(log.load())
