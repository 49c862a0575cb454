"""Homes that are damaged, foreign, locked or no folders at all, met by the real commands."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.verb_world import Ran, check_refused, run
from tests.harness import short
from tests.harness.actors import WAIT_S, Peer
from tests.harness.mounts import needs_mounts, small_disk
from tests.harness.trackers import PYTHON, TrackerProcess


@pytest.fixture
def tracker_home(tmp_path: Path) -> Path:
    """A home that a tracker ran on."""
    with TrackerProcess(tmp_path / "tracker") as tracker:
        return tracker.home


def refusal(peer: Peer, line: str, code: str) -> str:
    """Run a verb that is refused with this code; gives the sentence."""
    ran = run("peer", ["--home", str(peer.home), *line.split()], peer.environment)
    check_refused(ran, "text", code, is_misuse=False)
    return ran.err


def tracker_refusal(home: Path, code: str) -> str:
    line = ["serve", "--home", str(home), "--listen", "127.0.0.1:0"]
    ran = run("tracker", line, dict(os.environ))
    check_refused(ran, "text", code)
    return ran.err


def digests(folder: Path) -> dict[str, str]:
    """What stands in the files whose loss would be a loss."""
    names = ("keys", "keys.before", "peer.sqlite3", "tracker.db", "link-key", "link-key.second")
    return {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in names
        if (folder / name).is_file()
    }


# --- the folder


def test_a_home_that_is_a_file_or_below_one_is_named(tmp_path: Path) -> None:
    peer = Peer(tmp_path, "file")
    peer.home.write_text("no folder")
    for line in ("whoami", "register alice", "up"):
        assert str(peer.home) in refusal(peer, line, "home-unusable")
    assert str(peer.home) in tracker_refusal(peer.home, "home-unusable")
    below = Peer(peer.home, "below")
    refusal(below, "register alice", "home-unusable")
    tracker_refusal(below.home, "home-unusable")
    assert peer.home.read_text() == "no folder"


def test_a_home_that_others_can_read_is_closed_to_them(alice: Peer, tracker_home: Path) -> None:
    for home in (alice.home, tracker_home):
        home.chmod(0o777)
    assert alice.one("whoami")["account"] == "alice"
    with TrackerProcess(tracker_home):
        pass
    for home in (alice.home, tracker_home):
        assert stat.S_IMODE(home.stat().st_mode) == 0o700


# --- the keys


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def _make_newer(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[1] = 9  # the version, first in the file
    path.write_bytes(raw)


def _open_to_others(path: Path) -> None:
    path.chmod(0o640)


def _remove(path: Path) -> None:
    path.unlink()


def _make_a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def _make_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("damage", "code", "hint"),
    [
        (_empty, "key-file-invalid", "backup"),
        (_cut, "key-file-invalid", "backup"),
        (_flip, "key-file-invalid", "backup"),
        (_make_newer, "key-file-invalid", "update this program"),
        (_open_to_others, "key-file-mode", "chmod 600"),
        (_remove, "key-file-invalid", "backup"),
        (_make_a_pipe, "key-file-invalid", "backup"),
        (_make_a_folder, "key-file-invalid", "backup"),
    ],
)
def test_keys_that_are_damaged_or_gone_are_named_and_never_made_anew(
    alice: Peer, damage: Callable[[Path], None], code: str, hint: str
) -> None:
    damage(alice.home / "keys")
    before = digests(alice.home)
    for line in ("friend list", "register alice", "up --listen 127.0.0.1:0"):
        assert hint in refusal(alice, line, code)
    assert digests(alice.home) == {**before, "peer.sqlite3": digests(alice.home)["peer.sqlite3"]}


@pytest.mark.skipif(
    os.geteuid() != 0 and "CI" not in os.environ,
    reason="only root gives a file away, and CI is root",
)
def test_keys_of_another_user_are_refused(alice: Peer) -> None:
    os.chown(alice.home / "keys", 12345, -1)
    assert "another user" in refusal(alice, "friend list", "key-file-mode")


@pytest.mark.parametrize("damage", [_empty, _cut, _flip, _remove])
def test_a_tracker_mends_one_copy_of_its_key_and_makes_none_anew(
    tracker_home: Path, damage: Callable[[Path], None]
) -> None:
    first, second = tracker_home / "link-key", tracker_home / "link-key.second"
    whole = first.read_bytes()
    damage(first)
    with TrackerProcess(tracker_home):
        assert first.read_bytes() == second.read_bytes() == whole
    damage(first)
    damage(second)
    before = digests(tracker_home)
    assert "backup" in tracker_refusal(tracker_home, "key-file-invalid")
    assert digests(tracker_home) == before


# --- the database


def _set_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 999")


def _make_noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def _break_a_page(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[8192:8292] = b"X" * 100
    path.write_bytes(raw)


def _halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


DAMAGES = pytest.mark.parametrize(
    ("damage", "code"),
    [
        (_set_version, "database-newer"),
        (_make_noise, "database-corrupt"),
        (_break_a_page, "database-corrupt"),
        (_halve, "database-corrupt"),
        (_empty, "database-corrupt"),
        (_remove, "database-corrupt"),
    ],
)


@DAMAGES
def test_a_database_that_is_damaged_or_newer_is_named_and_left_alone(
    alice: Peer, damage: Callable[[Path], None], code: str
) -> None:
    path = alice.home / "peer.sqlite3"
    damage(path)
    before = digests(alice.home)
    for line in ("whoami", "friend list", "register alice", "up --listen 127.0.0.1:0"):
        assert str(path) in refusal(alice, line, code)
    assert digests(alice.home) == before


@DAMAGES
def test_a_trackers_database_that_is_damaged_or_newer_is_named_and_left_alone(
    tracker_home: Path, damage: Callable[[Path], None], code: str
) -> None:
    path = tracker_home / "tracker.db"
    damage(path)
    before = digests(tracker_home)
    assert str(path) in tracker_refusal(tracker_home, code)
    assert digests(tracker_home) == before


def test_a_database_that_another_program_holds_is_waited_for_and_then_named(
    alice: Peer, tracker_home: Path
) -> None:
    for path in (alice.home / "peer.sqlite3", tracker_home / "tracker.db"):
        with closing(sqlite3.connect(path, isolation_level=None)) as holder:
            holder.execute("PRAGMA locking_mode = EXCLUSIVE")
            holder.execute("BEGIN EXCLUSIVE")
            if path.parent == alice.home:
                assert "locked" in refusal(alice, "whoami", "database-failed")
            else:
                assert "locked" in tracker_refusal(tracker_home, "database-failed")
    assert alice.one("whoami")["account"] == "alice"


def test_a_home_without_its_database_keeps_its_identity(alice: Peer) -> None:
    fingerprint = alice.one("whoami")["fingerprint"]
    for path in alice.home.glob("peer.sqlite3*"):
        path.unlink()
    refusal(alice, "whoami", "not-registered")
    assert alice.one("register", "alice", "--unsealed")["fingerprint"] == fingerprint


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        (b"[downloads]\nfolde = '/x'\n", "config.toml:2: there is no setting 'downloads.folde'"),
        (b"[downloads]\r\n\r\nfolder = 3\r\n", "config.toml:3: downloads.folder is a str"),
        (b"x = [\n", "config.toml:"),
        (b"\0\xff" * 100, "config.toml:1: is no UTF-8 text"),
        (b"#" * 100_000_000, "is larger than"),
    ],
    ids=["unknown", "type", "syntax", "binary", "huge"],
)
def test_a_setting_that_is_wrong_is_told_before_anything_runs(
    alice: Peer, written: bytes, hint: str
) -> None:
    (alice.home / "config.toml").write_bytes(written)
    assert hint in refusal(alice, "up --listen 127.0.0.1:0", "config-invalid")
    (alice.home / "config.toml").unlink()
    (alice.home / "config.toml").mkdir()
    refusal(alice, "up --listen 127.0.0.1:0", "config-invalid")


@needs_mounts
def test_a_home_that_is_read_only_is_named(alice: Peer, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 24 * 1024 * 1024) as disk:
        shutil.copytree(alice.home, disk.inside / "alice")
        disk.remount("ro")
        there = ["--home", str(disk.path / "alice")]
        for line in ("whoami", "friend list", "up", "register alice"):
            words = [*disk.words, PYTHON, "-m", "peer", *there, *line.split()]
            done = short.run(words, environment=alice.environment, timeout_s=WAIT_S)
            ran = Ran(words, done.returncode, done.stdout.decode(), done.stderr.decode())
            check_refused(ran, "text", "home-unusable")


def test_who_has_no_tracker_reads_so(tmp_path: Path) -> None:
    with closing(Peer(tmp_path, "alice")) as alice:
        assert "tracker  none" in alice.plain("status").splitlines()
        alice.register(None)
        assert "tracker  none" in alice.plain("status").splitlines()
