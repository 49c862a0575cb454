"""What people do with messages, between real processes: edit, delete, react, pin, forward, read, mute, draft."""

from __future__ import annotations

import pytest

from peer.control import client
from tests.e2e.conftest import MakePeer
from tests.harness.actors import Item, Peer
from tests.harness.trackers import TrackerProcess

pytestmark = pytest.mark.measured

UP, ROCKET = "\N{THUMBS UP SIGN}", "\N{ROCKET}"


def line(peer: Peer, friend: str, event: str, verb: str = "history") -> Item:
    """Give a message as it stands now."""
    [found] = [item for item in peer.do(verb, friend) if item["id"] == event]
    return found


def test_what_is_done_with_a_message_stands_on_both_sides(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    said = alice.one("say", "bob", "helo @bob", "--wait", "100")["id"]
    assert bob.node.event("message", id=said)["mentions_me"] is True
    changed = alice.one("edit", said[:8], "hello @bob", "--wait", "100")
    assert (changed["id"], changed["state"]) == (said, "delivered")
    assert bob.node.event("change", id=said, change="edit")["text"] == "hello @bob"
    bob.one("react", said, UP)
    bob.one("pin", said)
    answer = bob.one("say", "alice", "yes?", "--reply", said)["id"]
    alice.node.event("change", id=said, change="reaction")
    alice.node.event("change", id=said, change="pin")
    alice.node.event("message", id=answer)
    for one, friend in ((alice, "bob"), (bob, "alice")):
        shown = line(one, friend, said)
        assert (shown["text"], shown["edited"], shown["pinned"]) == ("hello @bob", True, True)
        assert shown["reactions"] == [{"mark": UP, "from": ["bob"]}]
        assert [version["text"] for version in shown["versions"]] == ["helo @bob", "hello @bob"]
        glimpse = {"from": "alice", "text": "hello @bob"}
        assert line(one, friend, answer)["quote"] == glimpse
    assert "hello @bob (edited) (pinned)" in bob.plain("read", "alice")
    alice.one("delete", said)
    bob.node.event("change", id=said, change="delete")
    for one, friend in ((alice, "bob"), (bob, "alice")):
        shown = line(one, friend, said)
        assert (shown["text"], shown["gone"], shown["versions"]) == ("", "deleted", None)
    assert "hello" not in bob.plain("history", "alice")
    refused = {
        ("edit", said, "again"): "message-deleted",
        ("delete", answer): "not-author",
        ("react", answer, "x"): "reaction-invalid",
        ("edit", answer, "mine"): "not-author",
    }
    for words, code in refused.items():
        assert alice.try_to(*words).error["code"] == code


def test_what_was_done_while_a_friend_was_away_comes_by_mail(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    alice.node.event("presence", friend="bob", presence="offline")
    kept, gone = (alice.one("say", "bob", text)["id"] for text in ("kept", "gone"))
    alice.one("edit", kept, "kept and edited")
    alice.one("delete", gone)
    last = alice.one("pin", kept)["event"]
    alice.node.event("receipt", id=last, state="sent")
    assert alice.node.stop() == 0
    bob.do("friend", "list")  # a brief node takes its mail
    shown = {item["id"]: item for item in bob.do("read", "alice") if item["kind"] == "message"}
    assert shown[kept]["text"] == "kept and edited"
    assert (shown[gone]["text"], shown[gone]["gone"]) == ("", "deleted")
    bob.up()  # which tells what the verb read
    alice.up().event("receipt", id=kept, state="read")


def test_reading_is_told_as_the_reader_wishes(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    first = alice.one("say", "bob", "one", "--wait", "100")["id"]
    [friend] = bob.do("friend", "list")
    assert (friend["unread"], bob.one("status")["unread"]) == (1, 1)
    bob.do("history", "alice")
    bob.do("read", "alice")
    alice.node.event("receipt", id=first, state="read")
    bob.node.event("unread", friend="alice", unread=0)
    bob.one("config", "set", "receipts", "off", "--friend", "alice")
    second = alice.one("say", "bob", "two", "--wait", "100")["id"]
    assert [item["id"] for item in bob.do("read", "--unread")] == [second]
    bob.one("say", "alice", "seen", "--wait", "100")
    assert line(alice, "bob", first)["state"] == "read"
    assert line(alice, "bob", second)["state"] == "delivered"


def test_what_one_machine_read_muted_and_drafted_stands_on_the_other(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    alice.one("draft", "bob", "not yet")
    assert alice.one("mute", "bob", "--for", "8h")["muted"] is True
    said = bob.one("say", "alice", "psst", "--wait", "100")["id"]
    assert alice.node.event("message", id=said)["muted"] is True
    assert alice.node.stop() == 0  # puts what the account shares
    laptop = make_peer("laptop")
    laptop.one("login", "alice", "--tracker", tracker.address, "--device", "laptop", "--unsealed")
    assert laptop.one("draft", "bob")["text"] == "not yet"
    at_desk, at_laptop = alice.up(), laptop.up()
    at_laptop.event("link", friend="alice", state="up")
    at_laptop.event("message", id=said)
    [friend] = laptop.do("friend", "list")
    assert (friend["unread"], friend["muted"]) == (1, True)
    alice.do("read", "bob")
    at_laptop.event("unread", friend="bob", unread=0)
    [friend] = laptop.do("friend", "list")
    assert friend["unread"] == 0
    laptop.one("say", "bob", "not yet")
    assert laptop.one("draft", "bob")["text"] == ""
    at_desk.event("message", text="not yet")


def test_who_writes_is_seen_by_who_is_there(friends: tuple[Peer, Peer]) -> None:
    alice, bob = friends
    for is_told in (True, False):  # not so soon again: a verb might start, or end, too late
        [said] = client.ask(alice.home, "SendTyping", {"to": "bob"})
        assert said == {"friend": "bob", "told": is_told}
    assert bob.node.event("typing")["typing"] is True
    bob.one("config", "set", "typing", "off")
    assert bob.one("typing", "alice")["told"] is False


def test_a_forwarded_message_says_whose_words_it_has(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    carol = make_peer("carol")
    said = alice.one("say", "bob", "the recipe", "--wait", "100")["id"]
    carol.register(tracker.address, "--unsealed")
    carol.up()
    carol.one("friend", "add", "bob")
    bob.node.event("friend-request", friend="carol")
    bob.one("friend", "accept", "carol")
    carol.node.event("friend", friend="bob", state="friends")
    bob.one("forward", said, "carol", "--wait", "100")
    got = carol.node.event("message", text="the recipe")
    assert (got["from"], got["forwarded_from"]) == ("bob", "alice")
    assert "[from alice] the recipe" in carol.plain("read", "bob")
