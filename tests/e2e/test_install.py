"""Where and how it may be installed: a wheel in clean environments, a checkout that cannot be written, no ensurepip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.e2e.conftest import MakePeer
from tests.harness.mounts import needs_mounts
from tests.house.tree import ROOT

PIP = ("-m", "pip", "--disable-pip-version-check", "--no-input", "-q")
STORY = "both_ways or who_is_away"
SCRIPTS_NEED = (
    *("bash", "cat", "cksum", "dirname", "env", "id", "mkdir", "rm", "sh", "printf", "mktemp"),
    *("nsenter", "unshare", "mount"),
)


def run(*words: str | Path, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTHON", "HOBNOB"))
    }
    return subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )


def other_pythons() -> list[str]:
    """Give an interpreter of each other version that may run this, as far as there is one."""
    places = [shutil.which(f"python3.{minor}") for minor in range(11, 20)]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    places += [str(path) for path in sorted(pyenv.glob("3.*/bin/python3"))]
    found: dict[str, str] = {}
    for place in filter(None, places):
        asked = run(place, "-c", "import ensurepip, sys; print(*sys.version_info[:2])", folder=ROOT)
        version = tuple(map(int, asked.stdout.split())) if asked.returncode == 0 else (0, 0)
        if version >= (3, 11) and version != sys.version_info[:2]:
            found.setdefault(asked.stdout, place)
    return [*found.values()]


@pytest.fixture(scope="module")
def wheel(module_folder: MakeFolder) -> Path:
    """What a person gets by `pip install`, built once."""
    folder = module_folder("wheel")
    ran(sys.executable, *PIP, "wheel", "--no-deps", "-w", folder, ROOT, folder=folder)
    [wheel] = folder.glob("hobnob-*.whl")
    return wheel


def ran(*words: str | Path, folder: Path, **environment: str) -> str:
    """Run a program that has to work; gives what it printed."""
    done = run(*words, folder=folder, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(900)
def test_the_wheel_runs_in_a_clean_environment_outside_the_checkout(
    wheel: Path, tmp_path: Path
) -> None:
    runs_alone(wheel, sys.executable, tmp_path)


@pytest.mark.timeout(900)
def test_the_wheel_runs_on_every_other_python_of_this_machine(wheel: Path, tmp_path: Path) -> None:
    for number, python in enumerate(other_pythons()):
        folder = tmp_path / str(number)
        folder.mkdir()
        runs_alone(wheel, python, folder)


def runs_alone(wheel: Path, python: str, tmp_path: Path) -> None:
    """Install the wheel into an environment of one Python, and tell a story with it from outside the checkout."""
    ran(python, "-m", "venv", tmp_path / "clean", folder=tmp_path)
    clean = tmp_path / "clean" / "bin"
    need = ("install", "--no-compile", "-c", ROOT / "constraints.txt", wheel)
    ran(clean / "python", *PIP, *need, folder=tmp_path)
    assert ran(clean / "hobnob", "--version", folder=tmp_path).startswith("hobnob ")
    assert "serve" in ran(clean / "hobnob-tracker", "--help", folder=tmp_path)
    where = ran(clean / "python", "-c", "import peer; print(peer.__file__)", folder=tmp_path)
    assert where.startswith(str(tmp_path))
    told = ran(
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        *("tests/e2e/test_messages.py", "-k", STORY, "--basetemp", tmp_path / "story"),
        folder=ROOT,
        HOBNOB_PYTHON=str(clean / "python"),
    )
    assert "2 passed" in told


@needs_mounts
def test_a_checkout_that_cannot_be_written_runs_and_stays_as_it_is(make_peer: MakePeer) -> None:
    alice = make_peer("alice")
    script = f'mount --bind "{ROOT}" "{ROOT}" && mount -o remount,bind,ro "{ROOT}" && cd "{ROOT}"'
    script += ' && ! touch .probe 2>/dev/null && exec "$@"'
    alone = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh")
    alice.under = alone
    alice.environment = {  # whoever measures coverage writes beside the code
        name: value for name, value in alice.environment.items() if "COV" not in name
    }
    alice.one("register", "alice", "--unsealed")
    assert alice.one("whoami")["account"] == "alice"
    assert alice.up().stop() == 0
    done = run(*alone, sys.executable, "-m", "tracker", "--help", folder=ROOT)
    assert (done.returncode, "serve" in done.stdout) == (0, True)


def without(tmp_path: Path, *missing: str) -> Path:
    """Give a folder of the programs that the scripts need, and a Python that has no ensurepip."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in SCRIPTS_NEED:
        found = shutil.which(name)
        if found is not None and name not in missing:
            (folder / name).symlink_to(found)
    python = folder / "python3"
    python.write_text(
        '#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;;'
        f' *sys.executable*) echo "$0"; exit;; esac\nexec {sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    return folder


def scripts_alone(tmp_path: Path) -> Path:
    """Give a copy of what `scripts/setup` reads: its own `.venv` is nobody else's."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, checkout)
    return checkout


def test_without_ensurepip_and_apt_one_line_says_what_to_run(tmp_path: Path) -> None:
    path = without(tmp_path)
    checkout = scripts_alone(tmp_path)
    done = run(path / "bash", "scripts/demo", folder=checkout, PATH=str(path))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "error: this machine lacks something;"
        " run: sudo apt-get update && sudo apt-get install -y python3-venv"
    )
    assert not (checkout / ".venv").exists()


def test_without_ensurepip_apt_is_asked_for_it(tmp_path: Path) -> None:
    path = without(tmp_path)
    checkout = scripts_alone(tmp_path)
    asked = tmp_path / "asked"
    for name, body in (
        ("apt-get", f'echo "$*" >>{asked}; exit 1'),
        ("sudo", '[ "$1" = -n ] && shift; exec "$@"'),
    ):
        (path / name).write_text(f"#!/bin/sh\n{body}\n")
        (path / name).chmod(0o755)
    (path / "true").symlink_to(shutil.which("true") or "/bin/true")
    done = run(path / "bash", "scripts/demo", folder=checkout, PATH=str(path))
    assert done.returncode == 1
    assert asked.read_text().splitlines() == ["update -q"]
    assert "sudo apt-get install -y python3-venv" in done.stderr.splitlines()[-1]


@needs_mounts
def test_a_checkout_that_cannot_be_written_says_so_in_one_line_when_it_is_set_up(
    tmp_path: Path,
) -> None:
    checkout = scripts_alone(tmp_path)
    script = (
        f'mount --bind "{checkout}" "{checkout}" && mount -o remount,bind,ro "{checkout}"'
        f' && cd "{checkout}" && exec scripts/demo'
    )
    words = ["unshare", "--mount", "--propagation", "private", "bash", "-c", script]
    done = run(*words, folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "cannot be written" in done.stderr.splitlines()[-1]
