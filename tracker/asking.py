"""How a request asks the storage: one piece of work, answered after its commit.

A part of `dispatch`, for all who handle requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tracker.effects import Outcome
from tracker.errors import TrackerError
from tracker.hub import Hub
from tracker.session import Request, Session
from tracker.storage.writer import Work

T = TypeVar("T")
Handler = Callable[[Hub, Session, Any], None]


def ask(
    hub: Hub,
    session: Session,
    message: Request,
    work: Work[T],
    done: Callable[[T], None],
) -> None:
    """Ask the storage for one request; a refusal of the service is the answer."""

    def refused(error: TrackerError) -> None:
        session.refuse(message, error)

    hub.submit(work, done, refused)


def serve(hub: Hub, session: Session, message: Request, work: Work[Outcome]) -> None:
    """Ask a service that gives an outcome: answer, then carry out what it wants done."""

    def done(outcome: Outcome) -> None:
        session.answer(outcome.answer)
        hub.carry_out(outcome.effects)

    ask(hub, session, message, work, done)
