"""The answering side of a tracker link: which request may come when, and one answer for each."""

from __future__ import annotations

from wire import limits
from wire.codes import Code
from wire.dialogue.rules import LEGAL, SessionState
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.ids import RequestId
from wire.messages import Message

NOTHING_OPEN: frozenset[RequestId] = frozenset()
"""One for all links: a tracker has many, and most wait for nothing."""


class Answerer:
    """The requests of one link that wait for our answers."""

    __slots__ = ("_open", "repeated_requests", "state")

    def __init__(self, state: SessionState) -> None:
        self.state = state
        self.repeated_requests = 0
        self._open = NOTHING_OPEN

    def on_message(self, message: Message) -> RequestId | None:
        """Take a request; gives its number, or None for one whose number is still open (counted).

        Raises RemoteProtocolError with NOT_NOW for what is no request in this state, TOO_MANY_REQUESTS
        beyond OPEN_REQUESTS unanswered ones.
        """
        if type(message) not in LEGAL[self.state]:
            name = type(message).__name__
            raise RemoteProtocolError(
                Code.NOT_NOW, f"{name} in a session that is {self.state.value}"
            )
        request: RequestId = getattr(message, "request")  # noqa: B009 - all in LEGAL have it
        if request in self._open:
            self.repeated_requests += 1
            return None
        if len(self._open) >= limits.OPEN_REQUESTS:
            raise RemoteProtocolError(Code.TOO_MANY_REQUESTS)
        self._open |= {request}
        return request

    def answered(self, request: RequestId) -> None:
        """Take note that a request was answered; LocalProtocolError for a second answer."""
        if request not in self._open:
            raise LocalProtocolError(f"request {request} was answered already")
        self._open = (self._open - {request}) or NOTHING_OPEN

    @property
    def open_requests(self) -> int:
        """How many requests wait for an answer."""
        return len(self._open)
