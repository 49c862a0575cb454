from __future__ import annotations

import builtins
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.harness.people import Person, person
from tests.tracker.world import NOW, World
from tracker import accounts
from tracker.effects import Channel, CloseDevice, Outcome, Tell, TellAll
from wire import limits
from wire.codes import Code
from wire.identity import read_device_list, revoke_device
from wire.ids import AccountName, LinkKey, RequestId
from wire.machine import UnixMillis
from wire.messages.accounts import AskKdf, DeviceAdded, Kdf, LoggedIn, LogOut
from wire.messages.friends import AskUser, DevicesChanged, User
from wire.messages.session import Done

LATER = UnixMillis(NOW + 1000)


def register(world: World, someone: Person, **changes: Any) -> Outcome:
    message = msgspec.structs.replace(someone.register(), **changes)
    return world.do(accounts.register, message, someone.channel(), NOW)


def register_refused(
    world: World, someone: Person, channel: Channel | None = None, **changes: Any
) -> Code:
    message = msgspec.structs.replace(someone.register(), **changes)
    return world.refused(accounts.register, message, channel or someone.channel(), NOW)


def test_a_registration_stores_what_the_tracker_may_know_and_admits_the_device(
    world: World,
) -> None:
    alice = person("alice")
    assert register(world, alice).answer == Done(RequestId(1))
    account = world.account(alice)
    assert (account.name, account.identity) == ("alice", alice.identity)
    assert (account.vault, account.vault_counter, account.list_counter) == (b"vault 1", 1, 1)
    assert (account.registered, account.last_seen, account.role) == (NOW, 0, "user")
    caller = world.caller(alice)
    assert (caller.account, caller.name, caller.device) == (account.id, "alice", alice.keys.device)


def test_of_two_who_want_one_name_exactly_one_gets_it(world: World) -> None:
    register(world, person("alice"))
    assert register_refused(world, person("alice", salt="other")) is Code.NAME_TAKEN


def test_a_registration_whose_answer_was_lost_may_be_repeated(world: World) -> None:
    alice = person("alice")
    register(world, alice)
    before = world.connection.total_changes
    assert register(world, alice).answer == Done(RequestId(1))
    assert world.connection.total_changes == before


def test_an_identity_or_a_device_has_one_account(world: World) -> None:
    alice = world.joins("alice")
    other = replace(alice, name=AccountName("alicia"))
    assert register_refused(world, other) is Code.ALREADY_REGISTERED


@pytest.mark.parametrize("name", ["admin", "tracker", "me", "all"])
def test_a_reserved_name_is_refused(world: World, name: str) -> None:
    assert register_refused(world, person(name)) is Code.NAME_RESERVED


def test_a_registration_is_bound_to_its_link(world: World) -> None:
    alice, mallory = person("alice"), person("mallory")
    other_link = structs.replace(alice.channel(), handshake_hash=b"x" * 32)
    assert register_refused(world, alice, other_link) is Code.SIGNATURE_INVALID
    other_tracker = structs.replace(alice.channel(), tracker_key=LinkKey(b"x" * 32))
    assert register_refused(world, alice, other_tracker) is Code.SIGNATURE_INVALID
    other_name = register_refused(world, alice, name=AccountName("alicia"))
    assert other_name is Code.SIGNATURE_INVALID
    stolen = structs.replace(alice.channel(), remote_static=mallory.keys.link_key)
    assert register_refused(world, alice, stolen) is Code.IDENTITY_MISMATCH


def test_a_device_that_its_identity_does_not_vouch_for_is_refused(world: World) -> None:
    alice, mallory = person("alice"), person("mallory")
    keys = mallory.keys
    code = register_refused(world, alice, certificate=keys.certificate)
    assert code is Code.IDENTITY_MISMATCH
    code = register_refused(world, alice, device_list=keys.device_list)
    assert code is Code.IDENTITY_MISMATCH
    assert register_refused(world, alice, certificate=b"rubbish") is Code.DECODE


def test_how_a_password_becomes_keys_is_told_to_everybody(world: World) -> None:
    alice = world.joins("alice")
    answer = world.do(accounts.ask_kdf, AskKdf(RequestId(9), alice.name)).answer
    assert answer == Kdf(
        RequestId(9), b"s" * 16, limits.KDF_MEMORY_KIB, limits.KDF_PASSES, limits.KDF_LANES, False
    )
    assert (
        world.refused(accounts.ask_kdf, AskKdf(RequestId(9), AccountName("bob")))
        is Code.NO_SUCH_USER
    )


def test_that_a_name_exists_is_public(world: World) -> None:
    alice = world.joins("alice")
    answer = world.do(accounts.ask_user, AskUser(RequestId(9), alice.name)).answer
    assert answer == User(RequestId(9), alice.name, alice.identity)
    assert (
        world.refused(accounts.ask_user, AskUser(RequestId(9), AccountName("bob")))
        is Code.NO_SUCH_USER
    )


def test_a_login_gives_what_a_fresh_machine_needs(world: World) -> None:
    alice = world.joins("alice")
    laptop = person("alice", salt="laptop").channel()
    account, outcome = world.do(accounts.log_in, alice.log_in(laptop), laptop)
    assert account.id == world.account(alice).id
    assert outcome.answer == LoggedIn(
        RequestId(2), alice.identity, b"vault 1", 1, NOW, alice.keys.device_list, 0
    )


def test_a_login_is_bound_to_password_link_and_tracker(world: World) -> None:
    alice = world.joins("alice")
    message, channel = alice.log_in(), alice.channel()
    wrong = replace(alice, auth_seed=b"w" * 32).log_in()
    assert world.refused(accounts.log_in, wrong, channel) is Code.WRONG_PASSWORD
    for other in (
        structs.replace(channel, handshake_hash=b"x" * 32),
        structs.replace(channel, tracker_key=LinkKey(b"x" * 32)),
    ):
        assert world.refused(accounts.log_in, message, other) is Code.WRONG_PASSWORD
    bob = person("bob")
    assert world.refused(accounts.log_in, bob.log_in(), bob.channel()) is Code.NO_SUCH_USER


# --- devices


def add(world: World, someone: Person) -> Outcome:
    account = world.account(someone)
    return world.do(accounts.add_device, account.id, someone.add_device(), someone.channel(), LATER)


def add_refused(
    world: World, someone: Person, channel: Channel | None = None, **changes: Any
) -> Code:
    message = msgspec.structs.replace(someone.add_device(), **changes)
    return world.refused(
        accounts.add_device,
        world.account(someone).id,
        message,
        channel or someone.channel(),
        LATER,
    )


def test_a_second_device_joins_and_everybody_concerned_is_told(world: World) -> None:
    alice, bob = world.joins("alice"), world.joins("bob")
    world.befriend(alice, bob)
    laptop = alice.with_device("laptop")
    outcome = add(world, laptop)
    account = world.account(alice)
    assert outcome.answer == Done(RequestId(3))
    assert outcome.effects == (
        TellAll((world.account(bob).id,), DevicesChanged(alice.name, laptop.keys.device_list)),
        Tell(account.id, DeviceAdded(laptop.keys.device, laptop.keys.device_list, LATER)),
    )
    assert (account.list_counter, account.vault, account.vault_changed) == (2, b"vault 2", LATER)
    assert world.caller(laptop).account == world.caller(alice).account


def test_a_list_that_does_not_go_up_is_refused(world: World) -> None:
    alice = world.joins("alice")
    laptop, phone = alice.with_device("laptop"), alice.with_device("phone")
    add(world, laptop)
    assert add_refused(world, phone) is Code.LIST_ROLLBACK


def test_a_vault_that_goes_back_is_refused(world: World) -> None:
    alice = world.joins("alice")
    laptop = alice.with_device("laptop")
    assert add_refused(world, laptop, vault_counter=0) is Code.VAULT_ROLLBACK


def test_a_device_comes_back_after_it_logged_out(world: World) -> None:
    alice = world.joins("alice")
    outcome = world.do(accounts.log_out, world.caller(alice), LogOut(RequestId(7)))
    account = world.account(alice)
    assert outcome.answer == Done(RequestId(7))
    assert outcome.effects == (CloseDevice(account.id, alice.keys.device, Code.GOODBYE),)
    assert world.refused(accounts.admit, alice.keys.link_key) is Code.DEVICE_UNKNOWN
    outcome = add(world, alice)
    assert outcome.answer == Done(RequestId(3))
    assert [type(effect) for effect in outcome.effects] == [Tell]
    assert world.caller(alice).device == alice.keys.device


def test_a_device_of_another_account_cannot_be_taken_over(world: World) -> None:
    alice, bob = world.joins("alice"), world.joins("bob")
    laptop = alice.with_device("laptop")
    assert add_refused(world, laptop, bob.channel()) is Code.IDENTITY_MISMATCH
    stolen = replace(laptop, name=bob.name)
    assert add_refused(world, stolen) is Code.IDENTITY_MISMATCH


def test_a_device_id_that_another_account_has_is_refused(world: World) -> None:
    alice, bob = world.joins("alice"), world.joins("bob")

    class Loaded:
        """Dice that throw another's device id first."""

        def __init__(self, first: bytes) -> None:
            self.first: bytes | None = first

        def bytes(self, count: int) -> bytes:
            first, self.first = self.first, None
            return first if first is not None else alice.entropy.bytes(count)

        def kem_encapsulate(
            self, public_key: builtins.bytes
        ) -> tuple[builtins.bytes, builtins.bytes]:
            raise AssertionError(public_key)

        def seal(
            self, plaintext: builtins.bytes, public_key: builtins.bytes, info: builtins.bytes
        ) -> builtins.bytes:
            raise AssertionError(public_key)

    twin = replace(alice, entropy=Loaded(bob.keys.device)).with_device("twin")
    assert add_refused(world, twin) is Code.ALREADY_REGISTERED


def test_devices_that_a_new_list_revokes_lose_their_right_at_once(world: World) -> None:
    alice = world.joins("alice")
    laptop = alice.with_device("laptop")
    add(world, laptop)
    shorter = revoke_device(
        alice.seed,
        read_device_list(laptop.keys.device_list, alice.identity),
        alice.keys.device,
        now=LATER,
    )
    phone = replace(laptop, keys=replace(laptop.keys, device_list=shorter)).with_device("phone")
    outcome = add(world, phone)
    account = world.account(alice)
    assert CloseDevice(account.id, alice.keys.device, Code.DEVICE_REVOKED) in outcome.effects
    assert world.refused(accounts.admit, alice.keys.link_key) is Code.DEVICE_REVOKED
    assert world.caller(laptop)
    assert add_refused(world, alice) is Code.DEVICE_REVOKED
    tablet = phone.with_device("tablet")
    assert [e for e in add(world, tablet).effects if isinstance(e, CloseDevice)] == []


def test_an_unknown_device_is_not_admitted(world: World) -> None:
    assert world.refused(accounts.admit, person("alice").keys.link_key) is Code.DEVICE_UNKNOWN


# --- entering


def test_entering_tells_what_the_account_has_and_what_waits(world: World) -> None:
    alice, bob, carol = world.joins("alice"), world.joins("bob"), world.joins("carol")
    world.befriend(alice, bob)
    signed = world.asks(carol, alice)
    snapshot = world.do(accounts.enter, world.caller(alice), UnixMillis(0), LATER)
    assert snapshot.account == world.account(alice)
    assert [(row.name, row.identity) for row in snapshot.friends] == [("bob", bob.identity)]
    assert [(row.name, row.signed) for row in snapshot.requests] == [("carol", signed)]
    assert [(row.name, row.is_yes) for row in snapshot.answers] == [("bob", True)]
    device = world.store.device(alice.keys.device)
    assert device is not None
    assert device.last_seen == LATER


def test_what_has_expired_is_not_told_at_entering(world: World) -> None:
    alice, bob, carol = world.joins("alice"), world.joins("bob"), world.joins("carol")
    world.befriend(alice, bob)
    world.asks(carol, alice)
    snapshot = world.do(accounts.enter, world.caller(alice), UnixMillis(NOW + 1), LATER)
    assert (snapshot.requests, snapshot.answers) == ([], [])


def test_a_device_that_lost_its_right_since_it_was_admitted_does_not_enter(world: World) -> None:
    alice = world.joins("alice")
    caller = world.caller(alice)
    world.do(accounts.log_out, caller, LogOut(RequestId(1)))
    enter = (accounts.enter, caller, UnixMillis(0), LATER)
    assert world.refused(*enter) is Code.DEVICE_UNKNOWN
    world.store.sign_on(caller.device, alice.keys.certificate)
    world.store.revoke(caller.device, LATER)
    assert world.refused(*enter) is Code.DEVICE_REVOKED
    world.connection.execute("DELETE FROM accounts")
    assert world.refused(*enter) is Code.NOT_LOGGED_IN
