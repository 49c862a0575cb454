"""Order and gaps (promise D5): nothing is shown before what its author had seen, or a gap stands there."""

from __future__ import annotations

import pytest

from peer import conversations
from peer.history import transcript
from peer.talk import seen
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import events_of, give, lines, messages, pass_on, say, sent, tick, told
from wire.ids import ConversationId, DeviceId
from wire.messages.conversation import AskEvents, Events, SealedEvent, Unavailable

HOLD_MS = 2000


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def test_what_comes_too_early_waits_and_is_shown_after_what_was_missing(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    one, two, three = (say(alice, "bob", text) for text in ("one", "two", "three"))
    assert told(pass_on(alice, bob, two, three), "message") == []
    assert lines(bob, "alice") == []
    shown = told(pass_on(alice, bob, one), "message")
    assert [body["text"] for body in shown] == ["one", "two", "three"]
    assert lines(bob, "alice") == [("message", text) for text in ("one", "two", "three")]
    assert bob.database.read(conversations.next_tick) is None


def test_a_clock_that_is_set_back_keeps_nothing_waiting_for_longer(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    _, two = say(alice, "bob", "one"), say(alice, "bob", "two")
    pass_on(alice, bob, two)
    assert tick(bob) == []
    [shown] = told(tick(bob, -400 * 24 * 3_600_000), "message")
    assert shown["text"] == "two"


def test_after_two_seconds_it_is_shown_with_a_gap_that_is_asked_for_and_heals(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    one, two = say(alice, "bob", "one"), say(alice, "bob", "two")
    pass_on(alice, bob, two)
    assert bob.database.read(conversations.next_tick) == world.wall() + HOLD_MS
    assert tick(bob, HOLD_MS - 1) == []
    effects = tick(bob, HOLD_MS)
    assert [body["text"] for body in told(effects, "message")] == ["two"]
    [asked] = sent(effects, alice, AskEvents)
    assert [event.hex() for event in asked.ids] == [one]
    assert lines(bob, "alice") == [("gap", ""), ("message", "two")]
    assert bob.database.read(transcript.messages, "alice")[0].id == one
    assert tick(bob, 2 * HOLD_MS) == []
    shown = told(pass_on(alice, bob, one), "message")
    assert [body["text"] for body in shown] == ["one"]
    assert lines(bob, "alice") == [("message", "one"), ("message", "two")]


def test_a_gap_is_marked_once_where_it_is_first_missed(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    first = say(alice, "bob", "first")
    pass_on(alice, bob, first)
    lost = say(bob, "alice", "lost on the way")
    pass_on(bob, alice, lost)
    two, three = say(alice, "bob", "two"), say(alice, "bob", "three")
    pass_on(alice, bob, three)
    tick(bob, HOLD_MS)
    assert lines(bob, "alice") == [
        ("message", "first"), ("message", "lost on the way"), ("gap", ""), ("message", "three")
    ]  # fmt: skip
    pass_on(alice, bob, two)
    assert [kind for kind, _ in lines(bob, "alice")] == ["message"] * 4


def test_an_answer_is_not_shown_before_its_question(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    carried = say(bob, "alice", "question")
    pass_on(bob, alice, carried)
    answer = say(alice, "bob", "answer")
    twin = bob.log_in("bob-2")
    assert told(pass_on(alice, twin, answer), "message") == []
    shown = told(pass_on(bob, twin, carried), "message")
    assert [body["text"] for body in shown] == ["question", "answer"]


def test_gaps_are_unread_with_what_they_stand_before(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    say(alice, "bob", "missing")
    pass_on(alice, bob, say(alice, "bob", "seen"))
    tick(bob, HOLD_MS)
    assert [m.kind for m in bob.database.write(seen.read, "alice", True, None)] == [
        "gap", "message"
    ]  # fmt: skip
    assert bob.database.write(seen.read, "alice", True, None) == []
    assert [kind for kind, _ in lines(bob, "alice")] == ["gap", "message"]


def test_unavailable_makes_a_gap_final_only_with_an_event_behind_it(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    ids = [say(alice, "bob", str(number)) for number in range(4)]
    [chain] = alice.database.connection.execute("SELECT device, epoch FROM chains").fetchall()
    conversation = events_of(alice, ids).conversation
    device, epoch = chain
    give(Unavailable(conversation, device, epoch, 1, 2), alice, bob)
    pass_on(alice, bob, ids[3])
    high = "SELECT floor, high FROM chains WHERE device = ?"
    assert bob.database.connection.execute(high, chain[:1]).fetchone() == (0, 0)
    pass_on(alice, bob, ids[2])
    assert bob.database.connection.execute(high, chain[:1]).fetchone() == (3, 4)
    tick(bob, HOLD_MS)
    assert lines(bob, "alice") == [("gap", ""), ("message", "2"), ("message", "3")]
    pass_on(alice, bob, ids[1])
    pass_on(alice, bob, ids[0])
    assert bob.database.connection.execute(high, chain[:1]).fetchone() == (0, 4)
    assert [kind for kind, _ in lines(bob, "alice")] == ["message"] * 4


def test_unavailable_about_our_own_chain_or_a_strangers_is_passed_over(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    event = say(alice, "bob", "mine")
    conversation = events_of(alice, [event]).conversation
    [(device, epoch)] = alice.database.connection.execute("SELECT device, epoch FROM chains")
    before = alice.database.connection.execute("SELECT * FROM chains").fetchall()
    give(Unavailable(conversation, device, epoch, 1, 2**53), bob, alice)
    give(Unavailable(conversation, DeviceId(b"s" * 16), epoch, 1, 5), bob, alice)
    give(Unavailable(ConversationId(b"c" * 32), device, epoch, 1, 5), bob, alice)
    assert alice.database.connection.execute("SELECT * FROM chains").fetchall() == before


def test_an_event_without_its_body_is_shown_when_the_body_comes(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    event = say(alice, "bob", "whole")
    came = events_of(alice, [event])
    bare = Events(came.conversation, (SealedEvent(came.events[0].header, None),))
    assert told(give(bare, alice, bob), "message") == []
    shown = told(give(came, alice, bob), "message")
    assert [body["text"] for body in shown] == ["whole"]
    assert told(give(came, alice, bob), "message") == []


@pytest.mark.parametrize("late_ms", [0, 11 * 60_000, 30 * 24 * 3_600_000])
def test_a_message_that_was_long_under_way_is_no_clock_that_is_off(
    pair: tuple[SimPeer, SimPeer], world: Simulation, late_ms: int
) -> None:
    alice, bob = pair
    came = events_of(alice, [say(alice, "bob", "from the past")])
    world.now += late_ms
    give(came, alice, bob)
    assert [m.clock_off for m in messages(bob, "alice")] == [False]


@pytest.mark.parametrize(
    ("skew_ms", "is_off"),
    [(0, False), (9 * 60_000, False), (11 * 60_000, True), (-9 * 60_000, False),
     (-11 * 60_000, True), (-(10**12), True)],
)  # fmt: skip
def test_a_wall_clock_more_than_ten_minutes_off_is_marked_and_changes_no_order(
    pair: tuple[SimPeer, SimPeer], world: Simulation, skew_ms: int, is_off: bool
) -> None:
    alice, bob = pair
    pass_on(bob, alice, say(bob, "alice", "what time is it?"))
    now = world.now
    world.now += skew_ms
    event = say(alice, "bob", "this late")
    world.now = now
    pass_on(alice, bob, event)
    assert [m.clock_off for m in messages(bob, "alice")] == [False, is_off]
    assert [m.text for m in messages(bob, "alice")] == ["what time is it?", "this late"]
