"""Noticing that an address of ours is gone."""

from __future__ import annotations

import socket

import pytest

from peer.reach.moved import Surroundings, is_here

NOBODYS = "203.0.113.7"  # kept for examples, RFC 5737


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "no address at all"])
def test_what_is_ours_or_cannot_be_told_is_here(host: str) -> None:
    assert is_here((host, 4711))


def test_what_no_device_of_this_machine_has_is_not_here() -> None:
    assert not is_here((NOBODYS, 4711))
    assert not is_here(("2001:db8::1", 4711, 0, 0))


def test_a_link_is_lost_with_its_near_end_and_one_without_is_not() -> None:
    surroundings = Surroundings()
    with socket.create_server(("127.0.0.1", 0)) as here:
        assert [
            surroundings.has_lost(place)
            for place in (here.getsockname(), (NOBODYS, 1), (NOBODYS, 2), None)
        ] == [False, True, True, False]


class Connection:
    def __init__(self, near: tuple[str, int] | None) -> None:
        self.near = near
        self.is_cut = False

    def cut(self) -> None:
        self.is_cut = True


def test_what_uses_a_lost_address_is_cut_and_nothing_else() -> None:
    connections = [Connection(near) for near in (("127.0.0.1", 1), (NOBODYS, 1), None)]
    Surroundings().cut(connections)
    assert [connection.is_cut for connection in connections] == [False, True, False]
