"""Accounts, homes and nodes as real processes: what is refused, and what survives."""

from __future__ import annotations

import signal
import socket
import stat
from pathlib import Path

from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD, Node, Peer
from tests.harness.trackers import WIDE, TrackerProcess

Friends = tuple[Peer, Peer]


def test_a_taken_name_is_refused(tracker: TrackerProcess, make_peer: MakePeer) -> None:
    make_peer("alice").register(tracker.address, "--unsealed")
    other = make_peer("other")
    outcome = other.try_to("register", "alice", "--tracker", tracker.address)
    assert outcome.code == 1
    assert outcome.error["code"] == "name-taken"
    assert other.one("register", "alicia", "--tracker", tracker.address)["account"] == "alicia"


def test_a_wrong_password_opens_neither_the_account_nor_the_key_file(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address)
    elsewhere = make_peer("elsewhere")
    wrong = elsewhere.try_to(
        "login", "alice", "--tracker", tracker.address, HOBNOB_PASSWORD="wrong password"
    )
    assert (wrong.code, wrong.error["code"]) == (1, "wrong-password")
    sealed = alice.try_to("friend", "list", HOBNOB_PASSWORD="wrong password")
    assert (sealed.code, sealed.error["code"]) == (1, "wrong-password")


def test_a_second_machine_logs_in_by_password(tracker: TrackerProcess, make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    made = alice.register(tracker.address)
    laptop = make_peer("laptop")
    same = laptop.one("login", "alice", "--tracker", tracker.address, "--device", "laptop")
    assert same["last_changed"] is not None
    assert same | {"last_changed": None} == made
    who = laptop.one("whoami")
    assert who["fingerprint"] == made["fingerprint"]
    assert [device["this"] for device in who["devices"]].count(True) == 1
    assert len(who["devices"]) == 2


def test_a_sealed_key_file_without_a_password_is_locked(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address)
    del alice.environment["HOBNOB_PASSWORD"]
    for verb in (("up",), ("friend", "list"), ("say", "bob", "hi")):
        outcome = alice.try_to(*verb)
        assert (outcome.code, outcome.error["code"]) == (1, "locked")
    assert alice.one("whoami")["account"] == "alice"


def test_an_unsealed_key_file_needs_no_password_and_is_its_owners_alone(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice = make_peer("alice")
    secret = tmp_path / "password"
    secret.write_text(f"{PASSWORD}\n")
    del alice.environment["HOBNOB_PASSWORD"]
    words = ("register", "alice", "--tracker", tracker.address)
    alice.do(*words, "--unsealed", "--password-file", str(secret))
    with alice.up() as node:
        assert node.stop() == 0
    modes = {stat.S_IMODE(path.stat().st_mode) for path in alice.home.rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE(alice.home.stat().st_mode) == 0o700


def test_without_a_password_register_says_that_one_is_needed(make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    del alice.environment["HOBNOB_PASSWORD"]
    outcome = alice.try_to("register", "alice")
    assert (outcome.code, outcome.error["code"]) == (1, "password-needed")


def test_a_local_account_needs_no_tracker(make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    made = alice.register(None, "--unsealed")
    assert made["tracker"] is None
    assert alice.one("whoami")["fingerprint"] == made["fingerprint"]
    alice.up()
    assert alice.one("status")["node"] == "up"


def test_two_nodes_on_one_home_are_refused_by_name(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address, "--unsealed")
    node = alice.up()
    outcome = alice.try_to("up")
    assert (outcome.code, outcome.error["code"]) == (1, "already-running")
    assert str(node.process.pid) in outcome.error["message"]
    assert alice.one("status")["pid"] == node.process.pid


def test_a_verbs_node_gives_way_to_up_and_the_verb_goes_on_over_it(friends: Friends) -> None:
    alice, bob = friends
    for friend in friends:
        friend.node.stop()
    alice.do("say", "bob", "before", "--wait", "0")
    with Node(bob, "read", "alice", "--follow") as following:
        alice.up()
        following.wait(lambda item: item["text"] == "before")
        bob.up()
        alice.do("say", "bob", "after")
        following.wait(lambda item: item["text"] == "after")
        assert bob.one("status")["node"] == "up"
        assert following.stop(signal.SIGINT) == 130
        assert [item["text"] for item in following.seen] == ["before", "after"]


def test_a_second_home_is_another_person(tracker: TrackerProcess, make_peer: MakePeer) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    alice.register(tracker.address, "--unsealed")
    bob.register(tracker.address, "--unsealed")
    assert alice.up().process.pid != bob.up().process.pid
    assert alice.one("whoami")["account"] == "alice"
    assert bob.one("whoami")["account"] == "bob"


def test_a_port_in_use_is_named(tracker: TrackerProcess, make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address, "--unsealed")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        outcome = alice.try_to("up", "--listen", place)
    assert (outcome.code, outcome.error["code"]) == (1, "address-in-use")
    assert place in outcome.error["message"]


def test_a_home_comes_before_or_after_the_verb_or_from_the_environment(
    make_peer: MakePeer, tmp_path: Path
) -> None:
    alice, carol = make_peer("alice"), make_peer("carol")
    alice.register(None, "--unsealed")
    carol.register(None, "--unsealed")
    elsewhere = ("--home", str(carol.home))
    assert alice.one("whoami", *elsewhere)["account"] == "carol"
    assert alice.one("friend", *elsewhere, "code") == carol.one("friend", "code")


def test_before_register_every_verb_says_so(make_peer: MakePeer) -> None:
    nobody = make_peer("nobody")
    for verb in (
        ("whoami",),
        ("friend", "list"),
        ("say", "bob", "hi"),
        ("up",),
        ("friend", "code"),
    ):
        outcome = nobody.try_to(*verb)
        assert (outcome.code, outcome.error["code"]) == (1, "not-registered"), outcome


def test_after_logout_the_home_says_so_and_login_brings_it_back(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address, "--unsealed")
    assert alice.one("logout") == {}
    outcome = alice.try_to("up")
    assert (outcome.code, outcome.error["code"]) == (1, "logged-out")
    alice.one("login", "alice", "--tracker", tracker.address)
    alice.up()


def test_forgetting_wipes_the_home_only_when_somebody_says_yes(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    alice = make_peer("alice")
    alice.register(tracker.address, "--unsealed")
    assert alice.try_to("logout", "--forget").code == 2
    assert alice.one("whoami")["account"] == "alice"
    alice.one("logout", "--forget", "--yes")
    assert alice.try_to("whoami").error["code"] == "not-registered"


def test_a_tracker_without_its_key_is_refused_and_the_key_is_named(
    tracker: TrackerProcess, make_peer: MakePeer
) -> None:
    bare, _, key = tracker.address.partition("#")
    alice = make_peer("alice")
    outcome = alice.try_to("register", "alice", "--tracker", bare)
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-key-needed")
    assert key in outcome.error["message"]


def test_a_tracker_with_another_key_is_refused(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    with TrackerProcess(tmp_path / "other", *WIDE) as other:
        key = other.address.partition("#")[2]
    bare = tracker.address.partition("#")[0]
    outcome = make_peer("alice").try_to("register", "alice", "--tracker", f"{bare}#{key}")
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-key-mismatch")


def test_an_address_that_is_none_is_named(make_peer: MakePeer) -> None:
    for address in (
        "nowhere",
        "http://127.0.0.1:1/",
        "hobnob://[::1",
        "hobnob://h:p/#x",
        "hobnob://h:1:2/",
    ):
        outcome = make_peer("alice").try_to("register", "alice", "--tracker", address)
        assert (outcome.code, outcome.error["code"]) == (1, "address-invalid"), outcome


def test_a_removed_friend_is_gone_on_both_sides(friends: Friends) -> None:
    alice, bob = friends
    assert alice.one("friend", "remove", "bob") == {}
    bob.node.event("friend", friend="alice", state="removed")
    assert alice.do("friend", "list") == []
    assert bob.do("friend", "list") == []
    outcome = bob.try_to("say", "alice", "are you there?")
    assert outcome.code == 1
    assert outcome.error["code"] in {"no-such-friend", "not-friends"}


def test_a_blocked_person_cannot_talk_and_an_unblocked_one_can_ask_again(friends: Friends) -> None:
    alice, bob = friends
    alice.one("friend", "block", "bob")
    assert alice.do("friend", "list") == []
    bob.node.event("friend", friend="alice", state="removed")
    alice.one("friend", "unblock", "bob")
    assert bob.one("friend", "add", "alice") == {"friend": "alice", "state": "asked"}


def test_sigterm_is_a_clean_end_and_ctrl_c_is_130(make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    alice.register(None, "--unsealed")
    assert alice.up().stop() == 0
    assert alice.up().stop(signal.SIGINT) == 130
