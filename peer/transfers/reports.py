"""What becomes of a transfer that comes, as it tells whoever looks after the data links."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

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
class Fits:
    """All its files are of the types that are taken without asking; it goes on."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """One of its files is not of those types: nothing was asked for, and its person decides."""


@dataclass(frozen=True, slots=True)
class Landed:
    """All of it stands in its place. skipped: {"path", "reason"} of files that the friend could not give."""

    path: Path
    skipped: list[dict[str, str]]


Report: TypeAlias = Waits | Fails | Stumbles | Fits | Unfit | Landed

LIES: Final = (
    Code.VERIFICATION_FAILED,
    Code.MANIFEST_INVALID,
    Code.MANIFEST_CONFLICT,
    Code.NAME_UNSAFE,
    Code.NAME_TOO_LONG,
    Code.SIZE_INVALID,
    Code.TOO_MANY_FILES,
    Code.SIGNATURE_INVALID,
)
"""What another try with the same offer would only meet again."""
