"""What every machine owes, written once; each test package applies it to its own machines.

- Any bytes in any cuts never raise, what is kept stays under the bound, and after the terminal event
  nothing happens any more.
- Cuts do not matter.
- Deadlines are honest: early calls change nothing, and an instant that was served does not come again.
- Two ends agree after any interleaving.
- One flipped bit of a sealed stream fails closed.

A `Subject` says what the obligations need to know of a machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Generic, TypeVar

from tests.harness.clock import Clock
from tests.harness.pair import Cut, End, Pair, whole
from wire.machine import Machine

EventT = TypeVar("EventT")
MachineT = TypeVar("MachineT", bound=Machine[Any])


@dataclass(frozen=True)
class Subject(Generic[MachineT, EventT]):
    """One kind of machine.

    make: a fresh one, the same dice every time. on_event: what its owner does. flights: what an honest
    other side sends to take a fresh one through its whole life, parted where it waits for an answer.
    is_terminal: whether an event is the
    last one. held_bytes: how much of what it received a machine keeps. bound_bytes: the most it may.
    """

    name: str
    make: Callable[[Clock], MachineT]
    on_event: Callable[[MachineT, EventT], None] | None
    flights: tuple[bytes, ...]
    is_terminal: Callable[[EventT], bool]
    held_bytes: Callable[[MachineT], int]
    bound_bytes: int

    @property
    def script(self) -> bytes:
        """All flights as one."""
        return b"".join(self.flights)

    def until(self, count: int) -> Iterator[bytes]:
        """The flights up to the byte with this number."""
        for flight in self.flights:
            yield flight[: max(count, 0)]
            count -= len(flight)

    def end(self, clock: Clock) -> End[MachineT, EventT]:
        """A fresh machine with its owner."""
        return End(self.make(clock), self.on_event)

    def __str__(self) -> str:
        return self.name


def survives(
    subject: Subject[MachineT, EventT], prefix: int, noise: Sequence[bytes], waits: Sequence[float]
) -> None:
    """Feed the script up to `prefix`, then noise in these pieces with these waits in between."""
    clock = Clock()
    end = subject.end(clock)
    for flight in subject.until(prefix):
        end.receive(flight, clock)
    for number, piece in enumerate(noise):
        end.receive(piece, clock)
        assert subject.held_bytes(end.machine) <= subject.bound_bytes
        if waits:
            clock.pass_with(waits[number % len(waits)], end.machine)
            end.take_events()
    end.machine.receive_eof(now=clock.now)
    end.take_events()
    terminal = [number for number, event in enumerate(end.told) if subject.is_terminal(event)]
    assert terminal == [len(end.told) - 1], "one terminal event, and it is the last"
    _stays_quiet(end, subject, clock)


def _stays_quiet(
    end: End[MachineT, EventT], subject: Subject[MachineT, EventT], clock: Clock
) -> None:
    """After its end a machine drops everything and wants nothing."""
    end.machine.data_to_send()
    assert end.machine.deadline() is None
    end.machine.receive_data(subject.script, now=clock.now)
    end.machine.receive_eof(now=clock.now)
    end.machine.handle_deadline(now=clock.now)
    assert end.machine.events() == []
    assert end.machine.data_to_send() == b""
    assert subject.held_bytes(end.machine) == 0


def is_deaf_to_cuts(subject: Subject[MachineT, EventT], cut: Cut) -> None:
    """The script gives the same events and the same bytes whole and in pieces."""
    outcomes: list[tuple[list[EventT], bytes]] = []
    for feed in (whole, cut):
        clock = Clock()
        end = subject.end(clock)
        said = bytearray()
        for piece in chain.from_iterable(feed(flight) for flight in subject.flights):
            end.receive(piece, clock)
            said += end.machine.data_to_send()
        outcomes.append((end.told, bytes(said)))
    assert outcomes[0] == outcomes[1]


def has_honest_deadlines(subject: Subject[MachineT, EventT], prefix: int, calls: int = 50) -> None:
    """From any point of the script on, deadlines come in order, do something, and end."""
    clock = Clock()
    end = subject.end(clock)
    for flight in subject.until(prefix):
        end.receive(flight, clock)
    end.machine.data_to_send()
    for _ in range(calls):
        due = end.machine.deadline()
        assert end.machine.deadline() == due, "asking changes nothing"
        if due is None:
            return
        assert due > clock.now, "an instant that was served does not come again"
        end.machine.handle_deadline(now=clock.now)
        assert end.machine.events() == [], "nothing is due yet"
        assert end.machine.data_to_send() == b""
        assert end.machine.deadline() == due
        clock.advance(due - clock.now)
        end.machine.handle_deadline(now=clock.now)
        end.take_events()
        end.machine.data_to_send()


def fails_closed(subject: Subject[MachineT, EventT], bit: int) -> None:
    """Flip one bit of the script: the events are a prefix of the honest ones, then the end.

    Nothing that a flipped record says is ever told; what came before it may be.
    """
    honest, end = subject.end(Clock()), subject.end(Clock())
    position = bit // 8 % len(subject.script)
    clock = Clock()
    for flight in subject.flights:
        honest.receive(flight, clock)
        damaged = bytearray(flight)
        if 0 <= position < len(flight):
            damaged[position] ^= 1 << bit % 8
        position -= len(flight)
        end.receive(bytes(damaged), clock)
    end.machine.receive_eof(now=clock.now)
    end.take_events()
    *before, last = end.told
    assert subject.is_terminal(last)
    assert before == honest.told[: len(before)]
    assert len(before) < len(honest.told) - 1 or last != honest.told[-1]


SpeakT = TypeVar("SpeakT")


def agrees(
    pair: Pair[MachineT, EventT],
    speak: Callable[[MachineT, SpeakT], None],
    heard: Callable[[End[MachineT, EventT]], list[SpeakT]],
    plan: Sequence[tuple[bool, SpeakT | int]],
) -> None:
    """Both sides speak and bytes trickle in any order; in the end each heard all the other said.

    plan: (is it the left side, what it says) or (do bytes go to the right, how many); the pair is open.
    """
    said: dict[bool, list[SpeakT]] = {True: [], False: []}
    for is_left, what in plan:
        if isinstance(what, int):
            pair.carry(to_right=is_left, count=what)
        else:
            speak((pair.left if is_left else pair.right).machine, what)
            said[is_left].append(what)
    pair.run()
    assert heard(pair.right) == said[True]
    assert heard(pair.left) == said[False]
