"""Targets at a tracker's two doors before and beside any link: preambles, tickets, probes, relayed bytes.

Alice's and bob's devices were given tickets for one relay and one introduction. An input is a script:

    0 to 3   bytes come on that connection; one that is not there is made (odd ones at the second port)
    4, 5     the same behind the preamble and a ticket of the relay (bob's, alice's)
    6, 7     the same behind the preamble and a ticket of a probe
    8        that connection ends (its number is the content's first byte)
    9        time passes, everything due is served
    10       the other side of a connection does not read (or reads again)
    11       a number of bytes come at once, mostly zeros
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tests.fuzz.served import FAULTS, Inline, raise_fault, world_that_tells
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.harness.entropy import SeededEntropy
from tests.tracker.test_connection import Clock, Pipe
from tests.wire.link.sides import TRACKER_KEY, TRACKER_PRIVATE
from tracker import dispatch
from tracker.config import Config, Limits
from tracker.effects import Caller
from tracker.hub import Hub
from tracker.session import Session
from tracker.splice import BUFFER_BYTES, Half
from tracker.storage.port import AccountId
from wire import frames, limits
from wire.ids import AccountName, DeviceId, IdentityKey, LinkKey
from wire.machine import Monotonic, UnixMillis
from wire.messages import Message, Purpose
from wire.messages.reach import PunchGo

ALICE, BOB = (AccountId(1), DeviceId(b"a" * 16)), (AccountId(2), DeviceId(b"b" * 16))
_LIMITS = Limits(send_queue_bytes=2**20, relay_pair_bytes=300_000, relay_pair_bytes_per_s=200_000)
_OPEN = 4  # connections at once


class _Transport(Pipe):
    """A transport that hands its connection over when told."""

    def __init__(self, protocol: asyncio.Protocol, port: int) -> None:
        super().__init__()
        self.peer = ("192.0.2.9", port)
        self.protocol = protocol
        self.sent_bytes = 0

    def set_protocol(self, protocol: asyncio.Protocol) -> None:
        """Give the connection to somebody else."""
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        """Count what leaves."""
        check(not self.ending, "something is said after the end")
        self.sent_bytes += len(data)

    def abort(self) -> None:
        """End at once."""
        self.ending = "aborted"


class _Hearer:
    """Somebody at the tracker who is told when to dial."""

    def __init__(self) -> None:
        self.heard: list[PunchGo] = []

    def tell(self, message: Message) -> None:
        """Hear."""
        assert isinstance(message, PunchGo)
        self.heard.append(message)


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The loop that a relay's clock is; nothing ever waits in it."""
    return asyncio.new_event_loop()


class _Door:
    """A tracker's hub and the connections of one input."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.clock = Clock()
        self.clock.now = loop.time()
        self.held: list[Callable[[], object]] = []
        self.hub = Hub(
            Config(home=Path("/nowhere"), limits=_LIMITS),
            Inline(world_that_tells()),  # type: ignore[arg-type]
            link_private=TRACKER_PRIVATE,
            link_key=LinkKey(TRACKER_KEY),
            entropy=SeededEntropy(1),
            monotonic=self.clock,
            soon=self.held.append,
            later=lambda _, call: self.held.append(call),
            spawn=lambda work: work.close(),
            most_sockets=100,
        )
        self.ways: dict[int, _Transport] = {}
        self.every: list[_Transport] = []
        now = Monotonic(self.clock.now)
        caller = Caller(ALICE[0], AccountName("alice"), IdentityKey(b"i" * 32), ALICE[1])
        self.relayed = self.hub.splices.open(caller, BOB, now, UnixMillis(0))
        self.punchers = (_Hearer(), _Hearer())
        probes = self.hub.punches.open(self.punchers, now)  # type: ignore[arg-type]
        assert probes is not None
        self.probes = probes

    def way(self, number: int) -> _Transport:
        """Give a connection, made if it is not there."""
        way = self.ways.get(number)
        if way is None or way.ending:
            session = Session(self.hub, dispatch.handle, is_second=bool(number % 2))
            way = self.ways[number] = _Transport(session, 5000 + len(self.every) // 3)
            self.every.append(way)
            session.connection_made(way)  # type: ignore[arg-type]
        return way

    def hear(self, number: int, data: bytes) -> None:
        """Let bytes come, unless they are not read now."""
        way = self.way(number)
        if not way.is_paused and not way.ending:
            way.protocol.data_received(data)

    def do(self, kind: int, content: bytes) -> None:
        """Do one step."""
        number = content[0] % _OPEN if content else 0
        match kind:
            case 4 | 5:
                word = frames.preamble(Purpose.RELAY) + self.relayed[kind % 2]
                self.hear(2 * (kind % 2), word + content)
            case 6 | 7:
                word = frames.preamble(Purpose.PROBE) + self.probes[kind % 2]
                self.hear(len(content) % _OPEN, word)
            case 8 if number in self.ways:
                self.end(self.ways.pop(number))
            case 9:
                self.clock.now += len(content)
                now = Monotonic(self.clock.now)
                for session in self.hub.wheel.due(now):
                    session.on_deadline(now)
                self.hub.splices.sweep(now)
            case 10:
                way = self.way(number)
                way.waiting_bytes = 0 if way.waiting_bytes else BUFFER_BYTES
                if way.waiting_bytes:
                    way.protocol.pause_writing()
                else:
                    way.protocol.resume_writing()
            case 11:
                self.hear(number, content + bytes(int.from_bytes(content[-2:], "big")))
            case _:
                self.hear(kind % _OPEN, content)
        for way in self.every:
            if way.ending and way in self.ways.values():
                self.end(self.ways.pop(next(n for n, w in self.ways.items() if w is way)))

    def end(self, way: _Transport) -> None:
        """End a connection, as its socket would."""
        way.ending = way.ending or "lost"
        way.protocol.connection_lost(None)

    def look(self) -> None:
        """Look at the promises."""
        for way in self.every:
            if isinstance(way.protocol, Half):
                kept = len(way.protocol._early)
                check(kept <= limits.RELAY_EARLY_BYTES + 2**17, "it keeps without bound")
        check(self.hub.splices.books.open_count <= 1, "more joints than were opened")
        for hearer in self.punchers:
            check(len(hearer.heard) <= 1, "told twice to dial")


async def _run(data: bytes) -> None:
    FAULTS.clear()
    door = _Door(asyncio.get_running_loop())
    for step in steps_of(data, 40):
        door.do(step.kind % 12, step.content)
        door.look()
    for number in list(door.ways):
        door.end(door.ways.pop(number))
    door.do(9, b"x" * 200)
    check(not door.hub.sessions, "a session is kept after its end")
    check(door.hub.splices.books.open_count == 0, "a joint is kept after its end")
    check(not door.hub.splices.books._of_account, "a count is kept after its end")
    raise_fault()


def knock(data: bytes) -> None:
    """Run one script."""
    _loop().run_until_complete(_run(data))


def _seeds() -> list[bytes]:
    relay, probe = (frames.preamble(purpose) for purpose in (Purpose.RELAY, Purpose.PROBE))
    lines: list[list[tuple[int, bytes]]] = [
        [(4, b"early"), (5, b"late"), (0, b"more"), (2, b"more"), (8, b"\0"), (2, b"x")],
        [(4, b"early"), (11, b"\0\xff\xff"), (11, b"\0\xff\xff"), (5, b""), (11, b"\2\xff\xff")],
        [(4, b""), (5, b""), *((11, b"\0\xff\xff"),) * 6, (9, b"x" * 5), (8, b"\2")],
        [(4, b""), (5, b""), (10, b"\0"), (11, b"\2\xff\xff"), (10, b"\0"), (9, b"x" * 91)],
        [(7, b"x"), (7, b""), (6, b"xxx"), (6, b"xx"), (9, b"x" * 30)],
        [(6, b""), (7, b"xx"), (6, b"x"), (8, b"\0"), (7, b"")],
        [(0, relay + b"t" * 16), (1, probe + b"t" * 16), (3, relay + b"t" * 16), (2, probe[:5])],
        [(0, relay[:4]), (0, relay[4:]), (0, b"t" * 9), (9, b"x" * 30), (1, b"GET / HTTP/1.1")],
        [(number, frames.preamble(purpose)) for number in range(4) for purpose in Purpose],
    ]
    return [script_of(*line) for line in lines]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("tracker-door", knock, _seeds, Shape.SCRIPT, most_bytes=4000)]
