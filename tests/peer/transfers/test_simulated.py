"""Promise F1 under a seeded enemy: links cut, either program killed, power lost, lies, and still whole or absent.

A failing seed is replayed by itself: pytest tests/peer/transfers/test_simulated.py -k seed-NUMBER-
"""

from __future__ import annotations

import itertools
import random

import pytest

from peer.transfers.intake import Intake
from peer.transfers.sink import Sink
from tests.conftest import PROFILE
from tests.harness.disks import MemoryDisk
from tests.peer.transfers.landings import (
    FILES,
    KEY,
    LANDED,
    ROOT,
    check_whole_or_absent,
    open_sink,
)
from tests.wire.transfer.exchange import SEED, SIGNING_KEY
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest
from wire.machine import Monotonic
from wire.messages.transfer import (
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    Pack,
    Piece,
    SignedDigests,
    Zeros,
)
from wire.transfer.digests import chunk_digest
from wire.transfer.holding import Holding
from wire.transfer.proofs import FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

SEEDS = range(5000 if PROFILE == "deep" else 300)
SIZES = [len(content) for content in FILES]


class Town:
    """A sender, a link, a receiver and its disk; `dice` is the enemy's."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.disk = MemoryDisk(ROOT, has_extras=bool(seed % 2))
        self.fetches = itertools.count()
        self.sent_bytes = 0
        self.interruptions = 0
        self.now = 0.0
        self.begin_sender()
        self.begin_receiver()

    def begin_sender(self) -> None:
        self.holding = Holding(KEY, manifest=b"m", sizes=SIZES, signing_seed=SEED)
        self.sender = Sender()

    def begin_receiver(self) -> None:
        self.sink = open_sink(self.disk)
        if self.sink.is_landing:
            return
        self.receiver = Receiver(KEY, SIZES, SIGNING_KEY, window_bytes=2 * limits.MIB)
        for found in self.sink.restored():
            if found.is_whole:
                self.receiver.restore_whole(found.file)
            else:
                self.receiver.restore(found.file, found.chunks, found.asked)
        self.receiver.start()
        self.intake = Intake(self.receiver, self.sink)
        self.link()

    def link(self) -> None:
        self.sender = Sender()
        self.receiver.linked(lambda: next(self.fetches))

    def unlink(self) -> None:
        self.intake.settle(Monotonic(self.now))
        self.receiver.unlinked()

    # --- the enemy

    def strike(self) -> None:
        """Perhaps do harm."""
        throw = self.dice.random()
        if throw > 0.12:
            return
        self.interruptions += 1
        if throw < 0.05:
            if throw < 0.02:
                self.begin_sender()
            self.unlink()
            self.link()
        else:
            if throw < 0.07:
                self.disk.reboot()  # the program was killed: what it wrote stays
            elif throw < 0.09:
                self.intake.settle(Monotonic(self.now))
                self.sink.close()
            else:
                self.disk.power_cut(self.dice, self.dice.random())
            check_whole_or_absent(self.disk.tree())
            self.begin_receiver()

    # --- the honest part

    def run(self) -> None:
        while not self.sink.is_landing and not self.receiver.is_finished:
            self.turn()
            self.strike()
        self.sink.finish()
        if self.dice.random() < 0.5:
            self.disk.reboot()
            self.sink = open_sink(self.disk)
            assert self.sink.is_landing
            self.sink.finish()
        self.sink.discard()

    def turn(self) -> None:
        for ask in self.receiver.asks():
            if isinstance(ask, Fetch):
                self.sink.asked([(r.file, r.first, r.first + r.count) for r in ask.ranges])
                self.sender.on_fetch(ask, self.holding)
            elif isinstance(ask, FetchDigests):
                self.sender.on_fetch_digests(ask, self.holding)
        step = self.sender.next_step(Monotonic(self.now))
        self.now += self.dice.choice((0.0005, 0.3))
        assert step is not None, "both wait for each other"
        match step:
            case Say(messages=messages):
                for message in messages:
                    self.hear(message)
            case CheckPin():
                self.sender.on_pin(step, is_held=True, now=Monotonic(self.now))
            case ReadDigests():
                self.sender.on_digests(step, b"")
            case Read():
                self.read(step)
        whole = [e.file for e in self.receiver.events() if isinstance(e, FileVerified)]
        self.sink.finish_files(whole)
        if self.dice.random() < 0.3:
            self.sink.sync()

    def read(self, step: Read) -> None:
        pieces = [
            memoryview(FILES[part.file])[part.offset : part.offset + part.length]
            for part in step.parts
        ]
        digests = [chunk_digest(data) for data in pieces]
        message = self.sender.on_read(step, digests, Monotonic(self.now))
        if isinstance(message, Piece | Pack):
            if not self.intake.goes_on(message):
                self.intake.settle(Monotonic(self.now))
            assert self.intake.expects(message, KEY.device, Monotonic(self.now))
            self.sent_bytes += sum(map(len, pieces))
            if self.dice.random() < 0.03:
                return self.meet_a_lie(message, step, pieces, digests)
            self.receive(message, step, pieces, digests)
        elif message is not None:
            self.hear(message)
        return None

    def receive(
        self,
        message: Piece | Pack,
        step: Read,
        pieces: list[memoryview],
        digests: list[ChunkDigest],
    ) -> None:
        parts = [
            (part.file, part.index, data, digest)
            for part, data, digest in zip(step.parts, pieces, digests, strict=True)
        ]
        self.intake.take(message, parts, KEY.device, Monotonic(self.now))

    def meet_a_lie(
        self,
        message: Piece | Pack,
        step: Read,
        pieces: list[memoryview],
        digests: list[ChunkDigest],
    ) -> None:
        """Get other bytes than were announced: nothing of them is written, and their link ends."""
        digests[self.dice.randrange(len(digests))] = ChunkDigest(bytes(32))
        with pytest.raises(RemoteProtocolError) as lie:
            self.receive(message, step, pieces, digests)
        assert lie.value.code is Code.VERIFICATION_FAILED
        self.interruptions += 1
        self.unlink()
        self.link()

    def hear(self, message: object) -> None:
        self.intake.settle(Monotonic(self.now))
        match message:
            case Zeros():
                self.intake.take_zeros(message, KEY.device, Monotonic(self.now))
            case SignedDigests():
                self.receiver.on_signed(message)
            case Fetched():
                self.receiver.on_fetched(message)
            case DigestPage():
                self.receiver.on_digest_page(message)
            case _:
                raise AssertionError(message)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_what_lands_is_what_was_sent_whatever_happens_on_the_way(seed: int) -> None:
    town = Town(seed)
    town.run()
    assert town.disk.tree() == LANDED
    window = 2 * limits.MIB + limits.CHUNK_BYTES
    most = sum(SIZES) + town.interruptions * (sum(SIZES) + window)
    assert town.sent_bytes <= most
    assert not Sink.exists(ROOT, KEY, "stuff", disk=town.disk)
