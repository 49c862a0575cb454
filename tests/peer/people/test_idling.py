"""Away by itself: what counts as use, and what the tracker is told when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from peer import api
from peer.errors import PeerError
from peer.people import keeping, roster
from peer.people.idling import Idleness, patience_s
from peer.settings import preferences
from tests.harness.simnet import SimPeer, Simulation
from wire.codes import Code
from wire.machine import UnixMillis
from wire.messages.presence import Show

SOON_S = 0.01


class Told:
    """What a tracker is told, and how to wait for it; it may be away."""

    def __init__(self) -> None:
        self.words: asyncio.Queue[bool] = asyncio.Queue()
        self.is_away = False

    async def tell(self, is_idle: bool) -> None:
        self.words.put_nowait(is_idle)
        if self.is_away:
            raise PeerError(Code.TRACKER_UNREACHABLE)


@asynccontextmanager
async def watched(told: Told, *patience: float | None) -> AsyncIterator[Idleness]:
    """Give one that is watched; patience: one answer after the other, the last for ever."""
    answers = list(patience)
    clock = asyncio.get_running_loop().time
    one = Idleness(lambda: answers.pop(0) if len(answers) > 1 else answers[0], told.tell, clock)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(one.watch())
        yield one
        task.cancel()


async def test_a_while_without_commands_is_told_and_the_next_command_too() -> None:
    told = Told()
    async with watched(told, SOON_S) as one:
        assert await told.words.get() is True
        assert one.is_idle
        one.heard(api.GetStatus())  # a program that looks on
        one.heard(api.SendText("bob", "hello"))
        assert await told.words.get() is False
        assert await told.words.get() is True


async def test_who_is_never_to_be_away_is_not_and_may_change_their_mind() -> None:
    told = Told()
    async with watched(told, None, SOON_S) as one:
        await asyncio.sleep(0)  # it looks for the first time
        assert told.words.empty()
        one.look_again()
        assert await told.words.get() is True


async def test_a_tracker_that_is_away_is_told_of_the_next_change_all_the_same() -> None:
    told = Told()
    told.is_away = True
    async with watched(told, SOON_S) as one:
        assert await told.words.get() is True
        one.heard(api.ListFriends())
        assert await told.words.get() is False


@pytest.mark.parametrize(
    ("text", "one", "seconds"),
    [("90", "90s", 90), ("10m", "10m", 600), (" 2H ", "2h", 7200), ("1d", "1d", 86_400)],
)
def test_a_patience_has_one_spelling(text: str, one: str, seconds: float) -> None:
    key = preferences.KEYS["idle"]
    assert preferences.read_value(key, text) == one
    alice = SimPeer.make(Simulation(1), "alice")
    assert alice.database.read(patience_s) == 600
    alice.database.write(preferences.put, key, one, None)
    assert alice.database.read(patience_s) == seconds
    alice.database.write(preferences.put, key, preferences.read_value(key, "off"), None)
    assert alice.database.read(patience_s) is None


@pytest.mark.parametrize("text", ["", "0s", "soon", "-1", "1.5h", "1w", "٣٤", "9999999", "m"])
def test_what_is_no_patience_is_refused_by_name(text: str) -> None:
    with pytest.raises(PeerError) as refused:
        preferences.read_value(preferences.KEYS["idle"], text)
    assert refused.value.code is Code.CONFIG_INVALID


def test_what_was_shown_for_a_time_is_shown_up_to_its_end_whoever_restarts() -> None:
    alice = SimPeer.make(Simulation(1), "alice")
    assert alice.database.read(roster.to_show, UnixMillis(5)) == (Show.AVAILABLE, "", 0)
    alice.database.write(roster.set_own_presence, Show.BUSY, "exam", 1000)
    alice.database.commit()
    alice.crash()
    assert alice.database.read(roster.to_show, UnixMillis(999)) == (Show.BUSY, "exam", 1000)
    assert alice.database.read(roster.to_show, UnixMillis(1000)) == (Show.AVAILABLE, "", 0)
    alice.database.write(roster.set_own_presence, Show.AWAY, "till I am back")
    assert alice.database.read(roster.to_show, UnixMillis(10**13))[0] is Show.AWAY


def test_a_presence_that_would_end_beyond_all_time_stays_until_changed() -> None:
    alice = SimPeer.make(Simulation(1), "alice")
    alice.database.write(roster.set_own_presence, Show.BUSY, "", 2**53 + 1)
    assert alice.database.read(roster.to_show, UnixMillis(5)) == (Show.BUSY, "", 0)


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("inf"), float("nan"), 1e15])
def test_what_holds_for_no_time_or_beyond_a_life_is_refused(for_s: float) -> None:
    with pytest.raises(PeerError) as caught:
        keeping.check_span(for_s)
    assert caught.value.code is Code.USAGE
