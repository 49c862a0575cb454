"""The data links of one node: dialled when something is due, taken in, and watched; the bytes have threads.

What lives here: which transfer may run now, over which link, and what became of it. What does not: policy
(`transfers.manager`), the bytes (`transfers.bulk`), what may be asked and believed (`wire.transfer`). All
methods are called on the node's loop and none of them waits for a disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from peer.effects import Effect, NoteDenial
from peer.pump import Pump
from peer.reach.moved import Surroundings
from peer.reach.paths import PUNCHED
from peer.settings import bandwidth, preferences
from peer.store.database import Database
from peer.times import minute_of_day
from peer.transfers import ledger, manager
from peer.transfers.bulk import Bulk
from peer.transfers.datadialer import Neighbours, TransferDialer
from peer.transfers.fetching import HELD, Fetching
from peer.transfers.figures import Figures
from peer.transfers.incoming import Incoming
from peer.transfers.ledger import Live
from peer.transfers.offerings import OfferRow
from peer.transfers.openlinks import STOP_S, OpenLink, OpenLinks, let_go, stop_all
from peer.transfers.outcomes import Outcomes
from peer.transfers.outgoing import Served
from peer.transfers.pacing import Pacing
from peer.transfers.reports import Report
from peer.transfers.serving import Serving
from peer.transfers.shelf import Shelf
from peer.transfers.spares import Spares
from peer.transfers.talk import TransferTalk
from peer.transfers.tidying import Tidying
from peer.transfers.underway import UnderWay
from wire.codes import Code, code_of
from wire.identity import DeviceKeys
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey, OfferId
from wire.link import Role
from wire.machine import Entropy
from wire.messages.session import Hello
from wire.messages.transfer import Verified
from wire.transfer.holding import OfferKey

log = logging.getLogger("peer")
LOOK_S = 1.0
FIND_S = 10.0


class TransferLinks:
    """All data links of one node.

    shelf: what this device offers. spawn: makes a task that the node owns. carry_out: does effects after
    their commit.
    """

    def __init__(
        self,
        database: Database,
        keys: DeviceKeys,
        shelf: Shelf,
        neighbours: Neighbours,
        *,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        carry_out: Callable[[list[Effect]], None],
        entropy: Entropy,
    ) -> None:
        self._database = database
        self._keys = keys
        self._tidying = Tidying(database, shelf)
        self._neighbours = neighbours
        self._spawn = spawn
        self._carry_out = carry_out
        self._entropy = entropy
        self._loop = asyncio.get_running_loop()
        self._links = OpenLinks()
        self._coming = UnderWay()
        self._pacing = Pacing(neighbours.measure, minute_of_day)
        self._figures = Figures(database, self._coming.open, carry_out)
        self._outcomes = Outcomes(
            database,
            keys,
            self._coming,
            self._figures,
            carry_out=carry_out,
            release=self._release,
            tell_last=self._tell_last,
            on_closed=lambda transfer: self.wake(transfer.due.key.offer),
            entropy=entropy,
        )
        self._serving = Serving(database, keys, shelf, self._figures, carry_out, self._coming.lent)
        self._dialer = TransferDialer(
            keys, neighbours, take=self.take, spawn=spawn, entropy=entropy
        )
        self._fetching = Fetching(
            database,
            self._coming,
            self._links,
            neighbours,
            self._dialer,
            self._outcomes,
            records=shelf.taken,
            report=self._report,
            spawn=spawn,
            carry_out=carry_out,
        )
        self._spares = Spares(
            neighbours,
            self._links,
            dial=self._dialer.dial_ahead,
            is_wanted=lambda: database.read(preferences.held, "metered") != preferences.ON,
            now=self._loop.time,
        )
        self._changed: set[OfferId] = set()  # offers that may be over
        self._wanted = asyncio.Event()
        self._is_closing = False

    # --- for the node

    async def prepare(self) -> None:
        """Settle what the last node left; before anything is offered or asked for."""
        await self._database.write(manager.restarted)
        await self._tidying.begin()
        self.keep_pace()

    async def run(self) -> None:
        """Look after transfers until cancelled."""
        self._spawn(self._figures.keep_telling())
        self._spawn(self._pacing.run())
        self._spawn(self._tidying.tidy_folders())
        while True:
            self._wanted.clear()  # what changes while we look is looked at next
            await self._look()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # what waits for a disk or a dial may be due

    def keep_pace(self) -> None:
        """Let bytes go as fast as is set now."""
        self._pacing.set(
            self._database.read(bandwidth.of_all), self._database.read(bandwidth.of_friends)
        )

    def wake(self, offer: OfferId | None = None) -> None:
        """Take note that something changed: an offer, a link, an answer. offer: which one, if it is known."""
        if offer is not None:
            self._changed.add(offer)
        self._wanted.set()

    def linked(self, device: DeviceId) -> None:
        """Take note that a device is there: what it had paused may be asked for again."""
        self._coming.let_ask(device)
        self._spares.linked(device)
        self.wake()

    def dial_for(self, offered: OfferRow) -> bool:
        """Dial whoever offers what a person is about to take, see `Fetching.dial_for`."""
        return self._fetching.dial_for(offered.identity, offered.key.device)

    def asked_to_dial(self, identity: IdentityKey, device: DeviceId) -> None:
        """Dial a device that could not dial us, or that goes on with what it had paused."""
        self.linked(device)
        if self._links.of_device(device) is None:
            self._dialer.dial(identity, device, is_asked=True)

    def better_path(self, device: DeviceId) -> None:
        """Take note that a device can be dialled: what went through the relay goes on over a link of its own."""
        self._links.close_relayed(device)
        self._dialer.reached(device)
        self.wake()

    def cut_lost(self, surroundings: Surroundings) -> None:
        """End what uses an address that this machine has no more: it goes on over another one."""
        self._links.cut_lost(surroundings)

    async def doubt(self, device: DeviceId, wait_s: float) -> None:
        """Ask whether the far end of a device's links is still there; end those that bring nothing for so long."""
        self._links.ask(device)
        await asyncio.sleep(wait_s)
        self._links.cut_silent(device, wait_s)

    def stands(self, device: DeviceId) -> bool:
        """Say whether a link to a device stands now."""
        return self._links.of_device(device) is not None

    def close_identity(self, identity: IdentityKey, device: DeviceId | None = None) -> None:
        """End the links with an account, removed or blocked, or with one device of it."""
        self._links.close(identity, Code.NOT_ADMITTED, device)
        self.wake()

    def live(self) -> dict[int, Live]:
        """Give what is known better than in the database, by the transfer's row."""
        return self._figures.live()

    async def keep_figures(self) -> None:
        """Write down how far all transfers are, for a verb that is about to say so."""
        await self._figures.keep_all()

    async def close(self) -> None:
        """End everything in good order: what was written is synced and marked."""
        self._is_closing = True
        self._tidying.end()
        links, incoming = list(self._links.every), list(self._coming.open.values())
        for link in links:
            link.bulk.close(Code.SHUTTING_DOWN)
        await asyncio.to_thread(stop_all, links, incoming)
        with suppress(TimeoutError):  # a disk that refuses
            async with asyncio.timeout(STOP_S):
                await self._coming.all_closed()  # what was taken out is closed in tasks of its own
        await self._figures.keep_all()
        self._serving.close()

    # --- links

    def take(self, pump: Pump, device: DeviceId, identity: IdentityKey) -> None:
        """Take a data link that opened: its socket goes to threads of its own.

        Of two with one device one stays, as of talk's links. One too many is closed before it costs anything.
        """
        machine = pump.link
        remote = None if machine is None else machine.remote
        if machine is None or remote is None or not isinstance(remote.hello, Hello):
            return
        is_ours = machine.role is Role.INITIATOR
        code = self._links.refusal(device, is_ours=is_ours)
        if self._is_closing:
            code = Code.SHUTTING_DOWN
        if code is not None:
            pump.close(code)
            if is_ours:
                self._dialer.back_off(device)
            return
        boot_id = BootId(remote.hello.boot_id)
        found = pump.take_over()
        if found is None:
            return
        made: list[OpenLink] = []
        is_punched = pump.path == PUNCHED

        def make_talk(bulk: Bulk) -> TransferTalk:
            return TransferTalk(
                bulk,
                device,
                find=lambda key, before: self._find(device, identity, key, before),
                on_progress=lambda: self._do_soon(self._note_progress, made[0]),
                on_counting=self._on_counting,
                on_begin=lambda served: self._do_soon(self._serving.started, served, made[0].talk),
                on_stop=lambda served: self._do_soon(self._serving.stopped, served, made[0].talk),
                on_end=lambda code, text: self._soon(self._on_end, made[0], code, text),
                is_kept=lambda: is_punched and self._spares.keeps(device),
            )

        bulk = Bulk(
            found.connection,
            found.sealer,
            found.opener,
            first=found.first,
            leftover=found.leftover,
            make_talk=make_talk,
            paces=self._pacing.paces(identity),
            peer=device.hex()[:8],
        )
        assert isinstance(bulk.talk, TransferTalk)
        initiator = LinkKey(self._keys.link_key) if is_ours else remote.link_key
        link = OpenLink(
            device,
            identity,
            initiator,
            is_ours,
            boot_id,
            bulk,
            bulk.talk,
            pump.path,
        )
        made.append(link)
        self._links.add(link)
        self._pacing.opened(link)
        bulk.start()
        self.wake()

    def _find(
        self, device: DeviceId, identity: IdentityKey, key: OfferKey, before: Served | None
    ) -> Served | Code:
        """Give what somebody may fetch, or why not; what is ours in their link's thread, which no commit here holds up."""
        is_own = key.device == self._keys.device
        found = self._serving.find(identity, key, before) if is_own else None
        if isinstance(found, Served):
            self._do_soon(self._serving.found, found, device)
            return found
        asked = self._lend_or_deny(device, identity, key, found)
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result(FIND_S)

    async def _lend_or_deny(
        self, device: DeviceId, identity: IdentityKey, key: OfferKey, found: Code | None
    ) -> Served | Code:
        given = found or await self._serving.lend(identity, key)
        if found is None:
            self._fetching.is_asked_by(device, key)
        if not isinstance(given, Served):
            self._carry_out([NoteDenial.of(device, "a request for a file", given)])
        return given

    def _on_counting(self, transfer: Incoming) -> None:
        """Look again, from a thread, where what was held goes on."""
        if transfer.due.waits_for in HELD:
            self._soon(self.wake)

    async def _note_progress(self, link: OpenLink) -> None:
        for served, said in link.talk.take_progress():
            if said.waits:
                self._spawn(self._serving.stopped(served, link.talk, code_of(said.waits), said))
            else:
                self._serving.progressed(served, link.talk, said, link.path)
                self._spawn(self._serving.note_lost(served))

    def _on_end(self, link: OpenLink, code: Code, text: str) -> None:
        if not self._is_closing:
            self._spawn(self._clear_away(link, code, text))

    async def _clear_away(self, link: OpenLink, code: Code, text: str) -> None:
        """Let go of a link that ended, and of what used it."""
        log.info("data link with %s ended: %s %s", link.device.hex()[:8], code.value, text)
        self._links.ended(link)
        self._pacing.ended(link)
        await asyncio.to_thread(let_go, link)
        self._links.remove(link)
        if link.bulk.has_brought:
            self._dialer.reached(link.device)
        if link.talk.incoming:
            self._dialer.back_off(link.device)
        await self._serving.left(link.talk)
        self.wake()

    # --- what is due

    async def _look(self) -> None:
        """Begin what is due and can be, stop what is not wanted any more."""
        due = self._database.read(manager.due)
        self._stop_unwanted(due)
        for each in due:
            if self._coming.may_begin(each.number, self._loop.time()):
                await self._fetching.consider(each)
        self._spares.look()
        changed, self._changed = self._changed, self._changed & self._serving.taken
        if changed := changed - self._changed:
            self._spawn(self._tidying.tidy(changed, self._coming.busy))

    def _stop_unwanted(self, due: list[manager.Incoming]) -> None:
        """Stop what is not to be fetched or served any more."""
        wanted = {each.number for each in due}
        for number, said in self._coming.told_but(wanted).items():
            if self._database.read(ledger.is_paused, number):
                self._tell_last(replace(said, waits=Code.PAUSED.value))
        self._coming.forget_all_but(wanted)
        for number in [number for number in self._coming.open if number not in wanted]:
            if self._database.read(ledger.is_paused, number):
                self._coming.open[number].waits_for = Code.PAUSED.value
            self._spawn(self._outcomes.end(self._outcomes.take_out(number)))
        for link in self._links.every:
            self._serving.withdraw(link.identity, link.talk)

    # --- what became of transfers

    def _report(self, transfer: Incoming, report: Report) -> None:
        """Take a report in the thread it comes from."""
        self._do_soon(self._outcomes.on_report, transfer, report)

    def _release(self, transfer: Incoming) -> None:
        for link in self._links.every:
            link.talk.release(transfer)

    def _tell_last(self, progress: Verified) -> None:
        for link in self._links.every:
            link.talk.tell_last(progress)

    def _do_soon(self, work: Callable[..., Coroutine[Any, Any, None]], *arguments: object) -> None:
        """Have a task do something on the loop, from a thread; tasks begin in the order in which threads tell."""
        self._soon(lambda: self._spawn(work(*arguments)))

    def _soon(self, call: Callable[..., object], *arguments: object) -> None:
        """Call something on the loop, from a thread; one that outlives the loop has nobody to tell."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call, *arguments)
