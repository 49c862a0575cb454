"""The harness's kills are at the very call that is named: else the kill loops walk over nothing."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from tests.harness.faults import (
    KILLED,
    Moment,
    killed_at,
    moments_in,
    needs_strace,
    spanned,
    upwards,
    watched,
)

pytestmark = needs_strace

WRITES = 4
PROGRAM = f"""
import os, sys
file = os.open(sys.argv[1], os.O_CREAT | os.O_RDWR, 0o600)
for place in range({WRITES}):
    os.pwrite(file, b"x", place)
"""


def run(under: tuple[str, ...], path: Path) -> int:
    """Run the program; gives its exit code."""
    words = [*under, sys.executable, "-S", "-c", PROGRAM, str(path)]
    return subprocess.run(words, check=False, timeout=120).returncode


@pytest.mark.parametrize("n", range(1, WRITES + 1))
def test_a_program_is_killed_before_its_nth_write(n: int, tmp_path: Path) -> None:
    path = tmp_path / "out"
    assert run(killed_at(Moment("pwrite64", n), [path]), path) == KILLED
    assert path.stat().st_size == n - 1


def test_every_moment_of_an_untouched_run_is_named(tmp_path: Path) -> None:
    path, log = tmp_path / "out", tmp_path / "log"
    assert run(watched(log, ["pwrite64"], [path]), path) == 0
    assert moments_in(log) == [Moment("pwrite64", n) for n in range(1, WRITES + 1)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("fsync", [1, 2, 3]),
        ("fsync:2", [2, 3, 4]),
        ("fsync:2-3", [2, 3]),
    ],
)
def test_a_long_walk_is_done_in_parts(words: str, found: list[int]) -> None:
    moments = list(itertools.islice(upwards(*spanned(words)), 3))
    assert moments == [Moment("fsync", n) for n in found]
