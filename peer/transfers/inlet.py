"""Where a data link's bytes come in: whole records from a socket, in one buffer that is used again."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from typing import Final

from peer.transfers.pace import SLICE_BYTES, Pace
from peer.transfers.room import room
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.machine import Monotonic

_SEALED_BYTES: Final = limits.DATA_RECORD_BYTES + limits.TAG_BYTES

_AHEAD_BYTES: Final = 4 * limits.KIB
"""Received along with a record's length: a small record, and the beginning of the next, come by one call."""

_AT_ONCE: Final[int | None] = getattr(socket, "MSG_DONTWAIT", None)  # Windows has none
_let_others_run: Final[Callable[[], None] | None] = getattr(os, "sched_yield", None)

_LONG_BYTES: Final = 128 * limits.KIB
_FAST_BYTES_PER_S: Final = 500_000_000
"""Of a line on which the rest of a long record is looked for again and again, and not slept for.

There it comes sooner than a thread wakes up. Where to wake one is dear, as on a busy virtual machine, that saves 5 %
of the time of a GiB (measured 2026-11); on a single processor, where others run meanwhile, it costs nothing.
"""

_AWAKE_S: Final = 0.0002  # how long nothing may come of it before it is slept for all the same


class Inlet:
    """The way in of one link, used by its receiving thread.

    leftover: bytes already received. paces: that the bytes of records wait for. is_over: whether nothing more is
    wanted. on_part: called when a long record comes slowly, for each part but the last; on_silence: when nothing came for as
    long as the socket waits. They may raise.
    """

    def __init__(
        self,
        connection: socket.socket,
        leftover: bytes,
        paces: Sequence[Pace],
        *,
        is_over: Callable[[], bool],
        on_part: Callable[[], None],
        on_silence: Callable[[], None],
    ) -> None:
        self._socket = connection
        self._held = memoryview(bytearray(leftover))  # received and not given yet
        self._paces = tuple(paces)
        self._is_over = is_over
        self._on_part = on_part
        self._on_silence = on_silence
        self._ahead = memoryview(bytearray(_AHEAD_BYTES))
        self._sealed = room(_SEALED_BYTES)
        self._is_fast = False  # how the last long record came
        self.part_came_at = _now()  # a part of a long record over a slow line

    def record(self) -> memoryview | None:
        """Give the next record, sealed, without its length: to be opened in its place, good until the next call.

        None: it is over. Raises RemoteProtocolError for a length no record has, ConnectionError when the stream ends,
        OSError.
        """
        if len(self._held) < limits.LENGTH_BYTES and not self._begin():
            return None
        length = int.from_bytes(self._held[: limits.LENGTH_BYTES], "big")
        if length <= limits.TAG_BYTES:
            raise RemoteProtocolError(Code.FRAME_EMPTY, "a record carries at least one byte")
        if length > _SEALED_BYTES:
            raise RemoteProtocolError(Code.RECORD_TOO_LARGE, f"{length} bytes")
        stop = limits.LENGTH_BYTES + length
        found, self._held = self._held[limits.LENGTH_BYTES : stop], self._held[stop:]
        if len(found) == length:
            return found
        sealed = self._sealed[:length]
        sealed[: len(found)] = found
        return sealed if self._fill(sealed[len(found) :]) else None

    def _begin(self) -> bool:
        """Receive a record's length, and what there is behind it; False if it is over."""
        position = len(self._held)
        self._ahead[:position] = bytes(self._held)  # which may be a part of it
        while position < limits.LENGTH_BYTES:
            count = self._receive(self._ahead[position:], 0, is_between=position == 0)
            if not count:
                return False
            position += count
        self._held = self._ahead[:position]
        return True

    def _fill(self, view: memoryview) -> bool:
        """Receive the rest of what a record carries; False if it is over."""
        if len(view) < _LONG_BYTES or any(pace.is_set for pace in self._paces):
            return self._await(view)
        fast_until = _now() + len(view) / _FAST_BYTES_PER_S
        if self._is_fast:
            view = self._gather(view, fast_until)
        is_whole = self._await(view)
        self._is_fast = _now() < fast_until
        return is_whole

    def _gather(self, view: memoryview, until: float) -> memoryview:
        """Receive what comes by a time without sleeping in between; gives what is left to be received."""
        if _AT_ONCE is None or _let_others_run is None:
            return view
        awake_until = _now() + _AWAKE_S
        while len(view):
            try:
                count = self._socket.recv_into(view, 0, _AT_ONCE)
            except BlockingIOError:
                if _now() >= awake_until:
                    break
                _let_others_run()
                continue
            if count == 0:
                break  # found again by whoever waits for the rest
            view = view[count:]
            awake_until = min(until, _now() + _AWAKE_S)
        return view

    def _await(self, view: memoryview) -> bool:
        """Receive all of this, sleeping as long as nothing comes; False if it is over."""
        while len(view):
            paces = [pace for pace in self._paces if pace.is_set]
            part = view[:SLICE_BYTES] if paces else view
            count = self._receive(part, socket.MSG_WAITALL)
            if not count:
                return False
            for pace in paces:
                pace.take(count, self._is_over)
            view = view[count:]
            if len(view):
                self.part_came_at = _now()
                self._on_part()
        return True

    def _receive(self, view: memoryview, flags: int, *, is_between: bool = False) -> int:
        """Receive some bytes; gives how many, 0 if it is over. is_between: two records."""
        while not self._is_over():
            try:
                count = self._socket.recv_into(view, 0, flags)
            except (BlockingIOError, InterruptedError):
                if not self._is_over():
                    self._on_silence()
                continue
            if count == 0:
                where = "" if is_between else ", in the middle of a record"
                raise ConnectionError(f"the connection ended{where}")
            return count
        return 0


def _now() -> Monotonic:
    return Monotonic(time.monotonic())
