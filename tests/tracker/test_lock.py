from __future__ import annotations

import os
from pathlib import Path

import pytest

from tracker.errors import TrackerError
from tracker.lock import Lock
from wire.codes import Code


@pytest.fixture(params=[True, False], ids=["flock", "sqlite"])
def has_fcntl(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def test_a_second_holder_is_refused_and_told_the_pid(tmp_path: Path, has_fcntl: bool) -> None:
    first = Lock(tmp_path / "lock", has_fcntl=has_fcntl)
    with pytest.raises(TrackerError) as caught:
        Lock(tmp_path / "lock", has_fcntl=has_fcntl)
    assert caught.value.code is Code.ALREADY_RUNNING
    assert f"(pid {os.getpid()})" in caught.value.message
    first.release()
    first.release()
    Lock(tmp_path / "lock", has_fcntl=has_fcntl).release()


def test_without_a_pid_file_the_refusal_says_less(tmp_path: Path, has_fcntl: bool) -> None:
    first = Lock(tmp_path / "lock", has_fcntl=has_fcntl)
    (tmp_path / "lock.pid").write_text("rubbish")
    with pytest.raises(TrackerError) as caught:
        Lock(tmp_path / "lock", has_fcntl=has_fcntl)
    assert "pid" not in caught.value.message
    first.release()


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(TrackerError) as caught:
        Lock(tmp_path / "lock")
    assert caught.value.code is Code.HOME_UNUSABLE
