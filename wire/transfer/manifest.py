"""The list of files and folders of an offer: its canonical bytes, its digest, its pages.

A manifest is a MessagePack array of entries, sorted by the components of their paths (as UTF-8 bytes),
so that a folder stands right before what is in it and two entries of one place stand together. Every
folder has an entry of its own. `FileIndex` on the wire counts the files alone, from 0, in this order.

What is checked here is what every receiver must refuse: limits, nonsense, places named twice, a file
with something in it, paths that leave their folder. How a name that passes is stored on this machine's
disk, twins that only its file system confuses included, is not a matter of the wire
(`peer.transfers.paths`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice, repeat
from operator import ge, gt
from typing import Annotated, Final

import msgspec
from blake3 import blake3

from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError

FILE: Final = 0
FOLDER: Final = 1


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file or folder of a manifest; it holds nothing that could hold it (`gc`), and there are many.

    path: relative, components joined by `/`, at most 4,096 bytes of UTF-8 and 64 components.
    kind: FILE or FOLDER. size: bytes, 0 for a folder. mtime_ms: milliseconds since 1970, UTC; a label
    that the receiver clamps. dense_bytes: how many of `size` are no holes as far as the sender's file
    system tells; a hint for checks of space, never more than `size`.
    """

    path: Annotated[str, msgspec.Meta(max_length=limits.PATH_BYTES)]
    kind: int
    size: int
    is_executable: bool
    mtime_ms: int
    dense_bytes: int = -1

    @property
    def is_file(self) -> bool:
        """Tell files from folders."""
        return self.kind == FILE

    @property
    def needed_bytes(self) -> int:
        """How much space this takes, as far as the sender told."""
        return self.size if self.dense_bytes < 0 else self.dense_bytes


_LEAVING: Final = frozenset({"", ".", ".."})
_CHECKED_AT_ONCE: Final = 1024  # entries
_UTF8_MOST: Final = 4  # bytes of a character
_ENTRIES: Final = limits.FILES_PER_OFFER + limits.FOLDERS_PER_OFFER
_FIXED_ARRAY: Final = 0x90  # of MessagePack: the count of elements in the same byte, up to 15
_ARRAY_16: Final = 0xDC
_ARRAY_32: Final = 0xDD  # of MessagePack: the count of elements follows, 4 bytes
_decoder = msgspec.msgpack.Decoder(list[Entry], strict=True)
_entry_decoder = msgspec.msgpack.Decoder(Entry, strict=True)
_encoder = msgspec.msgpack.Encoder()


def digest(content: bytes | bytearray) -> bytes:
    """Give the 32 bytes by which an offer names its manifest: BLAKE3 of the manifest's bytes."""
    return blake3(content).digest()


def order(path: str) -> bytes:
    """Give what entries are sorted by: as the list of the path's components in UTF-8 would be.

    A zero byte, which no component may have, stands between them and is less than all that they may have.
    """
    return path.replace("/", "\0").encode()


def encode(entries: Iterable[Entry]) -> bytes:
    """Give the canonical bytes of these entries, whatever order they come in.

    Raises LocalProtocolError where they break a rule: a manifest of ours that others would refuse.
    """
    arranged = sorted(entries, key=lambda entry: order(entry.path))
    try:
        check(arranged)
    except WireError as problem:
        raise LocalProtocolError(problem.detail, problem.code) from problem
    return _encoder.encode(arranged)


def join(packed: Sequence[bytes]) -> bytes:
    """Make a manifest of entries that are packed one by one, and sorted; the same bytes as `encode`.

    packed: MessagePack of each `Entry`. Raises as `encode`.
    """
    try:
        check(map(_entry_decoder.decode, packed))
    except WireError as problem:
        raise LocalProtocolError(problem.detail, problem.code) from problem
    return array_of(packed)


def array_of(packed: Sequence[bytes]) -> bytes:
    """Put packed values together as one MessagePack array."""
    count = len(packed)
    if count < 16:
        head = bytes([_FIXED_ARRAY | count])
    elif count < 2**16:
        head = bytes([_ARRAY_16]) + count.to_bytes(2, "big")
    else:
        head = bytes([_ARRAY_32]) + count.to_bytes(4, "big")
    return b"".join((head, *packed))


def decode(content: bytes | bytearray) -> list[Entry]:
    """Read and check a manifest that somebody else wrote.

    content: its bytes, whose digest was compared with the offer's. Raises RemoteProtocolError with
    MANIFEST_INVALID, MANIFEST_CONFLICT, NAME_UNSAFE, NAME_TOO_LONG, SIZE_INVALID or TOO_MANY_FILES.
    """
    if content[:1] == bytes([_ARRAY_32]) and int.from_bytes(content[1:5], "big") > _ENTRIES:
        # before a single entry is made: 128 MiB hold 19 million, and those 1.5 GiB
        raise RemoteProtocolError(
            Code.TOO_MANY_FILES, "it says that it has more entries than may be"
        )
    try:
        entries = _decoder.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RemoteProtocolError(Code.MANIFEST_INVALID, "it is no list of entries") from problem
    check(entries)
    return entries


def check(entries: Iterable[Entry]) -> None:
    """Check the rules that hold for every manifest, in one pass; raises as `decode`."""
    rest, seen = iter(entries), _Seen()
    while batch := list(islice(rest, _CHECKED_AT_ONCE)):
        if not seen.take_all(batch):
            for entry in batch:
                seen.take(entry)
    if not seen.number:
        raise RemoteProtocolError(Code.MANIFEST_INVALID, "it has no entries")


class _Seen:
    """The entries of a manifest that were checked: a place has to stand behind them, in a folder of theirs."""

    def __init__(self) -> None:
        self.number = 0
        self._counts = [0, 0]
        self._folders: set[str] = {""}
        self._previous = ""  # the last one's place
        self._previous_file = ""

    def take_all(self, batch: Sequence[Entry]) -> bool:
        """Take entries that keep every rule beyond doubt; False: none was taken, look at each.

        Many at once cost a third of what they cost one by one, measured 2026-11.
        """
        paths = [entry.path for entry in batch]
        places = [path.replace("/", "\0") for path in paths]
        text = "/" + "/\0/".join(paths) + "/"
        longest = max(map(len, paths))
        if (
            longest > limits.PATH_BYTES // _UTF8_MOST
            or (longest > 2 * limits.PATH_DEPTH and _deepest(paths) > limits.PATH_DEPTH)
            or any(leaving in text for leaving in ("//", "/./", "/../"))
            or text.count("\0") != len(paths) - 1
            or self._previous >= places[0]
            or any(map(ge, places, islice(places, 1, None)))
        ):
            return False
        files = [entry for entry in batch if entry.kind == FILE]
        folders = [entry for entry in batch if entry.kind == FOLDER]
        sizes = [entry.size for entry in files]
        dense = [entry.dense_bytes for entry in files]
        if (
            len(files) + len(folders) != len(batch)
            or self._counts[FILE] + len(files) > limits.FILES_PER_OFFER
            or self._counts[FOLDER] + len(folders) > limits.FOLDERS_PER_OFFER
            or min(sizes, default=0) < 0
            or max(sizes, default=0) > limits.FILE_BYTES
            or min(dense, default=0) < -1
            or any(map(gt, dense, sizes))
            or any(entry.size or not -1 <= entry.dense_bytes <= 0 for entry in folders)
        ):
            return False
        inside = {entry.path for entry in folders}
        if not {path.rpartition("/")[0] for path in paths} <= self._folders | inside:
            return False
        self.number += len(batch)
        self._counts[FILE] += len(files)
        self._counts[FOLDER] += len(folders)
        self._folders |= inside
        self._previous = places[-1]
        self._previous_file = files[-1].path if files else self._previous_file
        return True

    def take(self, entry: Entry) -> None:
        """Take the next one; raises as `check`, with its number."""
        number, place = self.number, entry.path.replace("/", "\0")
        _check_entry(number, entry)
        self._counts[entry.kind] += 1
        if (
            self._counts[FILE] > limits.FILES_PER_OFFER
            or self._counts[FOLDER] > limits.FOLDERS_PER_OFFER
        ):
            raise RemoteProtocolError(
                Code.TOO_MANY_FILES,
                f"it has more than {limits.FILES_PER_OFFER} files or {limits.FOLDERS_PER_OFFER} folders",
            )
        if place == self._previous:
            raise RemoteProtocolError(Code.MANIFEST_CONFLICT, f"entry {number} is there twice")
        if place < self._previous:
            raise RemoteProtocolError(Code.MANIFEST_INVALID, f"entry {number} is out of order")
        parent = entry.path.rpartition("/")[0]
        if parent not in self._folders:
            if parent == self._previous_file:
                raise RemoteProtocolError(
                    Code.MANIFEST_CONFLICT, f"entry {number} lies in a file of the same name"
                )
            raise RemoteProtocolError(Code.MANIFEST_INVALID, f"entry {number} lies in no folder")
        if entry.kind == FILE:
            self._previous_file = entry.path
        else:
            self._folders.add(entry.path)
        self._previous = place
        self.number += 1


def _deepest(paths: Iterable[str]) -> int:
    """Count the components of the path that has most."""
    return 1 + max(map(str.count, paths, repeat("/")))


def _check_entry(number: int, entry: Entry) -> None:
    path = entry.path
    if len(path.encode()) > limits.PATH_BYTES:
        raise RemoteProtocolError(Code.NAME_TOO_LONG, f"entry {number} is beyond 4096 bytes")
    components = path.split("/")
    if len(components) > limits.PATH_DEPTH:
        raise RemoteProtocolError(
            Code.NAME_TOO_LONG, f"entry {number} lies deeper than {limits.PATH_DEPTH} folders"
        )
    if not _LEAVING.isdisjoint(components):
        raise RemoteProtocolError(Code.NAME_UNSAFE, f"entry {number} would leave its folder")
    if "\0" in path:
        raise RemoteProtocolError(Code.NAME_UNSAFE, f"entry {number} has a zero byte in its name")
    if entry.kind not in {FILE, FOLDER}:
        raise RemoteProtocolError(Code.MANIFEST_INVALID, f"entry {number} is of no known kind")
    most = limits.FILE_BYTES if entry.kind == FILE else 0
    if not 0 <= entry.size <= most or not -1 <= entry.dense_bytes <= entry.size:
        raise RemoteProtocolError(Code.SIZE_INVALID, f"entry {number} has a size that cannot be")


def files_of(entries: Sequence[Entry]) -> int:
    """Count the files (folders do not count)."""
    return sum(entry.kind == FILE for entry in entries)


def bytes_of(entries: Sequence[Entry]) -> int:
    """Add up the sizes."""
    return sum(entry.size for entry in entries)


def top_names(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Give the names that stand at the top, in order: what an offer shows before its manifest."""
    return tuple(entry.path for entry in entries if "/" not in entry.path)


def check_against_offer(entries: Sequence[Entry], *, files: int, size_bytes: int) -> None:
    """Refuse a manifest that is not what its offer said; raises MANIFEST_INVALID."""
    if files_of(entries) != files or bytes_of(entries) != size_bytes:
        raise RemoteProtocolError(
            Code.MANIFEST_INVALID, "the offer said another number of files or bytes"
        )


def page_count(size_bytes: int) -> int:
    """Say in how many pages a manifest of so many bytes travels; all are full but the last."""
    return -(-size_bytes // limits.PAGE_BYTES)


def page(content: bytes, number: int) -> bytes:
    """Cut one page out; raises LocalProtocolError where there is none of that number."""
    if not 0 <= number < page_count(len(content)):
        raise LocalProtocolError(f"the manifest has no page {number}")
    start = number * limits.PAGE_BYTES
    return content[start : start + limits.PAGE_BYTES]
