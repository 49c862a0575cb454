"""Targets on a link: each role and purpose, from its first byte or from any state, by scripts.

The first byte of an input says where it begins (`_Beginning`), the rest is a script:

    0 bytes as they are     1 a record well sealed        2 a sealed record with one bit flipped
    3 a sealed record again 4 time passes (its length)    5 the stream ends
    6 we say the content    7 we ping                     8 we close
    9 a record in pieces    10 what follows is refused where it would be admitted
"""

from __future__ import annotations

import copy
import enum
from functools import cache, partial
from typing import TypeVar

from tests.fuzz.seeds import records
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.harness.clock import Clock
from tests.harness.entropy import SeededEntropy
from tests.wire.link.sides import (
    ALICE,
    Ghost,
    called,
    caller,
    haunted,
    hello_of,
    opened,
    own_hello,
    replayed,
)
from wire import codec, limits
from wire.channel.records import Opener, Sealer
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.link import ChunkReceived, Link, LinkClosed, LinkEvent, LinkIdentified, LinkState, Role
from wire.link.stream import Stream
from wire.messages import Message, Purpose
from wire.messages.session import Close, HelloAnonymous, Ping

PURPOSES = (Purpose.TRACKER, Purpose.PEER, Purpose.DATA)
_BOOT_S = 1000.0
KeyT = TypeVar("KeyT", Sealer, Opener)


class _Beginning(enum.IntEnum):
    GREETING = 0
    PROVING = 1
    OPEN = 2


@cache
def _begun(role: Role, purpose: Purpose, state: _Beginning) -> tuple[Link, Ghost | None]:
    """One link of that role in that state, and the other side; never touched again, only copied."""
    clock = Clock(_BOOT_S)
    if state is _Beginning.PROVING:
        return haunted(role, purpose, clock)
    if state is _Beginning.OPEN:
        return opened(role, purpose, clock)
    config = caller(purpose) if role is Role.INITIATOR else called(purpose)
    _, make = replayed(role, purpose, lambda _: None)
    return (
        make(clock)
        if role is Role.INITIATOR
        else Link(role, config, now=clock.now, entropy=SeededEntropy(6))
    ), None


def twin(link: Link) -> Link:
    """Give a link that goes on from where another is: a handshake for each input would cost the most."""
    made = copy.copy(link)
    stream, made._stream = link._stream, Stream(link._config.purpose)
    made._stream.incoming = copy.copy(stream.incoming)
    made._stream.incoming._buffer = bytearray(stream.incoming._buffer)
    if stream.keys is not None:
        sealer, opener = stream.keys
        made._stream.keys = twin_key(sealer), twin_key(opener)
    made._keepalive = copy.copy(link._keepalive)
    made._happened = []
    if link._handshake is not None:
        # The keys in it are never changed, only replaced.
        made._handshake = shake = copy.copy(link._handshake)
        shake._noise = copy.copy(shake._noise)
        shake._noise._symmetric = copy.copy(shake._noise._symmetric)
        shake._noise._symmetric._cipher = copy.copy(shake._noise._symmetric._cipher)
    return made


def twin_key(key: KeyT) -> KeyT:
    """Give one end of the records that goes on from where another is."""
    made = copy.copy(key)
    made._cipher = copy.copy(key._cipher)
    return made


class _Run:
    """One input on one link."""

    def __init__(self, role: Role, purpose: Purpose, state: _Beginning) -> None:
        link, ghost = _begun(role, purpose, state)
        self.link = twin(link)
        self.purpose = purpose
        self.sealer = None if ghost is None or ghost._sealer is None else twin_key(ghost._sealer)
        self.clock = Clock(_BOOT_S)
        self.told: list[LinkEvent] = []
        self.refuses = False
        self.last = b""
        self.link.data_to_send()
        most = limits.DATA_RECORD_BYTES if purpose is Purpose.DATA else limits.CONTROL_RECORD_BYTES
        self.bound = most + limits.TAG_BYTES + limits.LENGTH_BYTES

    def do(self, kind: int, content: bytes) -> None:
        """Do one step and look at the promises."""
        link, now = self.link, self.clock.now
        match kind:
            case 1 | 2 | 3 | 9:
                self._record(kind, content)
            case 4:
                self._wait(len(content))
            case 5:
                link.receive_eof(now=now)
            case 6:
                self._say(content)
            case 7:
                if link.state is LinkState.OPEN:
                    link.ping(now=now)
            case 8:
                link.close()
            case 10:
                self.refuses = True
            case _:
                self._hear(content)
        self._look()

    def _hear(self, data: bytes) -> None:
        self.link.receive_data(data, now=self.clock.now)

    def _record(self, kind: int, content: bytes) -> None:
        if self.sealer is None or not content:
            self._hear(content)
            return
        sealed = self.last if kind == 3 and self.last else self.sealer.seal(content)
        self.last = sealed
        if kind == 2:
            place = 4 + len(content) % (len(sealed) - 4)
            sealed = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
        step = len(sealed) if kind != 9 else max(1, len(sealed) // 3)
        for at in range(0, len(sealed), step):
            self._hear(sealed[at : at + step])

    def _say(self, content: bytes) -> None:
        """Say what decodes; what is out of bounds or of order is our own fault, by its name."""
        try:
            message = codec.decode(self.purpose, content)
        except RemoteProtocolError:
            return
        if message is None:
            return
        try:
            self.link.send(message, now=self.clock.now)
        except LocalProtocolError:
            check(self.link.state is not LinkState.OPEN, "an open link does not take a message")

    def _wait(self, seconds: float) -> None:
        due = self.link.deadline()
        if due is not None and due > self.clock.now:
            self.link.handle_deadline(now=self.clock.now)
            check(self.link.deadline() == due, "an early call changes a deadline")
        self.clock.pass_with(seconds, self.link)
        due = self.link.deadline()
        check(due is None or due > self.clock.now, "an instant that was served comes again")

    def _look(self) -> None:
        link = self.link
        while events := link.events():
            for event in events:
                self.told.append(event)
                if isinstance(event, LinkIdentified):
                    if self.refuses:
                        link.refuse(Code.NOT_ADMITTED, "not today")
                    else:
                        link.admit(own_hello(self.purpose))
                if isinstance(event, ChunkReceived):
                    check(self.purpose is Purpose.DATA, "a chunk on a control link")
        check(link._stream.incoming.buffered_bytes <= self.bound, "more is kept than the bound")
        check(link.unsent_bytes <= 2 * self.bound, "an answer larger than what it answers")
        link.data_to_send()
        ends = [at for at, event in enumerate(self.told) if isinstance(event, LinkClosed)]
        is_over = link.state is LinkState.CLOSED
        check(ends == ([len(self.told) - 1] if is_over else []), "one last event, and it is last")
        if is_over:
            check(link.deadline() is None, "a closed link has a deadline")
            check(link._stream.incoming.buffered_bytes == 0, "a closed link keeps bytes")


def drive(role: Role, purpose: Purpose, data: bytes) -> None:
    """Run one input."""
    run = _Run(
        role, purpose, _Beginning(data[0] % len(_Beginning)) if data else _Beginning.GREETING
    )
    for step in steps_of(data[1:], 48):
        run.do(step.kind, step.content)
    run.do(5, b"")
    run.do(0, b"late")
    check(run.link.state is LinkState.CLOSED, "the end of the stream is not the end")


def _seeds(role: Role, purpose: Purpose) -> list[bytes]:
    """Begin with every message on an open link, a whole opening, and one with time passing."""
    said = [record for record in records(purpose, 1) if len(record) < 2000]
    ours: list[Message] = [hello_of(ALICE), Close("goodbye", "bye"), Ping(1)]
    first = own_hello(purpose) if role is Role.INITIATOR else hello_of(ALICE)
    if purpose is Purpose.TRACKER and role is Role.RESPONDER:
        ours.append(HelloAnonymous())
    encoded = [codec.encode(purpose, message) for message in [first, *ours]]
    heard, _ = replayed(role, purpose, lambda pair: pair.left.machine.close())
    found = [bytes((_Beginning.OPEN,)) + script_of((1, record)) for record in said]
    found += [bytes((_Beginning.PROVING,)) + script_of((1, record)) for record in encoded]
    found.append(bytes((_Beginning.GREETING,)) + script_of(*((0, flight) for flight in heard)))
    found.append(
        bytes((_Beginning.PROVING,))
        + script_of((1, encoded[0]), *((kind, said[0]) for kind in (6, 1, 9, 2)), (4, b"x" * 70))
    )
    found.append(
        bytes((_Beginning.OPEN,)) + script_of((7, b""), (4, b"x" * 21), (1, encoded[3]), (8, b""))
    )
    return found


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target(
            f"link-{role.name.lower()}-{purpose.name.lower()}",
            partial(drive, role, purpose),
            partial(_seeds, role, purpose),
            Shape.SCRIPT,
            1,
            most_bytes=8000,
        )
        for role in Role
        for purpose in PURPOSES
    ]
