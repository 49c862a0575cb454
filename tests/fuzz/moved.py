"""Targets about bytes of files: both machines of a transfer, with a hostile other side."""

from __future__ import annotations

import itertools

from tests.fuzz.offered import DIGEST, MANIFEST, batches, decoded, signed_digests
from tests.fuzz.seeds import records
from tests.fuzz.target import Shape, Target, check, script_of, steps_of
from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY, bring
from wire import codec, limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchManifest,
    FetchRefused,
    Pack,
    PackedChunk,
    Piece,
    SignedDigests,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.holding import Holding
from wire.transfer.proofs import FileFailed
from wire.transfer.receiver import Receiver
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

SIZES = (0, 1, 100, 100, MIB - 1, MIB, MIB + 1, 3 * MIB, 20 * MIB)


# --- the machine that asks


class _Asking:
    """A receiver whose other side is the script."""

    def __init__(self, first: int) -> None:
        self.receiver = Receiver(KEY, SIZES, SIGNING_KEY, window_bytes=(1 + first % 8) * MIB)
        self.ids = itertools.count()
        if first & 64:
            self.receiver.restore(7, [(0, DIGEST), (2, DIGEST)], [(1, 2)])
            self.receiver.restore(2, [(0, DIGEST)], [])
        if first & 128:
            self.receiver.restore_whole(8)
        self.receiver.start()
        self.asked: dict[int, Fetch | FetchDigests] = {}
        self.link()

    def link(self) -> None:
        """Begin a link and ask what it asks."""
        self.receiver.linked(lambda: next(self.ids))
        self.ask()

    def ask(self) -> None:
        """Take what is asked."""
        for ask in self.receiver.asks():
            check(ask.fetch not in self.asked, "a fetch id is given twice")
            check(
                codec.decode(Purpose.DATA, codec.encode(Purpose.DATA, ask)) == ask,
                "it cannot be said",
            )
            check(not isinstance(ask, Watch), "the offering device is watched")
            if isinstance(ask, Fetch | FetchDigests):
                self.asked[ask.fetch] = ask

    def serve(self, byte: int) -> None:
        """Answer a chunk that was asked for: well, or with other bytes than announced."""
        for ask in list(self.asked.values()):
            if not isinstance(ask, Fetch):
                continue
            wanted = ask.ranges[byte % len(ask.ranges)]
            index = wanted.first + byte // 16 % wanted.count
            length = min(MIB, SIZES[wanted.file] - index * MIB)
            piece = Piece(ask.fetch, wanted.file, index, length, DIGEST)
            if self.receiver.expects(piece):
                bring(self.receiver, piece, bytes(32) if byte & 8 else DIGEST)
                return

    def hear(self, message: Message | None) -> None:
        """Hear a message as the shell would bring it."""
        receiver = self.receiver
        match message:
            case Piece():
                if receiver.expects(message):
                    bring(receiver, message, message.digest)
            case Pack(chunks=chunks):
                if receiver.expects(message):
                    receiver.on_pack(message, [chunk.digest for chunk in chunks])
            case Zeros():
                kept = receiver.on_zeros(message)
                check(len(kept) <= limits.WINDOW_BYTES // MIB, "more zeros than were asked for")
            case SignedDigests():
                receiver.on_signed(message)
            case Fetched():
                receiver.on_fetched(message)
            case FetchRefused():
                receiver.on_refused(message)
            case DigestPage():
                receiver.on_digest_page(message)

    def look(self) -> None:
        """Look at the promises."""
        receiver, book = self.receiver, self.receiver._book
        sources = receiver._sources
        check(0 <= book.asked_bytes <= sources._window + MIB, "more is asked for than the window")
        check(0 <= receiver.verified_bytes <= sum(SIZES), "more is verified than there is")
        check(
            all(len(each.fetches) <= limits.OPEN_FETCHES for each in sources.every.values()),
            "too many fetches are open",
        )
        over = sum(book.is_over(file) for file in range(len(SIZES)))
        check(over + book.left == len(SIZES), "a file is neither over nor left")
        failed = sum(isinstance(event, FileFailed) for event in receiver.events())
        check(failed <= len(SIZES), "a file fails twice")


def receive(data: bytes) -> None:
    """Run a script: 0 a message as it comes, 1 digests well signed, 2 a chunk that was asked for, 3 the link is lost, 4 it asks on."""
    asking = _Asking(data[0] if data else 0)
    for step in steps_of(data[1:]):
        try:
            match step.kind:
                case 1:
                    asking.hear(SignedDigests(signed_digests(step.content[:30_000])))
                case 2:
                    asking.serve(step.content[0] if step.content else 0)
                case 3:
                    asking.receiver.unlinked()
                    asking.asked.clear()
                    asking.link()
                case 4:
                    asking.ask()
                case 5:
                    for stop in asking.receiver.stop():
                        codec.encode(Purpose.DATA, stop)
                    asking.asked.clear()
                    asking.link()
                case _:
                    asking.hear(decoded(step.content))
        except RemoteProtocolError:
            # The link ends; the transfer goes on over the next.
            asking.receiver.unlinked()
            asking.asked.clear()
            asking.link()
        asking.look()


def _receive_seeds() -> list[bytes]:
    said: list[Message] = [
        *(Fetched(number) for number in range(3)),
        Zeros(0, ChunkRange(7, 0, 2)),
        Pack(
            0, (PackedChunk(1, 1, DIGEST), PackedChunk(2, 100, DIGEST), PackedChunk(3, 100, DIGEST))
        ),
        *(Piece(0, 7, index, MIB, DIGEST) for index in range(3)),
        FetchRefused(0, "file-unreadable", 4),
        FetchRefused(1, "unknown-offer"),
        DigestPage(1, 0, DIGEST, batches()[1][1:], 100),
    ]
    lines = [(0, codec.encode(Purpose.DATA, message)) for message in said]
    bodies = [(1, batch[1:]) for batch in batches() if batch[0]]
    serving = [(2, bytes((byte,))) for byte in range(0, 250, 9)]
    found = [b"\7" + script_of(line) for line in (*lines, *bodies)]
    found.append(b"\7" + script_of(*lines, (4, b""), (3, b"")))
    found.append(b"\7" + script_of(*serving, *bodies, (4, b""), *serving, *lines[:3], (5, b"")))
    found.append(b"\xc7" + script_of(*bodies, (4, b""), *lines[8:]))
    return found


# --- the machine that answers


def send(data: bytes) -> None:
    """Run a script: 0 a request as it comes, 1 to 3 steps of the sender, 4 it is withdrawn, 5 time passes.

    The first byte says which files cannot be read or have changed.
    """
    first = data[0] if data else 0
    sender = Sender()
    holding = Holding(KEY, manifest=MANIFEST, sizes=SIZES, signing_seed=SEED)
    now = 0.0
    for step in steps_of(data[1:], 400):
        if step.kind in (1, 2, 3):
            for _ in range(step.kind * 4):
                if not answer_one(sender, holding, first, now):
                    break
        elif step.kind == 4:
            sender.withdraw(KEY)
        elif step.kind == 5:
            now += len(step.content)
        else:
            _request(sender, holding, step.content)
        check(len(sender._open) <= limits.OPEN_FETCHES, "too many fetches are open")
        check(len(sender._said) <= 2 * limits.UNSENT_ANSWERS, "answers pile up without bound")
        due = sender.deadline()
        check(due is None or due <= now + limits.SIGN_EVERY_S, "digests are signed too late")


def _request(sender: Sender, holding: Holding, record: bytes) -> None:
    message = decoded(record)
    try:
        match message:
            case FetchManifest():
                sender.on_fetch_manifest(message, _held(message, holding))
            case Fetch():
                sender.on_fetch(message, _held(message, holding))
            case FetchDigests():
                sender.on_fetch_digests(message, _held(message, holding))
            case StopFetch():
                sender.on_stop(message)
    except RemoteProtocolError as error:
        check(error.code in (Code.NOT_NOW, Code.TOO_MANY_REQUESTS), f"{error.code} from a request")


def _held(ask: FetchManifest | Fetch | FetchDigests, holding: Holding) -> Holding | Code:
    return holding if ask.offering_device == KEY.device else Code.UNKNOWN_OFFER


def answer_one(sender: Sender, holding: Holding, first: int, now: float) -> bool:
    """Do one step as a shell does; False when there is none."""
    step, at = sender.next_step(Monotonic(now)), Monotonic(now)
    match step:
        case None:
            return False
        case Say(messages=messages):
            for message in messages:
                check(codec.encode(Purpose.DATA, message), "it cannot be said")
        case CheckPin():
            sender.on_pin(step, is_held=not first >> step.file % 8 & 1, now=at)
        case ReadDigests():
            sender.on_digests(step, holding.table(step.file).page(step.page))
        case Read():
            _read(sender, holding, step, first, at)
    return True


def _digest(holding: Holding, file: int, index: int) -> ChunkDigest | Code:
    """Give the digest of a chunk that was read, as a shell does."""
    if holding.lending is not None:
        return holding.judge(file, index, DIGEST)
    return ChunkDigest(bytes(DIGEST[:31]) + bytes((index % 3,)))


def _read(sender: Sender, holding: Holding, step: Read, first: int, at: Monotonic) -> None:
    check(sum(part.length for part in step.parts) <= MIB, "a read larger than a record")
    for part in step.parts:
        check(part.offset + part.length <= SIZES[part.file], "a read beyond the end")
    if step.run > 1 and first & 2:
        message: Message | None = sender.on_zeros(step, step.run, at)
    else:
        fails = first >> step.parts[0].file % 8 & 4
        outcome = [
            Code.FILE_UNREADABLE if fails else _digest(holding, part.file, part.index)
            for part in step.parts
        ]
        message = sender.on_read(step, outcome, at)
        if holding.lending is not None and isinstance(message, Piece):
            known = holding.lending.digest(message.file, message.index)
            check(message.digest == known, "a holder gives what nobody signed")
    check(message is None or codec.encode(Purpose.DATA, message), "it cannot be said")


def _send_seeds() -> list[bytes]:
    device, offer = KEY
    asks: list[Message] = [
        *(FetchManifest(number, device, offer, number) for number in range(4)),
        Fetch(10, device, offer, tuple(ChunkRange(file, 0, 1) for file in (1, 2, 3, 4, 5))),
        Fetch(11, device, offer, (ChunkRange(7, 0, 3), ChunkRange(8, 2, 9))),
        *(FetchDigests(20 + file, device, offer, file, 0) for file in (1, 5, 7, 8)),
        StopFetch(11),
    ]
    lines = [(0, codec.encode(Purpose.DATA, ask)) for ask in asks]
    found = [bytes((first,)) + script_of(line, (3, b"")) for line in lines for first in (0, 2, 255)]
    found.append(b"\0" + script_of(*lines, (3, b""), (5, b"xx"), (3, b""), (4, b""), (2, b"")))
    found += [
        b"\0" + script_of((0, record), (1, b""))
        for record in records(Purpose.DATA, 1)
        if len(record) < 2000
    ]
    return found


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("receiver", receive, _receive_seeds, Shape.SCRIPT, 1),
        Target("sender", send, _send_seeds, Shape.SCRIPT, 1, 8000),
    ]
