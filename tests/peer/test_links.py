"""Which of two links stays, who may knock, and what is worth dialling: decisions without sockets."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from peer.errors import PeerError
from peer.links import Links, PeerLink
from peer.listener import Knocks, open_listeners, parse_listen, place_of
from peer.log.sessions import Session
from peer.reach.candidates import candidates
from wire import limits
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.identity import Host
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey

SMALL, LARGE = LinkKey(bytes(32)), LinkKey(b"\xff" * 32)
FIRST_RUN, SECOND_RUN = BootId(b"1" * 16), BootId(b"2" * 16)


def link(
    initiator: LinkKey,
    *,
    is_ours: bool = False,
    boot_id: BootId = FIRST_RUN,
    device: bytes = b"d" * 16,
    path: str = "direct",
) -> PeerLink:
    session = Session(DeviceId(device), IdentityKey(b"i" * 32))
    pump: object = None
    return PeerLink(pump, session, "bob", initiator, is_ours, boot_id, 0, path)  # type: ignore[arg-type]


def test_one_that_is_not_relayed_stays_before_one_that_is_whoever_dialled() -> None:
    for initiator, other in ((SMALL, LARGE), (LARGE, SMALL), (SMALL, SMALL)):
        relayed, direct = link(initiator, path="relayed"), link(other, path="direct")
        first: Any = Links()
        assert (first.add(relayed), first.add(direct)) == ([], [relayed])
        second: Any = Links()
        assert (second.add(direct), second.add(relayed)) == ([], [relayed])
        assert first.every() == second.every() == [direct]


def test_of_two_that_dialled_at_once_the_smaller_link_key_stays_in_either_order() -> None:
    for order in ((SMALL, LARGE), (LARGE, SMALL)):
        links: Any = Links()
        made = {key: link(key, is_ours=key == SMALL) for key in order}
        losers = [loser for key in order for loser in links.add(made[key])]
        assert losers == [made[LARGE]]
        assert links.every() == [made[SMALL]]


def test_a_link_of_a_former_run_of_the_other_end_is_dead() -> None:
    links: Any = Links()
    old, fresh = link(SMALL), link(LARGE, boot_id=SECOND_RUN)
    assert links.add(old) == []
    assert links.add(fresh) == [old]
    assert links.of_device(fresh.device) is fresh


def test_a_dialler_keeps_its_first_link_and_the_other_side_lets_it_decide() -> None:
    ours: Any = Links()
    first, second = link(SMALL, is_ours=True), link(SMALL, is_ours=True)
    assert ours.add(first) == []
    assert ours.add(second) == [second]
    theirs: Any = Links()
    made = [link(SMALL) for _ in range(3)]
    assert theirs.add(made[0]) == []
    assert theirs.add(made[1]) == []
    assert theirs.add(made[2]) == [made[0]]
    theirs.remove(made[2])
    assert theirs.of_device(made[0].device) is made[1]


def test_whoever_dials_anew_has_lost_the_link_that_stood_for_long() -> None:
    links: Any = Links()
    ours, anew = link(SMALL, is_ours=True), link(LARGE)
    assert links.add(ours) == []
    assert links.add(anew, [ours]) == [ours]
    assert links.every() == links.every_of_device(anew.device) == [anew]


def test_what_stood_for_long_stays_before_a_worse_path_and_before_our_own_dial() -> None:
    links: Any = Links()
    theirs = link(SMALL)
    assert links.add(theirs) == []
    for late in (link(LARGE, path="relayed"), link(LARGE, is_ours=True)):
        assert links.add(late, [theirs]) == [late]
    assert links.every() == [theirs]


def test_links_of_other_devices_are_left_alone() -> None:
    links: Any = Links()
    one, other = link(LARGE), link(SMALL, device=b"e" * 16)
    assert links.add(one) == [] == links.add(other)
    assert set(links.of_identity(b"i" * 32)) == {one, other}
    assert links.of_identity(b"j" * 32) == []
    links.remove(one)
    links.remove(one)
    assert links.of_device(one.device) is None


class Knock:
    def __init__(self, peer: str) -> None:
        self.peer = peer


def test_an_address_has_few_unproven_connections_and_gets_its_place_back() -> None:
    knocks = Knocks(SystemEntropy())
    inside = [Knock("192.0.2.1") for _ in range(limits.SOCKETS_PER_ADDRESS)]
    assert all(knocks.enter(knock) for knock in inside)
    assert not knocks.enter(Knock("192.0.2.1"))
    assert knocks.enter(Knock("192.0.2.2"))
    knocks.leave(inside[0])
    knocks.leave(inside[0])
    assert knocks.enter(Knock("192.0.2.1"))
    assert not knocks.enter(Knock("192.0.2.1"))


def test_the_fuller_it_is_the_fewer_come_in_and_never_more_than_the_limit() -> None:
    knocks = Knocks(SystemEntropy())
    entered = sum(knocks.enter(Knock(f"host {number}")) for number in range(20_000))
    assert limits.SOCKETS_EARLY_DROP <= entered <= limits.SOCKETS_PRE_OPEN


@pytest.mark.parametrize("text", ["", "host", ":80", "80"])
def test_what_has_no_host_and_port_is_no_address(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_listen(text)
    assert caught.value.code is Code.ADDRESS_INVALID


@pytest.mark.parametrize("port", ["65536", "abc", "-1", "8080x", "٣٤", "", "1" * 5000])
def test_what_is_no_port_is_named(port: str) -> None:
    with pytest.raises(PeerError) as caught:
        parse_listen(f"127.0.0.1:{port}")
    assert caught.value.code is Code.PORT_INVALID


def test_a_taken_port_is_named_and_nothing_stays_open() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PeerError) as caught:
            open_listeners(("127.0.0.1:0", f"127.0.0.1:{port}"), 0)
        assert caught.value.code is Code.ADDRESS_IN_USE
        assert str(port) in caught.value.message


def test_an_address_of_another_machine_is_refused_by_name() -> None:
    with pytest.raises(PeerError) as caught:
        open_listeners(("192.0.2.1:0",), 0)
    assert caught.value.code is Code.ADDRESS_REFUSED


def test_the_port_of_last_time_is_taken_if_it_is_free_and_another_if_not() -> None:
    first = open_listeners((), 0)
    port = first[0].getsockname()[1]
    second = open_listeners((), port)
    assert second[0].getsockname()[1] != port
    for opened in (*first, *second):
        opened.close()
    again = open_listeners((), port)
    assert place_of(again[0]) == f"0.0.0.0:{port}"
    for opened in again:
        opened.close()


def record(*hosts: tuple[str, int]) -> tuple[Host, ...]:
    return tuple(Host(host, port) for host, port in hosts)


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "169.254.1.1",
        "fe80::1",
        "127.0.0.1",
        "::1",
        "10.0.0.1",
        "192.168.7.7",
        "localhost",
        "tracker.example",
        "127.1",
        "2130706433",
        "240.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "fe80::1%eth0",
        "2a01::1%eth0",
        "fec0::1",
        "2002:7f00:1::1",
        "2001:0:7f00:1::1",
        "fd00::1",
    ],
)
def test_what_could_be_turned_against_others_or_us_is_not_dialled(host: str) -> None:
    assert candidates(record((host, 80)), own_hosts=["8.8.8.8"], may_loopback=False) == []


def dialled(*hosts: tuple[str, int], own: tuple[str, ...] = (), may_loopback: bool = False) -> Any:
    found = candidates(record(*hosts), own_hosts=own, may_loopback=may_loopback)
    return [(each.host, each.path) for each in found]


def test_loopback_is_dialled_only_if_the_tracker_link_runs_over_it() -> None:
    places = (("8.8.4.4", 7), ("127.0.0.1", 7))
    assert dialled(*places, own=("127.0.0.1",), may_loopback=True) == [
        ("127.0.0.1", "direct"),
        ("8.8.4.4", "direct"),
    ]
    assert dialled(*places, own=("8.8.8.8",)) == [("8.8.4.4", "direct")]


def test_private_addresses_are_dialled_from_the_same_network_only() -> None:
    places = (("192.168.7.7", 7), ("10.1.2.3", 7), ("fd00:7:7:7::1", 7), ("fd00:7:7:8::1", 7))
    own = ("192.168.7.1", "fd00:7:7:7::99")
    assert dialled(*places, own=own) == [("192.168.7.7", "lan"), ("fd00:7:7:7::1", "lan")]
    assert dialled(*places) == []


def test_the_lan_comes_first_then_ipv6_and_ipv4_in_turn() -> None:
    places = (
        ("8.8.4.4", 1),
        ("8.8.8.8", 2),
        ("2a01::1", 3),
        ("10.0.0.7", 4),
        ("2a01::2", 5),
        ("2a01::3", 6),
    )
    found = dialled(*places, own=("10.0.9.9",))
    assert [host for host, _ in found] == [
        *("10.0.0.7", "2a01::1", "8.8.4.4", "2a01::2", "8.8.8.8", "2a01::3"),
    ]


def test_a_place_that_a_router_leads_from_says_so() -> None:
    mapped = (Host("8.8.8.8", 1, is_mapped=True), Host("8.8.4.4", 1))
    found = candidates(mapped, own_hosts=[], may_loopback=False)
    assert [each.path for each in found] == ["mapped", "direct"]
