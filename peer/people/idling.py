"""Whether a person uses this node: `away` after a while without commands, and back at the next one.

What counts as use is every command of a person, by whatever face; programs that only look on (`status`, the events
of `up`) count for nothing. The tracker is told, and shows the account as away while no device of it is in use; what
a person chose to show (busy, invisible, away) is not touched.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import suppress

from peer import api
from peer.errors import PeerError
from peer.settings import preferences
from peer.settings.quantities import OFF, duration_s

LOOKS_ON = (api.GetStatus, api.WatchEvents, api.GiveWay)
"""Commands that are no use of the node: they come from programs as often as from people."""

LOOK_S = 60.0  # another device of the account may have set another patience


def patience_s(connection: sqlite3.Connection) -> float | None:
    """Give after how many seconds without use the account is shown as away; None: never."""
    text = preferences.held(connection, "idle")
    return None if text == OFF else duration_s(text)


class Idleness:
    """How long nobody has used one node.

    patience: gives the seconds after which it is idle, None for never. tell: called at each change; what it raises
    as PeerError is left: whoever enters at the tracker says how it is then. clock: seconds, monotonic.
    """

    def __init__(
        self,
        patience: Callable[[], float | None],
        tell: Callable[[bool], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._patience = patience
        self._tell = tell
        self._clock = clock
        self._used_at = clock()
        self._news = asyncio.Event()
        self.is_idle = False

    def heard(self, command: api.Command) -> None:
        """Take note of a command."""
        if isinstance(command, LOOKS_ON):
            return
        self._used_at = self._clock()
        if self.is_idle:
            self._news.set()

    def look_again(self) -> None:
        """Take note that a setting changed."""
        self._news.set()

    async def watch(self) -> None:
        """Tell each change, until cancelled."""
        while True:
            self._news.clear()
            patience_s = self._patience()
            rest_s = None if patience_s is None else self._used_at + patience_s - self._clock()
            is_idle = rest_s is not None and rest_s <= 0
            if is_idle is not self.is_idle:
                self.is_idle = is_idle
                with suppress(PeerError):
                    await self._tell(is_idle)
            wait_s = LOOK_S if is_idle or rest_s is None else min(rest_s, LOOK_S)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
