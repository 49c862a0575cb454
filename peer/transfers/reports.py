"""What becomes of a transfer that comes, as it tells whoever looks after the data links."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from wire.codes import Code


@dataclass(frozen=True, slots=True)
class Waits:
    """It waits for space, its folder or a friend who holds it; tried again later."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Fails:
    """It cannot go on by itself."""

    code: Code
    detail: str


@dataclass(frozen=True, slots=True)
class Stumbles:
    """A fault of ours: what it believes may not be what is on the disk, so it is opened anew."""


@dataclass(frozen=True, slots=True)
class Landed:
    """All of it stands in its place. skipped: {"path", "reason"} of files that the friend could not give."""

    path: Path
    skipped: list[dict[str, str]]


Report: TypeAlias = Waits | Fails | Stumbles | Landed
