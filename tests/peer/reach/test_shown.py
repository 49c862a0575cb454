"""Who gets the key of our address records, who loses it by another one taking its place, and what each can read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from peer import api
from peer.effects import CloseLinks, SendOnLink, WantLink
from peer.mail import postbox
from peer.people import roster
from peer.reach import shown
from peer.settings import preferences
from peer.store.devices import note_addresses
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire import limits
from wire.channel.primitives import hkdf, seal
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import AddressRecord, Host, issue_addresses, open_places, seal_places
from wire.ids import BootId
from wire.machine import UnixMillis
from wire.messages.reach import AddressKey

NOW = UnixMillis(1_900_000_000_000)
HOSTS = (Host("8.8.8.8", 4000), Host("2a01::1", 4000, is_mapped=True))


@pytest.fixture
def world() -> tuple[SimPeer, SimPeer, SimPeer]:
    world = Simulation(7)
    alice, bob, carol = (SimPeer.make(world, name) for name in ("alice", "bob", "carol"))
    befriend(alice, bob)
    befriend(alice, carol)
    return alice, bob, carol


def key_of(peer: SimPeer) -> tuple[bytes, list[Any]]:
    key: bytes
    key, effects = peer.database.write(shown.need_key, peer.entropy)
    return key, effects


def owed(peer: SimPeer) -> list[str]:
    return sorted(name for name, _, _ in peer.database.read(shown.owed))


def give(peer: SimPeer, other: SimPeer) -> None:
    keys = other.keys
    peer.database.write(shown.give, keys.device, keys.identity, NOW)


def set_relay_only(peer: SimPeer, friend: str | None, value: str = "on") -> None:
    key = preferences.need_key("relay-only")
    peer.database.write(preferences.put, key, value, friend)


def test_what_is_sealed_opens_with_that_key_alone_and_shows_not_how_much_it_is() -> None:
    alice = SimPeer.make(Simulation(1), "alice")
    device, key = alice.keys.device, b"k" * 32
    lengths = set()
    for hosts in ((), HOSTS, HOSTS * 4):
        sealed = seal_places(hosts, key, device, alice.entropy)
        record = AddressRecord(device, BootId(b"b" * 16), 1, (), sealed)
        lengths.add(len(sealed))
        assert open_places(record, key) == hosts
        for wrong in (b"x" * 32, b"k" * 31 + b"x"):
            with pytest.raises(RemoteProtocolError):
                open_places(record, wrong)
    assert len(lengths) == 1
    with pytest.raises(RemoteProtocolError):
        open_places(AddressRecord(device, BootId(b"b" * 16), 1, (), b"short"), key)


@pytest.mark.parametrize(
    "hosts",
    [
        [["8.8.8.8", 1]] * 9,
        [["1.1.1.1", 1]] * 10_000,  # which no record has room for: cut short as it stands
        [["8.8.8.8", 0]],
        [["8.8.8.8", 65_536]],
        [["x" * 65, 1]],
        [[]],
        [["8.8.8.8", [1]]],
    ],
)
def test_what_a_friend_seals_beyond_the_bounds_is_read_as_nothing(hosts: list[Any]) -> None:
    device, key, salt = SimPeer.make(Simulation(1), "alice").keys.device, b"k" * 32, b"s" * 16
    raw = msgspec.msgpack.encode([hosts])
    room = limits.SEALED_PLACES_BYTES - len(salt) - limits.TAG_BYTES
    plain = (min(len(raw), 65_535).to_bytes(2, "big") + raw).ljust(room, b"\0")[:room]
    sealed = salt + seal(hkdf(key, salt, b"hobnob/v1/addresses", 32), 0, device, plain)
    with pytest.raises(RemoteProtocolError) as caught:
        open_places(AddressRecord(device, BootId(b"b" * 16), 1, (), sealed), key)
    assert caught.value.code is not Code.ADDRESSES_SEALED


def test_every_friend_is_owed_the_key_until_it_was_given(
    world: tuple[SimPeer, SimPeer, SimPeer],
) -> None:
    alice, bob, _ = world
    assert owed(alice) == []  # nothing was published: there is no key
    key, effects = key_of(alice)
    assert (key_of(alice), effects, owed(alice)) == ((key, []), [], ["bob", "carol"])
    (sent,) = alice.database.write(shown.on_link, bob.keys.device, bob.keys.identity, NOW)
    assert sent == SendOnLink(bob.keys.device, AddressKey(key))
    assert owed(alice) == ["carol"]


def test_the_key_goes_by_mail_to_whoever_has_no_link(
    world: tuple[SimPeer, SimPeer, SimPeer],
) -> None:
    alice = world[0]
    key_of(alice)
    due, _ = alice.database.read(postbox.due, [], NOW)
    to = next(one for one in due if one.name == "bob")
    parcel = alice.database.read(postbox.compose, alice.keys, to, NOW)
    assert parcel is not None
    assert parcel.enclosed.has_key
    alice.database.write(postbox.left, parcel, b"i" * 16, NOW)
    assert owed(alice) == ["carol"]


def test_what_was_given_opens_the_record_and_leads_to_a_dial(
    world: tuple[SimPeer, SimPeer, SimPeer],
) -> None:
    alice, bob, _ = world
    key, _ = key_of(alice)
    sealed = seal_places(HOSTS, key, alice.keys.device, alice.entropy)
    record = AddressRecord(alice.keys.device, BootId(b"b" * 16), 1, (), sealed)
    bob.database.write(
        note_addresses, alice.keys.device, issue_addresses(alice.keys.signing_seed, record)
    )
    took = (alice.keys.device, alice.keys.identity, key)
    assert bob.database.write(shown.take, *took) == [WantLink(alice.keys.identity)]
    assert bob.database.write(shown.take, *took) == []
    (target,) = bob.database.read(roster.dial_targets, alice.keys.identity)
    assert target.address_key is not None
    assert open_places(record, target.address_key) == HOSTS
    nobody = (bob.keys.device, alice.keys.identity, b"x" * 32)
    assert bob.database.write(shown.take, *nobody) == []


def test_who_is_a_friend_no_more_makes_another_key_for_everybody_else(
    world: tuple[SimPeer, SimPeer, SimPeer],
) -> None:
    alice, bob, carol = world
    key, _ = key_of(alice)
    give(alice, bob)
    give(alice, carol)
    assert not alice.database.read(shown.is_stale)
    alice.database.write(
        lambda connection: connection.execute(
            "UPDATE contacts SET state = 'removed' WHERE name = 'bob'"
        )
    )
    assert alice.database.read(shown.is_stale)
    another, _ = key_of(alice)
    assert another != key
    assert (owed(alice), alice.database.read(shown.is_stale)) == (["carol"], False)


@pytest.mark.parametrize("friend", ["bob", None])
def test_relay_only_keeps_the_key_from_a_friend_who_had_it(
    world: tuple[SimPeer, SimPeer, SimPeer], friend: str | None
) -> None:
    alice, bob, carol = world
    key, _ = key_of(alice)
    give(alice, bob)
    assert not alice.database.read(shown.hides_from_somebody)
    set_relay_only(alice, friend)
    assert alice.database.read(shown.hides_from_somebody)
    assert alice.database.read(shown.is_hidden_from, bob.keys.identity)
    assert not alice.database.read(shown.is_hidden_from, alice.keys.identity)
    assert alice.database.read(shown.is_hidden_from, carol.keys.identity) is (friend is None)
    another, effects = key_of(alice)
    assert another != key
    assert [effect.identity for effect in effects if isinstance(effect, CloseLinks)] == [
        bob.keys.identity
    ]
    assert alice.database.write(shown.on_link, bob.keys.device, bob.keys.identity, NOW) == []
    assert owed(alice) == ([] if friend is None else ["carol"])
    set_relay_only(alice, friend, preferences.DEFAULT)
    assert owed(alice) == ["bob", "carol"]


def test_the_log_tells_who_was_given_it_newest_first(
    world: tuple[SimPeer, SimPeer, SimPeer],
) -> None:
    alice, bob, carol = world
    key_of(alice)
    give(alice, bob)
    set_relay_only(alice, "bob")
    key_of(alice)
    alice.database.write(shown.give, carol.keys.device, carol.keys.identity, UnixMillis(NOW + 1000))
    told: list[api.ShownTo] = alice.database.read(shown.log)
    assert [(one.friend, one.is_current) for one in told] == [("carol", True), ("bob", False)]
