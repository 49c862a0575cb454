"""Another password and the end of an account, over a tracker's real port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.harness import guest as guests
from tests.harness.guest import Closed, Guest
from tests.harness.people import person
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.errors import WireError
from wire.messages.accounts import AskState, LoggedIn
from wire.messages.friends import FriendRemoved
from wire.messages.held import Account, AskAccount, AskHeldDevices, AskHeldPeople, Tie
from wire.messages.session import Done

FOLLOWING = b"f" * 32


async def log_in(address: Any, who: Any, stranger: Any) -> Any:
    """Prove a password on a link of no device."""
    guest = await Guest.dial(address, stranger, is_anonymous=True)
    try:
        found = await guest.ask(lambda request: who.log_in(guest.channel, request=request))
        assert isinstance(found, LoggedIn)
    except BaseException:
        await guest.hang_up()
        raise
    return guest


async def test_a_changed_password_ends_what_the_former_one_opened(tracker: TrackerProcess) -> None:
    alice = person("alice")
    await guests.register(tracker.address, alice)
    at_home = await guests.come(tracker.address, alice)
    thief = await log_in(tracker.address, alice, person("thief"))
    owner = await log_in(tracker.address, alice, person("owner"))
    async with at_home, thief, owner:
        done = await owner.ask(
            lambda request: alice.change_password(channel=owner.channel, request=request)
        )
        assert isinstance(done, Done)
        with pytest.raises(Closed) as caught:
            await thief.ask(lambda request: AskState(request, 0))
        assert caught.value.code is Code.GOODBYE
        assert isinstance(await at_home.ask(AskAccount), Account)  # the device goes on
        changed = replace(alice, auth_seed=FOLLOWING)
        async with await log_in(tracker.address, changed, person("laptop")):
            pass
        with pytest.raises(WireError) as refused:
            await log_in(tracker.address, alice, person("late"))
        assert refused.value.code is Code.WRONG_PASSWORD


async def test_a_device_alone_changes_no_password_and_deletes_nothing(
    tracker: TrackerProcess,
) -> None:
    alice = person("alice")
    await guests.register(tracker.address, alice)
    async with await guests.come(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(
                lambda request: alice.change_password(channel=guest.channel, request=request)
            )
        assert caught.value.code is Code.NOT_NOW
    async with await guests.come(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(lambda request: alice.delete_account(guest.channel, request=request))
        assert caught.value.code is Code.NOT_NOW


async def test_a_deleted_account_is_gone_for_its_friends_its_devices_and_the_disk(
    tracker: TrackerProcess,
) -> None:
    alice, bob = person("alice"), person("bob")
    for who in (alice, bob):
        await guests.register(tracker.address, who)
    at_alice = await guests.come(tracker.address, alice)
    at_bob = await guests.come(tracker.address, bob)
    async with at_alice, at_bob:
        await guests.befriend(at_alice, alice, at_bob, bob)
        async with await log_in(tracker.address, bob, person("owner")) as owner:
            await owner.ask(lambda request: bob.delete_account(owner.channel, request=request))
        assert (await at_alice.hears(FriendRemoved)).name == "bob"
        with pytest.raises(Closed) as caught:
            await at_bob.until(lambda: False)
        assert caught.value.code is Code.ACCOUNT_DELETED
        other = person("bob", salt="other")
        await guests.register(tracker.address, other)
        people: Any = await at_alice.ask(lambda request: AskHeldPeople(request, Tie.FRIEND))
        assert people.people == ()
    with pytest.raises(Closed) as gone:
        await Guest.dial(tracker.address, bob)
    assert gone.value.code is Code.DEVICE_UNKNOWN
    assert tracker.stop() == 0
    raw = b"".join(path.read_bytes() for path in tracker.home.rglob("*") if path.is_file())
    assert bytes(other.identity) in raw
    assert bytes(bob.identity) not in raw


async def test_a_person_is_told_what_is_held(tracker: TrackerProcess) -> None:
    alice = person("alice")
    await guests.register(tracker.address, alice)
    async with await guests.come(tracker.address, alice) as guest:
        account = await guest.ask(AskAccount)
        assert isinstance(account, Account)
        assert account.vault == b"vault 1"
        devices: Any = await guest.ask(AskHeldDevices)
        assert [held.device for held in devices.devices] == [alice.keys.device]
        assert devices.is_last
