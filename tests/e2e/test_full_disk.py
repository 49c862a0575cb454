"""Disks that are full: each is named, nothing is lost, and all goes on by itself when there is space."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.copies import befriend
from tests.harness.mounts import needs_mounts, small_disk
from tests.harness.trackers import WIDE, TrackerProcess

pytestmark = needs_mounts

MIB = 1024 * 1024


def on_disk(peer: Peer, disk: Any) -> Peer:
    """Have a person live on a small disk."""
    peer.home = disk.path / peer.name
    peer.under = disk.words
    return peer


def test_talk_goes_on_by_the_reserve_then_is_refused_by_name_and_nothing_is_lost(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        alice, bob = on_disk(make_peer("alice"), disk), make_peer("bob")
        at_alice, at_bob = befriend(tracker.address, alice, bob, "--unsealed")
        disk.fill()
        assert alice.one("say", "bob", "full, and yet", "--wait", "100")["state"] == "delivered"
        assert bob.one("say", "alice", "heard", "--wait", "100")["state"] == "delivered"
        at_alice.event("message", text="heard")
        accepted = ["full, and yet"]
        refused = None
        number = 0
        while refused is None:
            disk.fill()
            text = f"{number} " + "x" * 60_000
            number += 1
            outcome = alice.try_to("say", "bob", "-", stdin=text.encode())
            if outcome.code == 0:
                accepted.append(text)
            else:
                refused = outcome.error
        assert refused["code"] == "no-space"
        assert str(alice.home) in refused["message"]
        assert len(accepted) > 8, "the reserve is no reserve"
        at_bob.kill()
        at_bob = bob.up()  # the tracker tells alice of it, and she cannot even note that
        at_alice.event("notice", code="no-space")
        assert alice.one("status")["node"] == "up"
        assert bob.one("say", "alice", "are you there?", "--wait", "0")["state"] == "queued"
        disk.clear()
        at_alice.event("message", text="are you there?")
        assert alice.one("say", "bob", "there is space", "--wait", "100")["state"] == "delivered"
        accepted.append("there is space")
        assert bob.texts_from("alice") == accepted
        assert alice.texts_from("bob") == ["heard", "are you there?"]
        assert at_alice.stop() == 0
        assert at_bob.stop() == 0


def test_a_home_on_a_full_disk_starts_and_a_new_one_is_refused_by_name(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "disk", 24 * MIB) as disk:
        alice, carol = (on_disk(make_peer(name), disk) for name in ("alice", "carol"))
        alice.register(tracker.address, "--unsealed")
        disk.fill()
        refused = carol.try_to("register", "carol", "--tracker", tracker.address, "--unsealed")
        assert (refused.code, refused.error["code"]) == (1, "no-space")
        with alice.up() as node:
            assert alice.one("whoami")["account"] == "alice"
            assert node.stop() == 0
        disk.clear()
        carol.register(tracker.address, "--unsealed")


def test_a_full_download_folder_holds_a_transfer_which_then_goes_on(
    friends: Any, tmp_path: Path
) -> None:
    alice, bob = friends
    source = tmp_path / "film.bin"
    source.write_bytes(os.urandom(12 * MIB))
    assert bob.node.stop() == 0
    with small_disk(tmp_path / "in", 16 * MIB) as disk:
        bob.under = disk.words
        bob.up()
        offer = alice.one("send", "bob", str(source))["offer"]
        bob.node.event("offer", offer=offer)
        disk.fill(but_bytes=8 * MIB)
        refused = bob.try_to("accept", offer, "--to", str(disk.path))
        assert (refused.code, refused.error["code"]) == (1, "no-space")
        disk.clear()
        assert bob.node.stop() == 0
        alice.node.event("presence", friend="bob", presence="offline")
        bob.do("friend", "list")
        bob.up()
        assert alice.node.stop() == 0
        bob.do("accept", offer, "--to", str(disk.path))
        bob.node.event("transfer", offer=offer, state="waiting")
        disk.fill(but_bytes=8 * MIB)
        alice.up()
        waiting = bob.node.event("transfer", offer=offer, state="waiting", reason="space")
        assert waiting["saved_as"] is None
        assert waiting["error"]["code"] == "no-space"
        assert f"free and {12 * MIB} are needed" in waiting["error"]["message"]
        alice.node.event("transfer", offer=offer, state="waiting", reason="friend-space")
        assert not (disk.inside / "film.bin").exists()
        disk.clear()
        done = bob.node.event("transfer", offer=offer, state="done")
        assert done["saved_as"] == str(disk.path / "film.bin")
        arrived = (disk.inside / "film.bin").read_bytes()
        assert hashlib.sha256(arrived).digest() == hashlib.sha256(source.read_bytes()).digest()
        assert [path.name for path in disk.inside.iterdir()] == ["film.bin"]
        assert bob.node.stop() == 0


def test_a_tracker_whose_disk_is_full_says_so_and_goes_on(
    make_peer: MakePeer, tmp_path: Path
) -> None:
    with (
        small_disk(tmp_path / "disk", 4 * MIB) as disk,
        TrackerProcess(disk.path / "tracker", *WIDE, under=disk.words) as tracker,
    ):
        alice, bob = make_peer("alice"), make_peer("bob")
        befriend(tracker.address, alice, bob, "--unsealed")
        disk.fill()
        refused = None
        for number in range(400):
            outcome = make_peer(f"user{number}").try_to(
                "register", f"user{number}", "--tracker", tracker.address, "--unsealed"
            )
            if outcome.code:
                refused = outcome.error
                break
        assert refused is not None
        assert refused["code"] == "tracker-failed"
        assert alice.one("say", "bob", "meanwhile", "--wait", "100")["state"] == "delivered"
        disk.clear()
        make_peer("late").register(tracker.address, "--unsealed")
        assert bob.one("say", "alice", "after", "--wait", "100")["state"] == "delivered"
