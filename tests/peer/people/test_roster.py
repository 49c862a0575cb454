from __future__ import annotations

from typing import Any

import pytest

from peer.effects import Tell, WantLink
from peer.people import roster
from peer.store import own
from peer.store.devices import known_counter
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.errors import WireError
from wire.identity import AddressRecord, Host, add_device, issue_addresses, read_device_list
from wire.ids import AccountName, BootId, IdentityKey
from wire.machine import UnixMillis
from wire.messages import friends, reach
from wire.messages.accounts import DeviceAdded
from wire.messages.friends import DevicesChanged, FriendAdded
from wire.messages.presence import PresenceChanged, Show
from wire.messages.reach import AddressesChanged


@pytest.fixture
def world() -> Simulation:
    return Simulation(3)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def deliver(
    message: DeviceAdded | DevicesChanged | FriendAdded | PresenceChanged | AddressesChanged,
    to: SimPeer,
) -> Any:
    return to.database.write(roster.on_tracker, to.keys, message, to.world.wall())


def reached_at(peer: SimPeer, counter: int, name: str | None = None) -> AddressesChanged:
    record = AddressRecord(
        device=peer.keys.device,
        boot_id=BootId(b"b" * 16),
        counter=counter,
        hosts=(Host("127.0.0.1", 4000 + counter),),
    )
    signed = issue_addresses(peer.keys.signing_seed, record)
    return reach.AddressesChanged(
        AccountName(name or peer.name), peer.keys.device, peer.keys.certificate, signed
    )


def test_addresses_of_a_friend_are_kept_and_only_newer_ones_replace_them(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    newer, older = reached_at(bob, 2), reached_at(bob, 1)
    assert deliver(newer, alice) == [WantLink(bob.keys.identity)]
    deliver(older, alice)
    [target] = alice.database.read(roster.dial_targets, bob.keys.identity)
    assert (target.friend, target.addresses) == ("bob", newer.signed)
    assert target.link_key == bob.keys.link_key
    assert alice.database.read(roster.dial_targets) == [target]


def test_addresses_of_strangers_and_impostors_are_not_kept(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, _ = pair
    carol = SimPeer.make(world, "carol")
    assert deliver(reached_at(carol, 1), alice) == []
    with pytest.raises(WireError):
        deliver(reached_at(carol, 1, name="bob"), alice)
    [bob] = alice.database.read(roster.dial_targets)
    assert (bob.friend, bob.addresses) == ("bob", None)


def test_a_presence_that_changed_is_told_once(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    said = PresenceChanged(AccountName("bob"), Show.AWAY, "out", 0)
    told = [e.event.body for e in deliver(said, alice) if isinstance(e, Tell)]
    assert told == [{"friend": "bob", "presence": "away", "text": "out"}]
    assert deliver(said, alice) == [WantLink(bob.keys.identity)]
    gone = PresenceChanged(AccountName("bob"), Show.OFFLINE, "", 1_700_000_000_000)
    assert len(deliver(gone, alice)) == 1
    [friend] = alice.database.read(roster.list_friends, online_only=False)
    assert (friend.presence, friend.last_seen) == ("offline", "2023-11-14T22:13:20.000Z")


def test_a_friend_added_at_the_tracker_shows_with_presence(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = pair
    row = friends.Friend(AccountName("bob"), bob.keys.identity, Show.AVAILABLE, "", 0)
    deliver(friends.FriendAdded(row), alice)
    [friend] = alice.database.read(roster.list_friends, online_only=True)
    assert friend.friend == "bob"


def test_a_friends_list_counter_is_known_and_a_list_that_is_none_is_refused(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    known = alice.database.read(known_counter, bob.keys.identity)
    assert known == read_device_list(bob.keys.device_list, bob.keys.identity).counter == 1
    assert alice.database.read(known_counter, IdentityKey(b"s" * 32)) == 0
    with pytest.raises(WireError):
        deliver(friends.DevicesChanged(AccountName("bob"), b"no list"), alice)


def test_what_an_account_shows_is_remembered(pair: tuple[SimPeer, SimPeer]) -> None:
    alice, _ = pair
    assert alice.database.read(roster.own_presence) == (Show.AVAILABLE, "")
    alice.database.write(roster.set_own_presence, Show.BUSY, "deep in thought")
    alice.database.write(roster.set_own_presence, Show.BUSY, "still")
    assert alice.database.read(roster.own_presence) == (Show.BUSY, "still")


def test_counters_of_an_account_only_go_up(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, _ = pair
    first = alice.database.write(own.next_counter, world.wall())
    assert alice.database.write(own.next_counter, world.wall()) == first + 1
    assert alice.database.read(own.own_list).counter == 1
    alice.database.write(own.set_logged_in, False)
    account = alice.database.read(own.account)
    assert account is not None
    assert not account.is_logged_in


def test_addresses_of_our_other_devices_are_kept_and_our_own_are_not(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, _ = pair
    laptop = alice.log_in("alice-2")
    assert deliver(reached_at(laptop, 1, name="alice"), alice) == [WantLink(alice.keys.identity)]
    assert deliver(reached_at(alice, 1), alice) == []
    [target] = alice.database.read(roster.dial_targets, alice.keys.identity)
    assert (target.device, target.friend) == (laptop.keys.device, "alice")
    assert target.known_counter == 2


def test_another_device_that_logged_in_is_told_once_and_vouched_for(
    pair: tuple[SimPeer, SimPeer],
) -> None:
    alice, bob = pair
    listed = read_device_list(alice.keys.device_list, alice.keys.identity)
    keys = add_device(alice.seed, listed, "laptop", now=UnixMillis(1), entropy=alice.entropy)
    added = DeviceAdded(keys.device, keys.device_list, 1)
    told, _shown = deliver(added, alice)
    assert told.event.body["code"] == "device-added"
    assert deliver(added, alice) == []
    assert own.own_list(alice.database.connection).counter == 2
    with pytest.raises(WireError):
        deliver(DeviceAdded(keys.device, bob.keys.device_list, 1), alice)
