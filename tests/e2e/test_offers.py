"""Offers between real processes, short of their bytes: made, seen, refused, with a node up and without."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.harness.actors import Peer

pytestmark = pytest.mark.measured


def write(path: Any, content: Any = b"content") -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return str(path)


def test_an_offer_is_seen_on_both_sides_and_in_what_is_read(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "photo.jpg", b"p" * 3000)
    made = alice.one("send", "bob", path)
    assert (made["files"], made["bytes"], made["skipped"]) == (1, 3000, [])
    assert not made["leaves_when_up"]
    event = bob.node.event("offer", offer=made["offer"], direction="in", state="offered")
    assert event["name"] == "photo.jpg"
    [offer] = bob.do("offers")
    assert {
        key: offer[key] for key in ("offer", "direction", "from", "name", "files", "bytes")
    } == {
        "offer": made["offer"],
        "direction": "in",
        "from": "alice",
        "name": "photo.jpg",
        "files": 1,
        "bytes": 3000,
    }
    [own] = alice.do("offers")
    assert (own["direction"], own["from"], own["state"]) == ("out", "alice", "offered")
    assert own["conversation"] == offer["conversation"]
    [transfer] = alice.do("transfers")
    assert (transfer["state"], transfer["reason"], transfer["friend"]) == (
        "waiting",
        "friend",
        "bob",
    )
    assert alice.one("status")["transfers"] == [transfer]
    assert bob.do("transfers") == []
    [line] = bob.do("read", "alice", "--unread")
    assert (line["kind"], line["text"]) == ("notice", "alice offers photo.jpg (1 file, 2.9 KiB)")
    assert bob.do("read", "alice", "--unread") == []


def test_a_refusal_reaches_the_sender_who_waits(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, bob = friends
    made = alice.one("send", "bob", write(tmp_path / "note.txt"))
    bob.node.event("offer", offer=made["offer"])
    assert bob.one("decline", made["offer"][:8])["state"] == "declined"
    alice.node.event("offer", offer=made["offer"], state="declined")
    ended = alice.node.event("transfer", offer=made["offer"], state="declined")
    assert (ended["error"]["code"], ended["error"]["message"]) == (
        "declined",
        "bob declined the offer",
    )
    refused = bob.try_to("accept", made["offer"])
    assert (refused.code, refused.error["code"]) == (1, "offer-answered")
    assert bob.one("decline", made["offer"])["state"] == "declined"
    assert alice.one("status")["transfers"] == []


def test_a_refusal_without_a_node_is_told_before_the_verb_ends(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    made = alice.one("send", "bob", write(tmp_path / "note.txt"))
    bob.node.event("offer", offer=made["offer"])
    assert bob.node.stop() == 0
    assert bob.one("decline", made["offer"])["state"] == "declined"
    alice.node.event("offer", offer=made["offer"], state="declined")


def test_waiting_for_what_nobody_accepts_ends_with_its_own_code(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, _ = friends
    path = write(tmp_path / "note.txt")
    outcome = alice.try_to("send", "bob", path, "--wait", "--timeout", "0.5")
    assert (outcome.code, outcome.error["code"]) == (1, "not-done-yet")
    assert outcome.item["files"] == 1


def test_an_offer_made_without_a_node_says_so_and_leaves_later(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    path = write(tmp_path / "note.txt")
    outcome = alice.try_to("send", "bob", path)
    assert outcome.item["leaves_when_up"]
    assert [offer["state"] for offer in alice.do("offers")] == ["offered"]
    alice.up()
    bob.node.event("offer", offer=outcome.item["offer"], state="offered")


def test_what_cannot_be_sent_is_named(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, _ = friends
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    path = write(tmp_path / "note.txt")
    cases = {
        ("bob", str(tmp_path / "nothing")): "no-such-file",
        ("bob", str(tmp_path / "fifo")): "not-a-regular-file",
        ("bob", str(tmp_path / "socket")): "not-a-regular-file",
        ("bob", "/dev/null"): "not-a-regular-file",
        ("nobody.here", path): "no-such-friend",
        ("bob,nobody.here", path): "no-such-friend",
        ("bob", str(alice.home / "keys")): "home-unusable",
    }
    for words, code in cases.items():
        outcome = alice.try_to("send", *words)
        assert (outcome.code, outcome.error["code"]) == (1, code), outcome
    for empty in (("send", "bob", ""), ("send", "bob", path, ""), ("accept", "0" * 32, "--to", "")):
        misuse = alice.try_to(*empty)
        assert (misuse.code, misuse.error["message"]) == (2, "a path is empty"), misuse
    assert alice.do("offers") == []
    assert list((alice.home / "offers").glob("*")) == []


def test_what_cannot_be_answered_is_named(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, bob = friends
    made = alice.one("send", "bob", write(tmp_path / "note.txt"))
    bob.node.event("offer", offer=made["offer"])
    for peer, offer, code in (
        (bob, "0" * 32, "unknown-offer"),
        (bob, made["offer"][:7], "unknown-offer"),
        (bob, "../../etc", "unknown-offer"),
        (alice, made["offer"], "offer-own"),
    ):
        for verb in ("accept", "decline"):
            outcome = peer.try_to(verb, offer)
            assert (outcome.code, outcome.error["code"]) == (1, code), outcome
    nowhere = bob.try_to("accept", made["offer"], "--to", str(tmp_path / "no" / "folder"))
    assert (nowhere.code, nowhere.error["code"]) == (1, "folder-gone")
    inside = bob.try_to("accept", made["offer"], "--to", str(bob.home))
    assert (inside.code, inside.error["code"]) == (1, "home-unusable")
    assert bob.do("offers")[0]["state"] == "offered"
    assert alice.node.stop() == 0
    taken = tmp_path / "taken"
    for folder in (str(taken), f"{taken}/"):
        assert bob.one("accept", made["offer"], "--to", folder)["state"] == "accepted"
    assert bob.one("accept", made["offer"])["state"] == "accepted"  # wherever it goes
    elsewhere = bob.try_to("accept", made["offer"], "--to", str(tmp_path / "other"))
    assert (elsewhere.code, elsewhere.error["code"]) == (1, "offer-answered")
    assert elsewhere.error["message"].endswith(f"accepted already, into {taken}")
    assert not (tmp_path / "other").exists()


def test_a_stream_is_offered_under_its_name_and_goes_when_its_offer_is_over(
    friends: tuple[Peer, Peer],
) -> None:
    alice, bob = friends
    for verb, state in (("decline", "declined"), ("accept", "done")):
        made = alice.do("send", "bob", "-", "--name", "notes.txt", stdin=b"from a pipe")[0]
        assert (made["files"], made["bytes"]) == (1, 11)
        [held] = (alice.home / "stdin").glob("*/notes.txt")
        assert held.read_bytes() == b"from a pipe"
        bob.node.event("offer", offer=made["offer"], name="notes.txt")
        bob.do(verb, made["offer"])
        alice.node.event("offer", offer=made["offer"], state=state)
        looks = 0
        while list((alice.home / "stdin").iterdir()) and looks < 50:
            looks += 1
            alice.do("offers")  # while the node takes it away
        assert looks < 50, state
    assert (bob.home / "downloads" / "notes.txt").read_bytes() == b"from a pipe"


def test_a_stream_outlives_a_kill_and_goes_when_a_node_begins_after_its_offer_was_taken_back(
    friends: tuple[Peer, Peer],
) -> None:
    alice, _ = friends
    made = alice.do("send", "bob", "-", "--name", "notes.txt", stdin=b"from a pipe")[0]
    alice.node.kill()
    alice.up()
    [held] = (alice.home / "stdin").glob("*/notes.txt")
    assert held.read_bytes() == b"from a pipe"
    alice.node.kill()
    alice.do("withdraw", made["offer"])
    assert list((alice.home / "stdin").iterdir()) == []


def test_a_removed_friend_ends_what_was_offered(friends: tuple[Peer, Peer], tmp_path: Path) -> None:
    alice, bob = friends
    made = alice.one("send", "bob", write(tmp_path / "note.txt"))
    bob.node.event("offer", offer=made["offer"])
    alice.do("friend", "remove", "bob")
    alice.node.event("transfer", offer=made["offer"], state="cancelled")
    bob.node.event("offer", offer=made["offer"], state="withdrawn")
    assert bob.try_to("accept", made["offer"]).error["code"] == "offer-withdrawn"


def test_forgetting_the_profile_takes_what_was_offered_along(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "note.txt")
    alice.do("send", "bob", path)
    alice.do("send", "bob", "-", "--name", "notes.txt", stdin=b"from a pipe")
    received = write(alice.home / "downloads" / "kept.txt")
    assert alice.node.stop() == 0
    alice.do("logout", "--forget", "--yes")
    left = sorted(entry.name for entry in alice.home.iterdir())
    assert not {"offers", "stdin", "keys", "peer.sqlite3"} & set(left), left
    assert Path(received).read_bytes() == b"content"
    assert bob.do("transfers") == []
