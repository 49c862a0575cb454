"""A tracker as a real process, asked by peers that are a link and an asker each."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from tests.harness.guest import Closed, Guest, befriend, come, register
from tests.harness.people import Person, person
from tests.harness.trackers import WIDE, TrackerProcess
from wire import frames, limits
from wire.codes import Code
from wire.errors import WireError
from wire.ids import AccountName
from wire.messages import Purpose
from wire.messages.accounts import (
    AskKdf,
    AskState,
    DeviceAdded,
    Enter,
    Entered,
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
from wire.messages.reach import AddressesChanged, AskDirectory, Directory
from wire.messages.session import Done


@pytest.fixture(scope="module")
def tracker(tmp_path_factory) -> Iterator[TrackerProcess]:
    with TrackerProcess(tmp_path_factory.mktemp("tracker") / "home", *WIDE) as running:
        yield running


@pytest.fixture
def people(request, tracker):
    """Registers people whose names no other test has."""
    made = 0

    async def join(count: int, at: str = tracker.address) -> list[Person]:
        nonlocal made
        joined = []
        for _ in range(count):
            made += 1
            joined.append(person(f"{'abcdef'[made % 6]}{abs(hash(request.node.name))}.{made}"))
            await register(at, joined[-1])
        return joined

    return join


async def refusal(awaitable) -> Code:
    with pytest.raises(WireError) as caught:
        await awaitable
    return caught.value.code


# --- accounts


async def test_a_new_account_enters_by_its_link_key_alone(tracker, people):
    (alice,) = await people(1)
    async with await Guest.dial(tracker.address, alice) as guest:
        inside = await guest.enter()
    entered = inside.entered
    assert (entered.name, entered.device_list) == (alice.name, alice.keys.device_list)
    assert (entered.vault_counter, entered.state_version) == (1, 0)
    assert entered.observed_host == "127.0.0.1"
    assert entered.observed_port == guest.writer.get_extra_info("sockname")[1]
    assert inside.friends == {}


async def test_of_two_registrations_at_once_exactly_one_wins(tracker):
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
        map(str, [Done(1), Code.NAME_TAKEN, Code.NAME_TAKEN, Code.NAME_TAKEN])
    )


async def test_a_fresh_machine_joins_by_password_and_everybody_concerned_hears_of_it(
    tracker, people
):
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


async def test_wrong_passwords_are_refused_and_then_have_to_wait(tmp_path):
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


async def test_attempts_that_are_sent_all_at_once_gain_nothing(tmp_path):
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


async def test_a_closed_tracker_takes_no_accounts_but_known_devices(tmp_path):
    alice, bob = person("alice"), person("bob")
    with TrackerProcess(tmp_path / "home") as tracker:
        await register(tracker.address, alice)
        tracker.stop()
    with TrackerProcess(tmp_path / "home", "--registration", "closed") as tracker:
        assert await refusal(register(tracker.address, bob)) is Code.REGISTRATION_CLOSED
        async with await come(tracker.address, alice):
            pass


async def test_a_device_that_logs_out_is_let_go_and_not_let_in_again(tracker, people):
    (alice,) = await people(1)
    async with await come(tracker.address, alice) as guest:
        assert isinstance(await guest.ask(LogOut), Done)
        with pytest.raises(Closed) as caught:
            await guest.until(lambda: False)
        assert caught.value.code is Code.GOODBYE
    with pytest.raises(Closed) as caught:
        await Guest.dial(tracker.address, alice)
    assert caught.value.code is Code.DEVICE_UNKNOWN


async def test_the_account_state_goes_up_by_compare_and_swap_in_pages(tracker, people):
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
        answers = [
            await one.ask(lambda request, n=n: PutState(request, 0, n, 3, pieces[n]))
            for n in range(3)
        ]
        assert [type(answer) for answer in answers] == [Done, Done, StatePut]
        assert await two.hears(StateChanged) == StateChanged(1)
        got = [await two.ask(lambda request, n=n: AskState(request, n)) for n in range(3)]
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


async def test_a_request_waits_for_its_target_and_an_answer_until_it_is_taken(tracker, people):
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


def replace_request(message, request):
    return type(message)(request, message.name, message.signed)


async def test_a_friendship_that_ends_ends_presence_and_addresses_with_it(tracker, people):
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


async def test_a_blocked_friend_sees_the_friendship_end_and_nothing_after(tracker, people):
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


# --- presence


async def test_friends_see_each_other_come_change_and_go(tracker, people):
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


async def test_who_is_invisible_or_unseen_looks_offline(tracker, people):
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


async def test_what_is_shown_until_an_instant_goes_back_by_itself(tracker, people):
    alice, bob = await people(2)
    async with (
        await come(tracker.address, alice) as a,
        await come(tracker.address, bob) as b,
    ):
        await befriend(a, alice, b, bob)
        until = int(time.time() * 1000) + 300
        await a.ask(lambda request: SetPresence(request, Show.BUSY, "short", until))
        assert (await b.hears(PresenceChanged)).show is Show.BUSY
        assert await b.hears(PresenceChanged) == PresenceChanged(
            bob_sees := alice.name, Show.AVAILABLE
        )
        assert await a.hears(PresenceChanged) == PresenceChanged(bob_sees, Show.AVAILABLE)


async def test_a_second_session_of_one_device_replaces_the_first_without_a_flicker(tracker, people):
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


async def test_everybody_who_comes_at_once_is_seen(tracker, people):
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


async def test_friends_learn_addresses_at_once_at_coming_online_and_on_asking(tracker, people):
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
                await c.ask(lambda request, name=name: AskDirectory(request, name))
            refusals.append((caught.value.code, caught.value.detail))
        assert refusals[0] == refusals[1]
        assert refusals[0][0] is Code.NOT_FRIENDS


async def test_addresses_that_another_device_signed_are_refused(tracker, people):
    alice, bob = await people(2)
    async with await come(tracker.address, alice) as a:
        code = await refusal(a.ask(lambda request: bob.addresses(request=request)))
        assert code is Code.SIGNATURE_INVALID


# --- the door


async def test_the_clear_service_tells_the_key_and_closes(tracker):
    reader, writer = await asyncio.open_connection(*tracker.place)
    writer.write(frames.preamble(Purpose.KEY))
    async with asyncio.timeout(10):
        key = await reader.read()
    writer.close()
    await writer.wait_closed()
    async with await Guest.dial(tracker.address, person("x1"), is_anonymous=True) as guest:
        assert key == guest.tracker_key


async def test_a_full_tracker_turns_further_devices_away_but_not_returning_ones(tmp_path):
    alice, bob = person("alice"), person("bob")
    with TrackerProcess(tmp_path / "home", *WIDE, "--max-peers", "1") as tracker:
        await register(tracker.address, alice)
        await register(tracker.address, bob)
        async with await come(tracker.address, alice):
            with pytest.raises(Closed) as caught:
                await Guest.dial(tracker.address, bob)
            assert caught.value.code is Code.TOO_MANY_CONNECTIONS
            async with await come(tracker.address, alice):
                pass


async def test_one_address_has_so_many_places_at_the_door(tmp_path):
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "sockets_per_address=2") as tracker:
        await register(tracker.address, alice)
        async with (
            await Guest.dial(tracker.address, alice, is_anonymous=True),
            await Guest.dial(tracker.address, alice, is_anonymous=True),
        ):
            with pytest.raises(Closed) as caught:
                await Guest.dial(tracker.address, alice, is_anonymous=True)
            assert caught.value.code is Code.TOO_MANY_CONNECTIONS
        async with await come(tracker.address, alice), await Guest.dial(tracker.address, alice):
            pass
        assert "too-many-connections" in tracker.log


async def test_names_cannot_be_listed_by_asking_on_and_on(tmp_path):
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "lookups=3") as tracker:
        await register(tracker.address, alice)
        async with await come(tracker.address, alice) as guest:
            codes = [
                await refusal(
                    guest.ask(lambda request, n=n: AskUser(request, AccountName(f"name{n}")))
                )
                for n in range(4)
            ]
    assert codes == [Code.NO_SUCH_USER] * 3 + [Code.FLOOD]


async def test_ipv6_and_ipv4_side_by_side(tmp_path):
    if not socket.has_ipv6:
        pytest.skip("this interpreter was built without IPv6")
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--listen", "[::1]:0") as tracker:
        assert [place.rpartition(":")[0] for place in tracker.ready["listen"]] == [
            "127.0.0.1",
            "[::1]",
        ]
        key = tracker.address.partition("#")[2]
        await register(tracker.address, alice)
        async with await Guest.dial(f"hobnob://{tracker.ready['listen'][1]}/#{key}", alice) as six:
            assert (await six.enter()).entered.observed_host == "::1"


async def test_a_request_out_of_its_state_ends_the_link(tracker, people):
    (alice,) = await people(1)
    async with await Guest.dial(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(lambda request: SetPresence(request, Show.BUSY))
        assert caught.value.code is Code.NOT_NOW
    async with await come(tracker.address, alice) as guest:
        with pytest.raises(Closed) as caught:
            await guest.ask(lambda request: Enter(request, False, Show.BUSY))
        assert caught.value.code is Code.NOT_NOW
        assert "Enter" in caught.value.text


async def test_a_device_that_does_not_enter_is_not_kept(tmp_path):
    alice = person("alice")
    with TrackerProcess(tmp_path / "home", "--limit", "open_timeout_s=1.5") as tracker:
        await register(tracker.address, alice)
        async with await Guest.dial(tracker.address, alice) as guest:
            with pytest.raises(Closed) as caught:
                await guest.until(lambda: False)
            assert caught.value.code is Code.HANDSHAKE_TIMEOUT
        async with await come(tracker.address, alice) as guest:
            entered = await guest.ask(lambda request: AskUser(request, alice.name))
            assert not isinstance(entered, Entered)


async def test_somebody_anonymous_has_so_long_to_make_up_their_mind(tmp_path):
    options = ("--limit", "anonymous_timeout_s=0.5")
    with TrackerProcess(tmp_path / "home", *options) as tracker:
        with pytest.raises(Closed) as caught:
            async with await Guest.dial(tracker.address, person("x1"), is_anonymous=True) as guest:
                await guest.until(lambda: False)
        assert caught.value.code is Code.HANDSHAKE_TIMEOUT
