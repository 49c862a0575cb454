"""Forked chains: from the fork on, places have several events, and each is known by its id alone.

An event names its former one in `prev`, so a tip, the last event of a branch, stands for its whole branch:
two sides that have the same tips have the same events. A vector names every tip of a forked chain, each in
an entry of its own; the one tip of an ordinary chain is the special case.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wire.ids import EventId


class Twig(NamedTuple):
    """One event of a chain, as far as branches need it. is_rival: it came after another in its place."""

    id: EventId
    seq: int
    prev: bytes
    is_rival: bool = False


def whole(twigs: Iterable[Twig], forked_at: int, root: bytes | None) -> list[Twig]:
    """Give the events whose line back to the fork is here without a hole, lower places first.

    twigs: of places from `forked_at` on. root: id of the event in the place before the fork, empty if there is
    none, None if it is not here: then what stands in the first place is believed.
    """
    known = {root}
    found: list[Twig] = []
    for twig in sorted(twigs, key=lambda twig: twig.seq):
        if twig.prev in known or (root is None and twig.seq == forked_at):
            known.add(twig.id)
            found.append(twig)
    return found


def tips(twigs: Iterable[Twig]) -> list[Twig]:
    """Give the events that no other of them continues, highest places first."""
    listed = list(twigs)
    continued = {twig.prev for twig in listed}
    ends = [twig for twig in listed if twig.id not in continued]
    return sorted(ends, key=lambda twig: (-twig.seq, twig.id))


def below(twigs: Iterable[Twig], ids: Iterable[bytes]) -> set[bytes]:
    """Give those of `ids` that are among the twigs, and all events before them in their branches."""
    before = {twig.id: twig.prev for twig in twigs}
    found: set[bytes] = set()
    for one in ids:
        step = one
        while step in before and step not in found:
            found.add(step)
            step = before[EventId(step)]
    return found
