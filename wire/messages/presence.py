"""Messages about presence: who is there, in which mood; told to accepted friends only."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import AccountNameField, Millis, RequestIdField
from wire.messages.registry import Message, Purpose, message


class Show(enum.IntEnum):
    """What a person wants to show; friends see INVISIBLE as OFFLINE."""

    OFFLINE = 0
    AVAILABLE = 1
    AWAY = 2
    BUSY = 3
    INVISIBLE = 4


PresenceText = Annotated[str, Meta(max_length=limits.PRESENCE_TEXT_CHARS)]


@message(0x0030, Purpose.TRACKER)
class SetPresence(Message, frozen=True):
    """Show this from now on; answered by Done."""

    request: RequestIdField
    show: Show
    text: PresenceText = ""
    until: Millis = 0  # 0: until changed; else it goes back to AVAILABLE then


@message(0x0032, Purpose.TRACKER)
class SetIdle(Message, frozen=True):
    """Say whether a person uses this device; answered by Done.

    An account that says AVAILABLE is shown as AWAY while nobody uses any of its devices.
    """

    request: RequestIdField
    is_idle: bool  # true: nobody does


@message(0x0031, Purpose.TRACKER, critical=False)
class PresenceChanged(Message, frozen=True):
    """Tell a friend (and the own other devices) what somebody shows now."""

    name: AccountNameField
    show: Show
    text: PresenceText = ""
    last_seen: Millis = 0  # set when OFFLINE
