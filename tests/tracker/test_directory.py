from __future__ import annotations

import msgspec

from tests.harness.people import person
from tests.tracker.world import World
from tracker import directory
from tracker.effects import AddressesPut
from wire.codes import Code
from wire.ids import AccountName, RequestId
from wire.machine import UnixMillis
from wire.messages.reach import AskDirectory, DeviceRecord, Directory
from wire.messages.session import Done


def test_a_friend_and_the_own_account_see_devices_and_addresses(world: World) -> None:
    alice, bob = world.joins("alice"), world.joins("bob")
    world.befriend(alice, bob)
    message = alice.addresses()
    caller = world.caller(alice)
    outcome = world.do(directory.put_addresses, caller, message)
    assert outcome.answer == Done(RequestId(6))
    assert outcome.effects == (AddressesPut(caller, alice.keys.certificate, message.signed),)
    account = world.account(alice)
    for asker in (alice, bob):
        found = world.do(
            directory.ask_directory, world.caller(asker), AskDirectory(RequestId(9), alice.name)
        )
        record = DeviceRecord(alice.keys.certificate, message.signed, False)
        assert found == (
            account.id,
            Directory(RequestId(9), alice.name, alice.identity, alice.keys.device_list, (record,)),
        )


def test_to_a_stranger_an_account_looks_like_none(world: World) -> None:
    alice, carol = world.joins("alice"), world.joins("carol")
    caller = world.caller(carol)
    for name in (alice.name, AccountName("nobody.here")):
        code = world.refused(directory.ask_directory, caller, AskDirectory(RequestId(9), name))
        assert code is Code.NOT_FRIENDS


def test_addresses_that_the_device_did_not_sign_are_refused(world: World) -> None:
    alice, bob = world.joins("alice"), world.joins("bob")
    caller = world.caller(alice)
    code = world.refused(directory.put_addresses, caller, bob.addresses())
    assert code is Code.SIGNATURE_INVALID
    rubbish = msgspec.structs.replace(bob.addresses(), signed=b"rubbish")
    assert world.refused(directory.put_addresses, caller, rubbish) is Code.DECODE
    twin = person("bob")
    twin.keys = type(twin.keys)(
        twin.keys.device,
        twin.keys.identity,
        twin.keys.link_private,
        alice.keys.signing_seed,
        twin.keys.certificate,
        twin.keys.device_list,
    )
    code = world.refused(directory.put_addresses, caller, twin.addresses())
    assert code is Code.IDENTITY_MISMATCH


def test_a_device_that_lost_its_right_publishes_nothing(world: World) -> None:
    alice = world.joins("alice")
    caller = world.caller(alice)
    world.store.revoke(caller.device, UnixMillis(5))
    code = world.refused(directory.put_addresses, caller, alice.addresses())
    assert code is Code.DEVICE_UNKNOWN
