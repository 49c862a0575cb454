"""One transfer played to a sink from beginning to end, and what must hold wherever it was interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from blake3 import blake3

from peer.transfers.disk import Disk
from peer.transfers.sink import Sink
from tests.harness.disks import MemoryDisk, failure
from wire.ids import DeviceId, OfferId
from wire.limits import CHUNK_BYTES
from wire.transfer.digests import chunk_count
from wire.transfer.holding import OfferKey
from wire.transfer.manifest import FILE, FOLDER, Entry

KEY = OfferKey(DeviceId(b"d" * 16), OfferId(bytes(range(16))))
WORK = ".00010203.part"
ROOT = Path("/downloads")
MTIME_MS = 1_600_000_000_123

BIG = b"\1" * CHUNK_BYTES + bytes(CHUNK_BYTES) + b"\2" * 5000
CONTENTS = {
    "stuff/empty": b"",
    "stuff/inner/big": BIG,
    "stuff/inner/small": b"small" * 100,
    "top.txt": b"top" * 50,
}


def file(path: str, content: bytes, *, is_executable: bool = False) -> Entry:
    """Give the manifest's entry of a file."""
    return Entry(path, FILE, len(content), is_executable, MTIME_MS)


def folder(path: str) -> Entry:
    """Give the manifest's entry of a folder."""
    return Entry(path, FOLDER, 0, False, MTIME_MS)


ENTRIES = [
    folder("stuff"),
    file("stuff/empty", b""),
    folder("stuff/hollow"),
    folder("stuff/inner"),
    file("stuff/inner/big", BIG),
    file("stuff/inner/small", CONTENTS["stuff/inner/small"], is_executable=True),
    file("top.txt", CONTENTS["top.txt"]),
]
FILES = [CONTENTS[entry.path] for entry in ENTRIES if entry.is_file]
WHOLE_STUFF = {
    "empty": b"",
    "hollow": {},
    "inner": {"big": BIG, "small": CONTENTS["stuff/inner/small"]},
}
LANDED: dict[str, Any] = {"stuff": WHOLE_STUFF, "top.txt": CONTENTS["top.txt"]}


def chunk(content: bytes, index: int) -> memoryview:
    """Cut a chunk out of a file."""
    return memoryview(content)[index * CHUNK_BYTES : (index + 1) * CHUNK_BYTES]


def digest(data: memoryview | bytes) -> bytes:
    """Hash a chunk."""
    return blake3(data).digest()


def open_sink(disk: Disk, root: Path = ROOT) -> Sink:
    """Open the sink of this transfer."""
    return Sink.open(root, KEY, "stuff", ENTRIES, disk=disk)


def missing_of(sink: Sink) -> Iterator[tuple[int, set[int] | None]]:
    """Read what is restored; gives for each file the chunks that are missing, None for a whole one.

    What is said to be right must be right: its digest is that of the real content.
    """
    restored = {found.file: found for found in sink.restored()}
    for number, content in enumerate(FILES):
        missing = set(range(chunk_count(len(content))))
        found = restored.get(number)
        if found is not None and found.is_whole:
            yield number, None
            continue
        for index, claimed in found.chunks if found else ():
            assert claimed == digest(chunk(content, index))
            missing.discard(index)
        yield number, missing


def put(sink: Sink, file: int, index: int, data: memoryview, digest: bytes) -> None:
    """Write one chunk and note it."""
    sink.write([(file, index, data)])
    sink.note([(file, index, digest)], len(data))


def bring(sink: Sink) -> None:
    """Bring what is missing, with a sync in the middle, zeros as holes."""
    for number, missing in list(missing_of(sink)):
        if missing is None:
            continue
        content = FILES[number]
        sink.asked((number, index, index + 1) for index in sorted(missing))
        for index in sorted(missing):
            data = chunk(content, index)
            if any(data):
                put(sink, number, index, data, digest(data))
            else:
                sink.write_zeros(number, index, 1)
            if index == 1:
                sink.sync()
        sink.finish_files([number])


class Transfer:
    """A transfer with the database's memory of its end: `path` is set once `finish` returned."""

    def __init__(self, root: Path = ROOT) -> None:
        self.root = root
        self.path: Path | None = None

    def run(self, disk: Disk) -> None:
        """Open, bring what is missing, land, tidy up; may be called again after any interruption."""
        if self.path is not None:
            Sink.clear(self.root, KEY, "stuff", disk=disk)
            return
        sink = open_sink(disk, self.root)
        if not sink.is_landing:
            bring(sink)
        self.path = sink.finish()
        sink.discard()


def check_whole_or_absent(tree: dict[str, Any]) -> None:
    """Check that final names, as far as they are there, have everything below them."""
    for name, content in tree.items():
        if not name.endswith(WORK) and content not in ({}, b""):  # a name that is being taken
            assert content == LANDED[name]


def failing_once(
    disk: MemoryDisk, operation: str, number: int, *, after: int = 0
) -> Callable[[], bool]:
    """Have one operation of a disk fail once, after so many of its kind went well.

    Gives a function that says whether it came to that.
    """
    left = [after]

    def fault(called: str) -> OSError | None:
        if called != operation:
            return None
        left[0] -= 1
        return failure(number) if left[0] == -1 else None

    disk.fault = fault
    return lambda: left[0] < 0
