"""What comes of one transfer's bytes: hashed, verified, written, and only then counted and journalled.

Of a fast line a few consecutive chunks are counted together: the data push the code out of the processor's caches, so
what is done once for four chunks costs less than half (measured 2026-11). What waits for that is asked for and not here
as far as anybody knows, so it lies within the window of what a kill makes come again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from blake3 import blake3

from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import Pack, Piece, Zeros
from wire.transfer.ranges import RangeSet
from wire.transfer.receiver import Receiver

_TOGETHER: Final = 4
_FAST_S: Final = 0.002  # from one chunk to the next: 500 MB/s


def unpacked(announced: Piece | Pack, data: memoryview) -> list[tuple[int, int, memoryview, bytes]]:
    """Give (file, chunk index, bytes, BLAKE3 of them) of the chunk, or of each small file, in a record."""
    if isinstance(announced, Piece):
        return [(announced.file, announced.index, data, blake3(data).digest())]
    parts: list[tuple[int, int, memoryview, bytes]] = []
    position = 0
    for chunk in announced.chunks:
        part = data[position : position + chunk.length]
        parts.append((chunk.file, 0, part, blake3(part).digest()))
        position += chunk.length
    return parts


class Storage(Protocol):
    """Where bytes are put: see `peer.transfers.sink.Sink`."""

    def write(self, chunks: Iterable[tuple[int, int, memoryview]]) -> None:
        """Put verified chunks in their places."""

    def write_zeros(self, file: int, first: int, count: int) -> None:
        """Take chunks that are all zero."""

    def note(self, chunks: Sequence[tuple[int, int, bytes]], size_bytes: int) -> None:
        """Journal chunks that were written."""


class Intake:
    """The way of bytes from a link to their place on the disk, under its transfer's lock. Raises PeerError for the disk's faults.

    Chunks are counted together only where there is one source.
    """

    def __init__(self, receiver: Receiver, storage: Storage) -> None:
        self._receiver = receiver
        self._storage = storage
        self._together = _TOGETHER if receiver.lending is None else 1
        self._written: list[
            Piece
        ] = []  # and not counted: consecutive, of one file, fetch and source
        self._source: DeviceId | None = None
        self._came_at = Monotonic(0.0)
        self._unwritten = 0  # bytes that are counted, of a write that is not over, or failed

    @property
    def verified_bytes(self) -> int:
        """Bytes that are here and right, as far as they are counted."""
        return self._receiver.verified_bytes - self._unwritten

    def goes_on(self, announced: Piece | Pack) -> bool:
        """Say whether a chunk follows those that are not counted yet; another has to wait until they are."""
        if not self._written:
            return True
        last = self._written[-1]
        return (
            isinstance(announced, Piece)
            and announced.index == last.index + 1
            and announced.file == last.file
            and announced.fetch == last.fetch
        )

    def expects(self, announced: Piece | Pack, source: DeviceId | None, now: Monotonic) -> bool:
        """Say whether the bytes that follow were asked for; raises RemoteProtocolError(FLOOD)."""
        return self._receiver.expects(announced, source, now=now)

    def take(
        self,
        announced: Piece | Pack,
        parts: Sequence[tuple[int, int, memoryview, bytes]],
        source: DeviceId,
        now: Monotonic,
    ) -> bool:
        """Write what is right of a record that was expected; False if nothing is counted by that yet.

        parts: as `unpacked` gives them. Raises RemoteProtocolError for what is not as it was announced or signed.
        """
        if self._together == 1 and not self.expects(announced, source, now):
            return (
                False  # it came from another source, or was given up, while this one was on its way
            )
        if isinstance(announced, Pack):
            self._receiver.on_pack(announced, [part[3] for part in parts], source, now=now)
            self._unwritten = sum(chunk.length for chunk in announced.chunks)
            self._storage.write([part[:3] for part in parts])
            noted = [(file, index, digest) for file, index, _, digest in parts]
            self._storage.note(noted, self._unwritten)
            self._unwritten = 0
            return True
        [(file, index, data, digest)] = parts
        if not self._receiver.verify(announced, digest, source, now=now):
            return True
        self._storage.write([(file, index, data)])
        self._written.append(announced)
        self._source = source
        is_fast = now - self._came_at < _FAST_S
        self._came_at = now
        if is_fast and len(self._written) < self._together:
            return False
        self.settle(now)
        return True

    def take_zeros(self, message: Zeros, source: DeviceId, now: Monotonic) -> None:
        """Take chunks that are all zero; what was written before has to be settled."""
        kept = self._receiver.on_zeros(message, source, now=now)
        for first, stop in RangeSet((index, index + 1) for index, _ in kept):
            self._storage.write_zeros(message.range.file, first, stop - first)

    def settle(self, now: Monotonic) -> bool:
        """Journal and count what was written; False if there is nothing."""
        written, self._written = self._written, []
        if not written:
            return False
        noted = [(piece.file, piece.index, piece.digest) for piece in written]
        self._storage.note(noted, sum([piece.length for piece in written]))
        self._receiver.take(written, self._source, now=now)
        return True
