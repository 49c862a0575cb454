"""Where connections come in: few that proved nothing, one line of the log for each that was turned away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from peer.listener import Knocks
from peer.pump import OnEvent, Pump
from peer.reach.calling import answering
from peer.refusals import Refusals
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.link import Link, LinkClosed, LinkEvent, LinkOpened, Role
from wire.machine import Entropy, Monotonic
from wire.messages import Purpose


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

    def add(self, pump: Pump) -> None:
        """Take note of a link that we began ourselves."""
        self._pumps.add(pump)

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

    def close_all(self, code: Code) -> None:
        """End every link, open or not yet."""
        for pump in list(self._pumps):
            pump.close(code)

    def _link(self, purpose: Purpose, now: Monotonic) -> Link:
        return Link(Role.RESPONDER, answering(self._keys, purpose), now=now, entropy=self._entropy)

    def _may_enter(self, pump: Pump) -> bool:
        """Say whether somebody may stand at the door; who may not is forgotten at once."""
        if self._knocks.enter(pump):
            pump.path = self._came_by(pump.peer)
            return True
        self._pumps.discard(pump)
        self.refusals.refused(pump.who, Code.TOO_MANY_CONNECTIONS)
        return False

    def _for_purpose(self, purpose: Purpose, now: Monotonic) -> Link | None:
        """Make the machine of a data link that somebody dials to us; None for any other link."""
        return self._link(purpose, now) if purpose is Purpose.DATA and self.takes_files else None
