"""The arrows between packages at run time: what really gets loaded, whatever the linter read."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys

import pytest

from tests.house.tree import PACKAGES, module_of, parsed, short, sources

WIRE = [module_of(path) for path in sources("wire")]
LIBRARIES = "import msgspec, blake3, re, typing, enum, dataclasses, unicodedata"
FORBIDDEN = {
    "asyncio",
    "concurrent",
    "http",
    "logging",
    "multiprocessing",
    "pathlib",
    "platformdirs",
    "queue",
    "random",
    "secrets",
    "select",
    "selectors",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uvloop",
    "tracker",
    "peer",
}
PROBE = """
import json, sys
{libraries}
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.kdf import argon2, hkdf
before = set(sys.modules)
import {module}
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def loaded_by(module: str) -> set[str]:
    """What importing one module loads beyond the libraries it stands on."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(libraries=LIBRARIES, module=module)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", WIRE)
def test_a_module_of_wire_loads_nothing_that_touches_the_world(module: str) -> None:
    loaded = loaded_by(module)
    assert not {name.partition(".")[0] for name in loaded} & FORBIDDEN
    assert module == "wire.entropy" or "wire.entropy" not in loaded


@pytest.mark.parametrize(("package", "other"), [("tracker", "peer"), ("peer", "tracker")])
def test_the_two_programs_load_nothing_of_each_other(package: str, other: str) -> None:
    modules = [module_of(path) for path in sources(package)]
    program = "\n".join(f"import {module}" for module in modules if not module.endswith("__main__"))
    code = f"import sys\n{program}\nprint(sorted(m for m in sys.modules if m.split('.')[0] == {other!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


DOOR = {
    "peer",
    "peer.api",
    "peer.door",
    "peer.errors",
    "peer.locations",
    "peer.markup",
    "peer.sizes",
    "peer.control",
    "wire.errors",
    "wire.sentences",
}


def test_a_face_knows_the_door_and_nothing_behind_it() -> None:
    for path in sources("peer"):
        if not short(path).startswith("peer/cli/"):
            continue
        for node in ast.walk(parsed(path)):
            names = []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                if names == ["peer"]:
                    names = [f"peer.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            ours = {name for name in names if name.partition(".")[0] in PACKAGES}
            strange = {name for name in ours - DOOR if not name.startswith("peer.cli")}
            assert not strange, f"{short(path)} imports {strange}"


HEAVY = {
    "asyncio",
    "cryptography",
    "msgspec",
    "blake3",
    "sqlite3",
    "dataclasses",
    "segno",
    "platformdirs",
    "logging",
}


@pytest.mark.parametrize("words", [["--help"], ["say", "--help"], ["sya"], ["--version"]])
def test_help_and_misuse_load_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\nfrom peer.cli.main import main\n"
        f"main({words!r})\nprint([m for m in sys.modules if m in {HEAVY - {'logging'}!r}], file=sys.stderr)"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env=bare,
    )
    assert done.stderr.splitlines()[-1] == "[]"
