"""How fast files may go, kept up to date: what a person set for this minute, and how each link gives way to talk.

On the node's loop. The rules are `peer.settings.bandwidth` and `peer.transfers.courtesy`; who holds the bytes back is
`peer.transfers.outlet`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from peer.settings.bandwidth import Bandwidth
from peer.transfers.courtesy import PING_EVERY_S, Courtesy, means
from peer.transfers.openlinks import OpenLink
from peer.transfers.outlet import Outlet
from peer.transfers.pace import Paces
from wire import limits
from wire.ids import DeviceId, IdentityKey
from wire.machine import Monotonic

FLOWS_BYTES: Final = 16 * limits.KIB
"""So much within a second is no mere talk about transfers."""

_MEASURED_LOOKS: Final = 8  # a rate is taken over the last second

Measure = Callable[[DeviceId], tuple[float, bool] | None]


class Flow:
    """One link's bytes: how fast they arrive at the other end, and the pace that follows.

    trip: of talk before any byte flows, as `Measure` gives it.
    """

    def __init__(self, outlet: Outlet, trip: tuple[float, bool] | None, now: Monotonic) -> None:
        self._outlet = outlet
        self.courtesy = Courtesy()
        self._arrived = deque([(now, outlet.arrived_bytes)], maxlen=_MEASURED_LOOKS + 1)
        self.flows = False
        if trip is not None and trip[1]:
            self.courtesy.answered(trip[0], 0.0, now)

    @property
    def pace(self) -> int | None:
        """Its pace in bytes per second, None for none."""
        return self.courtesy.pace

    @property
    def bytes_per_s(self) -> float:
        """How fast its bytes arrived over the last second."""
        (began, first), (now, last) = self._arrived[0], self._arrived[-1]
        return (last - first) / max(now - began, PING_EVERY_S)

    def look(self, now: Monotonic) -> None:
        """See how much has arrived."""
        self._arrived.append((now, self._outlet.arrived_bytes))
        self.flows = self._arrived[-1][1] - self._arrived[0][1] >= FLOWS_BYTES

    def begin(self, pace: int) -> None:
        """Go no faster than that to begin with."""
        self.courtesy.begin(pace)
        self._outlet.set_pace(self.pace)

    def note(
        self,
        trip: tuple[float, bool],
        now: Monotonic,
        *,
        mean: float | None,
        late_mean: float | None,
    ) -> None:
        """Set the pace that follows from a round trip. mean, late_mean: as of `Courtesy.answered`."""
        pace, rate = self.pace, self.bytes_per_s
        if trip[1]:
            self.courtesy.answered(trip[0], rate, now, mean=mean, late_mean=late_mean)
        else:
            self.courtesy.awaited(trip[0], rate, now, late_mean=late_mean)
        if self.pace != pace:
            self._outlet.set_pace(self.pace)

    def let_go(self) -> None:
        """Have no pace: nothing is measured by which it could follow the line."""
        if self.pace is not None:
            self.courtesy = Courtesy()
            self._outlet.set_pace(None)


class Pacing:
    """The paces of all data links of one node.

    measure: as of `peer.transfers.datadialer.Neighbours`. minute: gives the minute of the day, 0 to 1,439, by the clock
    on the wall.
    """

    def __init__(self, measure: Measure, minute: Callable[[], int]) -> None:
        self._measure = measure
        self._minute = minute
        self._loop = asyncio.get_running_loop()
        self._flows: dict[OpenLink, Flow] = {}
        self._has_links = asyncio.Event()
        self._all = Paces()
        self._of_all = Bandwidth()
        self._friends: dict[IdentityKey, Paces] = {}
        self._of_friends: dict[IdentityKey, Bandwidth] = {}
        self._set: dict[Paces, tuple[int | None, int | None]] = {}

    def set(self, of_all: Bandwidth, of_friends: dict[IdentityKey, Bandwidth]) -> None:
        """Take what a person has set."""
        self._of_all, self._of_friends = of_all, of_friends
        self._keep()

    def paces(self, identity: IdentityKey) -> tuple[Paces, Paces]:
        """Give what the bytes of a link with somebody wait for."""
        own = self._friends.setdefault(identity, Paces())
        self._keep()
        return self._all, own

    def opened(self, link: OpenLink) -> None:
        """Take note of a link: the round trip before any byte flows is what later ones are compared with."""
        trip = self._measure(link.device)
        flow = Flow(link.bulk.outlet, trip, self._now())
        if trip is not None:
            self._begin(flow)
        self._flows[link] = flow
        self._has_links.set()

    def ended(self, link: OpenLink) -> None:
        """Forget a link."""
        self._flows.pop(link, None)
        if not self._flows:
            self._has_links.clear()

    async def run(self) -> None:
        """Look after every link while there are any, until cancelled."""
        while True:
            await self._has_links.wait()
            self.look()
            await asyncio.sleep(PING_EVERY_S)

    def look(self) -> None:
        """Set every pace as it is due now."""
        self._keep()
        now = self._now()
        looked: list[tuple[Flow, tuple[float, bool]]] = []
        for link, flow in self._flows.items():
            flowed = flow.flows
            flow.look(now)
            if not flow.flows:
                continue
            trip = self._measure(link.device)
            if trip is None:
                flow.let_go()
                continue
            if not flowed:
                self._begin(flow)
            looked.append((flow, trip))
        mean, late_mean = means(
            [flow.courtesy for flow, _ in looked],
            [flow.bytes_per_s for flow, _ in looked],
            [trip for _, trip in looked],
        )
        for flow, trip in looked:
            flow.note(trip, now, mean=mean, late_mean=late_mean)

    def _begin(self, flow: Flow) -> None:
        """Let a link begin with half its share of what the others have: it may well go over their line."""
        rates = [
            other.pace or other.bytes_per_s
            for other in self._flows.values()
            if other is not flow and other.flows
        ]
        if rates and flow.pace is None:
            flow.begin(int(sum(rates)) // (2 * len(rates) + 2))

    def _keep(self) -> None:
        """Let bytes go as fast as is set for this minute; who waits is disturbed by a change only."""
        minute = self._minute()
        holds = {self._all: self._of_all.at(minute)}
        for identity, paces in self._friends.items():
            holds[paces] = self._of_friends.get(identity, Bandwidth()).at(minute)
        for paces, (up, down) in holds.items():
            if self._set.get(paces, (None, None)) != (up, down):
                self._set[paces] = up, down
                paces.up.set(up)
                paces.down.set(down)

    def _now(self) -> Monotonic:
        return Monotonic(self._loop.time())
