"""Simultaneous open: both sides dial each other at one moment, each from the port that the tracker saw it at.

A router that lets nothing in takes the other's connection for the answer to its own. What lives here: one
attempt's sockets. What does not: when it is tried (`dialer`, `meeting`). Never a low first TTL: a router on the way
may answer it for the other side.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from typing import Protocol

from peer.people.roster import Target
from peer.pump import Pump
from peer.reach import outward
from peer.reach.candidates import may_dial
from peer.reach.paths import NOT_AT_ONE_MOMENT, PUNCHED
from wire import frames, limits
from wire.ids import AccountName, DeviceId, RequestId
from wire.messages import Message, Purpose
from wire.messages.reach import AskPunch, Punch, PunchGo

AGAIN_S = 1 / limits.DIALS_PER_S
"""After a refusal: the other side's router has not seen its own connection leave yet."""

UNPROBED = (
    "the probes for dialling at one moment did not get through to the tracker or the other side"
)
OTHER_PORTS = (
    "a router between gives each connection another port, so that dialling at one moment cannot work"
    " (hobnob doctor says whether it is yours)"
)
OTHER_FAMILY = "the tracker sees one of the two by IPv4 and the other by IPv6, between which no connection can be opened"

Place = tuple[str, int]


class Ask(Protocol):
    """What asks the tracker; raises PeerError."""

    def __call__(
        self, build: Callable[[RequestId], Message], answer: type[Punch], /
    ) -> Awaitable[Punch]:
        """Ask one thing."""


class Surroundings(Protocol):
    """Where we are, as the tracker link shows it."""

    hosts: tuple[str, ...]
    tracker_host: str
    is_loopback: bool


class Punching:
    """The attempts of one node.

    ask: asks the tracker. tracker_port: of its links. begin: makes the link on a connection that opened, for the
    target and purpose it was meant for.
    """

    def __init__(
        self,
        *,
        ask: Ask,
        surroundings: Surroundings,
        tracker_port: int,
        begin: Callable[[Target, Purpose], Pump],
    ) -> None:
        self._ask = ask
        self._surroundings = surroundings
        self._tracker_port = tracker_port
        self._begin = begin
        self._awaited: dict[bytes, asyncio.Future[Place | None]] = {}
        self.why_not: dict[DeviceId, str] = {}  # at the last try with a device, in words

    async def call(self, target: Target, purpose: Purpose) -> bool:
        """Ask to be introduced, and try; True once a connection stands. Raises PeerError if the tracker refuses."""
        name = AccountName(target.friend)
        answer = await self._ask(
            lambda request: AskPunch(request, name, target.device, int(purpose)), Punch
        )
        return await self.meet(target, purpose, answer.ticket, answer.second_port)

    async def meet(self, target: Target, purpose: Purpose, ticket: bytes, second_port: int) -> bool:
        """Probe, wait for the word to go, and dial; True once a connection stands."""
        awaited = self._await(ticket)
        self.why_not[target.device] = UNPROBED
        try:
            with ExitStack() as sockets, suppress(OSError, TimeoutError):
                async with asyncio.timeout(limits.TICKET_S):
                    port = await self._probe(sockets, ticket, second_port)
                    place = await awaited
                self.why_not[target.device] = OTHER_PORTS if place is None else NOT_AT_ONE_MOMENT
                if place is not None and self._is_of_another_family(place):
                    self.why_not[target.device] = OTHER_FAMILY
                elif place is not None and self._may_dial(place):
                    pump = self._begin(target, purpose)
                    pump.path = PUNCHED
                    async with asyncio.timeout(limits.PUNCH_S):
                        opened = await self._dial(place, port)
                    loop = asyncio.get_running_loop()
                    await loop.create_connection(lambda: pump, sock=opened)
                    return True
        finally:
            del self._awaited[ticket]
        return False

    async def seen(self, ticket: bytes, second_port: int) -> Place | None:
        """Probe the tracker; gives where one port is seen, None if each connection gets another.

        Raises OSError or TimeoutError if the probes do not get through.
        """
        awaited = self._await(ticket)
        try:
            with ExitStack() as sockets:
                async with asyncio.timeout(limits.PUNCH_S):
                    await self._probe(sockets, ticket, second_port)
                    return await awaited
        finally:
            del self._awaited[ticket]

    def go(self, said: PunchGo) -> None:
        """Take the tracker's word that both sides are known, or that no dialling would meet."""
        awaited = self._awaited.get(said.ticket)
        if awaited is not None and not awaited.done():
            awaited.set_result((said.host, said.port) if said.host else None)

    # --- inside

    def _await(self, ticket: bytes) -> asyncio.Future[Place | None]:
        awaited: asyncio.Future[Place | None] = asyncio.get_running_loop().create_future()
        self._awaited[ticket] = awaited
        return awaited

    async def _probe(self, sockets: ExitStack, ticket: bytes, second_port: int) -> int:
        """Show the ticket from one fresh port; gives that port. The connections stay until `sockets` is left."""
        host, port = self._surroundings.tracker_host, 0
        for far_port in (second_port, self._tracker_port):
            if far_port == 0:
                continue
            probe = sockets.enter_context(_bound(host, port))
            port = probe.getsockname()[1]
            loop = asyncio.get_running_loop()
            await loop.sock_connect(probe, (host, far_port))
            await loop.sock_sendall(probe, frames.preamble(Purpose.PROBE) + ticket)
        return port

    async def _dial(self, place: Place, port: int) -> socket.socket:
        """Dial from the probed port until it opens; the caller bounds the time."""
        loop = asyncio.get_running_loop()
        while True:
            ours = _bound(place[0], port)
            try:
                await loop.sock_connect(ours, place)
            except OSError:
                ours.close()
                await asyncio.sleep(AGAIN_S)
            except BaseException:
                ours.close()
                raise
            else:
                return ours

    def _is_of_another_family(self, place: Place) -> bool:
        """Say whether the probed port, which is of the tracker's family, cannot be dialled from to there."""
        return (":" in place[0]) is not (":" in self._surroundings.tracker_host)

    def _may_dial(self, place: Place) -> bool:
        around = self._surroundings
        return may_dial(place[0], around.hosts, may_loopback=around.is_loopback)


def _bound(far_host: str, port: int) -> socket.socket:
    """Make a socket of the other end's family at a local port that several may share; port: 0 for a fresh one."""
    family = socket.AF_INET6 if ":" in far_host else socket.AF_INET
    made = outward.make_socket(family, has_place=True)
    try:
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((outward.bound_address(), port))
        outward.keep_small(made, far_host)
    except OSError:
        made.close()
        raise
    return made
