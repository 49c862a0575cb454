"""The journal of one transfer that comes in: what was written, what of it reached the disk, what is settled.

It begins with 64 bytes: `HBNBJRNL`, the version (1 byte), 3 zeros, 16 bytes that name the offer, the manifest's
digest (32), CRC-32 of these 60. A journal of another offer or manifest does not count. Then entries of 41 bytes,
appended and not synced, numbers big-endian:

    kind     1   one of `Kind`
    file     4   index of the file (for LANDING: of the entry that stands at the top)
    first    4   chunk index (for LANDING: the number its name got, 0 for none any more)
    content 32   CHUNK: the digest. ZEROS, ASKED, DROPPED, FILES: where the range ends (4). FAILED: a code. PINNED: modification time
                 and inode of the part file (8 each). SYNCED: how many entries before are on the disk (8).
                 PROOF and SYNCED end with CRC-32 of the whole journal before these 4 bytes.

Three sorts of entries: *hints* (CHUNK, ZEROS, ASKED, FILES) count as they stand, for what they claim is hashed again
unless a SYNCED mark covers it; *facts* (WHOLE, DROPPED, FAILED, PINNED, LANDING) count once a proof follows; *proofs*
(PROOF, SYNCED) vouch for every byte before them. A torn or damaged tail ends the journal where it begins.
"""

from __future__ import annotations

import enum
import struct
import threading
import zlib
from collections.abc import Iterable

from blake3 import blake3

from peer.transfers.disk import CREATE_FILE, REOPEN_FILE, Disk, write_all
from wire.transfer.holding import OfferKey

NAME = b"journal"
MAGIC = b"HBNBJRNL"
VERSION = 1
HEADER = struct.Struct(">8sB3x16s32sI")
ENTRY = struct.Struct(">BII32s")
_STOP = struct.Struct(">I28x")
_PIN = struct.Struct(">QQ16x")
_MARK = struct.Struct(">Q20x")
_CHECK_BYTES = 4
_WRAP = 2**64
NO_NAME = 0
"""The number of a name that was chosen and is so no more."""


class Kind(enum.IntEnum):
    """What an entry says; never renumbered."""

    CHUNK = 1  # this chunk was written and has this digest
    ZEROS = 2  # these chunks are zero, and were made so
    ASKED = 3  # these chunks were asked for
    WHOLE = 4  # somebody vouched for this file; its time and length are set
    DROPPED = 5  # these chunks do not count any more, nor the file as whole
    PINNED = 6  # how the part file stood when everything was closed in good order
    LANDING = 7  # the name that an entry at the top lands under is chosen
    PROOF = 8
    SYNCED = 9
    FILES = 10  # these files of one chunk, `file` and those behind it, were asked for
    FAILED = 11  # whoever offers this file could not give it: why


class Journal:
    """Appends to one journal, from any thread.

    descriptor: of the file, owned from here on. size: bytes it has. check: CRC-32 of them. A write that
    fails leaves it as it was: the next one goes to the same place.
    """

    def __init__(self, disk: Disk, descriptor: int, size: int, check: int) -> None:
        self._disk = disk
        self._descriptor = descriptor
        self._size = size
        self._check = check
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many entries there are."""
        return (self._size - HEADER.size) // ENTRY.size

    def chunks(self, written: Iterable[tuple[int, int, bytes]]) -> None:
        """Note chunks that were written: (file, index, digest) each."""
        pack = ENTRY.pack
        self._append([pack(Kind.CHUNK, file, index, digest) for file, index, digest in written])

    def zeros(self, file: int, first: int, stop: int) -> None:
        """Note chunks that are zero."""
        self._append([ENTRY.pack(Kind.ZEROS, file, first, _STOP.pack(stop))])

    def asked(
        self, ranges: Iterable[tuple[int, int, int]], files: Iterable[tuple[int, int]] = ()
    ) -> None:
        """Note what is asked for: chunks (file, first, stop), and runs of files of one (first, stop)."""
        entries = [ENTRY.pack(Kind.ASKED, f, first, _STOP.pack(stop)) for f, first, stop in ranges]
        entries += [ENTRY.pack(Kind.FILES, first, 0, _STOP.pack(stop)) for first, stop in files]
        self._append(entries)

    def whole(self, files: Iterable[int]) -> None:
        """Note files that somebody vouched for."""
        self._append([ENTRY.pack(Kind.WHOLE, file, 0, b"") for file in files], Kind.PROOF)

    def dropped(self, ranges: Iterable[tuple[int, int, int]]) -> None:
        """Note durably chunks that do not count any more, (file, first, stop) each.

        Before anything is written in their place: of that the name, length and time could be on the disk before the
        bytes are, and an earlier mark would vouch for it.
        """
        self._append(
            [ENTRY.pack(Kind.DROPPED, f, first, _STOP.pack(stop)) for f, first, stop in ranges],
            Kind.PROOF,
        )
        self.sync()

    def failed(self, file: int, code: str) -> None:
        """Note that nothing of a file counts, since it cannot be had; code: why, at most 32 bytes."""
        everything = _STOP.pack(2**32 - 1)
        entries = [
            ENTRY.pack(Kind.DROPPED, file, 0, everything),
            ENTRY.pack(Kind.FAILED, file, 0, code.encode()),
        ]
        self._append(entries, Kind.PROOF)

    def landing(self, names: Iterable[tuple[int, int]]) -> None:
        """Note durably which names were chosen: (entry at the top, number of its name) each."""
        self._append([ENTRY.pack(Kind.LANDING, e, number, b"") for e, number in names], Kind.PROOF)
        self.sync()

    def mark(self, count: int) -> None:
        """Note that what the first `count` entries claim is on the disk, and sync the journal."""
        self._append([], Kind.SYNCED, _MARK.pack(count))
        self.sync()

    def end(self, pins: Iterable[tuple[int, int, int]], count: int) -> None:
        """Mark, and note how the parts stand: (file, modification time, inode) each."""
        entries = [
            ENTRY.pack(Kind.PINNED, file, 0, _PIN.pack(at % _WRAP, inode % _WRAP))
            for file, at, inode in pins
        ]
        self._append(entries, Kind.SYNCED, _MARK.pack(count))
        self.sync()

    def sync(self) -> None:
        """Bring the journal to the disk."""
        self._disk.fdatasync(self._descriptor)

    def close(self) -> None:
        """Let go of it."""
        self._disk.close(self._descriptor)

    def _append(
        self, entries: list[bytes], proof: Kind | None = None, content: bytes = b""
    ) -> None:
        """Append entries as one; a proof behind them vouches for them and all before."""
        data = b"".join(entries)
        if proof is not None:
            data += ENTRY.pack(proof, 0, 0, content)[:-_CHECK_BYTES]
        with self._lock:
            check = zlib.crc32(data, self._check)
            if proof is not None:
                ending = check.to_bytes(_CHECK_BYTES, "big")
                data, check = data + ending, zlib.crc32(ending, check)
            write_all(self._disk, self._descriptor, memoryview(data), self._size)
            self._size += len(data)
            self._check = check


def header(key: OfferKey, manifest_digest: bytes) -> bytes:
    """Give what the journal of this offer with this manifest begins with."""
    start = HEADER.pack(MAGIC, VERSION, offer_mark(key), manifest_digest, 0)[:-_CHECK_BYTES]
    return start + zlib.crc32(start).to_bytes(_CHECK_BYTES, "big")


def offer_mark(key: OfferKey) -> bytes:
    """Give the 16 bytes by which a journal names its offer."""
    return blake3(key.device + key.offer).digest(length=16)


def begin(disk: Disk, folder: int, key: OfferKey, manifest_digest: bytes) -> Journal:
    """Make the journal in a folder (a descriptor) that has none, locked and on the disk."""
    descriptor = disk.open(NAME, CREATE_FILE, 0o600, dir_fd=folder)
    try:
        disk.lock(descriptor)
        start = header(key, manifest_digest)
        write_all(disk, descriptor, memoryview(start), 0)
        disk.fsync(descriptor)
        disk.fsync(folder)
    except BaseException:
        disk.close(descriptor)
        raise
    return Journal(disk, descriptor, len(start), zlib.crc32(start))


def open_found(disk: Disk, folder: int, *, is_locked: bool = True) -> int | None:
    """Open the journal of a folder, whatever is in it; None if there is none.

    is_locked: for this process alone. Raises OSError: BlockingIOError while another process has it, ELOOP
    where it is a link.
    """
    try:
        descriptor = disk.open(NAME, REOPEN_FILE, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        if is_locked:
            disk.lock(descriptor)
    except BaseException:
        disk.close(descriptor)
        raise
    return descriptor
