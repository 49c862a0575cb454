"""Several devices of one account: one conversation on all of them, and history for whom it is meant."""

from __future__ import annotations

from typing import Any

import pytest

from peer.errors import PeerError
from peer.history import history
from peer.log import syncing
from peer.log.sessions import Session
from peer.store import own
from peer.store.devices import note_introduced
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import (
    conversation_of,
    events_of,
    give,
    lines,
    messages,
    open_link,
    pass_on,
    receipt_of,
    say,
    told,
)
from wire.codes import Code
from wire.errors import WireError
from wire.identity import read_device_list, revoke_device
from wire.ids import EventId
from wire.messages.conversation import AskEvents, Devices, Events, Unavailable, Vector

DAY_MS = 24 * 3_600_000


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def settle(world: Simulation, *pairs: Any, ms: int = 20_000) -> None:
    """Link these devices for a while."""
    cables = [Cable(world, one, other) for one, other in pairs]
    world.run(world.now + ms)
    for cable in cables:
        cable.cut()


def states(one: SimPeer, friend: str) -> list[Any]:
    return [m.state for m in messages(one, friend)]


def test_what_i_said_on_one_device_shows_on_the_other_as_mine_with_its_state(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    alice.say("bob", "from the desk")
    settle(world, (alice, bob))
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    [shown] = messages(laptop, "bob")
    assert (shown.text, shown.sender, shown.state) == ("from the desk", "alice", "delivered")
    assert laptop.lies == []


def test_a_message_goes_through_an_own_device_and_its_receipt_comes_back_the_same_way(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = alice.log_in("alice-2")
    laptop.say("bob", "from the laptop")
    settle(world, (alice, laptop))
    assert states(laptop, "bob") == states(alice, "bob") == ["queued"]
    settle(world, (alice, bob))
    assert [m.sender for m in messages(bob, "alice")] == ["alice"]
    assert states(alice, "bob") == ["delivered"]
    settle(world, (alice, laptop))
    assert states(laptop, "bob") == ["delivered"]
    bob.say("alice", "an answer")
    settle(world, (bob, laptop))
    settle(world, (alice, laptop))
    assert alice.texts("bob") == laptop.texts("bob") == bob.texts("alice")
    assert states(bob, "alice") == [None, "delivered"]
    assert alice.faults + bob.faults + laptop.faults == []


def test_own_devices_are_brought_up_to_date_about_everybody(world: Simulation) -> None:
    people = [SimPeer.make(world, name) for name in ("alice", "bob", "carol")]
    alice, bob, carol = people
    befriend(alice, bob)
    befriend(alice, carol)
    for friend in (bob, carol):
        friend.say("alice", f"I am {friend.name}")
        settle(world, (alice, friend))
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    assert laptop.texts("bob") == ["I am bob"]
    assert laptop.texts("carol") == ["I am carol"]


def test_a_friend_serves_a_new_device_only_what_nobody_of_its_account_had(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    bob.say("alice", "had by the desk")
    settle(world, (alice, bob))
    bob.say("alice", "had by nobody")
    alice.say("bob", "never left the desk")
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    world.run(world.now + 60_000)
    bob.say("alice", "younger than the laptop")
    settle(world, (bob, laptop))
    assert lines(laptop, "bob") == [
        ("gap", ""), ("message", "had by nobody"), ("message", "younger than the laptop")
    ]  # fmt: skip
    settle(world, (bob, laptop))
    assert len(lines(laptop, "bob")) == 3
    settle(world, (alice, laptop))
    assert sorted(laptop.texts("bob")) == [
        "had by nobody", "had by the desk", "never left the desk", "younger than the laptop"
    ]  # fmt: skip
    assert "gap" not in [kind for kind, _ in lines(laptop, "bob")]


def link_of(one: SimPeer, other: SimPeer) -> Session:
    """Open a link of `one` at `other`; gives its session there."""
    open_link(one, other)
    return Session(one.keys.device, one.keys.identity)


def test_history_is_neither_served_nor_given_out_by_its_id(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    alice.say("bob", "long ago")
    settle(world, (alice, bob))
    old = bytes.fromhex(messages(alice, "bob")[0].id)
    world.run(world.now + 60_000)
    laptop = alice.log_in("alice-2")
    nothing = Vector(conversation_of(alice, bob), (), is_last=True)
    asked = AskEvents(conversation_of(alice, bob), (EventId(old),))
    session = link_of(laptop, bob)
    effects: list[Any] = bob.database.read(syncing.compare, session, nothing)
    said = [e.message for e in effects]
    [never] = [message for message in said if isinstance(message, Unavailable)]
    assert (never.device, never.first, never.last) == (alice.keys.device, 1, 1)
    assert not any(
        isinstance(getattr(e, "message", None), Events)
        for e in bob.database.read(syncing.next_batch, session)
    )
    assert bob.database.read(syncing.compare, session, asked) == []
    answers: list[Any] = bob.database.read(syncing.compare, link_of(alice, bob), asked)
    assert [type(answer.message) for answer in answers] == [Events]


def test_a_receipt_of_any_listed_device_delivers_and_of_one_taken_off_does_not(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = bob.log_in("bob-2")
    event = say(alice, "bob", "to any of you")
    pass_on(alice, laptop, event)
    receipt = receipt_of(laptop, "alice")
    listed = read_device_list(bob.database.read(own.need_account).device_list, bob.keys.identity)
    shorter = revoke_device(bob.seed, listed, laptop.keys.device, now=world.wall())
    give(Devices(listed_bytes(bob), (laptop.keys.certificate,)), bob, alice)
    bob.learn_list(shorter)
    give(Devices(shorter, (laptop.keys.certificate,)), bob, alice)
    assert told(give(receipt, bob, alice), "receipt") == []
    assert states(alice, "bob") == ["queued"]


def test_a_receipt_is_taken_from_whoever_brings_it(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = bob.log_in("bob-2")
    event = say(alice, "bob", "to any of you")
    pass_on(alice, laptop, event)
    give(Devices(listed_bytes(bob), (laptop.keys.certificate,)), bob, alice)
    came = give(receipt_of(laptop, "alice"), bob, alice)
    assert told(came, "receipt") == [{"id": event, "state": "delivered", "friend": "bob"}]


def listed_bytes(one: SimPeer) -> bytes:
    return one.database.read(own.need_account).device_list


def test_events_of_a_device_that_was_taken_off_count_if_a_live_one_builds_on_them(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    phone = alice.log_in("alice-2")
    before = say(phone, "bob", "before it was stolen")
    pass_on(phone, bob, before)
    answer = say(bob, "alice", "I hear you")
    after = say(phone, "bob", "by the thief")
    listed = read_device_list(listed_bytes(alice), alice.keys.identity)
    shorter = revoke_device(alice.seed, listed, phone.keys.device, now=world.wall())
    give(Devices(shorter, (phone.keys.certificate,)), bob, alice)
    effects = give(events_of(phone, [before, after]), bob, alice)
    assert str(told(effects, "notice")[0]["message"]).startswith("1 message rejected")
    assert alice.texts("bob") == []
    pass_on(bob, alice, answer)
    assert told(give(events_of(phone, [before]), bob, alice), "message")[0]["text"] == (
        "before it was stolen"
    )
    give(events_of(phone, [after]), bob, alice)
    assert alice.texts("bob") == ["before it was stolen", "I hear you"]


def test_a_device_that_knows_it_was_taken_off_says_nothing_more(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, _ = pair
    phone = alice.log_in("alice-2")
    say(phone, "bob", "before")
    listed = read_device_list(listed_bytes(alice), alice.keys.identity)
    phone.learn_list(
        revoke_device(alice.seed, listed, phone.keys.device, now=world.wall()),
    )
    with pytest.raises(PeerError) as caught:
        say(phone, "bob", "after")
    assert caught.value.code is Code.DEVICE_REVOKED
    assert phone.texts("bob") == ["before"]


def test_certificates_are_taken_of_known_accounts_only_and_old_ones_still_verify(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    alice.database.write(note_introduced, listed_bytes(carol), (carol.keys.certificate,))
    alice.database.write(note_introduced, b"no list", ())
    devices = "SELECT count(*) FROM devices WHERE identity = ?"
    count = alice.database.connection.execute(devices, (carol.keys.identity,)).fetchone()
    assert count == (0,)
    laptop = bob.log_in("bob-2")
    newest = listed_bytes(bob)
    alice.database.write(
        note_introduced, newest, (laptop.keys.certificate, carol.keys.certificate, b"junk")
    )
    known = alice.database.connection.execute(devices, (bob.keys.identity,)).fetchone()
    assert known == (2,)
    alice.database.write(note_introduced, bob.keys.device_list, (bob.keys.certificate,))
    assert alice.database.connection.execute(
        "SELECT list_counter FROM contacts WHERE name = 'bob'"
    ).fetchone() == (2,)


def test_a_link_of_an_own_device_with_an_older_list_is_refused(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, _ = pair
    laptop = alice.log_in("alice-2")
    alice.log_in("alice-3", [laptop])
    with pytest.raises(WireError):
        alice.database.write(
            syncing.opened,
            laptop.keys.device,
            laptop.keys.identity,
            laptop.keys.certificate,
            laptop.keys.device_list,
            alice.world.wall(),
        )


def test_old_undelivered_words_do_not_fail_on_a_new_device_before_their_receipts_come(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    alice.say("bob", "long ago")
    settle(world, (alice, bob))
    world.run(world.now + 31 * DAY_MS)
    laptop = alice.log_in("alice-2")
    settle(world, (alice, laptop))
    assert states(laptop, "bob") == ["delivered"]
    assert laptop.database.read(history.state_of, bytes.fromhex(messages(alice, "bob")[0].id)) == (
        "delivered"
    )
