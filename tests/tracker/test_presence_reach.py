"""Who learns addresses, new friends and long lists, and when."""

from __future__ import annotations

from msgspec.structs import replace

from tests.harness.people import Person
from tests.tracker.town import HERE, LATER, Town, friend, read, said
from tests.tracker.world import NOW
from tracker import accounts
from tracker.effects import Party
from tracker.presence import FRIENDS_PER_PAGE
from tracker.seats import Word
from tracker.storage.port import AccountId, FriendRow
from wire import limits
from wire.ids import AccountName, IdentityKey, RequestId
from wire.machine import UnixMillis
from wire.messages.friends import FriendAdded
from wire.messages.presence import PresenceChanged, Show
from wire.messages.reach import AddressesChanged, AskDirectory, DeviceRecord, Directory


def test_friends_learn_addresses_when_they_are_put_and_when_their_owner_comes(
    town: Town, friends: tuple[Person, Person]
) -> None:
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
    town: Town, friends: tuple[Person, Person]
) -> None:
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


def test_nobody_learns_addresses_of_who_is_invisible(
    town: Town, friends: tuple[Person, Person]
) -> None:
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


def test_new_friends_see_each_other_at_once_and_former_ones_no_more(town: Town) -> None:
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


def test_a_new_friend_who_is_invisible_is_offline_since_it_was_last_seen(town: Town) -> None:
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


def test_a_message_reaches_all_devices_but_one(town: Town, friends: tuple[Person, Person]) -> None:
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


def test_the_directory_marks_devices_that_are_shown(
    town: Town, friends: tuple[Person, Person]
) -> None:
    alice, _ = friends
    laptop = town.add_device(alice)
    account = town.world.account(alice).id
    records = tuple(DeviceRecord(who.keys.certificate, b"", False) for who in (alice, laptop))
    directory = Directory(RequestId(1), alice.name, alice.identity, b"list", records)
    assert town.roster.mark_online(account, directory) == directory
    town.come(laptop, "laptop")
    marked = town.roster.mark_online(account, directory)
    assert [record.is_online for record in marked.devices] == [False, True]
    town.shows(laptop, Show.INVISIBLE)
    assert town.roster.mark_online(account, directory) == directory
    assert AskDirectory(RequestId(1), alice.name).name == directory.name


def test_a_long_friend_list_comes_in_pages_that_fit(town: Town) -> None:
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


def test_pages_of_friends_with_long_texts_fit_too(town: Town) -> None:
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
