from __future__ import annotations

from typing import Any

import pytest

from peer import api, conversations
from peer.effects import Ask, CloseLinks, Tell
from peer.errors import PeerError
from peer.people import befriending, contacts, roster
from peer.store import own
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.codes import Code
from wire.errors import WireError
from wire.identity import DeviceKeys, first_device
from wire.ids import AccountName, IdentityKey
from wire.machine import UnixMillis
from wire.messages import friends
from wire.messages.friends import Friend, FriendAnswered, FriendAsked, FriendRemoved
from wire.messages.presence import PresenceChanged, Show


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def alice(world: Simulation) -> SimPeer:
    return SimPeer.make(world, "alice")


@pytest.fixture
def bob(world: Simulation) -> SimPeer:
    return SimPeer.make(world, "bob")


def ask(
    one: SimPeer,
    other: SimPeer,
    *,
    pinned: Any = None,
    found: bytes | None = None,
    note: str = "",
    to: str | None = None,
) -> Any:
    return one.database.write(
        befriending.ask, one.keys, AccountName(to or other.name), note, pinned=pinned,
        found=IdentityKey(found or other.keys.identity), now=one.world.wall(), entropy=one.entropy,
    )  # fmt: skip


def asked(made: Any, one: SimPeer) -> FriendAsked:
    message: Any = next(e.message for e in made[1] if isinstance(e, Ask))
    return friends.FriendAsked(AccountName(one.name), message.signed, one.world.wall())


def deliver(
    message: FriendAnswered | FriendAsked | FriendRemoved | PresenceChanged, to: SimPeer
) -> Any:
    return to.database.write(roster.on_tracker, to.keys, message, to.world.wall())


def answer(one: SimPeer, name: str, *, accept: bool = True) -> Any:
    return one.database.write(
        befriending.answer, one.keys, name, accept=accept, now=one.world.wall()
    )


def answered(effects: list[Any], one: SimPeer, *, is_yes: bool = True) -> FriendAnswered:
    message: Any = next(e.message for e in effects if isinstance(e, Ask))
    return friends.FriendAnswered(AccountName(one.name), is_yes, message.signed, one.world.wall())


def told(effects: list[Any], kind: str) -> list[Any]:
    return [e.event.body for e in effects if isinstance(e, Tell) and e.event.event == kind]


def stranger(world: Simulation) -> bytes:
    mallory = SimPeer.make(world, "mallory").keys
    assert isinstance(mallory, DeviceKeys)
    return mallory.identity


def names(peer: SimPeer) -> list[str]:
    return [friend.friend for friend in peer.database.read(roster.list_friends, online_only=False)]


def code_of(caught: pytest.ExceptionInfo[Any]) -> Any:
    return caught.value.code


def test_a_request_and_a_yes_make_two_friends_with_pins(alice: SimPeer, bob: SimPeer) -> None:
    befriend(alice, bob)
    assert names(alice) == ["bob"]
    assert names(bob) == ["alice"]
    assert contacts.may_link(alice.database.connection, bob.keys.identity).name == "bob"
    assert contacts.may_link(bob.database.connection, alice.keys.identity).name == "alice"


def test_a_waiting_request_is_listed_on_both_sides(alice: SimPeer, bob: SimPeer) -> None:
    effects = deliver(asked(ask(alice, bob, note="it is me"), alice), bob)
    [out] = alice.database.read(roster.requests)
    [come] = bob.database.read(roster.requests)
    assert (out.friend, out.direction, out.fingerprint) == ("bob", "out", None)
    assert (come.friend, come.direction, come.note) == ("alice", "in", "it is me")
    assert told(effects, "friend-request") == [api.as_json(come)]


def test_a_request_delivered_twice_is_told_once(alice: SimPeer, bob: SimPeer) -> None:
    message = asked(ask(alice, bob), alice)
    assert told(deliver(message, bob), "friend-request") != []
    assert deliver(message, bob) == []
    answer(bob, "alice", accept=False)
    assert deliver(message, bob) == []  # replayed after the answer: its nonce is known


def test_a_no_ends_it_and_says_so(alice: SimPeer, bob: SimPeer) -> None:
    deliver(asked(ask(alice, bob), alice), bob)
    effects = answer(bob, "alice", accept=False)[1]
    came = deliver(answered(effects, bob, is_yes=False), alice)
    assert told(came, "friend") == [{"friend": "bob", "state": "rejected"}]
    assert names(alice) == names(bob) == []


def test_two_who_ask_each_other_are_friends(alice: SimPeer, bob: SimPeer) -> None:
    to_bob, to_alice = asked(ask(alice, bob), alice), asked(ask(bob, alice), bob)
    first = deliver(to_bob, bob)
    second = deliver(to_alice, alice)
    assert (names(alice), names(bob)) == (["bob"], ["alice"])
    deliver(answered(first, bob), alice)
    deliver(answered(second, alice), bob)
    assert (names(alice), names(bob)) == (["bob"], ["alice"])


def test_asking_somebody_who_has_asked_accepts(alice: SimPeer, bob: SimPeer) -> None:
    deliver(asked(ask(alice, bob), alice), bob)
    assert ask(bob, alice)[0] == api.FriendAdded("alice", "friends")


def test_a_tracker_that_lies_about_a_key_is_caught_by_the_code(
    alice: SimPeer, bob: SimPeer, world: Simulation
) -> None:
    with pytest.raises(PeerError) as caught:
        ask(alice, bob, pinned=bob.keys.identity, found=stranger(world))
    assert code_of(caught) is Code.KEY_MISMATCH
    assert alice.database.read(roster.requests) == []


def test_a_forged_request_is_refused_and_not_kept(alice: SimPeer, bob: SimPeer) -> None:
    message = asked(ask(alice, bob), alice)
    broken = message.signed[:-1] + bytes((message.signed[-1] ^ 1,))
    with pytest.raises(WireError):
        deliver(friends.FriendAsked(message.name, broken, message.at), bob)
    with pytest.raises(WireError):
        deliver(friends.FriendAsked(AccountName("carol"), message.signed, message.at), bob)
    assert bob.database.read(roster.requests) == []


@pytest.mark.parametrize("days", [-400, 400])
def test_a_request_of_somebody_whose_clock_is_off_counts_and_no_request_counts_twice(
    alice: Any, bob: Any, world: Any, days: Any
) -> None:
    world.now += 1000 * 24 * 3_600_000
    message = asked(ask(alice, bob), alice)
    world.now += days * 24 * 3_600_000
    assert deliver(message, bob) != []
    bob.database.write(
        befriending.answer, bob.keys, AccountName("alice"), accept=False, now=world.now
    )
    world.now += 400 * 24 * 3_600_000
    assert deliver(message, bob) == []
    assert bob.database.read(roster.requests) == []


def test_removing_a_friend_closes_the_links(alice: SimPeer, bob: SimPeer) -> None:
    befriend(alice, bob)
    effects = alice.database.write(befriending.remove, "bob", UnixMillis(1))[1]
    assert any(isinstance(e, CloseLinks) for e in effects)
    assert names(alice) == []


@pytest.mark.parametrize(
    ("to", "code"), [("alice", Code.FRIEND_SELF), ("bob", Code.ALREADY_FRIENDS)]
)
def test_asking_oneself_or_a_friend_is_refused(
    alice: SimPeer, bob: SimPeer, to: str, code: Code
) -> None:
    befriend(alice, bob)
    with pytest.raises(PeerError) as caught:
        ask(alice, bob, to=to)
    assert code_of(caught) is code


def test_a_note_that_is_too_long_is_refused(alice: SimPeer, bob: SimPeer) -> None:
    with pytest.raises(PeerError) as caught:
        ask(alice, bob, note="x" * 301)
    assert code_of(caught) is Code.TEXT_LENGTH


def test_answering_a_request_that_never_came_is_refused(alice: SimPeer) -> None:
    with pytest.raises(PeerError) as caught:
        answer(alice, "bob")
    assert code_of(caught) is Code.FRIEND_REQUEST_UNKNOWN


def test_a_removed_friend_may_not_link_or_talk(
    alice: SimPeer, bob: SimPeer, world: Simulation
) -> None:
    befriend(alice, bob)
    effects = deliver(friends.FriendRemoved(AccountName("alice")), bob)
    assert told(effects, "friend") == [{"friend": "alice", "state": "removed"}]
    with pytest.raises(WireError):
        contacts.may_link(bob.database.connection, alice.keys.identity)
    with pytest.raises(PeerError) as caught:
        bob.database.write(
            conversations.say, bob.keys, "alice", "x", None, world.wall(), bob.entropy
        )
    assert code_of(caught) is Code.NO_SUCH_FRIEND


def test_a_blocked_person_is_not_heard_until_unblocked(alice: SimPeer, bob: SimPeer) -> None:
    alice.database.write(befriending.block, AccountName("bob"), True, UnixMillis(1))
    assert deliver(asked(ask(bob, alice), bob), alice) == []
    with pytest.raises(PeerError) as caught:
        ask(alice, bob)
    assert code_of(caught) is Code.BLOCKED
    alice.database.write(befriending.block, AccountName("bob"), False, UnixMillis(2))
    assert told(deliver(asked(ask(bob, alice), bob), alice), "friend-request") != []


def row(peer: SimPeer, show: Show = Show.BUSY) -> Friend:
    return friends.Friend(AccountName(peer.name), peer.keys.identity, show, "lunch", 5)


def test_the_trackers_list_gives_presence_of_friends_and_of_nobody_else(
    alice: SimPeer, bob: SimPeer, world: Simulation
) -> None:
    befriend(alice, bob)
    carol = SimPeer.make(world, "carol")
    rows = [row(bob), row(carol)]
    effects = alice.database.write(roster.on_friends, rows, world.wall())
    assert told(effects, "presence") == [{"friend": "bob", "presence": "busy", "text": "lunch"}]
    assert names(alice) == ["bob"]
    alice.database.write(roster.tracker_lost)
    assert alice.database.read(roster.list_friends, online_only=True) == []


def test_a_friend_that_the_list_names_no_longer_has_left(
    alice: SimPeer, bob: SimPeer, world: Simulation
) -> None:
    befriend(alice, bob)
    assert alice.database.write(roster.on_friends, [], world.wall()) == []  # never listed: kept
    assert names(alice) == ["bob"]
    alice.database.write(roster.on_friends, [row(bob)], world.wall())
    effects = alice.database.write(roster.on_friends, [], world.wall())
    assert told(effects, "friend") == [{"friend": "bob", "state": "removed"}]
    assert names(alice) == []


def test_presence_of_a_stranger_is_ignored(alice: SimPeer) -> None:
    said = PresenceChanged(AccountName("carol"), Show.AVAILABLE, "", 0)
    assert deliver(said, alice) == []


def test_a_device_id_belongs_to_one_identity_for_ever(
    alice: SimPeer, bob: SimPeer, world: Simulation
) -> None:
    befriend(alice, bob)
    entropy = bob.entropy
    twin = first_device(entropy.bytes(32), "twin", now=world.wall(), entropy=entropy)
    connection = alice.database.connection
    connection.execute("UPDATE devices SET device = ?", (twin.device,))
    carol = SimPeer.make(world, "carol")
    carol.keys = twin
    carol.database.write(own.remember, twin, AccountName("carol"), None, b"v", 1, world.wall())
    with pytest.raises(WireError) as caught:
        befriend(carol, alice)
    assert code_of(caught) is Code.IDENTITY_MISMATCH
