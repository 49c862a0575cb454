"""What vouches for bytes: chunk digests, digest pages, a file's root, and the offering device's signature.

    chunk digest   BLAKE3(chunk)
    page digest    BLAKE3(up to 1,024 chunk digests one after another)
    root           BLAKE3(size as 8 bytes big-endian, page digests one after another)

An empty file has no chunk and no page; its root is that of its size. `DigestTable` keeps 32 bytes for
each page of a file that is complete, and 32 bytes a chunk only for pages that are not yet.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated

import msgspec
from blake3 import blake3

from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity import SignPurpose, sign, verify
from wire.ids import (
    ChunkDigest,
    DeviceId,
    DeviceIdField,
    FileRoot,
    OfferId,
    OfferIdField,
    SigningKey,
)
from wire.messages.transfer import ChunkIndex, FileIndex
from wire.transfer.ranges import RangeSet

DIGEST_BYTES = 32


def chunk_count(size_bytes: int) -> int:
    """Say how many chunks a file of so many bytes has: none when it is empty."""
    return -(-size_bytes // limits.CHUNK_BYTES)


def chunk_length(size_bytes: int, index: int) -> int:
    """Say how many bytes chunk `index` has: 1 MiB, the last of a file what is left."""
    return min(limits.CHUNK_BYTES, size_bytes - index * limits.CHUNK_BYTES)


def chunk_digest(chunk: bytes | bytearray | memoryview) -> ChunkDigest:
    """Hash one chunk of 1 to 1,048,576 bytes."""
    return ChunkDigest(blake3(chunk).digest())


@lru_cache(maxsize=64)
def zero_digest(length: int) -> ChunkDigest:
    """Give the digest of a chunk of so many zero bytes."""
    return ChunkDigest(blake3(bytes(length)).digest())


def file_root(size_bytes: int, pages: bytes) -> FileRoot:
    """Give the root of a file; pages: its page digests, one after another."""
    return FileRoot(blake3(size_bytes.to_bytes(8, "big") + pages).digest())


class DigestTable:
    """The chunk digests of one file as they become known, in any order.

    size_bytes: 0 to 2^44. keeps: keep the digests of complete pages too, the first KEPT_DIGEST_PAGES.
    """

    __slots__ = ("_complete", "_kept", "_open", "_open_counts", "count", "known", "size_bytes")

    def __init__(self, size_bytes: int, *, keeps: bool = False) -> None:
        self.size_bytes = size_bytes
        self._kept: dict[int, bytes] | None = {} if keeps else None
        self.count = chunk_count(size_bytes)
        self.known = RangeSet()
        self._complete: dict[int, bytes] = {}
        self._open: dict[int, bytearray] = {}
        self._open_counts: dict[int, int] = {}

    def put(self, first: int, *digests: bytes) -> None:
        """Take the digests of consecutive chunks; one that is known already stays as it is."""
        stop = first + len(digests)
        if first < 0 or stop > self.count or any(len(each) != DIGEST_BYTES for each in digests):
            raise LocalProtocolError(f"no digest of chunk {first} of {self.count} can be this")
        for index, digest in enumerate(digests, first):
            if index not in self.known:
                self._put(index, digest)
        self.known.add(first, stop)

    def _put(self, index: int, digest: bytes) -> None:
        page, place = divmod(index, limits.PAGE_DIGESTS)
        digests = self._open.get(page)
        if digests is None:
            length = min(limits.PAGE_DIGESTS, self.count - page * limits.PAGE_DIGESTS)
            digests = self._open[page] = bytearray(length * DIGEST_BYTES)
            self._open_counts[page] = 0
        digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES] = digest
        self._open_counts[page] += 1
        if self._open_counts[page] * DIGEST_BYTES == len(digests):
            self._complete[page] = blake3(digests).digest()
            if self._kept is not None and len(self._kept) < limits.KEPT_DIGEST_PAGES:
                self._kept[page] = bytes(digests)
            del self._open[page]
            del self._open_counts[page]

    def get(self, index: int) -> ChunkDigest | None:
        """Give the digest of a chunk; None if it is unknown or its page is complete and forgotten."""
        if index not in self.known:
            return None
        page, place = divmod(index, limits.PAGE_DIGESTS)
        digests = self._open.get(page)
        if digests is None:
            return None
        return ChunkDigest(bytes(digests[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]))

    def page(self, number: int) -> bytes:
        """Give the digests of a complete page, one after another; empty where they are not kept."""
        return b"" if self._kept is None else self._kept.get(number, b"")

    def missing(self) -> RangeSet:
        """Give the chunks whose digests are unknown."""
        return RangeSet([(0, self.count)]).difference(self.known)

    @property
    def is_complete(self) -> bool:
        """Say whether every chunk's digest is known."""
        return not self._open and len(self._complete) * limits.PAGE_DIGESTS >= self.count

    def root(self) -> FileRoot:
        """Give the file's root; raises LocalProtocolError while a digest is unknown."""
        if not self.is_complete:
            raise LocalProtocolError("the root of a file needs all its digests")
        return file_root(
            self.size_bytes, b"".join(self._complete[page] for page in sorted(self._complete))
        )


class DigestRun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Digests of consecutive chunks of one file, one after another; `root` is 32 bytes or empty."""

    file: FileIndex
    first: ChunkIndex
    digests: Annotated[bytes, msgspec.Meta(max_length=DIGEST_BYTES * limits.SIGNED_DIGESTS)]
    root: Annotated[bytes, msgspec.Meta(max_length=DIGEST_BYTES)] = b""

    def each(self) -> list[tuple[int, bytes]]:
        """Give (chunk index, digest) for each chunk of the run."""
        return [
            (self.first + position // DIGEST_BYTES, self.digests[position : position + 32])
            for position in range(0, len(self.digests), DIGEST_BYTES)
        ]


class DigestBatch(msgspec.Struct, frozen=True, array_like=True):
    """What the offering device signs: digests of chunks it read, and roots of files it read whole."""

    device: DeviceIdField
    offer: OfferIdField
    runs: Annotated[
        tuple[DigestRun, ...], msgspec.Meta(min_length=1, max_length=limits.SIGNED_DIGESTS)
    ]


class _Heading(msgspec.Struct, frozen=True, array_like=True):
    """What a batch begins with; the rest is passed over."""

    device: DeviceIdField
    offer: OfferIdField


class _Signed(msgspec.Struct, frozen=True, array_like=True):
    body: bytes
    signature: Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]


_encoder = msgspec.msgpack.Encoder()
_signed_decoder = msgspec.msgpack.Decoder(_Signed, strict=True)
_batch_decoder = msgspec.msgpack.Decoder(DigestBatch, strict=True)
_heading_decoder = msgspec.msgpack.Decoder(_Heading, strict=True)


def issue_digests(signing_seed: bytes, batch: DigestBatch) -> bytes:
    """Sign a batch; signing_seed: 32 bytes, secret, of the offering device.

    Raises LocalProtocolError for a batch that others would refuse.
    """
    _check_batch(batch, LocalProtocolError("a batch of digests is out of bounds"))
    body = _encoder.encode(batch)
    return _encoder.encode(_Signed(body, sign(signing_seed, SignPurpose.DIGESTS, body)))


def read_digests(signed: bytes, signing_key: SigningKey) -> DigestBatch:
    """Verify and read a batch; signing_key: 32 bytes, of the offering device.

    Raises WireError: DECODE for bytes that are no batch, SIGNATURE_INVALID, MANIFEST_INVALID.
    """
    try:
        outer = _signed_decoder.decode(signed)
        verify(signing_key, SignPurpose.DIGESTS, outer.signature, outer.body)
        batch = _batch_decoder.decode(outer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RemoteProtocolError(Code.DECODE, "these are no signed digests") from problem
    _check_batch(batch, RemoteProtocolError(Code.MANIFEST_INVALID, "digests out of bounds"))
    return batch


def peek_digests(signed: bytes) -> tuple[DeviceId, OfferId]:
    """Say whose digests these claim to be, (offering device, offer id), verifying nothing.

    Raises RemoteProtocolError(DECODE).
    """
    try:
        heading = _heading_decoder.decode(_signed_decoder.decode(signed).body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise RemoteProtocolError(Code.DECODE, "these are no signed digests") from problem
    return DeviceId(heading.device), OfferId(heading.offer)


def _check_batch(batch: DigestBatch, problem: Exception) -> None:
    """Raise `problem` unless every run is whole digests, something, and not too many in all."""
    total = 0
    for run in batch.runs:
        length = len(run.digests)
        if length == DIGEST_BYTES and not run.root:  # of a small file: most of many
            total += 1
            continue
        if length % DIGEST_BYTES or len(run.root) not in {0, DIGEST_BYTES}:
            raise problem
        if not length and not run.root:
            raise problem
        total += length // DIGEST_BYTES
    if not batch.runs or total > limits.SIGNED_DIGESTS:
        raise problem
