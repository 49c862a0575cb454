"""Friendship without a tracker, by hand and over links alone: who may come in, what they may say, how often."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Peer
from tests.harness.trackers import TrackerProcess

pytestmark = pytest.mark.measured


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """Two local accounts, both up, on the loopback: nothing is announced there."""
    with ExitStack() as stack:
        found = [stack.enter_context(closing(Peer(tmp_path, name))) for name in ("alice", "bob")]
        for peer in found:
            peer.register(None, "--unsealed")
            peer.up()
        yield found[0], found[1]


def ask(alice: Peer, bob: Peer) -> None:
    code = bob.one("friend", "code", "--lan")["code"]
    assert alice.one("friend", "add", code, "--at", bob.node.address)["state"] == "asked"
    bob.node.event("friend-request", friend=alice.name, direction="in")


def talk(alice: Peer, bob: Peer) -> None:
    for one, other in ((alice, bob), (bob, alice)):
        assert one.one("say", other.name, "hello", "--wait", "100")["state"] == "delivered"


def test_a_yes_makes_the_very_link_one_of_friends(people: tuple[Peer, Peer]) -> None:
    alice, bob = people
    ask(alice, bob)
    bob.do("friend", "accept", "alice")
    alice.node.event("friend", friend="bob", state="friends")
    talk(alice, bob)
    assert alice.one("status")["waiting"] == bob.one("status")["waiting"] == []


def test_an_answer_that_found_nobody_comes_with_the_next_link(people: tuple[Peer, Peer]) -> None:
    alice, bob = people
    ask(alice, bob)
    alice.node.stop()
    bob.do("friend", "accept", "alice")
    alice.up()
    dialled = bob.one("friend", "dial", "alice", alice.node.address)
    assert dialled["friend"] == "alice"
    alice.node.event("friend", friend="bob", state="friends")
    talk(alice, bob)


@pytest.fixture
def guest_and_host(tmp_path: Path, tracker: TrackerProcess) -> Iterator[tuple[Peer, Peer]]:
    """A local account, and one that is online at a tracker which never hears of the other."""
    with ExitStack() as stack:
        guest, host = (
            stack.enter_context(closing(Peer(tmp_path, name))) for name in ("guest", "host")
        )
        for peer, address in ((guest, None), (host, tracker.address)):
            peer.register(address, "--unsealed")
            peer.up()
        host.node.event("notice", code="tracker-online")
        yield guest, host


def test_somebody_whom_the_tracker_does_not_know_is_answered_all_the_same(
    guest_and_host: tuple[Peer, Peer],
) -> None:
    guest, host = guest_and_host
    ask(guest, host)
    assert host.one("friend", "accept", "guest") == {"friend": "guest", "state": "friends"}
    guest.node.event("friend", friend="host", state="friends")
    talk(guest, host)


def test_the_answer_waits_for_somebody_whom_the_tracker_does_not_know(
    guest_and_host: tuple[Peer, Peer],
) -> None:
    guest, host = guest_and_host
    ask(guest, host)
    guest.node.stop()
    assert host.one("friend", "accept", "guest")["state"] == "friends"
    guest.up()
    host.one("friend", "dial", "guest", guest.node.address)
    guest.node.event("friend", friend="host", state="friends")
    talk(guest, host)
    host.node.stop()
    assert host.one("status")["waiting"] == []


def test_a_no_to_somebody_whom_the_tracker_does_not_know_is_told(
    guest_and_host: tuple[Peer, Peer],
) -> None:
    guest, host = guest_and_host
    ask(guest, host)
    host.do("friend", "reject", "guest")
    guest.node.event("friend", friend="host", state="rejected")


def test_a_no_is_told_and_the_door_is_shut_again(people: tuple[Peer, Peer]) -> None:
    alice, bob = people
    ask(alice, bob)
    bob.do("friend", "reject", "alice")
    alice.node.event("friend", friend="bob", state="rejected")
    assert bob.do("friend", "list") == alice.do("friend", "list") == []


def test_who_takes_no_requests_is_not_found(people: tuple[Peer, Peer]) -> None:
    alice, bob = people
    code = bob.one("friend", "code")
    assert code["lan_until"] is None
    refused = alice.try_to("friend", "add", code["code"], "--at", bob.node.address)
    assert refused.error["code"] == "peer-unreachable"
    assert alice.try_to("friend", "add", "bob", "--at", bob.node.address).error["code"] == "usage"


def test_a_name_that_is_somebody_elses_here_is_refused(
    people: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = people
    ask(alice, bob)
    bob.do("friend", "accept", "alice")
    alice.node.event("friend", friend="bob", state="friends")
    (tmp_path / "elsewhere").mkdir()
    with closing(Peer(tmp_path / "elsewhere", "alice")) as other:
        other.register(None, "--unsealed")
        other.up()
        code = bob.one("friend", "code", "--lan")["code"]
        other.one("friend", "add", code, "--at", bob.node.address)
        assert other.one("friend", "requests")["direction"] == "out"
        talk(alice, bob)  # the alarm of a changed key would have ended that
        assert bob.do("friend", "requests") == []


def test_somebody_without_the_code_learns_nothing(people: tuple[Peer, Peer]) -> None:
    alice, bob = people
    bob.one("friend", "code", "--lan")
    own = alice.one("whoami")["code"]
    refused = alice.try_to("friend", "add", own, "--at", bob.node.address)
    assert refused.code == 1
    assert bob.do("friend", "requests") == []
