"""The asking side: exactly one outcome for each request, whatever the tracker says or does not say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from tests import strategies
from tests.harness.clock import Clock
from wire import limits
from wire.codes import Code
from wire.dialogue import Answered, Answerer, Asker, Denied, Pushed, SessionState
from wire.errors import LocalProtocolError
from wire.ids import AccountName, RequestId
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.friends import AskUser, FriendRemoved, TakeAnswer, User
from wire.messages.presence import PresenceChanged, Show
from wire.messages.session import Done, Refused

ALICE = AccountName("alice")
NOW = Clock().now


def ask_user(request: RequestId) -> AskUser:
    return AskUser(request, ALICE)


def take(request: RequestId) -> TakeAnswer:
    return TakeAnswer(request, ALICE)


def _user(request: RequestId) -> User:
    return User(request, ALICE, b"i" * 32)  # type: ignore[arg-type]


def test_each_request_gets_a_number_of_its_own_and_its_answer_comes_back() -> None:
    asker = Asker()
    (first, one), (second, two) = (asker.ask(ask_user, now=NOW) for _ in range(2))
    assert first != second
    assert (one, two) == (ask_user(first), ask_user(second))
    assert asker.on_message(_user(second)) == Answered(second, _user(second))
    assert asker.on_message(_user(first)) == Answered(first, _user(first))
    assert asker.deadline() is None


def test_a_refusal_carries_its_code_its_words_and_when_to_try_again() -> None:
    asker = Asker()
    request, _ = asker.ask(take, now=NOW)
    refused = Refused(request, "too-many-failures", "wait", 30)
    assert asker.on_message(refused) == Denied(request, Code.TOO_MANY_FAILURES, "wait", 30)


def test_a_code_of_tomorrow_is_an_internal_error_today() -> None:
    asker = Asker()
    request, _ = asker.ask(take, now=NOW)
    assert asker.on_message(Refused(request, "of-tomorrow")) == Denied(
        request, Code.INTERNAL, "", 0
    )


def test_what_comes_unasked_is_told_apart() -> None:
    news = PresenceChanged(ALICE, Show.AWAY)
    assert Asker().on_message(news) == Pushed(news)
    assert Asker().on_message(FriendRemoved(ALICE)) == Pushed(FriendRemoved(ALICE))


def test_an_answer_that_nobody_waits_for_is_counted_and_dropped() -> None:
    asker = Asker()
    request, _ = asker.ask(take, now=NOW)
    asker.on_message(Done(request))
    for stray in (Done(request), Done(RequestId(77)), Refused(request, "internal")):
        assert asker.on_message(stray) is None
    assert asker.stray_answers == 3


@pytest.mark.parametrize(("build", "answer"), [(take, _user), (ask_user, Done), (take, take)])
def test_an_answer_of_the_wrong_kind_ends_that_request_alone(
    build: Callable[[RequestId], Message], answer: Callable[[RequestId], Message]
) -> None:
    asker = Asker()
    request, _ = asker.ask(build, now=NOW)
    denied = asker.on_message(answer(request))
    assert isinstance(denied, Denied)
    assert (denied.request, denied.code) == (request, Code.INTERNAL)
    assert asker.deadline() is None


def test_what_is_no_request_is_not_asked() -> None:
    asker = Asker()
    with pytest.raises(LocalProtocolError):
        asker.ask(Done, now=NOW)
    assert asker.deadline() is None


def test_as_many_requests_as_the_limit_may_be_open() -> None:
    asker = Asker()
    requests = [asker.ask(take, now=NOW)[0] for _ in range(limits.OPEN_REQUESTS)]
    with pytest.raises(LocalProtocolError) as caught:
        asker.ask(take, now=NOW)
    assert caught.value.code is Code.TOO_MANY_REQUESTS
    asker.on_message(Done(requests[0]))
    asker.ask(take, now=NOW)


def test_a_request_without_an_answer_is_given_up_at_its_instant() -> None:
    asker = Asker(timeout_s=30)
    first, _ = asker.ask(take, now=NOW)
    second, _ = asker.ask(take, now=Monotonic(NOW + 10))
    assert asker.deadline() == NOW + 30
    assert asker.handle_deadline(now=Monotonic(NOW + 29.9)) == []
    late = "the tracker did not answer in time"
    assert asker.handle_deadline(now=Monotonic(NOW + 30)) == [Denied(first, Code.INTERNAL, late, 0)]
    assert asker.deadline() == NOW + 40
    assert asker.on_message(Done(first)) is None
    assert asker.on_message(Done(second)) == Answered(second, Done(second))


def test_when_the_link_is_gone_everything_open_is_denied_for_that_reason() -> None:
    asker = Asker()
    requests = [asker.ask(take, now=NOW)[0] for _ in range(3)]
    assert asker.give_up(Code.LINK_LOST, "gone") == [
        Denied(request, Code.LINK_LOST, "gone", 0) for request in requests
    ]
    assert asker.give_up(Code.LINK_LOST, "gone") == []


def test_numbers_come_round_and_step_over_those_that_are_open() -> None:
    asker = Asker()
    slow, _ = asker.ask(take, now=NOW)
    asker._last = RequestId(2**32 - 1)
    assert asker.ask(take, now=NOW)[0] == 0
    assert slow == 1
    assert asker.ask(take, now=NOW)[0] == 2


@given(message=strategies.spoken(Purpose.TRACKER))
def test_nothing_that_a_tracker_says_raises(message: Message) -> None:
    asker = Asker()
    for build in (ask_user, take):
        asker.ask(build, now=NOW)
    asker.on_message(message)


class Dialogue(RuleBasedStateMachine):
    """An asker and an answerer: every request has exactly one outcome, in any order of events."""

    waiting = Bundle("waiting")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.asker = Asker(timeout_s=30)
        self.answerer = Answerer(SessionState.ENTERED)
        self.asked = 0
        self.outcomes: list[RequestId] = []

    @rule(target=waiting)
    def ask(self) -> RequestId:
        request, message = self.asker.ask(take, now=self.clock.now)
        assert self.answerer.on_message(message) == request
        self.asked += 1
        return request

    @rule(request=consumes(waiting), is_done=st.booleans())
    def answer(self, request: RequestId, is_done: bool) -> None:
        self.answerer.answered(request)
        outcome = self.asker.on_message(
            Done(request) if is_done else Refused(request, "not-friends")
        )
        if outcome is not None:
            assert isinstance(outcome, Answered | Denied)
            self.outcomes.append(outcome.request)

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for outcome in self.asker.handle_deadline(now=self.clock.now):
            assert isinstance(outcome, Denied)
            self.outcomes.append(outcome.request)

    @invariant()
    def nothing_is_answered_twice_or_lost(self) -> None:
        assert len(set(self.outcomes)) == len(self.outcomes)
        assert len(self.asker._open) + len(self.outcomes) == self.asked
        due = self.asker.deadline()
        assert due is None or due > self.clock.now


TestDialogue = Dialogue.TestCase
