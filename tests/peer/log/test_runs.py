"""Lines that come together are stored and shown as if each had come alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer import conversations
from peer.conversations import Saying
from tests.harness.simnet import SimPeer, befriend
from tests.harness.simulation import Simulation
from tests.harness.talk import events_of, give, lines, open_link, receipt_of, say, sent, told
from wire import limits
from wire.log.event import peek_header
from wire.log.receipt import peek_receipt
from wire.messages.conversation import AskEvents, Events, SealedEvent

COUNT = 12


def pair() -> tuple[SimPeer, SimPeer]:
    world = Simulation(7)
    alice, bob = SimPeer.make(world, "alice", age_ms=1000), SimPeer.make(world, "bob", age_ms=1000)
    befriend(alice, bob)
    open_link(alice, bob)
    open_link(bob, alice)
    return alice, bob


def written(count: int = COUNT) -> tuple[SimPeer, SimPeer, Events]:
    """Give two people, and what one of them said to the other, as it travels."""
    alice, bob = pair()
    ids = [say(alice, "bob", f"line {number}") for number in range(count)]
    return alice, bob, events_of(alice, ids)


def part(came: Events, places: Sequence[int]) -> Events:
    return Events(came.conversation, tuple(came.events[place] for place in places))


def state(one: SimPeer) -> list[list[Any]]:
    """Give all that is stored of the talk, but for the order in which it came."""
    return [
        one.database.connection.execute(question).fetchall()
        for question in (
            (
                "SELECT id, chain, seq, clock, kind, is_own, is_read, is_fork, held, is_clock_off"
                " FROM events ORDER BY id"
            ),
            "SELECT number, floor, high, high_id, forked_at FROM chains ORDER BY number",
            "SELECT e.id FROM heads h JOIN events e ON e.number = h.event ORDER BY e.id",
            "SELECT missing FROM lacks ORDER BY missing",
        )
    ]


def test_lines_of_one_batch_are_told_one_by_one_and_receipted_once() -> None:
    alice, bob, came = written()
    effects = give(came, alice, bob)
    texts = [body["text"] for body in told(effects, "message")]
    assert texts == [f"line {number}" for number in range(COUNT)]
    assert [body["muted"] for body in told(effects, "message")] == [False] * COUNT
    [reach] = peek_receipt(receipt_of(bob, "alice").signed).has
    assert reach.high == COUNT


@given(
    st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=2 * COUNT).map(
        lambda places: [*places, *range(COUNT)]
    ),
    st.lists(st.integers(1, COUNT), min_size=1, max_size=3 * COUNT),
)
def test_however_lines_are_cut_and_mixed_the_same_is_stored_and_shown(
    places: list[int], cuts: list[int]
) -> None:
    alice, bob, came = written()
    shown: list[str] = []
    at = 0
    for size in [*cuts, len(places)]:
        batch = places[at : at + size]
        at += size
        if batch:
            effects = give(part(came, batch), alice, bob)
            shown += [body["text"] for body in told(effects, "message")]
    _, alone, _ = written()
    for place in range(COUNT):
        give(part(came, [place]), alice, alone)
    assert sorted(shown) == sorted(f"line {number}" for number in range(COUNT))
    assert state(bob) == state(alone)
    assert lines(bob, "alice") == lines(alone, "alice")


def test_what_does_not_verify_ends_a_run_and_is_refused_alone() -> None:
    alice, bob, came = written(4)
    header = came.events[2].header
    forged = SealedEvent(header[:-1] + bytes([header[-1] ^ 1]), came.events[2].body)
    spoilt = (came.events[0], came.events[1], forged, came.events[3])
    effects = give(Events(came.conversation, spoilt), alice, bob)
    assert [body["text"] for body in told(effects, "message")] == ["line 0", "line 1"]
    assert [body["code"] for body in told(effects, "notice")] == ["event-invalid"]
    effects = give(part(came, [2]), alice, bob)
    assert [body["text"] for body in told(effects, "message")] == ["line 2", "line 3"]


def test_a_line_without_its_words_ends_a_run_and_is_asked_for() -> None:
    alice, bob, came = written(3)
    bare = (came.events[0], SealedEvent(came.events[1].header, None), came.events[2])
    effects = give(Events(came.conversation, bare), alice, bob)
    assert [body["text"] for body in told(effects, "message")] == ["line 0", "line 2"]
    del effects
    assert lines(bob, "alice")[-1] == ("message", "line 2")


def test_a_run_may_name_what_was_said_to_its_author_meanwhile() -> None:
    alice, bob, came = written(2)
    give(came, alice, bob)
    answer = say(bob, "alice", "answer")
    give(events_of(bob, [answer]), bob, alice)
    ids = [say(alice, "bob", f"more {number}") for number in range(3)]
    more = events_of(alice, ids)
    assert [len(peek_header(sealed.header).parents) for sealed in more.events] == [1, 0, 0]
    effects = give(more, alice, bob)
    assert [body["text"] for body in told(effects, "message")] == ["more 0", "more 1", "more 2"]
    (heads,) = bob.database.connection.execute("SELECT count(*) FROM heads").fetchone()
    assert heads == 1


def test_a_run_that_names_what_is_not_here_waits() -> None:
    alice, bob, came = written(1)
    give(came, alice, bob)
    answer = say(bob, "alice", "answer")
    give(events_of(bob, [answer]), bob, alice)
    more = events_of(alice, [say(alice, "bob", f"more {number}") for number in range(2)])
    world, other = bob.world, SimPeer.make(bob.world, "carol", age_ms=1000)
    assert world is other.world
    _, elsewhere, _ = written(1)
    give(came, alice, elsewhere)
    effects = give(more, alice, elsewhere)
    assert told(effects, "message") == []
    assert sent(effects, alice, AskEvents) == []


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_things_said_at_once_go_one_after_the_other(count: int) -> None:
    alice, bob = pair()
    sayings = [Saying(f"line {number}") for number in range(count)]
    said = alice.database.write(
        conversations.say_all, alice.keys, "bob", sayings, alice.world.wall(), alice.entropy
    )
    came = events_of(alice, [kept.id for kept, _ in said])
    headers = [peek_header(sealed.header) for sealed in came.events]
    assert [header.seq for header in headers] == list(range(1, count + 1))
    assert [header.clock for header in headers] == list(range(1, count + 1))
    assert count <= limits.EVENTS_PER_BATCH
    effects = give(came, alice, bob)
    assert [body["text"] for body in told(effects, "message")] == [one.text for one in sayings]
    effects = give(receipt_of(bob, "alice"), bob, alice)
    receipts = told(effects, "receipt")
    assert [body["id"] for body in receipts] == [kept.id for kept, _ in said]
    assert {body["state"] for body in receipts} == {"delivered"}
