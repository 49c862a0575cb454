"""A home of a former version, killed at every write, sync and rename of its upgrade: the next start ends it."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched
from tests.harness.frozen import TEXTS, rows, thaw

pytestmark = [needs_strace, pytest.mark.timeout(3600)]


def test_an_upgrade_is_killed_at_every_moment(make_peer: MakePeer, tmp_path: Path) -> None:
    numbers = itertools.count()
    log = tmp_path / "calls"

    def attempt(moment: Moment | None) -> bool:
        alice = make_peer(f"alice-{next(numbers)}")
        database = thaw(1, alice.home)
        before = rows(database)
        backup = database.with_name("peer.sqlite3.schema-1")
        beside = [
            database.with_name(f"peer.sqlite3{ending}")
            for ending in (
                *("", "-wal", "-shm", "-journal", ".stamp", ".stamp.draft"),
                *(".schema-1", ".schema-1.draft", ".schema-1.draft-journal", ".schema-4"),
            )
        ]
        paths = [alice.home, *beside]
        alice.under = watched(log, ON_DISK, paths) if moment is None else killed_at(moment, paths)
        done = alice.try_to("history", "bob")
        alice.under = ()
        assert done.code in {0, KILLED}, done
        if backup.exists():
            assert rows(backup) == before
        assert [item["text"] for item in alice.do("history", "bob")] == TEXTS
        assert rows(backup) == before
        assert alice.one("whoami")["account"] == "alice"
        left = {path.name for path in alice.home.iterdir()}
        assert not {name for name in left if "draft" in name or name.endswith("-journal")}
        return done.code == KILLED

    attempt(None)
    Walk(log, seed=9, sample=6).over(attempt)
