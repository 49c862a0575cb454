"""A tracker killed at every write, sync and rename: what it said was done is done, the rest can be asked again."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness import places
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched
from tests.harness.trackers import WIDE, TrackerProcess

pytestmark = [needs_strace, pytest.mark.timeout(3600)]


def paths_of(home: Path) -> list[Path]:
    """Everything that a tracker writes."""
    names = ["lock", "lock.pid"]
    names += [f"link-key{ending}" for ending in ("", ".part", ".second", ".second.part")]
    names += [f"tracker.db{ending}" for ending in ("", "-wal", "-shm", "-journal")]
    return [home, *(home / name for name in names)]


def test_a_tracker_that_registers_somebody_is_killed_at_every_moment(
    make_peer: MakePeer, tmp_path: Path
) -> None:
    numbers = itertools.count()
    log = tmp_path / "calls"

    def attempt(moment: Moment | None) -> bool:
        number = next(numbers)
        home, listen = tmp_path / f"tracker-{number}", places.place()
        paths = paths_of(home)
        under = watched(log, ON_DISK, paths) if moment is None else killed_at(moment, paths)
        alice = make_peer(f"user{number}")
        code: int | None = KILLED
        first = None
        address = ""
        try:
            tracker = TrackerProcess(home, *WIDE, listen=listen, under=under)
        except AssertionError:  # killed before it was ready
            pass
        else:
            address = tracker.address
            words = ("register", alice.name, "--unsealed", "--tracker", address)
            first = alice.try_to(*words)
            code = tracker.stop()
            assert code in {0, KILLED}
        with TrackerProcess(home, *WIDE, listen=listen) as again:
            assert again.address == (address or again.address), "it has another key now"
            words = ("register", alice.name, "--unsealed", "--tracker", again.address)
            second = alice.try_to(*words)
            if first is not None and first.code == 0:
                assert second.error["code"] == "already-registered"
            else:
                assert second.code == 0, second
            alice.one("presence", "away")
            left = {path.name for path in home.iterdir()}
            assert not {name for name in left if name.endswith((".new", ".part"))}, left
        return code == KILLED

    attempt(None)
    Walk(log, seed=10, sample=5).over(attempt)
