"""Homes that go back in time or are there twice, as real processes: nothing is said twice, nothing is lost."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Node, Peer


def said(peer: Peer, friend: str) -> list[str]:
    return [item["text"] for item in peer.do("history", friend) if item["kind"] == "message"]


def test_a_home_put_back_from_a_backup_gets_its_words_back_and_repeats_none(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    alice.one("say", "bob", "before", "--wait", "100")
    assert alice.node.stop() == 0
    shutil.copytree(alice.home, tmp_path / "backup")
    alice.up().event("link", friend="bob", state="up")
    after = alice.one("say", "bob", "after", "--wait", "100")
    assert after["state"] == "delivered"
    assert alice.node.stop() == 0
    shutil.rmtree(alice.home)
    shutil.copytree(tmp_path / "backup", alice.home)
    assert alice.one("say", "bob", "once more", "--wait", "0")["state"] == "queued"
    alice.up()  # the node of that verb may have had it all already
    with Node(alice, "read", "bob", "--follow") as following:
        following.wait(lambda item: item["text"] == "after")
    bob.node.event("message", text="once more")
    assert alice.one("say", "bob", "at last", "--wait", "100")["state"] == "delivered"
    alice.delivers(
        "bob", after["id"]
    )  # when all is compared: what is signed for may be of another run
    assert sorted(said(bob, "alice")) == ["after", "at last", "before", "once more"]
    assert said(bob, "alice") == said(alice, "bob")
    assert not any(item["forked"] for item in bob.do("history", "alice"))


def test_two_homes_with_one_device_that_take_turns_are_named(
    friends: tuple[Peer, Peer], make_peer: MakePeer
) -> None:
    alice, bob = friends
    alice.one("say", "bob", "before the copy", "--wait", "100")
    assert alice.node.stop() == 0
    twin = make_peer("alice-twin")
    shutil.copytree(alice.home, twin.home)
    twin.up().event("link", friend="bob", state="up")
    assert twin.one("say", "bob", "by the copy", "--wait", "100")["state"] == "delivered"
    assert twin.node.stop() == 0
    at_alice = alice.up()
    assert at_alice.event("notice", code="device-cloned")["friend"] == "bob"
    notices = [item for item in alice.do("history", "bob") if item["kind"] == "notice"]
    assert len(notices) == 1
    assert sorted(said(alice, "bob")) == ["before the copy", "by the copy"]
    assert said(alice, "bob") == said(bob, "alice")


def test_two_homes_with_one_device_that_run_at_once_use_no_number_twice(
    friends: tuple[Peer, Peer], make_peer: MakePeer
) -> None:
    alice, bob = friends
    alice.one("say", "bob", "before the copy", "--wait", "100")
    assert alice.node.stop() == 0
    twin = make_peer("alice-twin")
    shutil.copytree(alice.home, twin.home)
    alice.up()
    twin.up()
    texts = ["before the copy"]
    for number in range(5):
        for peer in (alice, twin):
            texts.append(f"{number} by {peer.home.name}")
            peer.one("say", "bob", texts[-1])
    assert twin.node.stop() == 0
    assert alice.one("say", "bob", "at last", "--wait", "100")["state"] == "delivered"
    assert alice.node.stop() == 0
    twin.up()
    assert twin.one("say", "bob", "the twin at last", "--wait", "100")["state"] == "delivered"
    assert sorted(said(bob, "alice")) == sorted([*texts, "at last", "the twin at last"])
    assert not any(item["forked"] for item in bob.do("history", "alice"))
    notices = [item["text"] for item in twin.do("history", "bob") if item["kind"] == "notice"]
    assert any("same keys" in text or "copy" in text or "clone" in text for text in notices), (
        notices
    )


def test_what_did_not_fail_is_left_alone_and_what_is_not_there_is_named(
    friends: tuple[Peer, Peer],
) -> None:
    alice, _ = friends
    event = alice.one("say", "bob", "fine", "--wait", "100")
    assert alice.one("retry", event["id"]) == {"id": event["id"], "state": "delivered"}
    refused = alice.try_to("retry", "0123456789")
    assert (refused.code, refused.error["code"]) == (1, "unknown-message")
