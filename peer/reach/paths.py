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

NO_ADDRESS = "no address of the other machine answered"
NOT_AT_ONE_MOMENT = "dialling at one moment did not work"
THEY_DIALLED = (
    "none of the addresses of the other machine can be dialled from here, so it dialled this one"
)


def why_not_better(path: str, why_not_punched: str | None) -> str | None:
    """Say why a link takes no better path, None if this side could have dialled. why_not_punched: at the last try."""
    if path == REVERSE:
        return THEY_DIALLED
    if path == PUNCHED:
        return f"{NO_ADDRESS}, so both dialled at one moment"
    if path == RELAYED:
        tried = why_not_punched or NOT_AT_ONE_MOMENT
        return f"{NO_ADDRESS}, and {tried}; the tracker passes sealed bytes, and both go on trying"
    return None


WHY_HIDDEN = "relay-only is set here: this friend is never shown where this machine is"


def rank_of(path: str) -> int:
    """Give how good a path is to both sides: 0 where one dialled the other, the higher the worse."""
    return RANKS.get(path, 0)
