"""What one machine of an account took, another machine of it can have: from there, whoever offered it is gone or not."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.trackers import TrackerProcess
from wire import limits

SIZE = 6 * limits.MIB + 5


def test_a_file_accepted_at_one_machine_comes_from_there_to_the_other(
    friends: tuple[Peer, Peer], make_peer: MakePeer, tracker: TrackerProcess, tmp_path: Path
) -> None:
    alice, bob = friends
    laptop = make_peer("laptop")
    laptop.one("login", "bob", "--tracker", tracker.address, "--unsealed")
    laptop.up().event("link", friend="alice", state="up")
    path = tmp_path / "out" / "film.bin"
    path.parent.mkdir()
    path.write_bytes(os.urandom(SIZE))
    offered = alice.one("send", "bob", str(path))["offer"]
    for machine in (bob, laptop):
        machine.node.event("offer", offer=offered, state="offered")
    bob.do("accept", offered, "--to", str(tmp_path / "desk"))
    bob.node.event("transfer", offer=offered, state="done")
    laptop.node.event("offer", offer=offered, state="done")  # it came to the account
    alice.node.kill()
    laptop.do("accept", offered, "--to", str(tmp_path / "lap"))
    done = laptop.node.event("transfer", offer=offered, state="done")
    assert Path(done["saved_as"]).read_bytes() == path.read_bytes()
    asked = [source for item in laptop.node.seen for source in item.get("sources", ())]
    assert {source["friend"] for source in asked} <= {"bob"}
