"""Who is being introduced for a simultaneous open, what each side's probes looked like from here, and when to go.

Pure and in memory, over `now`. Each side gets a ticket, shows it on connections from one port of its own to
this tracker's two ports, and hears at the same moment as the other where that one was seen. A router that
gives each connection another port shows here, and nobody tries in vain then.
"""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from msgspec import Struct, field

from wire import limits
from wire.machine import Entropy, Monotonic
from wire.messages import Message
from wire.messages.reach import PunchGo


class Hearer(Protocol):
    """What is told of it."""

    def tell(self, message: Message) -> None:
        """Send a message that may not wait."""
        ...


HearerT = TypeVar("HearerT", bound=Hearer)
Place = tuple[str, int]


class Side(Struct, Generic[HearerT]):
    """One of two who are introduced. seen: by its connection to each of the tracker's ports."""

    session: HearerT
    ticket: bytes
    seen: dict[bool, Place] = field(default_factory=dict)

    @property
    def is_ready(self) -> bool:
        """Whether the probe came that is sent last."""
        return False in self.seen

    @property
    def place(self) -> Place | None:
        """Where its next connection from the same port will come from; None if that cannot be told."""
        return self.seen[False] if len(set(self.seen.values())) == 1 else None


class Punch(Struct, Generic[HearerT], eq=False):
    """Two sides, the asker first, or one that asks for itself. until: when it is given up."""

    sides: tuple[Side[HearerT], ...]
    until: Monotonic


class Punches(Generic[HearerT]):
    """All introductions of one tracker."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy
        self._by_ticket: dict[bytes, tuple[Punch[HearerT], Side[HearerT]]] = {}

    def open(self, sessions: tuple[HearerT, ...], now: Monotonic) -> tuple[bytes, ...] | None:
        """Give a ticket to each of two, or to one that asks for itself; None while there are as many as may be."""
        self._expire(now)
        if len(self._by_ticket) >= 2 * limits.PUNCHES:
            return None
        sides = tuple(
            Side(session, self._entropy.bytes(limits.TICKET_BYTES)) for session in sessions
        )
        punch = Punch(sides, Monotonic(now + limits.TICKET_S))
        for side in punch.sides:
            self._by_ticket[side.ticket] = (punch, side)
        return tuple(side.ticket for side in sides)

    def probed(self, ticket: bytes, place: Place, now: Monotonic, *, is_second: bool) -> bool:
        """Take a connection that showed a ticket; False if it is none that is awaited.

        place: host and port it comes from. is_second: it came to the second port, which is probed first. Once
        both sides are known they are told, in one turn of the loop.
        """
        found = self._by_ticket.get(ticket)
        if found is None or now >= found[0].until or is_second in found[1].seen:
            return False
        punch, side = found
        side.seen[is_second] = place
        if all(each.is_ready for each in punch.sides):
            self._go(punch)
        return True

    def _go(self, punch: Punch[HearerT]) -> None:
        places = [side.place for side in punch.sides]
        for side, other in zip(punch.sides, reversed(places), strict=True):
            host, port = other if None not in places and other is not None else ("", 0)
            side.session.tell(PunchGo(side.ticket, host, port))
            del self._by_ticket[side.ticket]

    def _expire(self, now: Monotonic) -> None:
        late = [ticket for ticket, (punch, _) in self._by_ticket.items() if now >= punch.until]
        for ticket in late:
            del self._by_ticket[ticket]
