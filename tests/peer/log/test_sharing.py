"""`history share`: what a friend's new machine gets only after a person said so."""

from __future__ import annotations

import pytest

from peer.effects import CloseLinks
from peer.errors import PeerError
from peer.log import sharing
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from wire.codes import Code


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def settle(world: Simulation, one: SimPeer, other: SimPeer) -> None:
    """Link two devices for a while."""
    cable = Cable(world, one, other)
    world.run(world.now + 20_000)
    cable.cut()


def test_a_new_device_of_a_friend_gets_the_whole_conversation_once_a_person_says_so(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    bob.say("alice", "from bob, long ago")
    alice.say("bob", "from the desk, long ago")
    settle(world, alice, bob)
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    world.run(world.now + 60_000)
    bob.say("alice", "younger")
    settle(world, bob, laptop)
    assert laptop.texts("bob") == ["younger"]
    effects = bob.database.write(sharing.share, "alice", world.wall())[1]
    assert CloseLinks(alice.keys.identity, Code.GOODBYE) in effects
    settle(world, bob, laptop)
    everything = ["from bob, long ago", "from the desk, long ago", "younger"]
    assert sorted(laptop.texts("bob")) == everything


def test_what_was_shared_is_not_for_machines_that_come_later_or_for_another_key(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    bob.say("alice", "long ago")
    settle(world, alice, bob)
    bob.database.write(sharing.share, "alice", world.wall())
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    settle(world, bob, laptop)
    assert laptop.texts("bob") == []


def test_only_friends_are_given_anything(pair: tuple[SimPeer, SimPeer]) -> None:
    _, bob = pair
    with pytest.raises(PeerError) as caught:
        bob.database.write(sharing.share, "carol", bob.world.wall())
    assert caught.value.code is Code.NO_SUCH_FRIEND
