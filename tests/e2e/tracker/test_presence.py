"""Presence and directory over a real tracker's port."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.harness.guest import Closed, Guest, asking, befriend, come, refusal
from tests.harness.people import Person
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.errors import WireError
from wire.ids import AccountName
from wire.messages.friends import (
    AskUser,
)
from wire.messages.presence import PresenceChanged, SetPresence, Show
from wire.messages.reach import AddressesChanged, AskDirectory, Directory

# --- presence

pytestmark = pytest.mark.measured


async def test_friends_see_each_other_come_change_and_go(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, bob) as b:
        async with await come(tracker.address, alice) as a:
            await befriend(a, alice, b, bob)
            await a.ask(lambda request: SetPresence(request, Show.BUSY, "in a meeting"))
            seen = await b.hears(PresenceChanged)
            assert seen == PresenceChanged(alice.name, Show.BUSY, "in a meeting")
        gone = await b.hears(PresenceChanged)
        assert (gone.show, gone.text) == (Show.OFFLINE, "")
        assert abs(gone.last_seen - time.time() * 1000) < 60_000
        async with await come(tracker.address, alice, show=Show.AWAY):
            assert await b.hears(PresenceChanged) == PresenceChanged(alice.name, Show.AWAY)


async def test_who_is_invisible_or_unseen_looks_offline(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, bob) as b:
        async with await come(tracker.address, alice) as a:
            await befriend(a, alice, b, bob)
            await a.ask(lambda request: SetPresence(request, Show.INVISIBLE))
            gone = await b.hears(PresenceChanged)
            assert gone.show is Show.OFFLINE
        async with await come(tracker.address, alice, is_unseen=True) as a:
            code = await refusal(a.ask(lambda request: alice.addresses(request=request)))
            assert code is Code.NOT_NOW
            directory = await b.ask(lambda request: AskDirectory(request, alice.name))
            assert isinstance(directory, Directory)
            assert [device.is_online for device in directory.devices] == [False]
        async with await come(tracker.address, alice, show=Show.INVISIBLE):
            await b.ask(lambda request: AskUser(request, alice.name))
        assert b.pushed == []
        async with await Guest.dial(tracker.address, alice) as a:
            assert (await a.enter()).friends == {bob.name: Show.AVAILABLE}


async def test_what_is_shown_until_an_instant_goes_back_by_itself(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
    ):
        await befriend(a, alice, b, bob)
        until = int(time.time() * 1000) + 2000  # it has to be said before
        await a.ask(lambda request: SetPresence(request, Show.BUSY, "short", until))
        assert (await b.hears(PresenceChanged)).show is Show.BUSY
        assert await b.hears(PresenceChanged) == PresenceChanged(
            bob_sees := alice.name, Show.AVAILABLE
        )
        assert await a.hears(PresenceChanged) == PresenceChanged(bob_sees, Show.AVAILABLE)


async def test_a_second_session_of_one_device_replaces_the_first_without_a_flicker(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with (
        await come(tracker.address, alice) as first,
        await come(tracker.address, bob) as b,
    ):
        await befriend(first, alice, b, bob)
        async with await come(tracker.address, alice) as second:
            with pytest.raises(Closed) as caught:
                await first.until(lambda: False)
            assert caught.value.code is Code.LINK_REPLACED
            await second.ask(lambda request: SetPresence(request, Show.AWAY))
            assert await b.hears(PresenceChanged) == PresenceChanged(alice.name, Show.AWAY)
            assert b.pushed == []


async def test_everybody_who_comes_at_once_is_seen(tracker: TrackerProcess, people: Any) -> None:
    alice, *others = await people(13)
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(await come(tracker.address, alice))
        for other in others:
            async with await come(tracker.address, other) as guest:
                await befriend(guest, other, a, alice)

        async def arrive(who: Person) -> None:
            await stack.enter_async_context(await come(tracker.address, who))

        gone = {other.name for other in others}
        while gone:
            change = await a.hears(PresenceChanged)
            gone -= {change.name} if change.show is Show.OFFLINE else set()
        async with asyncio.TaskGroup() as group:
            for other in others:
                group.create_task(arrive(other))
        shown: dict[str, Show] = {}
        while len(shown) < len(others):
            change = await a.hears(PresenceChanged)
            shown[change.name] = change.show
        assert set(shown.values()) == {Show.AVAILABLE}


# --- directory


async def test_friends_learn_addresses_at_once_at_coming_online_and_on_asking(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob, carol = await people(3)
    async with await come(tracker.address, bob) as b:
        async with await come(tracker.address, alice) as a:
            await befriend(a, alice, b, bob)
            message = alice.addresses(4001)
            await a.ask(lambda request: type(message)(request, message.signed))
            certificate = alice.keys.certificate
            here = AddressesChanged(alice.name, alice.keys.device, certificate, message.signed)
            assert await b.hears(AddressesChanged) == here
            directory = await b.ask(lambda request: AskDirectory(request, alice.name))
            assert isinstance(directory, Directory)
            assert (directory.identity, directory.device_list) == (
                alice.identity,
                alice.keys.device_list,
            )
            assert [(d.certificate, d.addresses, d.is_online) for d in directory.devices] == [
                (certificate, message.signed, True)
            ]
            own = await a.ask(lambda request: AskDirectory(request, alice.name))
            assert isinstance(own, Directory)
            async with await come(tracker.address, bob) as again:
                assert await again.hears(AddressesChanged) == here
        async with (
            await come(tracker.address, bob) as b2,
            await come(tracker.address, alice),
        ):
            assert await b2.hears(AddressesChanged) == here
    async with await come(tracker.address, carol) as c:
        refusals = []
        for name in (alice.name, AccountName("nobody.here")):
            with pytest.raises(WireError) as caught:
                await c.ask(asking(AskDirectory, name))
            refusals.append((caught.value.code, caught.value.detail))
        assert refusals[0] == refusals[1]
        assert refusals[0][0] is Code.NOT_FRIENDS


async def test_addresses_that_another_device_signed_are_refused(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a:
        code = await refusal(a.ask(lambda request: bob.addresses(request=request)))
        assert code is Code.SIGNATURE_INVALID
