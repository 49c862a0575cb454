"""`passwd` and `account delete` killed at every write, sync and rename: the home opens, and the same words end it well."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from peer.errors import PeerError
from peer.identity import read_key_file
from peer.locations import Locations
from tests.e2e.conftest import MakePeer
from tests.e2e.test_kill_accounts import STANDING, paths_of
from tests.harness.actors import PASSWORD, Peer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched
from tests.harness.trackers import TrackerProcess
from wire.codes import Code

pytestmark = [needs_strace, pytest.mark.timeout(3600)]

NEW = "eight green cats"


def opens(peer: Peer, password: str) -> bool:
    """Say whether a password opens a home's keys."""
    try:
        read_key_file(Locations(peer.home), lambda: password)
    except PeerError as error:
        if error.code is not Code.WRONG_PASSWORD:
            raise
        return False
    return True


class TestEveryMoment:
    """One scenario each; `attempt` is a run with one kill."""

    @pytest.fixture(autouse=True)
    def _people(self, make_peer: MakePeer, tracker: TrackerProcess, tmp_path: Path) -> None:
        self.names = (f"user{number}" for number in itertools.count())
        self.make_peer, self.tracker = make_peer, tracker
        self.log = tmp_path / "calls"
        self.new = tmp_path / "new password"
        self.new.write_text(NEW)

    def someone(self) -> Peer:
        """Register somebody whose key file is sealed."""
        peer = self.make_peer(next(self.names))
        peer.register(self.tracker.address)
        return peer

    def run(self, peer: Peer, words: tuple[str, ...], moment: Moment | None) -> int:
        paths = paths_of(peer.home)
        peer.under = (
            watched(self.log, ON_DISK, paths) if moment is None else killed_at(moment, paths)
        )
        done = peer.try_to(*words)
        peer.under = ()
        assert done.code in {0, KILLED}, done
        return done.code

    def test_of_another_password(self) -> None:
        words = ("passwd", "--new-password-file", str(self.new))

        def attempt(moment: Moment | None) -> bool:
            peer = self.someone()
            code = self.run(peer, words, moment)
            assert opens(peer, PASSWORD) or opens(peer, NEW), "nobody gets in any more"
            assert code == KILLED or opens(peer, NEW)
            peer.one(*words)
            assert opens(peer, NEW)
            assert not opens(peer, PASSWORD)
            left = {path.name for path in peer.home.iterdir()}
            assert left <= STANDING, left
            (peer.home / "keys").unlink()  # nor does the former generation open with the former
            assert opens(peer, NEW)
            assert not opens(peer, PASSWORD)
            login = ("login", peer.name, "--tracker", self.tracker.address)
            laptop = self.make_peer(f"{peer.name}-laptop")
            assert laptop.try_to(*login, HOBNOB_PASSWORD=NEW).code == 0
            return code == KILLED

        attempt(None)
        Walk(self.log, seed=4, sample=5).over(attempt)

    def test_of_the_end_of_an_account(self) -> None:
        words = ("account", "delete", "--yes")

        def attempt(moment: Moment | None) -> bool:
            peer = self.someone()
            code = self.run(peer, words, moment)
            again = peer.try_to(*words)
            assert again.code == 0 or again.error["code"] == "account-deleted", again
            assert [a["code"] for a in peer.one("status")["alarms"]] == ["account-deleted"]
            other = self.make_peer(f"{peer.name}-other")
            other.one("register", peer.name, "--tracker", self.tracker.address)  # the name is free
            return code == KILLED

        attempt(None)
        Walk(self.log, seed=5, sample=3).over(attempt)
