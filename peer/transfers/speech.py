"""What a data link says, sealed in order: by its sending thread, which may wait, or at once by whichever has a word.

One lock holds the order: a record is sealed and given to the outlet under it, so numbers of records and their
places on the wire agree. A word that comes while the sending thread is at it waits for that thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence

from peer.transfers.outlet import Outlet
from peer.transfers.room import room
from wire import limits
from wire.channel.records import OVERHEAD_BYTES, Sealer
from wire.codec import encode
from wire.messages import Message, Purpose

_MESSAGES_BYTES = 128 * limits.KIB  # of records sent in one call before a chunk
_BODY_BYTES = limits.DATA_RECORD_BYTES + OVERHEAD_BYTES


class Speech:
    """The way from messages and chunks to the socket of one link.

    first: bytes that go before anything else. `chunk` is where the sending thread has a chunk before it is sent: there
    it is sealed, too, since what is moved less often stays near the processor.
    """

    def __init__(self, sealer: Sealer, outlet: Outlet, first: bytes) -> None:
        self._sealer = sealer
        self._outlet = outlet
        self._lock = threading.Lock()
        self._left = memoryview(first)  # sealed, and not sent yet
        self._room = room(_MESSAGES_BYTES + _BODY_BYTES)
        self._body = self._room[_MESSAGES_BYTES:]
        self.chunk = self._body[limits.LENGTH_BYTES : -limits.TAG_BYTES]

    @property
    def sealed_bytes(self) -> int:
        """How many bytes of plaintext were sealed."""
        return self._sealer.bytes

    def send(
        self,
        messages: Iterable[Message],
        size: int = 0,
        *,
        is_over: Callable[[], bool] = lambda: False,
    ) -> bool:
        """Send messages, then `size` bytes of `chunk`; for the sending thread. False: there was nothing.

        is_over: whether nothing more is to go. Raises OSError.
        """
        with self._lock:
            has_left = bool(self._left)
            if has_left:
                left, self._left = self._left, self._left[:0]
                self._outlet.send(left)
            length = 0
            for message in messages:
                length = self._put(message, length)
            if size:
                start = _MESSAGES_BYTES - length
                self._room[start:_MESSAGES_BYTES] = self._room[:length]
                stop = _MESSAGES_BYTES + self._sealer.seal_into(self.chunk[:size], self._body)
                self._outlet.send_chunk(self._room[start:stop], is_over)
            elif length:
                self._outlet.send(self._room[:length])
        return bool(has_left or length or size)

    def try_say(self, messages: Sequence[Message]) -> bool:
        """Say messages without waiting, from any thread; False if that cannot be done now.

        What the system does not take at once is left for the next `send`, see `has_left`.
        """
        if not self._lock.acquire(blocking=False):
            return False
        try:
            if self._left:
                return False
            records = [encode(Purpose.DATA, message) for message in messages]
            sealed = memoryview(b"".join(map(self._sealer.seal, records)))
            self._left = sealed[self._outlet.try_send(sealed) :]
        finally:
            self._lock.release()
        return True

    @property
    def has_left(self) -> bool:
        """Whether something that was sealed is still to be sent."""
        return bool(self._left)

    def _put(self, message: Message, length: int) -> int:
        """Seal a message behind what stands in the room, sending that first if it is full; gives the new length."""
        record = encode(Purpose.DATA, message)
        if length + len(record) + OVERHEAD_BYTES > _MESSAGES_BYTES:
            self._outlet.send(self._room[:length])
            length = 0
        return length + self._sealer.seal_into(memoryview(record), self._room[length:])
