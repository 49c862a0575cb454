"""Messages on data links: asking for bytes, announcing bytes, and the signed digests that vouch for them.

The bytes themselves travel as records of their own without a message number, each announced by the
record before it (Piece or Pack).
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire import limits
from wire.ids import ChunkDigestField, Counter, DeviceIdField, OfferIdField, SizeBytes
from wire.messages.registry import Message, Purpose, message
from wire.messages.session import CodeOrNone, CodeText, Sentence

FetchId = Annotated[int, Meta(ge=0, le=2**32 - 1)]  # chosen by the asker, unique on its link
FileIndex = Annotated[int, Meta(ge=0, lt=limits.FILES_PER_OFFER)]
ChunkIndex = Annotated[int, Meta(ge=0, lt=limits.FILE_BYTES // limits.CHUNK_BYTES)]
Place = Annotated[int, Meta(ge=0, lt=limits.PLACES)]  # chunks of all files, in the manifest's order
PageIndex = Annotated[int, Meta(ge=0, lt=limits.PAGES)]


class ChunkRange(Message, frozen=True, gc=False):
    """Chunks first, first + 1, ... first + count - 1 of one file."""

    file: FileIndex
    first: ChunkIndex  # chunk index, from 0
    count: Annotated[int, Meta(ge=1, le=limits.FILE_BYTES // limits.CHUNK_BYTES)]  # chunks


@message(0x0080, Purpose.DATA)
class FetchManifest(Message, frozen=True):
    """Ask for one page of an offer's manifest; answered by ManifestPage or FetchRefused."""

    fetch: FetchId
    offering_device: DeviceIdField
    offer: OfferIdField
    page: PageIndex


@message(0x0081, Purpose.DATA)
class ManifestPage(Message, frozen=True):
    """Answer FetchManifest; the whole is `pages` pages, each full but the last."""

    fetch: FetchId
    page: PageIndex
    pages: Annotated[int, Meta(ge=1, le=limits.PAGES)]
    content: Annotated[bytes, Meta(max_length=limits.PAGE_BYTES)]


@message(0x0082, Purpose.DATA)
class Fetch(Message, frozen=True):
    """Ask for chunks; answered by Pieces, Packs and Zeros, then Fetched, or FetchRefused at any point."""

    fetch: FetchId
    offering_device: DeviceIdField
    offer: OfferIdField
    ranges: Annotated[
        tuple[ChunkRange, ...], Meta(min_length=1, max_length=limits.FETCH_RANGES)
    ]  # each chunk at most once


@message(0x0083, Purpose.DATA)
class Piece(Message, frozen=True):
    """The next record is this chunk's bytes and nothing else."""

    fetch: FetchId
    file: FileIndex
    index: ChunkIndex  # chunk index, from 0
    length: Annotated[int, Meta(ge=1, le=limits.CHUNK_BYTES)]
    digest: ChunkDigestField


class PackedChunk(Message, frozen=True, gc=False):
    """One small file in a Pack: its only chunk."""

    file: FileIndex
    length: Annotated[int, Meta(ge=0, le=limits.CHUNK_BYTES)]
    digest: ChunkDigestField


@message(0x0084, Purpose.DATA)
class Pack(Message, frozen=True):
    """The next record is these small files one after another, at most one chunk in all."""

    fetch: FetchId
    chunks: Annotated[
        tuple[PackedChunk, ...], Meta(min_length=1, max_length=limits.PACKED_CHUNKS)
    ]  # in the order of their bytes


@message(0x0085, Purpose.DATA)
class Zeros(Message, frozen=True):
    """These chunks are all zero; no bytes follow."""

    fetch: FetchId
    range: ChunkRange  # one stretch of one file


@message(0x0086, Purpose.DATA)
class SignedDigests(Message, frozen=True):
    """A batch of chunk digests of one file, signed by the offering device; the last one has the root."""

    signed: Annotated[bytes, Meta(min_length=1, max_length=64 * limits.KIB)]  # purpose `digests`


@message(0x0087, Purpose.DATA)
class Fetched(Message, frozen=True):
    """All that this Fetch asked for was sent."""

    fetch: FetchId


@message(0x0088, Purpose.DATA)
class FetchRefused(Message, frozen=True):
    """This Fetch ends here: why. `file` is the file it is about, or -1 for the whole."""

    fetch: FetchId
    code: CodeText
    file: Annotated[int, Meta(ge=-1, lt=limits.FILES_PER_OFFER)] = -1
    text: Sentence = ""


@message(0x0089, Purpose.DATA)
class StopFetch(Message, frozen=True):
    """Send no more for this Fetch: paused or cancelled."""

    fetch: FetchId


@message(0x008A, Purpose.DATA)
class FetchDigests(Message, frozen=True):
    """Ask for one page of a file's chunk digests (a file that was received or hashed whole)."""

    fetch: FetchId
    offering_device: DeviceIdField
    offer: OfferIdField
    file: FileIndex
    page: Annotated[
        int, Meta(ge=0, lt=limits.FILE_BYTES // limits.CHUNK_BYTES // limits.PAGE_DIGESTS)
    ]


@message(0x008B, Purpose.DATA)
class DigestPage(Message, frozen=True):
    """Answer FetchDigests: up to 1,024 digests of 32 bytes one after another, and the file's signed root."""

    fetch: FetchId
    page: Annotated[
        int, Meta(ge=0, lt=limits.FILE_BYTES // limits.CHUNK_BYTES // limits.PAGE_DIGESTS)
    ]
    digests: Annotated[
        bytes, Meta(max_length=32 * limits.PAGE_DIGESTS)
    ]  # empty where the sender keeps none
    signed_root: Annotated[bytes, Meta(max_length=1024)]  # purpose `digests`
    size: SizeBytes  # of the file, in bytes


class Span(Message, frozen=True, gc=False):
    """Chunks of an offer by place: first, first + 1, ... first + count - 1."""

    first: Place  # chunks of all files, in the manifest's order, from 0
    count: Annotated[int, Meta(ge=1, le=limits.PLACES)]  # chunks


@message(0x008C, Purpose.DATA)
class Have(Message, frozen=True):
    """Tell a watcher which chunks were verified here since the last Have, and which are being fetched."""

    fetch: FetchId
    held: Annotated[
        tuple[Span, ...], Meta(max_length=limits.HAVE_SPANS)
    ]  # signed digests of theirs were sent before
    fetching: Annotated[
        tuple[Span, ...], Meta(max_length=limits.CLAIM_SPANS)
    ] = ()  # from the offering device now, or here and not yet signed; in place of what the last Have said


@message(0x008D, Purpose.DATA, critical=False)
class Verified(Message, frozen=True):
    """Tell a source how far this receiver is with an offer of it: what the sender's progress shows."""

    offering_device: DeviceIdField
    offer: OfferIdField
    verified_bytes: Counter  # of chunks that are here and right
    files_done: Counter  # under their final digests
    resent_bytes: Counter  # came again after they had been asked for before
    waits: CodeOrNone = ""  # why nothing more is asked for now: a code, or empty


@message(0x008E, Purpose.DATA)
class Watch(Message, frozen=True):
    """Ask a holder to tell what it has of an offer, as it comes; answered by Haves, or FetchRefused."""

    fetch: FetchId
    offering_device: DeviceIdField
    offer: OfferIdField
