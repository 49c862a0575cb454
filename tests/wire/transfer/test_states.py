from __future__ import annotations

import itertools

import pytest

from wire.errors import LocalProtocolError
from wire.transfer.states import ENDED, FOLLOWS, TransferState, advance


@pytest.mark.parametrize(("state", "following"), list(itertools.product(TransferState, repeat=2)))
def test_what_is_not_in_the_table_is_illegal(
    state: TransferState, following: TransferState
) -> None:
    if following in FOLLOWS[state]:
        assert advance(state, following) is following
    else:
        with pytest.raises(LocalProtocolError):
            advance(state, following)


def test_what_has_ended_stays_so() -> None:
    assert {state.value for state in ENDED} == {"done", "declined", "cancelled", "failed"}
    assert set(FOLLOWS) == set(TransferState)
