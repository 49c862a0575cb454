"""Targets at a tracker: whole sessions, from records to the database and back to everybody who is told.

Alice and bob are friends and devices of theirs may enter; carol has an account and no friend; eve is anonymous.
The first byte of an input says who speaks, the rest is a script:

    0 a record as it comes           1 the same, with the proofs of LogIn and Register mended
    2 AskFriend of bob: its body     3 PutAddresses: its body
    4 AnswerFriend to carol: body    5 time passes, deadlines are served
    6 the connection ends            16 and above: the same by bob
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from tests.fuzz.linked import twin, twin_key
from tests.fuzz.seeds import records
from tests.fuzz.signed import container
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.harness.entropy import SeededEntropy
from tests.harness.people import Person, person
from tests.tracker.test_connection import Clock, Pipe
from tests.tracker.world import World
from tests.wire.link.sides import TRACKER_KEY, TRACKER_PRIVATE, Ghost, called, caller, hello_of
from tracker import dispatch
from tracker.config import Config, Limits
from tracker.effects import Channel
from tracker.errors import TrackerError
from tracker.hub import Hub
from tracker.session import Session
from wire import codec
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity import (
    SignPurpose,
    add_device,
    deletion_proof,
    password_proof,
    read_device_list,
)
from wire.identity.sign import open_container
from wire.ids import AuthKey, LinkKey, RequestId
from wire.link import Link, Role
from wire.machine import Monotonic, UnixMillis
from wire.messages import Message, Purpose
from wire.messages.accounts import (
    ChangePassword,
    DeleteAccount,
    Enter,
    LogIn,
    Register,
    RevokeDevice,
)
from wire.messages.friends import AnswerFriend, AskFriend
from wire.messages.presence import Show
from wire.messages.reach import PutAddresses
from wire.messages.session import HelloAnonymous

PEOPLE = ("alice", "carol", "eve")
_NAMES = ("alice", "bob", "carol", "eve")


class Inline:
    """A writer that runs each piece of work at once, and lets through what a real one would only log."""

    def __init__(self, world: World) -> None:
        self._world = world

    def submit(
        self,
        work: Callable[..., Any],
        done: Callable[[Any], object],
        failed: Callable[[TrackerError], object],
    ) -> None:
        """Run one piece of work in a savepoint, then say how it went."""
        try:
            result = self._world.do(work)
        except TrackerError as error:
            failed(error)
        else:
            done(result)


class _Ears(logging.Handler):
    """Raises what a session only logs: a fault of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the first fault."""
        if record.exc_info is not None and record.exc_info[1] is not None:
            FAULTS.append(record.exc_info[1])


FAULTS: list[BaseException] = []


@cache
def world_that_tells() -> World:
    """A tracker's database; what a session would only log lands in FAULTS."""
    log = logging.getLogger("tracker")
    log.addHandler(_Ears())
    log.propagate = False
    return World()


@cache
def _town() -> tuple[World, dict[str, Person]]:
    """A tracker's database with people in it."""
    world = world_that_tells()
    people = {name: world.joins(name) for name in ("alice", "bob", "carol")}
    people["eve"] = person("eve")
    world.befriend(people["alice"], people["bob"])
    world.asks(people["carol"], people["alice"])
    return world, people


@cache
def _begun(name: str) -> tuple[Link, Ghost]:
    """A link of somebody to the tracker after its handshake; only copied."""
    keys = _town()[1][name].keys
    ghost = Ghost(Role.INITIATOR, caller(Purpose.TRACKER, keys))
    link = Link(
        Role.RESPONDER, called(Purpose.TRACKER), now=Monotonic(1000.0), entropy=SeededEntropy(5)
    )
    link.receive_data(ghost.greets(), now=Monotonic(1000.0))
    link.receive_data(ghost.shakes(link.data_to_send()), now=Monotonic(1000.0))
    link.data_to_send()
    return link, ghost


class _Visit:
    """One person's session. is_known: by device; else anonymous."""

    def __init__(self, hub: Hub, who: Person) -> None:
        link, ghost = _begun(str(who.name))
        assert ghost._sealer is not None
        self.who = self.owner = who  # owner: of the account whose password was proven last
        self.sealer = twin_key(ghost._sealer)
        self.session = Session(hub, dispatch.handle)
        self.pipe = Pipe()
        self.session.connection_made(self.pipe)  # type: ignore[arg-type]
        self.session._link = twin(link)
        self.channel = Channel(TRACKER_KEY, who.keys.link_key, link.handshake_hash)
        self.say(HelloAnonymous() if who.name == "eve" else hello_of(who.keys))

    def enter(self) -> None:
        """Begin the session of a device; somebody anonymous has none."""
        if self.who.name != "eve":
            self.say(Enter(RequestId(0), False, Show.AVAILABLE))

    def say(self, message: Message) -> None:
        """Say something within bounds."""
        try:
            self.send(codec.encode(Purpose.TRACKER, message))
        except LocalProtocolError:
            return

    def send(self, record: bytes) -> None:
        """Send a record."""
        if record and not self.pipe.ending:
            self.session.data_received(self.sealer.seal(record))

    def do(self, kind: int, content: bytes) -> None:
        """Do one step."""
        who, seed = self.who, self.who.keys.signing_seed
        bob, carol = _town()[1]["bob"].name, _town()[1]["carol"].name
        body = content[:4000]
        match kind:
            case 1:
                self._proven(content)
            case 2:
                signed = container(seed, SignPurpose.FRIEND_REQUEST, body)
                self.say(AskFriend(RequestId(2), carol if who.name == bob else bob, signed))
            case 3:
                signed = container(seed, SignPurpose.ADDRESSES, body)
                self.say(PutAddresses(RequestId(3), signed))
            case 4:
                signed = container(seed, SignPurpose.FRIEND_ANSWER, body)
                self.say(AnswerFriend(RequestId(4), carol, True, signed))
            case 6:
                self.session.eof_received()
                self.session.connection_lost(None)
                self.pipe.ending = "lost"
            case _:
                self.send(content)

    def _proven(self, record: bytes) -> None:
        """Send a request whose proof holds on this link."""
        try:
            message = codec.decode(Purpose.TRACKER, record)
        except RemoteProtocolError:
            return
        channel = self.channel
        place = (channel.tracker_key, channel.handshake_hash)
        seed = self.owner.auth_seed
        if isinstance(message, LogIn):
            self.owner = _town()[1].get(str(message.name), self.who)
            message = replace(message, signature=self.owner.log_in(channel).signature)
        elif isinstance(message, Register):
            message = replace(message, signature=self.who.register(channel).signature)
        elif isinstance(message, ChangePassword):
            fields = (*place, message.auth_key, message.vault)
            proof = password_proof(seed, self.owner.name, *fields)
            message = replace(message, signature=proof)
        elif isinstance(message, RevokeDevice) and len(message.device_list) < 4000:
            signed = container(self.owner.seed, SignPurpose.DEVICE_LIST, message.device_list)
            message = replace(message, device_list=signed)
        elif isinstance(message, DeleteAccount):
            message = replace(message, signature=deletion_proof(seed, self.owner.name, *place))
        if message is not None:
            self.say(message)


def visit(data: bytes) -> None:
    """Run one script at a tracker whose database goes back at the end."""
    world, people = _town()
    clock = Clock()
    held: list[Callable[[], object]] = []
    FAULTS.clear()
    world.connection.execute("SAVEPOINT fuzz")
    try:
        hub = Hub(
            Config(home=Path("/nowhere"), limits=Limits(send_queue_bytes=2**20)),
            Inline(world),  # type: ignore[arg-type]
            link_private=TRACKER_PRIVATE,
            link_key=LinkKey(TRACKER_KEY),
            entropy=SeededEntropy(1),
            monotonic=clock,
            soon=held.append,
            later=lambda _, call: held.append(call),
            spawn=lambda work: work.close(),
            most_sockets=100,
        )
        visits = [
            _Visit(hub, people[PEOPLE[(data[0] if data else 0) % len(PEOPLE)]]),
            _Visit(hub, people["bob"]),
        ]
        for one in visits:
            one.enter()
        check(hub.entered >= 1, "bob, who is known, did not get in")
        for step in steps_of(data[1:], 24):
            if step.kind == 5:
                clock.now += len(step.content)
                for session in hub.wheel.due(hub.now()):
                    session.on_deadline(hub.now())
            else:
                visits[step.kind >= 16].do(step.kind % 16, step.content)
            while held:
                held.pop(0)()
            _look(hub, visits)
        for one in visits:
            one.do(6, b"")
        check(not hub.sessions, "a session is kept after its end")
        check(hub.entered == 0, "a seat is kept after its end")
        check(hub.staging_space.used_bytes == 0, "pages are kept after their session")
    finally:
        world.connection.execute("ROLLBACK TO fuzz")
        world.connection.execute("RELEASE fuzz")
    raise_fault()


def raise_fault() -> None:
    """Raise the first fault of ours, if there was one."""
    if FAULTS:
        raise FAULTS[0]


def _look(hub: Hub, visits: list[_Visit]) -> None:
    for one in visits:
        check(len(one.pipe.written) < 2**20, "an answer much larger than what it answers")
        one.pipe.written = b""
    check(hub.entered <= len(visits), "more seats than sessions")


def _seeds() -> list[bytes]:
    _, people = _town()
    said = [record for record in records(Purpose.TRACKER, 1) if len(record) < 3000]
    names = (people[name].name for name in _NAMES)
    asked = people["alice"].ask(people["bob"]).signed
    bodies = [
        (2, open_container(asked, 2**20).body),
        (3, open_container(people["alice"].addresses().signed, 2**20).body),
        (4, open_container(people["alice"].answer(people["carol"], asked).signed, 2**20).body),
    ]
    found = [bytes((who,)) + script_of((0, record)) for who in (0, 2) for record in said]
    found += [
        bytes((0,)) + script_of(line, (kind + 16, body)) for line in bodies for kind, body in [line]
    ]
    eve, alice = people["eve"], people["alice"]
    first = codec.encode(Purpose.TRACKER, eve.register(eve.channel()))
    log_in = codec.encode(Purpose.TRACKER, replace(eve.log_in(eve.channel()), name=alice.name))
    # A device list of alice's that names eve's link key: whoever has the password may add any device.
    at_eve = replace_keys(alice)
    laptop = codec.encode(Purpose.TRACKER, at_eve.add_device())
    change = codec.encode(
        Purpose.TRACKER,
        ChangePassword(
            RequestId(9), b"n" * 16, 65536, 3, 4, False, AuthKey(b"a" * 32), b"vault", 5, bytes(64)
        ),
    )
    shorter = alice.with_device("phone").revoking(alice.keys.device)
    body = open_container(shorter.device_list, 2**20).body
    revoke = codec.encode(Purpose.TRACKER, replace(shorter, device_list=body))
    leave = codec.encode(Purpose.TRACKER, DeleteAccount(RequestId(8), bytes(64)))
    found.append(b"\2" + script_of((1, first), (1, log_in)))
    found.append(b"\2" + script_of((1, log_in), (0, laptop)))
    found.append(b"\2" + script_of((1, log_in), (1, change), (1, log_in)))
    found.append(b"\2" + script_of((1, log_in), (1, leave), (1, log_in)))
    found.append(b"\2" + script_of((1, log_in), (1, revoke), (1, revoke), (1, log_in)))
    named = [
        codec.encode(Purpose.TRACKER, replace(message, name=name))
        for name in names
        for record in said
        if (message := codec.decode(Purpose.TRACKER, record)) is not None
        and hasattr(message, "name")
        and hasattr(message, "request")
    ]
    found += [bytes((0,)) + script_of((0, record), (5, b"x"), (16, record)) for record in named]
    return found


def replace_keys(alice: Person) -> Person:
    """Give alice at the machine that speaks with eve's link key."""
    eve = _town()[1]["eve"]
    listed = read_device_list(alice.keys.device_list, alice.identity)
    keys = add_device(
        alice.seed,
        listed,
        "laptop",
        now=UnixMillis(3000),
        entropy=SeededEntropy("laptop"),
        link_private=eve.keys.link_private,
    )
    return dataclasses.replace(alice, keys=keys, vault_counter=2)


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("tracker-session", visit, _seeds, Shape.SCRIPT, 1, 8000)]
