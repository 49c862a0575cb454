"""What `send TO -` read: kept below the home for as long as somebody may come for it.

An offer names files that stay where they are; a stream has no such place, so the verb gives it one: `stdin/RANDOM/NAME`. Beside
it stands `stdin/RANDOM.offer` with the offers that it is in, which is on the disk before any of them is made: whatever is
killed when, a stream that somebody was offered is known to be theirs.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from peer.locations import STREAM_MARK
from peer.transfers.disk import fault
from wire.ids import OfferId

ABANDONED_S = 24 * 3600.0
"""A stream without an offer to which nothing came for so long: whoever read it was killed."""


class Streams:
    """The streams of one home. folder: `Locations.stdin`; None: there are none. All of it blocks."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def note(self, paths: Iterable[Path], offer: OfferId) -> None:
        """Note which of these files are streams of this offer, durably. Raises PeerError."""
        if self._folder is None:
            return
        room = Path(os.path.realpath(self._folder))
        for path in paths:
            stream = Path(os.path.realpath(path)).parent
            if stream.parent != room:
                continue
            try:
                with stream.with_suffix(STREAM_MARK).open("a", encoding="ascii") as file:
                    file.write(f"{offer.hex()}\n")
                    file.flush()
                    os.fsync(file.fileno())
                for folder in (stream, room):
                    _sync(folder)
            except OSError as error:
                raise fault(error, room) from error

    def forget(self, offer: OfferId) -> None:
        """Take back a note: the offer was not made."""
        for stream, offers in self.held().items():
            if offers == {offer}:
                stream.with_suffix(STREAM_MARK).unlink(missing_ok=True)

    def held(self) -> Mapping[Path, frozenset[OfferId]]:
        """Give the streams that are kept, each with its offers; one without any only if it was abandoned."""
        try:
            names = [] if self._folder is None else list(self._folder.iterdir())
        except OSError:
            return {}
        streams = {path.with_suffix("") for path in names}
        found = {stream: _offers(stream.with_suffix(STREAM_MARK)) for stream in streams}
        return {each: offers for each, offers in found.items() if offers or _is_abandoned(each)}

    def drop(self, streams: Iterable[Path]) -> None:
        """Remove streams; what cannot be removed now goes when the next node starts."""
        for stream in streams:
            shutil.rmtree(stream, ignore_errors=True)
            if not stream.exists():
                stream.with_suffix(STREAM_MARK).unlink(missing_ok=True)


def _offers(mark: Path) -> frozenset[OfferId]:
    """Read a mark; a line that was cut is no offer's."""
    try:
        lines = mark.read_bytes().split(b"\n")[:-1]
        return frozenset(OfferId(bytes.fromhex(line.decode("ascii"))) for line in lines)
    except (OSError, ValueError):
        return frozenset()


def _is_abandoned(stream: Path) -> bool:
    try:
        newest = max(path.stat().st_mtime for path in (stream, *stream.iterdir()))
    except OSError:
        return False
    return time.time() - newest > ABANDONED_S


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
