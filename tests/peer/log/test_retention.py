"""How long words are kept: what goes, what stays, and when nothing is touched."""

from __future__ import annotations

import pytest

from peer.errors import PeerError
from peer.history import transcript
from peer.log import retention
from peer.log.retention import Patience
from peer.settings import preferences
from peer.talk import seen
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import give, pass_on, receipt_of, say
from wire.codes import Code
from wire.machine import UnixMillis

DAY_MS = 86_400_000
Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def keep(one: SimPeer, text: str, friend: str | None = None) -> None:
    key = preferences.need_key("retention")
    one.database.write(preferences.put, key, preferences.read_value(key, text), friend)


def after_days(one: SimPeer, days: float) -> int:
    return one.database.write(retention.drop_old, UnixMillis(int(one.wall() + days * DAY_MS)))


def shown(one: SimPeer, friend: str) -> list[tuple[str, str | None]]:
    return [(m.text, m.gone) for m in one.database.read(transcript.messages, friend)]


def test_what_was_read_and_is_older_goes_and_its_line_stays(pair: Pair) -> None:
    alice, bob = pair
    pass_on(bob, alice, say(bob, "alice", "old words"))
    keep(alice, "30d")
    assert after_days(alice, 31) == 0  # nobody has read it
    alice.database.write(seen.read, "bob", False, None)
    assert after_days(alice, 29) == 0
    assert after_days(alice, 31) == 1
    assert shown(alice, "bob") == [("", "retention")]
    assert shown(bob, "alice") == [("old words", None)]


def test_what_has_not_arrived_stays(pair: Pair) -> None:
    alice, bob = pair
    event = say(alice, "bob", "not there yet")
    keep(alice, "1d")
    assert after_days(alice, 10) == 0
    pass_on(alice, bob, event)
    give(receipt_of(bob, "alice"), bob, alice)
    assert after_days(alice, 10) == 1


def test_one_friend_may_be_kept_longer_than_all_others(pair: Pair) -> None:
    alice, bob = pair
    pass_on(bob, alice, say(bob, "alice", "dear words"))
    alice.database.write(seen.read, "bob", False, None)
    keep(alice, "1d")
    keep(alice, "off", "bob")
    assert after_days(alice, 1000) == 0
    keep(alice, "2d", "bob")
    assert after_days(alice, 1000) == 1


@pytest.mark.parametrize("text", ["0d", "-1d", "90", "90h", "1.5d", "999999d", "soon", "", "٣d"])
def test_an_age_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        preferences.read_value(preferences.need_key("retention"), text)
    assert caught.value.code is Code.CONFIG_INVALID


def test_a_look_is_due_at_once_then_every_ten_minutes_and_an_hour_after_a_jump() -> None:
    patience = Patience(100.0, 1_000_000)
    assert patience.is_due(100.0, 1_000_000)
    patience.looked(100.0, is_more=False)
    assert not patience.is_due(699.0, 1_599_000)
    assert patience.is_due(700.0, 1_600_000)
    year = 365 * DAY_MS
    assert not patience.is_due(701.0, 1_601_000 + year)
    assert not patience.is_due(4300.0, 5_200_000 + year)
    assert patience.is_due(4301.0, 5_201_000 + year)
    patience.looked(4301.0, is_more=True)
    assert patience.is_due(4301.0, 5_201_000 + year)
