"""A device that claims to be older than it is gets nothing by that from whoever knew its account before."""

from __future__ import annotations

import pytest

from peer.log import sharing
from peer.people import standing
from peer.store import appearing, own
from tests.harness.post import Post, town
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import say, tick
from wire.identity import read_device_list, revoke_device

YEAR_MS = 365 * 24 * 3_600_000


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice", age_ms=YEAR_MS), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def settle(world: Simulation, one: SimPeer, other: SimPeer) -> None:
    """Link two devices for a while."""
    cable = Cable(world, one, other)
    world.run(world.now + 20_000)
    cable.cut()


def back_dated(alice: SimPeer, name: str = "alice-2") -> SimPeer:
    """Make a device of alice's, by somebody who has her password, that says it was made half a year ago."""
    world = alice.world
    now = world.now
    world.now -= YEAR_MS // 2
    made = alice.log_in(name)
    world.now = now
    return made


def talk(world: Simulation, alice: SimPeer, bob: SimPeer) -> None:
    """Let the two have said something to each other."""
    bob.say("alice", "from bob, long ago")
    alice.say("bob", "from the desk, long ago")
    settle(world, alice, bob)
    world.run(world.now + 60_000)


def test_what_was_said_before_a_list_named_the_device_is_not_for_it(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    talk(world, alice, bob)
    thief = back_dated(alice)
    settle(world, bob, thief)
    bob.say("alice", "after it came")
    settle(world, bob, thief)
    assert thief.texts("bob") == ["after it came"]
    assert bob.faults == thief.faults == []
    settle(world, alice, thief)  # an own device brings everything
    assert len(thief.texts("bob")) == 3


def test_what_no_device_of_the_account_had_is_for_it_all_the_same(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    talk(world, alice, bob)
    bob.say("alice", "had by nobody")
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    settle(world, bob, laptop)
    assert laptop.texts("bob") == ["had by nobody"]


def test_mail_carries_nothing_older_to_it_either() -> None:
    _, post, alice, bob = town()
    say(bob, "alice", "long ago")
    post.settle(alice, bob)
    thief = back_dated(alice)
    post.publish(thief)
    bob_learns(bob, alice, thief)
    say(bob, "alice", "after it came")
    post.settle(alice, bob, thief)
    tick(thief, 3_000)  # what came before it never comes
    assert thief.texts("bob") == ["after it came"]


def bob_learns(bob: SimPeer, alice: SimPeer, device: SimPeer) -> None:
    """Let bob hear of a device of alice's as a tracker would tell it."""
    signed = alice.database.read(own.need_account).device_list
    certificates = (alice.keys.certificate, device.keys.certificate)
    bob.database.write(standing.introduced, signed, certificates, bob.world.wall())
    bob.database.commit()


def test_it_is_none_of_the_machines_that_history_was_shared_with(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    talk(world, alice, bob)
    bob.database.write(sharing.share, "alice", world.wall())
    thief = back_dated(alice)
    settle(world, bob, thief)
    assert thief.texts("bob") == []
    bob.database.write(sharing.share, "alice", world.wall())
    settle(world, bob, thief)
    assert len(thief.texts("bob")) == 2


def test_taking_the_other_device_off_opens_nothing(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    """Who has the password may do that, too; a machine of bob's that has only the end of a chain gives no more."""
    alice, bob = pair
    talk(world, alice, bob)
    tablet = bob.log_in("bob-2")
    alice.say("bob", "younger than the tablet")
    settle(world, alice, tablet)
    assert tablet.texts("alice") == ["younger than the tablet"]
    thief = back_dated(alice)
    listed = read_device_list(thief.keys.device_list, alice.keys.identity)
    shorter = revoke_device(alice.seed, listed, alice.keys.device, now=world.wall())
    thief.learn_list(shorter)
    for machine in (bob, tablet):
        settle(world, machine, thief)
    assert thief.texts("bob") == []


def test_an_account_is_known_with_all_devices_of_its_first_list(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    assert bob.database.read(appearing.of, alice.keys.device) == appearing.Appearance()
    talk(world, alice, bob)
    laptop = alice.log_in("alice-2")
    settle(world, bob, laptop)
    found = bob.database.read(appearing.of, laptop.keys.device)
    listed = read_device_list(laptop.keys.device_list, alice.keys.identity)
    assert (found.counter, found.after) == (listed.counter, 2)
    assert bob.database.read(appearing.of, bob.keys.device) == appearing.Appearance()


def test_a_list_that_was_only_heard_of_makes_newer_devices_young_all_the_same(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    """Another own device knew a newer list: the old one is not kept then, its devices still are."""
    alice, bob = pair
    talk(world, alice, bob)
    bob.database.connection.execute(
        "UPDATE contacts SET device_list = NULL, list_counter = list_counter + 1 WHERE name = 'alice'"
    )
    thief = back_dated(alice)
    settle(world, bob, thief)
    assert thief.texts("bob") == []


def test_an_own_device_is_not_held_against_its_age(world: Simulation) -> None:
    post = Post(world)
    alice = SimPeer.make(world, "alice")
    post.publish(alice)
    say(alice, "alice", "long ago")
    laptop = alice.log_in("alice-2")
    post.publish(laptop)
    settle(world, alice, laptop)
    assert laptop.texts("alice") == ["long ago"]
