"""Many sources for many seeds: the files arrive identical or not at all, whoever lies, stalls, crashes or leaves."""

from __future__ import annotations

import pytest

from tests.conftest import PROFILE
from tests.wire.transfer.swarming import KEY, MIB, World
from wire import limits

SIZES = (3 * MIB, 0, 100, 5, 17 * MIB + 1, 7, MIB, 2 * MIB)
TOTAL = sum(SIZES)
SEEDS = range(4000 if PROFILE == "deep" else 150)
MOST_AGAIN = limits.WINDOW_BYTES + limits.CHUNK_BYTES  # each way of a link that ends


def assert_all_have_all(world: World) -> None:
    for party in world.parties[1:]:
        assert party.failed == {}
        assert party.disk.whole == set(range(len(world.sizes)))
        for file, index in party.disk.written:
            assert party.disk.written[file, index] == world.truth(file, index)


@pytest.mark.parametrize("seed", range(12))
def test_receivers_serve_each_other_and_the_offering_device_sends_little_more_than_once(
    seed: int,
) -> None:
    world = World((*SIZES, 40 * MIB), 5, seed)
    world.join_all()
    world.run()
    assert_all_have_all(world)
    assert world.parties[0].sent_bytes <= 1.5 * (TOTAL + 40 * MIB)
    assert all(party.blamed == [] for party in world.parties)


@pytest.mark.parametrize("seed", range(12))
def test_who_asks_on_lines_like_the_others_has_all_about_when_they_have(seed: int) -> None:
    world = World((*SIZES, 40 * MIB), 4, seed)
    world.join_all()
    done: dict[int, float] = {}
    while len(done) < 4:
        world.turn()
        for party in world.parties[1:]:
            if party.is_done:
                done.setdefault(party.number, world.now)
    assert max(done.values()) <= 1.5 * min(done.values())


@pytest.mark.parametrize("seed", range(12))
def test_cuts_and_crashes_that_lose_unsynced_writes_cost_time_and_nothing_else(seed: int) -> None:
    world = World(SIZES, 4, seed)
    for _ in range(20):
        world.join_all()
        for _ in range(world.dice.randrange(12)):
            world.turn()
        number = world.dice.randrange(5)
        match world.dice.randrange(3):
            case 0:
                world.cut(number, world.dice.randrange(5))
            case 1:
                world.crash(number)
            case _:
                party = world.parties[number]
                party.synced = party.disk.copy()
    world.join_all()
    world.run()
    assert_all_have_all(world)


@pytest.mark.parametrize("seed", range(12))
def test_a_liar_and_a_staller_are_found_out_and_not_asked_again(seed: int) -> None:
    world = World(SIZES, 3, seed)
    liar, staller, asker = world.parties[1:]
    world.link(0, 1)
    world.link(0, 2)
    asker.is_up = False
    world.run()
    asker.is_up = True
    liar.lies, staller.stalls_after = 0.5, 2
    world.leave(0)
    world.parties[0].is_up = True
    world.join_all()
    world.run()
    assert_all_have_all(world)
    bad = {liar.device, staller.device}
    assert set(asker.blamed) <= bad
    assert len(asker.blamed) == len(set(asker.blamed))
    assert world.parties[0].blamed == []


@pytest.mark.parametrize("seed", range(6))
def test_the_others_finish_what_is_signed_when_the_offering_device_is_gone(seed: int) -> None:
    world = World(SIZES, 4, seed)
    world.join_all()
    chunks = {(file, index) for file, size in enumerate(SIZES) for index in range(-(-size // MIB))}
    while set(world.parties[0].sent) != chunks:
        world.turn()
    for _ in range(600):  # the last digests are on their way
        world.turn()
    world.leave(0)
    world.run()
    assert_all_have_all(world)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_left_comes_when_the_offering_device_is_back(seed: int) -> None:
    world = World(SIZES, 3, seed)
    world.join_all()
    while world.parties[0].sent_bytes < TOTAL // 2:
        world.turn()
    world.leave(0)
    for _ in range(5000):
        world.turn()
    before = [len(party.disk.written) for party in world.parties[1:]]
    for _ in range(1000):
        world.turn()
    assert [len(party.disk.written) for party in world.parties[1:]] == before
    assert not all(party.is_done for party in world.parties)
    world.parties[0].is_up = True
    world.join_all()
    world.run()
    assert_all_have_all(world)
    assert KEY.device == world.parties[0].device


def do_harm(world: World) -> None:
    """Let a few things go on, then do something to somebody, the offering device too."""
    world.join_all()
    for _ in range(world.dice.randrange(25)):
        world.turn()
    number = world.dice.randrange(len(world.parties))
    party = world.parties[number]
    match world.dice.randrange(5):
        case 0:
            world.cut(number, world.dice.randrange(len(world.parties)))
        case 1:
            world.crash(number)
        case 2:
            world.leave(number)
        case 3:
            world.look()
        case _:
            party.synced = party.disk.copy()
    for other in world.parties:
        other.is_up = other.is_up or world.dice.random() < 0.3


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_at_once_costs_little_and_nobody_honest_is_blamed(seed: int) -> None:
    receivers = 2 + seed % 4
    world = World(SIZES, receivers, seed)
    bad = world.dice.sample(world.parties[1:], world.dice.randrange(receivers))
    for party in bad:
        if world.dice.random() < 0.5:
            party.lies = world.dice.choice((0.05, 0.3, 1.0))
        else:
            party.stalls_after = world.dice.randrange(12)
    for _ in range(world.dice.randrange(30)):
        do_harm(world)
    for party in world.parties:
        party.is_up = True
    world.join_all()
    world.run()
    assert_all_have_all(world)
    blamed = {device for party in world.parties for device in party.blamed}
    assert blamed <= {party.device for party in bad}
    needed = receivers * TOTAL + world.lost_bytes
    interrupted = 2 * world.cuts + sum(len(party.blamed) for party in world.parties)
    most = needed + (interrupted + receivers) * MOST_AGAIN  # a slow source's last range is raced
    assert sum(party.sent_bytes for party in world.parties) <= most
