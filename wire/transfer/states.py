"""The states of one transfer (an offer and a friend) and which may follow which: tables only.

    waiting     for the friend, a slot, a source or space; its reason names which
    running     bytes are being asked for
    paused      by a person, until resumed
    done        everything verified and in its place; ended
    declined    the recipient said no; ended
    cancelled   either side called it off, or the offer was withdrawn; ended
    failed      cannot go on by itself; ended, its code says why

What is not in `FOLLOWS` is illegal; a test enumerates all pairs.
"""

from __future__ import annotations

import enum

from wire.errors import LocalProtocolError


class TransferState(enum.Enum):
    """Where a transfer stands; the value is the word people and scripts see."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    FAILED = "failed"


FOLLOWS: dict[TransferState, frozenset[TransferState]] = {
    TransferState.WAITING: frozenset(
        {
            TransferState.RUNNING,
            TransferState.PAUSED,
            TransferState.DONE,  # the sender learns it from the log, perhaps after a restart
            TransferState.DECLINED,
            TransferState.CANCELLED,
            TransferState.FAILED,
        }
    ),
    TransferState.RUNNING: frozenset(
        {
            TransferState.WAITING,
            TransferState.PAUSED,
            TransferState.DONE,
            TransferState.DECLINED,  # answered from another device meanwhile
            TransferState.CANCELLED,
            TransferState.FAILED,
        }
    ),
    TransferState.PAUSED: frozenset(
        {
            TransferState.WAITING,
            TransferState.DONE,
            TransferState.DECLINED,
            TransferState.CANCELLED,
            TransferState.FAILED,
        }
    ),
    TransferState.DONE: frozenset(),
    TransferState.DECLINED: frozenset(),
    TransferState.CANCELLED: frozenset(),
    TransferState.FAILED: frozenset(),
}
"""state -> the states that may come next; staying in a state is not a transition."""

ENDED = frozenset(state for state, following in FOLLOWS.items() if not following)
"""The states that nothing follows."""


def advance(state: TransferState, following: TransferState) -> TransferState:
    """Give `following` if it may come after `state`; raises LocalProtocolError otherwise."""
    if following not in FOLLOWS[state]:
        raise LocalProtocolError(f"a transfer that is {state.value} cannot be {following.value}")
    return following
