"""What both ends show of one transfer over real sockets: how far it is, where it goes on, how far it came."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from peer import api
from peer.effects import NoteDenial
from peer.store.devices import note_device
from peer.transfers import datalinks, ledger, manager, outcomes, stopping
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Station, stations, two_friends
from tests.harness.talk import told
from wire import limits

Two = tuple[Station, Station]
RATE = 2 * limits.MIB


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with two_friends(tmp_path) as both:
        yield both


def shown(station: Station) -> api.Transfer:
    """Give the one transfer as its person sees it."""
    [transfer] = station.one.database.read(manager.transfers, station.links.live())
    return transfer


def came(station: Station) -> tuple[int, int]:
    """Give how far the one transfer is in the book alone."""
    [transfer] = station.one.database.read(manager.transfers)
    return transfer.verified_bytes, transfer.resent_bytes


async def half_way(alice: Station, bob: Station, folder: Path) -> Path:
    """Let a file come slowly from alice to bob until some of it is there; gives its path."""
    path = folder / "letter"
    path.write_bytes(os.urandom(16 * limits.MIB))
    alice.limit_up(RATE)
    alice.offer(bob, path)
    await bob.until(lambda: shown(bob).verified_bytes >= 2 * limits.MIB)
    return path


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_where_it_goes_on_is_what_was_verified_though_its_link_stood_all_the_time(
    two: Two, tmp_path: Path, who: str
) -> None:
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    one = alice if who == "alice" else bob
    one.do(stopping.pause, shown(one).id, one.one.world.wall())
    await bob.until(lambda: not bob.links.live())
    await alice.until(lambda: came(alice) == came(bob))
    was = shown(bob).verified_bytes
    one.do(stopping.resume, shown(one).id, one.one.world.wall())
    alice.links.linked(bob.one.keys.device)
    bob.links.linked(alice.one.keys.device)
    for each in two:
        await each.until(lambda each=each: shown(each).resumed_at is not None)  # type: ignore[misc]
    assert (shown(bob).resumed_at, shown(alice).resumed_at) == (was, was)


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_what_is_held_is_as_far_at_the_sender_as_at_the_receiver(
    two: Two, tmp_path: Path, who: str
) -> None:
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    one = alice if who == "alice" else bob
    one.do(stopping.pause, shown(one).id, one.one.world.wall())
    await bob.until(lambda: not bob.links.live())
    assert shown(bob).state in ("paused", "waiting")
    await alice.until(lambda: came(alice) == came(bob))


@pytest.mark.parametrize("who", ["alice", "bob"])
async def test_what_is_called_off_came_as_far_at_the_sender_as_at_the_receiver(
    two: Two, tmp_path: Path, who: str
) -> None:
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    was = shown(bob).verified_bytes
    one = alice if who == "alice" else bob
    keys, entropy = one.one.keys, one.one.entropy
    one.do(stopping.cancel, keys, shown(one).id, one.one.world.wall(), entropy)
    await bob.links._coming.all_closed()
    assert was <= shown(bob).verified_bytes < shown(bob).bytes
    await alice.until(lambda: came(alice) == came(bob))
    assert (shown(alice).state, shown(bob).state) == ("cancelled", "cancelled")


async def test_what_failed_came_as_far_at_the_sender_as_at_the_receiver(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    path = await half_way(alice, bob, tmp_path)
    with path.open("r+b") as file:
        file.write(b"another beginning")
    alice.limit_up(None)
    await bob.until(lambda: shown(bob).state == "failed")
    assert shown(bob).verified_bytes == 0  # what came of a file that changed does not count
    await alice.until(lambda: shown(alice).state == "failed" and came(alice) == came(bob))


async def test_a_link_that_is_cut_takes_nothing_back_of_what_was_shown(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    await alice.until(lambda: shown(alice).verified_bytes > 0)
    alice.cut()
    least = shown(alice).verified_bytes
    await alice.until(lambda: shown(alice).state == "waiting" and not alice.links.live())
    assert least <= came(alice)[0] <= shown(bob).verified_bytes


async def test_who_waits_for_a_turn_is_told_each_place_on_the_way_up(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    alice.limit_up(RATE)
    offers = []
    for number in range(limits.TRANSFERS_AT_ONCE + 3):
        path = tmp_path / f"part {number}"
        path.write_bytes(os.urandom(8 * limits.MIB))  # none is done soon
        offers.append(alice.offer(bob, path))

    def of(offer: str) -> list[dict[str, Any]]:
        return [body for body in told(bob.effects, "transfer") if body["offer"] == offer]

    def places() -> list[int]:
        seen = [body["place"] for body in of(offers[-1]) if body["place"] is not None]
        return [place for place, _ in groupby(seen)]

    await bob.until(lambda: places() == [3])
    keys, entropy, wall = bob.one.keys, bob.one.entropy, bob.one.world.wall
    for gone, expected in ((offers[-2], [3, 2]), (offers[-3], [3, 2, 1])):
        bob.do(stopping.cancel, keys, of(gone)[-1]["id"], wall(), entropy)
        await bob.until(lambda expected=expected: places() == expected)  # type: ignore[misc]


async def test_a_sender_that_ends_shows_no_less_than_it_had_shown(two: Two, tmp_path: Path) -> None:
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    await alice.until(lambda: came(alice)[0] > 0)  # it is kept now and then
    was = came(alice)[0]
    await alice.until(lambda: shown(alice).verified_bytes > was)
    least = shown(alice).verified_bytes
    await alice.links.close()
    assert came(alice)[0] >= least


async def test_what_is_tried_again_runs_when_that_was_not_in_vain(
    two: Two, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(outcomes.RETRY_S, ledger.PAUSED, (0.01, 0.01))
    monkeypatch.setattr(datalinks, "LOOK_S", 0.02)
    alice, bob = two
    await half_way(alice, bob, tmp_path)
    transfer = shown(alice).id
    alice.do(stopping.pause, transfer, alice.one.world.wall())
    await bob.until(lambda: shown(bob).reason == "friend-paused")
    bob.effects.clear()

    def refusals() -> int:
        return sum(isinstance(effect, NoteDenial) for effect in alice.effects)

    before = refusals()
    await alice.until(lambda: refusals() >= before + 3)
    alice.do(stopping.resume, transfer, alice.one.world.wall())
    await bob.until(lambda: shown(bob).state == "running")
    states = [body["state"] for body in told(bob.effects, "transfer")]
    assert [state for state, _ in groupby(states)] in (["waiting", "running"], ["running"])


# --- two machines of the friend, each of which takes it


@pytest.fixture
async def three(tmp_path: Path) -> AsyncIterator[tuple[Station, Station, Station]]:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    laptop = bob.log_in("bob-2")
    keys = laptop.keys
    alice.database.write(note_device, keys.identity, keys.certificate, keys.device_list)
    async with stations(tmp_path, alice, bob, laptop) as made:
        first, second, third = made
        yield first, second, third


async def test_one_machine_of_a_friend_that_holds_it_hides_nothing_of_another_that_takes_it(
    three: tuple[Station, Station, Station], tmp_path: Path
) -> None:
    alice, desk, laptop = three
    path = tmp_path / "letter"
    path.write_bytes(os.urandom(24 * limits.MIB))
    alice.limit_up(3 * RATE)
    offered = alice.offer_to([desk, laptop], path)
    await desk.until(lambda: desk.verified(offered) >= 2 * limits.MIB)
    await laptop.until(lambda: laptop.verified(offered) >= 2 * limits.MIB)
    laptop.do(stopping.pause, shown(laptop).id, laptop.one.world.wall())
    was = shown(alice).verified_bytes
    await alice.until(lambda: shown(alice).verified_bytes >= was + 4 * limits.MIB)
    assert (shown(alice).state, shown(alice).reason) == ("running", None)
    keys = laptop.one.keys
    alice.links.close_identity(keys.identity, keys.device)
    was = shown(alice).verified_bytes
    await alice.until(lambda: shown(alice).verified_bytes >= was + 4 * limits.MIB)
    assert shown(alice).state == "running"
    assert shown(alice).resumed_at is None
    told_of = [body["verified_bytes"] for body in told(alice.effects, "transfer")]
    assert told_of == sorted(told_of), "what one machine has was shown for another's"
    desk.do(stopping.pause, shown(desk).id, desk.one.world.wall())
    await alice.until(lambda: shown(alice).reason == "friend-paused")
