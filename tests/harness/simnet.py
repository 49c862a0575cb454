"""A simulated network: peers' real functions over memory, on links that delay, cut and split the world.

One heap of events in simulated milliseconds, one seed for everything. Each peer runs the functions the
node runs (`conversations`, `syncing`, `contacts`) over a `MemoryDatabase`; every message crosses a link as
the bytes of `wire.codec`. A commit comes later than the write it makes durable, and nothing leaves before
it: a crash in between loses the write and everything that would have followed, and every link.

What is not simulated: sockets, threads, the handshake and records. They have rings of their own.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from peer import contacts, conversations, history, syncing
from peer.effects import Ask, CloseLinks, Effect, PushEvents, PushReceipt, SendOnLink, Tell
from peer.store import own, place
from peer.store.memory import Connection, MemoryDatabase
from tests.harness.entropy import SeededEntropy
from wire.codec import decode, encode
from wire.errors import WireError
from wire.identity import DeviceKeys, first_device
from wire.ids import AccountName
from wire.machine import UnixMillis
from wire.messages import Message, Purpose, friends
from wire.messages.conversation import Devices, Digests, Events, Receipt, Vector

START = 1_700_000_000_000
COMMIT_MS = 5


class Simulation:
    """The clock, the dice, and what is to happen."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.seed = seed
        self.now = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0

    def wall(self) -> UnixMillis:
        return UnixMillis(START + self.now)

    def after(self, delay_ms: int, do: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay_ms, self._count, do))

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due up to that instant, in order."""
        while self._heap and self._heap[0][0] <= until_ms:
            self.now, _, do = heapq.heappop(self._heap)
            do()
        self.now = until_ms


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


@dataclass
class SimPeer:
    """One person's node: its database and what it has in memory."""

    world: Simulation
    name: str
    keys: DeviceKeys
    entropy: SeededEntropy
    database: MemoryDatabase
    cables: dict[str, Cable] = field(default_factory=dict)
    sessions: dict[str, syncing.Session] = field(default_factory=dict)
    asks: deque[Message] = field(default_factory=deque)
    accepted: dict[bytes, str] = field(default_factory=dict)  # id -> text: what `say` promised
    shown: list[tuple[str, str]] = field(default_factory=list)  # ids told to the faces, by kind
    boots: int = 0
    is_committing: bool = False
    faults: list[WireError] = field(default_factory=list)

    @classmethod
    def make(cls, world: Simulation, name: str) -> SimPeer:
        entropy = SeededEntropy(f"{world.seed}/{name}")
        keys = first_device(entropy.bytes(32), "sim", now=world.wall(), entropy=entropy)
        peer = cls(world, name, keys, entropy, MemoryDatabase(entropy))
        peer.database.write(own.remember, keys, AccountName(name), None, b"vault", 1, world.wall())
        peer.database.commit()
        return peer

    # --- what a person does

    def say(self, to: str, text: str) -> None:
        """Say something; it counts as accepted only once the commit came (D1)."""

        def accepted(said: tuple[object, list[Effect]]) -> None:
            state, effects = said
            self.accepted[bytes.fromhex(state.id)] = text  # type: ignore[attr-defined]
            self.carry_out(effects)

        self.database.submit(
            accepted, conversations.say, self.keys, to, text, None, self.world.wall(), self.entropy
        )
        self._commit_soon()

    def crash(self) -> None:
        """Lose everything but what was committed; come back at once, unlinked."""
        for cable in list(self.cables.values()):
            cable.cut()
        self.database.crash()
        self.boots += 1
        self.is_committing = False

    def restore(self, image: Connection) -> None:
        """Come back with an old database: the stamp beside it would not match, so a new epoch."""
        self.crash()
        self.database.restore(image)
        self.database.write(place.take_new_epoch, self.entropy)
        self.database.commit()

    def texts(self, friend: str) -> list[str]:
        return [message.text for message in self.database.read(history.messages, friend)]

    # --- what the node does

    def linked(self, far: SimPeer, cable: Cable) -> None:
        self.sessions[far.name] = syncing.Session(far.keys.device, far.keys.identity)
        self._write(
            cable, syncing.opened, self.keys, far.keys.device, far.keys.identity,
            far.keys.certificate, far.keys.device_list,
        )  # fmt: skip

    def receive(self, far: SimPeer, cable: Cable, message: Message) -> None:
        session = self.sessions[far.name]
        try:
            if isinstance(message, Digests | Vector):
                self.database.commit()  # the node's reader sees committed rows only
                if not cable.is_cut:
                    self.carry_out(self.database.read(syncing.compare, session, message))
                    self.push_on(far.name)
            else:
                assert isinstance(message, Events | Receipt | Devices)
                self._write(
                    cable, syncing.store, self.keys, far.keys.identity, message, self.world.wall(),
                    came=(session, message),
                )  # fmt: skip
        except WireError as error:
            self.faults.append(error)
            cable.cut()

    def push_on(self, name: str) -> None:
        """Send what the other end lacks; the node's reader sees committed rows only, so commit first."""
        self.database.commit()
        while name in self.sessions:
            effects = self.database.read(syncing.next_batch, self.sessions[name])
            if not effects:
                return
            self.carry_out(effects)

    def carry_out(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case SendOnLink(device=device, message=message):
                    for name, session in list(self.sessions.items()):
                        if session.device == device:
                            self.cables[name].send(self, message)
                case PushEvents():
                    for name in list(self.sessions):
                        self.push_on(name)
                case PushReceipt(conversation=conversation, signed=signed):
                    friend = self.database.read(conversations.of_id, conversation).friend
                    if friend in self.cables:
                        self.cables[friend].send(self, Receipt(signed))
                case Tell(event=event):
                    self.shown.append((event.event, str(event.body.get("id", ""))))
                case Ask(message=message):
                    self.asks.append(message)
                case CloseLinks():
                    for cable in list(self.cables.values()):
                        cable.cut()
                case _:
                    pass

    def _write(self, cable, fn, *args, came=None) -> None:
        def then(effects: list[Effect]) -> None:
            if not cable.is_cut and came is not None and isinstance(came[1], Events):
                syncing.stored(*came)
            self.carry_out(effects)

        try:
            self.database.submit(then, fn, *args)
        except WireError as error:
            self.faults.append(error)
            cable.cut()
            return
        self._commit_soon()

    def _commit_soon(self) -> None:
        if self.is_committing:
            return
        self.is_committing = True
        boot = self.boots

        def commit() -> None:
            if self.boots == boot:
                self.is_committing = False
                self.database.commit()

        self.world.after(self.world.dice.randrange(1, COMMIT_MS + 1), commit)


def befriend(one: SimPeer, other: SimPeer) -> None:
    """Let two become friends by signed request and answer; the harness carries what a tracker would."""
    world = one.world
    made = one.database.write(
        contacts.ask, one.keys, AccountName(other.name), "", pinned=None,
        found=other.keys.identity, now=world.wall(), entropy=one.entropy,
    )  # fmt: skip
    asked = _ask_of(made[1], friends.AskFriend)
    delivered = friends.FriendAsked(AccountName(one.name), asked.signed, world.wall())
    other.database.write(contacts.on_asked, other.keys, delivered, world.wall())
    answered = other.database.write(
        contacts.answer, other.keys, one.name, accept=True, now=world.wall()
    )
    reply = _ask_of(answered[1], friends.AnswerFriend)
    back = friends.FriendAnswered(AccountName(other.name), True, reply.signed, world.wall())
    one.database.write(contacts.on_answered, back, world.wall())
    one.database.commit()
    other.database.commit()


def _ask_of(effects, kind):
    return next(e.message for e in effects if isinstance(e, Ask) and isinstance(e.message, kind))
