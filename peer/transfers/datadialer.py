"""Dialling data links: the addresses of a device one after another, else the device is asked to dial us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from peer.people.roster import Target
from peer.pump import Pump
from peer.reach import outward
from peer.reach.calling import calling
from peer.reach.candidates import Candidate
from peer.reach.paths import LAN, PUNCHED, RELAYED
from peer.reach.turns import Turns
from wire import limits
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.ids import DeviceId, IdentityKey
from wire.link import Link, LinkClosed, LinkEvent, LinkOpened, Role
from wire.machine import Entropy
from wire.messages import Purpose
from wire.messages.session import Hello

REDIAL_S = (0.5, 20.0)


class Neighbours(Protocol):
    """What a node lends its data links."""

    def hello(self, identity: IdentityKey) -> Hello:
        """Give our first record to somebody."""

    def target(self, identity: IdentityKey, device: DeviceId) -> Target | None:
        """Give how a device is reached, or None where that is not known."""

    def places(self, target: Target) -> list[Candidate]:
        """Give the addresses of a device that are worth a dial, best first."""

    def measure(self, device: DeviceId) -> tuple[float, bool] | None:
        """Begin to measure the round trip of talk with a device; gives what the last one took, or takes so far.

        True with the former, False with the latter; None where nothing is known.
        """

    def ask_to_dial(self, device: DeviceId) -> None:
        """Ask a device over its control link to dial us a data link."""

    def path(self, device: DeviceId) -> str | None:
        """Say how the control link to a device goes; None if none stands."""

    async def meet_for_files(self, target: Target, *, is_ahead: bool = False) -> Code | None:
        """Get a data link the way talk goes, which comes in like any other; gives why it cannot be had.

        is_ahead: nothing needs it yet, and it is not to be relayed.
        """

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        """Give whose talk goes over a punched link, the oldest first; True where it is ours to begin another."""


class TransferDialer:
    """Dials devices, each at most once at a time. take: called with a link that opened."""

    def __init__(
        self,
        keys: DeviceKeys,
        neighbours: Neighbours,
        *,
        take: Callable[[Pump, DeviceId, IdentityKey], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._neighbours = neighbours
        self._take = take
        self._spawn = spawn
        self._entropy = entropy
        self._loop = asyncio.get_running_loop()
        self._turns = Turns()
        self._dialling: set[DeviceId] = set()
        self._redial: dict[DeviceId, tuple[float, float]] = {}  # (not before, wait after)
        self._lacks_tracker: set[DeviceId] = set()

    def dial(self, identity: IdentityKey, device: DeviceId, *, is_asked: bool = False) -> None:
        """Dial a device whose turn has come; is_asked: now, since it could not dial us."""
        not_before, _ = self._redial.get(device, (0.0, 0.0))
        if device in self._dialling or (not is_asked and self._loop.time() < not_before):
            return
        self._dialling.add(device)
        self._spawn(self._dial_all(identity, device, is_asked=is_asked))

    def dial_ahead(self, identity: IdentityKey, device: DeviceId) -> None:
        """Punch a link that nothing needs yet; what needs one meanwhile waits for this one."""
        if device not in self._dialling:
            self._dialling.add(device)
            self._spawn(self._punch_ahead(identity, device))

    def back_off(self, device: DeviceId) -> None:
        """Wait longer before this device is dialled again."""
        first, most = REDIAL_S
        _, wait_s = self._redial.get(device, (0.0, first / 2))
        wait_s = min(wait_s * 2, most)
        self._redial[device] = (self._loop.time() + wait_s, wait_s)

    def reached(self, device: DeviceId) -> None:
        """Take note that a link to this device was good for something: the next may be dialled soon."""
        self._redial.pop(device, None)

    def has_failed(self, device: DeviceId) -> bool:
        """Say whether the last dial of this device, or the link it gave, was good for nothing."""
        return device in self._redial

    def needs_tracker(self, device: DeviceId) -> bool:
        """Say whether the last try failed as only the tracker could bring us together, which is away."""
        return device in self._lacks_tracker

    async def _dial_all(self, identity: IdentityKey, device: DeviceId, *, is_asked: bool) -> None:
        """Try the addresses of a device one after another; if none answers, ask it to dial us.

        One whose talk takes another way did not answer a moment ago: its files go the same way.
        """
        try:
            target = self._neighbours.target(identity, device)
            if target is not None and self._neighbours.path(device) in (PUNCHED, RELAYED):
                why_not = await self._neighbours.meet_for_files(target)
                self._lacks_tracker -= {device}
                if why_not is not None:
                    self.back_off(device)
                if why_not is Code.TRACKER_UNREACHABLE:
                    self._lacks_tracker.add(device)
                return
            self._lacks_tracker -= {device}
            places = [] if target is None else self._neighbours.places(target)
            for place in places:
                await asyncio.sleep(self._turns.take(identity))
                if target is not None and await self._dial_one(target, place):
                    return
            self.back_off(device)
            if not is_asked:
                self._neighbours.ask_to_dial(device)
        finally:
            self._dialling.discard(device)

    async def _punch_ahead(self, identity: IdentityKey, device: DeviceId) -> None:
        try:
            target = self._neighbours.target(identity, device)
            if target is not None:
                await self._neighbours.meet_for_files(target, is_ahead=True)
        finally:
            self._dialling.discard(device)

    async def _dial_one(self, target: Target, place: Candidate) -> bool:
        """Dial one address; True once the link stands.

        Next door segments are as large as that network takes them, unless the last link there came to nothing.
        """
        outcome: asyncio.Future[bool] = self._loop.create_future()

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkOpened):
                self._take(pump, target.device, target.identity)
            if isinstance(event, LinkOpened | LinkClosed) and not outcome.done():
                outcome.set_result(isinstance(event, LinkOpened))

        hello = self._neighbours.hello(target.identity)
        config = calling(self._keys, target, hello, Purpose.DATA)
        pump = Pump(
            lambda now: Link(Role.INITIATOR, config, now=now, entropy=self._entropy), on_event
        )
        try:
            with pump.cut_unless_done():
                async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                    is_near = place.path == LAN and not self.has_failed(target.device)
                    opened = await outward.dial(*place.place, is_near=is_near)
                    await self._loop.create_connection(lambda: pump, sock=opened)
                    return await outcome
        except (OSError, TimeoutError):
            return False
