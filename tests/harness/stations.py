"""The data links of people of the simulated world, over real loopback sockets: a node without its talk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from peer.effects import Effect
from peer.people.roster import Target
from peer.pump import Pump
from peer.reach.calling import answering
from peer.reach.candidates import Candidate
from peer.settings import preferences
from peer.settings.preferences import KEYS
from peer.store.devices import known_counter
from peer.transfers import manager
from peer.transfers.datalinks import TransferLinks
from peer.transfers.shelf import Shelf
from peer.transfers.survey import survey
from tests.harness.offers import accept, bring, offer, transfers
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.ids import BootId, DeviceId, IdentityKey, OfferId
from wire.link import Link, LinkClosed, LinkConfig, LinkEvent, LinkIdentified, LinkOpened, Role
from wire.messages import Purpose
from wire.messages.session import Hello
from wire.transfer import manifest

PATIENCE_S = 90.0


class Rows:
    """The node's database over the one in memory: what is awaited is durable at once."""

    def __init__(self, one: SimPeer) -> None:
        self._database = one.database
        self.held: Callable[..., Any] | None = None  # what is never committed: the disk refuses
        self.gate: tuple[Callable[..., Any], asyncio.Event] | None = None  # what waits for that
        self.is_at_gate = asyncio.Event()

    def read(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        return self._database.read(fn, *arguments, **named)

    async def write(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        value = self._database.write(fn, *arguments, **named)
        self._database.commit()
        return value

    async def write_patiently(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if fn is self.held:
            await asyncio.Event().wait()
        if self.gate is not None and fn is self.gate[0]:
            self.is_at_gate.set()
            await self.gate[1].wait()
        return await self.write(fn, *arguments, **named)

    write_here_patiently = write_patiently


class Station:
    """One person's data links. folder: of its own; is_up: whether whoever dials it is answered."""

    def __init__(self, one: SimPeer, folder: Path, group: asyncio.TaskGroup) -> None:
        self.one = one
        self.folder = folder
        self.shelf = Shelf(folder / "offers")
        self.downloads = folder / "downloads"
        self.downloads.mkdir(parents=True)
        self.stations: dict[DeviceId, Station] = {}
        self.is_up = True
        self.port = 0
        self.trip: tuple[float, bool] | None = None  # of talk, as it is measured
        self.effects: list[Effect] = []
        self.asked_to_dial: list[DeviceId] = []
        self.pumps: list[Pump] = []
        self.closed: dict[Pump, Code] = {}  # those of them that ended, and why
        self._changed = asyncio.Event()
        self._group = group
        self._boot = BootId(one.entropy.bytes(16))
        self.rows = Rows(one)
        self.links = TransferLinks(
            self.rows,  # type: ignore[arg-type]
            one.keys,
            self.shelf,
            self,
            spawn=lambda task: self.tasks.append(group.create_task(task)),
            carry_out=self._carry_out,
            entropy=SystemEntropy(),
        )
        self.tasks: list[asyncio.Task[None]] = []

    # --- what a node lends its data links

    def hello(self, identity: IdentityKey) -> Hello:
        known = self.one.database.read(known_counter, identity)
        return Hello(self.one.keys.certificate, self.one.keys.device_list, known, self._boot)

    def target(self, identity: IdentityKey, device: DeviceId) -> Target | None:
        far = self.stations.get(device)
        if far is None:
            return None
        keys = far.one.keys
        return Target(
            device,
            identity,
            far.one.account,
            keys.link_key,
            None,
            keys.signing_key,
            0,
            None,
            is_there=True,
        )

    def places(self, target: Target) -> list[Candidate]:
        far = self.stations[target.device]
        return [Candidate("127.0.0.1", far.port, "direct")] if far.is_up else []

    def is_linked(self, device: DeviceId) -> bool:
        far = self.stations.get(device)
        return far is not None and far.is_up

    def path(self, device: DeviceId) -> str | None:
        return "direct" if self.is_linked(device) else None

    async def meet_for_files(self, target: Target, *, is_ahead: bool = False) -> Code | None:
        return Code.NOT_ONLINE

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        return []

    def measure(self, device: DeviceId) -> tuple[float, bool] | None:
        return self.trip if self.is_linked(device) else None

    def ask_to_dial(self, device: DeviceId) -> None:
        self.asked_to_dial.append(device)

    # --- for tests

    async def listen(self) -> None:
        server = await asyncio.get_running_loop().create_server(self._answer, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._server = server

    async def dial(self, far: Station) -> Pump:
        """Open a data link to somebody by hand, as a client that is not ours could; it is not taken over."""
        keys = far.one.keys
        opened: asyncio.Future[Pump] = asyncio.get_running_loop().create_future()

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkOpened) and not opened.done():
                opened.set_result(pump)
            elif isinstance(event, LinkClosed):
                self.closed[pump] = event.code

        config = LinkConfig(
            purpose=Purpose.DATA,
            static_private=self.one.keys.link_private,
            responder=keys.identity,
            hello=self.hello(keys.identity),
            expected_static=keys.link_key,
            expected_identity=keys.identity,
        )
        pump = Pump(
            lambda now: Link(Role.INITIATOR, config, now=now, entropy=SystemEntropy()), on_event
        )
        self.pumps.append(pump)
        await asyncio.get_running_loop().create_connection(lambda: pump, "127.0.0.1", far.port)
        async with asyncio.timeout(PATIENCE_S):
            return await opened

    def cut(self) -> None:
        """Be away: end the links, and answer nobody."""
        self.is_up = False
        for far in self.stations.values():
            far.links.close_identity(self.one.keys.identity)
            self.links.close_identity(far.one.keys.identity)

    def offer(self, to: Station, *paths: Path) -> str:
        """Offer files to somebody who takes them at once; gives the offer's id."""
        return self.offer_to([to], *paths)

    def offer_alone(self, to: Station, *paths: Path) -> str:
        """Offer files to somebody; gives the offer's id."""
        return self.offer_to([to], *paths, takes=[])

    def offer_to(
        self, to: Sequence[Station], *paths: Path, takes: Sequence[Station] | None = None
    ) -> str:
        """Offer files to several at once, of whom all, or those in `takes`, take them; gives the offer's id."""
        found = survey(paths)
        offer_id = OfferId(self.one.entropy.bytes(16))
        self.shelf.keep(offer_id, found)
        what = manager.Contents(
            found.title, len(found.files), found.size, manifest.top_names(found.entries),
            len(found.manifest), manifest.digest(found.manifest), found.skipped,
        )  # fmt: skip
        names = [each.one.account for each in to]
        offered, effects = offer(self.one, *names, what=what, offer_id=offer_id)
        for each in to:
            bring(effects, self.one, each.one)
        for each in to if takes is None else takes:
            each.take(offered, self)
        return offered

    def take(self, offered: str, of: Station) -> None:
        """Take an offer of somebody."""
        bring(accept(self.one, offered, str(self.downloads))[1], self.one, of.one)
        self.links.wake()

    def limit_up(self, rate_bytes_per_s: int | None) -> None:
        """Send no faster than that, on all links together; None: as fast as it goes."""
        rate = "off" if rate_bytes_per_s is None else f"{rate_bytes_per_s}/s"
        self.one.database.write(preferences.put, KEYS["bandwidth.up"], rate, None)
        self.one.database.commit()
        self.links.keep_pace()

    @property
    def uploaded(self) -> int:
        """Bytes that were sent over the links that stand."""
        return sum(link.bulk.sealed_bytes for link in self.links._links.every)

    def all_states(self, offered: str) -> list[str]:
        """Give the states of an offer's transfers, one for each friend."""
        return [each.state for each in transfers(self.one) if each.offer == offered]

    def verified(self, offered: str) -> int:
        """Give how many bytes of a transfer that comes are here and right."""
        for transfer in self.links._coming.open.values():
            if transfer.due.key.offer.hex() == offered:
                return transfer.verified_bytes
        return 0

    def do(self, fn: Callable[..., Any], *arguments: object) -> Any:
        """Do something durably here, and what follows; gives what is shown of it."""
        result, effects = self.one.database.write(fn, *arguments)
        self.one.database.commit()
        self.follow(effects)
        return result

    def follow(self, effects: list[Effect]) -> None:
        """Do what follows from something that was done here, and have everybody look."""
        self._carry_out(effects)
        for each in (self, *self.stations.values()):
            each.links.wake()

    async def until(self, is_it: Callable[[], bool]) -> None:
        """Wait until something is true, looking whenever this station's book has changed."""
        async with asyncio.timeout(PATIENCE_S):
            while not is_it():
                self._changed.clear()
                await self._changed.wait()

    async def tidied(self, offered: str) -> None:
        """Wait until what a word about an offer ended is closed and tidied here."""
        links = self.links
        links._stop_unwanted(self.rows.read(manager.due))
        await links._coming.all_closed()
        await links._tidying.tidy([OfferId(bytes.fromhex(offered))], links._coming.busy)

    def states(self) -> dict[str, tuple[str, str | None]]:
        """Give (state, reason) of every transfer by the offer's id."""
        return {each.offer: (each.state, each.reason) for each in transfers(self.one)}

    async def close(self) -> None:
        self._server.close()
        await self.links.close()
        for pump in self.pumps:
            pump.close()
        for task in self.tasks:
            task.cancel()

    def _answer(self) -> Pump:
        def on_event(pump: Pump, event: LinkEvent) -> None:
            assert pump.link is not None
            match event:
                case LinkIdentified(remote=remote):
                    assert remote.certificate is not None
                    pump.link.admit(self.hello(remote.certificate.identity))
                case LinkOpened(remote=remote):
                    assert remote.certificate is not None
                    self.links.take(pump, remote.certificate.device, remote.certificate.identity)
                case _:
                    pass

        return Pump(
            lambda now: Link(
                Role.RESPONDER,
                answering(self.one.keys, Purpose.DATA),
                now=now,
                entropy=SystemEntropy(),
            ),
            on_event,
        )

    def _carry_out(self, effects: list[Effect]) -> None:
        self.effects += effects
        for far in self.stations.values():
            bring(effects, self.one, far.one)
            far._changed.set()
        self._changed.set()


@asynccontextmanager
async def stations(folder: Path, *people: SimPeer) -> AsyncIterator[list[Station]]:
    """Run the data links of friends until the block is left; each can reach the others."""
    async with asyncio.TaskGroup() as group:
        made = [Station(one, folder / one.name, group) for one in people]
        for station in made:
            station.stations = {far.one.keys.device: far for far in made if far is not station}
            await station.listen()
            station.tasks.append(group.create_task(station.links.run()))
        try:
            yield made
        finally:
            for station in made:
                await station.close()


@asynccontextmanager
async def two_friends(folder: Path) -> AsyncIterator[tuple[Station, Station]]:
    """Run the data links of Alice and Bob until the block is left."""
    world = Simulation(1)
    people = [SimPeer.make(world, name) for name in ("alice", "bob")]
    befriend(*people)
    async with stations(folder, *people) as made:
        alice, bob = made
        yield alice, bob
