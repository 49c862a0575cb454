"""Lending what came of somebody else's offer: read from where it lies now, under way or under its final name.

Nothing of it is trusted: a chunk goes out only with the digest that was signed (`Holding.judge`).
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from msgspec import Struct, field

from peer.transfers.sharing import Taken
from peer.transfers.taken import TakenRecord
from wire.codes import Code
from wire.errors import RemoteProtocolError, WireError
from wire.transfer import manifest
from wire.transfer.digests import read_digests
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.lending import Lending
from wire.transfer.manifest import Entry
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet
from wire.transfer.vouched import Vouched

_OPEN = 16  # descriptors kept
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | getattr(os, "O_NOFOLLOW", 0)


class Lent(Struct):
    """An offer that this device took, as far as it lends it.

    manifest: its bytes; files: its entries that are files. open_part: opens what came of a file, as long as it is
    under way; landed: the path of the one top, or of the folder of several, from then on.
    """

    key: OfferKey
    manifest: bytes
    files: Sequence[Entry]
    lending: Lending
    open_part: Callable[[int], int] | None = None
    landed: Path | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def holding(self) -> Holding:
        """Give what one link serves of it."""
        sizes = [entry.size for entry in self.files]
        return Holding(self.key, manifest=self.manifest, sizes=sizes, lending=self.lending)

    def open_file(self, file: int) -> int:
        """Open a file for reading; raises OSError."""
        open_part = self.open_part
        if open_part is not None and self.landed is None:
            return open_part(file)
        if self.landed is None:
            raise FileNotFoundError(self.files[file].path)
        top, _, rest = self.files[file].path.partition("/")
        path = self.landed
        if self._is_of_one_top():
            path = path / rest if rest else path
        else:
            path = path / top / rest if rest else path / top
        return os.open(path, _FLAGS)

    def _is_of_one_top(self) -> bool:
        first = self.files[0].path.partition("/")[0]
        return all(entry.path.partition("/")[0] == first for entry in self.files)


class LentReader:
    """Reads what is lent, as `peer.transfers.source.Reader` does what is offered; from one thread at a time."""

    def __init__(self, lent: Lent) -> None:
        self._lent = lent
        self._open: OrderedDict[int, int] = OrderedDict()

    def read(self, file: int, offset: int, into: memoryview) -> Code | None:
        """Fill `into` from `offset` of a file; None if that went well."""
        try:
            descriptor = self._descriptor(file)
            position = 0
            while position < len(into):
                count = os.preadv(descriptor, [into[position:]], offset + position)
                if count == 0:
                    return Code.CHANGED_AT_SENDER
                position += count
        except FileNotFoundError:
            return Code.NO_SUCH_FILE
        except OSError:
            return Code.FILE_UNREADABLE
        return None

    def holds(self, file: int) -> bool:  # noqa: ARG002 - as of `Reader`
        """Say whether a file may be vouched for: never, by who only lends it."""
        return False

    def hole_chunks(self, file: int, index: int, most: int) -> int:  # noqa: ARG002
        """Count the chunks that need not be read: none, all are judged by their bytes."""
        return 0

    def close(self) -> None:
        """Let go of all descriptors."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _descriptor(self, file: int) -> int:
        found = self._open.get(file)
        if found is not None:
            self._open.move_to_end(file)
            return found
        descriptor = self._open[file] = self._lent.open_file(file)
        if len(self._open) > _OPEN:
            os.close(self._open.popitem(last=False)[1])
        return descriptor


def recall(record: TakenRecord, key: OfferKey, taken: Taken) -> Lent | None:
    """Give what an earlier life took and landed, as far as its notes prove it; None: nothing. Blocks."""
    found = record.load(taken.manifest_digest)
    if found is None:
        return None
    content, batches = found
    try:
        files = [entry for entry in manifest.decode(content) if entry.is_file]
    except RemoteProtocolError:
        return None
    vouched = Vouched(Places([entry.size for entry in files]))
    for signed in batches:
        with suppress(WireError):  # damaged on the disk
            batch = read_digests(signed, taken.signing_key)
            if (batch.device, batch.offer) == key:
                vouched.take(signed, batch)
    lending = Lending(vouched, RangeSet([(0, vouched.places.count)]))
    return Lent(key, content, files, lending, landed=taken.landed)
