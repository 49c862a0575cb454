"""Targets about conversations: events, vectors, and whole logs that two devices bring to one level."""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec.structs import replace

from peer.effects import SendOnLink
from peer.errors import PeerError
from peer.history import transcript
from peer.log import syncing
from peer.log.sessions import Session
from peer.mail import mailing, prekeys
from peer.people import roster
from tests.fuzz.seeds import drawn, records
from tests.fuzz.signed import container
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.harness.entropy import SeededEntropy
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import conversation_of, events_of, introduce, open_link, say
from tests.strategies import _of_type
from wire import codec, limits
from wire.channel.primitives import hpke_public, sha256
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError
from wire.identity import SignPurpose, read_certificate
from wire.identity.packing import pack
from wire.ids import AccountName, ConversationId, Epoch, EventId
from wire.log import event as events
from wire.log.branches import Twig, below, tips, whole
from wire.log.event import BODIES, Chain, Content, EventKind, Header, peek_header, write_event
from wire.log.order import display_key, waits_for
from wire.log.vector import DIGEST_BYTES, digest_of
from wire.machine import UnixMillis
from wire.mailbox import Letter, Route, seal_letter
from wire.messages import Purpose
from wire.messages.conversation import Events, SealedEvent, Vector
from wire.messages.mailbox import MailItem


@cache
def people() -> tuple[SimPeer, SimPeer, SimPeer]:
    """Alice and bob, who are friends and talked, and a stranger; alice's database is the one under test."""
    world = Simulation(7)
    alice, bob, eve = (SimPeer.make(world, name) for name in ("alice", "bob", "eve"))
    befriend(alice, bob)
    open_link(bob, alice)
    open_link(alice, bob)
    introduce(bob, alice)
    introduce(alice, bob)
    for text in ("hello", "are you there"):
        syncing_events = events_of(bob, [say(bob, "alice", text)])
        alice.database.write(
            syncing.store, alice.keys, bob.keys.device, bob.keys.identity, syncing_events,
            world.wall(), alice.entropy,
        )  # fmt: skip
    say(alice, "bob", "I am")
    alice.database.write(
        prekeys.make, alice.keys, limits.PREKEYS, False, world.wall(), alice.entropy
    )
    for one in (alice, bob, eve):
        one.database.commit()
    return alice, bob, eve


def _contents() -> list[Content]:
    """Give contents of every kind."""
    found: list[Content] = []
    for cls in BODIES.values():
        found += drawn(_of_type(msgspec.inspect.type_info(cls)), 3)
    return found


def _header(bob: SimPeer, conversation: ConversationId, content: bytes, kind: int) -> Header:
    return Header(
        conversation=conversation,
        device=bob.keys.device,
        epoch=Epoch(b"epoch..1"),
        seq=1,
        prev=b"",
        parents=(),
        clock=9,
        at=bob.world.wall(),
        kind=kind,
        list_counter=1,
        body_hash=sha256(content),
        body_bytes=len(content),
    )


# --- one event


def read_one(data: bytes) -> None:
    """Read an event: a container as it comes (0), any header well signed (1), any body (2 and above)."""
    alice, bob, _ = people()
    mode, content = (data[0] % (len(BODIES) + 2), data[1:]) if data else (0, b"")
    body: bytes | None = b"s" * limits.SALT_BYTES + content
    if mode == 0:
        sealed = content
    elif mode == 1:
        sealed, body = container(bob.keys.signing_seed, SignPurpose.EVENT, content), None
    else:
        header = _header(bob, conversation_of(alice, bob), body or b"", mode - 1)
        if header.body_bytes > limits.EVENT_BODY_BYTES:
            return
        sealed = container(bob.keys.signing_seed, SignPurpose.EVENT, pack(header))
    certificate = read_certificate(bob.keys.certificate, bob.keys.identity)
    known = {bob.keys.device: certificate}
    try:
        found = events.read_event(SealedEvent(sealed, body), known.get, known_clock=10)
    except RemoteProtocolError as error:
        known_codes = (
            *(Code.EVENT_INVALID, Code.PARENTS_LIMIT, Code.SIGNATURE_INVALID),
            *(Code.DEVICE_UNKNOWN, Code.CLOCK_INVALID),
        )
        check(error.code in known_codes, f"{error.code} from an event")
        return
    check(events.claimed_header(sealed) == (found.id, found.header), "an event has two ids")
    check(peek_header(sealed) == found.header, "a header reads otherwise when it is peeked at")
    check(display_key(found.header)[0] <= 10 + limits.CLOCK_AHEAD, "a clock from the future")
    check(len(waits_for(found.header, ())) <= limits.PARENTS + 1, "it waits for too much")


def _event_seeds() -> list[bytes]:
    alice, bob, _ = people()
    chain = Chain(conversation_of(alice, bob), bob.keys.device, Epoch(b"epoch..2"))
    found: list[bytes] = []
    for content in _contents():
        try:
            written = write_event(
                chain, content, signing_seed=bob.keys.signing_seed, parents=(), known_clock=3,
                list_counter=1, now=UnixMillis(5), entropy=SeededEntropy(3),
            )  # fmt: skip
        except LocalProtocolError:
            continue
        kind = next(kind for kind, cls in BODIES.items() if type(content) is cls)
        found += [b"\0" + written.sealed.header, b"\1" + pack(written.header)]
        found.append(bytes((kind + 1,)) + pack(content))
    return found


def compare_vectors(data: bytes) -> None:
    """Digest a vector that came, in whatever order its entries stand."""
    try:
        message = codec.decode(Purpose.PEER, data)
    except RemoteProtocolError:
        return
    if isinstance(message, Vector):
        digest = digest_of(message.entries)
        check(len(digest) == DIGEST_BYTES, "a digest of another length")
        check(digest == digest_of(reversed(message.entries)), "the order of entries matters")


# --- a log under hostile words


def sync(data: bytes) -> None:
    """Let a script come on a link to alice, in one transaction that is taken back at the end.

    0 a message of bob's as it comes   1 any header, well signed by bob     2 any content, in a right event
    3 what alice owes goes out         4 one of a stranger                  5 a word of the tracker's
    6 the conversation is shown        7 time passes                      8 a letter of bob's with this record
    """
    alice, bob, eve = people()
    connection = alice.database.connection
    connection.execute("SAVEPOINT fuzz")
    try:
        _Log(alice, bob, eve).run(data)
        broken = connection.execute("PRAGMA foreign_key_check").fetchone()
        check(broken is None, f"a row names another that is not there: {broken}")
    finally:
        connection.execute("ROLLBACK TO fuzz")
        connection.execute("RELEASE fuzz")


class _Log:
    """Alice's side of one link."""

    def __init__(self, alice: SimPeer, bob: SimPeer, eve: SimPeer) -> None:
        self.alice, self.bob, self.eve = alice, bob, eve
        self.connection = alice.database.connection
        self.session = Session(bob.keys.device, bob.keys.identity)
        self.conversation = conversation_of(alice, bob)
        self.now = alice.world.wall()
        self.seq = 0
        self.head = b""
        self.dice = SeededEntropy("fuzz")
        self.letter: tuple[bytes, ...] = ()  # what else stands in the next letter

    def run(self, data: bytes) -> None:
        """Run a script."""
        self._write(
            syncing.opened,
            self.bob.keys.device,
            self.bob.keys.identity,
            self.bob.keys.certificate,
            self.bob.keys.device_list,
            self.bob.world.wall(),
        )
        for step in steps_of(data, 24):
            match step.kind:
                case 1:
                    seed = self.bob.keys.signing_seed
                    if len(step.content) > limits.EVENT_HEADER_BYTES - 80:
                        continue
                    self._take(SealedEvent(container(seed, SignPurpose.EVENT, step.content), None))
                case 2:
                    self._event(step.content)
                case 3:
                    syncing.next_batch(self.connection, self.session)
                case 4:
                    self._hear(step.content, self.eve)
                case 5:
                    self._tracker(step.content)
                case 6:
                    shown = transcript.messages(self.connection, "bob")
                    check(len({m.id for m in shown}) == len(shown), "something is shown twice")
                case 7:
                    self.now = UnixMillis(self.now + len(step.content) * 1000)
                case 8:
                    self._mail(step.content)
                case _:
                    self._hear(step.content, self.bob)

    def _event(self, content: bytes) -> None:
        """Write bob's next event with any bytes for its content; the first says of which kind."""
        kind = content[0] % (max(EventKind) + 2) if content else 1
        body = b"s" * limits.SALT_BYTES + content[1:]
        if not kind or len(body) > limits.EVENT_BODY_BYTES:
            return
        self.seq += 1
        header = replace(
            _header(self.bob, self.conversation, body, kind),
            seq=self.seq,
            prev=self.head,
            clock=9 + self.seq,
        )
        self.head = sha256(pack(header))
        sealed = container(self.bob.keys.signing_seed, SignPurpose.EVENT, pack(header))
        self._take(SealedEvent(sealed, body))

    def _take(self, sealed: SealedEvent) -> None:
        message = Events(self.conversation, (sealed,))
        self._hear(codec.encode(Purpose.PEER, message), self.bob)

    def _hear(self, record: bytes, who: SimPeer) -> None:
        try:
            message = codec.decode(Purpose.PEER, record)
        except RemoteProtocolError:
            return
        if message is None:
            return
        try:
            if syncing.is_stored(message):
                self._write(
                    syncing.store,
                    self.alice.keys,
                    who.keys.device,
                    who.keys.identity,
                    message,
                    self.now,
                    self.dice,
                )
                syncing.stored(self.session, message)
            if syncing.is_compared(message) and who is self.bob:
                syncing.compare(self.connection, self.session, message)
        except RemoteProtocolError as error:
            check(error.code is Code.NOT_ADMITTED, f"{error.code} ends a link of a friend")
            check(who is self.eve, "a friend is not admitted any more")
        pages = sum(len(entries) for entries in self.session.pages.values())
        check(pages <= limits.VECTOR_ENTRIES, "a vector is kept without bound")

    def _mail(self, record: bytes) -> None:
        """Let a letter come that bob sealed well, with anything for its records."""
        alice, bob = self.alice.keys, self.bob.keys
        number, private = self.connection.execute(
            "SELECT number, private FROM prekeys WHERE is_one_time = 0"
        ).fetchone()
        route = Route(bob.identity, bob.device, alice.identity, alice.device, number)
        try:
            letter = Letter(bob.certificate, bob.device_list, (record, *self.letter))
            sealed = seal_letter(letter, hpke_public(bytes(private)), route, SystemEntropy())
        except LocalProtocolError:
            return
        self.letter = (record,)
        item = MailItem(7, AccountName("bob"), bob.device, b"i" * 16, number, 0, sealed)
        before = self.connection.execute("SELECT count(*) FROM owed_nacks").fetchone()
        self._write(mailing.take, alice, (item,), self.now, self.dice)
        after = self.connection.execute("SELECT count(*) FROM owed_nacks").fetchone()
        check(before == after, "a letter that opens is answered by a nack")

    def _tracker(self, record: bytes) -> None:
        try:
            message = codec.decode(Purpose.TRACKER, record)
            if message is not None:
                self._write(roster.on_tracker, self.alice.keys, message, self.now)
        except (WireError, PeerError):
            return  # forged or damaged: nothing was stored

    def _write(self, do: object, *arguments: object) -> None:
        self.connection.execute("SAVEPOINT job")
        try:
            do(self.connection, *arguments)  # type: ignore[operator]
        except BaseException:
            self.connection.execute("ROLLBACK TO job")
            raise
        finally:
            self.connection.execute("RELEASE job")


def _sync_seeds() -> list[bytes]:
    alice, bob, _ = people()
    found = [
        script_of((kind, record))
        for record in records(Purpose.PEER, 1)
        if len(record) < 3000
        for kind in (0, 8)
    ]
    found += [
        script_of((5, record)) for record in records(Purpose.TRACKER, 1) if len(record) < 3000
    ]
    contents = [
        bytes((kind,)) + pack(content)
        for content in _contents()
        for kind, cls in BODIES.items()
        if type(content) is cls
    ]
    found += [script_of((2, content), (6, b"")) for content in contents]
    found.append(script_of(*((2, content) for content in contents[::3]), (6, b"")))
    own = syncing.opened(
        bob.database.connection, alice.keys.device, alice.keys.identity,
        alice.keys.certificate, alice.keys.device_list, alice.world.wall(),
    )  # fmt: skip
    assert isinstance(own[0], SendOnLink)
    digests = codec.encode(Purpose.PEER, own[0].message)
    conversation = conversation_of(alice, bob)
    talk = [
        events_of(bob, [row[0].hex()])
        for row in bob.database.connection.execute("SELECT id FROM events")
    ]
    said = [codec.encode(Purpose.PEER, message) for message in talk]
    vector = codec.encode(Purpose.PEER, Vector(conversation, (), is_last=True))
    headers = [pack(peek_header(message.events[0].header)) for message in talk]
    found.append(script_of((0, digests), (3, b""), *((0, record) for record in said), (3, b"")))
    found.append(script_of((0, vector), (3, b""), (3, b""), (3, b"")))
    found.append(script_of(*((8, record) for record in said), (8, said[0]), (3, b"")))
    found += [script_of((1, header)) for header in headers]
    bob.database.crash()
    return found


def walk_branches(data: bytes) -> None:
    """Walk branches of any shape, circles included: four bytes an event."""
    twigs = [
        Twig(
            EventId(data[at : at + 1]), data[at + 1], data[at + 2 : at + 3], bool(data[at + 3] & 1)
        )
        for at in range(0, len(data) - 3, 4)
    ]
    ids = {twig.id for twig in twigs}
    check(len(whole(twigs, 3, None)) <= len(twigs), "more stands whole than there is")
    check(len(tips(twigs)) <= len(twigs), "more tips than twigs")
    check(below(twigs, ids) == ids, "what is below all is not all")


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("event", read_one, _event_seeds, Shape.PACKED, 1),
        Target(
            "vector",
            compare_vectors,
            lambda: [r for r in records(Purpose.PEER, 4) if r[:2] == b"\x80\x61"],
            Shape.MESSAGE,
        ),
        Target(
            "branches",
            walk_branches,
            lambda: [bytes((1, 1, 0, 0, 2, 2, 1, 0, 3, 2, 1, 1))],
            most_bytes=400,
        ),
        Target("log-sync", sync, _sync_seeds, Shape.SCRIPT, most_bytes=8000),
    ]
