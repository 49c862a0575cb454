"""What the roster keeps of who is here, and what it asks to be delivered; values only.

A part of `presence`, which decides who is told what.
"""

from __future__ import annotations

from array import array
from typing import Generic, TypeVar

from msgspec import Struct

from tracker.effects import Party
from tracker.storage.port import NEVER
from wire.ids import DeviceId
from wire.machine import UnixMillis
from wire.messages.presence import Show

SessionT = TypeVar("SessionT")

HIDDEN = (Show.INVISIBLE, Show.OFFLINE)


class Word(Struct, frozen=True):
    """What an account says about itself. until: 0, or when it goes back to AVAILABLE."""

    show: Show
    text: str = ""
    until: UnixMillis = NEVER


class Delivery(Struct, Generic[SessionT], frozen=True):
    """A record for one session. key: what a later record about the same thing replaces; None: nothing."""

    session: SessionT
    record: bytes
    key: object = None


class Seat(Struct, Generic[SessionT]):
    """One entered session of a device."""

    session: SessionT
    is_unseen: bool
    certificate: bytes
    addresses: bytes | None  # the record that tells friends; None: nothing published
    is_idle: bool = False  # nobody uses the device


class Here(Struct, Generic[SessionT]):
    """An account that has a seat. friends: the ids of their accounts."""

    party: Party
    friends: array[int]
    word: Word
    seats: dict[DeviceId, Seat[SessionT]]

    @property
    def is_shown(self) -> bool:
        """Whether friends see it."""
        return self.word.show not in HIDDEN and any(not s.is_unseen for s in self.seats.values())

    @property
    def show(self) -> Show:
        """What friends see of an account that is shown: AWAY instead of AVAILABLE while no device is in use."""
        if self.word.show is not Show.AVAILABLE:
            return self.word.show
        is_used = any(not seat.is_unseen and not seat.is_idle for seat in self.seats.values())
        return Show.AVAILABLE if is_used else Show.AWAY


class Told(Struct, Generic[SessionT], frozen=True):
    """What a change asks for: deliveries, and whether `last_seen` of the account is to be stored."""

    deliveries: list[Delivery[SessionT]]
    last_seen: UnixMillis | None = None
