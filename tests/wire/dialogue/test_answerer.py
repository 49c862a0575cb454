"""The answering side: each request in its place, its number once, one answer each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import strategies
from wire import limits
from wire.codes import Code
from wire.dialogue import LEGAL, REQUESTS, Answerer, SessionState
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.ids import AccountName, RequestId
from wire.messages import BY_NUMBER, Message, Purpose
from wire.messages.accounts import LogOut
from wire.messages.friends import AskUser
from wire.messages.session import Done, Ping

ALICE = AccountName("alice")


def _ask(number: int) -> AskUser:
    return AskUser(RequestId(number), ALICE)


def _blame(answerer: Answerer, message: Message) -> Code:
    with pytest.raises(RemoteProtocolError) as caught:
        answerer.on_message(message)
    return caught.value.code


@pytest.mark.parametrize("state", SessionState)
@given(data=st.data())
def test_what_is_legal_is_taken_and_everything_else_is_named(
    state: SessionState, data: st.DataObject
) -> None:
    message = data.draw(strategies.spoken(Purpose.TRACKER))
    answerer = Answerer(state)
    if type(message) in LEGAL[state]:
        request = answerer.on_message(message)
        assert request is not None
        assert answerer.open_requests == 1
        answerer.answered(request)
    else:
        assert _blame(answerer, message) is Code.NOT_NOW
    assert answerer.open_requests == 0


@pytest.mark.parametrize("state", SessionState)
def test_what_a_tracker_says_is_never_a_request(state: SessionState) -> None:
    for cls in BY_NUMBER[Purpose.TRACKER].values():
        assert (cls in LEGAL[state]) <= (cls in REQUESTS)
    assert _blame(Answerer(state), Done(RequestId(1))) is Code.NOT_NOW
    assert _blame(Answerer(state), Ping(1)) is Code.NOT_NOW


def test_a_number_that_is_still_open_is_counted_and_not_carried_out_twice() -> None:
    answerer = Answerer(SessionState.ENTERED)
    assert answerer.on_message(_ask(5)) == 5
    assert answerer.on_message(LogOut(RequestId(5))) is None
    assert answerer.repeated_requests == 1
    answerer.answered(RequestId(5))
    assert answerer.on_message(_ask(5)) == 5


def test_as_many_requests_as_the_limit_may_wait_and_not_one_more() -> None:
    answerer = Answerer(SessionState.ENTERED)
    for number in range(limits.OPEN_REQUESTS):
        assert answerer.on_message(_ask(number)) == number
    assert _blame(answerer, _ask(10**6)) is Code.TOO_MANY_REQUESTS
    answerer.answered(RequestId(0))
    assert answerer.on_message(_ask(10**6)) == 10**6


def test_a_second_answer_is_our_own_mistake() -> None:
    answerer = Answerer(SessionState.ENTERED)
    answerer.on_message(_ask(1))
    answerer.answered(RequestId(1))
    with pytest.raises(LocalProtocolError):
        answerer.answered(RequestId(1))
    with pytest.raises(LocalProtocolError):
        answerer.answered(RequestId(2))
