"""Taking back, calling off, holding: what both people's books say, and what is left on the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peer.effects import Effect, OfferAgain, WakeTransfers
from peer.errors import PeerError
from peer.people import befriending
from peer.transfers import ledger, manager, offerings, stopping
from tests.harness.offers import (
    accept,
    bring,
    decline,
    key_of,
    offer,
    states,
    transfers,
)
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import told
from wire.codes import Code
from wire.ids import OfferId
from wire.transfer.states import ENDED, TransferState

Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> Pair:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def durably(one: SimPeer, fn: Callable[..., Any], *arguments: object) -> Any:
    result = one.database.write(fn, *arguments)
    one.database.commit()
    return result


def withdraw(one: SimPeer, prefix: str) -> Any:
    return durably(one, stopping.withdraw, one.keys, prefix, one.world.wall(), one.entropy)


def cancel(one: SimPeer, prefix: str) -> Any:
    return durably(one, stopping.cancel, one.keys, prefix, one.world.wall(), one.entropy)


def pause(one: SimPeer, prefix: str) -> Any:
    return durably(one, stopping.pause, prefix, one.world.wall())


def resume(one: SimPeer, prefix: str) -> Any:
    return durably(one, stopping.resume, prefix, one.world.wall())


def finish(one: SimPeer) -> list[Effect]:
    effects: list[Effect] = []
    for due in one.database.read(manager.due):
        effects += durably(one, manager.started, due.number, one.world.wall())
        effects += durably(
            one, manager.finished, one.keys, due.number, Path("/srv/in/x"), one.world.wall(), one.entropy
        )  # fmt: skip
    return effects


def refused(do: Callable[..., Any], *arguments: object) -> Code:
    with pytest.raises(PeerError) as caught:
        do(*arguments)
    return caught.value.code


def accepted(alice: SimPeer, bob: SimPeer) -> tuple[str, str]:
    """Let bob take an offer of alice; gives the offer's id and the transfer's, the same at both ends."""
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered)[1], bob, alice)
    assert transfers(alice)[-1].id == transfers(bob)[-1].id
    return offered, transfers(bob)[-1].id


def test_who_had_not_answered_sees_the_offer_withdrawn_and_cannot_take_it(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    shown, effects = withdraw(alice, offered[:8].upper())
    assert (shown.state, shown.direction, shown.friend) == ("withdrawn", "out", "bob")
    assert told(bring(effects, alice, bob), "offer")[0]["state"] == "withdrawn"
    assert transfers(bob) == []
    assert refused(accept, bob, offered) is Code.OFFER_WITHDRAWN
    [ended] = transfers(alice)
    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == ("cancelled", "offer-withdrawn")
    assert alice.database.read(manager.outgoing, bob.keys.identity, key_of(alice, offered)) is None
    assert alice.database.read(offerings.standing) == []
    assert alice.database.read(offerings.is_over, OfferId(bytes.fromhex(offered)))


def test_a_withdrawal_is_told_to_each_friend_who_does_not_have_it(
    world: Simulation, pair: Pair
) -> None:
    alice, bob = pair
    carol, dave = SimPeer.make(world, "carol"), SimPeer.make(world, "dave")
    for friend in (carol, dave):
        befriend(alice, friend)
    offered, effects = offer(alice, "bob", "carol", "dave")
    ways = [effect for effect in effects if getattr(effect, "conversation", None)]
    for way, friend in zip(ways, (bob, carol, dave), strict=True):
        bring([way], alice, friend)
    bring(accept(bob, offered)[1], bob, alice)
    bring(finish(bob), bob, alice)
    bring(accept(carol, offered)[1], carol, alice)
    _, effects = withdraw(alice, offered)
    told_to = [effect for effect in effects if getattr(effect, "conversation", None)]
    assert len(told_to) == 2
    bring(told_to[:1], alice, carol)
    bring(told_to[1:], alice, dave)
    assert states(alice) == [("out", "done"), ("out", "withdrawn"), ("out", "withdrawn")]
    assert (states(bob), states(carol), states(dave)) == (
        [("in", "done")],
        [("in", "withdrawn")],
        [("in", "withdrawn")],
    )
    assert [t.state for t in transfers(carol)] == ["cancelled"]
    assert alice.database.read(offerings.standing) == [
        bytes.fromhex(offered)
    ]  # bob's other devices


def test_withdrawing_again_changes_nothing(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    first, _ = withdraw(alice, offered)
    assert withdraw(alice, offered) == (first, [])


def test_what_cannot_be_withdrawn_is_named(pair: Pair) -> None:
    alice, bob = pair
    assert refused(withdraw, alice, "0" * 32) is Code.UNKNOWN_OFFER
    assert refused(withdraw, alice, "0" * 7) is Code.UNKNOWN_OFFER
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    assert refused(withdraw, bob, offered) is Code.OFFER_NOT_OWN
    bring(decline(bob, offered)[1], bob, alice)
    assert refused(withdraw, alice, offered) is Code.OFFER_ANSWERED
    for end in "ab":
        offer(alice, "bob", offer_id=OfferId(bytes.fromhex("abcdef012" + end * 23)))
    assert refused(withdraw, alice, "abcdef01") is Code.AMBIGUOUS_ID
    assert withdraw(alice, "abcdef012a")[0].state == "withdrawn"


def test_an_offer_to_a_friend_whose_key_changed_is_withdrawn_here(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    alice.database.connection.execute(
        "UPDATE contacts SET claimed = ? WHERE number > 0", (b"k" * 32,)
    )
    shown, effects = withdraw(alice, offered)
    assert shown.state == "withdrawn"
    assert [e for e in effects if getattr(e, "conversation", None)] == []
    assert [t.state for t in transfers(alice)] == ["cancelled"]


def test_the_receiver_calls_a_transfer_off_and_the_sender_learns_it(pair: Pair) -> None:
    alice, bob = pair
    offered, transfer = accepted(alice, bob)
    ended, effects = cancel(bob, transfer[:8])
    assert (ended.state, ended.error["code"]) == ("cancelled", "cancelled")
    assert WakeTransfers(OfferId(bytes.fromhex(offered))) in effects
    [at_alice] = told(bring(effects, bob, alice), "transfer")
    assert isinstance(at_alice["error"], dict)
    assert (at_alice["state"], at_alice["error"]["code"]) == ("cancelled", "cancelled")
    assert bob.database.read(manager.due) == []
    assert cancel(bob, transfer) == (ended, [])
    assert cancel(alice, transfer)[1] == []
    assert refused(accept, bob, offered) is Code.OFFER_ANSWERED
    assert alice.database.read(offerings.is_over, OfferId(bytes.fromhex(offered)))


def test_the_sender_calls_a_transfer_off_for_one_friend_and_the_others_keep_theirs(
    world: Simulation, pair: Pair
) -> None:
    alice, bob = pair
    carol = SimPeer.make(world, "carol")
    befriend(alice, carol)
    offered, effects = offer(alice, "bob", "carol")
    to_bob, to_carol = (e for e in effects if getattr(e, "conversation", None))
    bring([to_bob], alice, bob)
    bring([to_carol], alice, carol)
    bring(accept(bob, offered)[1], bob, alice)
    bring(accept(carol, offered)[1], carol, alice)
    [leaves] = [t for t in transfers(alice) if t.friend == "bob"]
    ended, effects = cancel(alice, leaves.id)
    assert ended.state == "cancelled"
    bring(effects, alice, bob)
    assert states(alice) == [("out", "withdrawn"), ("out", "accepted")]
    assert [t.state for t in transfers(bob)] == ["cancelled"]
    assert [t.state for t in transfers(carol)] == ["waiting"]
    assert cancel(alice, leaves.id) == (ended, [])
    assert not alice.database.read(offerings.is_over, OfferId(bytes.fromhex(offered)))


def test_what_is_done_or_refused_cannot_be_called_off_or_held(pair: Pair) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob)
    bring(finish(bob), bob, alice)
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(decline(bob, offered)[1], bob, alice)
    declined = transfers(alice)[-1].id
    for do in (cancel, pause, resume):
        for one, prefix in ((bob, transfer), (alice, transfer), (alice, declined)):
            assert refused(do, one, prefix) is Code.TRANSFER_OVER
        assert refused(do, bob, "0" * 32) is Code.UNKNOWN_TRANSFER
        assert refused(do, bob, "short") is Code.UNKNOWN_TRANSFER


def test_a_prefix_of_two_transfers_is_ambiguous(pair: Pair) -> None:
    alice, bob = pair
    accepted(alice, bob)
    accepted(alice, bob)
    for number, end in enumerate("ab"):
        bob.database.connection.execute(
            "UPDATE transfers SET id = ? WHERE number ="
            " (SELECT number FROM transfers ORDER BY number LIMIT 1 OFFSET ?)",
            (bytes.fromhex("abcdef012" + end * 23), number),
        )
    assert refused(pause, bob, "ABCDEF01") is Code.AMBIGUOUS_ID
    assert pause(bob, "abcdef012b")[0].state == "paused"


def test_a_failed_transfer_that_is_called_off_says_still_why_it_failed(pair: Pair) -> None:
    alice, bob = pair
    offered, transfer = accepted(alice, bob)
    number = bob.database.read(manager.due)[0].number
    durably(bob, manager.failed, number, Code.CHANGED_AT_SENDER, bob.world.wall())
    ended, effects = cancel(bob, transfer)
    assert (ended.state, ended.error["code"]) == ("failed", "changed-at-sender")
    bring(effects, bob, alice)
    assert [t.state for t in transfers(alice)] == ["cancelled"]
    assert refused(accept, bob, offered) is Code.OFFER_ANSWERED


def test_a_download_that_another_own_device_has_already_is_called_off_here_alone(
    pair: Pair,
) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob)
    bob.database.connection.execute("UPDATE offers SET state = 'done'")
    ended, effects = cancel(bob, transfer)
    assert ended.state == "cancelled"
    assert [e for e in effects if getattr(e, "conversation", None)] == []
    assert states(bob) == [("in", "done")]


def test_with_somebody_who_is_no_friend_now_nothing_is_left_to_call_off(pair: Pair) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob)
    durably(bob, befriending.remove, "alice", bob.world.wall())
    ended, effects = cancel(bob, transfer)
    assert (ended.state, ended.error["code"], effects) == ("cancelled", "not-friends", [])


def test_a_download_of_a_friend_whose_key_changed_is_called_off_here(pair: Pair) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob)
    bob.database.connection.execute(
        "UPDATE contacts SET claimed = ? WHERE number > 0", (b"k" * 32,)
    )
    ended, effects = cancel(bob, transfer)
    assert ended.state == "cancelled"
    assert [e for e in effects if getattr(e, "conversation", None)] == []


def test_a_held_transfer_stays_held_until_it_is_resumed_whatever_happens(pair: Pair) -> None:
    alice, bob = pair
    offered, transfer = accepted(alice, bob)
    number = bob.database.read(manager.due)[0].number
    durably(bob, manager.started, number, bob.world.wall())
    durably(
        bob,
        lambda connection: ledger.progressed(
            connection, number, files_done=1, verified_bytes=7, resent_bytes=0
        ),
    )
    held, effects = pause(bob, transfer)
    assert (held.state, held.reason, held.verified_bytes, held.place) == ("paused", None, 7, None)
    assert told(effects, "transfer")[0]["state"] == "paused"
    assert WakeTransfers(OfferId(bytes.fromhex(offered))) in effects
    assert told(pause(bob, transfer)[1], "transfer") == []
    durably(bob, manager.restarted)
    assert durably(bob, manager.waiting, number, ledger.FRIEND, bob.world.wall()) == []
    assert [t.state for t in transfers(bob)] == ["paused"]
    assert bob.database.read(manager.due) == []
    going, effects = resume(bob, transfer)
    assert (going.state, going.reason, going.verified_bytes) == ("waiting", "friend", 7)
    assert not [e for e in effects if isinstance(e, OfferAgain)]
    assert resume(bob, transfer) == (going, [])
    assert [due.number for due in bob.database.read(manager.due)] == [number]


def test_a_held_transfer_is_ended_by_the_other_side_all_the_same(pair: Pair) -> None:
    alice, bob = pair
    offered, transfer = accepted(alice, bob)
    pause(bob, transfer)
    bring(withdraw(alice, offered)[1], alice, bob)
    assert [t.state for t in transfers(bob)] == ["cancelled"]


@pytest.mark.parametrize("state", TransferState)
def test_every_state_is_held_resumed_and_called_off_or_says_that_it_is_over(
    pair: Pair, state: TransferState
) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob)
    for do, then in ((pause, "paused"), (resume, None), (cancel, "cancelled")):
        bob.database.connection.execute(
            "UPDATE transfers SET state = ?, ended = ?",
            (state.value, 1 if state in ENDED else None),
        )
        bob.database.connection.execute("UPDATE offers SET state = 'accepted'")
        is_refused = state in ENDED if do is not cancel else state.value in ("done", "declined")
        if is_refused:
            assert refused(do, bob, transfer) is Code.TRANSFER_OVER
            continue
        held = state is TransferState.PAUSED
        wanted = then or ("waiting" if held else state.value)
        if do is cancel and state is TransferState.FAILED:
            wanted = "failed"
        assert do(bob, transfer)[0].state == wanted
