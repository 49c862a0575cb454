"""Two devices of one account as real nodes: they find each other, link, and are one person to everybody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from peer import api
from peer.accounts import register
from peer.errors import PeerError
from peer.locations import Locations
from peer.people import roster
from peer.store.database import Database
from tests.harness.homes import PASSWORD, Watched, befriend, make_account, running
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.entropy import SystemEntropy


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    process = TrackerProcess(tmp_path / "tracker")
    yield process
    process.kill()


async def log_in(home: Path, name: str, tracker: str) -> api.AccountMade:
    """Make `home` another device of an account."""
    locations = Locations(home)
    locations.prepare()
    database = Database.open(locations.database, entropy=SystemEntropy())
    command = api.LogIn(name, PASSWORD, tracker, device_name="second", unsealed=True)
    try:
        return await register.log_in(locations, command, database, SystemEntropy())
    finally:
        await database.close()


async def texts(one: Watched, friend: str) -> list[str]:
    found = await one.all(api.GetHistory(friend))
    return [m.text for m in found if isinstance(m, api.Message) and m.kind == "message"]


def is_delivered(said: str) -> Callable[[api.Event], bool]:
    return lambda event: event.event == "receipt" and event.body["id"] == said


async def test_two_devices_of_one_account_link_and_show_one_conversation(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    async with running(tmp_path / "alice") as one, running(tmp_path / "bob") as other:
        desk, bob = Watched(one), Watched(other)
        await befriend(desk, bob)
        await desk.first(api.SendText("bob", "from the desk", wait_s=90.0))
        await log_in(tmp_path / "laptop", "alice", tracker.address)
        await desk.until(
            lambda event: event.event == "notice" and event.body["code"] == "device-added"
        )
        async with running(tmp_path / "laptop") as second:
            laptop = Watched(second)
            for mine in (laptop, desk):
                await mine.until(
                    lambda event: event.event == "link" and event.body["friend"] == "alice"
                )
            await laptop.until(
                lambda event: event.event == "link" and event.body["friend"] == "bob"
            )
            said = await laptop.first(api.SendText("bob", "from the laptop", wait_s=90.0))
            assert isinstance(said, api.MessageState)
            assert said.state == "delivered"
            await bob.hears("from the laptop")
            await desk.hears("from the laptop")
            await desk.until(is_delivered(said.id))
            await bob.first(api.SendText("alice", "to both of you"))
            for mine in (laptop, desk):
                await mine.hears("to both of you")
            assert await texts(desk, "bob") == await texts(bob, "alice")
            assert {event["friend"] for event in _links(desk)} == {"alice", "bob"}


def _links(one: Watched) -> list[dict[str, object]]:
    return [event.body for event in one.events if event.event == "link"]


async def friends_of(one: Watched) -> list[tuple[str, str, int]]:
    found = await one.all(api.ListFriends(online_only=False))
    return [(f.friend, f.presence, f.devices) for f in found if isinstance(f, api.Friend)]


def is_friend(name: str, state: str = "friends") -> Callable[[api.Event], bool]:
    return lambda event: event.event == "friend" and event.body == {"friend": name, "state": state}


async def test_friends_are_there_right_after_the_login_without_any_node(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    async with running(tmp_path / "alice") as one, running(tmp_path / "bob") as other:
        await befriend(Watched(one), Watched(other))
    made = await log_in(tmp_path / "laptop", "alice", tracker.address)
    assert made.last_changed is not None
    assert made.trouble is None
    database = Database.open(Locations(tmp_path / "laptop").database, entropy=SystemEntropy())
    try:
        [bob] = database.read(roster.list_friends, online_only=False)
    finally:
        await database.close()
    assert (bob.friend, bob.presence) == ("bob", "offline")


async def test_a_friend_made_at_one_device_is_a_friend_at_the_other_with_presence_and_link(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    await log_in(tmp_path / "laptop", "alice", tracker.address)
    async with (
        running(tmp_path / "alice") as one,
        running(tmp_path / "laptop") as second,
        running(tmp_path / "bob") as other,
    ):
        desk, laptop, bob = Watched(one), Watched(second), Watched(other)
        await befriend(desk, bob)
        await laptop.until(is_friend("bob"))
        await laptop.link_up("bob")
        assert await friends_of(laptop) == [("bob", "available", 1)]
        await laptop.first(api.SendText("bob", "from a device that asked nobody"))
        await bob.hears("from a device that asked nobody")


async def test_a_request_made_at_a_device_that_left_is_answered_to_the_other(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    await log_in(tmp_path / "laptop", "alice", tracker.address)
    async with running(tmp_path / "alice") as one:
        await Watched(one).first(api.AddFriend("bob"))
    async with running(tmp_path / "laptop") as second, running(tmp_path / "bob") as other:
        laptop, bob = Watched(second), Watched(other)
        await other.settle(10.0)
        await bob.first(api.AnswerFriend("alice", accept=True))
        await laptop.until(is_friend("bob"))
        await laptop.first(api.SendText("bob", "here I am"))
        await bob.hears("here I am")
    async with running(tmp_path / "alice") as one:
        desk = Watched(one)
        await one.settle(10.0)
        assert [name for name, _, _ in await friends_of(desk)] == ["bob"]


async def test_a_block_at_one_device_holds_at_the_other_and_its_links_end(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    async with running(tmp_path / "alice") as one, running(tmp_path / "bob") as other:
        desk = Watched(one)
        await befriend(desk, Watched(other))
        await log_in(tmp_path / "laptop", "alice", tracker.address)
        async with running(tmp_path / "laptop") as second:
            laptop = Watched(second)
            await laptop.link_up("bob")
            await desk.first(api.BlockFriend("bob", blocked=True))
            await laptop.until(is_friend("bob", "blocked"))
            with pytest.raises(PeerError) as caught:
                await laptop.first(api.SendText("bob", "still there?"))
            assert caught.value.code is Code.BLOCKED
