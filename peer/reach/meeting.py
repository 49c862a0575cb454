"""What is left where no address answers: a simultaneous open, and behind it the relay; for talk and files alike."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from peer.errors import PeerError
from peer.identity import Profile
from peer.people.roster import Target
from peer.pump import OnEvent, Pump
from peer.reach import outward, punching, relaying
from peer.reach.calling import answering, calling
from peer.reach.paths import PUNCHED
from peer.reach.punching import Punching, Surroundings
from peer.reach.relaying import Relaying
from wire.codes import Code
from wire.ids import DeviceId, IdentityKey
from wire.link import Link, Role
from wire.machine import Entropy
from wire.messages import Message, Purpose
from wire.messages.reach import PunchGo, PunchOffered, RelayOffered
from wire.messages.session import Hello


class Meeting:
    """Links that both sides begin, with a tracker's help.

    ask_relay, ask_punch: ask the tracker. find: gives how a device of an account is reached, by name. hello: our
    first record to an identity. on_event: what a link tells its owner, for each purpose alike. add: takes note of a
    link under way, and says whether it may begin. spawn: makes a task that the node owns. hides: says whether our address is to be kept from somebody.
    want: dials an account's devices where they say that they are, now.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        ask_relay: relaying.Ask,
        ask_punch: punching.Ask,
        surroundings: Surroundings,
        find: Callable[[str, DeviceId], Target | None],
        hello: Callable[[IdentityKey], Hello],
        on_event: OnEvent,
        add: Callable[[Pump], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        hides: Callable[[IdentityKey], bool],
        want: Callable[[IdentityKey], None],
        entropy: Entropy,
    ) -> None:
        self._keys = profile.keys
        self._find = find
        self._hello = hello
        self._on_event = on_event
        self._add = add
        self._spawn = spawn
        self._hides = hides
        self._want = want
        self._entropy = entropy
        tracker = profile.tracker
        self._relaying = Relaying(tracker, ask=ask_relay, begin=self._begin)
        self.punching = Punching(
            ask=ask_punch,
            surroundings=surroundings,
            tracker_port=0 if tracker is None else tracker.port,
            begin=self._begin,
        )

    def heard(self, message: Message) -> None:
        """Take what the tracker says about somebody who waits for us, or for whom we wait."""
        match message:
            case RelayOffered() | PunchOffered():
                target = self._find(message.name, message.device)
                if target is not None:
                    if message.purpose == Purpose.PEER:
                        self._want(target.identity)  # they cannot dial us: can we dial them?
                    self._spawn(self._come(target, message))
            case PunchGo():
                self.punching.go(message)

    async def talk(self, target: Target) -> None:
        """Get a control link; raises PeerError with why the tracker does not relay, when nothing else worked.

        Both at once: the relay stands at once, what was punched replaces it.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self.punch(target, Purpose.PEER))
            relayed = group.create_task(_refusal(self._relaying.call(target, Purpose.PEER)))
        if (refused := relayed.result()) is not None:
            why = self.punching.why_not.get(target.device)
            raise PeerError(refused.code, "; ".join(filter(None, (why, refused.message))))

    async def files(
        self, target: Target, path: str | None, *, is_ahead: bool = False
    ) -> Code | None:
        """Get a data link the way talk goes; it comes in like any other. Gives why it cannot be had.

        is_ahead: nothing needs it yet, and it is not to be relayed.
        """
        if path == PUNCHED and await self.punch(target, Purpose.DATA):
            return None
        if is_ahead:
            return Code.NOT_NOW
        refused = await _refusal(self._relaying.call(target, Purpose.DATA))
        return None if refused is None else refused.code

    async def punch(self, target: Target, purpose: Purpose) -> bool:
        """Try a simultaneous open; False if it came to nothing."""
        if self._hides(target.identity) or outward.is_proxied():
            return False
        try:
            return await self.punching.call(target, purpose)
        except PeerError:
            return False

    async def _come(self, target: Target, offered: RelayOffered | PunchOffered) -> None:
        purpose = Purpose(offered.purpose)
        if isinstance(offered, RelayOffered):
            await _refusal(self._relaying.join(target, purpose, offered.ticket))
        elif not self._hides(target.identity) and not outward.is_proxied():
            await self.punching.meet(target, purpose, offered.ticket, offered.second_port)

    def _begin(self, target: Target, purpose: Purpose, first: bytes = b"") -> Pump:
        """Make the protocol of a connection; the smaller link key begins, as neither side dialled the other."""
        if self._keys.link_key < target.link_key:
            hello = self._hello(target.identity)
            role, config = Role.INITIATOR, calling(self._keys, target, hello, purpose)
        else:
            role, config = Role.RESPONDER, answering(self._keys, purpose)
        pump = Pump(
            lambda now: Link(role, config, now=now, entropy=self._entropy),
            self._on_event,
            may_enter=self._add,
            first=first,
        )
        pump.purpose = purpose
        return pump


async def _refusal(work: Coroutine[Any, Any, None]) -> PeerError | None:
    try:
        await work
    except PeerError as error:
        return error
    return None
