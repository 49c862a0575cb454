"""Offers and answers as two people see them, event by event, over SQLite in memory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peer import conversations
from peer.effects import WakeTransfers
from peer.errors import PeerError
from peer.people import befriending, contacts
from peer.talk import seen
from peer.transfers import manager
from tests.harness.offers import (
    MIB,
    accept,
    bring,
    contents,
    decline,
    key_of,
    offer,
    say_about,
    states,
    transfers,
)
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import lines, told
from wire import limits
from wire.codes import Code
from wire.ids import AccountName, OfferId
from wire.log.event import Answer, Offer, OfferAnswer, Withdrawal
from wire.machine import UnixMillis
from wire.transfer.states import TransferState

Pair = tuple[SimPeer, SimPeer]

SAVED = Path("/srv/in/holiday")


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> Pair:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def finish(one: SimPeer) -> Any:
    """Let everything that is due be there; gives what follows."""
    effects = []
    for incoming in one.database.read(manager.due):
        effects += one.database.write(manager.started, incoming.number, one.world.wall())
        effects += one.database.write(
            manager.finished, one.keys, incoming.number, SAVED, one.world.wall(), one.entropy
        )
    one.database.commit()
    return effects


def refused(do: Callable[..., Any], *arguments: Any) -> Code:
    with pytest.raises(PeerError) as caught:
        do(*arguments)
    return caught.value.code


def test_an_offer_shows_on_both_sides_with_the_fields_of_the_contract(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    [came] = told(bring(effects, alice, bob), "offer")
    shown = {
        "offer": offered,
        "direction": "in",
        "conversation": came["conversation"],
        "friend": "alice",
        "from": "alice",
        "name": "holiday",
        "files": 3,
        "bytes": 64 * MIB,
        "state": "offered",
        "at": came["at"],
        "id": came["id"],
    }
    assert came == shown
    [at_alice] = told(effects, "offer")
    assert at_alice == {**shown, "direction": "out", "friend": "bob"}
    assert states(bob) == [("in", "offered")]


def test_the_sender_has_a_waiting_transfer_at_once_and_the_receiver_from_the_acceptance_on(
    pair: Pair,
) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    [leaves] = transfers(alice)
    assert (leaves.direction, leaves.state, leaves.reason) == ("out", "waiting", "friend")
    assert transfers(bob) == []
    _, accepted = accept(bob, offered[:8])
    [comes] = transfers(bob)
    assert (comes.direction, comes.state, comes.reason, comes.saved_as) == (
        "in",
        "waiting",
        "friend",
        None,
    )
    assert comes.id == leaves.id
    assert WakeTransfers(OfferId(bytes.fromhex(offered))) in accepted


def test_acceptance_and_arrival_reach_the_sender(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    taken, accepted = accept(bob, offered)
    assert taken.state == "accepted"
    assert told(bring(accepted, bob, alice), "offer")[0]["state"] == "accepted"
    came = bring(finish(bob), bob, alice)
    assert told(came, "offer")[0]["state"] == "done"
    [done] = told(came, "transfer")
    assert (done["state"], done["files_done"], done["verified_bytes"]) == ("done", 3, 64 * MIB)
    assert states(alice) == [("out", "done")]
    assert states(bob) == [("in", "done")]
    assert transfers(bob)[0].saved_as == str(SAVED)
    assert transfers(alice)[0].saved_as is None


def test_a_refusal_reaches_the_sender(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    refusal, answered = decline(bob, offered)
    assert refusal.state == "declined"
    assert decline(bob, offered) == (refusal, [])
    [ended] = told(bring(answered, bob, alice), "transfer")
    assert (ended["state"], ended["error"]["code"]) == ("declined", "declined")
    assert states(alice) == [("out", "declined")]
    assert refused(accept, bob, offered) is Code.OFFER_ANSWERED


def test_a_cancelled_download_reaches_the_sender(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    answer = Answer(OfferId(bytes.fromhex(offered)), OfferAnswer.CANCELLED)
    effects = say_about(bob, "alice", answer)
    assert told(effects, "transfer")[0]["state"] == "cancelled"
    [ended] = told(bring(effects, bob, alice), "transfer")
    assert ended["state"] == "cancelled"
    assert ended["error"]["code"] == "cancelled"
    assert states(alice) == [("out", "declined")]


def test_accepting_twice_changes_nothing(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    first, _ = accept(bob, offered)
    again, effects = accept(bob, offered, "/elsewhere")
    assert again == first
    assert effects == [WakeTransfers(OfferId(bytes.fromhex(offered)))]
    [due] = bob.database.read(manager.due)
    assert due.folder == Path("/srv/in")
    finish(bob)
    assert accept(bob, offered)[0].state == "done"
    assert bob.database.read(manager.due) == []


def test_what_cannot_be_accepted_is_named(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    assert refused(accept, bob, offered) is Code.UNKNOWN_OFFER
    bring(effects, alice, bob)
    for prefix in ("", offered[:7], "x" * 8, "../../etc", f"{offered}00", "é" * 8):
        assert refused(accept, bob, prefix) is Code.UNKNOWN_OFFER
        assert refused(decline, bob, prefix) is Code.UNKNOWN_OFFER
    assert refused(accept, alice, offered) is Code.OFFER_OWN
    assert refused(decline, alice, offered) is Code.OFFER_OWN
    accept(bob, offered[:9].upper())
    assert refused(decline, bob, offered) is Code.OFFER_ANSWERED


def test_a_prefix_of_two_offers_is_ambiguous_whoever_made_them(pair: Pair) -> None:
    alice, bob = pair
    ids = [OfferId(bytes.fromhex("abcdef012" + end * 23)) for end in "ab"]
    bring(offer(alice, "bob", offer_id=ids[0])[1], alice, bob)
    offer(bob, "alice", offer_id=ids[1])
    assert refused(accept, bob, "abcdef01") is Code.AMBIGUOUS_ID
    assert accept(bob, "abcdef012a")[0].state == "accepted"


def test_two_friends_under_one_id_are_told_apart_by_nobody(world: Simulation, pair: Pair) -> None:
    alice, bob = pair
    eve = SimPeer.make(world, "eve")
    befriend(eve, bob)
    stolen = OfferId(b"i" * 16)
    bring(offer(alice, "bob", offer_id=stolen)[1], alice, bob)
    bring(offer(eve, "bob", offer_id=stolen)[1], eve, bob)
    assert refused(accept, bob, stolen.hex()) is Code.AMBIGUOUS_ID
    assert len(bob.database.read(manager.offers)) == 2


def test_one_offer_to_several_has_one_id_and_an_event_for_each_that_names_the_others(
    world: Simulation, pair: Pair
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    befriend(bob, carol)
    offered, effects = offer(alice, "bob", "carol", "bob")
    assert [t.friend for t in transfers(alice)] == ["bob", "carol"]
    assert len({t.id for t in transfers(alice)}) == 2
    to_bob = [e for e in effects if getattr(e, "conversation", None)][:1]
    bring(to_bob, alice, bob)
    named = bob.database.connection.execute("SELECT recipients FROM offers").fetchall()
    assert named == [(carol.keys.identity,)]
    assert bob.database.read(manager.outgoing, carol.keys.identity, key_of(alice, offered)) is None
    assert {one.offer for one in alice.database.read(manager.offers)} == {offered}


def test_an_offer_to_somebody_unknown_is_made_to_nobody(pair: Pair) -> None:
    alice, _ = pair
    with pytest.raises(PeerError) as caught:
        offer(alice, "bob", "nobody")
    assert caught.value.code is Code.NO_SUCH_FRIEND
    assert alice.database.read(manager.offers) == []
    assert transfers(alice) == []


def test_more_offers_than_may_wait_are_refused_before_they_are_made(pair: Pair) -> None:
    alice, bob = pair
    ids = [offer(alice, "bob")[0] for _ in range(limits.PENDING_OFFERS)]
    assert refused(offer, alice, "bob") is Code.TOO_MANY_OFFERS
    assert len(alice.database.read(manager.offers)) == limits.PENDING_OFFERS
    say_about(alice, "bob", Withdrawal(OfferId(bytes.fromhex(ids[0]))))
    offer(alice, "bob")
    assert states(bob) == []


def test_a_receiver_takes_no_more_than_may_wait_and_keeps_the_log_whole(pair: Pair) -> None:
    alice, bob = pair
    effects = []
    for _ in range(limits.PENDING_OFFERS):
        effects += offer(alice, "bob")[1]
    bring(effects, alice, bob)
    friend = alice.database.read(contacts.find_friend, "bob")
    beyond = alice.database.read(manager.offers)[0]
    last = say_about(alice, "bob", _content_of(alice, beyond.offer, b"z" * 16))
    assert friend.name == "bob"
    notices = told(bring(last, alice, bob), "notice")
    assert [notice["code"] for notice in notices] == ["too-many-offers"]
    assert len(bob.database.read(manager.offers)) == limits.PENDING_OFFERS
    (count,) = bob.database.connection.execute("SELECT count(*) FROM events").fetchone()
    assert count == limits.PENDING_OFFERS + 1


def _content_of(one: SimPeer, offered: str, offer_id: bytes) -> Offer:
    from wire.log.event import Offer, peek_header, read_body

    row = one.database.connection.execute(
        "SELECT e.header, e.body FROM events e JOIN offers o ON o.event = e.number"
        " WHERE o.offer = ?",
        (bytes.fromhex(offered),),
    ).fetchone()
    content = read_body(peek_header(row[0]), row[1])
    assert isinstance(content, Offer)
    return Offer(
        OfferId(offer_id), content.title, content.files, content.size, content.top_names,
        content.manifest_size, content.manifest_digest,
    )  # fmt: skip


def test_a_withdrawal_ends_the_transfer_on_both_sides_and_nobody_may_have_it(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    key = key_of(alice, offered)
    assert alice.database.read(manager.outgoing, bob.keys.identity, key) is not None
    effects = say_about(alice, "bob", Withdrawal(key.offer))
    [ended] = told(bring(effects, alice, bob), "transfer")
    assert (ended["state"], ended["error"]["code"]) == ("cancelled", "offer-withdrawn")
    assert bob.database.read(manager.due) == []
    assert alice.database.read(manager.outgoing, bob.keys.identity, key) is None
    assert refused(accept, bob, offered) is Code.OFFER_WITHDRAWN
    assert refused(decline, bob, offered) is Code.OFFER_WITHDRAWN
    assert states(bob) == [("in", "withdrawn")]


def test_nobody_answers_or_withdraws_for_the_other_side(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    key = key_of(alice, offered)
    bring(say_about(bob, "alice", Withdrawal(key.offer)), bob, alice)
    bring(say_about(alice, "bob", Answer(key.offer, OfferAnswer.DONE)), alice, bob)
    assert states(alice) == [("out", "offered")]
    assert states(bob) == [("in", "offered")]


def test_words_that_come_before_their_offer_count_once_it_is_there(pair: Pair) -> None:
    alice, bob = pair
    offered, made = offer(alice, "bob")
    withdrawn = say_about(alice, "bob", Withdrawal(OfferId(bytes.fromhex(offered))))
    bring(withdrawn, alice, bob)
    bob.database.write(
        conversations.expire, UnixMillis(bob.world.wall() + 10_000)
    )  # shown with a gap
    assert states(bob) == []
    bring(made, alice, bob)
    assert states(bob) == [("in", "withdrawn")]


def test_the_states_of_an_offer_agree_whatever_is_heard_first(pair: Pair) -> None:
    alice, bob = pair
    offered, made = offer(alice, "bob")
    bring(made, alice, bob)
    accepted = accept(bob, offered)[1]
    withdrawn = say_about(alice, "bob", Withdrawal(OfferId(bytes.fromhex(offered))))
    bring(withdrawn, alice, bob)
    bring(accepted, bob, alice)
    assert states(alice) == [("out", "withdrawn")]
    assert states(bob) == [("in", "withdrawn")]


def test_removing_a_friend_ends_what_was_between_us(pair: Pair) -> None:
    alice, bob = pair
    first, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    accept(bob, first)
    second, effects = offer(bob, "alice")
    bring(effects, bob, alice)
    _, effects = bob.database.write(befriending.remove, "alice", bob.world.wall())
    assert [t["state"] for t in told(effects, "transfer")] == ["cancelled", "cancelled"]
    assert {t.error["code"] for t in transfers(bob) if t.error} == {"not-friends"}
    assert states(bob) == [("in", "withdrawn"), ("out", "withdrawn")]
    assert bob.database.read(manager.due) == []
    assert bob.database.read(manager.outgoing, alice.keys.identity, key_of(bob, second)) is None
    _, effects = alice.database.write(
        befriending.block, AccountName("bob"), True, alice.world.wall()
    )
    assert {t.error["code"] for t in transfers(alice) if t.error} == {"blocked"}


def test_a_stranger_may_have_nothing_and_a_friend_only_what_is_meant_for_them(
    world: Simulation, pair: Pair
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    offered, _ = offer(alice, "bob")
    key = key_of(alice, offered)
    mallory = SimPeer.make(world, "mallory")
    for asker in (carol, mallory):
        assert alice.database.read(manager.outgoing, asker.keys.identity, key) is None
    assert alice.database.read(manager.outgoing, bob.keys.identity, key) == 1
    assert alice.database.read(manager.outgoing, bob.keys.identity, key_of(bob, offered)) is None
    unknown = key_of(alice, "00" * 16)
    assert alice.database.read(manager.outgoing, bob.keys.identity, unknown) is None


def test_an_offer_stands_in_what_is_read_as_a_notice_and_never_as_a_text(pair: Pair) -> None:
    alice, bob = pair
    bring(offer(alice, "bob")[1], alice, bob)
    text = "alice offers holiday (3 files, 64.0 MiB)"
    assert lines(alice, "bob") == [("notice", text)]
    [line] = bob.database.write(seen.read, None, True, None)
    assert (line.kind, line.text, line.sender) == ("notice", text, "alice")
    assert bob.database.write(seen.read, None, True, None) == []
    assert lines(bob, "alice") == [("notice", text)]
    bring(offer(alice, "bob", what=contents("x", 1, 1))[1], alice, bob)
    assert lines(bob, "alice")[1:] == [("notice", "alice offers x (1 file, 1 byte)")]


def test_what_was_left_out_stands_with_the_senders_transfers(world: Simulation, pair: Pair) -> None:
    alice, _ = pair
    befriend(alice, SimPeer.make(world, "carol"))
    left = [{"path": "holiday/\udcff", "reason": "a pipe"}]
    what = contents()
    what.skipped.extend(left)
    _, effects = offer(alice, "bob", "carol", what=what)
    assert [t.skipped for t in transfers(alice)] == [left, left]
    assert [t["skipped"] for t in told(effects, "transfer")] == [left, left]


def test_every_state_of_the_table_can_be_shown(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    accept(bob, offered)
    for state in TransferState:
        bob.database.connection.execute("UPDATE transfers SET state = ?", (state.value,))
        assert transfers(bob)[0].state == state.value
