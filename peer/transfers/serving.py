"""What this device gives to whom: own offers that friends fetch, one `Served` for each link and offer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from peer.effects import Effect
from peer.store.database import Database
from peer.times import wall
from peer.transfers import ledger, manager, sharing
from peer.transfers.digestlog import DigestLog
from peer.transfers.figures import Counted, Figures
from peer.transfers.lent import Lent, LentReader, recall
from peer.transfers.outgoing import Served
from peer.transfers.shelf import Shelf
from peer.transfers.source import Reader
from peer.transfers.taken import TakenRecord
from peer.transfers.talk import TransferTalk
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import DeviceId, IdentityKey, OfferId
from wire.transfer import manifest
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.states import ENDED


class _Taker(Struct):
    """A machine that takes an offer. files: in it. talk: of its link. said: how far it is, once it said so."""

    offer: OfferId
    files: int
    talk: TransferTalk
    said: Counted | None = None

    @property
    def has_all(self) -> bool:
        """Whether it said so."""
        return self.said is not None and self.said.files_done >= self.files


class Serving:
    """The offers that are being fetched from here, or lent; on the node's loop but for `find`.

    shelf: where they are kept. carry_out: does effects. under_way: gives what a transfer that comes lends now, if it is open.
    """

    def __init__(
        self,
        database: Database,
        keys: DeviceKeys,
        shelf: Shelf,
        figures: Figures,
        carry_out: Callable[[list[Effect]], None],
        under_way: Callable[[OfferKey], Lent | None] = lambda _: None,
    ) -> None:
        self._database = database
        self._keys = keys
        self._shelf = shelf
        self._figures = figures
        self._carry_out = carry_out
        self._under_way = under_way
        self._lent: dict[OfferKey, Lent] = {}  # that somebody asked for
        self._logs: dict[OfferId, DigestLog] = {}
        self._held: dict[int, str] = {}  # why friends ask for no more, by the transfer's row
        self._takers: dict[
            int, dict[DeviceId, _Taker]
        ] = {}  # by its row: a friend may have several

    @property
    def taken(self) -> set[OfferId]:
        """The own offers that are being fetched from here now."""
        takers = [each for takers in self._takers.values() for each in takers.values()]
        return {each.offer for each in takers if not each.has_all}

    def find(
        self, identity: IdentityKey, key: OfferKey, before: Served | None = None
    ) -> Served | Code:
        """Give what somebody may fetch of an offer of ours, or why not; for a link's thread, which waits for the disk.

        before: what this link was given of it. UNKNOWN_OFFER: it is not theirs, or we do not have it. PAUSED: a person
        holds it here. What was found is to be `found`.
        """
        number = self._database.read(manager.outgoing, identity, key)
        if number is None:
            return Code.UNKNOWN_OFFER
        if self._database.read(ledger.is_paused, number):
            return Code.PAUSED
        if before is not None:
            is_same = before.number == number  # else it failed, and was accepted anew
            return before if is_same else replace(before, number=number)
        log = self._logs.setdefault(key.offer, self._shelf.digests(key.offer))
        kept = self._shelf.load(key.offer)
        if kept is None:
            return Code.UNKNOWN_OFFER
        holding = Holding(
            key,
            manifest=kept.manifest,
            sizes=kept.sizes,
            signing_seed=self._keys.signing_seed,
        )
        holding.restore(log.load())
        return Served(number, holding, Reader(kept.files), log)

    async def found(self, served: Served, device: DeviceId) -> None:
        """Take note of what was found for a machine: it is measured from now on.

        Where another machine of the friend takes it, that is no new beginning.
        """
        if not self._takers.get(served.number, {}).keys() - {device}:
            self._figures.begin(served.number)

    async def lend(self, identity: IdentityKey, key: OfferKey) -> Served | Code:
        """Give what somebody may be lent of an offer that was taken here, or why not."""
        taken = self._database.read(sharing.lendable, identity, key)
        if taken is None:
            return Code.UNKNOWN_OFFER
        lent = self._under_way(key) or self._lent.get(key)
        if lent is None and taken.landed is not None:
            record = TakenRecord(self._shelf.taken, key)
            lent = await asyncio.to_thread(recall, record, key, taken)
        if lent is None:
            return Code.UNKNOWN_OFFER
        self._lent[key] = lent
        return Served(taken.number, lent.holding(), LentReader(lent), None)

    async def started(self, served: Served, talk: TransferTalk) -> None:
        """Note that an offer is being fetched on a link; whoever fetches it need not wait for the commit."""
        if served.is_lent:
            return
        holding = served.holding
        taker = _Taker(holding.key.offer, len(holding.sizes), talk)
        self._takers.setdefault(served.number, {})[talk.device] = taker
        self._held.pop(served.number, None)
        change = self._database.write_here_patiently(manager.started, served.number, wall())
        self._carry_out(await change)

    def progressed(
        self, served: Served, talk: TransferTalk, said: Counted, path: str | None
    ) -> None:
        """Take note of how far an offer is on a link; of several that take it the furthest is shown.

        path: the link's.
        """
        takers = self._takers.get(served.number, {})
        if talk.device in takers:
            takers[talk.device].said = said
        known = [each.said for each in takers.values() if each.said is not None]
        if known and max(known, key=lambda each: each.verified_bytes) is not said:
            return
        self._figures.note(served.number, said, path)

    async def note_lost(self, served: Served) -> None:
        """Note which files the friend was told cannot be had; those of an offer are told once."""
        if not served.holding.refused or served.is_lent:
            return
        lost, size = await asyncio.to_thread(_lost, served.holding)
        change = self._database.write_patiently(ledger.note_lost, served.number, lost, size)
        self._carry_out(await change)

    def withdraw(self, identity: IdentityKey, talk: TransferTalk) -> None:
        """Serve no more on a link what was withdrawn, answered, held or taken from a friend.

        What is done or failed may be asked for again, and has no pace until it is.
        """
        for served in talk.served:
            key = served.holding.key
            if served.is_lent:
                if self._database.read(sharing.lendable, identity, key) is None:
                    talk.withdraw(key, Code.UNKNOWN_OFFER)
                    self._lent.pop(key, None)
                continue
            number = self._database.read(manager.outgoing, identity, key)
            if number is None:
                talk.withdraw(key, Code.UNKNOWN_OFFER)
                self._takes_no_more(served, talk)
            elif self._database.read(ledger.is_paused, number):
                talk.withdraw(key, Code.PAUSED)
                self._takes_no_more(served, talk)
            elif self._database.read(ledger.state_of, number) in ENDED:
                talk.let_go(key)
            else:
                continue
            self._figures.rest(served.number)

    async def stopped(
        self,
        served: Served,
        talk: TransferTalk,
        why: Code | None = None,
        said: Counted | None = None,
    ) -> None:
        """Note that nothing more of an offer is wanted on a link for now; why: what holds it there, if they said so.

        said: how far it is there; nothing verified means that they could not even look.
        """
        if served.is_lent or self._takes_no_more(served, talk):
            return
        self._figures.rest(served.number)
        if why is not None:
            self._held[served.number] = ledger.HELD_THERE.get(why, ledger.FRIEND)
        if said is not None and said.verified_bytes:
            self._figures.note(served.number, said)
        await self._figures.keep_newest(served.number)
        await self._waits(served.number)

    def _takes_no_more(self, served: Served, talk: TransferTalk) -> bool:
        """Take note that an offer is not taken on a link now; True if it still is on another."""
        takers = self._takers.get(served.number, {})
        taker = takers.get(talk.device)
        if taker is not None and taker.talk is talk:  # else a link that followed this one takes it
            del takers[talk.device]
        if not takers:
            self._takers.pop(served.number, None)
        return bool(takers)

    async def _waits(self, number: int) -> None:
        reason = self._held.get(number, ledger.FRIEND)
        change = self._database.write_patiently(manager.waiting, number, reason, wall())
        self._carry_out(await change)

    async def left(self, talk: TransferTalk) -> None:
        """Note of what was served on a link that nobody fetches it there; it ended, its threads too.

        What the friend was told cannot be had, in all its files, has failed: nothing will bring it back.
        """
        for served in talk.ever_served:
            served.reader.close()
            if served.digests is None:
                continue
            is_taken = self._takes_no_more(served, talk)
            await asyncio.to_thread(served.digests.close)
            if not is_taken:
                await self._figures.end(served.number)
            await self.note_lost(served)
            failed = list(served.holding.failed.values())
            if failed and len(failed) == len(served.holding.sizes):
                change = self._database.write_patiently(
                    manager.failed, served.number, failed[0], wall()
                )
                self._carry_out(await change)
            elif not is_taken:
                await self._waits(served.number)

    def close(self) -> None:
        """Write down what waits to be; the files go with the links."""
        for log in self._logs.values():
            log.close()


def _lost(holding: Holding) -> tuple[list[dict[str, str]], int]:
    """List the files that cannot be had, with the reason, and add up their bytes; in a thread."""
    refused = dict(holding.refused)
    files = [entry for entry in manifest.decode(holding.manifest) if entry.is_file]
    lost = [{"path": files[file].path, "reason": code.value} for file, code in refused.items()]
    return lost, sum(files[file].size for file in refused)
