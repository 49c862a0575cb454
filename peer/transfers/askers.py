"""The links that one coming transfer asks over, one for each source, and what comes over them in words."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from msgspec import Struct

from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import DigestPage, Fetch, Fetched, FetchRefused, Have, SignedDigests
from wire.transfer.receiver import Receiver


class Asker(Struct, eq=False):
    """One link. say: sends messages; new_fetch: gives ids unique on it; alive: when a byte of a chunk came last.

    path: as `status` names it. begun_at: bytes that were verified before anything was asked for over it.
    """

    device: DeviceId
    say: Callable[..., None]
    new_fetch: Callable[[], int]
    alive: Callable[[], Monotonic]
    path: str
    begun_at: int | None = None


def now() -> Monotonic:
    """Give the instant it is: seconds, monotonic."""
    return Monotonic(time.monotonic())


class Refused(Exception):
    """The offering device does not serve this offer to us."""

    def __init__(self, message: FetchRefused) -> None:
        super().__init__(message.code, message.text)
        self.message = message


def ask_all(
    receiver: Receiver,
    askers: Iterable[Asker],
    note: Callable[[list[tuple[int, int, int]]], None],
) -> None:
    """Ask every source for what is its to bring now. note: takes what is asked, (file, first, stop) each, before."""
    for asker in askers:
        asks = receiver.asks(asker.device, now=now())
        if not asks:
            continue
        note(
            [
                (wanted.file, wanted.first, wanted.first + wanted.count)
                for ask in asks
                if isinstance(ask, Fetch)
                for wanted in ask.ranges
            ]
        )
        asker.say(*asks)


def hear(receiver: Receiver, message: Message, source: DeviceId) -> None:
    """Let the machine hear any message that no bytes follow and nothing is written for; others do not matter."""
    match message:
        case SignedDigests():
            receiver.on_signed(message, source)
        case Have():
            receiver.on_have(message, source, now=now())
        case Fetched():
            receiver.on_fetched(message, source)
        case FetchRefused():
            receiver.on_refused(message, source)
        case DigestPage():
            receiver.on_digest_page(message)
        case _:
            return
