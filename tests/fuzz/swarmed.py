"""Targets about many sources: a receiver among holders that lie, and a holder that lends to whoever watches it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from tests.fuzz.moved import SIZES
from tests.fuzz.offered import DIGEST, batches, decoded, issue_body, signed_digests
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY, bring
from wire import codec, limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchRefused,
    Have,
    Pack,
    Piece,
    SignedDigests,
    Span,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.digests import DigestBatch, DigestRun, chunk_length, issue_digests, read_digests
from wire.transfer.lending import Watching
from wire.transfer.places import Places
from wire.transfer.proofs import FileFailed
from wire.transfer.ranges import RangeSet
from wire.transfer.receiver import Receiver

DEVICES = (KEY.device, *(DeviceId(bytes((number,)) * 16) for number in (1, 2, 3)))
"""The offering device, and three that hold what it offers or say so."""

BLAME = frozenset(
    {
        *(Code.FLOOD, Code.VERIFICATION_FAILED, Code.INCOMPLETE, Code.NUMBER_RANGE, Code.DECODE),
        *(Code.MANIFEST_INVALID, Code.UNKNOWN_OFFER, Code.SIGNATURE_INVALID),
    }
)
_ROUNDS = 400
_SIZES = (*SIZES[:-1], 5 * MIB)
"""Of the files of the receiver's offer: each input fetches all of it in the end."""


# --- the one that asks all of them


class _Asking:
    """A receiver whose sources are the script."""

    def __init__(self, first: int) -> None:
        self.now = 1.0
        self.places = Places(_SIZES)
        self.receiver = Receiver(KEY, _SIZES, SIGNING_KEY, start=first * 3 % self.places.count)
        self.ids = itertools.count()
        if first & 64:
            self.receiver.restore(7, [(0, DIGEST), (2, DIGEST)], [(1, 2)])
            self.receiver.restore(2, [(0, DIGEST)], [])
        if first & 128:
            self.receiver.restore_whole(8)
        self.receiver.start()
        self.asked: dict[DeviceId, dict[int, Fetch | FetchDigests]] = {}
        self.barred: set[DeviceId] = set()
        self.has_signed = (
            False  # the script, in the offering device's name: it may contradict itself
        )
        lending = self.receiver.lending
        assert lending is not None
        self.lending = lending
        self.watching = Watching(0, lending, Monotonic(1.0))
        for device in DEVICES:
            self.link(device)

    @property
    def at(self) -> Monotonic:
        """The present instant."""
        return Monotonic(self.now)

    def link(self, device: DeviceId) -> None:
        """Begin to ask a source, if it may be one."""
        self.asked[device] = {}
        may = self.receiver.may_ask(device)
        check(
            may is (device not in self.barred), "who was barred is asked, or an honest one is not"
        )
        if may:
            self.receiver.linked(lambda: next(self.ids), device, now=self.at)

    def ask(self, device: DeviceId) -> None:
        """Take what a source is asked."""
        for ask in self.receiver.asks(device, now=self.at):
            said = codec.decode(Purpose.DATA, codec.encode(Purpose.DATA, ask))
            check(said == ask, "it cannot be said")
            check(device not in self.barred, "who was barred is asked")
            is_watch = isinstance(ask, Watch)
            check(not is_watch or device != KEY.device, "the offering device is watched")
            if isinstance(ask, FetchDigests):
                check(device == KEY.device, "a holder is asked to vouch")
            if isinstance(ask, Fetch | FetchDigests):
                self.asked[device][ask.fetch] = ask

    def serve(self, device: DeviceId, byte: int) -> None:
        """Let a source bring a chunk that it was asked for: right, or with other bytes than announced."""
        fetches = [ask for ask in self.asked[device].values() if isinstance(ask, Fetch)]
        if not fetches:
            return
        ask = fetches[byte % len(fetches)]
        wanted = ask.ranges[byte % len(ask.ranges)]
        index = wanted.first + byte // 16 % wanted.count
        self.bring(device, ask.fetch, wanted.file, index, bytes(32) if byte & 8 else DIGEST)

    def bring(self, device: DeviceId, fetch: int, file: int, index: int, digest: bytes) -> None:
        """Let a source bring one chunk."""
        piece = Piece(fetch, file, index, chunk_length(_SIZES[file], index), DIGEST)
        if self.receiver.expects(piece, device, now=self.at):
            bring(self.receiver, piece, digest, device, now=self.at)

    def hear(self, device: DeviceId, message: Message | None) -> None:
        """Hear a message as the shell would bring it."""
        receiver, now = self.receiver, self.at
        match message:
            case Piece():
                if receiver.expects(message, device, now=now):
                    bring(receiver, message, message.digest, device, now=now)
            case Pack(chunks=chunks):
                if receiver.expects(message, device, now=now):
                    receiver.on_pack(message, [chunk.digest for chunk in chunks], device, now=now)
            case Zeros():
                receiver.on_zeros(message, device, now=now)
            case SignedDigests():
                receiver.on_signed(message, device)
            case Fetched():
                receiver.on_fetched(message, device)
            case FetchRefused():
                receiver.on_refused(message, device)
            case Have():
                receiver.on_have(message, device, now=now)
            case DigestPage() if device == KEY.device:
                receiver.on_digest_page(message)

    def give_up(self, device: DeviceId, stopped: Sequence[StopFetch]) -> None:
        """Take note that a source was stopped; a holder is barred by that."""
        for stop in stopped:
            codec.encode(Purpose.DATA, stop)
            self.asked[device].pop(stop.fetch, None)
        if device != KEY.device:
            self.barred.add(device)

    def do(self, kind: int, device: DeviceId, content: bytes) -> None:
        """Do one step; see `receive`."""
        receiver, byte = self.receiver, content[0] if content else 0
        match kind:
            case 1:
                self.has_signed = True
                self.hear(device, SignedDigests(signed_digests(content[:30_000])))
            case 2:
                self.serve(device, byte)
            case 3:
                receiver.unlinked(device)
                self.link(device)
            case 4:
                self.ask(device)
            case 5:
                receiver.stop(device)
                self.link(device)
            case 6:
                self.now += len(content)
                alive = {DEVICES[byte % 4]: self.at}
                for each, stopped in receiver.look(alive, now=self.at):
                    self.give_up(each, stopped)
            case 7:
                receiver.lend()
                self.watch()
            case 8 if device != KEY.device:
                self.give_up(device, receiver.bar(device))
            case 9:
                for fetch in list(self.asked[device]):
                    if isinstance(self.asked[device].pop(fetch), Fetch):
                        receiver.on_fetched(Fetched(fetch), device)
            case _:
                self.hear(device, decoded(content))

    def watch(self) -> None:
        """Tell a watcher what is new: only what is verified and signed."""
        for said in self.watching.news(self.at):
            check(codec.encode(Purpose.DATA, said), "it cannot be said")
            if isinstance(said, SignedDigests):
                read_digests(said.signed, SIGNING_KEY)
                continue
            for span in said.held:
                held = RangeSet([(span.first, span.first + span.count)])
                check(
                    not held.difference(self.lending.vouched.known),
                    "it lends what none vouches for",
                )
                check(not held.difference(self.lending.held), "it lends what it has not")

    def look(self) -> None:
        """Look at the promises."""
        receiver, book, sources = self.receiver, self.receiver._book, self.receiver._sources
        swarm = receiver._swarm
        assert swarm is not None
        check(swarm.members.keys() == sources.every.keys(), "a source that is none")
        check(len(sources.every) <= limits.SOURCES, "too many sources")
        for device, member in swarm.members.items():
            open_fetches = sources.every[device].fetches
            check(len(open_fetches) <= limits.CHUNK_FETCHES, "too many fetches are open")
            owed = sum(self.places.bytes_of(asked.owed) for asked in open_fetches.values())
            check(0 <= owed <= member.asked_bytes, "more is owed than was asked for")
            most = limits.WINDOW_BYTES + limits.WINDOW_LEAST_BYTES + MIB
            check(member.asked_bytes <= most, "more is asked for than a window")
        check(0 <= receiver.verified_bytes <= sum(_SIZES), "more is verified than there is")
        check(
            book.asked_bytes == self.places.bytes_of(book.asked), "what is asked for is not counted"
        )
        check(not book.asked.intersection(book.missing), "asked for, and missing")
        over = sum(book.is_over(file) for file in range(len(_SIZES)))
        check(over + book.left == len(_SIZES), "a file is neither over nor left")
        failed = sum(isinstance(event, FileFailed) for event in receiver.events())
        check(failed <= len(_SIZES), "a file fails twice")

    def finish(self) -> None:
        """Let the offering device serve in earnest: whatever the others did, the transfer ends."""
        receiver, offering = self.receiver, KEY.device
        for device in DEVICES:
            receiver.unlinked(device)
        self.link(offering)
        for _ in range(_ROUNDS):
            if receiver.is_finished:
                return
            self.now += 1.0
            self.ask(offering)
            for fetch, ask in list(self.asked[offering].items()):
                del self.asked[offering][fetch]
                try:
                    self.answer(fetch, ask)
                except RemoteProtocolError:
                    check(self.has_signed, "who serves in earnest is blamed")
                    return
        check(receiver.is_finished, "the offering device serves all, and it does not end")

    def answer(self, fetch: int, ask: Fetch | FetchDigests) -> None:
        """Answer as the offering device does: chunks and what vouches for single ones, or for a whole file."""
        if isinstance(ask, FetchDigests):
            self.hear(KEY.device, DigestPage(fetch, 0, b"", self.sign(ask.file), _SIZES[ask.file]))
            return
        for wanted in ask.ranges:
            for index in range(wanted.first, wanted.first + wanted.count):
                self.bring(KEY.device, fetch, wanted.file, index, DIGEST)
            if wanted.file in self.receiver._book.here:
                self.hear(KEY.device, SignedDigests(self.sign(wanted.file)))
        self.receiver.on_fetched(Fetched(fetch))

    def sign(self, file: int) -> bytes:
        """Sign what came of one file."""
        book = self.receiver._book
        table, single = book.several.get(file), book.here.get(file)
        run = DigestRun(file, 0, single or b"", b"" if table is None else table.root() or b"")
        return issue_digests(SEED, DigestBatch(KEY.device, KEY.offer, (run,)))


def receive(data: bytes) -> None:
    """Run a script; 16 times the number of a source (0 the offering device) is added to what comes from it.

    0 a message as it comes          1 digests well signed            2 a chunk that was asked for
    3 the link is lost               4 it is asked on                 5 it is stopped
    6 time passes                    7 what came is lent              8 it is barred
    9 what it was asked for ends
    """
    asking = _Asking(data[0] if data else 0)
    for step in steps_of(data[1:]):
        device = DEVICES[step.kind // 16 % len(DEVICES)]
        try:
            asking.do(step.kind % 16, device, step.content)
        except RemoteProtocolError as error:
            check(error.code in BLAME or device == KEY.device, f"{error.code} from a holder")
            if device == KEY.device:
                asking.receiver.unlinked(device)
                asking.link(device)
            else:
                asking.give_up(device, asking.receiver.bar(device))
        asking.look()
    asking.finish()


def _from(number: int, kind: int, content: bytes = b"") -> tuple[int, bytes]:
    return 16 * number + kind, content


def _receive_seeds() -> list[bytes]:
    count = Places(_SIZES).count
    haves = [
        Have(fetch, (Span(0, 3), Span(5, count - 5)), (Span(3, 2),) if fetch % 2 else ())
        for fetch in range(12)
    ]
    told = [codec.encode(Purpose.DATA, have) for have in haves]
    bodies = [batch[1:] for batch in batches() if batch[0]]
    whole = [
        DigestRun(file, 0, DIGEST * -(-size // MIB)) for file, size in enumerate(_SIZES) if size
    ]
    body = issue_body(whole)
    asked = [_from(number, 4) for number in range(4)]
    served = [_from(number, 2, bytes((16 * turn,))) for number in range(4) for turn in range(5)]
    lines: list[list[tuple[int, bytes]]] = [
        [*asked, _from(1, 0, told[0]), _from(0, 1, body), *asked, *served],
        [
            *asked,
            *(_from(number, 0, record) for number in (1, 2) for record in told),
            _from(0, 1, body),
        ],
        [*asked, _from(1, 0, told[1]), _from(0, 1, body), _from(1, 4), _from(1, 2, b"\x08")],
        [*asked, *served, _from(0, 6, b"0" * 5), _from(0, 7), *asked, *served, _from(0, 9)],
        [*asked, _from(2, 0, told[2]), _from(0, 1, body), *asked, _from(0, 6, b"1" * 40), *asked],
        [*asked, *(_from(number, kind) for number in range(4) for kind in (3, 5, 8)), *asked],
        [*asked, *(_from(number, 1, one) for number in range(2) for one in bodies), _from(1, 9)],
        [
            *asked,
            *(
                _from(number, 0, codec.encode(Purpose.DATA, message))
                for number in range(3)
                for message in (
                    FetchRefused(1, "unknown-offer"),
                    FetchRefused(4, "file-unreadable", 7),
                    Zeros(4, ChunkRange(7, 0, 2)),
                )
            ),
        ],
    ]
    return [bytes((first,)) + script_of(*line) for line in lines for first in (0, 7, 193)]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [Target("swarm", receive, _receive_seeds, Shape.SCRIPT, 1, 8000)]
