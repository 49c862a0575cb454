"""One offer to several friends over real sockets: they serve each other, and go on without who offered it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

from peer.transfers.lent import Lent, recall
from peer.transfers.sharing import lendable
from peer.transfers.taken import TakenRecord
from tests.harness.offers import key_of
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Station, stations
from wire import limits
from wire.ids import ChunkDigest, IdentityKey
from wire.transfer.holding import OfferKey
from wire.transfer.lending import Lending

Four = tuple[Station, Station, Station, Station]


@pytest.fixture
async def four(tmp_path: Path) -> AsyncIterator[Four]:
    world = Simulation(1)
    people = [SimPeer.make(world, name) for name in ("alice", "bob", "carol", "dave")]
    for number, one in enumerate(people):
        for other in people[number + 1 :]:
            befriend(one, other)
    async with stations(tmp_path, *people) as made:
        alice, bob, carol, dave = made
        yield alice, bob, carol, dave


def file(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


async def test_recipients_of_one_offer_serve_each_other(four: Four, tmp_path: Path) -> None:
    alice, *others = four
    sent = file(tmp_path, "film", 16 * limits.MIB + 5)
    alice.limit_up(4 * limits.MIB)  # slower than the others are on any machine
    offered = alice.offer_to(others, sent)
    await alice.until(lambda: alice.all_states(offered) == ["done"] * 3)
    for one in others:
        assert (one.downloads / "film").read_bytes() == sent.read_bytes()
    assert alice.uploaded <= 2 * sent.stat().st_size  # of a small file; to each in turn it is 3


async def test_the_others_go_on_without_who_offered_it(four: Four, tmp_path: Path) -> None:
    alice, bob, carol, _ = four
    sent = file(tmp_path, "film", 10 * limits.MIB + 5)
    offered = alice.offer_to([bob, carol], sent, takes=[bob])
    await alice.until(lambda: "done" in alice.all_states(offered))
    alice.cut()
    carol.take(offered, alice)
    await carol.until(lambda: carol.states()[offered][0] == "done")
    assert (carol.downloads / "film").read_bytes() == sent.read_bytes()


async def test_many_small_files_come_from_others_too(four: Four, tmp_path: Path) -> None:
    alice, bob, carol, _ = four
    folder = tmp_path / "many"
    (folder / "deep").mkdir(parents=True)
    for number in range(300):
        file(folder / "deep", f"{number}", number * 20)
    offered = alice.offer_to([bob, carol], folder, takes=[bob])
    await alice.until(lambda: "done" in alice.all_states(offered))
    alice.cut()
    carol.take(offered, alice)
    await carol.until(lambda: carol.states()[offered][0] == "done")
    for path in (folder / "deep").iterdir():
        assert (carol.downloads / "many/deep" / path.name).read_bytes() == path.read_bytes()


async def test_what_nobody_who_is_there_has_is_waited_for(four: Four, tmp_path: Path) -> None:
    alice, bob, carol, _ = four
    alice.limit_up(2 * limits.MIB)
    sent = file(tmp_path, "film", 12 * limits.MIB)
    offered = alice.offer_to([bob, carol], sent)
    await bob.until(lambda: bob.verified(offered) > limits.MIB)
    alice.cut()
    await bob.until(lambda: bob.states()[offered] == ("waiting", "source-offline"))
    await carol.until(lambda: carol.states()[offered] == ("waiting", "source-offline"))
    alice.limit_up(None)
    alice.is_up = True
    for one in (bob, carol):
        one.links.wake()
    await alice.until(lambda: alice.all_states(offered) == ["done"] * 2)
    assert (carol.downloads / "film").read_bytes() == sent.read_bytes()


async def test_a_holder_whose_copy_was_changed_lends_nothing_of_it_and_is_no_liar(
    four: Four, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob, carol, _ = four
    sent = file(tmp_path, "film", 6 * limits.MIB)
    offered = alice.offer_to([bob, carol], sent, takes=[bob])
    await alice.until(lambda: "done" in alice.all_states(offered))
    spoilt = bob.downloads / "film"
    spoilt.write_bytes(bytes(reversed(spoilt.read_bytes())))
    with caplog.at_level(logging.WARNING, "peer"):
        carol.take(offered, alice)
        await carol.until(lambda: carol.states()[offered][0] == "done")
    assert (carol.downloads / "film").read_bytes() == sent.read_bytes()
    assert not [record for record in caplog.records if "no source" in record.getMessage()]


class Anything:
    """Equal to whatever it is compared with."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class Gullible(Lending):
    """What a liar lends: whatever it reads is right."""

    def digest(self, file: int, index: int) -> ChunkDigest | None:
        return cast("ChunkDigest", Anything())


class Stalling(Lending):
    """What a staller lends: some chunks, and then nothing until it is let go."""

    def __init__(self, lending: Lending, chunks: int) -> None:
        super().__init__(lending.vouched, lending.held)
        self._left = chunks
        self.is_over = threading.Event()

    def digest(self, file: int, index: int) -> ChunkDigest | None:
        self._left -= 1
        if self._left < 0:
            self.is_over.wait()
        return super().digest(file, index)


def lent_by(holder: Station, key: OfferKey) -> Lent:
    """What somebody noted of an offer that landed, as it is lent from now on."""
    asker = IdentityKey(holder.one.keys.identity)
    found = holder.one.database.read(lendable, asker, key)
    assert found is not None
    lent = recall(TakenRecord(holder.shelf.taken, key), key, found)
    assert lent is not None
    holder.links._serving._lent[key] = lent
    return lent


async def test_a_source_that_lies_and_one_that_stalls_are_named_and_not_asked_again(
    four: Four, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    alice, liar, staller, carol = four
    sent = file(tmp_path, "film", 24 * limits.MIB)
    offered = alice.offer_to([liar, staller, carol], sent, takes=[liar, staller])
    await alice.until(lambda: alice.all_states(offered).count("done") == 2)
    await staller.until(lambda: staller.states()[offered][0] == "done")
    key = key_of(alice.one, offered)
    lies = lent_by(liar, key)
    lies.lending = Gullible(lies.lending.vouched, lies.lending.held)
    spoilt = bytearray(sent.read_bytes())
    spoilt[77 :: limits.MIB] = bytes(each ^ 1 for each in spoilt[77 :: limits.MIB])
    (liar.downloads / "film").write_bytes(spoilt)
    stalls = lent_by(staller, key)
    stalls.lending = stall = Stalling(stalls.lending, 7)
    with caplog.at_level(logging.WARNING, "peer"):
        carol.take(offered, alice)
        await carol.until(lambda: carol.states()[offered][0] == "done")
    stall.is_over.set()
    assert (carol.downloads / "film").read_bytes() == sent.read_bytes()
    said = [record.getMessage() for record in caplog.records]
    for bad, word in ((liar, "no source"), (staller, "stalls")):
        name = bad.one.keys.device.hex()[:8]
        assert sum(name in line and word in line for line in said) == 1, said
