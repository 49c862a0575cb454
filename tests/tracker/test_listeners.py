from __future__ import annotations

import errno
import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path
from socket import AddressFamily
from typing import Any

import pytest

from tracker.config import ListenAddress
from tracker.errors import TrackerError
from tracker.hosts import reachable_hosts
from tracker.listeners import open_listeners, open_place, place_of, places_to_dial
from wire.codes import Code

LOOPBACK = ListenAddress("127.0.0.1", 0)


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    made: list[socket.socket] = []
    yield made
    for listener in made:
        listener.close()


def test_a_free_port_is_found_and_named(opened: list[Any]) -> None:
    opened += open_listeners((LOOPBACK,), may_lack_family=False)
    place = place_of(opened[0])
    assert place.host == "127.0.0.1"
    assert place.port > 0
    assert places_to_dial(opened) == [place]


def test_a_port_in_use_is_named_and_nothing_stays_open(opened: list[Any]) -> None:
    opened += open_listeners((LOOPBACK,), may_lack_family=False)
    taken = place_of(opened[0])
    with pytest.raises(TrackerError) as caught:
        open_listeners((LOOPBACK, taken), may_lack_family=True)
    assert caught.value.code is Code.ADDRESS_IN_USE
    assert str(taken) in caught.value.message


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(TrackerError) as caught:
        open_listeners((ListenAddress("192.0.2.1", 0),), may_lack_family=False)
    assert caught.value.code is Code.ADDRESS_REFUSED


def test_a_host_that_nobody_has_is_refused() -> None:
    with pytest.raises(TrackerError) as caught:
        open_listeners((ListenAddress("a..b", 0),), may_lack_family=False)
    assert caught.value.code is Code.ADDRESS_INVALID


def test_a_family_that_this_machine_lacks_is_left_out_unless_it_was_asked_for(
    opened: list[Any],
) -> None:
    def without_ipv6(address: ListenAddress) -> list[socket.socket]:
        if ":" in address.host:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return open_place(address)

    both = (ListenAddress("::", 0), ListenAddress("0.0.0.0", 0))
    opened += open_listeners(both, may_lack_family=True, open_one=without_ipv6)
    assert [place_of(listener).host for listener in opened] == ["0.0.0.0"]
    with pytest.raises(TrackerError) as caught:
        open_listeners(both, may_lack_family=False, open_one=without_ipv6)
    assert caught.value.code is Code.ADDRESS_REFUSED
    with pytest.raises(TrackerError):
        open_listeners(both[:1], may_lack_family=True, open_one=without_ipv6)


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("has_fcntl", [True, False])
def test_reachable_hosts_are_neither_loopback_nor_link_local(
    family: AddressFamily, has_fcntl: bool
) -> None:
    for host in reachable_hosts(family, has_fcntl=has_fcntl):
        address = ipaddress.ip_address(host)
        assert not address.is_loopback
        assert not address.is_link_local


def test_without_interfaces_the_system_is_asked_which_address_it_would_use(
    tmp_path: Path,
) -> None:
    found = reachable_hosts(socket.AF_INET6, if_inet6=tmp_path / "missing")
    assert isinstance(found, list)
    listed = tmp_path / "if_inet6"
    listed.write_text(
        "00000000000000000000000000000001 01 80 10 80       lo\n"
        "fe800000000000000000000000000001 02 40 20 80     eth0\n"
        "20010db8000000000000000000000007 02 40 00 80     eth0\n"
    )
    assert reachable_hosts(socket.AF_INET6, if_inet6=listed) == ["2001:db8::7"]


def test_a_wildcard_stands_for_every_reachable_address(
    opened: list[Any],
) -> None:
    opened += open_listeners((ListenAddress("0.0.0.0", 0),), may_lack_family=False)
    port = place_of(opened[0]).port
    assert places_to_dial(opened, lambda _: ["192.0.2.1", "192.0.2.2"]) == [
        ListenAddress("192.0.2.1", port),
        ListenAddress("192.0.2.2", port),
    ]
    assert places_to_dial(opened, lambda _: []) == [ListenAddress("127.0.0.1", port)]


def test_every_address_of_a_name_is_listened_on(opened: list[Any]) -> None:
    def both(*_: object, **__: object) -> list[Any]:
        places = ["127.0.0.1", "127.0.0.1", "127.0.0.2"]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, 0)) for place in places]

    opened += open_place(ListenAddress("both", 0), both)
    assert [place_of(listener).host for listener in opened] == ["127.0.0.1", "127.0.0.2"]
