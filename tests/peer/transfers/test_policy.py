"""Offers that are taken or refused without asking: by whom, how large, of which types, and what goes wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from peer.effects import ApplyPolicy, Effect
from peer.errors import PeerError
from peer.settings import preferences
from peer.settings.preferences import KEYS
from peer.transfers import manager, policy, verdicts
from tests.harness.offers import (
    MIB,
    accept,
    bring,
    contents,
    decline,
    offer,
    states,
    transfers,
)
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import told
from wire.codes import Code

FOLDER = Path("/srv/in")
Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def put(one: SimPeer, friend: str | None = None, **values: str) -> None:
    for name, text in values.items():
        key = KEYS[f"accept.{name.replace('_', '-')}"]
        one.database.write(preferences.put, key, text, friend)
    one.database.commit()


def offered(alice: SimPeer, bob: SimPeer, size: int = MIB) -> tuple[str, list[Effect]]:
    """Offer something to bob; gives its id and what follows there."""
    made, effects = offer(alice, "bob", what=contents("photo.jpg", 1, size))
    return made, bring(effects, alice, bob)


def apply(one: SimPeer, folder: Path | PeerError = FOLDER) -> list[Effect]:
    effects: list[Effect] = one.database.write(
        policy.apply, one.keys, folder, one.world.wall(), one.entropy
    )
    one.database.commit()
    return effects


def number_of(one: SimPeer) -> int:
    (number,) = one.database.connection.execute("SELECT number FROM transfers").fetchone()
    return int(number)


def test_an_offer_waits_for_its_person_unless_something_else_was_said(pair: Pair) -> None:
    alice, bob = pair
    _, effects = offered(alice, bob)
    assert ApplyPolicy() not in effects
    assert not bob.database.read(verdicts.is_due)
    assert apply(bob) == []
    assert states(bob) == [("in", "offered")]


def test_what_is_to_be_taken_is_taken_as_if_its_person_had(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    _, effects = offered(alice, bob)
    assert ApplyPolicy() in effects
    assert states(bob) == [("in", "offered")]
    effects = apply(bob)
    assert [body["state"] for body in told(effects, "offer")] == ["accepted"]
    assert told(bring(effects, bob, alice), "offer")[0]["state"] == "accepted"
    [due] = bob.database.read(manager.due)
    assert (due.folder, due.types) == (FOLDER, None)
    assert apply(bob) == []


def test_what_is_to_be_refused_is_refused_and_the_sender_learns_it(pair: Pair) -> None:
    alice, bob = pair
    put(bob, "alice", policy="never")
    offered(alice, bob)
    assert told(bring(apply(bob), bob, alice), "transfer")[0]["state"] == "declined"
    assert states(alice) == [("out", "declined")]
    assert transfers(bob) == []


def test_what_is_larger_than_may_be_taken_waits_for_its_person(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto", max_size="1MiB")
    offered(alice, bob, MIB + 1)
    assert not bob.database.read(verdicts.is_due)
    offered(alice, bob, MIB)
    apply(bob)
    assert states(bob) == [("in", "offered"), ("in", "accepted")]


def test_on_a_network_that_costs_nothing_is_taken_unasked_and_what_is_refused_still_is(
    pair: Pair,
) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    bob.database.write(preferences.put, preferences.need_key("metered"), "on", None)
    offered(alice, bob)
    assert not bob.database.read(verdicts.is_due)
    put(bob, policy="never")
    offered(alice, bob)
    apply(bob)
    assert states(bob) == [("in", "offered"), ("in", "declined")]


def test_a_policy_counts_for_offers_that_are_shown_after_it_was_set(pair: Pair) -> None:
    alice, bob = pair
    offered(alice, bob)
    put(bob, policy="auto")
    apply(bob)
    assert states(bob) == [("in", "offered")]
    offered(alice, bob)
    put(bob, policy="ask")
    apply(bob)
    assert states(bob) == [("in", "offered"), ("in", "accepted")]


def test_what_was_said_is_done_by_the_next_node_if_one_was_ended_in_between(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    offered(alice, bob)
    bob.database.commit()
    assert bob.database.read(verdicts.is_due)
    apply(bob)
    assert not bob.database.read(verdicts.is_due)
    assert states(bob) == [("in", "accepted")]


def test_who_was_quicker_than_the_policy_counts(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    made, _ = offered(alice, bob)
    decline(bob, made)
    assert apply(bob) == []
    assert states(bob) == [("in", "declined")]


def test_own_offers_are_judged_by_nobody(pair: Pair) -> None:
    alice, _ = pair
    put(alice, policy="never")
    _, effects = offer(alice, "bob")
    assert ApplyPolicy() not in effects
    assert states(alice) == [("out", "offered")]


def test_nothing_is_said_to_a_friend_whose_key_changed(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    offered(alice, bob)
    bob.database.connection.execute(
        "UPDATE contacts SET claimed = ? WHERE number > 0", (b"k" * 32,)
    )
    assert apply(bob) == []
    assert transfers(bob) == []


def test_a_folder_that_takes_nothing_fails_the_transfer_and_asks_the_person(pair: Pair) -> None:
    alice, bob = pair
    put(bob, policy="auto")
    made, _ = offered(alice, bob)
    apply(bob, PeerError(Code.HOME_UNUSABLE, "/home/bob holds this profile's own state"))
    [failed] = transfers(bob)
    assert failed.error is not None
    assert (failed.state, failed.error["code"]) == ("failed", "home-unusable")
    assert states(bob) == [("in", "offered")]
    assert accept(bob, made)[0].state == "accepted"
    assert [t.state for t in transfers(bob)] == ["waiting"]


# --- types of files


def provisional(alice: SimPeer, bob: SimPeer) -> str:
    """Let an offer be taken on condition; gives its id."""
    put(bob, policy="auto", types="*.jpg")
    made, _ = offered(alice, bob)
    apply(bob)
    return made


def test_where_types_count_the_list_of_files_comes_before_the_answer(pair: Pair) -> None:
    alice, bob = pair
    provisional(alice, bob)
    assert states(bob) == [("in", "offered")]
    [due] = bob.database.read(manager.due)
    assert due.types == "*.jpg"
    for reached in (manager.started, manager.restarted):
        numbers = (due.number, 5) if reached is manager.started else ()
        assert not bob.database.write(reached, *numbers)  # nothing is told of it
        assert transfers(bob) == []
    fits = bob.database.write(policy.fit, bob.keys, due.number, bob.world.wall(), bob.entropy)
    assert [body["offer"] for body in told(fits, "transfer")] == [due.key.offer.hex()]
    assert told(bring(fits, bob, alice), "offer")[0]["state"] == "accepted"
    assert bob.database.read(manager.due)[0].types is None
    now = bob.world.wall()
    assert bob.database.write(policy.fit, bob.keys, due.number, now, bob.entropy) == []
    assert bob.database.write(policy.unfit, due.number) == []


def test_what_does_not_match_waits_for_its_person_as_if_nothing_had_been(pair: Pair) -> None:
    alice, bob = pair
    made = provisional(alice, bob)
    effects = bob.database.write(policy.unfit, number_of(bob))
    assert told(effects, "offer")[0]["state"] == "offered"
    assert transfers(bob) == []
    assert bob.database.write(policy.unfit, 999) == []
    assert accept(bob, made, "/srv/other")[0].state == "accepted"
    assert bob.database.read(manager.due)[0].types is None


def test_what_went_wrong_with_its_list_of_files_is_shown(pair: Pair) -> None:
    alice, bob = pair
    provisional(alice, bob)
    number, now = number_of(bob), bob.world.wall()
    bob.database.write(manager.gave_up, bob.keys, number, Code.MANIFEST_INVALID, now, bob.entropy)
    assert [t.state for t in transfers(bob)] == ["failed"]


def test_a_person_decides_while_the_list_of_files_is_on_its_way(pair: Pair) -> None:
    alice, bob = pair
    made = provisional(alice, bob)
    before = number_of(bob)
    assert accept(bob, made, "/srv/other")[0].state == "accepted"
    [due] = bob.database.read(manager.due)
    assert (due.types, due.folder) == (None, Path("/srv/other"))
    assert bob.database.write(policy.unfit, before) == []
    assert [t.state for t in transfers(bob)] == ["waiting"]
    made = provisional(alice, bob)
    assert decline(bob, made)[0].state == "declined"
    assert [t.state for t in transfers(bob)] == ["waiting"]


@pytest.mark.parametrize(
    ("paths", "types", "answer"),
    [
        (["photo.jpg"], "*.jpg", True),
        (["PHOTO.JPG", "holiday/b.Png"], "*.jpg,*.PNG", True),
        (["holiday/a.jpg", "holiday/run.exe"], "*.jpg", False),
        (["a.jpg/run.exe"], "*.jpg", False),
        (["a.jpg.exe"], "*.jpg", False),
        (["report-2026.pdf"], "report-????.pdf", True),
        (["a.jpg", "b.png"], "*.[jp]*g", True),
        ([], "*.jpg", True),
        (["a" * 255], "*a" * 60 + "b", False),  # in no time
        (["*.jpg"], "x.jpg", False),
    ],
)
def test_all_files_have_to_match(paths: list[str], types: str, answer: bool) -> None:
    assert verdicts.all_match(paths, types) is answer
