"""The asking side of a tracker link: requests out, exactly one answer each, and what comes unasked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wire import limits
from wire.codes import Code, code_of
from wire.errors import LocalProtocolError
from wire.ids import RequestId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.session import Refused

REQUEST_IDS = 2**32


@dataclass(frozen=True, slots=True)
class AskerEvent:
    """Something came from the tracker; the subclasses are the closed list."""


@dataclass(frozen=True, slots=True)
class Answered(AskerEvent):
    """A request got its result."""

    request: RequestId
    answer: Message


@dataclass(frozen=True, slots=True)
class Denied(AskerEvent):
    """A request was not carried out. retry_after_s: seconds, 0 if the tracker did not say."""

    request: RequestId
    code: Code
    text: str
    retry_after_s: int


@dataclass(frozen=True, slots=True)
class Pushed(AskerEvent):
    """The tracker said something unasked."""

    message: Message


class Asker:
    """The requests of one link that wait for their answers.

    timeout_s: how long one may wait, in seconds, before it counts as INTERNAL.
    """

    def __init__(self, *, timeout_s: float = limits.REQUEST_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._last = 0
        self._open: dict[RequestId, Monotonic] = {}
        self.stray_answers = 0

    def ask(
        self, build: Callable[[RequestId], Message], *, now: Monotonic
    ) -> tuple[RequestId, Message]:
        """Give a request its number; raises LocalProtocolError(TOO_MANY_REQUESTS) beyond the limit."""
        if len(self._open) >= limits.OPEN_REQUESTS:
            raise LocalProtocolError("too many requests are open", Code.TOO_MANY_REQUESTS)
        self._last = (self._last + 1) % REQUEST_IDS
        request = RequestId(self._last)
        self._open[request] = Monotonic(now + self._timeout_s)
        return request, build(request)

    def on_message(self, message: Message) -> AskerEvent | None:
        """Sort a message: an answer, a refusal, or unasked; None for an answer nobody waits for."""
        request: RequestId | None = getattr(message, "request", None)
        if request is None:
            return Pushed(message)
        if self._open.pop(request, None) is None:
            self.stray_answers += 1
            return None
        if isinstance(message, Refused):
            return Denied(request, code_of(message.code), message.text, message.retry_after_s)
        return Answered(request, message)

    def deadline(self) -> Monotonic | None:
        """Name the instant at which the oldest request has waited too long."""
        return min(self._open.values(), default=None)

    def handle_deadline(self, *, now: Monotonic) -> list[AskerEvent]:
        """Give up on requests that waited too long."""
        late = [request for request, until in self._open.items() if now >= until]
        for request in late:
            del self._open[request]
        text = "the tracker did not answer in time"
        return [Denied(request, Code.INTERNAL, text, 0) for request in late]
