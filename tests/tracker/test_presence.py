from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.harness.people import Person, person
from tests.tracker.world import NOW, World
from tracker import accounts
from tracker.effects import Caller, Party
from tracker.presence import FRIENDS_PER_PAGE, STALE_EXPIRIES, Delivery, Roster, Told, Word
from tracker.storage.port import AccountId, FriendRow
from wire import limits
from wire.codec import decode
from wire.ids import AccountName, DeviceId, IdentityKey
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.friends import Friend, FriendAdded, FriendsPage
from wire.messages.presence import PresenceChanged, SetPresence, Show
from wire.messages.reach import AddressesChanged, AskDirectory, DeviceRecord, Directory

LATER = UnixMillis(NOW + 5000)
HERE = Word(Show.AVAILABLE)


def read(record: bytes) -> Message:
    message = decode(Purpose.TRACKER, record)
    assert message is not None
    return message


def said(deliveries: list[Delivery[str]]) -> list[tuple[str, Message]]:
    return [(delivery.session, read(delivery.record)) for delivery in deliveries]


class Town:
    """People with accounts, and the roster that sees them come and go."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.roster: Roster[str] = Roster()
        self.callers: dict[str, Caller] = {}

    def join(self, *names: str) -> list[Person]:
        return [self.world.joins(name) for name in names]

    def caller(self, who: Person) -> Caller:
        return self.world.caller(who)

    def come(
        self,
        who: Person,
        session: str,
        word: Word = HERE,
        *,
        is_unseen: bool = False,
        now: UnixMillis = NOW,
    ) -> tuple[list[Message], list[Message], Told[str]]:
        caller = self.caller(who)
        snapshot = self.world.do(accounts.enter, caller, UnixMillis(0), now)
        pages, more, told = self.roster.enter(
            caller, session, snapshot, word, is_unseen=is_unseen, now=now
        )
        return [read(page) for page in pages], [read(record) for record in more], told

    def go(self, who: Person, session: str, now: UnixMillis = LATER) -> Told[str]:
        caller = self.caller(who)
        told = self.roster.leave(caller.account, caller.device, session, now)
        if told.last_seen is not None:
            self.world.store.put_last_seen(caller.account, told.last_seen)
        return told

    def shows(self, who: Person, show: Show, text: str = "", until: int = 0) -> Told[str]:
        message = SetPresence(1, show, text, until)
        return self.roster.set_presence(self.caller(who), message, LATER)

    def publishes(self, who: Person) -> list[Delivery[str]]:
        caller, signed = self.caller(who), who.addresses().signed
        self.world.store.put_addresses(caller.device, signed)
        return self.roster.put_addresses(caller, who.keys.certificate, signed)

    def add_device(self, who: Person) -> Person:
        laptop = who.with_device("laptop")
        account = self.world.account(who).id
        self.world.do(accounts.add_device, account, laptop.add_device(), laptop.channel(), NOW)
        return laptop


@pytest.fixture
def town(world):
    return Town(world)


@pytest.fixture
def friends(town):
    alice, bob = town.join("alice", "bob")
    town.world.befriend(alice, bob)
    return alice, bob


def friend(who: Person, show: Show, text: str = "", last_seen: int = 0) -> Friend:
    return Friend(who.name, who.identity, show, text, last_seen)


def test_who_comes_is_told_who_is_there_and_friends_are_told_of_who_comes(town, friends):
    alice, bob = friends
    pages, more, told = town.come(alice, "alice")
    assert pages == [FriendsPage((friend(bob, Show.OFFLINE),), True)]
    assert (more, told.deliveries, told.last_seen) == ([], [], None)
    pages, more, told = town.come(bob, "bob", Word(Show.AWAY, "lunch"))
    assert pages == [FriendsPage((friend(alice, Show.AVAILABLE),), True)]
    assert said(told.deliveries) == [("alice", PresenceChanged(bob.name, Show.AWAY, "lunch"))]


def test_who_goes_is_offline_with_the_instant_it_was_last_seen(town, friends):
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


def test_a_stranger_hears_nothing(town, friends):
    alice, _ = friends
    (carol,) = town.join("carol")
    town.come(carol, "carol")
    assert said(town.come(alice, "alice")[2].deliveries) == []
    assert said(town.shows(alice, Show.BUSY).deliveries) == []


def test_a_change_is_encoded_once_for_all(town):
    alice, *others = town.join("alice", "bob", "carol", "dan")
    for other in others:
        town.world.befriend(alice, other)
        town.come(other, other.name)
    town.come(alice, "alice")
    deliveries = town.shows(alice, Show.BUSY).deliveries
    assert {delivery.session for delivery in deliveries} == {"bob", "carol", "dan"}
    assert len({id(delivery.record) for delivery in deliveries}) == 1


@pytest.mark.parametrize("show", [Show.INVISIBLE, Show.OFFLINE])
def test_who_is_invisible_is_not_told_of_and_sees_everybody(town, friends, show):
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


def test_an_unseen_session_is_not_told_of(town, friends):
    alice, bob = friends
    town.come(bob, "bob")
    pages, _, told = town.come(alice, "alice", is_unseen=True)
    assert pages == [FriendsPage((friend(bob, Show.AVAILABLE),), True)]
    assert (told.deliveries, told.last_seen) == ([], None)
    assert town.roster.sessions_of(town.world.account(alice).id) == 1
    assert town.publishes(alice) == []
    told = town.go(alice, "alice")
    assert (told.deliveries, told.last_seen) == ([], None)


def test_a_second_device_joins_what_is_shown_and_hears_what_that_is(town, friends):
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
    assert said(town.go(laptop, "laptop").deliveries)[0][1].show is Show.OFFLINE


def test_an_unseen_session_beside_a_seen_one_changes_nothing(town, friends):
    alice, bob = friends
    laptop = town.add_device(alice)
    town.come(bob, "bob")
    town.come(laptop, "brief", Word(Show.BUSY), is_unseen=True)
    _, more, told = town.come(alice, "desk", Word(Show.AWAY))
    assert more == []
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]
    assert town.go(laptop, "brief").deliveries == []


def test_a_device_that_comes_back_takes_its_seat_over_without_a_word(town, friends):
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "first")
    assert town.come(alice, "second")[2].deliveries == []
    assert town.go(alice, "first").deliveries == []
    caller = town.caller(alice)
    assert town.roster.session_of(caller.account, caller.device) == "second"
    _, _, told = town.come(alice, "third", Word(Show.AWAY))
    assert said(told.deliveries) == [("bob", PresenceChanged(alice.name, Show.AWAY))]


def test_who_was_never_here_cannot_go_or_say_anything(town, friends):
    alice, _ = friends
    assert town.go(alice, "alice").deliveries == []
    assert town.shows(alice, Show.BUSY).deliveries == []
    assert town.publishes(alice) == []
    assert (
        town.roster.tell(town.world.account(alice).id, PresenceChanged(alice.name, Show.AWAY)) == []
    )


def test_what_is_shown_until_an_instant_goes_back_then(town, friends):
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


def test_words_that_are_replaced_before_they_expire_do_not_pile_up(town, friends):
    alice, _ = friends
    town.come(alice, "alice")
    for number in range(3 * STALE_EXPIRIES):
        town.shows(alice, Show.BUSY, "", LATER + number)
    assert len(town.roster._expiries) <= STALE_EXPIRIES + 2


def test_friends_learn_addresses_when_they_are_put_and_when_their_owner_comes(town, friends):
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice")
    here = AddressesChanged(
        alice.name, alice.keys.device, alice.keys.certificate, alice.addresses().signed
    )
    assert said(town.publishes(alice)) == [("bob", here)]
    assert town.come(bob, "bob 2")[1] == [here]
    town.go(alice, "alice")
    _, _, told = town.come(alice, "alice")
    assert said(told.deliveries) == [
        ("bob 2", PresenceChanged(alice.name, Show.AVAILABLE)),
        ("bob 2", here),
    ]
    assert [delivery.key for delivery in told.deliveries] == [
        ("is", alice.name),
        ("at", alice.keys.device),
    ]


def test_a_second_device_that_comes_is_dialled_too_and_own_devices_hear_of_each_other(
    town, friends
):
    alice, bob = friends
    laptop = town.add_device(alice)
    town.world.store.put_addresses(laptop.keys.device, laptop.addresses().signed)
    town.come(bob, "bob")
    town.come(alice, "desk")
    _, _, told = town.come(laptop, "laptop")
    assert [(who, type(message)) for who, message in said(told.deliveries)] == [
        ("bob", AddressesChanged)
    ]
    assert [who for who, _ in said(town.publishes(laptop))] == ["bob", "desk"]


def test_nobody_learns_addresses_of_who_is_invisible(town, friends):
    alice, bob = friends
    town.come(bob, "bob")
    town.come(alice, "alice", Word(Show.INVISIBLE))
    assert town.publishes(alice) == []
    assert town.come(bob, "bob 2")[1] == []
    told = town.shows(alice, Show.AWAY)
    assert [type(message) for _, message in said(told.deliveries)] == [
        PresenceChanged,
        AddressesChanged,
    ]


def test_new_friends_see_each_other_at_once_and_former_ones_no_more(town):
    alice, bob = town.join("alice", "bob")
    town.come(alice, "alice", Word(Show.BUSY, "hm"))
    town.publishes(alice)
    one, other = (
        Party(a.id, a.name, a.identity, a.last_seen)
        for a in (town.world.account(alice), town.world.account(bob))
    )
    assert said(town.roster.befriended(one, other)) == [
        ("alice", FriendAdded(friend(bob, Show.OFFLINE)))
    ]
    town.roster.parted(one.account, other.account)
    town.come(bob, "bob")
    deliveries = said(town.roster.befriended(one, other))
    assert [(who, type(message)) for who, message in deliveries] == [
        ("alice", FriendAdded),
        ("bob", FriendAdded),
        ("bob", AddressesChanged),
    ]
    assert deliveries[1][1] == FriendAdded(friend(alice, Show.BUSY, "hm"))
    again = town.roster.befriended(one, other)
    assert len(said(again)) == 3
    assert [who for who, _ in said(town.shows(alice, Show.AWAY).deliveries)] == ["bob"]
    town.roster.parted(one.account, other.account)
    town.roster.parted(one.account, other.account)
    assert said(town.shows(alice, Show.BUSY).deliveries) == []


def test_a_new_friend_who_is_invisible_is_offline_since_it_was_last_seen(town):
    alice, bob = town.join("alice", "bob")
    town.come(alice, "alice")
    town.come(bob, "bob")
    town.shows(alice, Show.INVISIBLE)
    one, other = (
        Party(a.id, a.name, a.identity, a.last_seen)
        for a in (town.world.account(alice), town.world.account(bob))
    )
    deliveries = said(town.roster.befriended(other, one))
    assert deliveries[0] == ("bob", FriendAdded(friend(alice, Show.OFFLINE, "", LATER)))


def test_a_message_reaches_all_devices_but_one(town, friends):
    alice, bob = friends
    laptop = town.add_device(alice)
    for who, session in ((alice, "desk"), (laptop, "laptop"), (bob, "bob")):
        town.come(who, session)
    mine = town.world.account(alice).id
    message = PresenceChanged(bob.name, Show.AWAY)
    assert said(town.roster.tell(mine, message, laptop.keys.device)) == [("desk", message)]
    everybody = [mine, town.world.account(bob).id, AccountId(99)]
    assert [who for who, _ in said(town.roster.tell_all(everybody, message))] == [
        "desk",
        "laptop",
        "bob",
    ]


def test_the_directory_marks_devices_that_are_shown(town, friends):
    alice, _ = friends
    laptop = town.add_device(alice)
    account = town.world.account(alice).id
    records = tuple(DeviceRecord(who.keys.certificate, b"", False) for who in (alice, laptop))
    directory = Directory(1, alice.name, alice.identity, b"list", records)
    assert town.roster.mark_online(account, directory) == directory
    town.come(laptop, "laptop")
    marked = town.roster.mark_online(account, directory)
    assert [record.is_online for record in marked.devices] == [False, True]
    town.shows(laptop, Show.INVISIBLE)
    assert town.roster.mark_online(account, directory) == directory
    assert AskDirectory(1, alice.name).name == directory.name


def test_a_long_friend_list_comes_in_pages_that_fit(town):
    (alice,) = town.join("alice")
    caller = town.caller(alice)
    snapshot = town.world.do(accounts.enter, caller, UnixMillis(0), NOW)
    rows = [
        FriendRow(
            AccountId(1000 + n), AccountName(f"f{n:04}"), IdentityKey(bytes(32)), UnixMillis(0)
        )
        for n in range(2 * FRIENDS_PER_PAGE + 1)
    ]
    many = replace(snapshot, friends=rows)
    pages, _, _ = town.roster.enter(caller, "alice", many, HERE, is_unseen=False, now=NOW)
    read_pages = [read(page) for page in pages]
    assert [len(page.friends) for page in read_pages] == [256, 256, 1]
    assert [page.is_last for page in read_pages] == [False, False, True]
    assert max(map(len, pages)) <= limits.PAGE_BYTES
    names = [f.name for page in read_pages for f in page.friends]
    assert names == [row.name for row in rows]


def test_pages_of_friends_with_long_texts_fit_too(town):
    (alice,) = town.join("alice")
    text = "\U0001f600" * limits.PRESENCE_TEXT_CHARS
    others = town.join(*(f"friend{n:02}" for n in range(80)))
    for other in others:
        town.world.befriend(alice, other)
        town.come(other, other.name, Word(Show.AWAY, text))
    caller = town.caller(alice)
    snapshot = town.world.do(accounts.enter, caller, UnixMillis(0), NOW)
    pages, _, _ = town.roster.enter(caller, "alice", snapshot, HERE, is_unseen=False, now=NOW)
    assert len(pages) > 1
    assert max(map(len, pages)) <= limits.PAGE_BYTES


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
        assert DeviceId(b"x" * 16) not in self.sessions


TestPresenceIsTold = Comings.TestCase
TestPresenceIsTold.settings = settings(
    max_examples=max(10, settings().max_examples // 4), stateful_step_count=30
)
