"""Another password, with real programs: what opens with which, also where the change was cut short."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from peer.errors import PeerError
from peer.identity import read_key_file
from peer.locations import Locations
from tests.e2e.conftest import MakePeer
from tests.harness.actors import PASSWORD
from tests.harness.trackers import WIDE, TrackerProcess
from wire.codes import Code

NEW = "eight green cats"

pytestmark = pytest.mark.measured


@pytest.fixture
def alice(tracker: TrackerProcess, make_peer: MakePeer) -> Any:
    alice = make_peer("alice")
    alice.register(tracker.address)
    return alice


@pytest.fixture
def passwords(tmp_path: Path) -> Any:
    """Files that hold the present and the new password."""
    present, new = tmp_path / "present", tmp_path / "new"
    present.write_text(f"{PASSWORD}\n")
    new.write_text(NEW)
    return ("--password-file", str(present), "--new-password-file", str(new))


def opens(peer: Any, password: Any) -> Any:
    """Say whether a password opens a home's keys."""
    try:
        read_key_file(Locations(peer.home), lambda: password)
    except PeerError as error:
        if error.code is not Code.WRONG_PASSWORD:
            raise
        return False
    return True


def logs_in(make_peer: MakePeer, name: Any, address: Any, password: Any) -> Any:
    elsewhere = make_peer(name)
    words = ("login", "alice", "--tracker", address)
    outcome = elsewhere.try_to(*words, HOBNOB_PASSWORD=password)
    assert outcome.code == 0 or outcome.error["code"] == "wrong-password", outcome
    return outcome.code == 0


def test_the_new_password_opens_everything_and_the_former_nothing(
    tracker: TrackerProcess, make_peer: MakePeer, alice: Any, passwords: Any
) -> None:
    assert alice.one("passwd", *passwords) == {}
    assert opens(alice, NEW)
    assert not opens(alice, PASSWORD)
    assert logs_in(make_peer, "laptop", tracker.address, NEW)
    assert not logs_in(make_peer, "thief", tracker.address, PASSWORD)
    (alice.home / "keys").unlink()  # the former generation is sealed by the new one, too
    assert opens(alice, NEW)
    assert not opens(alice, PASSWORD)


def test_the_new_password_may_come_from_the_environment(alice: Any) -> None:
    assert alice.try_to("passwd", HOBNOB_NEW_PASSWORD=NEW).code == 0
    assert opens(alice, NEW)


def test_a_node_that_is_up_goes_on_and_starts_again_with_the_new_password(
    alice: Any, passwords: Any
) -> None:
    node = alice.up()
    node.event("notice", code="tracker-online")
    alice.one("passwd", *passwords)
    assert alice.one("status")["tracker"]["state"] == "online"
    assert node.stop() == 0
    assert not opens(alice, PASSWORD)
    alice.environment["HOBNOB_PASSWORD"] = NEW
    alice.up()


def test_keys_that_are_written_anew_later_are_sealed_by_the_new_password(
    tracker: TrackerProcess, make_peer: MakePeer, alice: Any, passwords: Any
) -> None:
    phone = make_peer("phone")
    phone.one("login", "alice", "--tracker", tracker.address, "--device", "phone")
    node = alice.up()
    alice.one("passwd", *passwords)
    before = (alice.home / "keys").read_bytes()
    assert alice.try_to("device", "revoke", "phone", HOBNOB_PASSWORD=NEW).code == 0
    assert (alice.home / "keys").read_bytes() != before
    assert node.stop() == 0
    assert opens(alice, NEW)
    assert not opens(alice, PASSWORD)
    (alice.home / "keys").unlink()  # the former generation
    assert opens(alice, NEW)
    assert not opens(alice, PASSWORD)


REFUSED = [
    ("not the password", NEW, "wrong-password"),
    (PASSWORD, "short", "password-weak"),
    (PASSWORD, "password", "password-weak"),
    (PASSWORD, "x" * 1025, "password-too-long"),
]


@pytest.mark.parametrize("is_up", [False, True])
def test_what_is_refused_changes_nothing(alice: Any, is_up: Any) -> None:
    if is_up:
        alice.up()
    for present, new, code in REFUSED:
        outcome = alice.try_to("passwd", HOBNOB_PASSWORD=present, HOBNOB_NEW_PASSWORD=new)
        assert (outcome.code, outcome.error["code"]) == (1, code)
    assert opens(alice, PASSWORD)
    assert alice.try_to("passwd", HOBNOB_NEW_PASSWORD=NEW).code == 0
    assert opens(alice, NEW)


def test_without_a_way_to_have_the_new_password_it_says_so(alice: Any) -> None:
    outcome = alice.try_to("passwd")
    assert (outcome.code, outcome.error["code"]) == (1, "password-needed")
    assert "HOBNOB_NEW_PASSWORD" in outcome.error["remedy"]
    both = ("--password-file", "-", "--new-password-file", "-")
    assert alice.try_to("passwd", *both).code == 2


def test_a_change_whose_key_file_was_not_written_is_finished_by_the_same_words(
    tracker: TrackerProcess, make_peer: MakePeer, alice: Any, passwords: Any
) -> None:
    obstacle = alice.home / "keys.new"
    obstacle.mkdir()  # the tracker takes the change, the key file cannot be written
    outcome = alice.try_to("passwd", *passwords)
    assert (outcome.code, outcome.error["code"]) == (1, "home-unusable")
    assert "the account has the new password already" in outcome.error["message"]
    assert "open with the former one" in outcome.error["message"]
    obstacle.rmdir()
    assert opens(alice, PASSWORD)  # the former password opens this home still
    assert not opens(alice, NEW)
    assert logs_in(make_peer, "laptop", tracker.address, NEW)
    alice.one("passwd", *passwords)
    assert opens(alice, NEW)
    assert not opens(alice, PASSWORD)
    alice.one("passwd", *passwords)  # once more does no harm
    assert opens(alice, NEW)


def test_another_device_goes_on_and_follows_when_it_is_given_both(
    tracker: TrackerProcess, make_peer: MakePeer, alice: Any, passwords: Any
) -> None:
    laptop = make_peer("laptop")
    laptop.one("login", "alice", "--tracker", tracker.address)
    node = laptop.up()
    node.event("notice", code="tracker-online")
    alice.one("passwd", *passwords)
    assert laptop.one("status")["tracker"]["state"] == "online"
    node.stop()
    again = laptop.up()  # its key file opens with the former password still
    again.event("notice", code="password-changed")
    again.stop()
    laptop.one("passwd", *passwords)
    assert opens(laptop, NEW)
    assert not opens(laptop, PASSWORD)


def test_a_tracker_that_is_away_changes_nothing(tracker: TrackerProcess, alice: Any) -> None:
    tracker.stop()
    outcome = alice.try_to("passwd", HOBNOB_NEW_PASSWORD=NEW)
    assert (outcome.code, outcome.error["code"]) == (1, "tracker-unreachable")
    assert opens(alice, PASSWORD)


def test_a_tracker_that_went_back_in_time_is_named(
    tmp_path: Path, make_peer: MakePeer, passwords: Any
) -> None:
    home, before = tmp_path / "back", tmp_path / "before"
    alice = make_peer("alice")
    with TrackerProcess(home, *WIDE) as tracker:
        alice.register(tracker.address)
    shutil.copytree(home, before)
    with TrackerProcess(home, *WIDE, listen=tracker.listen):
        alice.one("passwd", *passwords)
    shutil.rmtree(home)
    before.rename(home)
    with TrackerProcess(home, *WIDE, listen=tracker.listen):
        outcome = alice.try_to("passwd", *passwords)
        assert (outcome.code, outcome.error["code"]) == (1, "vault-rollback")
        alice.environment["HOBNOB_PASSWORD"] = NEW
        with alice.up() as node:
            node.event("notice", code="vault-rollback")
            assert [a["code"] for a in alice.one("status")["alarms"]] == ["vault-rollback"]
    assert opens(alice, NEW)


def test_an_account_with_a_recovery_key_keeps_it(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice = make_peer("alice")
    key = str(tmp_path / "recovery")
    register = ("register", "alice", "--tracker", tracker.address)
    alice.one(*register, "--recovery-key-file", key)
    outcome = alice.try_to("passwd", HOBNOB_NEW_PASSWORD=NEW)
    assert (outcome.code, outcome.error["code"]) == (1, "recovery-key-needed")
    done = alice.try_to("passwd", "--recovery-key-file", key, HOBNOB_NEW_PASSWORD=NEW)
    assert done.code == 0, done
    login = ("login", "alice", "--tracker", tracker.address)
    laptop = make_peer("laptop")
    without = laptop.try_to(*login, HOBNOB_PASSWORD=NEW)
    assert (without.code, without.error["code"]) == (1, "recovery-key-needed")
    assert laptop.try_to(*login, "--recovery-key-file", key, HOBNOB_PASSWORD=NEW).code == 0


def test_a_local_account_changes_only_its_own_file(make_peer: MakePeer, passwords: Any) -> None:
    alice = make_peer("alice")
    made = alice.register(None)
    wrong = alice.try_to("passwd", HOBNOB_PASSWORD="not it", HOBNOB_NEW_PASSWORD=NEW)
    assert wrong.error["code"] == "wrong-password"
    alice.one("passwd", *passwords)
    assert not opens(alice, PASSWORD)
    assert opens(alice, NEW)
    assert alice.one("whoami")["fingerprint"] == made["fingerprint"]
    alice.one("passwd", *passwords)  # again, as after a change that was cut short
    assert opens(alice, NEW)


def test_a_local_account_is_taken_to_a_tracker_with_the_changed_password(
    tracker: TrackerProcess, make_peer: MakePeer, passwords: Any
) -> None:
    alice = make_peer("alice")
    made = alice.register(None)
    alice.one("passwd", *passwords)
    register = ("register", "alice", "--tracker", tracker.address)
    taken = alice.try_to(*register, HOBNOB_PASSWORD=NEW)
    assert taken.items[0]["fingerprint"] == made["fingerprint"]
    assert logs_in(make_peer, "laptop", tracker.address, NEW)


def test_unsealed_keys_stay_so(
    tracker: TrackerProcess, make_peer: MakePeer, passwords: Any
) -> None:
    alice = make_peer("alice")
    alice.one("register", "alice", "--tracker", tracker.address, "--unsealed")
    alice.one("passwd", *passwords)
    assert alice.one("whoami")["sealed"] == "none"
    del alice.environment["HOBNOB_PASSWORD"]
    assert alice.do("friend", "list") == []
    assert logs_in(make_peer, "laptop", tracker.address, NEW)


def test_no_password_is_ever_printed_or_kept(
    tracker: TrackerProcess, alice: Any, passwords: Any
) -> None:
    alice.up()
    alice.one("passwd", *passwords)
    alice.close()
    kept = b"".join(path.read_bytes() for path in alice.home.rglob("*") if path.is_file())
    kept += b"".join(path.read_bytes() for path in tracker.home.rglob("*") if path.is_file())
    for secret in (PASSWORD, NEW):
        assert secret not in "".join(alice.printed)
        assert secret.encode() not in kept
    assert NEW not in tracker.log
