"""What the tracker holds of somebody, told to that person: all of it, in pages, and nothing of others' secrets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness.people import Person
from tests.tracker.world import NOW, World
from tracker import accounts, friends, held
from tracker.storage.port import NEVER, Device
from tracker.storage.port_mail import Item
from wire import codec, limits
from wire.ids import DeviceId, LinkKey, RequestId
from wire.messages import Purpose
from wire.messages.friends import BlockUser
from wire.messages.held import (
    AskAccount,
    AskHeldDevices,
    AskHeldPeople,
    HeldDevice,
    HeldPerson,
    Tie,
)


@pytest.fixture
def alice(world: World) -> Person:
    return world.joins("alice")


def people(world: World, someone: Person, tie: Tie) -> list[HeldPerson]:
    """Read all pages of one tie."""
    found: list[HeldPerson] = []
    after = ""
    while True:
        message = AskHeldPeople(RequestId(1), tie, after)
        answer: Any = world.do(held.ask_held_people, world.caller(someone), message).answer
        assert len(codec.encode(Purpose.TRACKER, answer)) <= limits.PAGE_BYTES + 64
        found += answer.people
        if answer.is_last:
            return found
        after = answer.people[-1].name


def devices(world: World, someone: Person) -> list[HeldDevice]:
    found: list[HeldDevice] = []
    after = b""
    while True:
        message = AskHeldDevices(RequestId(1), after)
        answer: Any = world.do(held.ask_held_devices, world.caller(someone), message).answer
        assert len(codec.encode(Purpose.TRACKER, answer)) <= limits.PAGE_BYTES
        found += answer.devices
        if answer.is_last:
            return found
        after = answer.devices[-1].device


def test_the_account_itself_is_told_whole(world: World, alice: Person) -> None:
    world.store.put_state(world.account(alice).id, 3, b"sealed state")
    answer: Any = world.do(held.ask_account, world.caller(alice), AskAccount(RequestId(5))).answer
    account = world.account(alice)
    assert (answer.request, answer.name, answer.identity) == (5, "alice", alice.identity)
    assert (answer.registered, answer.role, answer.salt) == (NOW, "user", account.kdf.salt)
    assert (answer.vault, answer.vault_counter) == (account.vault, 1)
    assert (answer.state_version, answer.state_bytes) == (3, 12)
    assert (answer.device_list, answer.list_counter) == (alice.keys.device_list, 1)


def test_devices_come_with_addresses_and_when_they_were_there(world: World, alice: Person) -> None:
    caller = world.caller(alice)
    world.store.put_addresses(caller.device, b"a" * limits.ADDRESS_RECORD_BYTES)
    world.do(accounts.enter, caller, NEVER, NOW)
    for number in range(1, 3 * limits.HELD_DEVICES):
        world.store.add_device(
            Device(
                id=DeviceId(bytes([number]) * 16),
                account=caller.account,
                link_key=LinkKey(bytes([number]) * 32),
                certificate=b"c" * limits.CERTIFICATE_BYTES,
                addresses=b"a" * limits.ADDRESS_RECORD_BYTES,
                is_signed_off=True,
                revoked=NEVER,
                added=NOW,
                last_seen=NEVER,
            )
        )
    found = devices(world, alice)
    assert len(found) == 3 * limits.HELD_DEVICES
    assert [d.device for d in found] == sorted(d.device for d in found)
    [mine] = [d for d in found if d.device == caller.device]
    assert (mine.last_seen, mine.added, mine.is_signed_off) == (NOW, NOW, False)
    assert mine.link_key == alice.keys.link_key


def test_mail_that_waits_is_counted(world: World, alice: Person) -> None:
    bob = world.joins("bob")
    device = world.caller(alice).device
    world.store.put_prekey(device, 1, b"prekey")
    for number in range(3):
        mail = Item(
            device=device,
            sender=world.account(bob).id,
            sender_device=bob.keys.device,
            item=bytes([number]) * 16,
            prekey=1,
            sealed=b"s" * 1000,
        )
        world.store.put_mail(mail, NOW)
    [held_device] = devices(world, alice)
    assert (held_device.mail_items, held_device.mail_bytes, held_device.prekeys) == (3, 3000, 1)
    assert held_device.mail_left == 1
    [held_device] = devices(world, bob)
    assert held_device.mail_left == 4


def test_every_tie_is_told_from_its_own_side(world: World, alice: Person) -> None:
    bob, carol, dave = world.joins("bob"), world.joins("carol"), world.joins("dave")
    world.befriend(alice, bob)
    to_carol = world.asks(alice, carol)
    from_dave = world.asks(dave, alice)
    assert [(p.name, p.identity, p.at) for p in people(world, alice, Tie.FRIEND)] == [
        ("bob", bob.identity, NOW)
    ]
    assert [(p.name, p.signed) for p in people(world, alice, Tie.ASKED_BY_ME)] == [
        ("carol", to_carol)
    ]
    assert [(p.name, p.signed) for p in people(world, alice, Tie.ASKED_ME)] == [("dave", from_dave)]
    assert [p.name for p in people(world, alice, Tie.ANSWERED_ME)] == ["bob"]
    assert [p.name for p in people(world, bob, Tie.ANSWERED_BY_ME)] == ["alice"]
    world.do(friends.block_user, world.caller(alice), BlockUser(RequestId(1), carol.name), NOW)
    assert [p.name for p in people(world, alice, Tie.BLOCKED)] == ["carol"]


def test_a_request_to_somebody_who_blocked_me_looks_like_any_other(
    world: World, alice: Person
) -> None:
    bob, carol = world.joins("bob"), world.joins("carol")
    world.do(friends.block_user, world.caller(bob), BlockUser(RequestId(1), alice.name), NOW)
    world.asks(alice, bob)
    world.asks(alice, carol)
    asked = people(world, alice, Tie.ASKED_BY_ME)
    assert [person.name for person in asked] == ["bob", "carol"]
    assert [len(person.signed) > 0 for person in asked] == [True, True]


def test_long_lists_come_in_pages(world: World, alice: Person) -> None:
    others = [world.joins(f"person{number:03}") for number in range(2 * limits.HELD_PEOPLE + 1)]
    for other in others:
        world.asks(other, alice)
    found = people(world, alice, Tie.ASKED_ME)
    assert [person.name for person in found] == [other.name for other in others]
    assert people(world, alice, Tie.FRIEND) == []
