"""Tests of a machine as a screenplay: what it hears, what it tells, what it says, how time passes.

    (
        Playbook(link, clock)
        .hears(ghost.record(Ping(7)))
        .says(ghost.reads(Pong(7)))
        .tells()
        .waits(60)
        .tells(LinkClosed(Code.LINK_SILENT, "", Ending.US))
    )

`tells` compares the whole list of events since the last one: what is not written down did not happen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Self, TypeVar

from tests.harness.clock import Clock
from wire.machine import Machine

EventT = TypeVar("EventT")


class Playbook(Generic[EventT]):
    """One machine on the stage."""

    def __init__(self, machine: Machine[EventT], clock: Clock) -> None:
        """Begin with a machine in whatever state it is."""
        self.machine = machine
        self.clock = clock

    def hears(self, *data: bytes) -> Self:
        """Bytes arrive, each argument as one piece."""
        for piece in data:
            self.machine.receive_data(piece, now=self.clock.now)
        return self

    def hears_the_end(self) -> Self:
        """The stream ends."""
        self.machine.receive_eof(now=self.clock.now)
        return self

    def waits(self, seconds: float) -> Self:
        """Time passes; the machine is called when it wants to be."""
        self.clock.pass_with(seconds, self.machine)
        return self

    def does(self, verb: Callable[[], object]) -> Self:
        """The owner uses a verb."""
        verb()
        return self

    def tells(self, *events: EventT) -> Self:
        """Exactly these events happened since the last look."""
        assert self.machine.events() == list(events)
        return self

    def tells_kinds(self, *kinds: type[EventT]) -> Self:
        """Exactly events of these kinds happened since the last look."""
        assert [type(event) for event in self.machine.events()] == list(kinds)
        return self

    def says(self, reader: Callable[[bytes], None]) -> Self:
        """What goes out satisfies the reader, which asserts."""
        reader(self.machine.data_to_send())
        return self

    def says_nothing(self) -> Self:
        """Nothing goes out."""
        assert self.machine.data_to_send() == b""
        return self
