"""Promise F1 with several sources on disks in memory: links cut, programs killed, power lost, lies, and still whole or absent.

The machines and their enemies are `tests.wire.transfer.swarming`'s; here what comes is written by real sinks.
"""

from __future__ import annotations

import pytest

from peer.transfers.sink import Sink
from tests.conftest import PROFILE
from tests.harness.disks import MemoryDisk
from tests.peer.transfers.landings import (
    FILES,
    LANDED,
    ROOT,
    check_whole_or_absent,
    chunk,
    open_sink,
    put,
)
from tests.wire.transfer.swarming import KEY, SEED, SIGNING_KEY, Party, World
from wire import limits
from wire.ids import ChunkDigest
from wire.messages.transfer import Fetch, SignedDigests
from wire.transfer.digests import chunk_digest
from wire.transfer.holding import Holding
from wire.transfer.proofs import FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.swarm import own_start

SEEDS = range(4000 if PROFILE == "deep" else 120)
SIZES = [len(content) for content in FILES]


class Shore(Party):
    """A receiver with a disk: `store` is what lies on it, `has_landed` what its book knows."""

    def __init__(self, world: World, number: int) -> None:
        self.store = MemoryDisk(ROOT, has_extras=bool(number % 2))
        self.has_landed = False
        super().__init__(world, number)

    def start(self) -> None:
        """Begin a life: open the sink, and tell the machine what it finds."""
        self.sink: Sink | None = None
        if self.number == 0:
            super().start()
            return
        names = [bytes([number]) for number in range(1, self.world.receivers + 1)]
        count = sum(-(-size // limits.CHUNK_BYTES) for size in SIZES)
        begin = own_start(count, bytes([self.number]), names, self.world.dice.random())
        receiver = self.receiver = Receiver(KEY, SIZES, SIGNING_KEY, start=begin)
        self.disk.written.clear()
        if not self.has_landed:
            self.sink = open_sink(self.store)
            if self.sink.is_landing:
                self.land()
        if self.sink is None:
            self.has_whole(*range(len(SIZES)))
        else:
            self.restore(self.sink, receiver)
        for batch in self.disk.batches:
            receiver.on_signed(SignedDigests(batch))
        receiver.start()
        self.after()
        self.holding = Holding(
            KEY, manifest=b"m", sizes=SIZES, signing_seed=SEED, lending=receiver.lending
        )

    def restore(self, sink: Sink, receiver: Receiver) -> None:
        for found in sink.restored():
            if found.is_whole:
                self.has_whole(found.file)
                continue
            chunks = list(found.chunks)
            receiver.restore(found.file, chunks, found.asked)
            for index, digest in chunks:
                assert digest == self.world.truth(found.file, index)
                self.disk.written[found.file, index] = digest

    def has_whole(self, *files: int) -> None:
        assert self.receiver is not None
        for file in files:
            self.receiver.restore_whole(file)
            for index in range(-(-SIZES[file] // limits.CHUNK_BYTES)):
                self.disk.written[file, index] = self.world.truth(file, index)

    def crash(self) -> None:
        """End as programs and machines do."""
        dice = self.world.dice
        match dice.randrange(3):
            case 0:
                self.store.reboot()  # killed: what it wrote stays
            case 1:
                if self.sink is not None:
                    self.sink.close()
            case _:
                self.store.power_cut(dice, dice.random())
        if dice.random() < 0.5:  # what was signed is not synced
            del self.disk.batches[dice.randrange(len(self.disk.batches) + 1) :]
        check_whole_or_absent(self.store.tree())
        self.senders.clear()
        self.start()

    def asked(self, fetch: Fetch) -> None:
        """Note what is asked for, before it is."""
        if self.sink is not None:
            self.sink.asked([(r.file, r.first, r.first + r.count) for r in fetch.ranges])

    def write(self, file: int, index: int, digest: bytes) -> None:
        """Write a chunk that the machine has checked."""
        super().write(file, index, digest)
        assert self.sink is not None
        data = chunk(FILES[file], index)
        if any(data):
            put(self.sink, file, index, data, digest)
        else:
            self.sink.write_zeros(file, index, 1)

    def after(self) -> None:
        """Do what the machine decided, with the disk."""
        receiver, sink = self.receiver, self.sink
        assert receiver is not None
        events = receiver.events()
        whole = [event.file for event in events if isinstance(event, FileVerified)]
        assert len(whole) == len(events), events
        receiver.lend()
        if receiver.lending is not None:
            self.disk.batches = list(receiver.lending.vouched.batches)
        if sink is None:
            return
        sink.finish_files(whole)
        if self.world.dice.random() < 0.2:
            sink.sync()
        if receiver.is_finished:
            self.land()

    def land(self) -> None:
        """Give everything its name; the book may not have heard of it when the power goes."""
        assert self.sink is not None
        self.sink.finish()
        if self.world.dice.random() < 0.3:
            self.store.power_cut(self.world.dice, self.world.dice.random())
            self.sink = open_sink(self.store)
            assert self.sink.is_landing
            self.sink.finish()
        self.sink.discard()
        self.sink, self.has_landed = None, True


class Coast(World):
    """A world of such receivers."""

    make_party = Shore

    def truth(self, file: int, index: int) -> ChunkDigest:
        return chunk_digest(chunk(FILES[file], index))

    def ask(self, one: int, other: int) -> None:
        party = self.parties[one]
        queue = self.links[frozenset((one, other))][one, other]
        before = len(queue)
        super().ask(one, other)
        for said in list(queue)[before:]:
            if isinstance(said, Fetch):
                assert isinstance(party, Shore)
                party.asked(said)


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: f"seed-{seed}-")
def test_what_lands_from_many_sources_is_what_was_offered(seed: int) -> None:
    receivers = 2 + seed % 3
    world = Coast(SIZES, receivers, seed)
    for party in world.dice.sample(world.parties[1:], world.dice.randrange(receivers)):
        if world.dice.random() < 0.5:
            party.lies = world.dice.choice((0.2, 1.0))
        else:
            party.stalls_after = world.dice.randrange(4)
    for _ in range(world.dice.randrange(25)):
        world.join_all()
        for _ in range(world.dice.randrange(12)):
            world.turn()
        number = world.dice.randrange(receivers + 1)
        match world.dice.randrange(4):
            case 0:
                world.cut(number, world.dice.randrange(receivers + 1))
            case 1:
                world.leave(number)
            case _:
                world.crash(number)
        for party in world.parties:
            party.is_up = party.is_up or world.dice.random() < 0.3
    for party in world.parties:
        party.is_up = True
    world.join_all()
    world.run()
    for party in world.parties[1:]:
        assert isinstance(party, Shore)
        assert party.store.tree() == LANDED
