"""`register` and `login` killed at every write, sync and rename: no half home, and a second try ends it well."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Outcome, Peer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched
from tests.harness.trackers import TrackerProcess

pytestmark = [needs_strace, pytest.mark.timeout(3600)]

STANDING = {
    "keys",
    "keys.before",
    "lock",
    *(f"peer.sqlite3{it}" for it in ("", ".stamp", ".reserve")),
}


def paths_of(home: Path) -> list[Path]:
    """Everything that these verbs write."""
    names = (
        *("keys", "keys.new", "keys.before", "lock", "peer.sqlite3", "peer.sqlite3-journal"),
        *("peer.sqlite3-wal", "peer.sqlite3-shm", "peer.sqlite3.stamp", "peer.sqlite3.stamp.draft"),
    )
    return [home, *(home / name for name in names)]


def outlived(peer: Peer, words: tuple[str, ...]) -> Outcome:
    """Look at a home whose verb was killed, and do the verb again; gives how that went."""
    who = peer.try_to("whoami")
    assert who.code == 0 or who.error["code"] == "not-registered", who
    again = peer.try_to(*words)
    assert again.code == 0 or again.error["code"] == "already-registered", again
    assert (who.code == 0) <= (again.code != 0), "a whole account was made again"
    now = peer.one("whoami")
    assert now["account"] == words[1]
    if who.code == 0:
        assert who.item["fingerprint"] == now["fingerprint"]
    left = {path.name for path in peer.home.iterdir()}
    assert left <= STANDING, left
    return again


class TestEveryMoment:
    """One scenario each; `attempt` is a run with one kill."""

    @pytest.fixture(autouse=True)
    def _people(self, make_peer: MakePeer, tracker: TrackerProcess) -> None:
        self.names = (f"user{number}" for number in itertools.count())
        self.make_peer, self.tracker = make_peer, tracker

    def run(self, peer: Peer, words: tuple[str, ...], moment: Moment | None, log: Path) -> Outcome:
        paths = paths_of(peer.home)
        peer.under = watched(log, ON_DISK, paths) if moment is None else killed_at(moment, paths)
        done = peer.try_to(*words)
        peer.under = ()
        assert done.code in {0, KILLED}, done
        return done

    def test_of_a_registration_at_a_tracker(self, tmp_path: Path) -> None:
        log = tmp_path / "calls"

        def attempt(moment: Moment | None) -> bool:
            peer = self.make_peer(next(self.names))
            words = ("register", peer.name, "--unsealed", "--tracker", self.tracker.address)
            done = self.run(peer, words, moment, log)
            made = outlived(peer, words)
            if made.code == 0:
                peer.one("presence", "away")  # the tracker knows these very keys
            return done.code == KILLED

        attempt(None)
        Walk(log, seed=1, sample=4).over(attempt)

    def test_of_a_local_account_that_is_taken_to_a_tracker(self, tmp_path: Path) -> None:
        log = tmp_path / "calls"

        def attempt(moment: Moment | None) -> bool:
            peer = self.make_peer(next(self.names))
            before = peer.one("register", peer.name, "--unsealed")
            words = ("register", peer.name, "--unsealed", "--tracker", self.tracker.address)
            done = self.run(peer, words, moment, log)
            assert peer.one("whoami")["fingerprint"] == before["fingerprint"]
            again = peer.try_to(*words)
            assert again.code == 0 or again.error["code"] == "already-registered", again
            assert peer.one("whoami")["fingerprint"] == before["fingerprint"]
            peer.one("presence", "away")
            left = {path.name for path in peer.home.iterdir()}
            assert left <= STANDING, left
            return done.code == KILLED

        attempt(None)
        Walk(log, seed=2, sample=3).over(attempt)

    def test_of_a_login_on_a_second_machine(self, tmp_path: Path) -> None:
        log = tmp_path / "calls"

        def attempt(moment: Moment | None) -> bool:
            name = next(self.names)
            first = self.make_peer(name)
            made = first.register(self.tracker.address, "--unsealed")
            second = self.make_peer(f"{name}-second")
            words = ("login", name, "--unsealed", "--tracker", self.tracker.address)
            done = self.run(second, words, moment, log)
            outlived(second, words)
            who = second.one("whoami")
            assert who["fingerprint"] == made["fingerprint"]
            second.one("presence", "away")
            devices = second.one("whoami")["devices"]
            assert len(devices) == 2, "a login that was killed left a device behind"
            return done.code == KILLED

        attempt(None)
        Walk(log, seed=3, sample=4).over(attempt)
