"""Reading a journal: what it says of each file, and which of that has to be hashed again.

Read in one pass and in blocks, so that the journal of one file of many TiB and that of 100,000 small ones
both cost little memory: 32 bytes a chunk for large files, one dictionary entry for a small one.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections import deque
from collections.abc import Iterator

from msgspec import Struct, field

from peer.transfers.disk import Disk
from peer.transfers.journal import (
    ENTRY,
    HEADER,
    MAGIC,
    NO_NAME,
    VERSION,
    Kind,
    header,
    offer_mark,
)
from wire import limits
from wire.transfer.digests import DIGEST_BYTES
from wire.transfer.holding import OfferKey
from wire.transfer.ranges import RangeSet

_BLOCK_ENTRIES = 16 * 1024
_HINTS = frozenset({Kind.CHUNK, Kind.ZEROS, Kind.ASKED, Kind.FILES})
_FACTS = frozenset({Kind.WHOLE, Kind.DROPPED, Kind.FAILED, Kind.PINNED, Kind.LANDING})
_PROOFS = frozenset({Kind.PROOF, Kind.SYNCED})
_CHECKED = ENTRY.size - 4
_PIN = struct.Struct(">QQ")


class Found(enum.Enum):
    """What a file called `journal` turned out to be."""

    OURS = "ours"  # of this offer and this manifest
    STALE = "stale"  # of this offer, with another manifest or version, or torn before it began
    FOREIGN = "foreign"  # of another offer, or no journal at all


class ChunkNotes(Struct):
    """Of a file with a chunk beyond the first: which chunks, their digests, which are in doubt."""

    known: RangeSet = field(default_factory=RangeSet)
    zeros: RangeSet = field(default_factory=RangeSet)  # those of `known` that are zero
    doubtful: RangeSet = field(default_factory=RangeSet)  # not covered by a mark
    asked: RangeSet = field(default_factory=RangeSet)
    pin: tuple[int, int] | None = None
    _pages: dict[int, bytearray] = field(default_factory=dict)

    def put(self, index: int, digest: bytes) -> None:
        """Take a chunk's digest."""
        page, place = divmod(index, limits.PAGE_DIGESTS)
        digests = self._pages.setdefault(page, bytearray())
        start = place * DIGEST_BYTES
        if len(digests) < start:
            digests.extend(bytes(start - len(digests)))
        digests[start : start + DIGEST_BYTES] = digest
        self.known.add(index, index + 1)
        self.zeros.remove(index, index + 1)

    def digest(self, index: int) -> bytes | None:
        """Give the digest of a known chunk, None for one of zeros."""
        if index in self.zeros:
            return None
        page, place = divmod(index, limits.PAGE_DIGESTS)
        return bytes(self._pages[page][place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES])

    def drop(self, first: int, stop: int) -> None:
        """Forget chunks."""
        for chunks in (self.known, self.zeros, self.doubtful):
            chunks.remove(first, stop)


class Notes(Struct):
    """What a journal says.

    singles: the digest by file, where the first chunk is all there is. several: other files. wholes: files
    that were vouched for. failed: why, by file that could not be had. doubtful: of `singles`. asked: of
    them, asked for and not here. landing: the number of its name by entry at the top; not empty means that all
    was whole.
    """

    singles: dict[int, bytes] = field(default_factory=dict)
    several: dict[int, ChunkNotes] = field(default_factory=dict)
    wholes: set[int] = field(default_factory=set)
    failed: dict[int, str] = field(default_factory=dict)
    doubtful: set[int] = field(default_factory=set)
    asked: set[int] = field(default_factory=set)
    landing: dict[int, int] = field(default_factory=dict)
    size: int = 0  # bytes of the journal that count
    check: int = 0  # CRC-32 of them
    written_ns: int = 0  # when somebody wrote to it last, before it was opened

    def files(self) -> Iterator[int]:
        """Give the files that it speaks of, in order."""
        yield from sorted({*self.singles, *self.several, *self.wholes, *self.asked})

    def chunks_of(self, file: int) -> ChunkNotes:
        """Give the notes of a file of several chunks; what was noted of its first goes with it."""
        notes = self.several.get(file)
        if notes is None:
            notes = self.several[file] = ChunkNotes()
            if (digest := self.singles.pop(file, None)) is not None:
                notes.put(0, digest)
            if file in self.asked:
                self.asked.discard(file)
                notes.asked.add(0, 1)
        return notes

    def hint(self, kind: int, file: int, first: int, content: bytes) -> None:
        """Take a hint."""
        if kind == Kind.CHUNK:
            if first == 0 and file not in self.several:
                self.singles[file] = content
                self.asked.discard(file)
            else:
                notes = self.chunks_of(file)
                notes.put(first, content)
                notes.pin = None
        elif kind == Kind.ZEROS:
            notes = self.chunks_of(file)
            stop = _stop(content)
            notes.known.add(first, stop)
            notes.zeros.add(first, stop)
            notes.pin = None
        elif kind == Kind.FILES:
            stop = min(_stop(content), limits.FILES_PER_OFFER)
            self.asked.update(each for each in range(file, stop) if each not in self.singles)
        elif first == 0 and _stop(content) == 1 and file not in self.several:
            self.asked.add(file)
        else:
            self.chunks_of(file).asked.add(first, _stop(content))

    def fact(self, kind: int, file: int, first: int, content: bytes) -> None:
        """Take a fact that is proven."""
        if kind == Kind.WHOLE:
            self.wholes.add(file)
            self.failed.pop(file, None)
        elif kind == Kind.FAILED:
            self.failed[file] = content.rstrip(b"\0").decode(errors="replace")
        elif kind == Kind.LANDING:
            self.landing[file] = first
            if first == NO_NAME:
                del self.landing[file]
        elif kind == Kind.PINNED:
            at, inode = _PIN.unpack_from(content)
            self.chunks_of(file).pin = (at, inode)
        else:
            self.wholes.discard(file)
            if first == 0:
                self.singles.pop(file, None)
            if file in self.several:
                self.several[file].drop(first, _stop(content))

    def doubt(self, kind: int, file: int, first: int, content: bytes) -> None:
        """Take note that no mark covers a hint."""
        if kind in (Kind.ASKED, Kind.FILES):
            return
        if file not in self.several:
            if file in self.singles:
                self.doubtful.add(file)
            return
        stop = first + 1 if kind == Kind.CHUNK else _stop(content)
        notes = self.several[file]
        for span in notes.known.within(first, stop):
            notes.doubtful.add(*span)


def recognise(start: bytes, key: OfferKey, manifest_digest: bytes) -> Found:
    """Say whose journal begins with these bytes (64, or fewer if that is all there is)."""
    if start == header(key, manifest_digest):
        return Found.OURS
    if not any(start):
        return Found.STALE  # made, and then the power went
    if len(start) < HEADER.size:
        return Found.STALE if MAGIC.startswith(start[: len(MAGIC)]) else Found.FOREIGN
    magic, version, offer, _, _ = HEADER.unpack(start)
    is_of_offer = magic == MAGIC and (version != VERSION or offer == offer_mark(key))
    return Found.STALE if is_of_offer else Found.FOREIGN


def read(disk: Disk, descriptor: int) -> Notes:
    """Read the entries of a journal whose beginning was recognised; raises OSError.

    The notes say how much of it counts: the caller cuts the rest off and goes on from there.
    """
    reader = _Reader()
    written_ns = disk.fstat(descriptor).st_mtime_ns
    buffer = bytearray(_BLOCK_ENTRIES * ENTRY.size)
    start = bytearray(HEADER.size)
    disk.preadv(descriptor, [memoryview(start)], 0)
    reader.check = zlib.crc32(start)
    position = HEADER.size
    while reader.is_good:
        got = disk.preadv(descriptor, [memoryview(buffer)], position)
        whole = got - got % ENTRY.size
        if whole == 0:
            break
        reader.block(memoryview(buffer)[:whole])
        position += whole
    found = reader.notes_at_end()
    found.written_ns = written_ns
    return found


class _Reader:
    """Takes entries block by block."""

    def __init__(self) -> None:
        self.is_good = True
        self.check = 0  # CRC-32 of all up to the end of the last block
        self._notes = Notes()
        self._number = 0
        self._facts: list[tuple[int, int, int, bytes]] = []  # not proven yet
        self._good = (0, 0)  # entries and CRC-32 before the first of those
        self._doubtful: deque[tuple[int, tuple[int, int, int, bytes]]] = deque()

    def block(self, block: memoryview) -> None:
        """Take whole entries."""
        checked = 0  # bytes of the block that `check` has
        for position, entry in enumerate(ENTRY.iter_unpack(block)):
            kind = entry[0]
            at = position * ENTRY.size
            if kind in _HINTS and not self._facts:
                self._notes.hint(*entry)
                self._doubtful.append((self._number, entry))
            elif kind in _FACTS:
                if not self._facts:
                    self.check = zlib.crc32(block[checked:at], self.check)
                    checked = at
                    self._good = (self._number, self.check)
                self._facts.append(entry)
            elif kind in _PROOFS:
                before = zlib.crc32(block[checked : at + _CHECKED], self.check)
                if entry[3][-4:] != before.to_bytes(4, "big"):
                    return self._end(block, checked, at)
                checked = at + ENTRY.size
                self.check = zlib.crc32(entry[3][-4:], before)
                self._prove(entry)
            else:
                return self._end(block, checked, at)
            self._number += 1
        self.check = zlib.crc32(block[checked:], self.check)
        return None

    def _prove(self, entry: tuple[int, int, int, bytes]) -> None:
        for fact in self._facts:
            self._notes.fact(*fact)
        self._facts.clear()
        if entry[0] == Kind.SYNCED:
            covered = int.from_bytes(entry[3][:8], "big")
            while self._doubtful and self._doubtful[0][0] < covered:
                self._doubtful.popleft()

    def _end(self, block: memoryview, checked: int, at: int) -> None:
        """Stop before the entry at `at`: it is torn or damaged."""
        self.is_good = False
        self.check = zlib.crc32(block[checked:at], self.check)

    def notes_at_end(self) -> Notes:
        """Give what was read."""
        number, check = self._good if self._facts else (self._number, self.check)
        for _, entry in self._doubtful:
            self._notes.doubt(*entry)
        self._notes.size = HEADER.size + number * ENTRY.size
        self._notes.check = check
        return self._notes


def _stop(content: bytes) -> int:
    return int.from_bytes(content[:4], "big")
