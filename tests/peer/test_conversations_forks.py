"""Forks, restored backups and copies of a home: proof is kept, no number is used twice (promise D7)."""

from __future__ import annotations

from typing import Any

import pytest

from peer import conversations
from peer.effects import NoteDenial, SendOnLink
from peer.log.forks import CLAIMED_EPOCHS
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import (
    conversation_of,
    events_of,
    give,
    lines,
    messages,
    pass_on,
    receipt_of,
    say,
    sent,
    told,
    vector_of,
)
from wire import limits
from wire.ids import ConversationId, Epoch
from wire.log.receipt import Reach, ReceiptBody, issue_receipt
from wire.machine import UnixMillis
from wire.messages.conversation import AskEvents, Events, Fork, Receipt, Vector, VectorEntry

DAY_MS = 24 * 3_600_000


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def two_stories(alice: SimPeer, *texts: Any) -> tuple[Events, Events]:
    """Let alice write twice in one place, her whole machine having gone back in between."""
    image = alice.database.image()
    first = [say(alice, "bob", text) for text in texts[0]]
    came = events_of(alice, first)
    alice.restore(image, is_noticed=False)
    second = [say(alice, "bob", text) for text in texts[1]]
    return came, events_of(alice, second)


def runs(one: SimPeer) -> set[bytes]:
    return {
        row[0]
        for row in one.database.connection.execute(
            "SELECT epoch FROM chains WHERE device = ?", (one.keys.device,)
        )
    }


def test_two_events_in_one_place_are_kept_as_proof_told_once_and_passed_on(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["one story"], ["another"])
    give(first, alice, bob)
    effects = give(second, alice, bob)
    [notice] = told(effects, "notice")
    assert (notice["code"], notice["friend"]) == ("forked", "alice")
    [proof] = sent(effects, alice, Fork)
    assert {proof.first, proof.second} == {first.events[0].header, second.events[0].header}
    assert told(give(second, alice, bob), "notice") == []
    assert {(m.text, m.forked) for m in messages(bob, "alice")} == {
        ("one story", True), ("another", True)
    }  # fmt: skip
    assert [kind for kind, _ in lines(bob, "alice")].count("notice") == 1


def test_what_was_said_before_the_fork_is_not_marked_and_stays_receipted(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    before = say(alice, "bob", "before")
    first, second = two_stories(alice, ["one story"], ["another"])
    pass_on(alice, bob, before)
    give(first, alice, bob)
    give(second, alice, bob)
    assert [m.forked for m in messages(bob, "alice")] == [False, True, True]
    give(receipt_of(bob, "alice"), bob, alice)
    assert [m.state for m in messages(alice, "bob")] == ["delivered", "queued"]


def test_faces_are_told_that_what_was_delivered_is_not_proven_so_any_more(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["lost"], ["written again"])
    give(second, alice, bob)
    event = messages(alice, "bob")[0].id
    said = {"id": event, "friend": "bob"}
    came = told(give(receipt_of(bob, "alice"), bob, alice), "receipt")
    assert came == [{**said, "state": "delivered"}]
    assert told(give(first, bob, alice), "receipt") == [{**said, "state": "queued"}]
    assert [m.state for m in messages(alice, "bob") if m.id == event] == ["queued"]
    assert told(give(first, bob, alice), "receipt") == []


def test_branches_of_a_fork_find_each_other_whoever_has_them(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    say(alice, "bob", "before")
    first, second = two_stories(alice, ["a1", "a2", "a3"], ["b1", "b2"])
    give(events_of(alice, [messages(alice, "bob")[0].id]), alice, bob)
    give(first, alice, bob)
    cable = Cable(world, alice, bob)
    world.run(20_000)
    for one, friend in ((alice, "bob"), (bob, "alice")):
        assert sorted(one.texts(friend)) == ["a1", "a2", "a3", "b1", "b2", "before"]
    assert alice.texts("bob") == bob.texts("alice")
    assert {(e.high, e.high_id) for e in vector_of(alice, "bob")} == {
        (e.high, e.high_id) for e in vector_of(bob, "alice")
    }
    assert alice.faults + bob.faults == []
    assert second.conversation == first.conversation
    cable.cut()
    alice.say("bob", "after all that")
    Cable(world, alice, bob)
    world.run(40_000)
    assert bob.texts("alice")[-1] == "after all that"
    assert messages(alice, "bob")[-1].state == "delivered"
    assert not messages(bob, "alice")[-1].forked


def test_a_device_that_meets_its_own_fork_goes_on_in_a_new_run(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["lost"], ["written again"])
    assert len(runs(alice)) == 1
    effects = give(first, bob, alice)
    assert told(effects, "notice")[0]["code"] == "forked"
    say(alice, "bob", "in a new run")
    assert len(runs(alice)) == 2
    assert second.events[0].header != first.events[0].header


def test_a_proof_alone_makes_its_device_go_on_in_a_new_run_and_asks_for_the_events(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["lost"], ["written again"])
    proof = Fork(first.conversation, first.events[0].header, second.events[0].header)
    effects = give(proof, bob, alice)
    [asked] = sent(effects, bob, AskEvents)
    assert len(asked.ids) == 1
    say(alice, "bob", "in a new run")
    assert len(runs(alice)) == 2
    assert give(proof, bob, alice) == sent_again(effects)


def sent_again(effects: Any) -> list[SendOnLink]:
    """What a proof that is known already leads to: the event that is still missing is asked for."""
    return [e for e in effects if isinstance(getattr(e, "message", None), AskEvents)]


def test_what_proves_nothing_is_dropped(pair: tuple[SimPeer, SimPeer], world: Simulation) -> None:
    alice, bob = pair
    ids = [say(alice, "bob", text) for text in ("one", "two")]
    one, two = (event.header for event in events_of(alice, ids).events)
    conversation = conversation_of(alice, bob)
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    befriend(bob, carol)
    foreign = [events_of(carol, [say(carol, "bob", "x")]).events[0].header for _ in range(2)]
    for first, second in ((one, one), (one, two), (b"junk", one), tuple(foreign)):
        done = give(Fork(conversation, first, second), alice, bob)
        assert [effect for effect in done if not isinstance(effect, NoteDenial)] == []
    assert give(Fork(ConversationId(b"c" * 32), one, two), alice, bob) == []
    assert bob.database.connection.execute("SELECT count(*) FROM forks").fetchone() == (0,)


def test_a_restored_backup_gets_its_lost_words_back_and_uses_no_number_twice(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    cable = Cable(world, alice, bob)
    alice.say("bob", "before")
    world.run(2000)
    backup = alice.database.image()
    alice.say("bob", "after the backup")
    world.run(4000)
    cable.cut()
    alice.restore(backup)
    alice.say("bob", "after the restore")
    world.run(5000)
    Cable(world, alice, bob)
    world.run(10_000)
    said = ["after the backup", "after the restore", "before"]
    assert sorted(alice.texts("bob")) == said
    assert alice.texts("bob") == bob.texts("alice")
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}
    assert not any(m.forked for m in messages(bob, "alice"))
    assert alice.faults + bob.faults == []


def claim(alice: SimPeer, bob: SimPeer, high: int) -> Vector:
    """A vector of bob that shows more of alice's present run than she has."""
    epoch = alice.database.connection.execute(
        "SELECT coalesce(v.epoch, p.epoch) FROM conversations v, place p"
    ).fetchone()[0]
    entry = VectorEntry(alice.keys.device, epoch, 0, high, b"x" * 32)
    return Vector(conversation_of(alice, bob), (entry,), is_last=True)


def test_a_vector_that_shows_more_of_our_run_ends_it_in_that_conversation_only(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    say(alice, "bob", "to bob")
    say(alice, "carol", "to carol")
    give(claim(alice, bob, 5), bob, alice)
    say(alice, "carol", "to carol again")
    assert len(runs(alice)) == 1
    say(alice, "bob", "to bob again")
    assert len(runs(alice)) == 2


def test_a_receipt_that_covers_more_of_our_run_ends_it_too(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    say(alice, "bob", "one")
    [epoch] = runs(alice)
    body = ReceiptBody(
        conversation=conversation_of(alice, bob),
        device=bob.keys.device,
        has=(Reach(alice.keys.device, Epoch(epoch), 7),),
        seen=None,
        counter=world.wall(),
        list_counter=1,
    )
    give(Receipt(issue_receipt(bob.keys.signing_seed, body)), bob, alice)
    say(alice, "bob", "two")
    assert len(runs(alice)) == 2


def test_mere_claims_cannot_use_up_our_runs(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    for number in range(limits.EPOCHS + 5):
        say(alice, "bob", str(number))
        give(claim(alice, bob, 1000), bob, alice)
    assert len(runs(alice)) == CLAIMED_EPOCHS


def test_nothing_shows_as_delivered_while_somebody_has_events_of_ours_that_are_not_here(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["lost"], ["written again"])
    give(first, alice, bob)
    entries = tuple(vector_of(bob, "alice"))
    give(Vector(first.conversation, entries, is_last=True), bob, alice)
    assert told(give(receipt_of(bob, "alice"), bob, alice), "receipt") == []
    assert [m.state for m in messages(alice, "bob")] == ["queued"]
    assert second.events


def test_a_new_machine_doubts_what_is_claimed_of_a_sister_whose_certificate_it_never_saw(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    first, second = two_stories(alice, ["lost"], ["written again"])
    give(first, alice, bob)
    laptop = alice.log_in("alice-2")
    entries = tuple(vector_of(bob, "alice"))
    give(Vector(first.conversation, entries, is_last=True), bob, laptop)
    give(receipt_of(bob, "alice"), bob, laptop)
    assert told(give(second, alice, laptop), "receipt") == []
    assert [m.state for m in messages(laptop, "bob")] == ["queued"]
    give(Vector(first.conversation, (), is_last=True), bob, laptop)
    give(receipt_of(bob, "alice"), bob, laptop)
    assert [m.state for m in messages(laptop, "bob")] == ["delivered"]


def test_two_homes_with_one_device_that_take_turns_are_named_once(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, _ = pair
    say(alice, "bob", "before the copy")
    world.now += 1000
    twin = alice.copied("twin")
    world.now += 1000
    effects = pass_on(twin, alice, *(say(twin, "bob", text) for text in ("I", "am", "you")))
    assert [body["code"] for body in told(effects, "notice")] == ["device-cloned"]
    assert told(pass_on(twin, alice, say(twin, "bob", "still")), "notice") == []
    world.now += 1000
    effects = pass_on(alice, twin, say(alice, "bob", "no, I am"))
    assert [body["code"] for body in told(effects, "notice")] == ["device-cloned"]


def test_what_a_restored_backup_lost_is_no_copy(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    backup = alice.database.image()
    lost = events_of(alice, [say(alice, "bob", "lost")])
    world.now += 1000
    alice.restore(backup)
    assert told(give(lost, bob, alice), "notice") == []


def test_a_failed_message_is_tried_again_and_one_of_a_forked_chain_said_anew(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    first, _ = two_stories(alice, ["lost"], ["written again"])
    give(first, bob, alice)
    plain = say(alice, "bob", "in a new run")
    later = world.wall() + 31 * DAY_MS
    alice.database.write(conversations.expire, UnixMillis(later))
    assert {m.state for m in messages(alice, "bob")} == {"failed"}
    forked = next(m.id for m in messages(alice, "bob") if m.text == "written again")
    for event in (plain, forked):
        alice.database.write(
            conversations.retry, alice.keys, event, UnixMillis(later), alice.entropy
        )
    again = [m for m in messages(alice, "bob") if m.state == "queued"]
    assert sorted(m.text for m in again) == ["in a new run", "written again"]
    assert not any(m.forked for m in again)
    assert alice.database.write(
        conversations.retry, alice.keys, plain, UnixMillis(later), alice.entropy
    )[1] == []  # fmt: skip


def test_a_forked_chain_goes_on_to_its_bound_and_no_further(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    image = alice.database.image()
    give(events_of(alice, [say(alice, "bob", "the first story")]), alice, bob)
    for number in range(4):
        alice.restore(image, is_noticed=False)
        give(events_of(alice, [say(alice, "bob", f"story {number}")]), alice, bob)
    bob.database.connection.execute(
        "UPDATE chains SET high = high + ? WHERE device = ?",
        (limits.FORK_EVENTS, alice.keys.device),
    )
    alice.restore(image, is_noticed=False)
    effects = give(events_of(alice, [say(alice, "bob", "one too many")]), alice, bob)
    assert str(told(effects, "notice")[0]["message"]).startswith("1 message rejected")
    assert "one too many" not in bob.texts("alice")
