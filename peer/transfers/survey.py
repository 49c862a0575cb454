"""What is offered, looked at once: every file below the given paths with a pin that tells when it changes.

Nothing is opened for its content here. Symbolic links inside folders, fifos, sockets, devices and what cannot
be read are left out and listed with the reason; given by hand, such a thing is an error that names it. A
link that is given by hand is followed, as every program that copies does. So is what a profile holds: its keys and talk
leave with no folder that it lies in.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from peer.errors import PeerError
from peer.locations import Locations
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.transfer import manifest
from wire.transfer.manifest import FILE, FOLDER, Entry

_END = b"\0\0"
_LENGTH = struct.Struct(">H")
_SKIPPED_LISTED = 1000  # beyond it they are counted in one line
_KINDS = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISFIFO, "a fifo"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


_encode = msgspec.msgpack.Encoder().encode


class Pin(NamedTuple):
    """How a file was when it was offered: what differs later is another file."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class PinnedFile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One file to be read, with its pin; there are many, so it holds it flat.

    path: absolute, as the file system spells it.
    """

    path: bytes
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int

    @property
    def pin(self) -> Pin:
        """How it was when it was offered."""
        return Pin(self.size, self.mtime_ns, self.ctime_ns, self.inode, self.device)


@dataclass(slots=True)
class Survey:
    """What an offer is made of; packed, as there may be 200,000 entries.

    file_count, size: of all files, bytes; holes: of those, what takes no space. top_names: what stands at the top. skipped: {"path", "reason"} each.
    manifest: its bytes. pins: a MessagePack array of `PinnedFile`, in the manifest's order.
    """

    title: str
    file_count: int
    size: int
    holes: int
    top_names: tuple[str, ...]
    skipped: list[dict[str, str]]
    manifest: bytes = field(repr=False)
    pins: bytes = field(repr=False)

    @property
    def entries(self) -> list[Entry]:
        """Unpack the manifest."""
        return manifest.decode(self.manifest)

    @property
    def files(self) -> list[PinnedFile]:
        """Unpack the pins."""
        return msgspec.msgpack.decode(self.pins, type=list[PinnedFile])


def survey(paths: Sequence[Path], name: str | None = None, home: Path | None = None) -> Survey:
    """Look at files and folders; blocks.

    paths: absolute, at least one. name: title of the offer, and of what is offered if that is one thing. home: of
    this profile, whose own state stays here. Raises PeerError with NO_SUCH_FILE, NOT_A_REGULAR_FILE, FILE_UNREADABLE,
    HOME_UNUSABLE, NOTHING_TO_SEND, TOO_MANY_FILES or NAME_TOO_LONG.
    """
    walk = _Walk(home)
    tops: set[str] = set()
    for path in paths:
        _must_be_named(path, home)
        top = name if name and len(paths) == 1 else path.name or path.resolve().name or "files"
        walk.add_top(path, _unique(_spelled(top), tops))
    title = next(iter(tops)) if len(tops) == 1 else _spelled(name or f"{len(tops)} items")
    return walk.result(title)


def _must_be_named(path: Path, home: Path | None) -> None:
    """Refuse what nobody means: no path at all, and what a profile keeps for itself; raises PeerError."""
    if not path.is_absolute():
        raise PeerError(Code.NO_SUCH_FILE, f"{str(path)!r} is no absolute path")
    if home is None:
        return
    try:
        within, homes = Path(os.path.realpath(path)), Path(os.path.realpath(home))
    except ValueError:  # a zero byte: it is refused where it is looked at
        return
    places = Locations(homes)
    is_open = any(within.is_relative_to(each) for each in (places.received, places.stdin))
    if within.is_relative_to(homes) and not is_open:
        raise PeerError(
            Code.HOME_UNUSABLE,
            f"{path} is this profile's own state",
            remedy="send something else: who has its keys is you",
        )


def _place(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def pin_of(found: os.stat_result) -> Pin:
    """Give the pin of a file as it is."""
    return Pin(found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


def is_held(found: os.stat_result, pinned: PinnedFile) -> bool:
    """Say whether what was found is the file that was offered, as it was then; it is asked of every file."""
    return (
        found.st_size == pinned.size
        and found.st_mtime_ns == pinned.mtime_ns
        and found.st_ctime_ns == pinned.ctime_ns
        and found.st_ino == pinned.inode
        and found.st_dev == pinned.device
    )


class _Walk:
    """What was found so far: a record for each entry, packed, which is a third of what objects take.

        what the manifest is sorted by | 00 00 | length of the entry (2) | the entry | its pin, of a file

    Nothing a manifest is sorted by has two zero bytes in a row, so records are sorted as they stand.
    """

    def __init__(self, home: Path | None) -> None:
        self._home = _place(home.stat()) if home is not None and home.exists() else None
        self._records: list[bytes] = []
        self._tops: list[str] = []
        self._size = self._holes = 0
        self._skipped: list[dict[str, str]] = []
        self._unlisted = 0
        self._counts = [0, 0]  # files, folders

    def add_top(self, path: Path, name: str) -> None:
        """Take what a person named."""
        try:
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise PeerError(Code.NO_SUCH_FILE, f"{path} is not there") from error
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise PeerError(Code.FILE_UNREADABLE, f"{path}: {reason}") from error
        if "\0" in name:
            raise PeerError(Code.NAME_UNSAFE, "a name cannot have a zero byte")
        self._tops.append(name)
        if stat.S_ISDIR(found.st_mode):
            if not os.access(path, os.R_OK | os.X_OK):
                raise PeerError(Code.FILE_UNREADABLE, f"{path} cannot be read")
            self._add_folder(os.fsencode(path), name, found)
        elif stat.S_ISREG(found.st_mode):
            if not os.access(path, os.R_OK):
                raise PeerError(Code.FILE_UNREADABLE, f"{path} cannot be read")
            self._add_file(os.fsencode(path), name, found)
        else:
            raise PeerError(Code.NOT_A_REGULAR_FILE, f"{path} is {_kind(found.st_mode)}")

    def _add_folder(self, top: bytes, top_name: str, top_found: os.stat_result) -> None:
        """Take a folder and all below it; a stack instead of recursion, as trees may be deep."""
        self._add_entry(Entry(top_name, FOLDER, 0, False, _mtime_ms(top_found)), None)
        waiting = [(top, top_name)]
        while waiting:
            folder, name = waiting.pop()
            try:
                with os.scandir(folder) as inside:
                    for entry in inside:
                        below = self._add_inner(entry, name)
                        if below is not None:
                            waiting.append(below)
            except OSError as error:
                self._skip(folder, f"cannot be read: {error.strerror}")

    def _add_inner(self, entry: os.DirEntry[bytes], above: str) -> tuple[bytes, str] | None:
        """Take one thing in a folder; gives a folder that is still to be looked into."""
        try:
            name = f"{above}/{entry.name.decode()}"
        except UnicodeDecodeError:
            self._skip(entry.path, "its name is not UTF-8")
            return None
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError as error:
            self._skip(entry.path, f"cannot be read: {error.strerror}")
            return None
        if len(name.encode()) > limits.PATH_BYTES or name.count("/") >= limits.PATH_DEPTH:
            self._skip(entry.path, "its path is too long or too deep")
            return None
        if stat.S_ISDIR(found.st_mode):
            if _place(found) == self._home:
                self._skip(entry.path, "this profile's own state")
                return None
            self._add_entry(Entry(name, FOLDER, 0, False, _mtime_ms(found)), None)
            return entry.path, name
        if not stat.S_ISREG(found.st_mode):
            self._skip(entry.path, _kind(found.st_mode))
        elif not os.access(entry.path, os.R_OK):
            self._skip(entry.path, "cannot be read")
        else:
            self._add_file(entry.path, name, found)
        return None

    def _add_file(self, path: bytes, name: str, found: os.stat_result) -> None:
        dense = min(found.st_blocks * 512, found.st_size)
        is_executable = bool(found.st_mode & stat.S_IXUSR)
        entry = Entry(name, FILE, found.st_size, is_executable, _mtime_ms(found), dense)
        if found.st_size > limits.FILE_BYTES:
            raise PeerError(Code.SIZE_INVALID, f"{os.fsdecode(path)} is larger than 16 TiB")
        self._add_entry(entry, PinnedFile(path, *pin_of(found)))

    def _add_entry(self, entry: Entry, file: PinnedFile | None) -> None:
        packed, key = _encode(entry), manifest.order(entry.path)
        pin = b"" if file is None else _encode(file)
        self._records.append(b"".join((key, _END, _LENGTH.pack(len(packed)), packed, pin)))
        self._size += entry.size
        self._holes += entry.size - entry.needed_bytes
        self._counts[file is None] += 1
        if self._counts[0] > limits.FILES_PER_OFFER or self._counts[1] > limits.FOLDERS_PER_OFFER:
            most = limits.FILES_PER_OFFER
            raise PeerError(
                Code.TOO_MANY_FILES, f"one offer has at most {most} files and folders each"
            )

    def _skip(self, path: bytes, reason: str) -> None:
        if len(self._skipped) < _SKIPPED_LISTED:
            shown = path.decode(errors="backslashreplace")
            self._skipped.append({"path": shown, "reason": reason})
        else:
            self._unlisted += 1

    def result(self, title: str) -> Survey:
        """Put it in the manifest's order; raises PeerError where nothing or too much was found."""
        if self._unlisted:
            self._skipped.append({"path": "", "reason": f"{self._unlisted} more were left out"})
        if not self._records:
            raise PeerError(Code.NOTHING_TO_SEND)
        self._records.sort()
        packed: list[bytes] = []
        pins: list[bytes] = []
        for number, record in enumerate(self._records):
            start = record.index(_END) + len(_END) + _LENGTH.size
            (length,) = _LENGTH.unpack_from(record, start - _LENGTH.size)
            packed.append(record[start : start + length])
            if len(record) > start + length:
                pins.append(record[start + length :])
            self._records[number] = b""  # what follows needs the memory
        try:
            content = manifest.join(packed)
        except WireError as error:
            raise PeerError(error.code, error.detail) from error
        if manifest.page_count(len(content)) > limits.PAGES:
            raise PeerError(Code.TOO_MANY_FILES, "the list of all their names is too long")
        return Survey(
            _short(title),
            len(pins),
            self._size,
            self._holes,
            tuple(sorted(self._tops, key=manifest.order)),
            self._skipped,
            content,
            manifest.array_of(pins),
        )


def _spelled(name: str) -> str:
    """Give a name as text that can be sent: bytes that are no UTF-8 are shown as such."""
    raw = name.encode(errors="surrogateescape") if _is_from_disk(name) else _shown(name)
    return _short(raw.decode(errors="backslashreplace").replace("/", "_") or "_")


def _is_from_disk(name: str) -> bool:
    """Tell names whose odd bytes Python keeps as surrogates from text with surrogates of its own."""
    return all("\udc80" <= char <= "\udcff" for char in name if "\ud800" <= char <= "\udfff")


def _shown(name: str) -> bytes:
    return name.encode(errors="backslashreplace")


def _short(name: str, most: int = limits.NAME_BYTES) -> str:
    return _shown(name)[:most].decode(errors="ignore")


def _unique(name: str, taken: set[str]) -> str:
    """Keep tops of one name apart: `a.txt`, `a (1).txt`; the stem gives way where a name is full."""
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    found, number = name, 1
    while found in taken:
        ending = f" ({number}){dot}{extension}"
        room = limits.NAME_BYTES - len(ending.encode())
        found = _short(stem, room) + ending if room > 0 else f"{_short(name, 240)} ({number})"
        number += 1
    taken.add(found)
    return found


def _kind(mode: int) -> str:
    return next((words for is_kind, words in _KINDS if is_kind(mode)), "no regular file")


def _mtime_ms(found: os.stat_result) -> int:
    return found.st_mtime_ns // 1_000_000
