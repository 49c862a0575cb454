"""Data links over real sockets: which transfers run over them, how many there are, and how they end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peer.transfers import datalinks, manager
from peer.transfers.disk import SystemDisk
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Station, stations
from wire import limits
from wire.codes import Code
from wire.link import LinkState

Three = tuple[Station, Station, Station]


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[Three]:
    world = Simulation(1)
    people = [SimPeer.make(world, name) for name in ("alice", "bob", "carol")]
    befriend(people[0], people[1])
    befriend(people[2], people[1])
    async with stations(tmp_path, *people) as made:
        alice, bob, carol = made
        yield alice, bob, carol


def file(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.write_bytes(os.urandom(size))
    return path


async def test_what_was_accepted_comes_and_both_sides_know(three: Three, tmp_path: Path) -> None:
    alice, bob, _ = three
    sent = file(tmp_path, "letter", 3 * limits.MIB + 5)
    offered = alice.offer(bob, sent)
    await alice.until(lambda: alice.states()[offered][0] == "done")
    assert bob.states()[offered] == ("done", None)
    assert (bob.downloads / "letter").read_bytes() == sent.read_bytes()


async def test_transfers_of_a_friend_who_is_away_give_their_slots_to_others(
    three: Three, tmp_path: Path
) -> None:
    alice, bob, carol = three
    mute = await alice.dial(bob)  # answers nothing
    held = [
        alice.offer(bob, file(tmp_path, f"held {number}", 5))
        for number in range(limits.TRANSFERS_AT_ONCE)
    ]
    await bob.until(lambda: all(bob.states()[each][0] == "running" for each in held))
    late = carol.offer(bob, file(tmp_path, "late", 5))
    await bob.until(lambda: bob.states()[late] == ("waiting", "slot"))
    alice.is_up = False
    mute.close()
    await bob.until(lambda: bob.states()[late][0] == "done")
    assert bob.states()[held[0]] == ("waiting", "friend")
    alice.is_up = True
    bob.links.wake()
    await bob.until(lambda: all(bob.states()[each][0] == "done" for each in held))


async def test_space_promised_to_a_friend_who_is_away_is_for_others(
    three: Three, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = three
    monkeypatch.setattr(SystemDisk, "free_bytes", staticmethod(lambda folder: 24 * limits.MIB))
    alice.limit_up(limits.MIB)
    first = alice.offer(bob, file(tmp_path, "first", 20 * limits.MIB))
    await bob.until(lambda: bob.verified(first) > 0)
    second = carol.offer(bob, file(tmp_path, "second", 12 * limits.MIB))
    await bob.until(lambda: bob.states()[second] == ("waiting", "space"))
    alice.is_up = False
    alice.cut()
    await bob.until(lambda: bob.states()[second][0] == "done")
    alice.is_up = True
    alice.limit_up(None)
    bob.links.wake()
    await bob.until(lambda: bob.states()[first][0] == "done")


async def test_a_note_that_cannot_be_written_holds_no_transfer(
    three: Three, tmp_path: Path
) -> None:
    alice, bob, carol = three
    bob.rows.held = manager.started
    offered = [
        one.offer(bob, file(tmp_path, name, 5)) for one, name in ((alice, "a"), (carol, "c"))
    ]
    await bob.until(lambda: all(bob.states()[each][0] == "done" for each in offered))


async def test_what_changes_while_the_links_are_looked_at_is_looked_at_next(
    three: Three, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob, carol = three
    alice.limit_up(limits.MIB)
    slow = alice.offer(bob, file(tmp_path, "slow", 16 * limits.MIB))
    await bob.until(lambda: bob.states()[slow][0] == "running")
    monkeypatch.setattr(datalinks, "LOOK_S", 3600.0)
    opened = asyncio.Event()
    bob.rows.gate = manager.waiting, opened
    alice.cut()
    await bob.rows.is_at_gate.wait()  # in the middle of a look
    late = carol.offer(bob, file(tmp_path, "late", 5))
    opened.set()
    await bob.until(lambda: bob.states()[late][0] == "done")


async def test_of_many_links_with_one_device_the_newest_stay(three: Three) -> None:
    alice, bob, _ = three
    mute = [await alice.dial(bob) for _ in range(limits.DATA_LINKS_PER_DEVICE)]
    for pump in mute[:-2]:
        await pump.wait_lost()
    replaced = [alice.closed.get(pump) is Code.LINK_REPLACED for pump in mute]
    assert replaced == [True] * (len(mute) - 2) + [False] * 2


async def test_an_end_of_the_node_ends_the_links(three: Three) -> None:
    alice, bob, _ = three
    mute = await alice.dial(bob)
    await bob.links.close()
    await mute.wait_lost()
    assert mute.link is not None
    assert mute.link.state is LinkState.CLOSED
    late = await alice.dial(bob)
    await late.wait_lost()
    assert not late.is_open
