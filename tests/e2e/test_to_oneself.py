"""One person with two machines, as real processes: notes, and files that go from one to the other."""

from __future__ import annotations

import os
from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.trackers import TrackerProcess
from wire import limits

SIZE = 2 * limits.MIB + 5


def two_machines(make_peer: MakePeer, tracker: TrackerProcess) -> tuple[Peer, Peer]:
    desk, laptop = make_peer("alice"), make_peer("laptop")
    desk.register(tracker.address, "--unsealed", "--device", "desk")
    laptop.one("login", "alice", "--tracker", tracker.address, "--unsealed", "--device", "laptop")
    return desk, laptop


def test_a_file_and_a_note_go_to_the_other_machine_while_both_are_up(
    make_peer: MakePeer, tracker: TrackerProcess, tmp_path: Path
) -> None:
    desk, laptop = two_machines(make_peer, tracker)
    desk.up()
    laptop.up().event("link", friend="alice", state="up")
    assert desk.one("say", "alice", "from the desk", "--wait", "100")["state"] == "delivered"
    laptop.node.event("message", text="from the desk")
    assert [line["text"] for line in laptop.do("read", "alice")] == ["from the desk"]
    assert laptop.one("accept-policy", "alice", "auto")["friend"] == "alice"
    path = tmp_path / "thesis.pdf"
    path.write_bytes(os.urandom(SIZE))
    desk.one("send", "alice", str(path), "--wait", "--timeout", "100")
    [done], [taken] = desk.do("transfers"), laptop.do("transfers")
    assert (done["direction"], done["friend"], done["state"]) == ("out", "alice", "done")
    assert (taken["direction"], taken["state"], taken["id"]) == ("in", "done", done["id"])
    assert Path(taken["saved_as"]).read_bytes() == path.read_bytes()
    assert [item["state"] for item in desk.do("offers")] == ["done"]
    assert laptop.try_to("accept", done["offer"]).code == 0  # it has it: nothing begins anew
    assert desk.try_to("friend", "block", "alice").error["code"] == "friend-self"


def test_what_is_sent_to_a_machine_that_is_off_stands_until_it_is_up(
    make_peer: MakePeer, tracker: TrackerProcess, tmp_path: Path
) -> None:
    desk, laptop = two_machines(make_peer, tracker)
    path = tmp_path / "thesis.pdf"
    path.write_bytes(os.urandom(SIZE))
    offered = desk.one("send", "alice", str(path))["offer"]
    desk.up()
    laptop.up().event("offer", offer=offered, state="offered", direction="in")
    desk.node.stop()
    laptop.do("accept", offered, "--to", str(tmp_path / "in"))
    desk.up()  # only now is there anybody to fetch it from
    done = laptop.node.event("transfer", offer=offered, state="done")
    assert Path(done["saved_as"]).read_bytes() == path.read_bytes()
    desk.node.event("transfer", offer=offered, state="done")
