"""Settings and the accept policy between real processes, with nodes up and without."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from tests.e2e.test_files import MIB, digest, write
from tests.harness.actors import Peer
from tests.harness.trackers import TrackerProcess

Friends = tuple[Peer, Peer]


def test_settings_are_shown_and_changed_with_a_node_and_without(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    folder = tmp_path / "in"
    for peer in friends:
        listed = peer.do("config", "list")
        assert {tuple(item) for item in listed} == {("key", "value", "default", "help", "friend")}
        before = {item["key"]: item["value"] for item in listed}
        assert before["downloads.folder"] == str(peer.home / "downloads")
        assert before["accept.policy"] == "ask"
        shown = peer.one("config", "set", "downloads.folder", str(folder))
        assert (shown["value"], shown["default"]) == (str(folder), before["downloads.folder"])
        assert peer.one("config", "get", "downloads.folder") == shown
        assert peer.one("config", "set", "downloads.folder", "default")["value"] == shown["default"]
        other = alice.name if peer is bob else bob.name
        policy = peer.one("accept-policy", other, "auto", "--max-size", "5mb")
        assert policy == {"friend": other, "policy": "auto", "max_size": "5MB", "types": "off"}
        assert peer.one("config", "get", "accept.max-size", "--friend", other)["value"] == "5MB"
        assert peer.one("config", "get", "accept.max-size")["value"] == "off"


def test_what_cannot_be_set_is_named(friends: Friends, tmp_path: Path) -> None:
    _, bob = friends
    assert bob.node.stop() == 0
    cases = {
        ("config", "get", "downloads.foldr"): (2, "config-invalid", "downloads.folder"),
        ("config", "set", "nothing.like.it", "x"): (2, "config-invalid", "there is no setting"),
        ("config", "set", "bandwidth.up", "fast"): (2, "config-invalid", "10MB/s"),
        ("config", "set", "downloads.folder", "in"): (2, "config-invalid", "absolute path"),
        ("config", "set", "downloads.folder", str(tmp_path / "a" / "b")): (1, "folder-gone", ""),
        ("config", "set", "accept.policy", "auto", "--friend", "eve"): (1, "no-such-friend", "eve"),
        ("config", "set", "downloads.folder", "/", "--friend", "eve"): (2, "config-invalid", ""),
        ("config", "set", "accept.policy"): (2, "usage", "VALUE"),
        ("config",): (2, "usage", "list, get, set"),
        ("accept-policy", "autp"): (2, "usage", "did you mean auto?"),
        ("accept-policy", "never", "--max-size", "5MB"): (2, "config-invalid", "bound auto"),
        ("accept-policy", "auto", "--max-size", "big"): (2, "config-invalid", "25MB"),
    }
    for words, (code, name, said) in cases.items():
        for peer in friends:
            outcome = peer.try_to(*words)
            assert (outcome.code, outcome.error["code"]) == (code, name), outcome
            assert said in f"{outcome.error['message']} {outcome.error['remedy']}", outcome


def test_what_a_friend_offers_is_taken_without_asking(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    bob.do("config", "set", "downloads.folder", str(tmp_path / "in"))
    bob.do("accept-policy", "alice", "auto", "--max-size", "1KiB")
    path = write(tmp_path / "out" / "note.txt", b"n" * 1024)
    offered = alice.one("send", "bob", str(path))["offer"]
    done = bob.node.event("transfer", offer=offered, state="done")
    assert done["saved_as"] == str(tmp_path / "in" / "note.txt")
    assert digest(tmp_path / "in" / "note.txt") == digest(path)
    large = write(tmp_path / "out" / "large.txt", b"n" * 1025)
    offered = alice.one("send", "bob", str(large))["offer"]
    bob.node.event("offer", offer=offered)
    assert bob.do("offers")[-1]["state"] == "offered"


def test_what_a_friend_offers_is_refused_without_asking(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    bob.do("accept-policy", "never")
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    alice.node.event("transfer", offer=offered, state="declined")
    assert bob.do("offers")[-1]["state"] == "declined"


def test_a_folder_is_taken_if_every_file_in_it_matches(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    bob.do("accept-policy", "auto", "--types", "*.jpg,*.png")
    for name in ("a.jpg", "deep/b.PNG"):
        write(tmp_path / "holiday" / name)
    offered = alice.one("send", "bob", str(tmp_path / "holiday"))["offer"]
    done = bob.node.event("transfer", offer=offered, state="done")
    assert Path(done["saved_as"], "deep", "b.PNG").read_bytes() == b"content"
    write(tmp_path / "holiday" / "deep" / "run.exe")
    offered = alice.one("send", "bob", str(tmp_path / "holiday"))["offer"]
    bob.node.event("offer", offer=offered, state="offered")
    bob.node.event(
        "offer", offer=offered, state="offered"
    )  # again: its list of files was looked at
    assert [item["offer"] for item in bob.do("transfers")] == [done["offer"]]
    bob.do("accept", offered)
    for peer in (bob, alice):
        peer.node.event("transfer", offer=offered, state="done")
    assert [item["state"] for item in alice.do("transfers")] == ["done", "done"]


def test_a_policy_works_on_what_came_while_nobody_was_there(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    bob.do("accept-policy", "auto")
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    bob.up().event("transfer", offer=offered, state="done")
    assert (bob.home / "downloads" / "note.txt").read_bytes() == b"content"


def test_a_folder_that_is_away_lets_what_was_taken_wait(friends: Friends, tmp_path: Path) -> None:
    alice, bob = friends
    folder = tmp_path / "disk" / "in"
    folder.parent.mkdir()
    bob.do("config", "set", "downloads.folder", str(folder))
    bob.do("accept-policy", "auto")
    shutil.rmtree(folder.parent)
    offered = alice.one("send", "bob", str(write(tmp_path / "note.txt")))["offer"]
    bob.node.event("transfer", offer=offered, state="waiting", reason="folder")
    folder.mkdir(parents=True)
    bob.node.event("transfer", offer=offered, state="done")
    assert (folder / "note.txt").read_bytes() == b"content"


def test_files_go_as_fast_as_is_set_and_a_change_counts_at_once(
    friends: Friends, tmp_path: Path
) -> None:
    alice, bob = friends
    path = write(tmp_path / "out" / "film.bin", os.urandom(6 * MIB))
    saved = []
    bob.do("accept-policy", "auto")
    for peer, key in ((alice, "bandwidth.up"), (bob, "bandwidth.down")):
        peer.do("config", "set", key, "2MiB/s")
        began = time.monotonic()
        offered = alice.one("send", "bob", str(path))["offer"]
        saved.append(bob.node.event("transfer", offer=offered, state="done")["saved_as"])
        assert time.monotonic() - began > 2.0
        peer.do("config", "set", key, "off")
    alice.do("config", "set", "bandwidth.up", "10KB/s")
    offered = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("transfer", offer=offered, state="running")
    alice.do("config", "set", "bandwidth.up", "default")  # else it took ten minutes
    saved.append(bob.node.event("transfer", offer=offered, state="done")["saved_as"])
    assert {digest(Path(each)) for each in saved} == {digest(path)}


def test_who_gives_no_command_for_a_while_is_away_until_the_next(friends: Friends) -> None:
    alice, bob = friends
    bob.one("config", "set", "idle", "2s")
    alice.node.event("presence", friend="bob", presence="away")
    bob.one("status")
    bob.one("presence", "busy", "--text", "exam", "--for", "2")
    alice.node.event("presence", friend="bob", presence="busy", text="exam")
    alice.node.event("presence", friend="bob", presence="away")  # not available: nobody is there
    bob.do("friend", "list")
    alice.node.event("presence", friend="bob", presence="available", text="")


def test_who_is_invisible_looks_offline_to_a_linked_friend_too(
    friends: Friends, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    bob.one("presence", "invisible")
    alice.node.event("presence", friend="bob", presence="offline")
    assert alice.one("friend", "list")["presence"] == "offline"
    assert alice.do("friend", "list", "--online") == []
    assert alice.one("say", "bob", "still", "--wait", "20")["state"] == "delivered"
    bob.one("presence", "available")
    alice.node.event("presence", friend="bob", presence="available")
    assert alice.one("friend", "list")["presence"] == "available"
    tracker.kill()  # nobody says it now: the link does
    alice.node.event("notice", code="tracker-connecting")
    assert alice.one("friend", "list")["presence"] == "available"


def test_what_is_shown_for_a_time_ends_though_the_tracker_was_started_anew(
    friends: Friends, tracker: TrackerProcess
) -> None:
    alice, bob = friends
    bob.one("presence", "busy", "--text", "exam", "--for", "3")
    alice.node.event("presence", friend="bob", presence="busy", text="exam")
    tracker.kill()
    alice.node.event("notice", code="tracker-connecting")
    with TrackerProcess(tracker.home, listen=tracker.listen):
        to_come = {"tracker-online", "available"}
        while to_come:  # in whichever order: the time may be over before the tracker is back
            item = alice.node.wait(lambda item: item["event"] in ("notice", "presence"))
            to_come.discard(item.get("code") or f"{item['presence']}{item['text']}")
        assert alice.do("friend", "list")[0]["text"] == ""
