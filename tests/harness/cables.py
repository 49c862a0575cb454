"""Links of the simulated network: two ordered streams of bytes that arrive late, or never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness.simulation import Simulation
from wire.codec import decode, encode
from wire.messages import Message, Purpose

if TYPE_CHECKING:
    from tests.harness.simnet import SimPeer


class Cable:
    """One link between two peers: two ordered streams, each with a delay of its own, until it is cut."""

    def __init__(self, world: Simulation, one: SimPeer, other: SimPeer) -> None:
        self.world = world
        self.ends = (one, other)
        self.is_cut = False
        self._arrives = {id(one): 0, id(other): 0}
        for end, far in ((one, other), (other, one)):
            end.cables[far.name] = self
        for end, far in ((one, other), (other, one)):
            end.linked(far, self)

    def send(self, sender: SimPeer, message: Message) -> None:
        """Put a message's bytes on the way; a stream keeps its order, whatever the delays are."""
        receiver = self.ends[1] if sender is self.ends[0] else self.ends[0]
        raw = encode(Purpose.PEER, message)
        due = self.world.now + self.world.dice.choice((1, 1, 5, 20, 80, 300))
        due = max(due, self._arrives[id(receiver)])
        self._arrives[id(receiver)] = due
        self.world.after(due - self.world.now, lambda: self._arrive(receiver, sender, raw))

    def cut(self) -> None:
        """Lose the link and everything under way on it."""
        if self.is_cut:
            return
        self.is_cut = True
        one, other = self.ends
        for end, far in ((one, other), (other, one)):
            if end.cables.get(far.name) is self:
                del end.cables[far.name]
                end.sessions.pop(far.name, None)

    def _arrive(self, receiver: SimPeer, sender: SimPeer, raw: bytes) -> None:
        if not self.is_cut:
            message = decode(Purpose.PEER, raw)
            assert message is not None
            receiver.receive(sender, self, message)
