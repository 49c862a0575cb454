from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.world import NOW, World
from tracker import state
from tracker.effects import Tell
from tracker.errors import TrackerError
from tracker.state import STATE_PAGES, Staging, StagingSpace
from wire import limits
from wire.codes import Code
from wire.ids import RequestId
from wire.messages.accounts import AskState, PutState, State, StateChanged, StatePut


def page(number: int, pages: int, content: bytes = b"x", base: int = 0) -> PutState:
    return PutState(RequestId(1), base, number, pages, content)


def refused(staging: Staging, message: PutState) -> Code:
    with pytest.raises(TrackerError) as caught:
        staging.take(message)
    assert staging.space.used_bytes == 0
    return caught.value.code


@pytest.fixture
def staging() -> Staging:
    return Staging(StagingSpace())


def test_pages_are_applied_at_the_last(staging: Staging) -> None:
    assert staging.take(page(0, 3, b"a")) is None
    assert staging.take(page(1, 3, b"b")) is None
    assert staging.space.used_bytes == 2
    assert staging.take(page(2, 3, b"c")) == b"abc"
    assert staging.space.used_bytes == 0


def test_a_first_page_begins_anew(staging: Staging) -> None:
    staging.take(page(0, 3, b"old"))
    assert staging.take(page(0, 2, b"new ")) is None
    assert staging.take(page(1, 2, b"pages")) == b"new pages"


@pytest.mark.parametrize(
    "message",
    [page(2, 3), page(1, 4), page(1, 3, base=9)],
    ids=["skipped", "other count", "other base"],
)
def test_a_page_out_of_turn_forgets_all(staging: Staging, message: PutState) -> None:
    staging.take(page(0, 3))
    assert refused(staging, message) is Code.NOT_NOW
    assert refused(staging, page(1, 3)) is Code.NOT_NOW


def test_a_state_has_at_most_so_many_pages(staging: Staging) -> None:
    assert refused(staging, page(0, STATE_PAGES + 1)) is Code.TOO_MANY_PAGES
    assert refused(staging, page(0, 0)) is Code.TOO_MANY_PAGES
    for number in range(STATE_PAGES):
        content = staging.take(page(number, STATE_PAGES, b"x" * limits.PAGE_BYTES))
    assert content is not None
    assert len(content) == limits.ACCOUNT_STATE_BYTES


def test_all_sessions_together_have_so_much_space() -> None:
    space = StagingSpace(10)
    one, other = Staging(space), Staging(space)
    one.take(page(0, 2, b"x" * 8))
    with pytest.raises(TrackerError) as caught:
        other.take(page(0, 2, b"xxx"))
    assert caught.value.code is Code.TOO_MANY_REQUESTS
    assert space.used_bytes == 8
    one.clear()
    one.clear()
    assert other.take(page(0, 1, b"xxx")) == b"xxx"


numbers = st.integers(0, 4)


@given(st.lists(st.tuples(st.integers(0, 1), numbers, numbers, st.binary(max_size=6)), max_size=40))
def test_the_space_is_never_lost_or_exceeded(steps: list[tuple[int, int, int, bytes]]) -> None:
    space = StagingSpace(20)
    sessions = [Staging(space), Staging(space)]
    for who, number, pages, content in steps:
        try:
            sessions[who].take(page(number, pages, content))
        except TrackerError:
            continue
        assert space.used_bytes == sum(len(p) for s in sessions for p in s._pages) <= 20
    for session in sessions:
        session.clear()
    assert space.used_bytes == 0


def test_the_state_is_replaced_only_from_the_present_version(world: World) -> None:
    alice = world.joins("alice")
    caller = world.caller(alice)
    outcome = world.do(state.put_state, caller, page(0, 1), b"first")
    assert outcome.answer == StatePut(RequestId(1), 1)
    assert outcome.effects == (Tell(caller.account, StateChanged(1), except_device=caller.device),)
    code = world.refused(state.put_state, caller, page(0, 1), b"late")
    assert code is Code.STATE_CONFLICT
    assert world.do(state.put_state, caller, page(0, 1, base=1), b"second").answer == StatePut(
        RequestId(1), 2
    )
    answer = world.do(state.ask_state, caller.account, AskState(RequestId(7), 0)).answer
    assert answer == State(RequestId(7), 2, 0, 1, b"second")


def test_a_state_is_read_in_pages_and_an_empty_one_has_none(world: World) -> None:
    alice = world.joins("alice")
    account = world.account(alice).id
    assert world.do(state.ask_state, account, AskState(RequestId(7), 0)).answer == State(
        RequestId(7), 0, 0, 0, b""
    )
    content = bytes(range(256)) * 300
    world.store.put_state(account, 1, content)
    pages: list[Any] = [
        world.do(state.ask_state, account, AskState(RequestId(7), n)).answer for n in range(4)
    ]
    assert b"".join(answer.content for answer in pages) == content
    assert [answer.pages for answer in pages] == [3] * 4
    assert pages[3].content == b""
    assert NOW
