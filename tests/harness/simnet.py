"""A simulated network: peers' real functions over memory, on links that delay, cut and split the world.

One heap of events in simulated milliseconds, one seed for everything. Each peer is one device; it runs what the
node runs (`conversations`, `syncing`, `contacts`) over a `MemoryDatabase`; every message crosses a link as the bytes
of `wire.codec`. A commit comes later than the write it makes durable, and nothing leaves before it: a crash in
between loses the write, everything that would have followed, and every link.

Sockets, threads, the handshake and records have rings of their own. What a tracker would carry (friend requests,
device lists, the contacts of a new device) the harness carries.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from peer import conversations
from peer.effects import Ask, CloseLinks, Effect, PushEvents, SendOnLink, Tell
from peer.history import transcript
from peer.log import live, syncing
from peer.log.sessions import Session
from peer.people import befriending, overtures
from peer.store import devices, own, place
from peer.store.memory import Connection, MemoryDatabase
from tests.harness.cables import Cable
from tests.harness.entropy import SeededEntropy
from tests.harness.simulation import Simulation
from wire.errors import WireError
from wire.identity import DeviceKeys, add_device, first_device, read_device_list
from wire.ids import AccountName
from wire.machine import UnixMillis
from wire.messages import Message, friends

__all__ = ["Cable", "SimPeer", "Simulation", "befriend"]

COMMIT_MS, SWEEP_MS = 5, 1000
FOLD_MS = 100  # how long a crash may undo what is told again, as in `peer.store.writer`


@dataclass
class SimPeer:
    """One device of a person: its database and what its node has in memory.

    name: of the device, unique in its world. account: whose it is. seed: of the identity.
    """

    world: Simulation
    name: str
    account: str
    seed: bytes
    keys: DeviceKeys
    entropy: SeededEntropy
    database: MemoryDatabase
    cables: dict[str, Cable] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    asks: deque[Message] = field(default_factory=deque)
    accepted: dict[bytes, str] = field(default_factory=dict)  # id -> text: what `say` promised
    shown: list[tuple[str, str]] = field(default_factory=list)  # ids told to the faces, by kind
    boots: int = 0
    is_committing: bool = False
    ticks_at: int | None = None
    seen: int = 0  # rows of `events` noted in the world
    faults: list[WireError] = field(default_factory=list)
    lies: list[str] = field(default_factory=list)  # promises broken at the moment they were broken
    clock_off_ms: int = 0  # of this device's wall clock

    @classmethod
    def make(cls, world: Simulation, name: str, *, age_ms: int = 0) -> Self:
        """Make a person with one device, made so long ago."""
        entropy = SeededEntropy(f"{world.seed}/{name}")
        seed = entropy.bytes(32)
        made = UnixMillis(world.wall() - age_ms)
        keys = first_device(seed, "sim", now=made, entropy=entropy)
        return cls._born(world, name, name, seed, keys, entropy)

    @classmethod
    def _born(
        cls,
        world: Simulation,
        name: str,
        account: str,
        seed: bytes,
        keys: DeviceKeys,
        entropy: SeededEntropy,
    ) -> Self:
        database = MemoryDatabase(entropy, world.wall())
        peer = cls(world, name, account, seed, keys, entropy, database)
        database.write(own.remember, keys, AccountName(account), None, b"vault", 1, world.wall())
        database.commit()
        return peer

    def log_in(self, name: str, others: Iterable[SimPeer] = ()) -> Self:
        """Make another device of this account, with its friends; others: those that exist, told of it."""
        world = self.world
        entropy = SeededEntropy(f"{world.seed}/{name}")
        mine = self.database.read(own.need_account)
        listed = read_device_list(mine.device_list, mine.identity)
        keys = add_device(self.seed, listed, name, now=world.wall(), entropy=entropy)
        made = self._born(world, name, self.account, self.seed, keys, entropy)
        rows = self.database.connection.execute(
            "SELECT name, identity, state, since, device_list, list_counter FROM contacts"
            " WHERE state <> 'own'"
        ).fetchall()
        made.database.connection.executemany(
            "INSERT INTO contacts (name, identity, state, since, device_list, list_counter)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            rows,
        )
        known: list[SimPeer] = [self, *others]
        for one in known:
            one.learn_list(keys.device_list)
        return made

    def copied(self, name: str) -> SimPeer:
        """Make a copy of this home: the same device twice."""
        entropy = SeededEntropy(f"{self.world.seed}/{name}")
        database = MemoryDatabase(entropy, self.wall())
        database.restore(self.database.image())
        database.write(place.take_new_epoch, entropy, self.wall())
        database.commit()
        return SimPeer(self.world, name, self.account, self.seed, self.keys, entropy, database)

    def learn_list(self, device_list: bytes) -> None:
        """Take a newer list of the own account, as a tracker would say it at every login."""
        self.database.write(devices.note_list, self.keys.identity, device_list)
        self._note_stored()
        self.database.commit()

    # --- what a person does

    def say(self, to: str, text: str) -> None:
        """Say something; it counts as accepted only once the commit came (D1)."""

        def accepted(said: tuple[object, list[Effect]]) -> None:
            state, effects = said
            self.accepted[bytes.fromhex(state.id)] = text  # type: ignore[attr-defined]
            self.carry_out(effects)

        self.database.submit(
            accepted, conversations.say, self.keys, to, text, None, self.wall(), self.entropy
        )
        self._commit_soon()

    def wall(self) -> UnixMillis:
        """Give what this device's wall clock shows."""
        return UnixMillis(self.world.wall() + self.clock_off_ms)

    def jump(self, by_ms: int) -> None:
        """Set this device's wall clock forwards, or back."""
        self.clock_off_ms += by_ms
        self.ticks_at = None
        self._tick_in_time()

    def crash(self) -> None:
        """Lose everything but what was committed; come back at once, unlinked."""
        for cable in list(self.cables.values()):
            cable.cut()
        self.database.crash()
        self.boots += 1
        self.is_committing = False
        self.ticks_at = None
        self._tick_in_time()

    def restore(self, image: Connection, *, is_noticed: bool = True) -> None:
        """Come back with an old database.

        is_noticed: the stamp beside it does not match, so a new epoch is taken; else everything was put back,
        the stamp too, as with the image of a whole machine.
        """
        newest = self.database.read(own.need_account).device_list
        self.crash()
        self.database.restore(image)
        self.shown.clear()
        (self.seen,) = self.database.connection.execute(
            "SELECT coalesce(max(number), 0) FROM events"
        ).fetchone()
        if is_noticed:
            self.database.write(place.take_new_epoch, self.entropy, self.wall())
        self.learn_list(newest)
        self._tick_in_time()

    def texts(self, friend: str) -> list[str]:
        """Give what was said with a friend, in display order."""
        found = self.database.read(transcript.messages, friend)
        return [message.text for message in found if message.kind == "message"]

    def has(self, event: bytes) -> bool:
        """Say whether an event is stored here."""
        row = self.database.connection.execute("SELECT 1 FROM events WHERE id = ?", (event,))
        return row.fetchone() is not None

    # --- what the node does

    def linked(self, far: SimPeer, cable: Cable) -> None:
        """Begin a link."""
        self.sessions[far.name] = Session(far.keys.device, far.keys.identity)
        newest = far.database.read(own.need_account).device_list
        self._write(
            cable, syncing.opened, far.keys.device, far.keys.identity, far.keys.certificate, newest,
            self.world.wall(),
        )  # fmt: skip

    def receive(self, far: SimPeer, cable: Cable, message: Message) -> None:
        """Take one message of a link."""
        session = self.sessions[far.name]
        if syncing.is_stored(message):
            self._write(
                cable, syncing.store, self.keys, far.keys.device, far.keys.identity, message,
                self.wall(), self.entropy, came=(session, message),
            )  # fmt: skip
        if syncing.is_compared(message):
            self.commit()  # the node's reader sees committed rows only
            if not cable.is_cut:
                try:
                    self.carry_out(self.database.read(syncing.compare, session, message))
                except WireError as error:
                    self.faults.append(error)
                    cable.cut()
                self.push_on(far.name)

    def push_on(self, name: str) -> None:
        """Send what the other end lacks; the node's reader sees committed rows only, so commit first."""
        if self.database.is_awaited:
            self.commit()
        while name in self.sessions:
            effects = self.database.read(syncing.next_batch, self.sessions[name])
            if not effects:
                return
            self.carry_out(effects)

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what a committed transaction asked for."""
        for effect in effects:
            match effect:
                case SendOnLink(device=device, message=message):
                    for name, session in list(self.sessions.items()):
                        if session.device == device:
                            self.cables[name].send(self, message)
                case PushEvents(conversation=conversation, except_device=owed_nothing):
                    for name, session in list(self.sessions.items()):
                        if name not in self.sessions or session.device == owed_nothing:
                            continue
                        if not live.follow(session, effect):
                            session.touch(conversation)
                        for message in live.take(session):
                            self.cables[name].send(self, message)
                        self.push_on(name)
                case Tell(event=event):
                    self.shown.append((event.event, str(event.body.get("id", ""))))
                    self._check_told(event.event, event.body)
                case Ask(message=message):
                    self.asks.append(message)
                case CloseLinks():
                    for cable in list(self.cables.values()):
                        cable.cut()
                case _:
                    pass

    def commit(self) -> None:
        """Make what was written durable, and do what follows from it."""
        self._note_stored()
        self.database.commit()
        self._tick_in_time()

    def _check_told(self, kind: str, body: dict[str, object]) -> None:
        """Catch a promise at the moment it is broken: D3 for receipts, D5 for messages."""
        if kind == "receipt" and body["state"] == "delivered":
            event = bytes.fromhex(str(body["id"]))
            if event not in self.world.stored.get(str(body["friend"]), set()):
                self.lies.append(f"{self.name}: {body['id']} shows as delivered, nobody has it")
        if kind == "message":
            (hidden,) = self.database.connection.execute(
                "SELECT count(*) FROM lacks l JOIN events e ON e.number = l.event"
                " JOIN events m ON m.id = l.missing WHERE e.id = ? AND m.held = 0",
                (bytes.fromhex(str(body["id"])),),
            ).fetchone()
            if hidden:
                self.lies.append(f"{self.name}: {body['id']} lacks what is shown")

    def _note_stored(self) -> None:
        rows = self.database.connection.execute(
            "SELECT id, number FROM events WHERE number > ? ORDER BY number", (self.seen,)
        ).fetchall()
        for event, number in rows:
            self.world.stored.setdefault(self.account, set()).add(event)
            self.seen = number

    def _write(self, cable: Any, fn: Any, *args: Any, came: Any = None) -> None:
        def then(effects: list[Effect]) -> None:
            if not cable.is_cut and came is not None:
                syncing.stored(*came)
            self.carry_out(effects)

        is_told_again = came is not None and syncing.is_told_again(came[1])
        submit = self.database.submit_unsynced if is_told_again else self.database.submit
        try:
            submit(then, fn, *args)
        except WireError as error:
            self.faults.append(error)
            cable.cut()
            return
        if self.database.is_awaited:
            self._commit_soon()
        else:
            self._fold_in_time()

    def _fold_in_time(self) -> None:
        """Make durable what was not synced, unless a crash comes before."""
        boot = self.boots
        self.world.after(FOLD_MS, lambda: self.commit() if self.boots == boot else None)

    def _commit_soon(self) -> None:
        if self.is_committing:
            return
        self.is_committing = True
        boot = self.boots

        def commit() -> None:
            if self.boots == boot:
                self.is_committing = False
                self.commit()

        self.world.after(self.world.dice.randrange(1, COMMIT_MS + 1), commit)

    def _tick_in_time(self) -> None:
        """Do at its instant what time asks for, as the node's sweep does."""
        due = self.database.read(conversations.next_tick)
        if due is None:
            return
        at = self.world.now + min(max(due - self.wall(), 0), SWEEP_MS)
        if self.ticks_at is not None and self.ticks_at <= at:
            return
        self.ticks_at = at
        boot = self.boots

        def tick() -> None:
            if self.boots == boot and self.ticks_at == at:
                self.ticks_at = None
                self.database.submit(self.carry_out, conversations.expire, self.wall())
                self.commit()

        self.world.after(at - self.world.now, tick)


def befriend(one: SimPeer, other: SimPeer) -> None:
    """Let two become friends by signed request and answer; the harness carries what a tracker would."""
    world = one.world
    made = one.database.write(
        befriending.ask, one.keys, AccountName(other.name), "", pinned=None,
        found=other.keys.identity, now=world.wall(), entropy=one.entropy)  # fmt: skip
    asked = _ask_of(made[1], friends.AskFriend)
    delivered = friends.FriendAsked(AccountName(one.name), asked.signed, world.wall())
    other.database.write(overtures.on_asked, other.keys, delivered, world.wall())
    answered = other.database.write(
        befriending.answer, other.keys, one.name, accept=True, now=world.wall()
    )
    reply = _ask_of(answered[1], friends.AnswerFriend)
    back = friends.FriendAnswered(AccountName(other.name), True, reply.signed, world.wall())
    one.database.write(overtures.on_answered, back, world.wall())
    for side in (one, other):
        side.database.commit()


def _ask_of(effects: list[Effect], kind: type[Message]) -> Any:
    return next(e.message for e in effects if isinstance(e, Ask) and isinstance(e.message, kind))
