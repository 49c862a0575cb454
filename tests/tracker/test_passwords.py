"""Another password, and the end of an account: what only the password may do, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.harness.people import Person, person
from tests.tracker.world import NOW, World
from tracker import accounts, friends, passwords
from tracker.effects import CloseDevice, EndLogins, Outcome, Parted, TellAll
from wire.codes import Code
from wire.identity import public_of
from wire.ids import AccountName, AuthKey, IdentityKey, LinkKey, RequestId
from wire.machine import UnixMillis
from wire.messages.accounts import AskKdf, ChangePassword
from wire.messages.friends import BlockUser, FriendRemoved
from wire.messages.session import Done

LATER = UnixMillis(NOW + 5000)
FOLLOWING = b"f" * 32


@pytest.fixture
def alice(world: World) -> Person:
    return world.joins("alice")


@pytest.fixture
def bob(world: World) -> Person:
    return world.joins("bob")


def change(world: World, someone: Person, message: ChangePassword, channel: Any = None) -> Outcome:
    account = world.account(someone).id
    return world.do(
        passwords.change_password, account, message, channel or someone.channel(), LATER
    )


def change_refused(
    world: World, someone: Person, message: ChangePassword, channel: Any = None
) -> Code:
    account = world.account(someone).id
    channel = channel or someone.channel()
    return world.refused(passwords.change_password, account, message, channel, LATER)


def delete(world: World, someone: Person) -> Outcome:
    account = world.account(someone).id
    return world.do(passwords.delete_account, account, someone.delete_account(), someone.channel())


def test_all_that_hangs_on_the_password_changes_at_once(world: World, alice: Person) -> None:
    outcome = change(world, alice, alice.change_password())
    assert outcome.answer == Done(RequestId(7))
    assert outcome.effects == (EndLogins(world.account(alice).id),)
    account = world.account(alice)
    assert account.auth_key == public_of(FOLLOWING)
    assert (account.vault, account.vault_counter, account.vault_changed) == (b"vault 2", 2, LATER)
    kdf: Any = world.do(accounts.ask_kdf, AskKdf(RequestId(1), alice.name)).answer
    assert (kdf.salt, kdf.passes, kdf.has_recovery_key) == (b"t" * 16, 4, True)
    assert (account.identity, account.device_list) == (alice.identity, alice.keys.device_list)


def test_afterwards_the_following_password_logs_in_and_the_former_does_not(
    world: World, alice: Person
) -> None:
    change(world, alice, alice.change_password())
    channel = alice.channel()
    assert world.refused(accounts.log_in, alice.log_in(), channel) is Code.WRONG_PASSWORD
    changed = replace(alice, auth_seed=FOLLOWING)
    account, _ = world.do(accounts.log_in, changed.log_in(), channel)
    assert account.vault == b"vault 2"


def test_devices_go_on_with_their_link_keys(world: World, alice: Person) -> None:
    change(world, alice, alice.change_password())
    assert world.caller(alice).device == alice.keys.device


@pytest.mark.parametrize("wrong", ["password", "link", "tracker", "auth_key", "vault", "name"])
def test_a_change_needs_the_former_password_on_this_link_for_this_change(
    world: World, alice: Person, wrong: str
) -> None:
    channel, message = alice.channel(), alice.change_password()
    match wrong:
        case "password":
            message = replace(alice, auth_seed=b"w" * 32).change_password()
        case "link":
            message = alice.change_password(
                channel=structs.replace(channel, handshake_hash=b"x" * 32)
            )
        case "tracker":
            message = alice.change_password(
                channel=structs.replace(channel, tracker_key=LinkKey(b"x" * 32))
            )
        case "auth_key":
            message = msgspec.structs.replace(message, auth_key=AuthKey(b"o" * 32))
        case "vault":
            message = msgspec.structs.replace(message, vault=b"another")
        case _:
            message = replace(alice, name=AccountName("alicia")).change_password()
    assert change_refused(world, alice, message) is Code.WRONG_PASSWORD


@pytest.mark.parametrize("counter", [0, 1])
def test_a_vault_that_does_not_go_up_is_refused(world: World, alice: Person, counter: int) -> None:
    message = alice.change_password(vault_counter=counter)
    assert change_refused(world, alice, message) is Code.VAULT_ROLLBACK


def test_of_two_changes_at_once_one_wins(world: World, alice: Person) -> None:
    first, second = alice.change_password(), alice.change_password(b"g" * 32)
    change(world, alice, first)
    assert change_refused(world, alice, second) is Code.WRONG_PASSWORD
    assert change_refused(world, alice, first) is Code.WRONG_PASSWORD


def test_a_deleted_account_leaves_nothing_behind(world: World, alice: Person, bob: Person) -> None:
    world.befriend(alice, bob)
    laptop = alice.with_device("laptop")
    account = world.account(alice).id
    world.do(accounts.add_device, account, laptop.add_device(), laptop.channel(), NOW)
    world.store.put_state(account, 1, b"state")
    delete(world, alice)
    tables = [
        row[0]
        for row in world.connection.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'deleted'"
        )
    ]
    counts = {
        table: world.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        for table in tables
    }
    assert {table: count for table, count in counts.items() if count} == {
        "accounts": 1,
        "devices": 1,
    }
    assert world.store.account_named(alice.name) is None
    assert world.identities(bob) == []
    assert world.refused(accounts.admit, alice.keys.link_key) is Code.DEVICE_UNKNOWN


def test_friends_and_whom_one_asked_hear_of_the_end_and_nobody_else(
    world: World, alice: Person, bob: Person
) -> None:
    carol, dave, erin = world.joins("carol"), world.joins("dave"), world.joins("erin")
    world.befriend(alice, bob)
    world.asks(alice, carol)
    world.do(friends.block_user, world.caller(dave), _block(alice), NOW)
    world.asks(alice, dave)
    world.asks(erin, alice)
    me, them = world.account(alice).id, world.account(bob).id
    asked = world.account(carol).id
    outcome = delete(world, alice)
    assert outcome.answer == Done(RequestId(8))
    assert outcome.effects == (
        Parted(me, them),
        TellAll((them, asked), FriendRemoved(alice.name)),
        CloseDevice(me, alice.keys.device, Code.ACCOUNT_DELETED),
        EndLogins(me),
    )


def _block(someone: Person) -> BlockUser:
    from wire.messages.friends import BlockUser

    return BlockUser(RequestId(9), someone.name)


def test_a_name_is_free_at_once_and_its_number_is_never_given_again(
    world: World, alice: Person, bob: Person
) -> None:
    delete(world, bob)
    number = world.account(alice).id
    other = person("bob", salt="other")
    world.do(accounts.register, other.register(), other.channel(), NOW)
    assert world.account(other).identity == other.identity
    assert world.account(other).id > number + 1
    again = replace(bob, name=AccountName("bobby"))  # the same identity and device come back
    world.do(accounts.register, again.register(), again.channel(), NOW)
    assert world.account(again).identity == IdentityKey(bob.identity)


@pytest.mark.parametrize("wrong", ["password", "link", "login"])
def test_deleting_needs_the_password_on_this_link_for_this(
    world: World, alice: Person, wrong: str
) -> None:
    channel = alice.channel()
    message = alice.delete_account()
    match wrong:
        case "password":
            message = replace(alice, auth_seed=b"w" * 32).delete_account()
        case "link":
            message = alice.delete_account(structs.replace(channel, handshake_hash=b"x" * 32))
        case _:
            message = msgspec.structs.replace(message, signature=alice.log_in().signature)
    account = world.account(alice).id
    code = world.refused(passwords.delete_account, account, message, channel)
    assert code is Code.WRONG_PASSWORD


def test_what_is_asked_for_a_deleted_account_is_refused(world: World, alice: Person) -> None:
    caller, account = world.caller(alice), world.account(alice).id
    delete(world, alice)
    message = alice.change_password()
    channel = alice.channel()
    code = world.refused(passwords.change_password, account, message, channel, LATER)
    assert code is Code.NOT_LOGGED_IN
    code = world.refused(passwords.delete_account, account, alice.delete_account(), channel)
    assert code is Code.NOT_LOGGED_IN
    assert world.refused(accounts.enter, caller, UnixMillis(0), NOW) is Code.NOT_LOGGED_IN
