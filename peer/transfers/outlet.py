"""Where a data link's bytes leave: a socket, how fast they may go, and how fast they arrive.

Two things hold bytes back, each only if it was asked for: rates that a person set (token buckets, of several
links together) and this link's own pace, which the kernel keeps where it can.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Callable, Sequence
from typing import Final

from peer.transfers.pace import SLICE_BYTES, Pace
from wire import limits

UNSENT_BYTES: Final = 128 * limits.KIB
"""What the kernel takes ahead of a paced link: enough to keep it busy, too little to be late by."""

_FAST_UNSENT_BYTES: Final = 512 * limits.KIB
"""What it takes ahead of one without a pace: more than leaves a line of 10 Gbit/s while the next chunk is read.

Whatever waits here when room is made at the other end is sent by whoever made it: over loopback, where both ends
are one kernel, the receiver then does the sender's work (a tenth of its time, measured 2026-11).
"""

_MAX_PACING_RATE: Final = (
    47  # <asm-generic/socket.h> SO_MAX_PACING_RATE, which Python does not name
)
_UNLIMITED: Final = 2 ** (8 * struct.calcsize("@L")) - 1
_AT_ONCE: Final[int | None] = getattr(socket, "MSG_DONTWAIT", None)  # Windows has none
_BYTES_ACKED: Final = slice(120, 128)  # <linux/tcp.h> tcp_info.tcpi_bytes_acked, Linux 4.1
_INFO_BYTES: Final = 128


class Outlet:
    """The way out of one link, used by its sending thread; `set_pace` and `arrived_bytes` from any.

    paces: what each chunk waits for. is_portable: do without what only some systems have.
    """

    def __init__(
        self, connection: socket.socket, paces: Sequence[Pace], *, is_portable: bool = False
    ) -> None:
        self._socket = connection
        self._own = Pace()
        self._paces = (*paces, self._own)
        self._has_kernel = sys.platform == "linux" and not is_portable
        self._sent = 0
        self.set_pace(None)

    def send(self, sealed: memoryview) -> None:
        """Send records that wait for nothing."""
        self._socket.sendall(sealed)
        self._sent += len(sealed)

    def try_send(self, sealed: memoryview) -> int:
        """Send what the system takes at once of records that wait for nothing; gives how many bytes.

        A connection that failed takes none: whoever waits for it meets the error.
        """
        if _AT_ONCE is None:
            return 0
        try:
            sent = self._socket.send(sealed, _AT_ONCE)
        except OSError:
            return 0
        self._sent += sent
        return sent

    def send_chunk(self, sealed: memoryview, is_over: Callable[[], bool]) -> None:
        """Send records with a chunk: each slice waits for its turn, if there is a rate. is_over: asked meanwhile."""
        while len(sealed) and (paces := [pace for pace in self._paces if pace.is_set]):
            part = sealed[:SLICE_BYTES]
            for pace in paces:
                pace.take(len(part), is_over)
            if is_over():
                return
            self.send(part)
            sealed = sealed[len(part) :]
        if len(sealed):
            self.send(sealed)

    def set_pace(self, bytes_per_s: int | None) -> None:
        """Let this link's bytes leave no faster; None: as fast as they can."""
        if self._has_kernel:
            is_fast = bytes_per_s is None
            unsent = _FAST_UNSENT_BYTES if is_fast else UNSENT_BYTES
            try:
                rate = struct.pack("@L", _UNLIMITED if is_fast else bytes_per_s)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, unsent)
                self._socket.setsockopt(socket.SOL_SOCKET, _MAX_PACING_RATE, rate)
                return
            except OSError:
                self._has_kernel = False
        self._own.set(bytes_per_s)

    @property
    def arrived_bytes(self) -> int:
        """How many bytes the other end has, as far as the system tells; else how many were sent."""
        if self._has_kernel:
            try:
                found = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
            except OSError:
                return self._sent
            if len(found) == _INFO_BYTES:
                return int.from_bytes(found[_BYTES_ACKED], sys.byteorder)
        return self._sent
