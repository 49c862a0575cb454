"""The table of requests: whole, and in step with the registry of messages."""

from __future__ import annotations

from wire.dialogue import LEGAL, REQUESTS, SessionState
from wire.messages import BY_NUMBER, Purpose
from wire.messages.accounts import (
    AddDevice,
    AskKdf,
    AskState,
    ChangePassword,
    DeleteAccount,
    Enter,
    LogIn,
    Register,
    RevokeDevice,
)
from wire.messages.session import Done, Refused

ON_TRACKER_LINKS = set(BY_NUMBER[Purpose.TRACKER].values())


def test_every_message_with_a_request_number_is_a_request_or_an_answer() -> None:
    numbered = {cls for cls in ON_TRACKER_LINKS if "request" in cls.__struct_fields__}
    answers = {answer for rule in REQUESTS.values() for answer in rule.answers}
    assert numbered == set(REQUESTS) | answers | {Refused}
    assert not set(REQUESTS) & (answers | {Refused})


def test_the_request_number_is_the_first_field() -> None:
    for cls in ON_TRACKER_LINKS:
        if "request" in cls.__struct_fields__:
            assert cls.__struct_fields__[0] == "request"


def test_a_request_is_called_as_it_is_spoken_and_answered_by_something() -> None:
    for request, rule in REQUESTS.items():
        assert rule.answers, request
        assert rule.states, request


def test_before_a_session_only_these_requests_are_legal() -> None:
    assert LEGAL[SessionState.ANONYMOUS] == {AskKdf, LogIn, Register}
    assert LEGAL[SessionState.AUTHENTICATED] == {
        AskState,
        AddDevice,
        ChangePassword,
        DeleteAccount,
        RevokeDevice,
    }
    assert LEGAL[SessionState.KNOWN] == {Enter}


def test_in_a_session_everything_else_is_legal_and_nothing_of_before() -> None:
    before = {
        AskKdf, LogIn, Register, AddDevice, ChangePassword, DeleteAccount, RevokeDevice, Enter,
    }  # fmt: skip
    assert LEGAL[SessionState.ENTERED] == set(REQUESTS) - before


def test_done_answers_what_only_changes_something() -> None:
    changes = {request for request, rule in REQUESTS.items() if rule.answers == (Done,)}
    assert all(
        not request.__name__.startswith("Ask") or request.__name__ == "AskFriend"
        for request in changes
    )
