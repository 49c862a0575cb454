"""Taking devices off: at once, all of it or nothing, and only by a list that the identity signed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.harness.people import LATER, Person, person
from tests.tracker.world import World
from tracker import accounts, revoking, state
from tracker.effects import CloseDevice, Outcome, TellAll
from wire import limits
from wire.codes import Code
from wire.ids import Counter, RequestId
from wire.messages.accounts import AskState, RevokeDevice, StateKeyCopy
from wire.messages.friends import DevicesChanged
from wire.messages.session import Done


@pytest.fixture
def alice(world: World) -> Person:
    return world.joins("alice")


@pytest.fixture
def laptop(world: World, alice: Person) -> Person:
    """Alice at her second device."""
    laptop = alice.with_device("laptop")
    account = world.account(alice).id
    world.do(accounts.add_device, account, laptop.add_device(), laptop.channel(), LATER)
    return laptop


def revoke(world: World, someone: Person, message: RevokeDevice) -> Outcome:
    return world.do(revoking.revoke_device, world.account(someone).id, message, LATER)


def refused(world: World, someone: Person, message: RevokeDevice) -> Code:
    return world.refused(revoking.revoke_device, world.account(someone).id, message, LATER)


def copy_for(someone: Person) -> StateKeyCopy:
    return StateKeyCopy(someone.keys.device, Counter(4), bytes(limits.STATE_KEY_COPY_BYTES))


def test_list_vault_and_copies_are_taken_and_the_device_is_out_at_once(
    world: World, alice: Person, laptop: Person
) -> None:
    bob = world.joins("bob")
    world.befriend(alice, bob)
    message = laptop.revoking(alice.keys.device, (copy_for(laptop),))
    outcome = revoke(world, alice, message)
    account = world.account(alice)
    assert outcome == Outcome(
        Done(RequestId(9)),
        (
            TellAll(
                (account.id, world.account(bob).id),
                DevicesChanged(alice.name, message.device_list),
            ),
            CloseDevice(account.id, alice.keys.device, Code.DEVICE_REVOKED),
        ),
    )
    assert (account.device_list, account.vault) == (message.device_list, message.vault)
    assert world.refused(accounts.admit, alice.keys.link_key) is Code.DEVICE_REVOKED
    assert world.caller(laptop)


def test_a_revoked_device_does_not_come_back_by_its_old_list(
    world: World, alice: Person, laptop: Person
) -> None:
    revoke(world, alice, laptop.revoking(alice.keys.device))
    account = world.account(alice).id
    back = (accounts.add_device, account, alice.add_device(), alice.channel(), LATER)
    assert world.refused(*back) is Code.DEVICE_REVOKED
    another = alice.with_device("another")  # whoever has an old vault signs an old list
    added = (accounts.add_device, account, another.add_device(), another.channel(), LATER)
    assert world.refused(*added) is Code.LIST_ROLLBACK


def test_the_copies_go_out_with_the_first_page_of_the_state(
    world: World, alice: Person, laptop: Person
) -> None:
    account = world.account(alice).id

    def page(number: int) -> Any:
        return world.do(state.ask_state, account, AskState(RequestId(1), number)).answer

    assert page(0).copies == ()
    copies = (copy_for(laptop),)
    revoke(world, alice, laptop.revoking(alice.keys.device, copies))
    assert page(0).copies == copies
    assert page(1).copies == ()


def test_saying_the_same_again_is_done_and_changes_nothing(
    world: World, alice: Person, laptop: Person
) -> None:
    message = laptop.revoking(alice.keys.device)
    revoke(world, alice, message)
    assert revoke(world, alice, message) == Outcome(Done(RequestId(9)))


def test_what_is_older_or_not_of_this_identity_is_refused(
    world: World, alice: Person, laptop: Person
) -> None:
    before = world.account(alice)
    mallory = person("mallory")
    fine = laptop.revoking(alice.keys.device)
    old_list = msgspec.structs.replace(fine, device_list=laptop.keys.device_list)
    forged = msgspec.structs.replace(fine, device_list=mallory.keys.device_list)
    old_vault = laptop.revoking(alice.keys.device, vault_counter=laptop.vault_counter)
    assert refused(world, alice, old_list) is Code.LIST_ROLLBACK
    assert refused(world, alice, forged) is Code.IDENTITY_MISMATCH
    assert refused(world, alice, old_vault) is Code.VAULT_ROLLBACK
    assert world.account(alice) == before
