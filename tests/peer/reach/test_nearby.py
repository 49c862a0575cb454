"""What is heard on a local network: bounded, used for friends only, and never a way to somebody else's door."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv6Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.reach.nearby import (
    Announced,
    Nearby,
    Network,
    Opening,
    is_near,
    properties,
    read_announced,
)
from wire import limits
from wire.identity import lan_mark, lan_open_mark
from wire.ids import AccountName, DeviceId, IdentityKey, LinkKey
from wire.machine import Monotonic, UnixMillis

DAY = 20_778
NOON = UnixMillis(DAY * 86_400_000 + 43_200_000)
BOB = IdentityKey(b"\xbb" * 32)
LAPTOP = DeviceId(b"\x02" * 16)
MARK = lan_mark(BOB, LAPTOP, DAY)
KEY = LinkKey(b"\x03" * 32)
OPENING = Opening(lan_open_mark(BOB, DAY), KEY, AccountName("bob"))
OWN: list[Network] = [
    IPv4Interface("192.168.7.2/24"),
    IPv6Interface("fd00:7::2/64"),
    IPv6Interface("fe80::2/64"),
]
T0 = Monotonic(100.0)


def announced(host: str = "192.168.7.9", port: int = 4000, mark: bytes = MARK) -> Announced:
    return Announced(mark, ((host, port),))


def test_what_is_announced_reads_back() -> None:
    for opening in (None, OPENING):
        said: dict[bytes, bytes | None] = dict(properties(MARK, opening))
        read = read_announced(said, ["192.168.7.9", "fe80::9%3"], 4000, OWN)
        assert read == Announced(MARK, (("192.168.7.9", 4000), ("fe80::9%3", 4000)), opening)


@pytest.mark.parametrize(
    "host",
    [
        "192.168.8.9",  # another network
        "8.8.8.8",
        "192.168.7.2",  # ourselves
        "127.0.0.1",
        "::1",
        "0.0.0.0",
        "224.0.0.251",
        "ff02::fb",
        "2001:db8::1",
        "router.example",
        "",
    ],
)
def test_only_other_machines_of_a_network_of_ours_are_near(host: str) -> None:
    assert not is_near(host, OWN)
    assert read_announced(dict(properties(MARK, None)), [host], 4000, OWN) is None


TEXT = st.dictionaries(
    st.sampled_from([b"v", b"m", b"o", b"k", b"n", b"x"]),
    st.none() | st.binary(max_size=40) | st.sampled_from([b"1", MARK, KEY, b"bob", b"\xff"]),
)


@given(TEXT, st.lists(st.text(max_size=20) | st.ip_addresses().map(str)), st.none() | st.integers())
def test_nonsense_is_passed_over(
    said: dict[bytes, bytes | None], hosts: list[str], port: int | None
) -> None:
    read = read_announced(said, hosts, port, OWN)
    if read is not None:
        assert len(read.places) <= limits.LAN_HOSTS
        assert all(is_near(host, OWN) and 0 < port <= 65535 for host, port in read.places)
        assert read.mark == said[b"m"]


def test_a_device_is_where_it_was_said_to_be_last_whatever_the_clock_says_of_the_day() -> None:
    nearby = Nearby()
    nearby.heard("a", announced("192.168.7.9"), T0)
    nearby.heard("b", announced("192.168.7.10"), T0)
    expected = [("192.168.7.10", 4000), ("192.168.7.9", 4000)]
    for day in (-1, 0, 1):
        at = UnixMillis(NOON + day * 86_400_000)
        assert nearby.places(BOB, LAPTOP, at) == expected
    assert nearby.places(BOB, LAPTOP, UnixMillis(NOON + 2 * 86_400_000)) == []
    assert nearby.places(BOB, DeviceId(b"\x04" * 16), NOON) == []
    nearby.gone("b")
    assert nearby.places(BOB, LAPTOP, NOON) == expected[1:]
    nearby.clear()
    assert nearby.places(BOB, LAPTOP, NOON) == []


def test_who_takes_requests_is_found_by_who_has_the_code() -> None:
    nearby = Nearby()
    nearby.heard("a", announced(), T0)
    assert nearby.opened(BOB, NOON) == []
    nearby.heard("a", Announced(MARK, (("192.168.7.9", 4000),), OPENING), T0)
    assert nearby.opened(BOB, NOON) == [(("192.168.7.9", 4000), KEY)]
    assert nearby.opened(IdentityKey(b"\xcc" * 32), NOON) == []


def test_the_same_place_is_news_once_a_minute() -> None:
    nearby = Nearby()
    assert nearby.heard("a", announced(), T0)
    assert not nearby.heard("a", announced(), Monotonic(T0 + limits.LAN_FRESH_S - 1))
    assert nearby.heard("a", announced(port=4001), Monotonic(T0 + 2))
    assert not nearby.heard("b", announced(), Monotonic(T0 + 3))
    assert nearby.heard("a", announced(), Monotonic(T0 + 2 * limits.LAN_FRESH_S))


def test_a_flood_of_liars_costs_bounded_memory_and_a_friend_four_places() -> None:
    nearby = Nearby()
    for number in range(5_000):
        host = f"192.168.7.{number % 200 + 10}"
        nearby.heard(f"liar {number}", announced(host, number + 1), T0)
    assert len(nearby) == limits.LAN_SERVICES
    assert len(nearby._told) <= limits.LAN_SERVICES * limits.LAN_HOSTS
    assert len(nearby.places(BOB, LAPTOP, NOON)) == limits.LAN_HOSTS
