"""Links through the tracker's relay: asked for, offered, and made like any other link once both came.

What lives here: tickets and the connection to the relay. What does not: when it is time for it (`dialer`,
`datadialer`), what the link is used for (`linking`). The tracker passes bytes; who is at the other end is proven
end to end, as on a link that was dialled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from peer.errors import PeerError
from peer.identity import Profile
from peer.links import RELAYED
from peer.pump import OnEvent, Pump
from peer.reach.calling import answering, calling
from peer.roster import Target
from wire import frames, limits
from wire.codes import Code
from wire.ids import AccountName, IdentityKey, RequestId
from wire.link import Link, LinkState, Role
from wire.machine import Entropy
from wire.messages import Message, Purpose
from wire.messages.reach import AskRelay, Relay
from wire.messages.session import Hello


class Ask(Protocol):
    """What asks the tracker; raises PeerError."""

    def __call__(
        self, build: Callable[[RequestId], Message], answer: type[Relay], /
    ) -> Awaitable[Relay]:
        """Ask one thing."""


class Relaying:
    """The relay as one node uses it.

    ask: asks the tracker. hello: our first record to an identity. on_event: what a link tells its owner, for
    each purpose alike. add: takes note of a link under way.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        ask: Ask,
        hello: Callable[[IdentityKey], Hello],
        on_event: OnEvent,
        add: Callable[[Pump], None],
        entropy: Entropy,
    ) -> None:
        self._profile = profile
        self._ask = ask
        self._hello = hello
        self._on_event = on_event
        self._add = add
        self._entropy = entropy

    async def call(self, target: Target, purpose: Purpose) -> None:
        """Ask to be joined with a device, and begin the link; raises PeerError if the tracker refuses.

        Over without a result where the relay cannot be dialled or the other one does not come.
        """
        name = AccountName(target.friend)
        answer = await self._ask(
            lambda request: AskRelay(request, name, target.device, int(purpose)), Relay
        )
        await self.join(target, purpose, answer.ticket)

    async def join(self, target: Target, purpose: Purpose, ticket: bytes) -> None:
        """Come to the relay with a ticket; the smaller link key begins, as neither side dialled the other."""
        tracker = self._profile.tracker
        if tracker is None:
            raise PeerError(Code.TRACKER_UNREACHABLE)
        is_first = self._profile.keys.link_key < target.link_key
        role = Role.INITIATOR if is_first else Role.RESPONDER
        keys = self._profile.keys
        config = (
            calling(keys, target, self._hello(target.identity), purpose)
            if is_first
            else answering(keys, purpose)
        )
        pump = Pump(
            lambda now: Link(role, config, now=now, entropy=self._entropy),
            self._on_event,
            first=frames.preamble(Purpose.RELAY) + ticket,
        )
        pump.purpose, pump.path = purpose, RELAYED
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                await loop.create_connection(lambda: pump, tracker.host, tracker.port)
        except (OSError, TimeoutError):
            return
        if pump.link is not None and pump.link.state is not LinkState.CLOSED:
            self._add(pump)
