"""Editing, deleting, reacting, pinning, forwarding: what each does here and at the friend's, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
from msgspec.structs import replace

from peer.errors import PeerError
from peer.history.transcript import messages as all_messages
from peer.talk import acts
from tests.harness.acting import act, line, look, pen_of, write_by_hand, written
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import conversation_of, events_of, give, introduce, pass_on, say, tick, told
from wire.codes import Code, code_of
from wire.errors import LocalProtocolError
from wire.ids import Epoch, EventId
from wire.log.event import Chain, Content, Delete, Edit, Pin, Reaction, Text
from wire.messages.conversation import Events, SealedEvent

UP, HEART, ROCKET = "\N{THUMBS UP SIGN}", "\N{HEAVY BLACK HEART}\ufe0f", "\N{ROCKET}"
Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def both(pair: Pair, event: str) -> tuple[object, ...]:
    """Look at a message on both sides, where it has to be alike."""
    alice, bob = pair
    seen = look(alice, "bob", event)
    assert look(bob, "alice", event) == seen
    return seen


def body_of(one: SimPeer, event: str) -> object:
    return one.database.connection.execute(
        "SELECT body FROM events WHERE id = ?", (bytes.fromhex(event),)
    ).fetchone()[0]


def test_an_edit_stands_in_the_place_of_what_was_said_and_the_former_words_are_kept(
    pair: Pair,
) -> None:
    alice, bob = pair
    first, second = say(alice, "bob", "helo"), say(alice, "bob", "second")
    pass_on(alice, bob, first, second)
    edit = act(alice, acts.edit, first[:12], "hello")
    [change] = told(pass_on(alice, bob, edit), "change")
    assert (change["change"], change["id"], change["text"]) == ("edit", first, "hello")
    assert both(pair, first) == ("hello", True, None, False, [], ["helo", "hello"])
    assert bob.texts("alice") == ["hello", "second"]


def test_the_last_edit_counts_and_an_older_one_that_comes_late_changes_nothing(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    edits = [act(alice, acts.edit, said, text) for text in ("two", "three")]
    pass_on(alice, bob, said)
    for one in reversed(edits):
        pass_on(alice, bob, one)
    tick(bob, 60_000)
    assert both(pair, said) == ("three", True, None, False, [], ["one", "two", "three"])


def test_a_delete_drops_the_words_everywhere_and_leaves_a_mark(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "oh no")
    edit = act(alice, acts.edit, said, "oh no no")
    pass_on(alice, bob, said, edit)
    gone = act(alice, acts.delete, said)
    [change] = told(pass_on(alice, bob, gone), "change")
    assert (change["change"], change["gone"], change["text"]) == ("delete", "deleted", "")
    assert both(pair, said) == ("", False, "deleted", False, [], [])
    for one in pair:
        assert body_of(one, said) is None
        assert body_of(one, edit) is None


def test_what_was_deleted_is_not_taken_back_from_whoever_kept_it(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "oh no")
    edit = act(alice, acts.edit, said, "oh no no")
    kept = events_of(alice, [said, edit])
    gone = act(alice, acts.delete, said)
    pass_on(alice, bob, said, edit, gone)
    assert body_of(bob, said) is None
    assert told(give(kept, alice, bob), "change") == []
    assert body_of(bob, said) is None
    assert body_of(bob, edit) is None
    assert both(pair, said) == ("", False, "deleted", False, [], [])


def test_whatever_the_order_in_which_they_come_the_line_ends_alike(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    pass_on(alice, bob, said)
    marks = [act(bob, acts.react, said, mark) for mark in (UP, HEART)]
    parts = [
        *events_of(alice, [act(alice, acts.edit, said, text) for text in ("two", "three")]).events,
        *events_of(bob, [*marks, act(bob, acts.pin, said, is_pinned=True)]).events,
    ]
    whole = [*events_of(alice, [said]).events, *parts]
    expected = ("three", True, None, True, [(HEART, ["bob"])], ["one", "two", "three"])
    for number, order in enumerate([*permutations(whole)][::97]):
        other = alice.log_in(f"alice-{number + 2}")
        introduce(alice, other)
        for sealed in order:
            give(Events(conversation_of(alice, bob), (sealed,)), bob, other)
        tick(other, 60_000)
        assert look(other, "bob", said) == expected


@pytest.mark.parametrize("late", ["target", "edit", "delete"])
def test_an_edit_never_brings_back_what_was_deleted(pair: Pair, late: str) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    edit = act(alice, acts.edit, said, "two")
    last = events_of(alice, [said, edit])
    gone = act(alice, acts.delete, said)
    by_name = {
        "target": last.events[0],
        "edit": last.events[1],
        "delete": events_of(alice, [gone]).events[0],
    }
    rest = [sealed for name, sealed in by_name.items() if name != late]
    for sealed in (*rest, by_name[late]):
        give(Events(last.conversation, (sealed,)), alice, bob)
    tick(bob, 60_000)
    assert look(bob, "alice", said) == ("", False, "deleted", False, [], [])
    assert (body_of(bob, said), body_of(bob, edit)) == (None, None)


def test_one_mark_each_the_last_one_and_the_same_again_takes_it_back(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "we won")
    pass_on(alice, bob, said)
    for mark in (UP, ROCKET):
        pass_on(bob, alice, act(bob, acts.react, said, mark))
    pass_on(alice, bob, act(alice, acts.react, said, ROCKET))
    assert both(pair, said)[4] == [(ROCKET, ["bob", "alice"])]
    pass_on(bob, alice, act(bob, acts.react, said, ROCKET))
    assert both(pair, said)[4] == [(ROCKET, ["alice"])]
    pass_on(alice, bob, act(alice, acts.react, said, ""))
    assert both(pair, said)[4] == []


def test_thousands_of_reactions_of_one_person_show_as_one(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "spam me")
    pass_on(alice, bob, said)
    chain, sealed = Chain(conversation_of(alice, bob), bob.keys.device, Epoch(b"forger..")), []
    for number in range(2000):
        mark = (UP, HEART, ROCKET)[number % 3]
        event = written(bob, chain, Reaction(EventId(bytes.fromhex(said)), mark), 9 + number)
        sealed.append(event.sealed)
        chain = replace(chain, seq=event.header.seq, head=event.id)
    for start in range(0, len(sealed), 500):
        give(Events(chain.conversation, tuple(sealed[start : start + 500])), bob, alice)
    assert look(alice, "bob", said)[4] == [(HEART, ["bob"])]


def test_a_mark_that_is_none_is_as_if_it_were_empty(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "hm")
    pass_on(alice, bob, said)
    pass_on(bob, alice, act(bob, acts.react, said, UP))
    chain = Chain(conversation_of(alice, bob), bob.keys.device, Epoch(b"forger.."))
    target = EventId(bytes.fromhex(said))
    escape = write_by_hand(bob, chain, Reaction(target, "\x1b[2J"), 9)
    give(Events(chain.conversation, (escape,)), bob, alice)
    assert line(alice, "bob", said).reactions == []


def forged(kind: str, target: EventId) -> Content:
    return Edit(target, "I never said that") if kind == "edit" else Delete(target)


@pytest.mark.parametrize("is_early", [True, False])
@pytest.mark.parametrize("kind", ["edit", "delete"])
def test_what_somebody_else_wrote_is_left_alone_and_the_try_is_counted(
    pair: Pair, kind: str, *, is_early: bool
) -> None:
    alice, bob = pair
    said = say(bob, "alice", "mine")
    chain = Chain(conversation_of(alice, bob), alice.keys.device, Epoch(b"forger.."))
    lie = write_by_hand(alice, chain, forged(kind, EventId(bytes.fromhex(said))), 9)
    if is_early:
        words = events_of(bob, [said])
        other = bob.log_in("bob-2")
        give(Events(chain.conversation, (lie,)), alice, other)
        notices = told(give(words, bob, other), "notice")
    else:
        other = bob
        notices = told(give(Events(chain.conversation, (lie,)), alice, bob), "notice")
    assert [notice["code"] for notice in notices] == ["event-invalid"]
    assert look(other, "alice", said) == ("mine", False, None, False, [], [])
    pass_on(bob, alice, said)
    with pytest.raises(PeerError) as refused:
        act(alice, acts.delete, said)
    assert refused.value.code is Code.NOT_AUTHOR


def test_what_speaks_of_nothing_that_is_here_waits_and_shows_nothing(pair: Pair) -> None:
    alice, bob = pair
    chain = Chain(conversation_of(alice, bob), alice.keys.device, Epoch(b"forger.."))
    unknown = EventId(bytes(32))
    said: list[Content] = [Edit(unknown, "x"), Delete(unknown), Reaction(unknown, UP)]
    said.append(Pin(unknown, is_pinned=True))
    for number, content in enumerate(said):
        lonely = Chain(chain.conversation, chain.device, Epoch(b"forger.%d" % number))
        sealed = write_by_hand(alice, lonely, content, 9)
        assert told(give(Events(chain.conversation, (sealed,)), alice, bob), "change") == []
    assert bob.database.read(all_messages, "alice") == []


def test_an_edit_of_an_edit_changes_nothing(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    edit = act(alice, acts.edit, said, "two")
    pass_on(alice, bob, said, edit)
    chain = Chain(conversation_of(alice, bob), alice.keys.device, Epoch(b"forger.."))
    sealed = write_by_hand(alice, chain, Edit(EventId(bytes.fromhex(edit)), "three"), 9)
    give(Events(chain.conversation, (sealed,)), alice, bob)
    assert bob.texts("alice") == ["two"]
    with pytest.raises(PeerError) as refused:
        act(alice, acts.edit, edit, "three")
    assert refused.value.code is Code.UNKNOWN_MESSAGE


def test_two_devices_that_edit_at_once_agree_on_the_winner(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    desk = alice.log_in("alice-2")
    pass_on(alice, bob, said)
    pass_on(alice, desk, said)
    introduce(desk, alice)
    here, there = act(alice, acts.edit, said, "of the laptop"), act(desk, acts.edit, said, "desk")
    parts = [*events_of(alice, [here]).events, *events_of(desk, [there]).events]
    for one, order in ((alice, parts), (desk, parts[::-1])):
        for sealed in order:
            give(Events(conversation_of(alice, bob), (sealed,)), bob, one)
    assert look(alice, "bob", said) == look(desk, "bob", said)


def test_pins_are_everybodys_and_anybody_ends_them(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "the address")
    pass_on(alice, bob, said)
    pass_on(bob, alice, act(bob, acts.pin, said, is_pinned=True))
    assert both(pair, said)[3] is True
    assert act(alice, acts.pin, said, is_pinned=True) == "None"
    pass_on(alice, bob, act(alice, acts.pin, said, is_pinned=False))
    assert both(pair, said)[3] is False


def test_a_forwarded_message_has_the_words_of_now_and_the_name_of_who_wrote_them(
    pair: Pair,
) -> None:
    alice, bob = pair
    carol = SimPeer.make(alice.world, "carol")
    befriend(bob, carol)
    said = say(alice, "bob", "the recipe")
    pass_on(alice, bob, said, act(alice, acts.edit, said, "the right recipe"))
    passed, _ = bob.database.write(acts.forward, pen_of(bob), said, "carol")
    pass_on(bob, carol, passed.id)
    got = line(carol, "bob", passed.id)
    assert (got.text, got.forwarded_from, got.sender) == ("the right recipe", "alice", "bob")
    again, _ = carol.database.write(acts.forward, pen_of(carol), passed.id, "bob")
    pass_on(carol, bob, again.id)
    assert line(bob, "carol", again.id).forwarded_from == "alice"


def test_an_answer_shows_a_glimpse_of_what_it_answers_as_that_reads_now(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "shall we\n meet " + "x" * 200)
    pass_on(alice, bob, said)
    answer = say(bob, "alice", "yes", said[:10])
    pass_on(bob, alice, answer)
    glimpse = line(alice, "bob", answer).quote
    assert glimpse is not None
    assert glimpse["from"] == "alice"
    assert glimpse["text"].startswith("shall we meet xxx")
    assert len(glimpse["text"]) == 80
    act(alice, acts.edit, said, "lunch?")
    assert line(alice, "bob", answer).quote == {"from": "alice", "text": "lunch?"}
    act(alice, acts.delete, said)
    assert line(alice, "bob", answer).quote == {"from": "alice", "text": ""}


def test_an_answer_to_what_is_not_in_that_conversation_is_refused(pair: Pair) -> None:
    alice, bob = pair
    carol = SimPeer.make(alice.world, "carol")
    befriend(alice, carol)
    said = say(alice, "carol", "between us")
    with pytest.raises(PeerError) as refused:
        say(alice, "bob", "what she said", said)
    assert refused.value.code is Code.UNKNOWN_MESSAGE
    strange = Text("look", bytes.fromhex(said))
    chain = Chain(conversation_of(alice, bob), bob.keys.device, Epoch(b"forger.."))
    sealed = write_by_hand(bob, chain, strange, 1)
    give(Events(chain.conversation, (sealed,)), bob, alice)
    [got] = alice.database.read(all_messages, "bob")
    assert (got.reply_to, got.quote) == (said, None)


REFUSED: list[tuple[str, Callable[..., Any], tuple[object, ...], str]] = [
    ("said", acts.edit, ("",), "message-empty"),
    ("said", acts.edit, (" \n",), "message-empty"),
    ("said", acts.edit, ("x" * 65537,), "message-too-long"),
    ("said", acts.edit, ("\ud800",), "text-invalid"),
    ("said", acts.react, ("x",), "reaction-invalid"),
    ("said", acts.react, ("\x1b",), "reaction-invalid"),
    ("said", acts.react, (UP * 2,), "reaction-invalid"),
    ("said", acts.react, ("x" * 65536,), "reaction-invalid"),
    ("gone", acts.edit, ("again",), "message-deleted"),
    ("gone", acts.react, (UP,), "message-deleted"),
    ("gone", acts.forward, ("bob",), "message-deleted"),
    ("said", acts.forward, ("nobody",), "no-such-friend"),
    ("none", acts.delete, (), "unknown-message"),
    ("short", acts.delete, (), "unknown-message"),
]


@pytest.mark.parametrize(("which", "do", "args", "code"), REFUSED)
def test_what_cannot_be_done_is_refused_by_name(
    pair: Pair, which: str, do: Callable[..., Any], args: tuple[object, ...], code: str
) -> None:
    alice, _ = pair
    said, gone = say(alice, "bob", "said"), say(alice, "bob", "gone")
    act(alice, acts.delete, gone)
    ids = {"said": said, "gone": gone, "none": "0" * 64, "short": said[:7]}
    with pytest.raises((PeerError, LocalProtocolError)) as caught:
        alice.database.write(do, pen_of(alice), ids[which], *args)
    assert getattr(caught.value, "code", None) is code_of(code)
    assert act(alice, acts.delete, gone) == "None"


def test_a_header_alone_is_shown_once_its_words_come_or_its_delete(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "words")
    whole = events_of(alice, [said])
    bare = Events(whole.conversation, (SealedEvent(whole.events[0].header, None),))
    assert told(give(bare, alice, bob), "message") == []
    act(alice, acts.delete, said)
    edits = pass_on(alice, bob, act(alice, acts.pin, say(alice, "bob", "x"), is_pinned=True))
    assert told(edits, "message") == []
    assert [one["text"] for one in told(give(whole, alice, bob), "message")] == ["words"]
