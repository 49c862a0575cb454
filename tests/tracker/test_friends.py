from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.harness.people import Person, person
from tests.tracker.world import NOW, World
from tracker import friends
from tracker.effects import Befriended, Effect, Parted, Party, Tell
from wire.codes import Code
from wire.ids import AccountName, RequestId
from wire.machine import UnixMillis
from wire.messages.friends import (
    AskFriend,
    BlockUser,
    FriendAnswered,
    FriendAsked,
    FriendRemoved,
    RemoveFriend,
    TakeAnswer,
    UnblockUser,
)
from wire.messages.session import Done

A_MONTH_LATER = UnixMillis(NOW + friends.LIFETIME_MS + 1)


def party(world: World, someone: Person) -> Party:
    account = world.account(someone)
    return Party(account.id, account.name, account.identity, account.last_seen)


def ask(world: World, asker: Person, message: AskFriend) -> tuple[Effect, ...]:
    outcome = world.do(friends.ask_friend, world.caller(asker), message, NOW)
    assert outcome.answer == Done(message.request)
    return outcome.effects


def ask_refused(
    world: World, asker: Person, message: AskFriend, bounds: friends.Bounds = friends.BOUNDS
) -> Code:
    return world.refused(friends.ask_friend, world.caller(asker), message, NOW, bounds)


def remove(world: World, someone: Person, name: str) -> tuple[Effect, ...]:
    message = RemoveFriend(RequestId(8), AccountName(name))
    return world.do(friends.remove_friend, world.caller(someone), message).effects


def block(world: World, someone: Person, name: str) -> tuple[Effect, ...]:
    message = BlockUser(RequestId(9), AccountName(name))
    return world.do(friends.block_user, world.caller(someone), message, NOW).effects


@pytest.fixture
def alice(world: World) -> Person:
    return world.joins("alice")


@pytest.fixture
def bob(world: World) -> Person:
    return world.joins("bob")


def test_a_request_is_kept_and_delivered(world: World, alice: Person, bob: Person) -> None:
    message = alice.ask(bob, note="hello from alice")
    told = Tell(world.account(bob).id, FriendAsked(alice.name, message.signed, NOW))
    assert ask(world, alice, message) == (told,)
    waiting = world.store.requests_to(world.account(bob).id)
    assert [row.signed for row in waiting] == [message.signed]


def test_asking_twice_with_the_same_words_changes_nothing(
    world: World, alice: Person, bob: Person
) -> None:
    message = alice.ask(bob)
    ask(world, alice, message)
    assert ask(world, alice, message) == ()
    assert len(world.store.requests_to(world.account(bob).id)) == 1


def test_asking_again_with_other_words_replaces_the_request(
    world: World, alice: Person, bob: Person
) -> None:
    ask(world, alice, alice.ask(bob, note="hello"))
    again = alice.ask(bob, note="it is me")
    assert [type(effect) for effect in ask(world, alice, again)] == [Tell]
    assert [row.signed for row in world.store.requests_to(world.account(bob).id)] == [again.signed]


def test_a_yes_makes_both_friends_in_one_act(world: World, alice: Person, bob: Person) -> None:
    signed = world.asks(alice, bob)
    message = bob.answer(alice, signed)
    outcome = world.do(friends.answer_friend, world.caller(bob), message, NOW)
    assert outcome.effects == (
        Tell(world.account(alice).id, FriendAnswered(bob.name, True, message.signed, NOW)),
        Befriended(party(world, alice), party(world, bob)),
    )
    assert world.identities(alice) == [bob.identity]
    assert world.identities(bob) == [alice.identity]
    assert world.store.requests_to(world.account(bob).id) == []


def test_a_no_is_carried_back_and_they_stay_strangers(
    world: World, alice: Person, bob: Person
) -> None:
    signed = world.asks(alice, bob)
    message = bob.answer(alice, signed, is_yes=False)
    outcome = world.do(friends.answer_friend, world.caller(bob), message, NOW)
    answered = FriendAnswered(bob.name, False, message.signed, NOW)
    assert outcome.effects == (Tell(world.account(alice).id, answered),)
    assert world.identities(alice) == []
    assert world.store.requests_to(world.account(bob).id) == []


def test_an_answer_waits_until_it_is_taken(world: World, alice: Person, bob: Person) -> None:
    world.befriend(alice, bob)
    waiting = world.store.answers_to(world.account(alice).id)
    assert [row.name for row in waiting] == ["bob"]
    for name in ("bob", "bob", "nobody.here"):
        message = TakeAnswer(RequestId(7), AccountName(name))
        outcome = world.do(friends.take_answer, world.caller(alice), message)
        assert (outcome.answer, outcome.effects) == (Done(RequestId(7)), ())
    assert world.store.answers_to(world.account(alice).id) == []


def test_two_who_ask_each_other_become_friends_by_the_first_answer(
    world: World, alice: Person, bob: Person
) -> None:
    to_bob, to_alice = world.asks(alice, bob), world.asks(bob, alice)
    world.answers(bob, alice, to_bob)
    assert world.identities(alice) == [bob.identity]
    assert world.store.requests_to(world.account(alice).id) == []
    late = alice.answer(bob, to_alice)
    code = world.refused(friends.answer_friend, world.caller(alice), late, NOW)
    assert code is Code.ALREADY_FRIENDS


def test_whom_one_cannot_ask(world: World, alice: Person, bob: Person) -> None:
    assert ask_refused(world, alice, alice.ask(alice)) is Code.FRIEND_SELF
    assert ask_refused(world, alice, alice.ask(person("carol"))) is Code.NO_SUCH_USER
    world.befriend(alice, bob)
    assert ask_refused(world, alice, alice.ask(bob)) is Code.ALREADY_FRIENDS
    assert ask_refused(world, bob, bob.ask(alice)) is Code.ALREADY_FRIENDS


def test_a_request_must_be_the_askers_own_to_this_very_person(
    world: World, alice: Person, bob: Person
) -> None:
    carol = world.joins("carol")
    message = alice.ask(bob)
    to_carol = msgspec.structs.replace(message, name=carol.name)
    assert ask_refused(world, alice, to_carol) is Code.IDENTITY_MISMATCH
    assert ask_refused(world, carol, message) is Code.IDENTITY_MISMATCH
    forged = replace(carol, name=alice.name).ask(bob)
    assert ask_refused(world, alice, forged) is Code.IDENTITY_MISMATCH
    torn = msgspec.structs.replace(message, signed=message.signed[:-1] + b"\0")
    assert ask_refused(world, alice, torn) is Code.SIGNATURE_INVALID
    rubbish = msgspec.structs.replace(message, signed=b"rubbish")
    assert ask_refused(world, alice, rubbish) is Code.DECODE


def test_a_code_whose_identity_is_another_one_is_a_loud_mismatch(
    world: World, alice: Person, bob: Person
) -> None:
    code = ask_refused(world, alice, alice.ask(bob, target=person("mallory").identity))
    assert code is Code.KEY_MISMATCH
    ask(world, alice, alice.ask(bob, target=bob.identity))


def test_an_answer_to_nothing_is_refused(world: World, alice: Person, bob: Person) -> None:
    signed = alice.ask(bob).signed
    for message in (bob.answer(alice, signed), bob.answer(person("carol"), signed)):
        code = world.refused(friends.answer_friend, world.caller(bob), message, NOW)
        assert code is Code.REQUEST_UNKNOWN


def test_an_answer_is_to_one_very_request(world: World, alice: Person, bob: Person) -> None:
    earlier = world.asks(alice, bob)
    world.asks(alice, bob)
    message = bob.answer(alice, earlier)
    code = world.refused(friends.answer_friend, world.caller(bob), message, NOW)
    assert code is Code.REQUEST_UNKNOWN


def test_an_answer_that_is_withdrawn_expired_or_replayed_is_refused(
    world: World, alice: Person, bob: Person
) -> None:
    signed = world.asks(alice, bob)
    answer = bob.answer(alice, signed)
    asked = (friends.answer_friend, world.caller(bob), answer)
    assert world.refused(*asked, A_MONTH_LATER) is Code.REQUEST_UNKNOWN
    remove(world, alice, "bob")
    assert world.refused(*asked, NOW) is Code.REQUEST_UNKNOWN
    world.answers(bob, alice, world.asks(alice, bob), is_yes=False)
    assert world.refused(*asked, NOW) is Code.REQUEST_UNKNOWN


def test_an_answer_must_be_the_answerers_own(world: World, alice: Person, bob: Person) -> None:
    carol = world.joins("carol")
    signed = world.asks(alice, bob)
    foreign = replace(carol, name=bob.name).answer(alice, signed)
    turned = msgspec.structs.replace(bob.answer(alice, signed), is_yes=False)
    rubbish = msgspec.structs.replace(foreign, signed=b"rubbish")
    for message, code in (
        (foreign, Code.IDENTITY_MISMATCH),
        (turned, Code.REQUEST_UNKNOWN),
        (rubbish, Code.DECODE),
    ):
        found = world.refused(friends.answer_friend, world.caller(bob), message, NOW)
        assert found is code


def test_a_friendship_ends_for_both_and_what_was_on_its_way_with_it(
    world: World, alice: Person, bob: Person
) -> None:
    world.befriend(alice, bob)
    mine, theirs = world.account(alice).id, world.account(bob).id
    assert remove(world, alice, "bob") == (
        Parted(mine, theirs),
        Tell(theirs, FriendRemoved(alice.name)),
        Tell(mine, FriendRemoved(bob.name), except_device=alice.keys.device),
    )
    assert world.identities(alice) == world.identities(bob) == []
    assert world.store.answers_to(mine) == []


def test_a_request_can_be_withdrawn(world: World, alice: Person, bob: Person) -> None:
    world.asks(alice, bob)
    theirs = world.account(bob).id
    effects = remove(world, alice, "bob")
    assert effects[0] == Tell(theirs, FriendRemoved(alice.name))
    assert world.store.requests_to(theirs) == []


def test_removing_where_there_is_nothing_is_done(world: World, alice: Person, bob: Person) -> None:
    mine = world.account(alice).id
    own = Tell(mine, FriendRemoved(bob.name), except_device=alice.keys.device)
    assert remove(world, alice, "bob") == (own,)
    assert remove(world, alice, "alice") == ()
    assert remove(world, alice, "nobody.here") == ()


def test_a_blocked_person_notices_nothing(world: World, alice: Person, bob: Person) -> None:
    block(world, bob, "alice")
    assert ask(world, alice, alice.ask(bob)) == ()
    assert ask(world, alice, alice.ask(bob)) == ()
    assert world.store.requests_to(world.account(bob).id) == []
    assert world.store.count_requests_from(world.account(alice).id) == 1
    remove(world, alice, "bob")
    assert world.store.count_requests_from(world.account(alice).id) == 0


def test_a_block_swallows_the_request_that_waits(world: World, alice: Person, bob: Person) -> None:
    signed = world.asks(alice, bob)
    block(world, bob, "alice")
    assert world.store.requests_to(world.account(bob).id) == []
    message = bob.answer(alice, signed)
    code = world.refused(friends.answer_friend, world.caller(bob), message, NOW)
    assert code is Code.REQUEST_UNKNOWN
    effects = remove(world, alice, "bob")
    told: list[Any] = list(effects)
    assert all(effect.account == world.account(alice).id for effect in told)


def test_a_block_ends_the_friendship(world: World, alice: Person, bob: Person) -> None:
    world.befriend(alice, bob)
    effects = block(world, bob, "alice")
    assert Tell(world.account(alice).id, FriendRemoved(bob.name)) in effects
    assert world.identities(alice) == []


def test_who_blocks_somebody_cannot_ask_them_before_unblocking(
    world: World, alice: Person, bob: Person
) -> None:
    block(world, alice, "bob")
    assert ask_refused(world, alice, alice.ask(bob)) is Code.BLOCKED
    for name in ("bob", "bob", "nobody.here"):
        message = UnblockUser(RequestId(9), AccountName(name))
        assert world.do(friends.unblock_user, world.caller(alice), message).answer == Done(
            RequestId(9)
        )
    assert len(ask(world, alice, alice.ask(bob))) == 1


def test_after_unblocking_a_new_request_gets_through_and_the_old_one_does_not(
    world: World, alice: Person, bob: Person
) -> None:
    block(world, bob, "alice")
    ask(world, alice, alice.ask(bob))
    world.do(friends.unblock_user, world.caller(bob), UnblockUser(RequestId(9), alice.name))
    assert world.store.requests_to(world.account(bob).id) == []
    assert len(ask(world, alice, alice.ask(bob))) == 1


def test_whom_one_cannot_block(world: World, alice: Person) -> None:
    for name, code in (("alice", Code.FRIEND_SELF), ("nobody.here", Code.NO_SUCH_USER)):
        message = BlockUser(RequestId(9), AccountName(name))
        found = world.refused(friends.block_user, world.caller(alice), message, NOW)
        assert found is code


def test_the_limits_hold_at_the_limit_and_one_past_it(
    world: World, alice: Person, bob: Person
) -> None:
    few = friends.Bounds(friends=1, pending=2, blocks=1)
    carol, dan = world.joins("carol"), world.joins("dan")
    world.asks(alice, bob)
    world.asks(alice, carol)
    assert ask_refused(world, alice, alice.ask(dan), few) is Code.TOO_MANY_PENDING
    world.asks(bob, carol)
    assert ask_refused(world, dan, dan.ask(carol), few) is Code.TOO_MANY_PENDING
    world.asks(alice, bob)  # asking again takes no further room
    world.befriend(dan, bob)
    signed = world.asks(alice, bob)
    message = bob.answer(alice, signed)
    code = world.refused(friends.answer_friend, world.caller(bob), message, NOW, few)
    assert code is Code.TOO_MANY_FRIENDS
    assert ask_refused(world, dan, dan.ask(alice), few) is Code.TOO_MANY_FRIENDS
    block(world, alice, "dan")
    block(world, alice, "dan")
    one_more = BlockUser(RequestId(9), carol.name)
    found = world.refused(friends.block_user, world.caller(alice), one_more, NOW, few)
    assert found is Code.TOO_MANY_BLOCKS


def test_what_is_older_than_a_month_is_swept(world: World, alice: Person, bob: Person) -> None:
    world.asks(alice, bob)
    world.befriend(world.joins("carol"), bob)
    assert world.store.expire(friends.expired_before(A_MONTH_LATER)) == 2
    assert world.store.expire(friends.expired_before(A_MONTH_LATER)) == 0
