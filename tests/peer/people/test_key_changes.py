"""Another key under a friend's name: loud, nothing leaves, and only a typed fingerprint goes on."""

from __future__ import annotations

from typing import Any

import pytest

from peer import api, queries
from peer.accounts import alarms
from peer.effects import Ask, CloseLinks
from peer.history import transcript
from peer.people import befriending, contacts, overtures, reissuing, roster, verifying
from tests.harness.offers import offer
from tests.harness.renamed import (
    accept,
    ask_of,
    asks,
    deliver,
    do,
    friend_of,
    listed,
    refused,
    reissue,
    settle,
)
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import lines, messages, say, told
from wire.codes import Code
from wire.errors import WireError
from wire.identity import fingerprint
from wire.ids import AccountName
from wire.messages import friends


@pytest.fixture
def world() -> Any:
    return Simulation(1)


@pytest.fixture
def alice(world: Simulation) -> SimPeer:
    return SimPeer.make(world, "alice")


@pytest.fixture
def bob(world: Simulation, alice: SimPeer) -> SimPeer:
    bob = SimPeer.make(world, "bob")
    befriend(alice, bob)
    return bob


@pytest.fixture
def again(world: Simulation, bob: SimPeer) -> SimPeer:
    """Whoever has bob's name now, with another identity."""
    again = SimPeer.make(Simulation(99), "bob")
    again.world = world
    return again


def test_a_request_under_a_friends_name_by_another_key_is_loud_and_closes_the_links(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    effects = deliver(asks(again, alice), alice)
    [notice] = told(effects, "notice")
    shown = fingerprint(again.keys.identity)
    assert (notice["code"], notice["friend"]) == ("key-changed", "bob")
    assert notice["fingerprint"] == shown
    assert CloseLinks(bob.keys.identity, Code.KEY_CHANGED) in effects
    assert [kind for kind, _ in lines(alice, "bob")] == ["notice"]
    assert shown in lines(alice, "bob")[0][1]
    for identity in (bob.keys.identity, again.keys.identity):
        with pytest.raises(WireError) as caught:
            alice.database.read(contacts.may_link, identity)
        assert caught.value.code is Code.NOT_ADMITTED
    [alarm] = alice.database.read(alarms.standing)
    assert alarm["code"] == "key-changed"
    assert shown in alarm["message"]
    assert alice.database.read(queries.status_without_node).alarms == [alarm]
    assert friend_of(alice).key_changed == shown
    assert not friend_of(alice).verified


def test_the_same_request_delivered_again_is_told_once(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    message = asks(again, alice)
    assert told(deliver(message, alice), "friend-request")[0]["key_changed"] is True
    assert deliver(message, alice) == []
    [waiting] = alice.database.read(roster.requests)
    assert (waiting.friend, waiting.key_changed) == ("bob", True)


def test_a_plain_yes_does_not_accept_another_key(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(asks(again, alice), alice)
    error = refused(
        do, alice, befriending.answer, alice.keys, "bob", accept=True, now=alice.world.wall()
    )
    assert error.code is Code.KEY_CHANGED
    assert "accept-key bob" in error.remedy


def test_a_no_to_another_key_leaves_the_friend_as_it_was(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(asks(again, alice), alice)
    _, effects = do(
        alice, befriending.answer, alice.keys, "bob", accept=False, now=alice.world.wall()
    )
    assert not ask_of(effects, friends.AnswerFriend).is_yes
    assert alice.database.read(contacts.may_link, bob.keys.identity).name == "bob"
    assert alice.database.read(alarms.standing) == []


def test_what_is_said_meanwhile_waits_and_goes_to_the_key_that_was_accepted(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    say(alice, "bob", "never delivered")
    deliver(asks(again, alice), alice)
    first = say(alice, "bob", "and this waits")
    say(alice, "bob", "a reply", reply_to=first)
    assert [m.state for m in messages(alice, "bob")] == ["queued"] * 3
    accepted, effects = accept(alice, fingerprint(again.keys.identity))
    assert accepted == api.KeyAccepted("bob", fingerprint(again.keys.identity), "friends")
    assert ask_of(effects, friends.AnswerFriend).is_yes
    assert alice.database.read(contacts.may_link, again.keys.identity).name == "bob"
    with pytest.raises(WireError):
        alice.database.read(contacts.may_link, bob.keys.identity)
    reissue(alice)
    shown = messages(alice, "bob")
    assert [m.text for m in shown] == ["never delivered", "and this waits", "a reply"]
    assert [m.state for m in shown] == ["queued"] * 3
    assert shown[2].reply_to == shown[1].id
    assert len({m.conversation for m in shown}) == 1
    bodies = alice.database.connection.execute(
        "SELECT body FROM events WHERE replaced IS NOT NULL"
    ).fetchall()
    assert bodies == [(None,)] * 3  # the words were never meant for whoever has the former key


def test_what_was_delivered_stays_in_the_former_conversation(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    first = say(alice, "bob", "delivered")
    alice.database.connection.execute(
        "UPDATE outbox SET state = 'delivered' WHERE event ="
        " (SELECT number FROM events WHERE id = ?)",
        (bytes.fromhex(first),),
    )
    deliver(asks(again, alice), alice)
    say(alice, "bob", "waits")
    accept(alice, fingerprint(again.keys.identity))
    reissue(alice)
    assert [(m.text, m.state) for m in messages(alice, "bob")] == [
        ("delivered", "delivered"),
        ("waits", "queued"),
    ]
    assert len({m.conversation for m in messages(alice, "bob")}) == 2


def test_an_offer_that_stands_is_made_anew(alice: SimPeer, bob: SimPeer, again: SimPeer) -> None:
    deliver(friends.FriendAsked(AccountName("bob"), asks(again, alice).signed, 1), alice)
    offer(alice, "bob")
    accept(alice, fingerprint(again.keys.identity))
    reissue(alice)
    rows = alice.database.connection.execute(
        "SELECT o.state, t.state, t.code FROM offers o JOIN transfers t ON t.offer = o.number"
        " ORDER BY o.number"
    ).fetchall()
    assert rows == [("withdrawn", "cancelled", "key-changed"), ("offered", "waiting", None)]
    assert len([kind for kind, text in lines(alice, "bob") if "offers" in text]) == 1


@pytest.mark.parametrize("typed", ["", "00" * 32, "é" * 64, "{old}", "{new}00"])
def test_only_the_whole_new_fingerprint_is_accepted(
    alice: SimPeer, bob: SimPeer, again: SimPeer, typed: str
) -> None:
    deliver(asks(again, alice), alice)
    typed = typed.format(old=fingerprint(bob.keys.identity), new=fingerprint(again.keys.identity))
    assert refused(accept, alice, typed).code is Code.KEY_MISMATCH
    assert alice.database.read(alarms.standing) != []


def test_a_fingerprint_may_be_typed_in_groups_and_capitals(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(asks(again, alice), alice)
    text = fingerprint(again.keys.identity).upper()
    accept(alice, " ".join(text[at : at + 4] for at in range(0, 64, 4)))
    assert friend_of(alice).fingerprint == text.lower()


def test_there_is_nothing_to_accept_without_a_change(alice: SimPeer, bob: SimPeer) -> None:
    assert refused(accept, alice, fingerprint(bob.keys.identity)).code is Code.KEY_UNCHANGED
    error = refused(do, alice, befriending.accept_key, alice.keys, "carol", "", alice.world.wall())
    assert error.code is Code.NO_SUCH_FRIEND


def test_the_verified_mark_dies_with_the_key(alice: SimPeer, bob: SimPeer, again: SimPeer) -> None:
    number = do(alice, verifying.verify, "bob", None)[0].number
    do(alice, verifying.verify, "bob", number)
    assert friend_of(alice).verified
    deliver(asks(again, alice), alice)
    accept(alice, fingerprint(again.keys.identity))
    assert not friend_of(alice).verified
    assert do(alice, verifying.verify, "bob", None)[0].number != number


def test_a_former_friend_who_comes_back_with_another_key_is_loud(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    say(alice, "bob", "left behind")
    deliver(friends.FriendRemoved(AccountName("bob")), alice)
    assert told(deliver(asks(again, alice), alice), "notice")[0]["code"] == "key-changed"
    assert alice.database.read(roster.list_friends, online_only=False) == []
    say(alice, "bob", "waits too")
    accepted, _ = accept(alice, fingerprint(again.keys.identity))
    assert accepted.state == "friends"
    reissue(alice)
    assert [m.text for m in messages(alice, "bob")] == ["left behind", "waits too"]


def test_asking_a_former_friend_by_name_does_not_take_another_key(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(friends.FriendRemoved(AccountName("bob")), alice)
    now = alice.world.wall()
    effects = do(alice, overtures.on_found, "bob", again.keys.identity, now)
    assert told(effects, "notice")[0]["code"] == "key-changed"

    def ask(pinned: bytes | None) -> Any:
        return do(
            alice, befriending.ask, alice.keys, AccountName("bob"), "", pinned=pinned,
            found=again.keys.identity, now=now, entropy=alice.entropy,
        )  # fmt: skip

    assert refused(ask, None).code is Code.KEY_CHANGED
    asked, _ = ask(again.keys.identity)  # a code says the whole key: that is accepting it
    assert asked.state == "asked"


def test_a_code_with_the_new_key_answers_the_request_that_waits(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(asks(again, alice), alice)
    asked, effects = do(
        alice, befriending.ask, alice.keys, AccountName("bob"), "", pinned=again.keys.identity,
        found=again.keys.identity, now=alice.world.wall(), entropy=alice.entropy,
    )  # fmt: skip
    assert asked == api.FriendAdded("bob", "friends")
    assert ask_of(effects, friends.AnswerFriend).is_yes


def test_a_former_friend_asked_by_name_keeps_the_pin_until_the_answer(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    deliver(friends.FriendRemoved(AccountName("bob")), alice)
    now = alice.world.wall()
    _, effects = do(
        alice, befriending.ask, alice.keys, AccountName("bob"), "", pinned=None,
        found=bob.keys.identity, now=now, entropy=alice.entropy,
    )  # fmt: skip
    request = ask_of(effects, friends.AskFriend).signed
    do(
        again,
        overtures.on_asked,
        again.keys,
        friends.FriendAsked(AccountName("alice"), request, now),
        now,
    )
    _, effects = do(again, befriending.answer, again.keys, "alice", accept=True, now=now)
    signed = ask_of(effects, friends.AnswerFriend).signed
    came = deliver(friends.FriendAnswered(AccountName("bob"), True, signed, now), alice)
    assert told(came, "notice")[0]["code"] == "key-changed"
    assert alice.database.read(roster.list_friends, online_only=False) == []
    accepted, _ = accept(alice, fingerprint(again.keys.identity))
    assert accepted.state == "friends"
    assert friend_of(alice).fingerprint == fingerprint(again.keys.identity)


def test_a_tracker_that_lists_another_key_is_loud_until_its_lie_ends(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    now = alice.world.wall()
    do(alice, roster.on_friends, [listed(bob)], now)
    effects = do(alice, roster.on_friends, [listed(again)], now)
    assert told(effects, "notice")[0]["code"] == "key-changed"
    assert told(effects, "friend") == []  # the friendship has not ended
    say(alice, "bob", "waits for the end of the lie")
    effects = do(alice, roster.on_friends, [listed(bob)], now)
    assert "again" in str(told(effects, "notice")[0]["message"])
    assert alice.database.read(contacts.may_link, bob.keys.identity).name == "bob"
    assert not alice.database.read(reissuing.is_due, alice.keys)
    assert [m.state for m in messages(alice, "bob")] == ["queued"]


def test_a_key_that_a_tracker_lists_can_be_accepted_without_a_request(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    do(alice, roster.on_friends, [listed(again)], alice.world.wall())
    accepted, _ = accept(alice, fingerprint(again.keys.identity))
    assert accepted.state == "friends"
    assert alice.database.read(contacts.may_link, again.keys.identity).name == "bob"


def test_removing_or_blocking_ends_the_alarm(alice: SimPeer, bob: SimPeer, again: SimPeer) -> None:
    deliver(asks(again, alice), alice)
    do(alice, befriending.remove, "bob", alice.world.wall())
    assert alice.database.read(alarms.standing) == []
    assert alice.database.read(roster.requests) == []


def test_a_stranger_that_was_never_a_friend_is_no_alarm(alice: SimPeer, world: Simulation) -> None:
    carol = SimPeer.make(world, "carol")
    deliver(asks(carol, alice), alice)
    do(alice, befriending.answer, alice.keys, "carol", accept=False, now=world.wall())
    other = SimPeer.make(Simulation(7), "carol")
    other.world = world
    assert told(deliver(asks(other, alice), alice), "notice") == []
    [waiting] = alice.database.read(roster.requests)
    assert waiting.fingerprint == fingerprint(other.keys.identity)


def test_history_of_both_keys_stands_under_the_friends_name(
    alice: SimPeer, bob: SimPeer, again: SimPeer
) -> None:
    say(alice, "bob", "one")
    deliver(asks(again, alice), alice)
    accept(alice, fingerprint(again.keys.identity))
    reissue(alice)
    say(alice, "bob", "two")
    found = alice.database.read(transcript.messages, "bob")
    assert [(m.kind, m.text) for m in found if m.kind == "message"] == [
        ("message", "one"),
        ("message", "two"),
    ]
    assert {m.to for m in found if m.kind == "message"} == {"bob"}


def test_a_request_of_one_key_is_not_answered_when_another_is_accepted(
    alice: SimPeer, bob: SimPeer, again: SimPeer, world: Simulation
) -> None:
    third = SimPeer.make(Simulation(7), "bob")
    third.world = world
    deliver(asks(again, alice), alice)
    do(alice, roster.on_friends, [listed(third)], world.wall())
    assert alice.database.read(roster.requests) == []
    assert refused(accept, alice, fingerprint(again.keys.identity)).code is Code.KEY_MISMATCH
    _, effects = accept(alice, fingerprint(third.keys.identity))
    assert not any(isinstance(effect, Ask) for effect in effects)
    linked = alice.database.read(contacts.may_link, third.keys.identity)
    assert linked is not None
    assert linked.name == "bob"


def test_a_request_of_the_known_key_is_void_when_the_name_has_another(
    alice: SimPeer, bob: SimPeer, again: SimPeer, world: Simulation
) -> None:
    deliver(friends.FriendRemoved(AccountName("bob")), alice)
    do(bob, befriending.remove, "alice", world.wall())
    deliver(asks(bob, alice), alice)
    do(alice, overtures.on_found, "bob", again.keys.identity, world.wall())
    accepted, _ = accept(alice, fingerprint(again.keys.identity))
    assert accepted.state == "removed"
    error = refused(do, alice, befriending.answer, alice.keys, "bob", accept=True, now=world.wall())
    assert error.code is Code.FRIEND_REQUEST_UNKNOWN


@pytest.mark.parametrize("is_late", [False, True])
def test_another_own_device_shows_each_message_once(
    alice: Any, bob: Any, again: Any, world: Any, is_late: Any
) -> None:
    laptop = alice.log_in("alice-2")
    say(alice, "bob", "waits")
    say(alice, "bob", "waits")
    if not is_late:
        settle(world, alice, laptop)
        assert [m.text for m in messages(laptop, "bob")] == ["waits", "waits"]
    deliver(asks(again, alice), alice)
    accept(alice, fingerprint(again.keys.identity))
    laptop.database.connection.execute(  # as the account state brings it
        "UPDATE contacts SET identity = ?, claimed = NULL WHERE number > 0", (again.keys.identity,)
    )
    reissue(alice)
    alice.database.commit()
    settle(world, alice, laptop)
    shown = messages(laptop, "bob")
    assert [m.text for m in shown] == ["waits", "waits"]
    assert {m.conversation for m in shown} == {messages(alice, "bob")[0].conversation}
    assert laptop.faults == alice.faults == []
