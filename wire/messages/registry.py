"""Which message has which number, and on which links it may travel.

A message is a frozen, array-like `msgspec` struct. New fields go at the end with a default; a number is
never given twice, not even after its message is gone. The top bit of a number marks the message as
critical: a receiver that does not know it ends the link instead of counting and dropping it.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeVar

import msgspec

CRITICAL = 0x8000


class Purpose(enum.IntEnum):
    """What a link is for; the byte in its preamble."""

    TRACKER = 1  # a peer and its tracker
    PEER = 2  # talk between two devices
    DATA = 3  # file bytes between two devices
    RELAY = 4  # two halves that a tracker joins
    KEY = 5  # clear service of a tracker: its link key
    PROBE = 6  # clear service of a tracker: the address it sees


class Message(msgspec.Struct, frozen=True, array_like=True):
    """What all messages share: nothing but being one."""


MessageT = TypeVar("MessageT", bound=type[Message])

BY_NUMBER: dict[Purpose, dict[int, type[Message]]] = {
    Purpose.TRACKER: {},
    Purpose.PEER: {},
    Purpose.DATA: {},
}
NUMBER_OF: dict[type[Message], int] = {}


def message(
    number: int, *purposes: Purpose, critical: bool = True
) -> Callable[[MessageT], MessageT]:
    """Register a message class under `number` (1 to 0x7FFF) for links of these purposes."""

    def register(cls: MessageT) -> MessageT:
        full = number | CRITICAL if critical else number
        for purpose in purposes:
            taken = BY_NUMBER[purpose].setdefault(full, cls)
            if taken is not cls:
                raise AssertionError(
                    f"number {number} of {cls.__name__} belongs to {taken.__name__}"
                )
        NUMBER_OF[cls] = full
        return cls

    return register
