"""What people do with messages, driven by hand: edits, deletes, reactions and pins, and who looks at what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peer import api
from peer.talk import acts
from tests.harness.simnet import SimPeer
from tests.harness.talk import messages
from wire.log.event import Chain, Content, Event, write_event
from wire.messages.conversation import SealedEvent


def pen_of(one: SimPeer) -> acts.Pen:
    """Give what a peer writes with."""
    return acts.Pen(one.keys, one.world.wall(), one.entropy)


def act(one: SimPeer, do: Callable[..., Any], event: str, *args: object, **how: object) -> str:
    """Do something with a message durably; gives the id of the event that says so."""
    changed, _ = one.database.write(do, pen_of(one), event, *args, **how)
    one.database.commit()
    return str(changed.event)


def line(one: SimPeer, friend: str, event: str, **how: object) -> api.Message:
    """Give a message as it stands now."""
    [found] = [one for one in messages(one, friend, **how) if one.id == event]
    return found


def look(one: SimPeer, friend: str, event: str) -> tuple[object, ...]:
    """Give what has to be the same on all devices of a message."""
    found = line(one, friend, event, with_versions=True)
    reactions = [(given["mark"], given["from"]) for given in found.reactions]
    versions = [said["text"] for said in found.versions or []]
    return found.text, found.edited, found.gone, found.pinned, reactions, versions


def written(one: SimPeer, chain: Chain, content: Content, clock: int) -> Event:
    """Write the next event of a chain as a peer's device that its program would not have written."""
    return write_event(
        chain,
        content,
        signing_seed=one.keys.signing_seed,
        parents=(),
        known_clock=clock - 1,
        list_counter=1,
        now=one.world.wall(),
        entropy=one.entropy,
    )


def write_by_hand(one: SimPeer, chain: Chain, content: Content, clock: int) -> SealedEvent:
    """Do what `written` does; gives the event as it travels."""
    return written(one, chain, content, clock).sealed
