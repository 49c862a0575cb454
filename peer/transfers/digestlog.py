"""Digests of chunks that were read of an offer, kept beside it: a program that begins anew reads none again.

Appended in batches and never synced: it is a hint. Each batch carries a check, so what a power cut left of
the last one does not count. Whether a file is still the one whose digests these are is told by its pin,
before anybody signs for it (promise F4).

    batch   count (4) | CRC-32 of what follows (4) | count entries: file (4), chunk (4), digest (32)
"""

from __future__ import annotations

import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from wire import limits
from wire.ids import ChunkDigest
from wire.transfer.ranges import RangeSet

_HEADER = struct.Struct(">II")
_ENTRY = struct.Struct(">II32s")
_BATCH = 64  # entries at most: as much as is read again after a kill, in MiB
_MOST_BYTES = 64 * limits.MIB  # of one log: 1.6 TiB of files


class DigestLog:
    """The digests of one offer, from any thread. path: of the file, which need not be there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._noted: dict[int, RangeSet] = {}
        self._batch: list[bytes] = []
        self._size = 0
        self._descriptor: int | None = None
        self._is_given_up = False

    def load(self) -> Iterator[tuple[int, int, ChunkDigest]]:
        """Give what is kept, (file, chunk, digest) each; blocks. A damaged end is left out."""
        with self._lock:
            self._write()
            self._size = 0
            try:
                with self._path.open("rb") as file:
                    for batch in _batches(file):
                        self._size += _HEADER.size + len(batch)
                        for each, index, digest in _ENTRY.iter_unpack(batch):
                            self._noted.setdefault(each, RangeSet()).add(index, index + 1)
                            yield each, index, ChunkDigest(digest)
            except OSError:
                return

    def note(self, file: int, index: int, digest: ChunkDigest) -> None:
        """Keep a digest, if it is not kept yet."""
        with self._lock:
            noted = self._noted.get(file)
            if noted is None:
                noted = self._noted[file] = RangeSet()
            if index in noted:
                return
            noted.add(index, index + 1)
            self._batch.append(_ENTRY.pack(file, index, digest))
            if len(self._batch) >= _BATCH:
                self._write()

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._write()
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None

    def _write(self) -> None:
        batch, self._batch = b"".join(self._batch), []
        is_beyond = self._size + _HEADER.size + len(batch) > _MOST_BYTES
        if not batch or self._is_given_up or is_beyond:
            return
        data = _HEADER.pack(len(batch) // _ENTRY.size, zlib.crc32(batch)) + batch
        try:
            if self._descriptor is None:
                flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                self._descriptor = os.open(self._path, flags, 0o600)
                os.ftruncate(self._descriptor, self._size)
            written = os.pwrite(self._descriptor, data, self._size)
        except OSError:
            self._is_given_up = True
            return
        if written < len(data):
            self._is_given_up = True
            with suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            return
        self._size += len(data)


def _batches(file: BinaryIO) -> Iterator[bytes]:
    """Give the entries of each batch that is whole, up to the first that is not."""
    while len(header := file.read(_HEADER.size)) == _HEADER.size:
        count, check = _HEADER.unpack(header)
        batch = file.read(count * _ENTRY.size) if 0 < count <= _BATCH else b""
        if not batch or len(batch) < count * _ENTRY.size or zlib.crc32(batch) != check:
            return
        yield batch
