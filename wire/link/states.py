"""The states of a link and the steps between them: tables only.

    initiator   GREETING ── message 2 ──> PROVING ── their Hello ──> OPEN
    responder   GREETING ── message 3 ──> PROVING ── their Hello ──> IDENTIFYING ── admit ──> OPEN

From everywhere a link can only get to CLOSED otherwise; a data link that its owner took over is TAKEN,
and the machine is out of it. The application speaks in OPEN only: until the other side used the keys,
its last handshake message may be a replay.
"""

from __future__ import annotations

import enum

from wire.channel.handshake import Role


class LinkState(enum.Enum):
    """How far a link has come."""

    GREETING = "greeting"  # preamble and handshake under way; nobody is proven
    PROVING = "proving"  # keys stand; the other side's Hello has not come
    IDENTIFYING = "identifying"  # responder: their Hello verified; the caller admits or refuses
    OPEN = "open"
    TAKEN = "taken"  # the owner drives the records itself
    CLOSED = "closed"


class Step(enum.Enum):
    """What moves a link."""

    SHAKEN = "handshake finished"
    KNOWN = "their Hello verified, the caller decides"
    OPENED = "both Hellos are through"
    TAKEN = "the records were handed over"
    ENDED = "closed, refused, failed or lost"


_AFTER_OPENING: dict[LinkState, dict[Step, LinkState]] = {
    LinkState.OPEN: {Step.TAKEN: LinkState.TAKEN, Step.ENDED: LinkState.CLOSED},
    LinkState.TAKEN: {},
    LinkState.CLOSED: {},
}

TRANSITIONS: dict[Role, dict[LinkState, dict[Step, LinkState]]] = {
    Role.INITIATOR: {
        LinkState.GREETING: {Step.SHAKEN: LinkState.PROVING, Step.ENDED: LinkState.CLOSED},
        LinkState.PROVING: {Step.OPENED: LinkState.OPEN, Step.ENDED: LinkState.CLOSED},
        LinkState.IDENTIFYING: {},
        **_AFTER_OPENING,
    },
    Role.RESPONDER: {
        LinkState.GREETING: {Step.SHAKEN: LinkState.PROVING, Step.ENDED: LinkState.CLOSED},
        LinkState.PROVING: {Step.KNOWN: LinkState.IDENTIFYING, Step.ENDED: LinkState.CLOSED},
        LinkState.IDENTIFYING: {Step.OPENED: LinkState.OPEN, Step.ENDED: LinkState.CLOSED},
        **_AFTER_OPENING,
    },
}
"""Every legal step of each role; what is absent is an error."""
