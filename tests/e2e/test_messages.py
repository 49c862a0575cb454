"""Messages between real processes: delivered once, in order, whoever is killed and whenever."""

from __future__ import annotations

import threading
from pathlib import Path

from peer.control import client
from tests.e2e.conftest import MakePeer
from tests.harness.actors import Node, Peer
from tests.harness.copies import befriend
from tests.harness.trackers import WIDE, TrackerProcess

NUMBERED = 80
KILLS_AFTER = (10, 30, 50)


def test_messages_go_both_ways_and_are_delivered(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    assert alice.one("say", "bob", "hello", "--wait", "100")["state"] == "delivered"
    event = bob.node.event("message", text="hello")
    assert event["from"] == "alice"
    assert (
        bob.one("say", "alice", "-hello to you", "--reply", event["id"], "--wait", "100")["state"]
        == "delivered"
    )
    shown = alice.do("read", "bob")
    assert [(item["from"], item["text"]) for item in shown] == [
        ("alice", "hello"),
        ("bob", "-hello to you"),
    ]
    assert shown[1]["reply_to"] == event["id"]
    assert alice.do("read", "bob", "--unread") == []
    assert [item["text"] for item in bob.do("read", "--unread")] == ["hello"]


def test_a_message_to_a_friend_who_is_away_is_kept_and_comes_when_both_are_there(
    friends: tuple[Peer, Peer],
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    alice.node.event("presence", friend="bob", presence="offline")
    said = alice.one("say", "bob", "for later")
    assert said["state"] == "queued"
    bob.up().event("message", text="for later")
    alice.node.event("receipt", id=said["id"], state="delivered")


def test_without_a_node_say_runs_one_of_its_own(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    assert alice.one("say", "bob", "short visit", "--wait", "100")["state"] == "delivered"
    bob.node.event("message", text="short visit")


def test_a_message_from_stdin_may_have_many_lines_but_not_too_many_bytes(
    friends: tuple[Peer, Peer],
) -> None:
    alice, bob = friends
    text = "first\nsecond ü\n\nlast"
    alice.do("say", "bob", "-", "--wait", "100", stdin=f"{text}\n".encode())
    assert bob.texts_from("alice") == [text]
    too_long = alice.try_to("say", "bob", "-", stdin=b"x" * (10 * 1024 * 1024))
    assert (too_long.code, too_long.error["code"]) == (1, "message-too-long")
    no_text = alice.try_to("say", "bob", "-", stdin=b"\xff\xfe")
    assert (no_text.code, no_text.error["code"]) == (1, "text-invalid")
    empty = alice.try_to("say", "bob", "")
    assert (empty.code, empty.error["code"]) == (1, "message-empty")
    assert bob.texts_from("alice") == [text]


def test_the_tracker_killed_and_started_again_costs_nothing(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    at_alice, at_bob = befriend(tracker.address, alice, bob)
    assert alice.one("say", "bob", "before", "--wait", "100")["state"] == "delivered"
    listen = tracker.listen
    tracker.kill()
    assert alice.one("say", "bob", "meanwhile", "--wait", "100")["state"] == "delivered"
    assert alice.one("status")["tracker"]["state"] in {"connecting", "offline"}
    with TrackerProcess(tracker.home, *WIDE, listen=listen) as again:
        assert again.address == tracker.address
        at_bob.event("notice", code="tracker-online")
        at_alice.event("notice", code="tracker-online")
        assert bob.one("say", "alice", "after", "--wait", "100")["state"] == "delivered"
        assert [friend["friend"] for friend in alice.do("friend", "list")] == ["bob"]
    assert bob.texts_from("alice") == ["before", "meanwhile"]


def test_a_peer_that_moves_to_another_port_is_found_again(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    old = bob.node.address
    assert bob.node.stop() == 0
    alice.node.event("presence", friend="bob", presence="offline")
    bob.up()
    assert bob.node.address != old
    assert alice.one("say", "bob", "there you are", "--wait", "100")["state"] == "delivered"
    assert bob.texts_from("alice") == ["there you are"]


def test_a_receiver_killed_in_the_middle_gets_every_message_once_and_in_order(
    friends: tuple[Peer, Peer],
) -> None:
    alice, bob = friends
    expected = [f"number {number}" for number in range(NUMBERED)]

    def say(texts: list[str]) -> None:
        for text in texts:
            list(client.ask(alice.home, "SendText", {"to": "bob", "text": text}))

    for first in range(0, NUMBERED, NUMBERED // 4):
        saying = threading.Thread(target=say, args=(expected[first : first + NUMBERED // 4],))
        saying.start()
        bob.node.event("message", text=f"number {first + 5}")
        bob.node.kill()
        bob.up()
        saying.join()
    assert alice.one("say", "bob", "the end", "--wait", "100")["state"] == "delivered"
    assert bob.texts_from("alice") == [*expected, "the end"]


def heard(bob: Peer, number: int) -> None:
    """Wait until he heard this number or a later one."""
    bob.node.wait(
        lambda item: item["event"] == "message" and int(item["text"].split()[1]) >= number
    )


def test_a_sender_killed_in_the_middle_keeps_what_was_acknowledged_and_sends_it_once(
    friends: tuple[Peer, Peer],
) -> None:
    alice, bob = friends
    acknowledged: list[str] = []
    refused: list[str] = []

    def say_all() -> None:
        for number in range(NUMBERED):
            text = f"number {number}"
            outcome = alice.try_to("say", "bob", text, "--wait", "0")
            (acknowledged if outcome.code == 0 else refused).append(text)

    saying = threading.Thread(target=say_all)
    saying.start()
    for number in KILLS_AFTER:
        heard(bob, number)
        alice.node.kill()
        alice.up()
    saying.join()
    alice.one("say", "bob", "the end", "--wait", "100")
    bob.node.event("message", text="the end")
    arrived = bob.texts_from("alice")
    assert len(arrived) == len(set(arrived)), "something came twice"
    in_order = [text for text in arrived if text in acknowledged]
    assert in_order == acknowledged
    assert set(arrived) - {"the end"} <= set(acknowledged) | set(refused)


def test_read_follow_shows_messages_as_they_arrive(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    alice.one("say", "bob", "one", "--wait", "100")

    with Node(bob, "read", "alice", "--follow") as following:
        following.wait(lambda item: item["text"] == "one")
        alice.one("say", "bob", "two")
        following.wait(lambda item: item["text"] == "two")
        assert following.stop() == 0


def test_history_is_exported_in_three_forms_and_never_over_a_file(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    alice.one("say", "bob", "<b>kept & safe</b>\x1b[2J", "--wait", "100")
    for form in ("jsonl", "text", "html"):
        file = tmp_path / f"export.{form}"
        words = ("history", "alice", "--export", str(file), "--format", form)
        assert bob.one(*words)["messages"] == 1
        assert "\x1b" not in file.read_text()
        again = bob.try_to(*words)
        assert (again.code, again.error["code"]) == (1, "file-exists")
    assert "&lt;b&gt;kept &amp; safe&lt;/b&gt;" in (tmp_path / "export.html").read_text()
