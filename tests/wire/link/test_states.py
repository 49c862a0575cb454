"""The table is the order: every step that a link can take stands in it, and no other."""

from __future__ import annotations

import pytest

from wire.channel.handshake import Role
from wire.link.states import TRANSITIONS, LinkState, Step

ENDS = {LinkState.TAKEN, LinkState.CLOSED}


@pytest.mark.parametrize("role", Role)
def test_every_state_has_a_row(role: Role) -> None:
    assert set(TRANSITIONS[role]) == set(LinkState)


def test_the_table_is_this_one() -> None:
    flat = {
        (role, state, step, after)
        for role, rows in TRANSITIONS.items()
        for state, steps in rows.items()
        for step, after in steps.items()
    }
    both = {
        (LinkState.GREETING, Step.SHAKEN, LinkState.PROVING),
        (LinkState.GREETING, Step.ENDED, LinkState.CLOSED),
        (LinkState.PROVING, Step.ENDED, LinkState.CLOSED),
        (LinkState.OPEN, Step.TAKEN, LinkState.TAKEN),
        (LinkState.OPEN, Step.ENDED, LinkState.CLOSED),
    }
    initiator = {(LinkState.PROVING, Step.OPENED, LinkState.OPEN)}
    responder = {
        (LinkState.PROVING, Step.KNOWN, LinkState.IDENTIFYING),
        (LinkState.IDENTIFYING, Step.OPENED, LinkState.OPEN),
        (LinkState.IDENTIFYING, Step.ENDED, LinkState.CLOSED),
    }
    assert flat == {(Role.INITIATOR, *row) for row in both | initiator} | {
        (Role.RESPONDER, *row) for row in both | responder
    }


@pytest.mark.parametrize("role", Role)
def test_every_state_but_the_last_ones_can_end_and_none_comes_back(role: Role) -> None:
    rows = TRANSITIONS[role]
    for state, steps in rows.items():
        seen: set[LinkState] = set()
        edge = set(steps.values())
        while edge:
            seen |= edge
            edge = {after for at in edge for after in rows[at].values()} - seen
        assert state not in seen
    reachable = {LinkState.GREETING} | {
        after for steps in rows.values() for after in steps.values()
    }
    for state in reachable - ENDS:
        assert rows[state][Step.ENDED] is LinkState.CLOSED
