"""What this device took of others' offers and may lend: the manifest, and the digests that were signed, per offer.

A file of its own for each, below the home: the manifest first, then each signed batch as it came. Nothing is synced:
each batch proves itself when it is read, the manifest by its digest, and what is lost comes again from whoever has it.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from wire import limits
from wire.transfer import manifest
from wire.transfer.holding import OfferKey

log = logging.getLogger("peer")
_SUFFIX: Final = ".taken"
_HEAD: Final = struct.Struct(">I")  # bytes that follow
_BATCH_BYTES: Final = 64 * limits.KIB


class TakenRecord:
    """The record of one offer. folder: where records are, made when it is needed; key: the offer.

    A disk that refuses costs only what could be lent after a restart: it is logged, and raises nothing.
    """

    def __init__(self, folder: Path, key: OfferKey) -> None:
        self._path = path_of(folder, key)
        self._written = 0  # batches

    def load(self, digest: bytes) -> tuple[bytes, list[bytes]] | None:
        """Give the manifest and the batches that were kept, unverified; None: not of this manifest. Blocks.

        digest: 32 bytes, of the manifest.
        """
        try:
            content = memoryview(self._path.read_bytes())
        except OSError:
            return None
        parts: list[bytes] = []
        position = 0
        while position + _HEAD.size <= len(content):
            (size,) = _HEAD.unpack_from(content, position)
            position += _HEAD.size
            if position + size > len(content) or (parts and size > _BATCH_BYTES):
                break  # torn
            parts.append(bytes(content[position : position + size]))
            position += size
        if not parts or manifest.digest(parts[0]) != digest:
            return None
        self._written = len(parts) - 1
        return parts[0], parts[1:]

    def begin(self, content: bytes) -> None:
        """Keep the manifest, in place of all that was kept. Blocks."""
        self._written = 0
        with suppress(OSError):
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write(os.O_CREAT | os.O_TRUNC, [content])

    def add(self, batches: list[bytes]) -> None:
        """Keep the batches that are not yet kept. batches: all there are, oldest first. Blocks."""
        if len(batches) > self._written:
            fresh = batches[self._written :]
            self._written = len(batches)
            self._write(os.O_APPEND, fresh)

    def _write(self, flags: int, parts: Iterable[bytes]) -> None:
        content = b"".join(_HEAD.pack(len(part)) + part for part in parts)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC | flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
        except OSError as error:
            log.info("what could be lent of an offer is not noted: %s", error.strerror or error)


def path_of(folder: Path, key: OfferKey) -> Path:
    """Give where the record of an offer stands."""
    return folder / f"{key.device.hex()}-{key.offer.hex()}{_SUFFIX}"


def sweep(folder: Path, wanted: Collection[OfferKey]) -> None:
    """Forget the offers that are not lent any more. Blocks."""
    names = {path_of(folder, key).name for key in wanted}
    try:
        found = list(folder.iterdir())
    except OSError:
        return
    for path in found:
        if path.name not in names:
            with suppress(OSError):  # the next start sweeps it
                path.unlink()
