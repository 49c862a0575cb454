"""What one data link still owes to who asked on it: open requests, one line of them for each offer."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct, field

from wire import limits
from wire.ids import ChunkDigest
from wire.messages.transfer import ManifestPage
from wire.transfer import manifest
from wire.transfer.digests import chunk_count, chunk_length
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.lending import Watching
from wire.transfer.signing import Unsigned
from wire.transfer.steps import Part, Read


class Work(Struct):
    """One open request: chunks to send, a page of the manifest, or one of digests once they are known."""

    fetch: int
    ranges: deque[tuple[int, int, int]]  # file, next, stop
    page: int | None = None  # of FetchDigests
    manifest_page: int | None = None
    file: int = -1
    is_scanned: bool = False  # what has to be read for the digests stands in `ranges`
    is_pinned: bool = False
    digest: ChunkDigest | None = None  # of a file of one chunk


class Line(Struct):
    """What one link still owes for one offer."""

    holding: Holding
    unsigned: Unsigned
    works: deque[Work] = field(default_factory=deque[Work])
    pins: deque[tuple[int, int]] = field(
        default_factory=deque[tuple[int, int]]
    )  # fetch, file: read whole
    watching: Watching | None = None
    told: set[int] = field(default_factory=set[int])  # files whose root this link has or will get
    sent: dict[int, int] = field(default_factory=dict[int, int])  # chunks of each until then
    ahead: set[int] = field(default_factory=set[int])  # files whose digests were all signed by then

    @property
    def is_open(self) -> bool:
        """Whether something of it is asked for, or is still to be said."""
        is_unsaid = bool(self.pins) or self.unsigned.deadline() is not None
        return bool(self.works) or self.watching is not None or is_unsaid


def manifest_page(holding: Holding, fetch: int, page: int) -> ManifestPage:
    """Make the answer to FetchManifest."""
    content = holding.manifest
    return ManifestPage(
        fetch, page, manifest.page_count(len(content)), manifest.page(content, page)
    )


def unread(holding: Holding, file: int) -> Iterable[tuple[int, int]]:
    """List the chunks of a file (first, stop) whose digests are not known."""
    return [(0, 1)] if chunk_count(holding.sizes[file]) == 1 else holding.table(file).missing()


def next_read(key: OfferKey, holding: Holding, work: Work) -> Read:
    """Take the next chunk of a request, or as many small files as fit one record."""
    file, index, stop = work.ranges.popleft()
    if index + 1 < stop:
        work.ranges.appendleft((file, index + 1, stop))
    size = holding.sizes[file]
    length = chunk_length(size, index)
    parts = [Part(file, index, index * limits.CHUNK_BYTES, length)]
    total = length
    while (
        chunk_count(size) == 1
        and work.page is None
        and work.ranges
        and len(parts) < limits.PACKED_CHUNKS
        and total + (size := holding.sizes[work.ranges[0][0]]) <= limits.CHUNK_BYTES
        and work.ranges[0][0] not in holding.failed
    ):
        file = work.ranges.popleft()[0]
        parts.append(Part(file, 0, 0, size))
        total += size
    return Read(key, work.fetch, tuple(parts), stop - index, work.page is None)
