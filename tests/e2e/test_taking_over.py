"""Verbs of one home that meet while no node stays: who runs the node, who waits, and nothing done twice."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.harness.actors import WAIT_S, Node, Peer

Friends = tuple[Peer, Peer]


@pytest.fixture
def offered(friends: Friends, tmp_path: Path) -> str:
    """Bob offered Alice a file, and neither of them has a node any more; gives the offer's id."""
    alice, bob = friends
    path = tmp_path / "out" / "photo.jpg"
    path.parent.mkdir()
    path.write_bytes(b"p" * 3000)
    offer: str = bob.one("send", "alice", str(path))["offer"]
    alice.node.event("offer", offer=offer)
    for friend in friends:
        assert friend.node.stop() == 0
    return offer


def serving(peer: Peer) -> None:
    """Wait until a verb's node serves the home."""
    while peer.one("status")["node"] != "up":
        pass


def photo_of(peer: Peer) -> bytes:
    return (peer.home / "downloads" / "photo.jpg").read_bytes()


def test_what_needs_a_full_node_takes_over_from_a_brief_one_and_nothing_is_done_twice(
    friends: Friends, offered: str
) -> None:
    alice, bob = friends
    with Node(alice, "say", "bob", "just once", "--wait", "600") as saying:
        serving(alice)
        with Node(alice, "accept", offered) as accepting:
            assert accepting.wait(lambda item: item["offer"] == offered)["state"] == "accepted"
            bob.up()
            assert saying.wait(lambda item: "id" in item)["state"] == "delivered"
            assert saying.process.wait(WAIT_S) == 0
            assert accepting.process.wait(WAIT_S) == 0
    assert photo_of(alice) == b"p" * 3000
    assert bob.texts_from("alice") == ["just once"]


def test_a_verbs_node_stays_for_the_other_verbs_that_use_it(friends: Friends, offered: str) -> None:
    alice, bob = friends
    with Node(alice, "accept", offered) as accepting:
        accepting.wait(lambda item: item["offer"] == offered)
        with Node(alice, "read", "--follow") as reading:
            reading.wait(lambda item: "photo.jpg" in item["text"])
            at_bob = bob.up()
            at_bob.event("transfer", offer=offered, state="done")
            bob.do("say", "alice", "after")
            reading.wait(lambda item: item["text"] == "after")
            assert accepting.process.poll() is None
            assert reading.stop(signal.SIGINT) == 130
        assert accepting.process.wait(WAIT_S) == 0
    assert [item["state"] for item in accepting.seen] == ["accepted"]


def test_a_file_that_is_taken_over_another_verbs_node_is_waited_for(
    friends: Friends, offered: str
) -> None:
    alice, bob = friends
    with Node(alice, "read", "--follow") as reading:
        reading.wait(lambda item: "photo.jpg" in item["text"])
        with Node(alice, "accept", offered) as accepting:
            accepting.wait(lambda item: item["offer"] == offered)
            bob.up()
            assert accepting.process.wait(WAIT_S) == 0
            assert photo_of(alice) == b"p" * 3000
        assert reading.stop() == 0
