"""The second client stands alone: what it imports, and that it has the document's numbers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT, module_of, parsed, short, sources
from tests.independent.message_numbers import NUMBERS

CLIENT = [path for path in sources("tests") if short(path).startswith("tests/independent/")]
CLIENT = [path for path in CLIENT if not path.name.startswith("test_")]
LIBRARIES = {"cryptography", "blake3"}
FOREIGN = {"wire", "tracker", "peer", "msgspec", "noise"}


@pytest.mark.parametrize("path", CLIENT, ids=short)
def test_it_imports_the_standard_library_two_others_and_itself(path: Path) -> None:
    for node in ast.walk(parsed(path)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert (
                top in sys.stdlib_module_names
                or top in LIBRARIES
                or name == "tests.independent"
                or name.startswith("tests.independent.")
            ), name


def test_nothing_of_ours_is_loaded_with_it() -> None:
    modules = [module_of(path) for path in CLIENT]
    lines = [f"import {module}" for module in modules]
    code = "\n".join(["import sys", *lines, "print(*{m.split('.')[0] for m in sys.modules})"])
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=ROOT,
    )
    assert "cryptography" in done.stdout.split()
    assert not set(done.stdout.split()) & FOREIGN


def test_its_numbers_are_those_of_the_document() -> None:
    text = (ROOT / "wire" / "PROTOCOL.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(0x[0-9A-F]{4})` \| `(\w+)` \|", text, re.MULTILINE)
    numbers = {name: int(number, 16) for number, name in listed}
    assert NUMBERS.items() <= numbers.items()
