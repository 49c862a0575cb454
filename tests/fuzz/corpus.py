"""Inputs as text files: the corpus that the tests replay, and findings.

One input a line in base64; lines that begin with `#` are words for people. A finding's file names its target
on a line `# target NAME`; a file of the corpus is called after its target.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from pathlib import Path

CORPUS = Path(__file__).parents[1] / "corpus"
KEPT = 40
"""Inputs of one target in the corpus at most, the shortest that reach something of their own."""

LONGEST = 1000
"""Bytes of one input there at most."""


def read(file: Path) -> list[bytes]:
    """Give the inputs of a file; none if it is not there."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="ascii").splitlines()
    return [base64.b64decode(line) for line in lines if not line.startswith("#")]


def target_of(file: Path) -> str:
    """Give the name of the target that a file of inputs belongs to."""
    for line in file.read_text(encoding="ascii").splitlines():
        if line.startswith("# target "):
            return line.split()[2]
    return file.stem


def write(file: Path, inputs: Iterable[bytes], *words: str) -> None:
    """Write inputs, after words for people."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"# {line}" for line in words]
    lines += [base64.b64encode(data).decode() for data in inputs]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="ascii", errors="replace")


def of(name: str) -> list[bytes]:
    """Give the inputs that are kept for a target."""
    return read(CORPUS / f"{name}.txt")


def mark(data: bytes) -> str:
    """Give a short name of an input."""
    return hashlib.sha256(data).hexdigest()[:12]
