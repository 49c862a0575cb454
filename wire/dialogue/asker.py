"""The asking side of a tracker link: requests out, exactly one answer each, and what comes unasked."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from wire import limits
from wire.codes import Code, code_of
from wire.dialogue.rules import REQUESTS
from wire.errors import LocalProtocolError
from wire.ids import RequestId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.session import Refused

REQUEST_IDS = 2**32


class AskerEvent(Struct, frozen=True):
    """Something came from the tracker; the subclasses are the closed list."""


class Answered(AskerEvent, frozen=True):
    """A request got its result."""

    request: RequestId
    answer: Message


class Denied(AskerEvent, frozen=True):
    """A request was not carried out. retry_after_s: seconds, 0 if the tracker did not say."""

    request: RequestId
    code: Code
    text: str
    retry_after_s: int


class Pushed(AskerEvent, frozen=True):
    """The tracker said something unasked."""

    message: Message


class _Waiting(Struct, frozen=True):
    """A request that has no answer yet."""

    kind: type[Message]
    until: Monotonic


class Asker:
    """The requests of one link that wait for their answers.

    timeout_s: how long one may wait, in seconds, before it counts as INTERNAL. stray_answers: how many
    came that nobody waits for (any more).
    """

    __slots__ = ("_last", "_open", "_timeout_s", "stray_answers")

    def __init__(self, *, timeout_s: float = limits.REQUEST_TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._last = RequestId(0)
        self._open: dict[RequestId, _Waiting] = {}
        self.stray_answers = 0

    def ask(
        self, build: Callable[[RequestId], Message], *, now: Monotonic
    ) -> tuple[RequestId, Message]:
        """Give a request its number and the message that carries it.

        build: makes the message from the number. Raises LocalProtocolError for one that is no request,
        and with TOO_MANY_REQUESTS beyond the limit.
        """
        if len(self._open) >= limits.OPEN_REQUESTS:
            raise LocalProtocolError("too many requests are open", Code.TOO_MANY_REQUESTS)
        request = self._last
        while request == self._last or request in self._open:  # numbers come round after 2^32
            request = RequestId((request + 1) % REQUEST_IDS)
        message = build(request)
        if type(message) not in REQUESTS:
            raise LocalProtocolError(f"{type(message).__name__} is no request")
        self._last = request
        self._open[request] = _Waiting(type(message), Monotonic(now + self._timeout_s))
        return request, message

    def on_message(self, message: Message) -> AskerEvent | None:
        """Sort a message: an answer, a refusal, or unasked; None for an answer nobody waits for.

        An answer of the wrong kind is the tracker's error and ends that request alone.
        """
        request: RequestId | None = getattr(message, "request", None)
        if request is None:
            return Pushed(message)
        waiting = self._open.pop(request, None)
        if waiting is None:
            self.stray_answers += 1
            return None
        if isinstance(message, Refused):
            return Denied(request, code_of(message.code), message.text, message.retry_after_s)
        if type(message) not in REQUESTS[waiting.kind].answers:
            text = f"{waiting.kind.__name__} was answered by {type(message).__name__}"
            return Denied(request, Code.INTERNAL, text, 0)
        return Answered(request, message)

    def deadline(self) -> Monotonic | None:
        """Name the instant at which the oldest request has waited too long."""
        return min((waiting.until for waiting in self._open.values()), default=None)

    def handle_deadline(self, *, now: Monotonic) -> list[AskerEvent]:
        """Give up on requests that waited too long."""
        late = [request for request, waiting in self._open.items() if now >= waiting.until]
        return self._deny(late, Code.INTERNAL, "the tracker did not answer in time")

    def give_up(self, code: Code, text: str) -> list[AskerEvent]:
        """Give up on every request: the link is gone, for this reason."""
        return self._deny(list(self._open), code, text)

    def _deny(self, requests: list[RequestId], code: Code, text: str) -> list[AskerEvent]:
        for request in requests:
            del self._open[request]
        return [Denied(request, code, text, 0) for request in requests]
