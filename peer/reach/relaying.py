"""The relay from a peer's side: tickets asked for or offered, and the connection that shows one.

What lives here: the way there. What does not: when it is time for it (`dialer`, `meeting`), what the link is used for
(`linking`). The tracker passes bytes; who is at the other end is proven end to end, as on a link that was dialled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from peer.errors import PeerError
from peer.people.roster import Target
from peer.pump import Pump
from peer.reach import outward
from peer.reach.paths import RELAYED
from wire import frames, limits
from wire.address import TrackerAddress
from wire.codes import Code
from wire.ids import AccountName, RequestId
from wire.messages import Message, Purpose
from wire.messages.reach import AskRelay, Relay


class Ask(Protocol):
    """What asks the tracker; raises PeerError."""

    def __call__(
        self, build: Callable[[RequestId], Message], answer: type[Relay], /
    ) -> Awaitable[Relay]:
        """Ask one thing."""


class Relaying:
    """The relay as one node uses it.

    tracker: where it is, None for an account without one. ask: asks it. begin: makes the protocol of a
    connection for a target and purpose, which sends these bytes before its own.
    """

    def __init__(
        self,
        tracker: TrackerAddress | None,
        *,
        ask: Ask,
        begin: Callable[[Target, Purpose, bytes], Pump],
    ) -> None:
        self._tracker = tracker
        self._ask = ask
        self._begin = begin

    async def call(self, target: Target, purpose: Purpose) -> None:
        """Ask to be joined with a device, and begin the link; raises PeerError if the tracker refuses."""
        name = AccountName(target.friend)
        answer = await self._ask(
            lambda request: AskRelay(request, name, target.device, int(purpose)), Relay
        )
        await self.join(target, purpose, answer.ticket)

    async def join(self, target: Target, purpose: Purpose, ticket: bytes) -> None:
        """Come to the relay with a ticket; raises PeerError with TRACKER_UNREACHABLE."""
        tracker = self._tracker
        if tracker is None:
            raise PeerError(Code.TRACKER_UNREACHABLE)
        pump = self._begin(target, purpose, frames.preamble(Purpose.RELAY) + ticket)
        pump.path = RELAYED
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                opened = await outward.connect(tracker.host, tracker.port)
                await loop.create_connection(lambda: pump, sock=opened)
        except (OSError, TimeoutError) as error:
            raise PeerError(Code.TRACKER_UNREACHABLE) from error
