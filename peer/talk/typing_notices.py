"""Notices that somebody writes: to friends who are linked and may know, and from them, at a bounded pace.

Nothing of it is kept or owed: a notice that is lost, or dropped because they come too fast, ends by itself.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection

from peer import api
from peer.effects import Effect, NoteTyping, SendOnLink
from peer.people import contacts
from peer.settings import preferences
from peer.store import own
from wire import limits
from wire.identity import direct_conversation
from wire.ids import DeviceId
from wire.messages.conversation import Typing

HEARD_S = 1.0
"""Between two that faces are told of one device; a pace that a person can follow."""


class TypingNotices:
    """What one node said and heard of writing. now: seconds, monotonic."""

    def __init__(self, tell: Callable[[api.Event], None], now: Callable[[], float]) -> None:
        self._tell = tell
        self._now = now
        self._said: dict[str, tuple[float, bool]] = {}
        self._heard: dict[DeviceId, float] = {}

    def is_due(self, friend: str, *, is_typing: bool) -> bool:
        """Say whether a friend is to be told, and take note of it: that it is over once, that it goes on now and then."""
        instant = self._now()
        at, was_typing = self._said.get(friend, (-limits.TYPING_LASTS_S, False))
        since = instant - at
        if is_typing and since < limits.TYPING_AGAIN_S:
            return False
        if not is_typing and (not was_typing or since >= limits.TYPING_LASTS_S):
            return False
        self._said[friend] = (instant, is_typing)
        return True

    def heard(self, note: NoteTyping) -> None:
        """Tell the faces, unless they were told of that device just now."""
        instant = self._now()
        if instant - self._heard.get(note.device, -HEARD_S) < HEARD_S:
            return
        self._heard[note.device] = instant
        body: dict[str, object] = {
            "friend": note.friend,
            "device": note.device.hex(),
            "typing": note.is_typing,
        }
        self._tell(api.Event("typing", body))


def notices(
    connection: sqlite3.Connection, name: str, linked: Collection[DeviceId], *, is_typing: bool
) -> list[Effect]:
    """Give what tells a friend's linked devices, nothing where `typing` is off for that friend.

    Raises PeerError for who is no friend.
    """
    friend = contacts.find_friend(connection, name)
    if preferences.held(connection, "typing", friend) != preferences.ON:
        return []
    if friend.identity is None:
        return []
    me = own.this_device(connection)[1]
    rows = connection.execute(
        "SELECT device FROM devices WHERE identity = ? AND is_listed ORDER BY device",
        (friend.identity,),
    )
    said = Typing(direct_conversation(me, friend.identity), is_typing)  # it may not be stored yet
    return [SendOnLink(DeviceId(row[0]), said) for row in rows if row[0] in linked]
