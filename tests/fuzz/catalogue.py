"""All targets by name."""

from __future__ import annotations

from functools import cache

from tests.fuzz import (
    around,
    imported,
    kept,
    knocked,
    lent,
    linked,
    logged,
    moved,
    offered,
    routed,
    served,
    signed,
    stored,
    swarmed,
    wired,
    written,
)
from tests.fuzz.target import Target


@cache
def targets() -> dict[str, Target]:
    """Give every target by its name."""
    modules = (
        *(wired, linked, signed, logged, offered, moved, swarmed, lent, routed),
        *(stored, kept, imported, written, served, knocked, around),
    )
    listed = [target for module in modules for target in module.targets()]
    named = {target.name: target for target in listed}
    assert len(named) == len(listed), "two targets of one name"
    return named
