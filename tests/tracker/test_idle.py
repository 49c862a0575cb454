"""Nobody at the keys: an account is away while none of its devices is in use, and only then."""

from __future__ import annotations

import pytest

from tests.harness.people import Person
from tests.tracker.town import LATER, Town, friend, said
from tracker.seats import Word
from wire.machine import UnixMillis
from wire.messages.friends import FriendsPage
from wire.messages.presence import PresenceChanged, Show


def test_who_stops_using_the_only_device_is_away_and_at_use_back(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(Show.AVAILABLE, "at work"))
    told = town.uses(alice, "alice", is_idle=True)
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY, "at work"))]
    assert town.roster.show_of(town.world.account(alice).id) is Show.AWAY
    assert said(town.uses(alice, "alice", is_idle=True).deliveries) == []
    told = town.uses(alice, "alice", is_idle=False)
    back = PresenceChanged(alice.name, Show.AVAILABLE, "at work")
    assert said(told.deliveries) == [("bob", back)]


def test_an_account_is_not_away_while_another_device_of_it_is_in_use(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    laptop = town.add_device(alice)
    town.come(bob, "bob")
    town.come(alice, "desk")
    town.come(laptop, "laptop")
    assert said(town.uses(alice, "desk", is_idle=True).deliveries) == []
    away = PresenceChanged(alice.name, Show.AWAY)
    assert said(town.uses(laptop, "laptop", is_idle=True).deliveries) == [("bob", away)]
    back = PresenceChanged(alice.name, Show.AVAILABLE)
    assert said(town.uses(alice, "desk", is_idle=False).deliveries) == [("bob", back)]
    assert said(town.go(alice, "desk").deliveries) == [("bob", away)]  # the one in use went


def test_a_device_that_comes_idle_makes_nobody_available_and_an_unseen_one_counts_for_nothing(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    laptop = town.add_device(alice)
    town.come(bob, "bob")
    told = town.come(alice, "desk", is_idle=True)[2]
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]
    assert said(town.come(laptop, "laptop", is_unseen=True)[2].deliveries) == []
    pages = town.come(bob, "bob again")[0]
    assert pages == [FriendsPage((friend(alice, Show.AWAY),), True)]


@pytest.mark.parametrize("show", [Show.BUSY, Show.AWAY])
def test_what_a_person_chose_stays_whether_they_are_there_or_not(
    town: Town, friends: tuple[Person, Person], show: Show
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(show))
    assert said(town.uses(alice, "alice", is_idle=True).deliveries) == []
    assert said(town.uses(alice, "alice", is_idle=False).deliveries) == []


def test_who_is_invisible_stays_so_and_is_away_once_they_show_themselves(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(Show.INVISIBLE), is_idle=True)
    assert said(town.uses(alice, "alice", is_idle=False).deliveries) == []
    assert said(town.uses(alice, "alice", is_idle=True).deliveries) == []
    told = town.shows(alice, Show.AVAILABLE)
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]


def test_what_was_shown_for_a_time_ends_as_away_where_nobody_is(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(Show.BUSY, "exam", LATER), is_idle=True)
    [(_, told)] = town.roster.expire(UnixMillis(LATER))
    heard = [word for to, word in said(told.deliveries) if to == "bob"]
    assert heard == [PresenceChanged(alice.name, Show.AWAY)]


def test_a_session_that_was_taken_over_says_nothing_any_more(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "old")
    town.come(alice, "new")
    assert said(town.uses(alice, "old", is_idle=True).deliveries) == []
    (carol,) = town.join("carol")
    assert said(town.uses(carol, "nobody", is_idle=True).deliveries) == []
