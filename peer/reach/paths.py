"""The paths that a link may take, and why it takes none that is better."""

from __future__ import annotations

LAN, DIRECT, MAPPED, REVERSE, PUNCHED, RELAYED = PATHS = (
    *("lan", "direct", "mapped", "reverse", "punched", "relayed"),
)
"""As `status` shows them, best first."""

NONE = "none"
"""In place of a path where there is no link."""

RANKS = {PUNCHED: 1, RELAYED: 2}
"""What two sides compare, 0 for any that was dialled: which of those it is one side may see otherwise."""

WHY_NOT_BETTER = {
    PUNCHED: "no address of the other machine answered, so both dialled at one moment",
    RELAYED: "no address of the other machine answered, and dialling at one moment did not work;"
    " the tracker passes sealed bytes, and both go on trying",
}


def rank_of(path: str) -> int:
    """Give how good a path is to both sides: 0 where one dialled the other, the higher the worse."""
    return RANKS.get(path, 0)
