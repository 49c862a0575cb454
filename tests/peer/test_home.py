"""A home on disk: its mode, its lock, its keys through crashes and damage, its settings."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from peer.config import Config, LastRun, read_config, read_last_run, write_last_run
from peer.errors import PeerError
from peer.identity import Profile, has_key_file, read_key_file, seal_of, write_key_file
from peer.locations import Locations
from peer.lock import Lock
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.identity import first_device
from wire.ids import AccountName
from wire.machine import UnixMillis
from wire.vault import KdfParameters

ENTROPY = SystemEntropy()
NO_PASSWORD = lambda: None  # noqa: E731 - a source of passwords that has none


@pytest.fixture
def locations(tmp_path: Path) -> Locations:
    found = Locations(tmp_path / "home")
    found.prepare()
    return found


def profile(name: str = "alice") -> Profile:
    keys = first_device(ENTROPY.bytes(32), "laptop", now=UnixMillis(1), entropy=ENTROPY)
    return Profile(
        AccountName(name), None, keys, ENTROPY.bytes(32), b"vault", 1, KdfParameters(bytes(16))
    )


def code_of_failure(locations: Locations) -> Code:
    with pytest.raises(PeerError) as caught:
        read_key_file(locations, NO_PASSWORD)
    return caught.value.code


def test_a_home_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = tmp_path / "fresh"
        Locations(home).prepare()
        assert home.stat().st_mode & 0o777 == 0o700
        home.chmod(0o755)
        Locations(home).prepare()
        assert home.stat().st_mode & 0o777 == 0o700
        write_key_file(Locations(home), profile(), None, ENTROPY)
        assert (home / "keys").stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_home_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("no folder")
    with pytest.raises(PeerError) as caught:
        Locations(tmp_path / "home").prepare()
    assert caught.value.code is Code.HOME_UNUSABLE
    assert str(tmp_path / "home") in str(caught.value)


def test_a_second_lock_names_the_pid_of_the_first(locations: Locations) -> None:
    first, second = Lock(locations.lock), Lock(locations.lock)
    first.acquire()
    pauses: list[float] = []
    with pytest.raises(PeerError) as caught:
        second.acquire(0.001, pause=pauses.append)
    assert caught.value.code is Code.ALREADY_RUNNING
    assert f"pid {os.getpid()}" in str(caught.value)
    first.release()
    first.release()
    second.acquire()
    second.release()


def test_the_lock_of_a_killed_process_is_free(locations: Locations) -> None:
    program = (
        "import sys; from pathlib import Path; from peer.lock import Lock;"
        "lock = Lock(Path(sys.argv[1])); lock.acquire(); print('held', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(locations.lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"held\n"
    assert not Lock(locations.lock).try_acquire()
    process.kill()
    process.wait()
    process.stdout.close()
    process.stdin.close()
    lock = Lock(locations.lock)
    assert lock.try_acquire()
    lock.release()


def test_keys_come_back_as_they_were_written(locations: Locations) -> None:
    assert not has_key_file(locations)
    mine = profile()
    write_key_file(locations, mine, None, ENTROPY)
    assert seal_of(locations) == "none"
    assert read_key_file(locations, NO_PASSWORD) == mine
    assert str(mine.state_key) not in repr(mine)


def test_sealed_keys_open_with_their_password_only(locations: Locations) -> None:
    mine = profile()
    write_key_file(locations, mine, "seven purple owls", ENTROPY)
    assert seal_of(locations) == "password"
    assert mine.keys.signing_seed not in locations.key_file.read_bytes()
    assert read_key_file(locations, lambda: "seven purple owls") == mine
    assert code_of_failure(locations) is Code.LOCKED
    with pytest.raises(PeerError) as caught:
        read_key_file(locations, lambda: "seven purple cats")
    assert caught.value.code is Code.WRONG_PASSWORD


@pytest.mark.parametrize("damage", [b"", b"\x90", b"nonsense", b"\x98\x01"])
def test_damaged_keys_are_named_and_never_made_anew(locations: Locations, damage: bytes) -> None:
    locations.key_file.write_bytes(damage)
    locations.key_file.chmod(0o600)
    assert has_key_file(locations)
    assert code_of_failure(locations) is Code.KEY_FILE_INVALID
    assert locations.key_file.read_bytes() == damage


def test_every_cut_of_a_key_file_is_named(locations: Locations) -> None:
    write_key_file(locations, profile(), None, ENTROPY)
    whole = locations.key_file.read_bytes()
    for length in range(0, len(whole), 7):
        locations.key_file.write_bytes(whole[:length])
        assert code_of_failure(locations) is Code.KEY_FILE_INVALID


def test_keys_of_a_newer_version_are_named(locations: Locations) -> None:
    write_key_file(locations, profile(), None, ENTROPY)
    raw = bytearray(locations.key_file.read_bytes())
    raw[1] = 9  # the first field of the outer array
    locations.key_file.write_bytes(raw)
    with pytest.raises(PeerError) as caught:
        read_key_file(locations, NO_PASSWORD)
    assert caught.value.code is Code.KEY_FILE_INVALID
    assert "update" in caught.value.remedy


def test_keys_that_others_can_read_are_refused_with_the_command_that_mends_it(
    locations: Locations,
) -> None:
    write_key_file(locations, profile(), None, ENTROPY)
    locations.key_file.chmod(0o644)
    with pytest.raises(PeerError) as caught:
        read_key_file(locations, NO_PASSWORD)
    assert caught.value.code is Code.KEY_FILE_MODE
    assert "chmod 600" in caught.value.remedy


def test_no_keys_at_all_is_not_registered(locations: Locations) -> None:
    assert code_of_failure(locations) is Code.NOT_REGISTERED


def test_the_former_generation_stands_in_for_a_damaged_one(locations: Locations) -> None:
    first, second = profile("alice"), profile("alice")
    write_key_file(locations, first, None, ENTROPY)
    write_key_file(locations, second, None, ENTROPY)
    assert read_key_file(locations, NO_PASSWORD) == second
    locations.key_file.write_bytes(b"")
    assert read_key_file(locations, NO_PASSWORD) == first


@pytest.mark.parametrize("password", [None, "seven purple owls"])
def test_one_flipped_bit_anywhere_is_damage_and_no_wrong_password(
    locations: Locations, password: str | None
) -> None:
    first, second = profile(), profile()
    write_key_file(locations, first, password, ENTROPY)
    write_key_file(locations, second, password, ENTROPY)
    whole = locations.key_file.read_bytes()
    middle = len(whole) // 2
    locations.key_file.write_bytes(
        whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    )
    assert read_key_file(locations, lambda: password) == first
    locations.key_file_before.unlink()
    with pytest.raises(PeerError) as caught:
        read_key_file(locations, lambda: password)
    assert caught.value.code is Code.KEY_FILE_INVALID


def test_damaged_keys_never_take_the_place_of_good_former_ones(
    locations: Locations,
) -> None:
    first = profile()
    write_key_file(locations, first, None, ENTROPY)
    write_key_file(locations, profile(), None, ENTROPY)
    former = locations.key_file_before.read_bytes()
    locations.key_file.write_bytes(b"")
    write_key_file(locations, profile(), None, ENTROPY)
    assert locations.key_file_before.read_bytes() == former


@pytest.mark.parametrize("calls_before_the_crash", range(6))
def test_a_crash_at_any_call_leaves_the_former_keys_or_the_new(
    locations: Locations, monkeypatch: pytest.MonkeyPatch, calls_before_the_crash: int
) -> None:
    first, second = profile("alice"), profile("alice")
    write_key_file(locations, first, None, ENTROPY)
    left = [calls_before_the_crash]

    class Crash(BaseException):
        pass

    def crashing(real: object) -> object:
        def call(*args: object, **kwargs: object) -> object:
            if left[0] == 0:
                raise Crash
            left[0] -= 1
            assert callable(real)
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for name in ("open", "fsync", "replace"):
            patch.setattr(os, name, crashing(getattr(os, name)))
        with contextlib.suppress(Crash):
            write_key_file(locations, second, None, ENTROPY)
    assert read_key_file(locations, NO_PASSWORD) in (first, second)


def test_settings_are_read(locations: Locations) -> None:
    assert read_config(locations) == Config()
    locations.config.write_text('\ufeff[downloads]\r\nfolder = "/srv/in"\r\n', encoding="utf-8")
    assert read_config(locations) == Config(Path("/srv/in"))


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        (b'[downloads]\nfolde = "/x"\n', 2, "did you mean downloads.folder"),
        (b"[downloads]\nfolder = 3\n", 2, "is a str"),
        (b'[downloads]\nfolder = "relative"\n', 2, "absolute"),
        (b'[downloads]\nfolder = ""\n', 2, "absolute"),
        (b"[downloads]\n\nfolder = \n", 3, "line 3"),
        (b'[downloads]\nfolder = "/x"\n[downloads]\n', 3, "line 3"),
        (b"a = 1\n\xff\n", 2, "UTF-8"),
        (b"#" * 70_000, 0, "larger than"),
        (b"\0\0\0", 1, ""),
    ],
)
def test_a_wrong_setting_is_named_by_file_and_line(
    locations: Locations, text: bytes, line: int, word: str
) -> None:
    locations.config.write_bytes(text)
    with pytest.raises(PeerError) as caught:
        read_config(locations)
    assert caught.value.code is Code.CONFIG_INVALID
    assert f"{locations.config}:{line or ''}" in caught.value.message
    assert word in caught.value.message


def test_the_last_run_is_remembered_and_damage_is_as_good_as_none(locations: Locations) -> None:
    assert read_last_run(locations) == LastRun()
    write_last_run(locations, LastRun(4711, was_over_loopback=True))
    assert read_last_run(locations) == LastRun(4711, was_over_loopback=True)
    for damage in (
        "",
        "[",
        "[1]",
        '{"port": "1", "over_loopback": true}',
        '{"port": 70000, "over_loopback": true}',
    ):
        locations.last_run.write_text(damage)
        assert read_last_run(locations) == LastRun()
