"""What was done with messages that wait for a friend whose key changed: said anew as they read in the end."""

from __future__ import annotations

import pytest

from peer.talk import acts
from tests.harness.acting import act
from tests.harness.renamed import accept, asks, deliver, reissue, settle
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import messages, say
from wire.identity import fingerprint

ROCKET = "\N{ROCKET}"


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def alice(world: Simulation) -> SimPeer:
    return SimPeer.make(world, "alice")


@pytest.fixture
def again(world: Simulation, alice: SimPeer) -> SimPeer:
    """Whoever has the name of alice's friend bob now, with another identity."""
    befriend(alice, SimPeer.make(world, "bob"))
    again = SimPeer.make(Simulation(99), "bob")
    again.world = world
    return again


def change_key(alice: SimPeer, again: SimPeer) -> None:
    deliver(asks(again, alice), alice)
    accept(alice, fingerprint(again.keys.identity))
    reissue(alice)
    alice.database.commit()


def words_left(alice: SimPeer) -> int:
    """Count the bodies that stand in the former conversation."""
    (count,) = alice.database.connection.execute(
        "SELECT count(*) FROM events e JOIN conversations v ON v.number = e.conversation"
        " JOIN contacts c ON c.number = v.contact WHERE v.identity IS NOT c.identity"
        " AND e.body IS NOT NULL AND e.kind IN (1, 2)"
    ).fetchone()
    return int(count)


def test_an_edited_message_is_said_anew_with_its_last_words_and_a_deleted_one_is_not(
    alice: SimPeer, again: SimPeer
) -> None:
    first, second, third = (say(alice, "bob", text) for text in ("one", "two", "three"))
    act(alice, acts.edit, first, "the first")
    act(alice, acts.delete, second)
    act(alice, acts.react, third, ROCKET)
    change_key(alice, again)
    shown = [m for m in messages(alice, "bob") if m.gone is None]
    assert [(m.text, m.edited, m.state) for m in shown] == [
        ("the first", False, "queued"),
        ("three", False, "queued"),
    ]
    assert words_left(alice) == 0


def test_another_own_device_shows_an_edited_one_once(
    world: Simulation, alice: SimPeer, again: SimPeer
) -> None:
    laptop = alice.log_in("alice-2")
    act(alice, acts.edit, say(alice, "bob", "one"), "the first")
    settle(world, alice, laptop)
    assert [m.text for m in messages(laptop, "bob")] == ["the first"]
    laptop.database.connection.execute(  # as the account state brings it
        "UPDATE contacts SET identity = ?, claimed = NULL WHERE number > 0", (again.keys.identity,)
    )
    change_key(alice, again)
    settle(world, alice, laptop)
    assert [m.text for m in messages(laptop, "bob")] == ["the first"]
    assert laptop.faults == alice.faults == []
