"""What one transfer asks the offering device for next, and what of what came is believed.

The shell reads records, hashes chunks and writes what is accepted. This machine keeps a window of at most
8 MiB open, believes a chunk only if it was asked for and its bytes have the digest that was announced, and
calls a file verified when the offering device has signed for it: for its one chunk, or for the root of all
its chunks. Not safe to use from two threads at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from wire import limits
from wire.codes import Code, code_of
from wire.errors import RemoteProtocolError
from wire.ids import SigningKey
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchRefused,
    Pack,
    Piece,
    SignedDigests,
    StopFetch,
    Zeros,
)
from wire.transfer.book import Book, Several
from wire.transfer.digests import (
    DigestBatch,
    chunk_length,
    read_digests,
    zero_digest,
)
from wire.transfer.holding import OfferKey

_OPEN_ROOTS = limits.FETCHES_PER_TRANSFER - limits.CHUNK_FETCHES


@dataclass(frozen=True, slots=True)
class FileVerified:
    """All bytes of this file are here and vouched for."""

    file: int


@dataclass(frozen=True, slots=True)
class FileFailed:
    """This file will not come: why; the others go on."""

    file: int
    code: Code


ReceiverEvent: TypeAlias = FileVerified | FileFailed


class Receiver:
    """Takes one offer in.

    key: the offer. sizes: bytes of each file, by file index. signing_key: 32 bytes, of the offering
    device. window_bytes: asked for and not yet here, at least one chunk.

    What the other side does wrong raises RemoteProtocolError, whose code the link is to be closed with:
    FLOOD for chunks nobody asked for, VERIFICATION_FAILED for bytes that are not what was announced or
    signed, INCOMPLETE for an answer that ends early, and what it refuses the whole offer with.
    """

    def __init__(
        self,
        key: OfferKey,
        sizes: Sequence[int],
        signing_key: SigningKey,
        *,
        window_bytes: int = limits.WINDOW_BYTES,
    ) -> None:
        self.key = key
        self.files_done = 0
        self._book = Book(sizes)
        self._signing_key = signing_key
        self._window = window_bytes
        self._new_fetch: Callable[[], int] | None = None
        self._fetches: dict[int, tuple[ChunkRange, ...]] = {}
        self._rootless: dict[int, None] = {}  # complete files that nobody vouched for, in order
        self._roots: dict[int, int] = {}  # open FetchDigests -> file
        self._strays = 0
        self._events: list[ReceiverEvent] = []

    @property
    def verified_bytes(self) -> int:
        """Bytes of chunks that are right and here."""
        return self._book.verified_bytes

    @property
    def resent_bytes(self) -> int:
        """Bytes that came after they had been asked for on an earlier link or in an earlier life."""
        return self._book.resent_bytes

    # --- before the first link: what an earlier life left

    def restore_whole(self, file: int) -> None:
        """Take note of a file that was verified before."""
        self._book.verified_bytes += self._book.sizes[file]
        self._book.end(file)
        self.files_done += 1

    def restore(
        self, file: int, chunks: Iterable[tuple[int, bytes]], maybe_sent: Iterable[tuple[int, int]]
    ) -> None:
        """Take note of right chunks of a file (index, digest), and of ranges that were asked for."""
        self._book.restore(file, chunks, maybe_sent)
        if self._book.is_complete(file):
            self._rootless[file] = None

    def start(self) -> None:
        """Verify what needs nobody: empty files. Call once, after what was restored."""
        for file, size in enumerate(self._book.sizes):
            if size == 0 and self._book.is_untouched(file):
                self._verify(file)

    # --- links

    def linked(self, new_fetch: Callable[[], int]) -> None:
        """Begin to ask; new_fetch: gives fetch ids that are unique on the link."""
        self._new_fetch = new_fetch

    def unlinked(self) -> None:
        """Take note that the link is gone: what was asked there has to be asked anew."""
        self._new_fetch = None
        for ranges in self._fetches.values():
            for wanted in ranges:
                self._book.give_back(wanted)
        self._fetches.clear()
        self._roots.clear()
        self._rootless = dict.fromkeys(self._book.complete())

    def stop(self) -> list[StopFetch]:
        """Stop asking on a link that stays; gives what to say there."""
        said = [StopFetch(fetch) for fetch in (*self._fetches, *self._roots)]
        self.unlinked()
        return said

    @property
    def is_waiting(self) -> bool:
        """Whether something that was asked for is still to come."""
        return bool(self._fetches or self._roots)

    @property
    def is_finished(self) -> bool:
        """Whether every file is verified or has failed."""
        return not self._book.left

    # --- asking

    def asks(self) -> list[Fetch | FetchDigests]:
        """Give what to ask for now, and count it as asked."""
        if self._new_fetch is None:
            return []
        asks: list[Fetch | FetchDigests] = []
        while self._rootless and len(self._roots) < _OPEN_ROOTS:
            file = next(iter(self._rootless))
            del self._rootless[file]
            if not self._book.is_over(file):
                fetch = self._new_fetch()
                self._roots[fetch] = file
                asks.append(FetchDigests(fetch, self.key.device, self.key.offer, file, 0))
        room = self._window - self._book.asked_bytes
        if self._book.asked_bytes and room < self._window // 4:
            return asks  # a few larger requests instead of many small ones
        ends = self._window
        while (room := ends - self._book.asked_bytes) > 0:
            if len(self._fetches) >= limits.CHUNK_FETCHES:
                break
            ranges = tuple(self._book.choose(room))
            if not ranges:
                break
            fetch = self._new_fetch()
            self._fetches[fetch] = ranges
            asks.append(Fetch(fetch, self.key.device, self.key.offer, ranges))
        return asks

    # --- what comes

    def expects(self, announced: Piece | Pack) -> bool:
        """Say whether the bytes that follow were asked for; what was not counts as stray."""
        if isinstance(announced, Piece):
            is_asked = self._book.is_expected(announced.file, announced.index, announced.length)
        else:
            is_asked = self._book.are_expected(announced.chunks)
        if not is_asked:
            self._stray()
        return is_asked

    def on_piece(self, piece: Piece, digest: bytes) -> None:
        """Take one chunk that `expects` said yes to; digest: BLAKE3 of the bytes that came."""
        if digest != piece.digest:
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a chunk is not what was announced")
        self._book.take(piece.file, piece.index, digest)

    def on_pack(self, pack: Pack, digests: Sequence[bytes]) -> None:
        """Take single chunks of several files that `expects` said yes to; digests: of their bytes."""
        for chunk, digest in zip(pack.chunks, digests, strict=True):
            if digest != chunk.digest:
                raise RemoteProtocolError(
                    Code.VERIFICATION_FAILED, "a packed file is not what was announced"
                )
        if not self._book.take_packed(pack.chunks):
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "a pack names a file twice")

    def on_zeros(self, zeros: Zeros) -> list[tuple[int, bytes]]:
        """Take chunks of one file that are all zero; gives (index, digest) of those to be kept."""
        wanted = zeros.range
        kept: list[tuple[int, bytes]] = []
        for index in range(wanted.first, wanted.first + wanted.count):
            size = self._book.sizes[wanted.file] if wanted.file < len(self._book.sizes) else 0
            length = chunk_length(size, index)
            if not self._book.is_expected(wanted.file, index, length):
                self._stray()
                break
            digest = zero_digest(length)
            self._book.take(wanted.file, index, digest)
            kept.append((index, bytes(digest)))
        return kept

    def on_signed(self, message: SignedDigests) -> None:
        """Take a batch of digests that the offering device signed."""
        for run in self._read(message.signed).runs:
            if run.file >= len(self._book.sizes):
                raise RemoteProtocolError(Code.NUMBER_RANGE, "a digest of no file of this offer")
            if self._book.sizes[run.file] <= limits.CHUNK_BYTES:
                self._vouch_single(run.file, run.digests)
                continue
            work = self._book.several.get(run.file)
            if work is None:
                continue
            for index, digest in run.each():
                known = work.table.get(index) if index < work.table.count else None
                if known is not None and known != digest:
                    self._fail(run.file, Code.CHANGED_AT_SENDER)
                    break
            else:
                if run.root and work.table.is_complete:
                    self._vouch(run.file, work, run.root)

    def on_fetched(self, message: Fetched) -> None:
        """Take note that a request was answered to its end."""
        if message.fetch in self._roots:
            raise RemoteProtocolError(Code.INCOMPLETE, "digests were not answered")
        for wanted in self._fetches.pop(message.fetch, ()):
            if self._book.is_owed(wanted):
                raise RemoteProtocolError(Code.INCOMPLETE, "a request was not answered whole")
            work = self._book.several.get(wanted.file)
            if work is not None and work.table.is_complete:
                self._rootless[wanted.file] = None

    def on_refused(self, message: FetchRefused) -> None:
        """Take note that a file will not come, or raise for an offer that is not served any more."""
        if message.fetch not in self._fetches and message.fetch not in self._roots:
            return  # of a request that was stopped
        code = code_of(message.code)
        if message.file < 0:
            raise RemoteProtocolError(code, message.text)
        if message.file >= len(self._book.sizes):
            raise RemoteProtocolError(Code.NUMBER_RANGE, "no file of this offer")
        if not self._book.is_over(message.file):
            self._fail(message.file, code)
        if self._roots.get(message.fetch) == message.file:
            del self._roots[message.fetch]

    def on_digest_page(self, page: DigestPage) -> None:
        """Take the answer to FetchDigests: what vouches for one complete file."""
        file = self._roots.pop(page.fetch, None)
        if file is None or self._book.is_over(file):
            return
        for run in self._read(page.signed_root).runs:
            work = self._book.several.get(file)
            if run.file != file:
                continue
            if work is None:
                self._vouch_single(file, run.digests)
            elif run.root:
                self._vouch(file, work, run.root)
        if not self._book.is_over(file):
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file was not vouched for")

    def events(self) -> list[ReceiverEvent]:
        """Give what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    # --- inside

    def _read(self, signed: bytes) -> DigestBatch:
        batch = read_digests(signed, self._signing_key)
        if (batch.device, batch.offer) != self.key:
            raise RemoteProtocolError(Code.UNKNOWN_OFFER, "digests of another offer")
        return batch

    def _vouch_single(self, file: int, digests: bytes) -> None:
        here = self._book.here.get(file)
        if here is None:
            return  # it is still on its way, or verified
        if digests != here:
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file is not what was signed")
        self._verify(file)

    def _vouch(self, file: int, work: Several, root: bytes) -> None:
        if root != work.table.root():
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file is not what was signed")
        self._verify(file)

    def _verify(self, file: int) -> None:
        self._book.end(file)
        self.files_done += 1
        self._events.append(FileVerified(file))

    def _fail(self, file: int, code: Code) -> None:
        self._book.fail(file)
        self._events.append(FileFailed(file, code))

    def _stray(self) -> None:
        self._strays += 1
        if self._strays >= limits.STRAY_CHUNKS:
            raise RemoteProtocolError(Code.FLOOD, "chunks that nobody asked for")
