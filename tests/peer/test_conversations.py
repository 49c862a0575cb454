"""Saying, receiving, receipts: what two people see of each other, event by event."""

from __future__ import annotations

from typing import Any

import pytest

from peer.effects import PushEvents, SendOnLink
from peer.errors import PeerError
from peer.history import history
from peer.log import syncing
from peer.log.sessions import Session
from peer.people import befriending, overtures
from peer.talk import seen
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from tests.harness.talk import (
    events_of,
    give,
    lines,
    messages,
    pass_on,
    receipt_of,
    say,
    sent,
    tick,
    told,
)
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import fingerprint
from wire.ids import ConversationId
from wire.machine import UnixMillis
from wire.messages.conversation import ConversationDigest, Digests, Receipt, Vector

DAY_MS = 24 * 3_600_000


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def test_a_message_arrives_is_receipted_and_shows_as_delivered(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    event = say(alice, "bob", "hello")
    assert [m.state for m in messages(alice, "bob")] == ["queued"]
    effects = pass_on(alice, bob, event)
    [shown] = told(effects, "message")
    assert (shown["text"], shown["from"], shown["to"]) == ("hello", "alice", "bob")
    came = give(receipt_of(bob, "alice"), bob, alice)
    assert told(came, "receipt") == [{"id": event, "state": "delivered", "friend": "bob"}]
    assert alice.database.read(history.state_of, bytes.fromhex(event)) == "delivered"
    assert told(give(receipt_of(bob, "alice"), bob, alice), "receipt") == []


def test_a_receipt_that_the_power_took_away_is_told_again_on_the_next_link(
    world: Simulation, pair: tuple[SimPeer, SimPeer]
) -> None:
    alice, bob = pair
    event = bytes.fromhex(say(alice, "bob", "hello"))
    Cable(world, alice, bob)
    while ("receipt", event.hex()) not in alice.shown:
        world.run(world.now + 1)
    assert alice.database.read(history.state_of, event) == "delivered"
    alice.crash()  # before anything later was committed
    assert alice.database.read(history.state_of, event) == "queued"
    Cable(world, alice, bob)
    world.run(world.now + 2000)
    assert alice.database.read(history.state_of, event) == "delivered"
    alice.crash()
    assert alice.database.read(history.state_of, event) == "delivered"
    assert bob.texts("alice") == ["hello"]


def test_a_duplicate_is_receipted_again_and_shown_once(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    came = events_of(alice, [say(alice, "bob", "once")])
    give(came, alice, bob)
    before = receipt_of(bob, "alice")
    again = give(came, alice, bob)
    assert told(again, "message") == []
    assert receipt_of(bob, "alice") != before
    assert lines(bob, "alice") == [("message", "once")]


def test_an_older_receipt_takes_nothing_back(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))
    early = receipt_of(bob, "alice")
    pass_on(alice, bob, say(alice, "bob", "two"))
    newest = receipt_of(bob, "alice")
    give(newest, bob, alice)
    assert give(early, bob, alice) == [SendOnLink(bob.keys.device, newest)]
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}


def test_a_device_that_forgot_its_receipts_and_whose_clock_went_back_signs_above_them(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    image = bob.database.image()
    pass_on(alice, bob, say(alice, "bob", "one"))
    newest = receipt_of(bob, "alice")
    give(newest, bob, alice)
    bob.jump(-400 * DAY_MS)
    bob.restore(image)
    two = say(alice, "bob", "two")
    give(events_of(alice, [m.id for m in messages(alice, "bob")]), alice, bob, at=bob.wall())
    [reminded] = sent(give(receipt_of(bob, "alice"), bob, alice), bob, Receipt)
    assert alice.database.read(history.state_of, bytes.fromhex(two)) == "queued"
    [pushed] = give(reminded, alice, bob, at=bob.wall())
    assert isinstance(pushed, PushEvents)
    give(receipt_of(bob, "alice"), bob, alice)
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}
    assert give(newest, alice, bob) == []


def test_a_device_that_signed_two_receipts_with_one_counter_signs_above_both(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))
    bob.jump(-DAY_MS)  # from now on each counter is one more than the last
    bob.commit()
    image = bob.database.image()
    pass_on(alice, bob, say(alice, "bob", "two"))
    give(receipt_of(bob, "alice"), bob, alice)
    bob.restore(image)
    three = say(alice, "bob", "three")
    give(events_of(alice, [m.id for m in messages(alice, "bob")]), alice, bob, at=bob.wall())
    [reminded] = sent(give(receipt_of(bob, "alice"), bob, alice), bob, Receipt)
    assert alice.database.read(history.state_of, bytes.fromhex(three)) == "queued"
    [pushed] = give(reminded, alice, bob, at=bob.wall())
    assert isinstance(pushed, PushEvents)
    give(receipt_of(bob, "alice"), bob, alice)
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}
    assert give(reminded, alice, bob) == []


def test_a_receipt_of_somebody_else_delivers_nothing(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    event = say(alice, "bob", "hello")
    pass_on(alice, bob, event)
    receipt = receipt_of(bob, "alice")
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    assert give(receipt, carol, alice) == []
    assert messages(alice, "bob")[0].state == "queued"


def test_what_stays_undelivered_fails_and_a_late_receipt_still_counts(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    event = say(alice, "bob", "slow")
    pass_on(alice, bob, event)
    assert tick(alice) == []
    assert tick(alice, 30 * DAY_MS) == []
    failed = tick(alice, 31 * DAY_MS)
    assert told(failed, "receipt") == [{"id": event, "state": "failed", "friend": "bob"}]
    came = give(receipt_of(bob, "alice"), bob, alice, at=UnixMillis(world.wall() + 31 * DAY_MS))
    assert told(came, "receipt") == [{"id": event, "state": "delivered", "friend": "bob"}]


def test_a_reply_names_what_it_answers(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    event = say(alice, "bob", "question")
    pass_on(alice, bob, event)
    say(bob, "alice", "answer", reply_to=event[:8])
    assert messages(bob, "alice")[-1].reply_to == event


@pytest.mark.parametrize("prefix", ["abc", "zzzzzzzz", "0123456", "0" * 64])
def test_an_id_that_names_nothing_is_refused(pair: tuple[SimPeer, SimPeer], prefix: str) -> None:
    with pytest.raises(PeerError) as caught:
        pair[0].database.read(history.find_event, prefix)
    assert caught.value.code is Code.UNKNOWN_MESSAGE


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.MESSAGE_EMPTY),
        (" \n", Code.MESSAGE_EMPTY),
        ("x" * (limits.MESSAGE_BYTES + 1), Code.MESSAGE_TOO_LONG),
        ("é" * (limits.MESSAGE_BYTES // 2 + 1), Code.MESSAGE_TOO_LONG),
        ("\udcff", Code.TEXT_INVALID),
    ],
)
def test_a_message_that_cannot_be_said_is_refused_by_name(
    pair: tuple[SimPeer, SimPeer], text: str, code: Code
) -> None:
    with pytest.raises((PeerError, WireError)) as caught:
        say(pair[0], "bob", text)
    error: Any = caught.value
    assert error.code is code
    assert lines(pair[0], "bob") == []


def test_a_message_at_the_limit_is_taken(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "x" * limits.MESSAGE_BYTES))
    assert len(messages(bob, "alice")[0].text) == limits.MESSAGE_BYTES


def test_reading_marks_what_was_given_and_looking_does_not(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"), say(alice, "bob", "two"))
    assert len(messages(bob, "alice", unread_only=True)) == 2
    newest = bob.database.write(seen.read, "alice", unread_only=True, limit=1)
    assert [m.text for m in newest] == ["two"]
    assert [m.text for m in messages(bob, None, unread_only=True)] == ["one"]
    for limit, code in ((-1, Code.CONFIG_INVALID), (None, Code.NO_SUCH_FRIEND)):
        with pytest.raises(PeerError) as caught:
            messages(bob, "alice" if limit else "nobody", limit=limit)
        assert caught.value.code is code


def test_one_message_is_found_in_its_own_conversation_only(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, _ = pair
    event = say(alice, "bob", "here")
    found = alice.database.read(history.read_one, event, "bob")
    assert found is not None
    assert found.text == "here"
    assert alice.database.read(history.read_one, event, "carol") is None


def test_a_long_history_goes_in_bounded_pieces_in_order(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    texts = [f"{n} " + "x" * 20_000 for n in range(30)]
    for text in texts:
        say(alice, "bob", text)
    Cable(world, alice, bob)
    world.run(60_000)
    assert bob.texts("alice") == texts
    assert {m.state for m in messages(alice, "bob")} == {"delivered"}


def test_a_friend_who_comes_back_with_another_identity_is_another_conversation(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, _ = pair
    say(alice, "bob", "to the old one")
    alice.database.write(befriending.remove, "bob", world.wall())
    again = SimPeer.make(Simulation(99), "bob")
    again.world = world
    shown = again.keys.identity
    alice.database.write(overtures.on_found, "bob", shown, world.wall())
    typed = fingerprint(shown)
    alice.database.write(befriending.accept_key, alice.keys, "bob", typed, world.wall())
    befriend(alice, again)
    say(alice, "bob", "to the new one")
    assert [m.text for m in messages(alice, "bob")] == ["to the old one", "to the new one"]
    assert len({m.conversation for m in messages(alice, "bob")}) == 2


def test_conversations_that_are_not_shared_are_passed_over(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    session = Session(bob.keys.device, bob.keys.identity)
    for message in (
        Digests((ConversationDigest(ConversationId(b"c" * 32), b"d" * 16),), is_last=True),
        Vector(ConversationId(b"c" * 32), (), is_last=True),
    ):
        assert alice.database.read(syncing.compare, session, message) == []
