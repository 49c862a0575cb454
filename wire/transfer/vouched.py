"""The signed digests of one offer that a receiver has: what others may be believed by, and what it passes on.

Only batches that tell something unknown are kept, as they came, so a holder passes on the very bytes that the
offering device signed. Digests are kept by place (`wire.transfer.places`), up to a limit; what is beyond it
comes from the offering device alone.
"""

from __future__ import annotations

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.transfer.digests import DIGEST_BYTES, DigestBatch, DigestRun, chunk_count
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet


class Vouched:
    """What the offering device signed of one offer, as far as it came here."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.known = RangeSet()  # places whose digests are signed
        self.batches: list[bytes] = []  # as signed, oldest first
        self._seen: set[bytes] = set()  # of `batches`
        self._roots: dict[int, bytes] = {}
        self._pages: dict[int, bytearray] = {}

    def take(self, signed: bytes, batch: DigestBatch) -> list[int]:
        """Take a batch that was verified; gives the files of which something else was signed before.

        signed: as it came. Raises RemoteProtocolError(NUMBER_RANGE) for what the offer has not.
        """
        for run in batch.runs:
            self._check(run)
        is_news = False
        known = self.known.copy()  # replaced whole: others read it
        changed: list[int] = []
        for run in batch.runs:
            if run.root:
                before = self._roots.setdefault(run.file, run.root)
                if before is run.root:
                    is_news = True
                elif before != run.root:
                    changed.append(run.file)
            for index, digest in run.each():
                place = self.places.of(run.file, index)
                if place in known:
                    if self._get(place) != digest:
                        changed.append(run.file)
                elif self._put(place, digest):
                    known.add(place, place + 1)
                    is_news = True
        self.known = known
        if is_news:
            self.batches.append(signed)
            self._seen.add(signed)
        return changed

    def digest(self, place: int) -> bytes | None:
        """Give the signed digest of the chunk at a place, or None."""
        return self._get(place) if place in self.known else None

    def root(self, file: int) -> bytes | None:
        """Give the signed root of a file, or None."""
        return self._roots.get(file)

    def has(self, signed: bytes) -> bool:
        """Say whether a batch is known, byte for byte."""
        return signed in self._seen

    def _get(self, place: int) -> bytes:
        page, position = divmod(place, limits.PAGE_DIGESTS)
        start = position * DIGEST_BYTES
        return bytes(self._pages[page][start : start + DIGEST_BYTES])

    def _check(self, run: DigestRun) -> None:
        sizes = self.places.sizes
        has_file = run.file < len(sizes)
        if not has_file or run.first + len(run.digests) // DIGEST_BYTES > chunk_count(
            sizes[run.file]
        ):
            raise RemoteProtocolError(Code.NUMBER_RANGE, "a digest of no chunk of this offer")

    def _put(self, place: int, digest: bytes) -> bool:
        page, position = divmod(place, limits.PAGE_DIGESTS)
        digests = self._pages.get(page)
        if digests is None:
            if len(self._pages) >= limits.KEPT_DIGEST_PAGES:
                return False
            digests = self._pages[page] = bytearray(limits.PAGE_DIGESTS * DIGEST_BYTES)
        start = position * DIGEST_BYTES
        digests[start : start + DIGEST_BYTES] = digest
        return True
