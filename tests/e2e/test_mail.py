"""People who are never there at the same hour, as real processes: a tracker keeps what they say, and can read none of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Item, Peer
from tests.harness.trackers import TrackerProcess

WORDS = "a sentence that must stand nowhere but in the two homes"


@pytest.fixture
def apart(friends: tuple[Peer, Peer]) -> tuple[Peer, Peer]:
    """Alice and Bob: friends, and nobody is up."""
    for one in friends:
        assert one.node is not None
        assert one.node.stop() == 0
    return friends


def texts(peer: Peer, friend: str) -> list[str]:
    return [item["text"] for item in peer.do("history", friend) if item["kind"] == "message"]


def state_of(peer: Peer, said: Item) -> str:
    [state] = [item["state"] for item in peer.do("history", "bob") if item["id"] == said["id"]]
    return str(state)


def test_a_message_to_somebody_who_is_away_is_sent_kept_and_delivered(
    apart: tuple[Peer, Peer],
) -> None:
    alice, bob = apart
    said = alice.one("say", "bob", "while you were away")
    assert said["state"] == "sent"
    bob.do("friend", "list")  # any verb that talks to the tracker takes in what waits
    assert texts(bob, "alice") == ["while you were away"]
    assert state_of(alice, said) == "sent"
    alice.do("friend", "list")
    assert state_of(alice, said) == "delivered"


def test_they_talk_both_ways_and_are_never_there_together(apart: tuple[Peer, Peer]) -> None:
    alice, bob = apart
    for number in range(3):
        assert alice.one("say", "bob", f"alice {number}")["state"] == "sent"
        assert bob.one("say", "alice", f"bob {number}")["state"] == "sent"
    alice.do("friend", "list")
    expected = [f"{name} {number}" for number in range(3) for name in ("alice", "bob")]
    assert texts(alice, "bob") == texts(bob, "alice") == expected


def test_what_waits_comes_with_up_and_the_receipt_goes_back_over_the_link(
    apart: tuple[Peer, Peer],
) -> None:
    alice, bob = apart
    said = alice.one("say", "bob", "read me later")
    at_bob = bob.up()
    at_bob.event("message", text="read me later")
    at_alice = alice.up()
    at_alice.event("receipt", id=said["id"], state="delivered")
    assert texts(bob, "alice") == ["read me later"]


def test_a_node_that_stays_leaves_mail_and_hears_that_it_was_taken(
    apart: tuple[Peer, Peer],
) -> None:
    alice, bob = apart
    at_alice = alice.up()
    said = alice.one("say", "bob", "anybody home?")
    at_alice.event("receipt", id=said["id"], state="sent")
    bob.do("friend", "list")
    at_alice.event("receipt", id=said["id"], state="delivered")


def test_the_tracker_s_disk_shows_none_of_it_and_a_forged_word_of_it_shows_nowhere(
    apart: tuple[Peer, Peer], tracker: TrackerProcess
) -> None:
    alice, bob = apart
    said = alice.one("say", "bob", WORDS)
    assert said["state"] == "sent"
    on_disk = b"".join(path.read_bytes() for path in tracker.home.rglob("*") if path.is_file())
    assert WORDS.encode() not in on_disk
    tracker.kill()
    for path in tracker.home.glob("*.db*"):
        path.unlink()  # whoever runs it takes all mail away: nothing shows as delivered by that
    assert state_of(alice, said) == "sent"
    assert texts(bob, "alice") == []


def test_mail_survives_a_kill_of_the_tracker_and_of_both_homes(
    apart: tuple[Peer, Peer], tracker: TrackerProcess
) -> None:
    alice, bob = apart
    at_alice = alice.up()
    said = [alice.one("say", "bob", f"message {number}") for number in range(20)]
    at_alice.event("receipt", id=said[-1]["id"], state="sent")
    at_alice.kill()
    tracker.kill()
    with TrackerProcess(tracker.home, listen=tracker.listen):
        at_bob = bob.up()
        at_bob.event("message", text="message 0")
        at_bob.kill()
        at_bob = bob.up()
        if "message 19" not in texts(bob, "alice"):
            at_bob.event("message", text="message 19")
        assert texts(bob, "alice") == [f"message {number}" for number in range(20)]


def test_no_key_that_opened_mail_is_left_below_the_home(apart: tuple[Peer, Peer]) -> None:
    """Forward secrecy: who gets the disk later cannot open what was recorded at the tracker."""
    alice, bob = apart
    bob.do("friend", "list")
    before = private_halves(bob.home)
    assert alice.one("say", "bob", "once")["state"] == "sent"
    bob.do("friend", "list")
    assert texts(bob, "alice") == ["once"]
    after = private_halves(bob.home)
    used = set(before) - set(after)
    assert len(used) == 1
    on_disk = b"".join(path.read_bytes() for path in bob.home.rglob("*") if path.is_file())
    for private in used:
        for half in (private[:64], private[64:]):
            assert half not in on_disk


def private_halves(home: Path) -> list[bytes]:
    import sqlite3
    from contextlib import closing

    [path] = home.glob("*.sqlite3")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT private FROM prekeys WHERE is_one_time = 1").fetchall()
    return [bytes(row[0]) for row in rows]


def test_a_second_machine_gets_mail_of_its_own(
    apart: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, bob = apart
    laptop = make_peer("laptop")
    laptop.one("login", "bob", "--tracker", tracker.address, "--device", "laptop")
    laptop.do("friend", "list")  # publishes its keys
    alice.do("friend", "list")
    assert alice.one("say", "bob", "to both of your machines")["state"] == "sent"
    for one in (bob, laptop):
        one.do("friend", "list")
        assert texts(one, "alice") == ["to both of your machines"]
