"""What the tracker holds about a person, told to that person; the end of an account, and what friends see of it."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, WAIT_S, Peer
from tests.harness.trackers import TrackerProcess

pytestmark = pytest.mark.measured

Friends = tuple[Peer, Peer]


def test_everything_that_is_held_comes_in_one_file(
    tracker: TrackerProcess, friends: Friends, make_peer: MakePeer, tmp_path: Path
) -> None:
    (alice, _), carol = friends, make_peer("carol")
    carol.register(tracker.address, "--unsealed")
    carol.do("friend", "add", "alice", "--note", "hello")
    alice.node.event("friend-request", friend="carol")
    alice.one("friend", "block", "carol")
    file = tmp_path / "held.json"
    saved = alice.one("account", "data", str(file))
    assert saved == {"file": str(file), "bytes": file.stat().st_size}
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    held = json.loads(file.read_text())
    who = alice.one("whoami")
    assert (held["name"], held["identity"]) == ("alice", who["fingerprint"])
    assert held["tracker"] == tracker.address
    assert [friend["name"] for friend in held["friends"]] == ["bob"]
    assert [person["name"] for person in held["blocked"]] == ["carol"]
    assert [person["name"] for person in held["requests_received"]] == ["carol"]
    [device] = held["devices"]
    assert device["device"] == who["device"]
    assert device["addresses"] == []  # it holds them sealed: nothing to be read by whoever holds it
    record = base64.b64decode(device["address_record"]["base64"])
    host = alice.node.ready["listen"][0].rpartition(":")[0]
    assert len(record) > 900
    assert host.encode() not in record
    assert device["last_seen"] is not None
    assert len(base64.b64decode(held["vault"]["base64"])) == held["vault"]["bytes"] > 0
    assert held["state"]["bytes"] == len(base64.b64decode(held["state"]["base64"]))
    assert held["password"]["memory_kib"] == 65536
    assert PASSWORD not in file.read_text()


def test_a_file_that_is_there_is_never_overwritten_unasked(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address, "--unsealed")
    file = tmp_path / "held.json"
    file.write_text("mine")
    outcome = alice.try_to("account", "data", str(file))
    assert (outcome.code, outcome.error["code"]) == (1, "file-exists")
    assert str(file) in outcome.error["message"]
    assert file.read_text() == "mine"
    alice.one("account", "data", str(file), "--force")
    assert json.loads(file.read_text())["name"] == "alice"
    nowhere = alice.try_to("account", "data", str(tmp_path / "no" / "where"))
    assert (nowhere.code, nowhere.error["code"]) == (1, "output-failed")
    assert alice.try_to("account", "data", "-").code == 2
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_an_account_goes_only_by_its_password_and_with_a_yes(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address)
    assert alice.try_to("account", "delete").code == 2
    wrong = alice.try_to("account", "delete", "--yes", HOBNOB_PASSWORD="not the password")
    assert (wrong.code, wrong.error["code"]) == (1, "wrong-password")
    assert alice.do("friend", "list") == []


def test_a_deleted_account_leaves_its_history_and_says_so(friends: Friends) -> None:
    alice, bob = friends
    at_alice, at_bob = alice.node, bob.node
    alice.do("say", "bob", "keep this")
    at_bob.event("message", text="keep this")
    assert bob.one("account", "delete", "--yes") == {}
    assert at_bob.process.wait(WAIT_S) == 0
    at_alice.event("friend", friend="bob", state="removed")
    assert alice.do("friend", "list") == []
    assert bob.texts_from("alice") == ["keep this"]
    [alarm] = bob.one("status")["alarms"]
    assert alarm["code"] == "account-deleted"
    for verb in (("up",), ("friend", "list"), ("account", "delete", "--yes"), ("logout",)):
        outcome = bob.try_to(*verb)
        assert (outcome.code, outcome.error["code"]) == (1, "account-deleted"), outcome
    bob.one("logout", "--forget", "--yes")
    assert bob.try_to("whoami").error["code"] == "not-registered"


def test_a_deleted_account_can_come_back_with_its_key(
    tracker: TrackerProcess, friends: Friends
) -> None:
    alice, bob = friends
    at_alice = alice.node
    before = bob.one("whoami")["fingerprint"]
    bob.one("account", "delete", "--yes")
    at_alice.event("friend", friend="bob", state="removed")
    bob.close()
    assert bob.register(tracker.address, "--unsealed")["fingerprint"] == before
    at_bob = bob.up()
    bob.one("friend", "add", "alice")
    request = at_alice.event("friend-request", friend="bob")
    assert request["key_changed"] is False  # it is the bob that alice knows
    alice.one("friend", "accept", "bob")
    at_bob.event("friend", friend="alice", state="friends")
    assert bob.one("status")["alarms"] == []
    told = {event.get("code") for event in at_bob.seen if event["event"] == "notice"}
    assert told <= {"tracker-online"}, told


def test_another_device_of_a_deleted_account_learns_it(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice, laptop = make_peer("alice"), make_peer("laptop")
    alice.register(tracker.address, "--unsealed")
    laptop.one("login", "alice", "--tracker", tracker.address, "--unsealed")
    at_laptop = laptop.up()
    alice.one("account", "delete", "--yes")
    at_laptop.event("notice", code="tracker-refused")
    status = laptop.one("status")
    assert status["tracker"]["state"] == "refused"
    assert [alarm["code"] for alarm in status["alarms"]] == ["account-deleted"]


def test_an_account_without_a_tracker_has_nothing_to_delete(
    make_peer: MakePeer, tmp_path: Path
) -> None:
    alice = make_peer("alice")
    alice.register(None)
    for verb in (("delete", "--yes"), ("data", str(tmp_path / "file"))):
        outcome = alice.try_to("account", *verb)
        assert (outcome.code, outcome.error["code"]) == (1, "not-registered")
    assert alice.one("whoami")["account"] == "alice"


@pytest.mark.parametrize("is_up", [False, True])
def test_a_friend_who_comes_back_with_another_key_is_believed_after_a_typed_fingerprint(
    tracker: TrackerProcess, friends: Friends, make_peer: MakePeer, is_up: Any
) -> None:
    (alice, bob), again = friends, make_peer("again")
    at_alice, at_bob = alice.node, bob.node
    alice.do("say", "bob", "first", "--wait", "100")
    at_bob.stop()
    alice.do("say", "bob", "never delivered")
    bob.one("account", "delete", "--yes")
    at_alice.event("friend", friend="bob", state="removed")
    if not is_up:
        at_alice.stop()
    again.name = "bob"
    made = again.register(tracker.address, "--unsealed")
    at_again = again.up()
    again.one("friend", "add", "alice", "--note", "it is me")
    if is_up:
        at_alice.event("notice", code="key-changed", friend="bob")
    [request] = alice.do("friend", "requests")
    assert (request["friend"], request["key_changed"]) == ("bob", True)
    assert request["fingerprint"] == made["fingerprint"]
    assert [alarm["code"] for alarm in alice.one("status")["alarms"]] == ["key-changed"]
    plain = alice.try_to("friend", "accept", "bob")
    assert (plain.code, plain.error["code"]) == (1, "key-changed")
    assert alice.one("say", "bob", "waits", "--wait", "0")["state"] == "queued"
    wrong = alice.try_to("friend", "accept-key", "bob", "00" * 32)
    assert (wrong.code, wrong.error["code"]) == (1, "key-mismatch")
    accepted = alice.one("friend", "accept-key", "bob", made["fingerprint"])
    assert accepted == {"friend": "bob", "fingerprint": made["fingerprint"], "state": "friends"}
    at_again.event("friend", friend="alice", state="friends")
    if not is_up:
        alice.up()
    at_again.event("message", text="never delivered")
    at_again.event("message", text="waits")
    assert again.texts_from("alice") == ["never delivered", "waits"]
    lines = [item["text"] for item in alice.do("history", "bob") if item["kind"] == "message"]
    assert lines == ["first", "never delivered", "waits"]
    assert alice.one("status")["alarms"] == []
    [friend] = alice.do("friend", "list")
    assert (friend["friend"], friend["verified"], friend["key_changed"]) == ("bob", False, None)
