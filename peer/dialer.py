"""Dialling friends' devices and our other ones: which addresses, when, how many at once, and which try wins.

What happens elsewhere: which addresses are worth it (`candidates`), what a link then does (`linking`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from peer.errors import PeerError
from peer.identity import Profile
from peer.people import roster
from peer.pump import OnEvent, Pump
from peer.reach import outward
from peer.reach.calling import calling
from peer.reach.candidates import Candidate, candidates, chosen, is_this_machine
from peer.reach.paths import DIRECT, LAN, REVERSE, rank_of
from peer.reach.turns import Turns
from peer.reach.whereabouts import Vicinity
from peer.store.database import Database
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import Host, open_places, read_addresses
from wire.ids import DeviceId, IdentityKey, SigningKey
from wire.link import Ending, Link, LinkClosed, LinkEvent, LinkOpened, LinkState, Role
from wire.machine import Entropy
from wire.messages import Purpose
from wire.messages.session import Hello

Place = tuple[str, int]

REDIAL_FIRST_S = 0.5
MEET_AFTER_S = 2.0
"""What addresses that say neither yes nor no are given before the tracker is asked for help; they go on being tried."""

MEET_TURN_S = 1.5
BETTER_MOST_S = 120.0
"""Between two tries for a better path behind one that works."""


class Dialer:
    """Dials for one node: every device has a link of its own.

    hello: our first record to an identity. nearby: where a device is said to be on the local network. on_old_list: called with who knows a newer device list of ours.
    path: how a device is linked, None for not at all. hides: says whether our address is to be kept from
    somebody, whom we then do not dial. on_event: what a dialled link tells its owner. meet: gets a
    link with the tracker's help where no address leads; raises PeerError, over at once if it makes no sense.
    spawn: makes a task that the node owns. pumps: links under way.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        vicinity: Vicinity,
        hello: Callable[[IdentityKey], Hello],
        nearby: Callable[[IdentityKey, DeviceId], list[Place]],
        path: Callable[[DeviceId], str | None],
        hides: Callable[[IdentityKey], bool],
        meet: Callable[[roster.Target], Coroutine[Any, Any, None]],
        on_event: OnEvent,
        on_old_list: Callable[[IdentityKey], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        entropy: Entropy,
    ) -> None:
        self._profile = profile
        self._database = database
        self._vicinity = vicinity
        self._hello = hello
        self._nearby = nearby
        self._path = path
        self._hides = hides
        self._meet = meet
        self._on_event = on_event
        self._on_old_list = on_old_list
        self._spawn = spawn
        self._entropy = entropy
        self._dialling: set[DeviceId] = set()
        self._news: dict[DeviceId, asyncio.Event] = {}  # for who waits to learn an address
        self._backoff: dict[DeviceId, tuple[float, float]] = {}  # (not before, wait after)
        self._turns = Turns()
        self._wanted: dict[IdentityKey, None] = {}
        self._no_relay: dict[str, str] = {}
        self._by_hand: dict[DeviceId, Candidate] = {}  # where a person said that it is
        self.pumps: set[Pump] = set()

    def want(self, identity: IdentityKey) -> None:
        """Dial the devices of an account now, but for those that are linked well or being dialled."""
        for target in self._database.read(roster.dial_targets, identity):
            self._backoff.pop(target.device, None)
            if (news := self._news.get(target.device)) is not None:
                news.set()
            self._dial(target)

    def want_soon(self, identity: IdentityKey) -> None:
        """Take note of an account whose devices `dial_wanted` is to dial."""
        self._wanted[identity] = None

    def dial_wanted(self) -> None:
        """Dial who was wanted since the last time."""
        wanted, self._wanted = self._wanted, {}
        for identity in wanted:
            self.want(identity)

    def want_all(self) -> None:
        """Dial every device that is not linked, or could be better, and whose turn has come."""
        instant = self._now()
        for target in self._database.read(roster.dial_targets):
            not_before, _ = self._backoff.get(target.device, (0.0, 0.0))
            if instant >= not_before:
                self._dial(target)

    def want_near(self) -> None:
        """Dial the devices that are said to be near, whether or not their turn has come."""
        for target in self._database.read(roster.dial_targets):
            if self._nearby(target.identity, target.device):
                self._backoff.pop(target.device, None)
                if (news := self._news.get(target.device)) is not None:
                    news.set()
                self._dial(target)

    def arrived(self, device: DeviceId) -> None:
        """Take note that a link stands: the next loss is answered at once."""
        self._backoff.pop(device, None)

    def misbehaved(self, device: DeviceId) -> None:
        """Take note that a link ended by what its other end said: it is left alone for a while."""
        wait_s = limits.RECONNECT_MOST_S
        self._backoff[device] = (self._now() + wait_s, wait_s)

    def why_no_relay(self, friend: str) -> str | None:
        """Say why the relay did not help at the last try, None if it was not asked or did."""
        return self._no_relay.get(friend)

    def _is_well_linked(self, device: DeviceId) -> bool:
        path = self._path(device)
        return path is not None and rank_of(path) == 0

    def _dial(self, target: roster.Target) -> None:
        if target.device not in self._dialling and not self._is_well_linked(target.device):
            self._dialling.add(target.device)
            self._spawn(self._dial_device(target))

    async def _dial_device(self, target: roster.Target) -> None:
        """Try every address of a device, with small head starts, until one stands; behind them all a meeting."""
        race = _Race()
        try:
            if not self.places(target) and not self._hides(target.identity):
                target = await self._learn(target)
            async with asyncio.TaskGroup() as group:
                met = group.create_task(self._meet_later(target, race))
                async with asyncio.TaskGroup() as dials:
                    for place in self.places(target):
                        with suppress(TimeoutError):
                            async with asyncio.timeout(self._turns.take(target.identity)):
                                await race.is_over.wait()
                        if race.is_over.is_set() or self._is_well_linked(target.device):
                            break
                        dials.create_task(self._dial_one(target, place, race))
                race.are_all_tried.set()
                await met
        finally:
            self._dialling.discard(target.device)
        if race.winner is not None:
            return
        _, wait_s = self._backoff.get(target.device, (0.0, REDIAL_FIRST_S / 2))
        is_linked = self._path(target.device) is not None
        wait_s = min(wait_s * 2, BETTER_MOST_S if is_linked else limits.RECONNECT_MOST_S)
        dice = int.from_bytes(self._entropy.bytes(2), "big") / 65536
        self._backoff[target.device] = (self._now() + wait_s * (0.75 + dice / 2), wait_s)

    async def _learn(self, target: roster.Target) -> roster.Target:
        """Wait a moment for word of where a device is: it comes after that of its coming online, with the key or before it."""
        news = self._news[target.device] = asyncio.Event()
        with suppress(TimeoutError):
            async with asyncio.timeout(MEET_AFTER_S):
                while not self.places(target):
                    await news.wait()
                    news.clear()
                    known = self._database.read(roster.dial_targets, target.identity)
                    target = next((one for one in known if one.device == target.device), target)
        del self._news[target.device]
        return target

    async def _meet_later(self, target: roster.Target, race: _Race) -> None:
        """Get a link with the tracker's help if no address answered for a while, or all of them failed.

        Both sides come to that; the one with the larger link key leaves the other some time, so that one asks.
        """
        async with asyncio.TaskGroup() as wait:
            tried = wait.create_task(race.wait_tried(MEET_AFTER_S))
            won = wait.create_task(race.wait())
            tried.add_done_callback(lambda _: won.cancel())
            won.add_done_callback(lambda _: tried.cancel())
        if self._profile.keys.link_key > target.link_key:
            with suppress(TimeoutError):
                async with asyncio.timeout(MEET_TURN_S):
                    await race.wait()
        if race.winner is not None or self._path(target.device) is not None:
            return
        self._no_relay.pop(target.friend, None)
        try:
            await self._meet(target)
        except PeerError as error:
            self._no_relay[target.friend] = error.message

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def places(self, target: roster.Target) -> list[Candidate]:
        """Give the addresses of a device that are worth a dial, best first: near ones, then those it signed."""
        if self._hides(target.identity):
            return []
        by_hand = self._by_hand.get(target.device)
        near = [] if by_hand is None else [by_hand]
        near += [Candidate(*place, LAN) for place in self._nearby(target.identity, target.device)]
        found = {each.place: each for each in reversed([*near, *self._signed_places(target)])}
        return list(reversed(found.values()))

    def path_of(self, pump: Pump, identity: IdentityKey, device: DeviceId) -> str:
        """Give the path of an open link: one that they dialled is `reverse` if we could not have dialled them.

        That is known where a device tells us where it is, and nothing of it can be dialled from here.
        """
        was_dialled = pump.link is not None and pump.link.role is Role.RESPONDER
        if not was_dialled or pump.path not in (DIRECT, REVERSE) or is_this_machine(pump.peer):
            return pump.path
        known = self._database.read(roster.dial_targets, identity)
        target = next((each for each in known if each.device == device), None)
        if target is None or _told(target) is None or self.places(target):
            return DIRECT
        return REVERSE

    def _signed_places(self, target: roster.Target) -> list[Candidate]:
        vicinity = self._vicinity
        return candidates(
            _told(target) or (), own_hosts=vicinity.hosts, may_loopback=vicinity.is_loopback
        )

    async def dial_at(self, target: roster.Target, place: Place) -> bool:
        """Dial a device where a person says that it is; True once the link stands. Kept for this run if so."""
        race = _Race()
        await self._dial_one(target, chosen(place), race)
        if race.winner is not None:
            self.is_at(target.device, place)
        return race.winner is not None

    def is_at(self, device: DeviceId, place: Place) -> None:
        """Take note for this run of where a person said that a device is, and where it was."""
        self._by_hand[device] = chosen(place)

    async def _dial_one(self, target: roster.Target, place: Candidate, race: _Race) -> None:
        hello = self._hello(target.identity)
        config = calling(self._profile.keys, target, hello, Purpose.PEER)

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkClosed):
                self.pumps.discard(pump)
                if event.code is Code.LIST_ROLLBACK and event.by is Ending.THEM:
                    self._on_old_list(target.identity)
            if isinstance(event, LinkOpened) and not race.win(pump):
                pump.close(Code.LINK_REPLACED)
            else:
                self._on_event(pump, event)

        pump = Pump(
            lambda now: Link(Role.INITIATOR, config, now=now, entropy=self._entropy), on_event
        )
        pump.path = place.path
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                opened = await outward.dial(*place.place)
                await loop.create_connection(lambda: pump, sock=opened)
        except (OSError, TimeoutError):
            return
        if pump.link is None or pump.link.state is LinkState.CLOSED:
            return
        self.pumps.add(pump)
        try:
            async with asyncio.TaskGroup() as wait:
                lost = wait.create_task(pump.wait_lost())
                won = wait.create_task(race.wait())
                lost.add_done_callback(lambda _: won.cancel())
                won.add_done_callback(lambda _: lost.cancel())
        finally:
            if race.winner is not pump:
                pump.close(Code.LINK_REPLACED)


def _told(target: roster.Target) -> tuple[Host, ...] | None:
    """Give where a device says that it is, None as long as that cannot be read."""
    if target.addresses is None:
        return None
    try:
        record = read_addresses(target.addresses, target.device, SigningKey(target.signing_key))
        if not record.sealed:
            return record.hosts
        return None if target.address_key is None else open_places(record, target.address_key)
    except WireError:
        return None


class _Race:
    """Several dials to one friend: the first proven link wins."""

    def __init__(self) -> None:
        self.is_over = asyncio.Event()
        self.are_all_tried = asyncio.Event()
        self.winner: Pump | None = None

    def win(self, pump: Pump) -> bool:
        """Say whether this link is the first."""
        if self.winner is None:
            self.winner = pump
            self.is_over.set()
        return self.winner is pump

    async def wait(self) -> None:
        await self.is_over.wait()

    async def wait_tried(self, most_s: float) -> None:
        """Wait until every dial has failed, or for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self.are_all_tried.wait()
