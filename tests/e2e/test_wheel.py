"""The wheel in a clean environment, run from outside the checkout: what a person gets by `pip install`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "-q")
STORY = "both_ways or who_is_away"


def run(*words: str | Path, folder: Path, **environment: str) -> str:
    """Run a program in `folder`; gives what it printed."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("COV", "PYTHON"))
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(400)
def test_the_wheel_runs_outside_the_checkout(tmp_path: Path) -> None:
    run(sys.executable, "-m", "venv", tmp_path / "clean", folder=tmp_path)
    clean = tmp_path / "clean" / "bin"
    run(clean / "python", *PIP, "wheel", "--no-deps", "-w", tmp_path, ROOT, folder=tmp_path)
    [wheel] = tmp_path.glob("hobnob-*.whl")
    run(clean / "python", *PIP, "install", "-c", ROOT / "constraints.txt", wheel, folder=tmp_path)
    assert run(clean / "hobnob", "--version", folder=tmp_path).startswith("hobnob ")
    assert "serve" in run(clean / "hobnob-tracker", "--help", folder=tmp_path)
    where = run(clean / "python", "-c", "import peer; print(peer.__file__)", folder=tmp_path)
    assert where.startswith(str(tmp_path))
    told = run(
        *(
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "tests/e2e/test_messages.py",
            "-k",
            STORY,
        ),
        folder=ROOT,
        HOBNOB_PYTHON=str(clean / "python"),
    )
    assert "2 passed" in told
