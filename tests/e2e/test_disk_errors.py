"""Disks that fail: an error of the drive at any write or sync is named, costs what it hit, and nothing else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from peer.control import client
from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.faults import failing, needs_strace
from tests.harness.guest import come, register
from tests.harness.people import person
from tests.harness.trackers import WIDE, TrackerProcess
from wire.codes import Code
from wire.errors import WireError

pytestmark = needs_strace

MIB = 1024 * 1024
TRIES = 40
"""One after the other, each in a commit of its own: of the two threads that write one comes to its twentieth."""

MAY_FAIL_LAST = {0, 1}
"""How a node may end whose other thread has not met its last error yet."""


def log_of(peer: Peer) -> list[Path]:
    return [peer.home / "peer.sqlite3-wal"]


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_what_a_failing_disk_did_not_take_is_refused_by_name_and_the_rest_arrives(
    friends: Any, call: Any
) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    alice.under = failing(call, "EIO", "12..20", log_of(alice))
    node = alice.up()
    alice.under = ()
    accepted, refused = [], []

    def say(text: str) -> bool:
        try:
            [item] = client.ask(alice.home, "SendText", {"to": "bob", "text": text})
        except client.Failed as failed:
            refused.append(failed.code)
            return False
        accepted.append(text)
        node.event("receipt", id=item["id"], state="delivered")
        return True

    for number in range(TRIES):
        say(f"number {number}")
    assert set(refused) == {"database-failed"}, "the disk never failed"
    assert any(say("the end") for _ in range(TRIES))
    assert bob.texts_from("alice") == accepted
    assert node.stop() in MAY_FAIL_LAST
    assert [item["text"] for item in alice.do("history", "bob")] == accepted


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
def test_what_a_receiver_could_not_store_comes_again_by_itself(friends: Any, call: Any) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    bob.under = failing(call, "EIO", "12..16", log_of(bob))
    node = bob.up()
    bob.under = ()
    said = [f"number {number}" for number in range(TRIES)]
    for text in said:
        [item] = client.ask(alice.home, "SendText", {"to": "bob", "text": text})
        alice.node.event("receipt", id=item["id"], state="delivered")
    said.append("the end")
    assert alice.one("say", "bob", "the end", "--wait", "100")["state"] == "delivered"
    assert bob.texts_from("alice") == said
    assert any(
        item["event"] == "notice" and item["code"] == "database-failed" for item in _seen(node)
    )
    assert node.stop() in MAY_FAIL_LAST
    assert bob.texts_from("alice") == said


def _seen(node: Any) -> Any:
    node.event("message", text="the end")
    return node.seen


@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
async def test_a_tracker_on_a_failing_disk_says_so_and_goes_on(tmp_path: Path, call: str) -> None:
    home = tmp_path / "tracker"
    with TrackerProcess(home):
        pass  # it has its database: from now on the thread that writes it meets the errors
    under = failing(call, "EIO", "3..6", [home / "tracker.db-wal"])
    with TrackerProcess(home, *WIDE, under=under) as tracker:
        made, refused = [], list[Code]()
        for someone in map(person, (f"user{number}" for number in range(12))):
            for _ in range(2):
                try:
                    await register(tracker.address, someone)
                except WireError as error:
                    refused.append(error.code)
                else:
                    made.append(someone)
                    break
        assert set(refused) == {Code.TRACKER_FAILED}, "the disk never failed"
        assert len(made) > 8
        for someone in made:  # who was refused at first, too
            async with await come(tracker.address, someone):
                pass


@pytest.mark.parametrize("call", ["pwrite64", "fsync", "fdatasync", "ftruncate"])
def test_a_home_on_a_disk_that_always_fails_is_refused_by_name_and_stays_whole(
    make_peer: MakePeer, call: Any
) -> None:
    alice = make_peer("alice")
    made = alice.one("register", "alice", "--unsealed")
    paths = [path for path in alice.home.iterdir() if path.is_file()]
    paths += [
        alice.home,
        *log_of(alice),
        *(alice.home / f"peer.sqlite3{it}" for it in ("-shm", ".stamp.draft")),
    ]
    alice.under = failing(call, "EIO", paths=paths)
    for verb in (("whoami",), ("say", "bob", "hi"), ("up",)):
        outcome = alice.try_to(*verb)
        assert outcome.code == 1, outcome
        assert outcome.error["code"] in {"database-failed", "home-unusable"}, outcome
    alice.under = ()
    assert alice.one("whoami")["fingerprint"] == made["fingerprint"]
    with alice.up() as node:
        assert node.stop() == 0


@pytest.mark.parametrize(("call", "when"), [("pwrite64", "5"), ("fsync", "1")])
def test_a_part_file_on_a_failing_disk_waits_and_is_not_believed(
    friends: Any, tmp_path: Path, call: Any, when: Any
) -> None:
    alice, bob = friends
    source, target = tmp_path / "film.bin", tmp_path / "in"
    source.write_bytes(os.urandom(6 * MIB))
    target.mkdir()
    offer = alice.one("send", "bob", str(source))["offer"]
    bob.node.event("offer", offer=offer)
    assert bob.node.stop() == 0
    part = target / f"film.bin.{offer[:8]}.part" / "tree" / "film.bin"
    bob.under = failing(call, "EIO", when, [part])
    node = bob.up()
    bob.under = ()
    bob.do("accept", offer, "--to", str(target))
    waiting = node.event("transfer", offer=offer, state="waiting", reason="folder")
    assert waiting["saved_as"] is None
    assert not (target / "film.bin").exists()
    if call == "fsync":  # every thread that tries again meets it once, see `tests.harness.faults`
        assert node.stop() == 0
        node = bob.up()
    done = node.event("transfer", offer=offer, state="done")
    assert done["saved_as"] == str(target / "film.bin")
    assert _digest(target / "film.bin") == _digest(source)
    assert [path.name for path in target.iterdir()] == ["film.bin"]
    assert node.stop() == 0


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
