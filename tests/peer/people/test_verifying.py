"""Safety numbers: shown alike on both sides, compared as typed, marked for one identity."""

from __future__ import annotations

from typing import Any

import pytest

from peer import api, queries
from peer.effects import FriendsChanged
from peer.errors import PeerError
from peer.people import roster, verifying
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import told
from wire.codes import Code
from wire.ids import AccountName


@pytest.fixture
def pair() -> tuple[SimPeer, SimPeer]:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def number(one: SimPeer, name: str) -> Any:
    return one.database.read(verifying.safety_number_with, name).number


def test_both_sides_see_the_same_sixty_digits(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    assert number(alice, "bob") == number(bob, "alice")
    assert len(number(alice, "bob")) == 60


def test_a_number_that_fits_marks_the_friend_also_in_groups(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    digits: Any = number(bob, "alice")
    typed = " ".join(digits[at : at + 5] for at in range(0, 60, 5))
    shown, effects = alice.database.write(verifying.verify, "bob", typed)
    assert shown == api.SafetyNumber("bob", digits, verified=True)
    assert told(effects, "friend") == [{"friend": "bob", "state": "verified"}]
    assert FriendsChanged(AccountName("bob")) in effects
    [friend] = alice.database.read(roster.list_friends, online_only=False)
    assert friend.verified


@pytest.mark.parametrize("typed", ["", "1" * 59, "1" * 61, "x" * 60, "٣" * 60])
def test_what_is_no_number_is_a_mistake(pair: tuple[SimPeer, SimPeer], typed: str) -> None:
    with pytest.raises(PeerError) as caught:
        pair[0].database.write(verifying.verify, "bob", typed)
    assert caught.value.code is Code.USAGE


def test_another_number_is_named_and_changes_nothing(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, _ = pair
    digits: Any = number(alice, "bob")
    alice.database.write(verifying.verify, "bob", digits)
    wrong = ("1" if digits[0] == "0" else "0") + digits[1:]
    with pytest.raises(PeerError) as caught:
        alice.database.write(verifying.verify, "bob", wrong)
    assert caught.value.code is Code.SAFETY_NUMBER_MISMATCH
    assert alice.database.read(verifying.safety_number_with, "bob").verified


def test_the_store_alone_shows_it(pair: tuple[SimPeer, SimPeer]) -> None:
    command = api.VerifyFriend("bob")
    assert api.need_of(command) is api.Need.STORE
    assert api.need_of(api.VerifyFriend("bob", "1" * 60)) is api.Need.BRIEF
    [shown] = pair[0].database.read(
        lambda connection: list(queries.answer(connection, command, "none"))
    )
    assert shown == api.SafetyNumber("bob", number(pair[0], "bob"), verified=False)


def test_somebody_who_is_no_friend_has_no_number(pair: tuple[SimPeer, SimPeer]) -> None:
    with pytest.raises(PeerError) as caught:
        number(pair[0], "carol")
    assert caught.value.code is Code.NO_SUCH_FRIEND
