"""The states of a link and the steps between them: tables only.

    initiator   GREETING ── message 2 ──> PROVING ── their Hello ──> OPEN
    responder   GREETING ── message 3 ──> PROVING ── their Hello ──> IDENTIFYING ── admit ──> OPEN

From everywhere a link can only get to CLOSED otherwise; a data link that its owner took over is TAKEN,
and the machine is out of it.
"""

from __future__ import annotations

import enum


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


TRANSITIONS: dict[LinkState, dict[Step, LinkState]] = {
    LinkState.GREETING: {Step.SHAKEN: LinkState.PROVING, Step.ENDED: LinkState.CLOSED},
    LinkState.PROVING: {
        Step.KNOWN: LinkState.IDENTIFYING,
        Step.OPENED: LinkState.OPEN,
        Step.ENDED: LinkState.CLOSED,
    },
    LinkState.IDENTIFYING: {Step.OPENED: LinkState.OPEN, Step.ENDED: LinkState.CLOSED},
    LinkState.OPEN: {Step.TAKEN: LinkState.TAKEN, Step.ENDED: LinkState.CLOSED},
    LinkState.TAKEN: {},
    LinkState.CLOSED: {},
}
"""Every legal step; what is absent is an error."""
