"""Two nodes in one process over loopback, with a real tracker: friends, talk, and what they survive."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest

from peer import api, conversations
from peer.commands import carry_out_command
from peer.errors import PeerError
from peer.history import history, transcript
from peer.times import wall
from tests.harness import places
from tests.harness.homes import Watched, befriend, make_account, running
from tests.harness.trackers import TrackerProcess
from wire import limits
from wire.codes import Code
from wire.machine import UnixMillis


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    process = TrackerProcess(tmp_path / "tracker")
    yield process
    process.kill()


@pytest.fixture
async def alice_home(tmp_path: Path, tracker: TrackerProcess) -> Path:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    return tmp_path / "alice"


@pytest.fixture
async def bob_home(tmp_path: Path, tracker: TrackerProcess) -> Path:
    await make_account(tmp_path / "bob", "bob", tracker.address)
    return tmp_path / "bob"


async def test_two_people_befriend_and_talk_both_ways(alice_home: Path, bob_home: Path) -> None:
    async with running(alice_home) as one, running(bob_home) as other:
        alice, bob = Watched(one), Watched(other)
        await befriend(alice, bob)
        said = await alice.first(api.SendText("bob", "hello bob", wait_s=90.0))
        assert isinstance(said, api.MessageState)
        assert said.state == "delivered"
        await bob.hears("hello bob")
        answered = await bob.first(api.SendText("alice", "hello alice", wait_s=90.0))
        assert isinstance(answered, api.MessageState)
        assert answered.state == "delivered"
        heard = [
            m.text for m in await alice.all(api.ReadMessages("bob")) if isinstance(m, api.Message)
        ]
        assert heard == ["hello bob", "hello alice"]


async def test_what_is_said_at_once_shares_commits_and_arrives_once_and_in_order(
    alice_home: Path, bob_home: Path
) -> None:
    async with running(alice_home) as one, running(bob_home) as other:
        alice, bob = Watched(one), Watched(other)
        await befriend(alice, bob)
        await alice.link_up("bob")
        texts = [f"number {number}" for number in range(200)]
        before = one.database.commits, other.database.commits
        async with asyncio.TaskGroup() as group:
            for text in texts:
                group.create_task(alice.all(api.SendText("bob", text, wait_s=90.0)))
        after = one.database.commits, other.database.commits
        assert all(now - then < 50 for now, then in zip(after, before, strict=True))
        for node, friend in ((one, "bob"), (other, "alice")):
            lines = node.database.read(transcript.messages, friend)
            assert [line.text for line in lines] == texts
        assert {m.state for m in one.database.read(transcript.messages, "bob")} == {"delivered"}


async def test_friends_see_each_other_come_and_go(alice_home: Path, bob_home: Path) -> None:
    async with running(alice_home) as one:
        alice = Watched(one)
        async with running(bob_home) as other:
            await befriend(alice, Watched(other))
            await alice.until(
                lambda event: event.event == "presence" and event.body["presence"] == "available"
            )
        await alice.until(
            lambda event: event.event == "presence" and event.body["presence"] == "offline"
        )


async def test_what_was_said_while_a_friend_was_away_arrives_when_they_are_back(
    alice_home: Path, bob_home: Path
) -> None:
    async with running(alice_home) as one:
        alice = Watched(one)
        async with running(bob_home) as other:
            await befriend(alice, Watched(other))
            await alice.link_up("bob")
        for number in range(20):
            said = await alice.first(api.SendText("bob", f"number {number}"))
            assert isinstance(said, api.MessageState)
            assert said.state == "queued"
        async with running(bob_home) as other:
            bob = Watched(other)
            await bob.hears("number 19")
            texts = [
                m.text for m in await bob.all(api.GetHistory("alice")) if isinstance(m, api.Message)
            ]
            assert texts == [f"number {number}" for number in range(20)]


async def test_a_message_that_failed_is_tried_again_and_arrives(
    alice_home: Path, bob_home: Path
) -> None:
    async with running(alice_home) as one:
        alice = Watched(one)
        async with running(bob_home) as other:
            await befriend(alice, Watched(other))
            await alice.link_up("bob")
        said = await alice.first(api.SendText("bob", "patience"))
        assert isinstance(said, api.MessageState)
        later = UnixMillis(wall() + conversations.LIFETIME_MS + 1)
        await one.database.write(conversations.expire, later)
        assert one.database.read(history.state_of, bytes.fromhex(said.id)) == "failed"
        again = await alice.first(api.RetryText(said.id[:8]))
        assert again == api.MessageState(said.id, "queued")
        async with running(bob_home) as other:
            await Watched(other).hears("patience")
            await alice.until(
                lambda event: (
                    event.event == "receipt"
                    and event.body["id"] == said.id
                    and event.body["state"] == "delivered"
                )
            )
        assert await alice.first(api.RetryText(said.id)) == api.MessageState(said.id, "delivered")


async def test_linked_friends_go_on_without_the_tracker_and_it_comes_back(
    alice_home: Path, bob_home: Path, tracker: TrackerProcess, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        one = await stack.enter_async_context(running(alice_home))
        other = await stack.enter_async_context(running(bob_home))
        alice, bob = Watched(one), Watched(other)
        await befriend(alice, bob)
        await alice.link_up("bob")
        tracker.kill()
        await alice.until(
            lambda event: event.event == "notice" and event.body["code"] == "tracker-connecting"
        )
        said = await alice.first(api.SendText("bob", "still here", wait_s=90.0))
        assert isinstance(said, api.MessageState)
        assert said.state == "delivered"
        status = await alice.first(api.GetStatus())
        assert isinstance(status, api.Status)
        assert status.tracker.state == "connecting"
        assert [(link.friend, link.path) for link in status.links] == [("bob", "direct")]
        alice.events.clear()
        second = TrackerProcess(tmp_path / "tracker", listen=tracker.listen)
        stack.callback(second.kill)
        await alice.until(
            lambda event: event.event == "notice" and event.body["code"] == "tracker-online"
        )


async def test_friends_find_each_other_at_their_last_addresses_without_the_tracker(
    alice_home: Path, bob_home: Path, tracker: TrackerProcess
) -> None:
    async with running(alice_home) as one:
        alice = Watched(one)
        place = places.place()
        async with running(bob_home, listen=place) as other:
            await befriend(alice, Watched(other))
            await alice.link_up("bob")
        tracker.kill()
        alice.events.clear()
        async with running(bob_home, listen=place) as other:
            bob = Watched(other)
            said = await bob.first(api.SendText("alice", "the tracker is gone", wait_s=90.0))
            assert isinstance(said, api.MessageState)
            assert said.state == "delivered"


async def test_a_removed_friend_is_linked_no_more(alice_home: Path, bob_home: Path) -> None:
    async with running(alice_home) as one, running(bob_home) as other:
        alice, bob = Watched(one), Watched(other)
        await befriend(alice, bob)
        await alice.link_up("bob")
        await alice.first(api.RemoveFriend("bob"))
        await bob.until(lambda event: event.event == "friend" and event.body["state"] == "removed")
        with pytest.raises(PeerError) as caught:
            await bob.first(api.SendText("alice", "are you there"))
        assert caught.value.code is Code.NO_SUCH_FRIEND
        assert await alice.all(api.ListFriends()) == []


async def test_a_wrong_name_is_refused_and_nothing_waits(alice_home: Path) -> None:
    async with running(alice_home) as one:
        alice = Watched(one)
        with pytest.raises(PeerError) as caught:
            await alice.first(api.AddFriend("nobodyhere"))
        assert caught.value.code is Code.NO_SUCH_USER
        assert await alice.all(api.ListFriendRequests()) == []


@pytest.mark.parametrize(
    "start",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HBNB\x00\x01\x02\x00",
        b"HBNB\x01\x01\x02\x00\x00\x00\x00\x00",
        b"HBNB\x01\x01\x02\x00\x00\x00\xff\xff",
        b"HBNB\x01\x01\x09\x00",
        bytes(range(256)) * 16_384,
    ],
)
async def test_bytes_of_others_end_the_connection_and_nothing_else(
    tmp_path: Path, start: bytes
) -> None:
    await make_account(tmp_path / "home", "alice", None)
    async with running(tmp_path / "home") as node:
        host, port = node.listening[0].rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        with suppress(ConnectionError):
            writer.write(start)
            await writer.drain()
            async with asyncio.timeout(90):
                assert len(await reader.read()) <= 8
        writer.close()
        status = await Watched(node).first(api.GetStatus())
        assert isinstance(status, api.Status)
        assert status.listen == [f"{host}:{port}"]


async def test_one_address_cannot_take_every_place_before_it_proved_anything(
    tmp_path: Path,
) -> None:
    await make_account(tmp_path / "home", "alice", None)
    async with running(tmp_path / "home") as node, AsyncExitStack() as stack:
        host, port = node.listening[0].rsplit(":", 1)
        opened = []
        for _ in range(limits.SOCKETS_PER_ADDRESS + 1):
            reader, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            opened.append(reader)
        async with asyncio.timeout(90):
            with suppress(ConnectionError):
                assert await opened[-1].read() == b""
        assert not opened[0].at_eof()


async def test_a_command_with_an_id_is_done_once(alice_home: Path, bob_home: Path) -> None:
    async with running(alice_home) as one, running(bob_home) as other:
        alice = Watched(one)
        await befriend(alice, Watched(other))
        said = [
            api.as_json(result)
            for _ in range(2)
            async for result in carry_out_command(one, api.SendText("bob", "only once"), "ab" * 16)
        ]
        assert said[0]["id"] == said[1]["id"]
        assert len(await alice.all(api.GetHistory("bob"))) == 1


async def test_what_was_shown_for_a_time_is_not_shown_again_after_it(
    alice_home: Path, bob_home: Path
) -> None:
    async with running(bob_home) as other:
        bob = Watched(other)
        async with running(alice_home) as one:
            alice = Watched(one)
            await befriend(alice, bob)
            shown = await alice.first(api.SetPresence("busy", "for a moment", for_s=0.001))
            assert shown == api.Presence("busy", "for a moment")
            await bob.until(
                lambda event: event.event == "presence" and event.body["presence"] == "busy"
            )
        await bob.until(
            lambda event: event.event == "presence" and event.body["presence"] == "offline"
        )
        bob.events.clear()
        async with running(alice_home):
            await bob.until(
                lambda event: event.event == "presence" and event.body["presence"] == "available"
            )
        assert "busy" not in [event.body.get("presence") for event in bob.events]
