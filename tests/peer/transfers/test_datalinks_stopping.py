"""Transfers over real sockets that are held, called off, taken on condition or cut: what they wait for, what stays."""

from __future__ import annotations

import asyncio
import gc
import os
import weakref
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from peer.settings import preferences
from peer.settings.preferences import KEYS
from peer.transfers import manager, policy, stopping
from tests.harness.offers import transfers
from tests.harness.stations import Station, two_friends
from tests.harness.talk import told
from wire import limits
from wire.ids import OfferId

Two = tuple[Station, Station]
SLOW = "2MB/s"


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with two_friends(tmp_path) as both:
        yield both


def limit(station: Station, rate: str, friend: str | None = None) -> None:
    station.one.database.write(preferences.put, KEYS["bandwidth.up"], rate, friend)
    station.one.database.commit()
    station.links.keep_pace()


async def under_way(alice: Station, bob: Station, folder: Path) -> tuple[str, str, Path]:
    """Let a file be under way from alice to bob; gives the offer's id, the transfer's, and its path."""
    path = folder / "letter"
    path.write_bytes(os.urandom(16 * limits.MIB))
    limit(alice, SLOW)
    offered = alice.offer(bob, path)
    await bob.until(lambda: bob.states()[offered][0] == "running")
    [transfer] = transfers(bob.one)
    return offered, transfer.id, path


def parts(bob: Station) -> list[str]:
    return sorted(entry.name for entry in bob.downloads.iterdir())


async def test_a_download_that_is_held_lets_the_sender_wait_and_goes_on(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, transfer, path = await under_way(alice, bob, tmp_path)
    held = bob.do(stopping.pause, transfer, bob.one.world.wall())
    assert held.state == "paused"
    await alice.until(lambda: alice.states()[offered] == ("waiting", "friend"))
    assert bob.states()[offered] == ("paused", None)
    limit(alice, "off")
    bob.do(stopping.resume, transfer, bob.one.world.wall())
    await bob.until(lambda: bob.states()[offered][0] == "done")
    assert (bob.downloads / "letter").read_bytes() == path.read_bytes()


async def test_a_download_that_is_held_while_its_folder_is_gone_waits_for_its_person_at_the_sender(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, transfer, path = await under_way(alice, bob, tmp_path)
    away = bob.downloads.rename(tmp_path / "away")
    await alice.until(lambda: alice.states()[offered] == ("waiting", "friend-folder"))
    bob.do(stopping.pause, transfer, bob.one.world.wall())
    await alice.until(lambda: alice.states()[offered] == ("waiting", "friend-paused"))
    away.rename(bob.downloads)
    limit(alice, "off")
    bob.do(stopping.resume, transfer, bob.one.world.wall())
    await bob.until(lambda: bob.states()[offered][0] == "done")
    assert (bob.downloads / "letter").read_bytes() == path.read_bytes()


async def test_what_its_sender_holds_waits_for_the_friend_and_asks_again_when_it_is_told_to(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, transfer, path = await under_way(alice, bob, tmp_path)
    alice.do(stopping.pause, transfer, alice.one.world.wall())
    await bob.until(lambda: bob.states()[offered] == ("waiting", "friend-paused"))
    assert alice.states()[offered] == ("paused", None)
    limit(alice, "off")
    alice.do(stopping.resume, transfer, alice.one.world.wall())
    bob.links.asked_to_dial(alice.one.keys.identity, alice.one.keys.device)
    await bob.until(lambda: bob.states()[offered][0] == "done")
    assert (bob.downloads / "letter").read_bytes() == path.read_bytes()


async def test_a_limit_for_one_friend_holds_for_that_friend(two: Two, tmp_path: Path) -> None:
    alice, bob = two
    limit(alice, SLOW, "bob")
    path = tmp_path / "film"
    path.write_bytes(os.urandom(4 * limits.MIB))
    offered = alice.offer(bob, path)
    await bob.until(lambda: bob.states()[offered][0] == "running")
    limit(alice, "off")  # for all: his own stays
    assert bob.states()[offered][0] == "running"
    limit(alice, "off", "bob")
    await bob.until(lambda: bob.states()[offered][0] == "done")


async def test_what_is_called_off_leaves_nothing_behind(two: Two, tmp_path: Path) -> None:
    alice, bob = two
    offered, transfer, _ = await under_way(alice, bob, tmp_path)
    await bob.until(lambda: len(parts(bob)) == 1)
    now = bob.one.world.wall()
    bob.do(stopping.cancel, bob.one.keys, transfer, now, bob.one.entropy)
    await bob.tidied(offered)
    assert parts(bob) == []
    assert alice.states()[offered] == ("cancelled", None)


async def test_what_is_withdrawn_leaves_nothing_behind_on_either_side(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, _, _ = await under_way(alice, bob, tmp_path)
    now = alice.one.world.wall()
    alice.do(stopping.withdraw, alice.one.keys, offered, now, alice.one.entropy)
    for each in two:
        assert each.states()[offered] == ("cancelled", None)
        await each.tidied(offered)
    assert parts(bob) == []
    assert alice.shelf.load(OfferId(bytes.fromhex(offered))) is None


async def test_a_refusal_that_comes_before_the_word_of_it_does_not_fail_the_transfer(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, _, _ = await under_way(alice, bob, tmp_path)
    now = alice.one.world.wall()
    _, effects = alice.one.database.write(
        stopping.withdraw, alice.one.keys, offered, now, alice.one.entropy
    )
    alice.one.database.commit()
    alice.links.wake()  # the data link hears it first, the conversation later
    await bob.until(lambda: bob.states()[offered] == ("waiting", "source"))
    alice.follow(effects)
    await bob.until(lambda: bob.states()[offered] == ("cancelled", None))
    [ended] = transfers(bob.one)
    assert ended.error is not None
    assert ended.error["code"] == "offer-withdrawn"


async def test_a_link_that_is_lost_lets_a_transfer_wait_for_a_source_until_there_is_another(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    offered, _, path = await under_way(alice, bob, tmp_path)
    port, alice.port = alice.port, 1  # nobody listens there
    alice.links.close_identity(bob.one.keys.identity)
    await bob.until(lambda: bob.states()[offered] == ("waiting", "source"))
    alice.port = port
    limit(alice, "off")
    bob.links.asked_to_dial(alice.one.keys.identity, alice.one.keys.device)
    await bob.until(lambda: bob.states()[offered][0] == "done")
    assert (bob.downloads / "letter").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(("types", "is_taken"), [("*.txt", True), ("*.jpg", False)])
async def test_what_is_taken_on_condition_is_answered_when_its_files_are_known(
    two: Two, tmp_path: Path, types: str, is_taken: bool
) -> None:
    alice, bob = two
    for name, text in (("accept.policy", "auto"), ("accept.types", types)):
        bob.one.database.write(preferences.put, KEYS[name], text, None)
    bob.one.database.commit()
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "one.txt").write_bytes(b"one")
    offered = alice.offer_alone(bob, folder)
    now = bob.one.world.wall()
    effects = bob.one.database.write(
        policy.apply, bob.one.keys, bob.downloads, now, bob.one.entropy
    )
    bob.one.database.commit()
    bob.follow(effects)
    if is_taken:
        await bob.until(lambda: bob.states().get(offered) == ("done", None))
        assert (bob.downloads / "notes" / "one.txt").read_bytes() == b"one"
        await alice.until(lambda: alice.states()[offered] == ("done", None))
    else:
        await bob.until(lambda: not bob.one.database.read(manager.due))
        assert (bob.states(), parts(bob)) == ({}, [])
        assert alice.states()[offered] == ("waiting", "friend")
        assert told(bob.effects, "transfer") == []


async def test_of_many_accepted_at_once_some_come_and_the_others_have_their_place(
    two: Two, tmp_path: Path
) -> None:
    alice, bob = two
    limit(alice, SLOW)
    offers = []
    for number in range(64):
        path = tmp_path / f"part {number}"
        path.write_bytes(os.urandom(200_000))
        offers.append(alice.offer(bob, path))
    most = limits.TRANSFERS_AT_ONCE
    queued = 0

    def is_all_done() -> bool:
        nonlocal queued
        listed = transfers(bob.one)
        running = [each for each in listed if each.state == "running"]
        waiting = [each for each in listed if each.state == "waiting"]
        assert len(running) <= most
        places = [each.place for each in waiting if each.reason == "slot"]
        assert places == list(range(1, len(places) + 1))
        if len(running) == most:
            limit(alice, "off")  # they begin by themselves, as soon as others are done
            queued = max(queued, sum(each.reason == "slot" for each in waiting))
        return {each.state for each in listed} == {"done"}

    await bob.until(is_all_done)
    assert queued > 0
    landed = [name for name in parts(bob) if not name.endswith(".part")]
    assert len(landed) == len(offers)


async def test_what_is_over_is_let_go_of_at_once_with_all_its_lists(
    two: Two, tmp_path: Path
) -> None:
    """Rings wait for the collector, which comes seldom: of 100,000 files each would hold 30 MiB until then."""
    alice, bob = two
    loop, gone = asyncio.get_running_loop(), [asyncio.Event(), asyncio.Event()]

    def watch(thing: object, event: asyncio.Event) -> weakref.ref[object]:
        return weakref.ref(thing, lambda _: loop.call_soon_threadsafe(event.set))

    gc.disable()
    try:
        offered, transfer, _ = await under_way(alice, bob, tmp_path)
        await bob.until(lambda: bob.verified(offered) >= limits.MIB)
        [coming] = bob.links._coming.open.values()
        assert coming._landfall is not None
        kept = [
            watch(each, at) for each, at in zip((coming, coming._landfall.sink), gone, strict=True)
        ]
        del coming
        bob.do(stopping.cancel, bob.one.keys, transfer, bob.one.world.wall(), bob.one.entropy)
        async with asyncio.timeout(90):
            for event in gone:
                await event.wait()
        assert [each() for each in kept] == [None, None]
    finally:
        gc.enable()
