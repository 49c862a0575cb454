"""One offer to several friends over real sockets: they serve each other, and go on without who offered it."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Station, stations
from wire import limits

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
    sent = file(tmp_path, "film", 40 * limits.MIB + 5)
    alice.limit_up(20 * limits.MIB)
    offered = alice.offer_to(others, sent)
    await alice.until(lambda: alice.all_states(offered) == ["done"] * 3)
    for one in others:
        assert (one.downloads / "film").read_bytes() == sent.read_bytes()
    assert alice.uploaded <= 1.5 * sent.stat().st_size


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
    sent = file(tmp_path, "film", 24 * limits.MIB)
    offered = alice.offer_to([bob, carol], sent)
    await bob.until(lambda: bob.verified(offered) > 4 * limits.MIB)
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
