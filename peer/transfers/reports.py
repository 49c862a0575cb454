"""What becomes of a transfer that comes, as it tells whoever looks after the data links."""

from __future__ import annotations

from pathlib import Path
from typing import Final, TypeAlias

from msgspec import Struct

from peer.errors import PeerError
from peer.transfers import ledger
from wire.codes import Code, code_of
from wire.messages.transfer import FetchRefused


class Waits(Struct, frozen=True):
    """It waits for space, its folder or a friend who holds it; tried again later."""

    reason: str
    detail: str


class Fails(Struct, frozen=True):
    """It cannot go on by itself."""

    code: Code
    detail: str


class Stumbles(Struct, frozen=True):
    """A fault of ours: what it believes may not be what is on the disk, so it is opened anew."""


class Fits(Struct, frozen=True):
    """All its files are of the types that are taken without asking; it goes on."""


class Unfit(Struct, frozen=True):
    """One of its files is not of those types: nothing was asked for, and its person decides."""


class Landed(Struct, frozen=True):
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


def fault_report(error: PeerError) -> Report:
    """Say what a fault of the disk makes of a transfer: another try may find it mended."""
    reason = ledger.WAITS_HERE.get(error.code)
    return Fails(error.code, error.detail) if reason is None else Waits(reason, error.detail)


def held_by(report: Report) -> str:
    """Give the code of what holds a transfer here, as the other side is told; empty where nothing does."""
    code = ledger.HELD_HERE.get(report.reason) if isinstance(report, Waits) else None
    return "" if code is None else code.value


def refusal_report(refused: FetchRefused) -> Report:
    """Say what becomes of a transfer that the other side does not serve, now or at all."""
    if code_of(refused.code) is Code.PAUSED:
        return Waits(ledger.PAUSED, refused.text)
    return Fails(Code.UNKNOWN_OFFER, refused.text)
