"""Messages of every link: who speaks, is anybody there, and goodbye; and the two answers all requests share."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import BootIdField, Counter, Millis, RequestIdField
from wire.messages.registry import Message, Purpose, message

LINKS = (Purpose.TRACKER, Purpose.PEER, Purpose.DATA)
Features = Annotated[int, Meta(ge=0, le=2**32 - 1)]  # bit set; unknown bits are ignored
Sentence = Annotated[str, Meta(max_length=limits.CLOSE_TEXT_CHARS)]
CodeOrNone = Annotated[str, Meta(max_length=48)]  # one, or empty
CodeText = Annotated[str, Meta(min_length=1, max_length=48)]  # a value of wire.codes.Code


@message(0x0001, *LINKS)
class Hello(Message, frozen=True):
    """The first record of a device, each way; nobody is believed before it verified."""

    certificate: Annotated[bytes, Meta(max_length=limits.CERTIFICATE_BYTES)]
    device_list: Annotated[bytes, Meta(max_length=limits.DEVICE_LIST_BYTES)]
    known_counter: Counter  # highest list counter of the receiver's account that the sender knows
    boot_id: BootIdField
    features: Features = 0


@message(0x0002, Purpose.TRACKER)
class HelloAnonymous(Message, frozen=True):
    """The first record of somebody without a device at this tracker; AskKdf, LogIn, Register follow."""

    features: Features = 0


@message(0x0003, Purpose.TRACKER)
class HelloTracker(Message, frozen=True):
    """The first record of a tracker; its link key was proven by the handshake."""

    boot_id: BootIdField
    now: Millis  # the tracker's wall clock, so that a device can name its own as wrong
    features: Features = 0


@message(0x0004, *LINKS)
class Close(Message, frozen=True):
    """The last record: why the link ends."""

    code: CodeText
    text: Sentence = ""


@message(0x0005, *LINKS)
class Ping(Message, frozen=True):
    """Ask for a Pong with the same token."""

    token: Annotated[int, Meta(ge=0, le=2**32 - 1)]


@message(0x0006, *LINKS)
class Pong(Message, frozen=True):
    """Answer a Ping."""

    token: Annotated[int, Meta(ge=0, le=2**32 - 1)]


@message(0x0007, Purpose.TRACKER)
class Done(Message, frozen=True):
    """The request was carried out and what it changed is durable."""

    request: RequestIdField


@message(0x0008, Purpose.TRACKER)
class Refused(Message, frozen=True):
    """The request was not carried out and changed nothing."""

    request: RequestIdField
    code: CodeText
    text: Sentence = ""
    retry_after_s: Annotated[int, Meta(ge=0, le=10**6)] = 0  # 0: whenever
