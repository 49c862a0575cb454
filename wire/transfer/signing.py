"""When the digests of chunks that went out are signed, and how they are put together.

Per link and offer: what was sent and is not yet vouched for waits here until there are 1,024 digests,
64 MiB or a second of it, or the link runs dry and a whole file came: that waits for nothing else. A fast reader lets a
link run dry every few chunks, and a signature costs as much as hashing one (made here and checked there). A file whose root is
known before all of it went out is signed whole: whoever has its last chunk is done, and has to be able to lend it.
"""

from __future__ import annotations

from collections.abc import Sequence

from wire import limits
from wire.ids import ChunkDigest, FileRoot
from wire.machine import Monotonic
from wire.messages.transfer import SignedDigests
from wire.transfer.digests import DIGEST_BYTES, DigestBatch, DigestRun, issue_digests
from wire.transfer.holding import Holding


class Unsigned:
    """The digests of one offer that one link has sent and not yet signed.

    holding: the offer, whose device signs.
    """

    __slots__ = ("_bytes", "_digests", "_holding", "_roots", "_since", "is_awaited")

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        self._digests: list[tuple[int, int, ChunkDigest]] = []
        self._roots: list[tuple[int, FileRoot]] = []
        self._bytes = 0
        self._since: Monotonic | None = None
        self.is_awaited = False  # a whole file came, and only a signature is missing

    def add(self, file: int, index: int, digest: ChunkDigest, length: int, now: Monotonic) -> None:
        """Take note of a chunk of `length` bytes that goes out."""
        self._digests.append((file, index, digest))
        self._bytes += length
        self.is_awaited |= self._holding.sizes[file] <= limits.CHUNK_BYTES
        if self._since is None:
            self._since = now

    def add_root(self, file: int, root: FileRoot, now: Monotonic) -> None:
        """Take note of a file that was read whole while its pin held."""
        self._roots.append((file, root))
        if self._since is None:
            self._since = now

    def add_pages(self, file: int, pages: Sequence[bytes]) -> None:
        """Take note of all digests of a file, page by page, in place of those of it that wait here."""
        self._digests = [each for each in self._digests if each[0] != file]
        for number, page in enumerate(pages):
            first = number * limits.PAGE_DIGESTS
            for place in range(len(page) // DIGEST_BYTES):
                digest = ChunkDigest(page[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES])
                self._digests.append((file, first + place, digest))

    def deadline(self) -> Monotonic | None:
        """Name the instant at which what waits here has to be signed, or None."""
        return None if self._since is None else Monotonic(self._since + limits.SIGN_EVERY_S)

    def is_due(self, now: Monotonic) -> bool:
        """Say whether a batch has to go out now: enough of it, long enough, or a root."""
        due = self.deadline()
        return due is not None and (
            bool(self._roots)
            or now >= due
            or self._bytes >= limits.SIGN_EVERY_BYTES
            or len(self._digests) >= limits.SIGNED_DIGESTS
        )

    def sign(self) -> list[SignedDigests]:
        """Sign all that waits, in batches within the limits, and forget it."""
        runs = _runs(self._digests)
        runs += [DigestRun(file, 0, b"", root) for file, root in self._roots]
        self._digests.clear()
        self._roots.clear()
        self._bytes = 0
        self._since = None
        self.is_awaited = False
        return [
            SignedDigests(
                issue_digests(
                    self._holding.signing_seed,
                    DigestBatch(self._holding.key.device, self._holding.key.offer, tuple(batch)),
                )
            )
            for batch in _batches(runs)
        ]


def sign_file(holding: Holding, file: int, digest: ChunkDigest | None) -> bytes:
    """Sign what vouches for one file as a whole: its root, or for one chunk that chunk's digest."""
    root = holding.root(file)
    run = DigestRun(file, 0, digest or b"", root or b"")
    return issue_digests(
        holding.signing_seed, DigestBatch(holding.key.device, holding.key.offer, (run,))
    )


def _runs(digests: list[tuple[int, int, ChunkDigest]]) -> list[DigestRun]:
    """Join digests of neighbouring chunks that went out one after another."""
    runs: list[DigestRun] = []
    run: list[ChunkDigest] = []
    its_file = first = -1
    for file, index, digest in digests:
        is_next = file == its_file and index == first + len(run)
        if is_next and len(run) < limits.SIGNED_DIGESTS:
            run.append(digest)
            continue
        if run:
            runs.append(DigestRun(its_file, first, b"".join(run)))
        its_file, first, run = file, index, [digest]
    if run:
        runs.append(DigestRun(its_file, first, b"".join(run)))
    return runs


def _batches(runs: list[DigestRun]) -> list[list[DigestRun]]:
    """Share the runs out so that no batch has too many runs or digests."""
    batches: list[list[DigestRun]] = []
    weight = limits.SIGNED_DIGESTS + 1
    for run in runs:
        weighs = max(1, len(run.digests) // 32)
        if weight + weighs > limits.SIGNED_DIGESTS:
            batches.append([])
            weight = 0
        batches[-1].append(run)
        weight += weighs
    return batches
