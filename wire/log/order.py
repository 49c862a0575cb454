"""Display order: the same on all devices, whatever the order in which events came."""

from __future__ import annotations

from collections.abc import Iterable

from wire.ids import EventId
from wire.log.event import Header


def display_key(header: Header) -> tuple[int, bytes]:
    """Give what events are sorted by: (clock, author device). Wall time is a label and not in it."""
    return (header.clock, header.device)


def waits_for(header: Header, shown: Iterable[bytes]) -> tuple[EventId, ...]:
    """Give the ids that must be shown before an event may be, without those that are.

    An author has seen the parents and the own former event; showing a reply before what it replies to
    would tell the story wrongly (promise D5).
    """
    here = set(shown)
    wanted = [*header.parents] if not header.prev else [header.prev, *header.parents]
    return tuple(EventId(event) for event in dict.fromkeys(wanted) if event not in here)
