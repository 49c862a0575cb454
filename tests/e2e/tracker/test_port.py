"""A tracker as a real process, asked by peers that are a link and an asker each."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness.guest import Closed, Guest, asking, befriend, come, refusal, register
from tests.harness.people import Person, person
from tests.harness.trackers import WIDE, TrackerProcess
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.ids import RequestId
from wire.messages.accounts import (
    AskKdf,
    AskState,
    DeviceAdded,
    Kdf,
    LoggedIn,
    LogOut,
    PutState,
    State,
    StateChanged,
    StatePut,
)
from wire.messages.friends import (
    AskUser,
    BlockUser,
    DevicesChanged,
    FriendAdded,
    FriendAnswered,
    FriendAsked,
    FriendRemoved,
    RemoveFriend,
    TakeAnswer,
    UnblockUser,
    User,
)
from wire.messages.presence import PresenceChanged, SetPresence, Show
from wire.messages.reach import AskDirectory
from wire.messages.session import Done

# --- accounts

pytestmark = pytest.mark.measured


async def test_a_new_account_enters_by_its_link_key_alone(
    tracker: TrackerProcess, people: Any
) -> None:
    (alice,) = await people(1)
    async with await Guest.dial(tracker.address, alice) as guest:
        inside = await guest.enter()
    entered = inside.entered
    assert (entered.name, entered.device_list) == (alice.name, alice.keys.device_list)
    assert (entered.vault_counter, entered.state_version) == (1, 0)
    assert entered.observed_host == "127.0.0.1"
    assert entered.observed_port == guest.writer.get_extra_info("sockname")[1]
    assert inside.friends == {}


async def test_of_two_registrations_at_once_exactly_one_wins(tracker: TrackerProcess) -> None:
    rivals = [person("rival.name", salt=str(number)) for number in range(4)]
    outcomes: list[object] = []

    async def attempt(who: Person) -> None:
        async with await Guest.dial(tracker.address, who, is_anonymous=True) as guest:
            try:
                outcomes.append(await guest.register(who))
            except WireError as error:
                outcomes.append(error.code)

    async with asyncio.TaskGroup() as group:
        for rival in rivals:
            group.create_task(attempt(rival))
    assert sorted(map(str, outcomes)) == sorted(
        map(str, [Done(RequestId(1)), Code.NAME_TAKEN, Code.NAME_TAKEN, Code.NAME_TAKEN])
    )


async def test_a_fresh_machine_joins_by_password_and_everybody_concerned_hears_of_it(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    laptop = alice.with_device("laptop")
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(await come(tracker.address, alice))
        b = await stack.enter_async_context(await come(tracker.address, bob))
        await befriend(a, alice, b, bob)
        async with await Guest.dial(tracker.address, laptop, is_anonymous=True) as fresh:
            kdf = await fresh.ask(lambda request: AskKdf(request, alice.name))
            assert isinstance(kdf, Kdf)
            assert kdf.memory_kib == limits.KDF_MEMORY_KIB
            logged_in = await fresh.ask(
                lambda request: laptop.log_in(fresh.channel, request=request)
            )
            assert isinstance(logged_in, LoggedIn)
            assert logged_in.device_list == alice.keys.device_list
            state = await fresh.ask(lambda request: AskState(request, 0))
            assert isinstance(state, State)
            assert (state.version, state.pages) == (0, 0)
            await fresh.ask(lambda request: laptop.add_device(request=request))
        added = await a.hears(DeviceAdded)
        assert (added.device, added.device_list) == (laptop.keys.device, laptop.keys.device_list)
        assert await b.hears(DevicesChanged) == DevicesChanged(alice.name, laptop.keys.device_list)
        two = await stack.enter_async_context(await Guest.dial(tracker.address, laptop))
        inside = await two.enter()
        assert inside.friends == {bob.name: Show.AVAILABLE}
        assert inside.entered.vault_counter == 2


async def test_wrong_passwords_are_refused_and_then_have_to_wait(tmp_path: Path) -> None:
    alice, bob = person("alice"), person("bob")
    wrong = replace(alice, auth_seed=b"w" * 32)
    options = (*WIDE, "--limit", "failed_logins=3", "--limit", "failed_logins_window_s=600")
    with TrackerProcess(tmp_path / "home", *options) as tracker:
        await register(tracker.address, alice)
        await register(tracker.address, bob)
        async with await Guest.dial(tracker.address, alice, is_anonymous=True) as guest:
            for _ in range(3):
                code = await refusal(
                    guest.ask(lambda request: wrong.log_in(guest.channel, request=request))
                )
                assert code is Code.WRONG_PASSWORD
            with pytest.raises(WireError) as caught:
                await guest.ask(lambda request: alice.log_in(guest.channel, request=request))
            assert caught.value.code is Code.TOO_MANY_FAILURES
            assert 590 <= int(caught.value.__notes__[0]) <= 600
            assert "try again in" in caught.value.detail
            answer = await guest.ask(lambda request: bob.log_in(guest.channel, request=request))
            assert isinstance(answer, LoggedIn)


async def test_attempts_that_are_sent_all_at_once_gain_nothing(tmp_path: Path) -> None:
    alice = person("alice")
    wrong = replace(alice, auth_seed=b"w" * 32)
    with TrackerProcess(tmp_path / "home", "--limit", "failed_logins=3") as tracker:
        await register(tracker.address, alice)
        async with await Guest.dial(tracker.address, alice, is_anonymous=True) as guest:
            requests = [
                guest.post(lambda request: wrong.log_in(guest.channel, request=request))
                for _ in range(20)
            ]
            codes = [await refusal(guest.answer_to(request)) for request in requests]
    assert codes == [Code.WRONG_PASSWORD] * 3 + [Code.TOO_MANY_FAILURES] * 17


async def test_a_closed_tracker_takes_no_accounts_but_known_devices(tmp_path: Path) -> None:
    alice, bob = person("alice"), person("bob")
    with TrackerProcess(tmp_path / "home") as tracker:
        await register(tracker.address, alice)
        tracker.stop()
    with TrackerProcess(tmp_path / "home", "--registration", "closed") as tracker:
        assert await refusal(register(tracker.address, bob)) is Code.REGISTRATION_CLOSED
        async with await come(tracker.address, alice):
            pass


async def test_a_device_that_logs_out_is_let_go_and_not_let_in_again(
    tracker: TrackerProcess, people: Any
) -> None:
    (alice,) = await people(1)
    async with await come(tracker.address, alice) as guest:
        assert isinstance(await guest.ask(LogOut), Done)
        with pytest.raises(Closed) as caught:
            await guest.until(lambda: False)
        assert caught.value.code is Code.GOODBYE
    with pytest.raises(Closed) as caught:
        await Guest.dial(tracker.address, alice)
    assert caught.value.code is Code.DEVICE_UNKNOWN


async def test_the_account_state_goes_up_by_compare_and_swap_in_pages(
    tracker: TrackerProcess, people: Any
) -> None:
    (alice,) = await people(1)
    laptop = alice.with_device("laptop")
    page = limits.PAGE_BYTES
    content = bytes(range(256)) * (page // 256) * 2 + b"end"
    pieces = [content[:page], content[page : 2 * page], content[2 * page :]]
    async with AsyncExitStack() as stack:
        async with await Guest.dial(tracker.address, laptop, is_anonymous=True) as fresh:
            await fresh.ask(lambda request: laptop.log_in(fresh.channel, request=request))
            await fresh.ask(lambda request: laptop.add_device(request=request))
        one = await stack.enter_async_context(await come(tracker.address, alice))
        two = await stack.enter_async_context(await come(tracker.address, laptop))
        answers = [await one.ask(asking(PutState, 0, n, 3, pieces[n])) for n in range(3)]
        assert [type(answer) for answer in answers] == [Done, Done, StatePut]
        assert await two.hears(StateChanged) == StateChanged(1)
        got = [await two.ask(asking(AskState, n)) for n in range(3)]
        assert b"".join(state.content for state in got if isinstance(state, State)) == content
        assert {(s.version, s.pages) for s in got if isinstance(s, State)} == {(1, 3)}
        code = await refusal(two.ask(lambda request: PutState(request, 0, 0, 1, b"late")))
        assert code is Code.STATE_CONFLICT
        code = await refusal(two.ask(lambda request: PutState(request, 1, 1, 2, b"page 1")))
        assert code is Code.NOT_NOW
        put = await two.ask(lambda request: PutState(request, 1, 0, 1, b"mine"))
        assert isinstance(put, StatePut)
        assert put.version == 2


# --- friends


async def test_a_request_waits_for_its_target_and_an_answer_until_it_is_taken(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a:
        message = alice.ask(bob, note="it is me")
        await a.ask(lambda request: replace_request(message, request))
        user = await a.ask(lambda request: AskUser(request, bob.name))
        assert isinstance(user, User)
        assert user.identity == bob.identity
    async with await come(tracker.address, bob) as b:
        asked = await b.hears(FriendAsked)
        assert (asked.name, asked.signed) == (alice.name, message.signed)
        await b.ask(lambda request: bob.answer(alice, asked.signed, request=request))
        added = await b.hears(FriendAdded)
        assert (added.friend.name, added.friend.show) == (alice.name, Show.OFFLINE)
    for _ in range(2):
        async with await come(tracker.address, alice) as a:
            answered = await a.hears(FriendAnswered)
            assert (answered.name, answered.is_yes) == (bob.name, True)
    async with await come(tracker.address, alice) as a:
        await a.ask(lambda request: TakeAnswer(request, bob.name))
    async with await Guest.dial(tracker.address, alice) as a:
        inside = await a.enter()
        assert inside.friends == {bob.name: Show.OFFLINE}
        await a.ask(lambda request: AskUser(request, bob.name))
        assert a.pushed == []


def replace_request(message: Any, request: RequestId) -> Any:
    return type(message)(request, message.name, message.signed)


async def test_a_friendship_that_ends_ends_presence_and_addresses_with_it(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
    ):
        await befriend(a, alice, b, bob)
        await a.ask(lambda request: RemoveFriend(request, bob.name))
        assert await b.hears(FriendRemoved) == FriendRemoved(alice.name)
        b.pushed.clear()
        await a.ask(lambda request: SetPresence(request, Show.BUSY))
        code = await refusal(b.ask(lambda request: AskDirectory(request, alice.name)))
        assert code is Code.NOT_FRIENDS
        assert b.pushed == []


async def test_a_blocked_friend_sees_the_friendship_end_and_nothing_after(
    tracker: TrackerProcess, people: Any
) -> None:
    alice, bob = await people(2)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
    ):
        await befriend(a, alice, b, bob)
        await b.ask(lambda request: BlockUser(request, alice.name))
        assert await a.hears(FriendRemoved) == FriendRemoved(bob.name)
        assert isinstance(await a.ask(lambda r: alice.ask(bob, request=r)), Done)
        await b.ask(lambda request: SetPresence(request, Show.AWAY))
        assert [m for m in b.pushed if isinstance(m, FriendAsked)] == []
        code = await refusal(b.ask(lambda r: bob.ask(alice, request=r)))
        assert code is Code.BLOCKED
        await b.ask(lambda request: UnblockUser(request, alice.name))
        await a.ask(lambda r: alice.ask(bob, request=r))
        assert (await b.hears(FriendAsked)).name == alice.name
        assert [m for m in a.pushed if isinstance(m, PresenceChanged)] == []
