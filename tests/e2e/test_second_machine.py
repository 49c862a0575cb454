"""One account on two machines, as real processes: friends, pins and blocks are the account's, not the machine's."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Item, Peer
from tests.harness.trackers import TrackerProcess

pytestmark = pytest.mark.measured


def log_in(second: Peer, tracker: TrackerProcess) -> Item:
    return second.one("login", "alice", "--tracker", tracker.address, "--device", "laptop")


def states(peer: Peer) -> dict[str, str]:
    return {item["friend"]: item["presence"] for item in peer.do("friend", "list")}


def test_a_second_machine_knows_the_friends_and_takes_part_in_the_conversation(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    alice.one("say", "bob", "from the desk", "--wait", "100")
    laptop = make_peer("laptop")
    made = log_in(laptop, tracker)
    assert made["fingerprint"] == alice.one("whoami")["fingerprint"]
    assert made["last_changed"] is not None
    assert made["trouble"] is None
    alice.node.event("notice", code="device-added")
    at_laptop = laptop.up()
    at_laptop.event("link", friend="bob", state="up")
    assert states(laptop) == {"bob": "available"}
    assert laptop.one("say", "bob", "from the laptop", "--wait", "100")["state"] == "delivered"
    alice.node.event("message", text="from the laptop")
    bob.one("say", "alice", "to both")
    at_laptop.event("message", text="to both")
    alice.node.event("message", text="to both")
    said = [item["text"] for item in laptop.do("history", "bob") if item["kind"] == "message"]
    assert said == [item["text"] for item in alice.do("history", "bob")]
    assert said == ["from the desk", "from the laptop", "to both"]


def test_what_a_verb_changes_without_a_node_reaches_the_other_machine(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    laptop = make_peer("laptop")
    log_in(laptop, tracker)
    laptop.do("friend", "block", "bob")  # a brief node: it comes, changes, puts, and is gone
    alice.node.event("friend", friend="bob", state="blocked")
    assert states(alice) == {}
    assert alice.try_to("say", "bob", "still there?").error["code"] == "blocked"
    bob.node.event("friend", friend="alice", state="removed")


def test_machines_that_are_linked_tell_each_other_what_changes_without_a_tracker(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, _ = friends
    laptop = make_peer("laptop")
    log_in(laptop, tracker)
    laptop.up().event("link", friend="alice", state="up")
    tracker.kill()
    alice.node.event("notice", code="tracker-connecting")
    alice.one("mute", "bob")
    alice.do("friend", "block", "bob")  # told at once, and what changed before with it
    laptop.node.event("friend", friend="bob", state="blocked")
    assert states(laptop) == {}


def test_a_machine_that_was_killed_puts_what_it_changed_when_it_is_back(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, _ = friends
    laptop = make_peer("laptop")
    log_in(laptop, tracker)
    tracker.kill()
    alice.do("friend", "block", "bob")  # the tracker cannot hear of it
    alice.node.kill()
    with TrackerProcess(tracker.home, listen=tracker.listen) as again:
        assert again.address == tracker.address
        laptop.up()
        assert states(laptop).keys() == {"bob"}
        alice.up()
        laptop.node.event("friend", friend="bob", state="blocked")


def test_what_machines_share_is_sealed_from_the_tracker(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, _ = friends
    alice.do("presence", "available", "--text", "mark of the account state")
    assert alice.node.stop() == 0  # puts what was not pressing
    laptop = make_peer("laptop")
    log_in(laptop, tracker)
    assert states(laptop).keys() == {"bob"}
    files = [path for path in tracker.home.glob("**/*") if path.is_file()]
    on_disk = b"".join(path.read_bytes() for path in files)
    assert b"alice" in on_disk
    for word in (b"contact/", b"verified/", b"mark of the account state"):
        assert word not in on_disk


def test_an_answer_that_waited_is_known_to_the_very_next_verb(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    for one in (alice, bob):
        one.register(tracker.address)
    alice.do("friend", "add", "bob")
    bob.do("friend", "accept", "alice")
    assert states(alice) == {"bob": "offline"}
