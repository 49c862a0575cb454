"""The data links of one node: dialled when something is due, taken in, and watched; the bytes have threads.

What lives here: which transfer may run now, over which link, and what became of it. What does not: policy
(`transfers.manager`), the bytes (`transfers.bulk`), what may be asked and believed (`wire.transfer`). All
methods are called on the node's loop and none of them waits for a disk.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from peer import api
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.pump import Pump
from peer.roster import Target
from peer.store.database import Database
from peer.times import wall
from peer.transfers import ledger, manager
from peer.transfers.bulk import Bulk
from peer.transfers.incoming import Fails, Incoming, Landed, Report, Waits
from peer.transfers.ledger import Live
from peer.transfers.outgoing import Served
from peer.transfers.rate import Rate
from peer.transfers.shelf import Shelf
from peer.transfers.source import Reader
from peer.transfers.talk import DataTalk
from wire import limits
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import DeviceId, IdentityKey
from wire.link import Link, LinkClosed, LinkConfig, LinkEvent, LinkOpened, Role
from wire.machine import Entropy, UnixMillis
from wire.messages import Purpose
from wire.messages.session import Hello
from wire.messages.transfer import Verified
from wire.transfer import manifest
from wire.transfer.holding import Holding, OfferKey

log = logging.getLogger("peer")
RUNNING_AT_ONCE = 8
TELL_S = 0.25
NOTE_EVERY = 4  # of those: how often figures go to the database
LOOK_S = 1.0
DISK_RETRY_S = 15.0
REDIAL_S = (0.5, 20.0)
FIND_S = 10.0
STOP_S = 3.0


class Neighbours(Protocol):
    """What a node lends its data links."""

    def hello(self, identity: IdentityKey) -> Hello:
        """Give our first record to somebody."""

    def target(self, identity: IdentityKey, device: DeviceId) -> Target | None:
        """Give how a device is reached, or None where that is not known."""

    def places(self, target: Target) -> list[tuple[str, int]]:
        """Give the addresses of a device that are worth a dial, best first."""

    def is_linked(self, device: DeviceId) -> bool:
        """Say whether a control link to a device stands."""

    def ask_to_dial(self, device: DeviceId) -> None:
        """Ask a device over its control link to dial us a data link."""


@dataclass(slots=True, eq=False)
class _DataLink:
    """One open data link."""

    device: DeviceId
    identity: IdentityKey
    bulk: Bulk
    talk: DataTalk


@dataclass(slots=True)
class _Figures:
    """What is shown of one transfer. is_told: of its newest figures."""

    rate: Rate = field(default_factory=Rate)
    files_done: int = 0
    verified_bytes: int = 0
    resent_bytes: int = 0
    is_told: bool = True


class DataLinks:
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
        self._shelf = shelf
        self._neighbours = neighbours
        self._spawn = spawn
        self._carry_out = carry_out
        self._entropy = entropy
        self._loop = asyncio.get_running_loop()
        self._links: list[_DataLink] = []
        self._incoming: dict[int, Incoming] = {}
        self._figures: dict[int, _Figures] = {}
        self._served: dict[tuple[DeviceId, OfferKey], Served] = {}
        self._dialling: set[DeviceId] = set()
        self._redial: dict[DeviceId, tuple[float, float]] = {}  # (not before, wait after)
        self._not_before: dict[int, float] = {}  # transfers that wait for their disk
        self._wanted = asyncio.Event()
        self._is_closing = False

    # --- for the node

    async def run(self) -> None:
        """Look after transfers until cancelled."""
        await self._database.write(manager.restarted)
        standing = self._database.read(ledger.standing)
        await asyncio.to_thread(self._shelf.sweep, standing)
        self._spawn(self._keep_telling())
        while True:
            await self._look()
            self._wanted.clear()
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._wanted.wait()
            except TimeoutError:
                pass  # what waits for a disk or a dial may be due

    def wake(self) -> None:
        """Take note that something changed: an offer, a link, an answer."""
        self._wanted.set()

    def asked_to_dial(self, identity: IdentityKey, device: DeviceId) -> None:
        """Dial a device that could not dial us."""
        self._dial(identity, device, is_asked=True)

    def close_identity(self, identity: IdentityKey) -> None:
        """End the links with an account: it was removed or blocked."""
        for link in self._links:
            if link.identity == identity:
                link.bulk.close(Code.NOT_ADMITTED)
        self.wake()

    def live(self) -> dict[int, Live]:
        """Give what is known better than in the database, by the transfer's row."""
        return {
            number: Live(f.files_done, f.verified_bytes, f.resent_bytes, f.rate.per_s(), "direct")
            for number, f in self._figures.items()
        }

    async def close(self) -> None:
        """End everything in good order: what was written is synced and marked."""
        self._is_closing = True
        links, incoming = list(self._links), list(self._incoming.values())
        for link in links:
            link.bulk.close(Code.SHUTTING_DOWN)
        await asyncio.to_thread(_stop_all, links, incoming)
        for number, transfer in self._incoming.items():
            await self._note(
                number, transfer.files_done, transfer.verified_bytes, transfer.resent_bytes
            )
        for served in self._served.values():
            served.reader.close()

    # --- links

    def config(self) -> LinkConfig:
        """Give what a data link is that somebody dials to us."""
        return LinkConfig(
            purpose=Purpose.DATA,
            static_private=self._keys.link_private,
            responder=self._keys.identity,
            hands_over=True,
        )

    def take(self, pump: Pump, device: DeviceId, identity: IdentityKey) -> None:
        """Take a data link that opened: its socket goes to threads of its own."""
        found = pump.take_over()
        if found is None or self._is_closing:
            return
        made: list[_DataLink] = []

        def make_talk(bulk: Bulk) -> DataTalk:
            def find(key: OfferKey) -> Served | None:
                asked = asyncio.run_coroutine_threadsafe(
                    self._find(device, identity, key), self._loop
                )
                return asked.result(FIND_S)

            def on_progress(served: Served, said: Verified) -> None:
                self._loop.call_soon_threadsafe(self._on_progress, served.number, said)

            def on_end(code: Code, text: str) -> None:
                self._loop.call_soon_threadsafe(self._on_end, made[0], code, text)

            return DataTalk(bulk, find=find, on_progress=on_progress, on_end=on_end)

        bulk = Bulk(
            found.connection,
            found.sealer,
            found.opener,
            first=found.first,
            leftover=found.leftover,
            make_talk=make_talk,
        )
        assert isinstance(bulk.talk, DataTalk)
        link = _DataLink(device, identity, bulk, bulk.talk)
        made.append(link)
        self._links.append(link)
        bulk.start()
        self.wake()

    def _on_end(self, link: _DataLink, code: Code, text: str) -> None:
        if not self._is_closing:
            self._spawn(self._clear_away(link, code, text))

    async def _clear_away(self, link: _DataLink, code: Code, text: str) -> None:
        """Let go of a link that ended, and of what used it."""
        log.info("data link with %s ended: %s %s", link.device.hex()[:8], code.value, text)
        self._links.remove(link)
        await asyncio.to_thread(_let_go, link)
        if link.talk.incoming:
            self._back_off(link.device)
        self.wake()

    # --- dialling

    def _dial(self, identity: IdentityKey, device: DeviceId, *, is_asked: bool) -> None:
        not_before, _ = self._redial.get(device, (0.0, 0.0))
        if device in self._dialling or (not is_asked and self._loop.time() < not_before):
            return
        self._dialling.add(device)
        self._spawn(self._dial_all(identity, device, is_asked=is_asked))

    async def _dial_all(self, identity: IdentityKey, device: DeviceId, *, is_asked: bool) -> None:
        """Try the addresses of a device one after another; if none answers, ask it to dial us."""
        try:
            target = self._neighbours.target(identity, device)
            places = [] if target is None else self._neighbours.places(target)
            for place in places:
                if target is not None and await self._dial_one(target, place):
                    return
            self._back_off(device)
            if not is_asked:
                self._neighbours.ask_to_dial(device)
        finally:
            self._dialling.discard(device)

    async def _dial_one(self, target: Target, place: tuple[str, int]) -> bool:
        """Dial one address; True once the link stands."""
        outcome: asyncio.Future[bool] = self._loop.create_future()

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkOpened):
                self.take(pump, target.device, target.identity)
            if isinstance(event, LinkOpened | LinkClosed) and not outcome.done():
                outcome.set_result(isinstance(event, LinkOpened))

        config = LinkConfig(
            purpose=Purpose.DATA,
            static_private=self._keys.link_private,
            responder=target.identity,
            hello=self._neighbours.hello(target.identity),
            expected_static=target.link_key,
            expected_identity=target.identity,
            known_counter=target.known_counter,
            hands_over=True,
        )
        pump = Pump(
            lambda now: Link(Role.INITIATOR, config, now=now, entropy=self._entropy), on_event
        )
        try:
            async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                await self._loop.create_connection(lambda: pump, *place)
                return await outcome
        except (OSError, TimeoutError):
            pump.abort(Code.GOODBYE)
            return False

    def _back_off(self, device: DeviceId) -> None:
        first, most = REDIAL_S
        _, wait_s = self._redial.get(device, (0.0, first / 2))
        wait_s = min(wait_s * 2, most)
        self._redial[device] = (self._loop.time() + wait_s, wait_s)

    # --- what is due

    async def _look(self) -> None:
        """Begin what is due and can be, stop what is not wanted any more."""
        due = self._database.read(manager.due)
        wanted = {each.number for each in due}
        for number in [number for number in self._incoming if number not in wanted]:
            self._spawn(self._drop(self._incoming.pop(number)))
        self._withdraw_all()
        for each in due:
            await self._consider(each)

    async def _consider(self, due: manager.Incoming) -> None:
        transfer = self._incoming.get(due.number)
        if transfer is not None and transfer.is_attached:
            return
        if self._loop.time() < self._not_before.get(due.number, 0.0):
            return
        device = due.key.device
        link = next((link for link in self._links if link.device == device), None)
        if link is None:
            if not self._neighbours.is_linked(device):
                await self._wait(due.number, ledger.FRIEND)
            else:
                self._dial(due.identity, device, is_asked=False)
            return
        if transfer is None:
            if len(self._incoming) >= RUNNING_AT_ONCE:
                await self._wait(due.number, ledger.SLOT)
                return
            transfer = self._incoming[due.number] = Incoming(due, self._report)
            self._figures[due.number] = _Figures()
        self._carry_out(await self._database.write(manager.started, due.number, wall()))
        await asyncio.to_thread(link.talk.attach, transfer)

    async def _wait(self, number: int, reason: str) -> None:
        self._carry_out(await self._database.write(manager.waiting, number, reason, wall()))

    def _withdraw_all(self) -> None:
        """Serve no more what was withdrawn, answered or taken from a friend."""
        for link in self._links:
            for served in link.talk.served:
                key = served.holding.key
                if self._database.read(manager.outgoing, link.identity, key) is None:
                    link.talk.withdraw(key)
                    self._served.pop((link.device, key), None)
                    self._figures.pop(served.number, None)

    async def _drop(self, transfer: Incoming) -> None:
        """Stop a transfer that is over by somebody's word, and take its work folder away."""
        self._forget(transfer)
        try:
            await asyncio.to_thread(transfer.discard)
        except PeerError as error:
            log.warning("the work folder of %s stays: %s", transfer.due.title, error)

    # --- what became of transfers

    def _report(self, transfer: Incoming, report: Report) -> None:
        """Take a report in the thread it comes from."""
        self._loop.call_soon_threadsafe(lambda: self._spawn(self._on_report(transfer, report)))

    async def _on_report(self, transfer: Incoming, report: Report) -> None:
        number, now = transfer.due.number, wall()
        if self._incoming.get(number) is not transfer:
            return  # dropped in between
        self._forget(transfer)
        match report:
            case Landed(path=path, skipped=skipped):
                effects = await self._database.write(
                    _landed, self._keys, number, path, skipped, now, self._entropy
                )
                del self._incoming[number]
                self._carry_out(effects)
                await self._drop(transfer)
            case Waits(reason=reason):
                await asyncio.to_thread(transfer.close)
                self._not_before[number] = self._loop.time() + DISK_RETRY_S
                del self._incoming[number]
                await self._wait(number, reason)
            case Fails(code=code, detail=detail):
                await asyncio.to_thread(transfer.close)
                del self._incoming[number]
                self._carry_out(
                    await self._database.write(manager.failed, number, code, now, detail)
                )
        self.wake()

    def _forget(self, transfer: Incoming) -> None:
        self._figures.pop(transfer.due.number, None)
        for link in self._links:
            link.talk.release(transfer)

    # --- what is asked of us

    async def _find(self, device: DeviceId, identity: IdentityKey, key: OfferKey) -> Served | None:
        """Give what a device may fetch under a key, or None: it is not theirs, or we do not have it."""
        if key.device != self._keys.device:
            return None
        number = self._database.read(manager.outgoing, identity, key)
        if number is None:
            return None
        served = self._served.get((device, key))
        if served is None or served.number != number:
            kept = await asyncio.to_thread(self._shelf.load, key.offer)
            if kept is None:
                return None
            sizes = [entry.size for entry in manifest.decode(kept.manifest) if entry.is_file]
            holding = Holding(
                key, manifest=kept.manifest, sizes=sizes, signing_seed=self._keys.signing_seed
            )
            served = self._served[device, key] = Served(number, holding, Reader(kept.files))
            self._figures[number] = _Figures()
        self._carry_out(await self._database.write(manager.started, number, wall()))
        return served

    # --- figures

    def _on_progress(self, number: int, said: Verified) -> None:
        figures = self._figures.get(number)
        if figures is not None:
            figures.files_done = said.files_done
            figures.verified_bytes = said.verified_bytes
            figures.resent_bytes = said.resent_bytes
            figures.is_told = False

    async def _keep_telling(self) -> None:
        """Tell the faces how far transfers are, a few times a second while that changes."""
        beats = 0
        while True:
            await asyncio.sleep(TELL_S)
            beats += 1
            for number, transfer in self._incoming.items():
                figures = self._figures.get(number)
                if figures is not None and transfer.verified_bytes != figures.verified_bytes:
                    figures.files_done = transfer.files_done
                    figures.verified_bytes = transfer.verified_bytes
                    figures.resent_bytes = transfer.resent_bytes
                    figures.is_told = False
            for number, figures in list(self._figures.items()):
                figures.rate.note(self._loop.time(), figures.verified_bytes)
                if figures.is_told:
                    continue
                figures.is_told = True
                if beats % NOTE_EVERY == 0:
                    await self._note(
                        number, figures.files_done, figures.verified_bytes, figures.resent_bytes
                    )
                live = self.live().get(number)
                shown = self._database.read(ledger.shown_transfer, number, live)
                self._carry_out([Tell(api.Event("transfer", api.as_json(shown)))])

    async def _note(self, number: int, files: int, verified: int, resent: int) -> None:
        await self._database.write(
            manager.progressed,
            number,
            files_done=files,
            verified_bytes=verified,
            resent_bytes=resent,
        )


def _landed(
    connection: sqlite3.Connection,
    keys: DeviceKeys,
    number: int,
    path: Path,
    skipped: list[dict[str, str]],
    now: UnixMillis,
    entropy: Entropy,
) -> list[Effect]:
    """Note what landed, and what of it could not be had."""
    if skipped:
        ledger.note_missing(connection, number, skipped)
    return manager.finished(connection, keys, number, path, now, entropy)


def _let_go(link: _DataLink) -> None:
    """Wait for a link's threads and tell its transfers; in a thread."""
    for transfer in link.talk.incoming:
        transfer.detach()
    link.bulk.join(limits.SEND_STALL_S)
    link.bulk.dispose()


def _stop_all(links: list[_DataLink], incoming: list[Incoming]) -> None:
    """End links and transfers; in a thread."""
    for link in links:
        if not link.bulk.join(STOP_S):
            link.bulk.abort()
    for transfer in incoming:
        transfer.close()
    for link in links:
        link.bulk.join(STOP_S)
        link.bulk.dispose()
