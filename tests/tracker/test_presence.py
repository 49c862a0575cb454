from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.harness.people import Person, person
from tests.tracker.town import LATER, Town, friend, said
from tests.tracker.world import World
from tracker.presence import STALE_EXPIRIES
from tracker.seats import Told, Word
from wire.machine import UnixMillis
from wire.messages.friends import FriendsPage
from wire.messages.presence import PresenceChanged, Show


def test_who_comes_is_told_who_is_there_and_friends_are_told_of_who_comes(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    pages, more, told = town.come(alice, "alice")
    assert pages == [FriendsPage((friend(bob, Show.OFFLINE),), True)]
    assert (more, told.deliveries, told.last_seen) == ([], [], None)
    pages, more, told = town.come(bob, "bob", Word(Show.AWAY, "lunch"))
    assert pages == [FriendsPage((friend(alice, Show.AVAILABLE),), True)]
    assert said(told.deliveries) == [("alice", PresenceChanged(bob.name, Show.AWAY, "lunch"))]


def test_who_goes_is_offline_with_the_instant_it_was_last_seen(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(alice, "alice")
    town.come(bob, "bob")
    told = town.go(bob, "bob")
    gone = PresenceChanged(bob.name, Show.OFFLINE, "", LATER)
    assert said(told.deliveries) == [("alice", gone)]
    assert told.last_seen == LATER
    assert town.world.account(bob).id not in town.roster
    pages, _, _ = town.come(alice, "alice 2")
    assert pages == [FriendsPage((friend(bob, Show.OFFLINE, "", LATER),), True)]


def test_a_stranger_hears_nothing(town: Town, friends: tuple[Person, Person]) -> None:
    alice, _ = friends
    (carol,) = town.join("carol")
    town.come(carol, "carol")
    assert said(town.come(alice, "alice")[2].deliveries) == []
    assert said(town.shows(alice, Show.BUSY).deliveries) == []


def test_a_change_is_encoded_once_for_all(town: Town) -> None:
    alice, *others = town.join("alice", "bob", "carol", "dan")
    for other in others:
        town.world.befriend(alice, other)
        town.come(other, other.name)
    town.come(alice, "alice")
    deliveries = town.shows(alice, Show.BUSY).deliveries
    assert {delivery.session for delivery in deliveries} == {"bob", "carol", "dan"}
    assert len({id(delivery.record) for delivery in deliveries}) == 1


@pytest.mark.parametrize("show", [Show.INVISIBLE, Show.OFFLINE])
def test_who_is_invisible_is_not_told_of_and_sees_everybody(
    town: Town, friends: tuple[Person, Person], show: Show
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    pages, _, told = town.come(alice, "alice", Word(show))
    assert pages == [FriendsPage((friend(bob, Show.AVAILABLE),), True)]
    assert said(told.deliveries) == []
    assert town.roster.show_of(town.world.account(alice).id) is Show.OFFLINE
    told = town.shows(alice, Show.AVAILABLE)
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AVAILABLE))]
    told = town.shows(alice, show, "hidden words")
    gone = PresenceChanged(alice.name, Show.OFFLINE, "", LATER)
    assert said(told.deliveries) == [("bob", gone)]
    assert told.last_seen == LATER
    told = town.go(alice, "alice", UnixMillis(LATER + 99))
    assert (told.deliveries, told.last_seen) == ([], None)


def test_an_unseen_session_is_not_told_of(town: Town, friends: tuple[Person, Person]) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    pages, _, told = town.come(alice, "alice", is_unseen=True)
    assert pages == [FriendsPage((friend(bob, Show.AVAILABLE),), True)]
    assert (told.deliveries, told.last_seen) == ([], None)
    assert town.roster.sessions_of(town.world.account(alice).id) == 1
    assert town.publishes(alice) == []
    told = town.go(alice, "alice")
    assert (told.deliveries, told.last_seen) == ([], None)


def test_a_second_device_joins_what_is_shown_and_hears_what_that_is(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    laptop = town.add_device(alice)
    town.come(bob, "bob")
    town.come(alice, "desk", Word(Show.BUSY, "exam"))
    _, more, told = town.come(laptop, "laptop", Word(Show.AVAILABLE))
    assert more == [PresenceChanged(alice.name, Show.BUSY, "exam")]
    assert told.deliveries == []
    told = town.shows(laptop, Show.INVISIBLE)
    assert said(told.deliveries) == [
        ("bob", PresenceChanged(alice.name, Show.OFFLINE, "", LATER)),
        ("desk", PresenceChanged(alice.name, Show.INVISIBLE)),
    ]
    town.shows(alice, Show.AWAY)
    assert town.go(alice, "desk").deliveries == []
    changed: Any = said(town.go(laptop, "laptop").deliveries)[0][1]
    assert changed.show is Show.OFFLINE


def test_an_unseen_session_beside_a_seen_one_changes_nothing(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    laptop = town.add_device(alice)
    town.come(bob, "bob")
    town.come(laptop, "brief", Word(Show.BUSY), is_unseen=True)
    _, more, told = town.come(alice, "desk", Word(Show.AWAY))
    assert more == []
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]
    assert town.go(laptop, "brief").deliveries == []


def test_a_device_that_comes_back_takes_its_seat_over_without_a_word(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "first")
    assert town.come(alice, "second")[2].deliveries == []
    assert town.go(alice, "first").deliveries == []
    caller = town.caller(alice)
    assert town.roster.session_of(caller.account, caller.device) == "second"
    _, _, told = town.come(alice, "third", Word(Show.AWAY))
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]


def test_who_was_never_here_cannot_go_or_say_anything(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, _ = friends
    assert town.go(alice, "alice").deliveries == []
    assert town.shows(alice, Show.BUSY).deliveries == []
    assert town.publishes(alice) == []
    assert (
        town.roster.tell(town.world.account(alice).id, PresenceChanged(alice.name, Show.AWAY)) == []
    )


def test_what_is_shown_until_an_instant_goes_back_then(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(Show.BUSY, "call", UnixMillis(LATER + 10)))
    assert town.roster.expire(UnixMillis(LATER + 9)) == []
    ((account, told),) = town.roster.expire(UnixMillis(LATER + 10))
    assert account == town.world.account(alice).id
    back = PresenceChanged(alice.name, Show.AVAILABLE)
    assert said(told.deliveries) == [("bob", back), ("alice", back)]
    town.shows(alice, Show.BUSY, "", LATER + 20)
    town.shows(alice, Show.AWAY)
    assert town.roster.expire(UnixMillis(LATER + 20)) == []
    town.shows(alice, Show.BUSY, "", LATER + 30)
    town.go(alice, "alice")
    assert town.roster.expire(UnixMillis(LATER + 30)) == []


def test_words_that_are_replaced_before_they_expire_do_not_pile_up(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, _ = friends
    town.come(alice, "alice")
    for number in range(3 * STALE_EXPIRIES):
        town.shows(alice, Show.BUSY, "", LATER + number)
    assert len(town.roster._expiries) <= STALE_EXPIRIES + 2


TRIO = [person(name) for name in ("anna", "bert", "cleo")]
picks = st.integers(0, 2)


class Comings(RuleBasedStateMachine):
    """What friends were told last is what is so, whatever people do in whatever order."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.town = Town(self.world)
        for someone in TRIO:
            self.world.joins(someone.name)
        for one, other in ((0, 1), (1, 2)):
            self.world.befriend(TRIO[one], TRIO[other])
        self.sessions: dict[str, str] = {}
        self.seen: dict[tuple[str, str], tuple[Show, str]] = {}
        self.number = 0

    def teardown(self) -> None:
        self.world.close()

    def hear(self, told: Told[str]) -> None:
        for session, message in said(told.deliveries):
            if isinstance(message, PresenceChanged):
                viewer = session.split()[0]
                self.seen[viewer, message.name] = (message.show, message.text)

    @rule(who=picks, show=st.sampled_from(Show), is_unseen=st.booleans())
    def somebody_comes(self, who: int, show: Show, is_unseen: bool) -> None:
        someone, self.number = TRIO[who], self.number + 1
        session = f"{someone.name} {self.number}"
        pages, _, told = self.town.come(someone, session, Word(show, "t"), is_unseen=is_unseen)
        self.sessions[someone.name] = session
        for page in pages:
            assert isinstance(page, FriendsPage)
            for row in page.friends:
                self.seen[someone.name, row.name] = (row.show, row.text)
        self.hear(told)

    @rule(who=picks)
    def somebody_goes(self, who: int) -> None:
        session = self.sessions.pop(TRIO[who].name, None)
        if session is not None:
            self.hear(self.town.go(TRIO[who], session))

    @rule(who=picks, show=st.sampled_from(Show), text=st.sampled_from(["", "x"]))
    def somebody_says(self, who: int, show: Show, text: str) -> None:
        if TRIO[who].name in self.sessions:
            self.hear(self.town.shows(TRIO[who], show, text))

    @invariant()
    def what_was_told_last_is_so(self) -> None:
        for one, other in ((0, 1), (1, 0), (1, 2), (2, 1)):
            viewer, seen = TRIO[one].name, TRIO[other].name
            if viewer in self.sessions:
                show = self.town.roster.show_of(self.world.account(TRIO[other]).id)
                assert self.seen[viewer, seen][0] is show
                assert show is not Show.INVISIBLE
        assert ("anna", "cleo") not in self.seen


TestPresenceIsTold = Comings.TestCase
TestPresenceIsTold.settings = settings(
    max_examples=max(10, settings().max_examples // 4), stateful_step_count=30
)
