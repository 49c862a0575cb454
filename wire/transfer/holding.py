"""One offer as whoever serves it knows it: facts, digests so far, and files that failed.

Whoever offers it signs; a holder, which took it from there, lends: it gives what it has verified, and passes
on what was signed.

Shared by all links that serve the offer, so a file is hashed once however many friends fetch it. Not
safe to use from two threads at once; the shell guards it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from wire import limits
from wire.codes import Code
from wire.ids import ChunkDigest, DeviceId, FileRoot, OfferId
from wire.transfer.digests import DigestTable, chunk_count
from wire.transfer.lending import Lending


class OfferKey(NamedTuple):
    """What names an offer on data links: who offers, and the offer's random id."""

    device: DeviceId
    offer: OfferId


class Holding:
    """What may be served of one offer of this device.

    key: names it. manifest: its bytes. sizes: bytes of each file, by file index. signing_seed: 32
    bytes, secret: this device's, which vouches for the digests; of no use where it lends. lending: what a
    holder has of somebody else's offer; None: it is this device's own.
    """

    __slots__ = (
        "failed",
        "key",
        "lending",
        "manifest",
        "refused",
        "signing_seed",
        "sizes",
        "tables",
    )

    def __init__(
        self,
        key: OfferKey,
        *,
        manifest: bytes,
        sizes: Sequence[int],
        signing_seed: bytes = b"",
        lending: Lending | None = None,
    ) -> None:
        self.key = key
        self.lending = lending
        self.manifest = manifest
        self.sizes = sizes
        self.signing_seed = signing_seed
        self.tables: dict[int, DigestTable] = {}  # of files of more than one chunk that were read
        self.failed: dict[int, Code] = {}  # files that will not be served again, and why
        self.refused: dict[int, Code] = {}  # files that somebody was told they cannot have, and why

    def table(self, file: int) -> DigestTable:
        """Give the digests of one file as far as they are known."""
        table = self.tables.get(file)
        if table is None:
            table = self.tables[file] = DigestTable(self.sizes[file], keeps=True)
        return table

    def restore(self, known: Iterable[tuple[int, int, ChunkDigest]]) -> None:
        """Take digests that were learnt in an earlier life: (file, chunk index, digest) each."""
        for file, index, digest in known:
            if self.has_chunks(file, index, 1) and self.sizes[file] > limits.CHUNK_BYTES:
                self.table(file).put(index, digest)

    def root(self, file: int) -> FileRoot | None:
        """Give the root of a file of several chunks once all of them were read; None before."""
        table = self.tables.get(file)
        return table.root() if table is not None and table.is_complete else None

    def has_chunks(self, file: int, first: int, count: int) -> bool:
        """Say whether the offer has this file and the file these chunks, and they can be given here."""
        has = file < len(self.sizes) and first + count <= chunk_count(self.sizes[file])
        return has and (self.lending is None or self.lending.has(file, first, count))

    def judge(self, file: int, index: int, digest: ChunkDigest) -> ChunkDigest | Code:
        """Give the digest of a chunk that was read if it may go out: a holder's is what was signed, or is not lent."""
        if self.lending is None or self.lending.digest(file, index) == digest:
            return digest
        return Code.CHANGED_AT_SENDER
