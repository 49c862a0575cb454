"""Where connections come in: few that proved nothing, one line of the log for each that was turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from peer.listener import Knocks
from peer.pump import OnEvent, Pump
from peer.reach.calling import answering
from peer.refusals import Refusals
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.link import Link, LinkClosed, LinkEvent, LinkOpened, Role
from wire.machine import Entropy, Monotonic
from wire.messages import Purpose

GONE_S = 1.0
"""How long a node that ends waits for its last words to leave; they are small, and most readers read."""


class Reception:
    """Takes in what is dialled to one node, and knows every link under way.

    on_event: what they tell. came_by: gives the path of one, by the address it comes from.
    """

    def __init__(
        self,
        keys: DeviceKeys,
        on_event: OnEvent,
        entropy: Entropy,
        came_by: Callable[[str], str],
    ) -> None:
        self._came_by = came_by
        self._keys = keys
        self._tell = on_event
        self._entropy = entropy
        self._knocks = Knocks(entropy)
        self.refusals = Refusals(asyncio.get_running_loop().time)
        self._pumps: set[Pump] = set()
        self._ending: list[Pump] = []
        self._is_over = False
        self.takes_files = False  # data links are let in, too
        self.shows_key: Callable[[], bool] = lambda: False  # to whoever asks, in clear
        self._nonces: dict[bytes, asyncio.Event] = {}  # that a tracker is to bring

    def accept(self) -> Pump:
        """Make the protocol of a connection that came in."""
        pump = Pump(
            lambda now: self._link(Purpose.PEER, now),
            self.on_event,
            may_enter=self._may_enter,
            for_purpose=self._for_purpose,
            on_probe=self._on_probe if self._nonces else None,
            key=self._keys.link_key if self.shows_key() else b"",
        )
        self._pumps.add(pump)
        return pump

    @contextmanager
    def expect_probe(self, nonce: bytes) -> Iterator[asyncio.Event]:
        """Give an event that is set when somebody dials in and shows this nonce."""
        came = self._nonces[nonce] = asyncio.Event()
        try:
            yield came
        finally:
            del self._nonces[nonce]

    def _on_probe(self, nonce: bytes) -> None:
        if (came := self._nonces.get(nonce)) is not None:
            came.set()

    def add(self, pump: Pump) -> bool:
        """Take note of a link that we began ourselves; False once every link is to end."""
        if not self._is_over:
            self._pumps.add(pump)
        return not self._is_over

    def on_event(self, pump: Pump, event: LinkEvent) -> None:
        """Keep count of who is here, and pass on what happened."""
        if isinstance(event, LinkOpened):
            self._knocks.leave(pump)
        elif isinstance(event, LinkClosed):
            self._knocks.leave(pump)
            self._pumps.discard(pump)
            self.refusals.closed(pump.who, event)
        self._tell(pump, event)

    def handed_over(self, pump: Pump) -> None:
        """Take note that somebody else has a link now."""
        self._pumps.discard(pump)

    def close_all(self, code: Code, others: Iterable[Pump]) -> None:
        """End every link, open or not yet, and `others`; whoever comes later is turned away."""
        self._is_over = True
        ending = [*self._pumps, *others]
        self._ending += ending
        for pump in ending:
            pump.close(code)

    async def gone(self, code: Code, others: Iterable[Pump]) -> None:
        """End what is left, and wait until everything is gone; who does not read our last words is cut off."""
        self.close_all(code, others)
        with suppress(TimeoutError):
            async with asyncio.timeout(GONE_S):
                for pump in self._ending:
                    await pump.wait_lost()
        for pump in self._ending:
            pump.cut()

    def _link(self, purpose: Purpose, now: Monotonic) -> Link:
        return Link(Role.RESPONDER, answering(self._keys, purpose), now=now, entropy=self._entropy)

    def _may_enter(self, pump: Pump) -> bool:
        """Say whether somebody may stand at the door; who may not is forgotten at once."""
        if self._is_over:
            self._pumps.discard(pump)
            return False
        if self._knocks.enter(pump):
            pump.path = self._came_by(pump.peer)
            return True
        self._pumps.discard(pump)
        self.refusals.refused(pump.who, Code.TOO_MANY_CONNECTIONS)
        return False

    def _for_purpose(self, purpose: Purpose, now: Monotonic) -> Link | None:
        """Make the machine of a data link that somebody dials to us; None for any other link."""
        return self._link(purpose, now) if purpose is Purpose.DATA and self.takes_files else None
