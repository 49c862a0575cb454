"""The paths that a link may take, and why it takes none that is better."""

from __future__ import annotations

DIRECT, PUNCHED, RELAYED = PATHS = ("direct", "punched", "relayed")
"""As `status` shows them, best first."""

WHY_NOT_BETTER = {
    PUNCHED: "no address of the other machine answered, so both dialled at one moment",
    RELAYED: "no address of the other machine answered, and dialling at one moment did not work;"
    " the tracker passes sealed bytes, and both go on trying",
}
