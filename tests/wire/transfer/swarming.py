"""Several receivers of one offer in memory: links, liars, crashes; chunks are digests, time is a number.

No bytes move: a chunk is its digest, which a liar changes. What a receiver writes goes to a disk of two layers,
of which a crash keeps the synced one, as a journal would.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.wire.transfer.exchange import bring
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.identity import public_of
from wire.ids import ChunkDigest, DeviceId, OfferId, SigningKey
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import (
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchRefused,
    Have,
    Pack,
    Piece,
    SignedDigests,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.digests import DigestBatch, DigestRun, issue_digests, zero_digest
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say
from wire.transfer.swarm import own_start

SEED = b"s" * 32
WRONG = ChunkDigest(b"!" * 32)
KEY = OfferKey(DeviceId(b"d" * 16), OfferId(b"o" * 16))
SIGNING_KEY = SigningKey(public_of(SEED))
MIB = limits.MIB


def true_digest(file: int, index: int) -> ChunkDigest:
    """The digest of a chunk as it was offered."""
    return ChunkDigest(hashlib.sha256(f"{file}/{index}".encode()).digest())


def batch(*runs: DigestRun) -> bytes:
    """Digests as the offering device signs them."""
    return issue_digests(SEED, DigestBatch(KEY.device, KEY.offer, runs))


def run(file: int, first: int, *digests: bytes, root: bytes = b"") -> DigestRun:
    """Digests of chunks from `first` on."""
    return DigestRun(file, first, b"".join(digests), root)


@dataclass
class Disk:
    """What a receiver wrote: (file, index) -> digest. whole: files it finished."""

    written: dict[tuple[int, int], bytes] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    batches: list[bytes] = field(default_factory=list)

    def copy(self) -> Disk:
        return Disk(dict(self.written), set(self.whole), list(self.batches))


class Party:
    """A device of the swarm: the offering one, which receives nothing, or a receiver that lends what it has.

    lies: how often, 0.0 to 1.0, a chunk that it sends is wrong. stalls_after: chunks it sends, then nothing more.
    """

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.device = KEY.device if number == 0 else DeviceId(bytes([number]) * 16)
        self.number = number
        self.lies = 0.0
        self.stalls_after: int | None = None
        self.sent: dict[tuple[int, int], int] = {}  # chunks, by how often they were sent
        self.sent_bytes = 0
        self.disk = Disk()
        self.synced = Disk()
        self.failed: dict[int, Code] = {}
        self.blamed: list[DeviceId] = []
        self.senders: dict[int, Sender] = {}
        self.is_up = True
        self.start()

    def start(self) -> None:
        """Begin a life."""
        self.holding = Holding(KEY, manifest=b"m", sizes=self.world.sizes, signing_seed=SEED)
        self.receiver: Receiver | None = None
        if self.number == 0:
            return
        count = sum(-(-size // MIB) for size in self.world.sizes)
        names = [bytes([number]) for number in range(1, self.world.receivers + 1)]
        start = own_start(count, bytes([self.number]), names, self.world.dice.random())
        receiver = self.receiver = Receiver(KEY, self.world.sizes, SIGNING_KEY, start=start)
        chunks: dict[int, list[tuple[int, bytes]]] = {}
        for (file, index), digest in self.disk.written.items():
            chunks.setdefault(file, []).append((index, digest))
        for file in sorted(self.disk.whole | chunks.keys()):
            if file in self.disk.whole:
                receiver.restore_whole(file)
            elif file not in self.failed:
                receiver.restore(file, chunks[file], [(0, 1)])
        for batch in self.disk.batches:
            receiver.on_signed(SignedDigests(batch))
        receiver.start()
        self.after()
        self.holding = Holding(KEY, manifest=b"m", sizes=self.world.sizes, lending=receiver.lending)

    def crash(self) -> None:
        """Lose everything but what was synced, and begin anew."""
        lost = self.disk.written.keys() - self.synced.written.keys()
        self.world.lost_bytes += sum(self.world.length(*place) for place in lost)
        self.disk = self.synced.copy()
        self.senders.clear()
        self.start()

    def after(self) -> None:
        """Do what the machine decided."""
        receiver = self.receiver
        assert receiver is not None
        for event in receiver.events():
            match event:
                case FileVerified(file=file):
                    self.disk.whole.add(file)
                case FileFailed(file=file, code=code):
                    self.failed[file] = code
        receiver.lend()
        if receiver.lending is not None:
            self.disk.batches = list(receiver.lending.vouched.batches)

    def write(self, file: int, index: int, digest: bytes) -> None:
        """Write a chunk: it has to be the one that was offered."""
        assert digest == self.world.truth(file, index), "a chunk was written that was not checked"
        self.disk.written[file, index] = digest

    @property
    def is_done(self) -> bool:
        return self.receiver is None or self.receiver.is_finished


class World:
    """The parties and their links. Two queues a link: (from, to) -> messages on their way.

    cuts: links that ended. lost_bytes: that crashes took back.
    """

    make_party: type[Party] = Party

    def __init__(self, sizes: Sequence[int], receivers: int, seed: int) -> None:
        self.sizes = sizes
        self.receivers = receivers
        self.dice = random.Random(seed)
        self.holes: set[tuple[int, int]] = set()
        self.now = 1.0
        self.ids = itertools.count()
        self.cuts = self.lost_bytes = 0
        self.parties = [self.make_party(self, number) for number in range(receivers + 1)]
        self.links: dict[frozenset[int], dict[tuple[int, int], deque[Message]]] = {}

    def length(self, file: int, index: int) -> int:
        return min(MIB, self.sizes[file] - index * MIB)

    def truth(self, file: int, index: int) -> ChunkDigest:
        length = self.length(file, index)
        return zero_digest(length) if (file, index) in self.holes else true_digest(file, index)

    def by(self, device: DeviceId) -> Party:
        return next(party for party in self.parties if party.device == device)

    # --- links

    def link(self, one: int, other: int) -> None:
        """Join two parties that are up, unless one of them will not have the other."""
        pair = frozenset((one, other))
        a, b = self.parties[one], self.parties[other]
        if pair in self.links or not (a.is_up and b.is_up):
            return
        self.links[pair] = {(one, other): deque(), (other, one): deque()}
        for party, its in ((a, b), (b, a)):
            party.senders[its.number] = Sender()
            receiver = party.receiver
            if receiver is not None and receiver.may_ask(its.device):
                now = Monotonic(self.now)
                receiver.linked(lambda: next(self.ids), its.device, now=now)

    def cut(self, one: int, other: int) -> None:
        """Lose a link with all that was on its way."""
        if self.links.pop(frozenset((one, other)), None) is None:
            return
        self.cuts += 1
        for party, its in ((one, other), (other, one)):
            self.parties[party].senders.pop(its, None)
            receiver = self.parties[party].receiver
            if receiver is not None:
                receiver.unlinked(self.parties[its].device)

    def leave(self, number: int) -> None:
        """Take a party away."""
        for other in range(len(self.parties)):
            self.cut(number, other)
        self.parties[number].is_up = False

    def crash(self, number: int) -> None:
        self.leave(number)
        self.parties[number].is_up = True
        self.parties[number].crash()

    def join_all(self) -> None:
        """See that everybody is linked with everybody."""
        for one, other in itertools.combinations(range(len(self.parties)), 2):
            self.link(one, other)

    # --- time

    def turn(self) -> None:
        """Let one party send one chunk to somebody; words are free, chunks are not."""
        self.now += 0.05
        if not self.links:
            return
        one = self.dice.choice(sorted({number for pair in self.links for number in pair}))
        others = sorted(other for pair in self.links if one in pair for other in pair - {one})
        self.dice.shuffle(others)
        for other in others:
            queue = self.links[frozenset((one, other))][one, other]
            self.ask(one, other)
            self.ask(other, one)
            has_sent = self.send(one, other)
            while queue and frozenset((one, other)) in self.links and self.dice.random() < 0.95:
                self.deliver(one, other, queue.popleft())
            if has_sent:
                return

    def run(self, turns: int = 60_000) -> None:
        """Go on until all receivers that are up are done."""
        for _ in range(turns):
            if all(party.is_done or not party.is_up for party in self.parties):
                return
            self.turn()
            if self.dice.random() < 0.02:
                self.look()
        raise AssertionError("it does not end")

    def look(self) -> None:
        """Let everybody notice who stalls: of the others, bytes come all the time."""
        alive = {
            party.device: Monotonic(self.now)
            for party in self.parties
            if party.stalls_after is None
        }
        for party in self.parties:
            if party.receiver is None or not party.is_up:
                continue
            for source, said in party.receiver.look(alive, now=Monotonic(self.now)):
                party.blamed.append(source)
                its = self.by(source).number
                for message in said:
                    self.links[frozenset((party.number, its))][party.number, its].append(message)

    # --- what parties do

    def ask(self, one: int, other: int) -> None:
        """Let one party say what it asks the other for."""
        receiver = self.parties[one].receiver
        if receiver is not None:
            asks = receiver.asks(self.parties[other].device, now=Monotonic(self.now))
            self.links[frozenset((one, other))][one, other].extend(asks)

    def send(self, one: int, other: int) -> bool:
        """Let one party do what it owes another, up to one record of chunks; True if there was one."""
        party = self.parties[one]
        sender = party.senders[other]
        queue = self.links[frozenset((one, other))][one, other]
        now = Monotonic(self.now)
        while (step := sender.next_step(now)) is not None:
            match step:
                case Say(messages=messages):
                    queue.extend(messages)
                case CheckPin():
                    sender.on_pin(step, is_held=True, now=now)
                case ReadDigests():
                    sender.on_digests(step, b"")
                case Read():
                    self.read(party, sender, step, queue)
                    return True
        return False

    def read(self, party: Party, sender: Sender, step: Read, queue: deque[Message]) -> None:
        """Send chunks, or something else, or nothing any more."""
        if party.stalls_after is not None and sum(party.sent.values()) >= party.stalls_after:
            return
        outcome: list[ChunkDigest | Code] = []
        for part in step.parts:
            if party.number == 0:
                digest = self.truth(part.file, part.index)
            else:
                digest = ChunkDigest(party.disk.written[part.file, part.index])
            outcome.append(party.holding.judge(part.file, part.index, digest))
            if step.is_sent:
                place = part.file, part.index
                party.sent[place] = party.sent.get(place, 0) + 1
                party.sent_bytes += part.length
        message = sender.on_read(step, outcome, Monotonic(self.now))
        if message is not None:
            queue.append(self.twisted(party, message))

    def twisted(self, party: Party, message: Message) -> Message:
        """Give what a liar says instead, now and then."""
        if self.dice.random() >= party.lies:
            return message
        if isinstance(message, Piece):
            return Piece(message.fetch, message.file, message.index, message.length, WRONG)
        if isinstance(message, Pack):
            chunks = tuple(type(chunk)(chunk.file, chunk.length, WRONG) for chunk in message.chunks)
            return Pack(message.fetch, chunks)
        return message

    def deliver(self, one: int, other: int, message: Message) -> None:
        """Bring a message to the other party; who does wrong loses the link, and a holder its place."""
        party, source = self.parties[other], self.parties[one].device
        try:
            self.hear(party, one, source, message)
        except RemoteProtocolError:
            if source == KEY.device:
                raise
            assert party.receiver is not None
            party.blamed.append(source)
            party.receiver.bar(source)
            self.cut(one, other)

    def hear(self, party: Party, one: int, source: DeviceId, message: Message) -> None:
        now = Monotonic(self.now)
        receiver = party.receiver
        if isinstance(message, Fetch | FetchDigests | Watch | StopFetch):
            sender = party.senders[one]
            match message:
                case Fetch():
                    sender.on_fetch(message, party.holding)
                case FetchDigests():
                    sender.on_fetch_digests(message, party.holding)
                case Watch():
                    sender.on_watch(message, party.holding, now)
                case StopFetch():
                    sender.on_stop(message)
            return
        assert receiver is not None
        if isinstance(message, Piece | Pack) and not receiver.expects(message, source, now=now):
            return
        match message:
            case Piece():
                if bring(receiver, message, message.digest, source, now=now):
                    party.write(message.file, message.index, message.digest)
            case Pack():
                receiver.on_pack(
                    message, [chunk.digest for chunk in message.chunks], source, now=now
                )
                for chunk in message.chunks:
                    party.write(chunk.file, 0, chunk.digest)
            case Zeros():
                for index, digest in receiver.on_zeros(message, source, now=now):
                    party.write(message.range.file, index, digest)
            case SignedDigests():
                receiver.on_signed(message, source)
            case Have():
                receiver.on_have(message, source, now=now)
            case Fetched():
                receiver.on_fetched(message, source)
            case FetchRefused():
                receiver.on_refused(message, source)
            case DigestPage():
                receiver.on_digest_page(message)
            case _:
                raise WireError(Code.INTERNAL, repr(message))
        party.after()
