"""Dialling a device back, so that it learns whether its listener can be reached.

The only connection that a tracker ever makes, and only to the very address that asks for it.
"""

from __future__ import annotations

import asyncio
from typing import cast

from wire import frames, limits
from wire.messages import Purpose


class _Knock(asyncio.Protocol):
    """A connection on which one thing is said and nothing is listened to."""

    def __init__(self, word: bytes) -> None:
        self._word = word

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        stream = cast("asyncio.Transport", transport)  # uvloop's are no subclass of it
        stream.write(self._word)
        stream.close()


async def dial_back(host: str, port: int, nonce: bytes) -> bool:
    """Connect, show the nonce as a probe shows its ticket, and hang up; True if something took the connection."""
    word = frames.preamble(Purpose.PROBE) + nonce
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.DIAL_BACK_S):
            await loop.create_connection(lambda: _Knock(word), host, port)
    except (OSError, TimeoutError):
        return False
    return True
