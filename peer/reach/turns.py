"""When a friend's devices may be dialled next: never in a burst, whatever addresses they sign."""

from __future__ import annotations

import asyncio

from wire import limits
from wire.ids import IdentityKey

HEAD_START_S = 1 / limits.DIALS_PER_S


class Turns:
    """The turns of one dialler: DIALS_PER_S to all devices of an account together.

    A friend names up to eight places in a record and may sign another one at any time: without turns it could
    have us try the ports of whoever it likes.
    """

    def __init__(self) -> None:
        self._next: dict[IdentityKey, float] = {}

    def take(self, identity: IdentityKey) -> float:
        """Take the next turn of an account; gives how long to wait for it, in seconds."""
        instant = asyncio.get_running_loop().time()
        turn = max(self._next.get(identity, 0.0), instant)
        self._next[identity] = turn + HEAD_START_S
        return turn - instant
