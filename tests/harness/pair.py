"""Two machines joined by two byte streams in memory, cut and interleaved as a test likes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import cycle
from typing import Any, Generic, TypeVar

from tests.harness.clock import Clock
from wire.machine import Machine

EventT = TypeVar("EventT")
MachineT = TypeVar("MachineT", bound=Machine[Any])

Cut = Callable[[bytes], Iterable[bytes]]
"""How a stream arrives: the pieces of what was sent."""


def whole(data: bytes) -> Iterable[bytes]:
    """All at once."""
    return [data]


def pieces(sizes: Sequence[int]) -> Cut:
    """In pieces of these sizes, again and again from the first."""

    def cut(data: bytes) -> Iterator[bytes]:
        position = 0
        for size in cycle(sizes):
            if position >= len(data):
                return
            yield data[position : position + size]
            position += size

    return cut


class End(Generic[MachineT, EventT]):
    """One machine, what it told, and the bytes that are on their way to it.

    on_event: the owner's part, called for each event, which may use the machine's verbs. flights: all that
    the machine ever handed over, parted where it was collected.
    """

    def __init__(
        self, machine: MachineT, on_event: Callable[[MachineT, EventT], None] | None = None
    ) -> None:
        self.machine = machine
        self.told: list[EventT] = []
        self.arriving = bytearray()
        self.flights: list[bytes] = []
        self._on_event = on_event

    @property
    def sent(self) -> bytes:
        """All bytes that the machine ever handed over."""
        return b"".join(self.flights)

    def take_events(self) -> None:
        """Let the owner see what happened, until nothing more does."""
        while events := self.machine.events():
            for event in events:
                self.told.append(event)
                if self._on_event is not None:
                    self._on_event(self.machine, event)

    def receive(self, data: bytes, clock: Clock) -> None:
        """Let bytes arrive."""
        self.machine.receive_data(data, now=clock.now)
        self.take_events()


class Pair(Generic[MachineT, EventT]):
    """Two ends and what lies between them."""

    def __init__(
        self, left: End[MachineT, EventT], right: End[MachineT, EventT], clock: Clock
    ) -> None:
        """Join two ends; nothing moves yet."""
        self.left = left
        self.right = right
        self.clock = clock

    def collect(self) -> None:
        """Put what both want to send on its way."""
        for end, other in ((self.left, self.right), (self.right, self.left)):
            end.take_events()
            data = end.machine.data_to_send()
            if data:
                end.flights.append(data)
                other.arriving += data

    def carry(self, *, to_right: bool, count: int) -> int:
        """Let up to `count` bytes of one direction arrive as one piece; gives how many."""
        self.collect()
        end = self.right if to_right else self.left
        data = bytes(end.arriving[:count])
        del end.arriving[: len(data)]
        if data:
            end.receive(data, self.clock)
        self.collect()
        return len(data)

    def run(self, cut: Cut = whole) -> None:
        """Carry everything both ways until both are quiet."""
        for _ in range(10_000):
            self.collect()
            if not self.left.arriving and not self.right.arriving:
                return
            for end in (self.right, self.left):
                data = bytes(end.arriving)
                end.arriving.clear()
                for piece in cut(data):
                    end.receive(piece, self.clock)
        raise AssertionError("the two never come to rest")

    def lose(self) -> None:
        """Cut the line: what is on its way is lost, both see the end."""
        for end in (self.left, self.right):
            end.arriving.clear()
            end.machine.receive_eof(now=self.clock.now)
            end.take_events()
