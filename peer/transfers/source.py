"""Reading what is offered, chunk by chunk, and noticing when a file is not the one that was offered any more."""

from __future__ import annotations

import errno
import os
import weakref
from collections import OrderedDict
from collections.abc import Sequence

from peer.transfers.survey import PinnedFile, is_held
from wire import limits
from wire.codes import Code

_OPEN = 16  # descriptors kept; a file of one chunk is read and closed
_LOOKED_AT_EVERY = 16 * limits.CHUNK_BYTES
"""Bytes after which a file is looked at again while it leaves: its last digests wait for its pin anyhow, but hours of
sending what changed in the first minute would be for nothing."""
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}


class Reader:
    """The files of one offer, from one thread at a time; descriptors go with it. files: in the manifest's order.

    What goes wrong with a file comes back as the code its asker is told: CHANGED_AT_SENDER, NO_SUCH_FILE or
    FILE_UNREADABLE.
    """

    def __init__(self, files: Sequence[PinnedFile]) -> None:
        self._files = files
        self._open: OrderedDict[int, int] = OrderedDict()
        weakref.finalize(self, _close_all, self._open)

    def read(self, file: int, offset: int, into: memoryview) -> Code | None:
        """Fill `into` from `offset` of a file; None if that went well.

        What cannot be read is tried once more, opened anew: a disk or a share that came back has errors for what was open.
        """
        code = self._read(file, offset, into)
        return self._read(file, offset, into) if code is Code.FILE_UNREADABLE else code

    def holds(self, file: int) -> bool:
        """Say whether a file is still the one that was offered, under its name and in its bytes."""
        pinned = self._files[file]
        try:
            descriptor = self._open.get(file)
            if descriptor is not None and not is_held(os.fstat(descriptor), pinned):
                return False
            return is_held(os.stat(pinned.path), pinned)  # noqa: PTH116 - its path is bytes
        except OSError:
            return False

    def hole_chunks(self, file: int, index: int, most: int) -> int:
        """Count the chunks from `index` on, at most `most`, that lie in a hole of the file whole."""
        pinned = self._files[file]
        start = index * limits.CHUNK_BYTES
        try:
            descriptor = self._descriptor(file)
            if isinstance(descriptor, Code):
                return 0
            try:
                data = os.lseek(descriptor, start, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:  # what is no error: there is no data behind
                    return 0
                data = pinned.size
        except (OSError, AttributeError):
            return 0
        if data >= pinned.size:
            return min(most, -(-(pinned.size - start) // limits.CHUNK_BYTES))
        return min(most, (data - start) // limits.CHUNK_BYTES)

    def close(self) -> None:
        """Let go of all descriptors."""
        _close_all(self._open)

    def _read(self, file: int, offset: int, into: memoryview) -> Code | None:
        pinned = self._files[file]
        if pinned.size <= limits.CHUNK_BYTES:
            return _read_whole(pinned, into)
        try:
            descriptor = self._descriptor(file)
            if isinstance(descriptor, Code):
                return descriptor
            if offset % _LOOKED_AT_EVERY == 0 and not is_held(os.fstat(descriptor), pinned):
                self._forget(file)
                return Code.CHANGED_AT_SENDER
            return None if _filled(descriptor, offset, into) else Code.CHANGED_AT_SENDER
        except OSError:
            self._forget(file)
            return Code.FILE_UNREADABLE

    def _descriptor(self, file: int) -> int | Code:
        found = self._open.get(file)
        if found is not None:
            self._open.move_to_end(file)
            return found
        pinned = self._files[file]
        try:
            descriptor = _opened(pinned)
        except OSError as error:
            return _why(error)
        if descriptor is None:
            return Code.CHANGED_AT_SENDER
        if not is_held(os.fstat(descriptor), pinned):
            os.close(descriptor)
            return Code.CHANGED_AT_SENDER
        self._open[file] = descriptor
        if len(self._open) > _OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor

    def _forget(self, file: int) -> None:
        descriptor = self._open.pop(file, None)
        if descriptor is not None:
            os.close(descriptor)


def _close_all(descriptors: OrderedDict[int, int]) -> None:
    while descriptors:
        os.close(descriptors.popitem()[1])


def _read_whole(pinned: PinnedFile, into: memoryview) -> Code | None:
    """Read a small file that must be the one that was offered; looked at once, when it was read."""
    try:
        descriptor = _opened(pinned)
    except OSError as error:
        return _why(error)
    if descriptor is None:
        return Code.CHANGED_AT_SENDER
    code: Code | None = Code.CHANGED_AT_SENDER
    try:
        code = None if _filled(descriptor, 0, into) else code
    except OSError:
        code = Code.FILE_UNREADABLE
    finally:
        found = os.fstat(descriptor)
        os.close(descriptor)
    return code if is_held(found, pinned) else Code.CHANGED_AT_SENDER


def _opened(pinned: PinnedFile) -> int | None:
    """Open the file that was offered; None for what stands there now and is another.

    Looked at before: to open a device or a fifo may already do something. Raises OSError.
    """
    if not is_held(os.stat(pinned.path), pinned):  # noqa: PTH116 - its path is bytes
        return None
    return os.open(pinned.path, _FLAGS)


def _filled(descriptor: int, offset: int, into: memoryview) -> bool:
    """Fill a buffer from a file; False if it ends before. Raises OSError."""
    position = os.preadv(descriptor, [into], offset)
    while 0 < position < len(into):
        count = os.preadv(descriptor, [into[position:]], offset + position)
        if count == 0:
            break
        position += count
    return position == len(into)


def _why(error: OSError) -> Code:
    return Code.NO_SUCH_FILE if error.errno in _GONE else Code.FILE_UNREADABLE
