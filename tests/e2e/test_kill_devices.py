"""`device revoke` killed at every write, sync and rename: the account goes on, and the same words end it well."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.e2e.test_kill_accounts import STANDING, paths_of
from tests.harness.actors import Peer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched
from tests.harness.trackers import TrackerProcess

pytestmark = [needs_strace, pytest.mark.timeout(3600)]

WORDS = ("device", "revoke", "spare")


class TestEveryMoment:
    """One scenario; `attempt` is a run with one kill."""

    @pytest.fixture(autouse=True)
    def _people(self, make_peer: MakePeer, tracker: TrackerProcess, tmp_path: Path) -> None:
        self.names = (f"user{number}" for number in itertools.count())
        self.make_peer, self.tracker = make_peer, tracker
        self.log = tmp_path / "calls"

    def log_in(self, name: str, device: str) -> Peer:
        """Make another machine a device of an account; its account state has to open."""
        peer = self.make_peer(f"{name}-{device}")
        made = peer.one("login", name, "--tracker", self.tracker.address, "--device", device)
        assert made["trouble"] is None
        return peer

    def test_of_taking_a_device_off(self) -> None:
        def attempt(moment: Moment | None) -> bool:
            peer = self.make_peer(next(self.names))
            peer.register(self.tracker.address)
            spare = self.log_in(peer.name, "spare")
            peer.one("config", "set", "receipts", "off")
            peer.do("friend", "list")
            paths = paths_of(peer.home)
            peer.under = (
                watched(self.log, ON_DISK, paths) if moment is None else killed_at(moment, paths)
            )
            done = peer.try_to(*WORDS)
            peer.under = ()
            assert done.code in {0, KILLED}, done
            again = peer.try_to(*WORDS)
            assert again.code == 0 or again.error["code"] == "device-revoked", again
            off = {d["name"]: d["revoked"] is not None for d in peer.do("devices")}
            assert off["spare"]
            assert not any(is_off for name, is_off in off.items() if name != "spare")
            refused = spare.try_to("friend", "list")
            assert refused.error["code"] == "device-revoked", refused
            assert peer.one("status")["alarms"] == []
            left = {path.name for path in peer.home.iterdir()}
            assert left <= STANDING, left
            laptop = self.log_in(peer.name, "laptop")
            assert laptop.one("config", "get", "receipts")["value"] in (False, "off")
            return done.code == KILLED

        attempt(None)
        Walk(self.log, seed=6, sample=2).over(attempt)
