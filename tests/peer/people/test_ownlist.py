"""Who knows a newer device list of ours: the tracker is asked first, and what stays is an alarm."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from peer.accounts import alarms
from peer.effects import Effect, Tell
from peer.errors import PeerError
from peer.people.ownlist import ListWatch
from peer.store import own
from peer.store.devices import list_of, note_device, note_list
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.identity import add_device, read_device_list


class Watched:
    """Alice's watch; `truth` is the list that the tracker shows, None while it is away."""

    def __init__(self) -> None:
        world = Simulation(1)
        self.alice, self.bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
        befriend(self.alice, self.bob)
        self.truth: bytes | None = self.alice.keys.device_list
        self.told: list[dict[str, object]] = []
        self.asked = 0
        self._tasks: list[Coroutine[Any, Any, None]] = []
        self.watch = ListWatch(
            self.alice.database,
            refresh=self._refresh,
            write=self._write,
            spawn=self._tasks.append,
        )

    async def _refresh(self) -> None:
        self.asked += 1
        if self.truth is None:
            raise PeerError(Code.TRACKER_UNREACHABLE)
        self.alice.database.write(note_list, self.alice.keys.identity, self.truth)

    async def _write(self, fn: Callable[[sqlite3.Connection], list[Effect]]) -> None:
        effects = self.alice.database.write(fn)
        self.told += [effect.event.body for effect in effects if isinstance(effect, Tell)]

    def longer_list(self) -> bytes:
        """Give Alice's list with another device on it."""
        alice = self.alice
        listed = read_device_list(alice.keys.device_list, alice.keys.identity)
        now, entropy = alice.world.wall(), alice.entropy
        return add_device(alice.seed, listed, "laptop", now=now, entropy=entropy).device_list

    async def hears(self, counter: int | None) -> list[str]:
        """Let Bob say what he knows; gives the codes that a person is told."""
        self.told.clear()
        if counter is None:
            self.watch.refused_by(self.bob.keys.identity)
        else:
            self.watch.heard(self.bob.keys.identity, counter)
        tasks, self._tasks[:] = list(self._tasks), []
        for task in tasks:
            await task
        return [str(body["code"]) for body in self.told]

    @property
    def alarms(self) -> list[str]:
        return [alarm["code"] for alarm in self.alice.database.read(alarms.standing)]


@pytest.fixture
def watched() -> Watched:
    return Watched()


async def test_a_friend_who_knows_what_we_know_is_no_news(watched: Watched) -> None:
    assert await watched.hears(0) == []
    assert await watched.hears(1) == []
    assert (watched.asked, watched.alarms) == (0, [])


async def test_news_that_the_tracker_has_too_are_taken_and_no_alarm(watched: Watched) -> None:
    watched.truth = watched.longer_list()
    assert await watched.hears(2) == []
    assert watched.alice.database.read(own.list_counter) == 2
    assert (watched.asked, watched.alarms) == (1, [])


@pytest.mark.parametrize("counter", [2, 2**53, None])
async def test_what_the_tracker_does_not_show_is_told_once_and_stays_an_alarm(
    watched: Watched, counter: int | None
) -> None:
    assert await watched.hears(counter) == ["list-outdated"]
    assert str(watched.told[0]["message"]).startswith("bob saw a newer list")
    assert await watched.hears(counter) == []
    assert watched.alarms == ["list-outdated"]
    watched.alice.database.write(note_list, watched.alice.keys.identity, watched.longer_list())
    assert await watched.hears(2) == []
    assert watched.alarms == []


async def test_a_tracker_that_is_away_hides_nothing(watched: Watched) -> None:
    watched.truth = None
    assert await watched.hears(2) == ["list-outdated"]


async def test_a_friend_who_takes_it_back_ends_the_alarm(watched: Watched) -> None:
    assert await watched.hears(5) == ["list-outdated"]
    assert await watched.hears(6) == []
    assert await watched.hears(1) == []
    assert watched.alarms == []


async def test_strangers_and_own_devices_are_not_listened_to(watched: Watched) -> None:
    watched.watch.heard(watched.alice.keys.identity, 9)
    assert await watched.hears(1) == []
    assert (watched.asked, watched.alarms) == (0, [])


def test_of_two_lists_of_one_counter_the_first_counts(watched: Watched) -> None:
    """Whoever logs in while the tracker shows an old list makes the second, with what the first took off."""
    alice, bob = watched.alice, watched.bob
    listed = read_device_list(bob.keys.device_list, bob.keys.identity)
    first, second = (
        add_device(bob.seed, listed, name, now=bob.world.wall(), entropy=bob.entropy)
        for name in ("laptop", "phone")
    )
    identity = bob.keys.identity
    alice.database.write(note_device, identity, first.certificate, first.device_list)
    for device_list in (second.device_list, bob.keys.device_list):
        with pytest.raises(RemoteProtocolError) as caught:
            alice.database.write(note_device, identity, second.certificate, device_list)
        assert caught.value.code is Code.LIST_ROLLBACK
    alice.database.write(note_device, identity, bob.keys.certificate, first.device_list)
    assert alice.database.read(list_of, identity) == first.device_list
