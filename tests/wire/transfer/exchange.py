"""A sender and a receiver joined in memory: files as bytes, links that are cut, programs that start anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from wire import limits
from wire.codes import Code
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
    Pack,
    Piece,
    SignedDigests,
    Watch,
    Zeros,
)
from wire.transfer.digests import chunk_digest, chunk_length
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say, Step

SEED = b"s" * 32
KEY = OfferKey(DeviceId(b"d" * 16), OfferId(b"o" * 16))
SIGNING_KEY = SigningKey(public_of(SEED))
MIB = limits.MIB


_START = Monotonic(0.0)


def bring(
    receiver: Receiver,
    piece: Piece,
    digest: bytes,
    source: DeviceId | None = None,
    *,
    now: Monotonic = _START,
) -> bool:
    """Bring a chunk that is expected; says whether it is kept."""
    is_kept = receiver.verify(piece, digest, source, now=now)
    if is_kept:
        receiver.take([piece], source, now=now)
    return is_kept


class Exchange:
    """One offer on its way. files: what is sent. pins: files whose pin does not hold any more.

    journal: what a receiver that was killed would find: right chunks by (file, index), and whole files.
    """

    def __init__(self, files: Sequence[bytes], *, window_bytes: int = limits.WINDOW_BYTES) -> None:
        self.files = list(files)
        self.window_bytes = window_bytes
        self.pins: set[int] = set()
        self.unreadable: set[int] = set()
        self.sizes = [len(file) for file in files]
        self.received = [bytearray(len(file)) for file in files]
        self.journal: dict[tuple[int, int], bytes] = {}
        self.verified: list[int] = []
        self.failed: dict[int, Code] = {}
        self.now = 0.0
        self.steps = 0
        self.sent_bytes = 0
        self.holes: set[int] = set()
        self._fetches = itertools.count()
        self.start_sender()
        self.start_receiver()

    def start_sender(self) -> None:
        """Begin the offering program anew: it knows no digests."""
        self.holding = Holding(KEY, manifest=b"m", sizes=self.sizes, signing_seed=SEED)
        self.sender = Sender()

    def start_receiver(self) -> None:
        """Begin the receiving program anew: it knows what its journal says."""
        self.receiver = Receiver(KEY, self.sizes, SIGNING_KEY, window_bytes=self.window_bytes)
        chunks: dict[int, list[tuple[int, bytes]]] = {}
        for (file, index), digest in self.journal.items():
            chunks.setdefault(file, []).append((index, digest))
        over = set(self.verified) | set(self.failed)
        for file in self.verified:
            self.receiver.restore_whole(file)
        for file, found in chunks.items():
            if file not in over:
                self.receiver.restore(file, found, [])
        self.receiver.start()
        self.take_events()
        self.link()

    def link(self) -> None:
        """Join the two by a new link."""
        self.sender = Sender()
        self.receiver.linked(lambda: next(self._fetches))

    def cut(self) -> None:
        """Lose the link with all that was on its way, and make another."""
        self.receiver.unlinked()
        self.link()

    def run(self, *, until: Callable[[], bool] | None = None) -> None:
        """Go on until the receiver is done, or `until` says so."""
        while not self.receiver.is_finished and not (until is not None and until()):
            self.turn()

    def turn(self) -> None:
        """Let the receiver ask, and the sender take one step."""
        for ask in self.receiver.asks():
            assert self.receiver.is_waiting
            self.hear_ask(ask)
        step = self.sender.next_step(Monotonic(self.now))
        self.now += 0.01
        self.steps += 1
        assert step is not None, "both wait for each other"
        self.do(step)

    def hear_ask(self, ask: Fetch | FetchDigests | Watch) -> None:
        """Bring one request to the sender."""
        if isinstance(ask, Fetch):
            self.sender.on_fetch(ask, self.holding)
        elif isinstance(ask, FetchDigests):
            self.sender.on_fetch_digests(ask, self.holding)

    def do(self, step: Step) -> None:
        """Be the sender's shell for one step, and carry what it says over."""
        match step:
            case Say(messages=messages):
                for message in messages:
                    self.hear(message)
            case CheckPin():
                held = step.file not in self.pins
                self.sender.on_pin(step, is_held=held, now=Monotonic(self.now))
            case ReadDigests():
                digests = self.holding.table(step.file).page(step.page)
                self.sender.on_digests(step, digests)
            case Read():
                self._read(step)

    def _read(self, step: Read) -> None:
        first = step.parts[0]
        if first.file in self.holes and step.run > 1:
            zeros = self.sender.on_zeros(step, step.run, Monotonic(self.now))
            if zeros is not None:
                self.hear(zeros)
            return
        pieces: list[bytes] = []
        outcome: list[ChunkDigest | Code] = []
        for part in step.parts:
            if part.file in self.unreadable:
                outcome.append(Code.FILE_UNREADABLE)
                continue
            data = self.files[part.file][part.offset : part.offset + part.length]
            pieces.append(data)
            outcome.append(chunk_digest(data))
        message = self.sender.on_read(step, outcome, Monotonic(self.now))
        if isinstance(message, Piece | Pack):
            self.carry(message, pieces)
        elif message is not None:
            self.hear(message)

    def carry(self, announced: Piece | Pack, pieces: Sequence[bytes]) -> None:
        """Bring bytes to the receiver."""
        if not self.receiver.expects(announced):
            return
        digests = [chunk_digest(data) for data in pieces]
        self.sent_bytes += sum(map(len, pieces))
        if isinstance(announced, Piece):
            bring(self.receiver, announced, digests[0])
            self._keep(announced.file, announced.index, pieces[0], digests[0])
        else:
            self.receiver.on_pack(announced, digests)
            for chunk, data, digest in zip(announced.chunks, pieces, digests, strict=True):
                self._keep(chunk.file, 0, data, digest)
        self.take_events()

    def hear(self, message: Message) -> None:
        """Bring a message to the receiver."""
        receiver = self.receiver
        match message:
            case Zeros():
                for index, digest in receiver.on_zeros(message):
                    file = message.range.file
                    data = bytes(chunk_length(self.sizes[file], index))
                    self._keep(file, index, data, digest)
            case SignedDigests():
                receiver.on_signed(message)
            case Fetched():
                receiver.on_fetched(message)
            case FetchRefused():
                receiver.on_refused(message)
            case DigestPage():
                receiver.on_digest_page(message)
            case _:
                raise AssertionError(message)
        self.take_events()

    def take_events(self) -> None:
        """Take note of what the receiver decided."""
        for event in self.receiver.events():
            match event:
                case FileVerified(file=file):
                    self.verified.append(file)
                case FileFailed(file=file, code=code):
                    self.failed[file] = code

    def _keep(self, file: int, index: int, data: bytes, digest: bytes) -> None:
        offset = index * limits.CHUNK_BYTES
        self.received[file][offset : offset + len(data)] = data
        self.journal[file, index] = bytes(digest)

    def check_whole(self) -> None:
        """Every file arrived as it was sent, once."""
        assert sorted(self.verified) == list(range(len(self.files)))
        assert self.received == [bytearray(file) for file in self.files]
        assert self.receiver.verified_bytes == sum(self.sizes)
        assert not self.failed
