"""What a short transfer does not wait for: a link that is dialled beforehand, a loop that is busy, a friend's node."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from peer.effects import Effect, PushEvents, Tell
from peer.pump import Pump
from peer.transfers import offerings
from peer.transfers.outgoing import Served
from peer.transfers.room import room
from tests.harness.offers import key_of
from tests.harness.stations import PATIENCE_S, Station, two_friends
from wire.ids import DeviceId, IdentityKey

Two = tuple[Station, Station]


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[Two]:
    async with two_friends(tmp_path) as friends:
        yield friends


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "letter"
    found.write_bytes(os.urandom(5))
    return found


async def test_who_is_about_to_take_an_offer_has_a_link_by_then(
    two: Two, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = two
    has_opened = asyncio.Event()

    def take(pump: Pump, device: DeviceId, identity: IdentityKey) -> None:
        bob.links.take(pump, device, identity)
        has_opened.set()

    monkeypatch.setattr(bob.links._dialer, "_take", take)
    offered = alice.offer_alone(bob, path)
    row = bob.one.database.read(offerings.find_incoming, offered)
    assert bob.links.dial_for(row)
    assert bob.links.dial_for(row)  # asked twice, say by another window
    async with asyncio.timeout(PATIENCE_S):
        await has_opened.wait()
    assert not bob.links.dial_for(row)
    assert bob.links.stands(alice.one.keys.device)
    assert not any(link.talk.incoming for link in bob.links._links.every)  # nothing is asked yet
    bob.take(offered, alice)
    await bob.until(lambda: bob.states()[offered][0] == "done")
    assert len(bob.links._links.every) == 1


async def test_who_is_not_there_is_not_dialled_beforehand(two: Two, path: Path) -> None:
    alice, bob = two
    offered = alice.offer_alone(bob, path)
    alice.is_up = False
    assert not bob.links.dial_for(bob.one.database.read(offerings.find_incoming, offered))
    assert not bob.links._dialer._dialling


async def test_what_is_asked_for_is_found_while_the_loop_is_busy(two: Two, path: Path) -> None:
    alice, bob = two
    key = key_of(alice.one, alice.offer_alone(bob, path))
    with ThreadPoolExecutor(1) as link:
        found = link.submit(
            alice.links._find, bob.one.keys.device, bob.one.keys.identity, key, None
        )
        assert isinstance(found.result(PATIENCE_S), Served)  # the loop stands still


async def test_nothing_is_left_of_what_is_done_when_anybody_is_told(
    two: Two, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = two
    seen: list[list[str]] = []
    carry_out: Any = bob._carry_out

    def watch(effects: list[Effect]) -> None:
        if any(map(_is_done, effects)):
            assert any(isinstance(each, PushEvents) for each in effects)
            seen.append([each.name for each in bob.downloads.iterdir()])
        carry_out(effects)

    monkeypatch.setattr(bob.links._outcomes, "_carry_out", watch)
    offered = alice.offer(bob, path)
    await alice.until(lambda: alice.states()[offered][0] == "done")
    assert seen == [["letter"]]


def _is_done(effect: Effect) -> bool:
    if not isinstance(effect, Tell):
        return False
    event = effect.event
    return event.event == "transfer" and event.body["state"] == "done"


def test_room_is_zeros_that_can_be_written_to() -> None:
    made = room(5)
    assert bytes(made) == bytes(5)
    made[1:3] = b"ab"
    assert bytes(made) == b"\0ab\0\0"
