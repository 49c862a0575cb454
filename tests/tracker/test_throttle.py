from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.throttle import Lobby, Window, address_key
from wire.machine import Monotonic


def at(seconds: float) -> Monotonic:
    return Monotonic(seconds)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
    ],
)
def test_an_address_counts_whole_and_an_ipv6_one_by_its_network(host: str, key: str) -> None:
    assert address_key(host) == key


def test_the_limit_is_reached_and_the_wait_is_named() -> None:
    window = Window(10, 900)
    for _ in range(10):
        assert window.retry_after_s("alice", at(100)) == 0
        window.count("alice", at(100))
    assert window.retry_after_s("alice", at(100)) == 900
    assert window.retry_after_s("alice", at(999.5)) == 1
    assert window.retry_after_s("alice", at(1000)) == 0
    assert window.retry_after_s("bob", at(100)) == 0


def test_a_window_that_is_over_begins_anew() -> None:
    window = Window(1, 10)
    window.count("alice", at(0))
    assert window.retry_after_s("alice", at(5)) == 5
    window.count("alice", at(10))
    assert window.retry_after_s("alice", at(11)) == 9


def test_who_has_proven_itself_is_forgotten() -> None:
    window = Window(1, 10)
    window.count("alice", at(0))
    window.forget("alice")
    window.forget("alice")
    assert window.retry_after_s("alice", at(0)) == 0


def test_a_window_remembers_no_more_than_it_may() -> None:
    window = Window(1, 10, keys=3)
    for number in range(5):
        window.count(number, at(0))
    assert [bool(window.retry_after_s(number, at(0))) for number in range(5)] == [
        False,
        False,
        True,
        True,
        True,
    ]


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from("ab")), max_size=60))
def test_nobody_gets_more_than_the_limit_in_any_window(steps: list[tuple[float, str]]) -> None:
    window, now, granted = Window(3, 10), 0.0, []
    for step, key in steps:
        now += step
        if not window.retry_after_s(key, at(now)):
            window.count(key, at(now))
            granted.append((key, now))
    for key in "ab":
        begin, count = None, 0
        for who, when in granted:
            if who == key:
                if begin is None or when >= begin + 10:
                    begin, count = when, 0
                count += 1
                assert count <= 3


def test_one_address_may_have_so_many_sockets_at_the_door() -> None:
    lobby = Lobby(per_address=2, most=10, early=10)
    assert [lobby.enter("a", 255) for _ in range(3)] == [True, True, False]
    assert lobby.enter("b", 255)
    lobby.leave("a")
    assert lobby.enter("a", 255)
    assert lobby.count == 3


def test_a_full_door_turns_everybody_away() -> None:
    lobby = Lobby(per_address=10, most=2, early=2)
    assert [lobby.enter(address, 255) for address in "abc"] == [True, True, False]


def test_the_fuller_the_door_the_more_are_turned_away_at_random() -> None:
    lobby = Lobby(per_address=1000, most=200, early=100)
    while lobby.count < 150:
        assert lobby.enter("a", 255)
    assert [lobby.enter("b", dice) for dice in (0, 127)] == [False, False]
    assert lobby.enter("b", 129)


@given(st.lists(st.tuples(st.booleans(), st.sampled_from("abc"), st.integers(0, 255)), max_size=80))
def test_the_door_never_counts_wrong(steps: list[tuple[bool, str, int]]) -> None:
    lobby, inside = Lobby(per_address=4, most=8, early=6), []
    for wants_in, address, dice in steps:
        if wants_in:
            if lobby.enter(address, dice):
                inside.append(address)
        elif address in inside:
            inside.remove(address)
            lobby.leave(address)
        assert lobby.count == len(inside) <= 8
        assert all(inside.count(a) <= 4 for a in "abc")
