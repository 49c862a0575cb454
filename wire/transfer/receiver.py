"""What one transfer asks its sources for next, and what of what came is believed.

The shell reads records, hashes chunks and writes what is accepted. This machine keeps a window of at most
8 MiB open at each source and believes a chunk only if it was asked for there and its bytes have the digest that was
announced; of a holder, which is no offering device, only if they have the digest that the offering device signed. It
calls a file verified when the offering device has signed for it: for its one chunk, or for the root of all
its chunks. Who is asked for what is planned by `wire.transfer.swarm`. Not safe to use from two threads at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from wire import limits
from wire.codes import Code, code_of
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId, SigningKey
from wire.machine import Monotonic
from wire.messages.transfer import (
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchRefused,
    Have,
    Pack,
    Piece,
    SignedDigests,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.book import Book
from wire.transfer.digests import chunk_count, chunk_length, zero_digest
from wire.transfer.holding import OfferKey
from wire.transfer.lending import Lending
from wire.transfer.proofs import Proofs, ReceiverEvent
from wire.transfer.ranges import RangeSet
from wire.transfer.sources import Sources
from wire.transfer.swarm import Swarm
from wire.transfer.vouched import Vouched

_START = Monotonic(0.0)  # where there is one source, time does not matter


class Receiver:
    """Takes one offer in.

    key: the offer. sizes: bytes of each file, by file index. signing_key: 32 bytes, of the offering
    device. window_bytes: asked for and not yet here of the one source, at least one chunk. start: the place
    where this receiver begins if there may be several sources, see `swarm.own_start`; None: there is the offering device alone.

    A source is named by its device; the offering one unless told. What it does wrong raises
    RemoteProtocolError, whose code its link is to be closed with: FLOOD for chunks nobody asked for,
    VERIFICATION_FAILED for bytes that are not what was announced or signed, INCOMPLETE for an answer that ends early,
    and what it refuses the whole offer with. Then `bar` a holder; the others go on.
    """

    def __init__(
        self,
        key: OfferKey,
        sizes: Sequence[int],
        signing_key: SigningKey,
        *,
        window_bytes: int = limits.WINDOW_BYTES,
        start: int | None = None,
    ) -> None:
        self.key = key
        self._book = Book(sizes)
        self._swarm: Swarm | None = None
        self.lending: Lending | None = None
        if start is not None:
            places = self._book.places
            self._swarm = Swarm(places, offering=key.device, start=start)
            self.lending = Lending(Vouched(places))
        self._sources = Sources(
            key, self._book, self._swarm, self.lending, window_bytes=window_bytes
        )
        self._proofs = Proofs(key, signing_key, self._book, self.lending)
        self._fresh: list[tuple[int, int]] = []  # places that came since `lend`
        self._barred: set[DeviceId] = set()
        self._strays: Counter[DeviceId] = Counter()

    @property
    def files_done(self) -> int:
        """Files that are verified."""
        return self._proofs.files_done

    @property
    def verified_bytes(self) -> int:
        """Bytes of chunks that are right and here."""
        return self._book.verified_bytes

    @property
    def resent_bytes(self) -> int:
        """Bytes that came after they had been asked for before: of a link that ended, or of another source."""
        return self._book.resent_bytes

    # --- before the first link: what an earlier life left

    def restore_whole(self, file: int) -> None:
        """Take note of a file that was verified before."""
        self._book.verified_bytes += self._book.sizes[file]
        self._book.end(file)
        self._proofs.files_done += 1
        self._fresh.append(self._book.places.of_file(file))

    def restore(
        self, file: int, chunks: Iterable[tuple[int, bytes]], maybe_sent: Iterable[tuple[int, int]]
    ) -> None:
        """Take note of right chunks of a file (index, digest), and of ranges that were asked for."""
        self._book.restore(file, chunks, maybe_sent)
        first, stop = self._book.places.of_file(file)
        for span in RangeSet([(first, stop)]).difference(self._book.missing.within(first, stop)):
            self._fresh.append(span)
        if self._book.is_complete(file):
            self._sources.rootless[file] = None

    def start(self) -> None:
        """Verify what needs nobody: empty files. Call once, after what was restored."""
        for file, size in enumerate(self._book.sizes):
            if size == 0 and not self._book.is_over(file):
                self._proofs.verify(file)

    # --- links

    def linked(
        self,
        new_fetch: Callable[[], int],
        source: DeviceId | None = None,
        *,
        now: Monotonic = _START,
    ) -> None:
        """Begin to ask a source; new_fetch: gives fetch ids that are unique on the link."""
        self._sources.add(source or self.key.device, new_fetch, now)

    def unlinked(self, source: DeviceId | None = None) -> None:
        """Take note that a link is gone: what was asked there has to be asked anew."""
        self._sources.drop(source or self.key.device)

    def stop(self, source: DeviceId | None = None) -> list[StopFetch]:
        """Stop asking on a link that stays; gives what to say there."""
        source = source or self.key.device
        requests = self._sources.every.get(source)
        said = [] if requests is None else [StopFetch(fetch) for fetch in requests.open()]
        self.unlinked(source)
        return said

    def bar(self, source: DeviceId) -> list[StopFetch]:
        """Ask a holder no more, ever: it lied, or stalled. Gives what to say on its link."""
        self._barred.add(source)
        return self.stop(source)

    def may_ask(self, source: DeviceId) -> bool:
        """Say whether a device may become a source: there is a place for it, and it was not barred."""
        if source == self.key.device:
            return True
        sources = self._sources.every
        places = limits.SOURCES - (self.key.device not in sources)  # one is the offering device's
        return self._swarm is not None and source not in self._barred and len(sources) < places

    @property
    def sources(self) -> list[DeviceId]:
        """The devices that are asked."""
        return list(self._sources.every)

    @property
    def is_waiting(self) -> bool:
        """Whether something that was asked for is still to come."""
        return any(self.waits_for(source) for source in self._sources.every)

    def waits_for(self, source: DeviceId) -> bool:
        """Say whether something that a source was asked for is still to come."""
        requests = self._sources.every.get(source)
        return requests is not None and bool(requests.fetches or requests.roots)

    @property
    def is_finished(self) -> bool:
        """Whether every file is verified or has failed."""
        return not self._book.left

    # --- asking

    def asks(
        self, source: DeviceId | None = None, *, now: Monotonic = _START
    ) -> list[Fetch | FetchDigests | Watch]:
        """Give what to ask a source for now, and count it as asked."""
        return self._sources.asks(source or self.key.device, now)

    def look(
        self, alive: Mapping[DeviceId, Monotonic], *, now: Monotonic
    ) -> list[tuple[DeviceId, list[StopFetch]]]:
        """Give up sources that stall while there are others; gives each with what to say on its link.

        alive: when the last byte of any kind came from each. A holder is barred, the offering device asked again
        after a while.
        """
        found: list[tuple[DeviceId, list[StopFetch]]] = []
        for source in self._sources.stalled(now, alive):
            if source == self.key.device:
                stopped = self._sources.silence(source, now)
                found.append((source, [StopFetch(fetch) for fetch in stopped]))
            else:
                found.append((source, self.bar(source)))
        return found

    # --- what comes

    def expects(
        self, announced: Piece | Pack, source: DeviceId | None = None, *, now: Monotonic = _START
    ) -> bool:
        """Say whether the bytes that follow were asked for; what was not counts as stray."""
        source = source or self.key.device
        if source not in self._sources.every:
            return False
        chunks = announced.chunks if isinstance(announced, Pack) else ()
        if isinstance(announced, Piece):
            is_asked = self._book.is_expected(announced.file, announced.index, announced.length)
        else:
            is_asked = self._book.are_expected(announced.chunks)
        if is_asked and source != self.key.device:
            of, is_of = self._book.places.of, self._sources.is_of
            named = [(announced.file, announced.index)] if isinstance(announced, Piece) else []
            named += [(chunk.file, 0) for chunk in chunks]
            is_asked = all(is_of(source, announced.fetch, of(*each)) for each in named)
        if is_asked:
            return True
        if not (isinstance(announced, Piece) and self._sources.is_late(source, announced, now)):
            self._stray(source)
        return False

    def verify(
        self,
        piece: Piece,
        digest: bytes,
        source: DeviceId | None = None,
        *,
        now: Monotonic = _START,
    ) -> bool:
        """Judge one chunk that `expects` said yes to, before it is written; False: its file has failed.

        digest: BLAKE3 of the bytes that came. Of a chunk that is right `take` follows before anything else of the same source.
        """
        if digest != piece.digest:
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a chunk is not what was announced")
        if self.lending is None:  # the offering device is the one source there is
            return True
        source = source or self.key.device
        place = self._book.places.of(piece.file, piece.index)
        if self._proofs.check(place, digest, is_direct=source == self.key.device) in {None, digest}:
            return True
        self._sources.came(source, piece.fetch, [(place, place + 1)], now)
        self._proofs.fail(piece.file, Code.CHANGED_AT_SENDER)
        return False

    def take(
        self, pieces: Sequence[Piece], source: DeviceId | None = None, *, now: Monotonic = _START
    ) -> None:
        """Count consecutive chunks of one file and fetch that are right as here."""
        file, first = pieces[0].file, pieces[0].index
        place = self._book.places.of(file, first)
        span = place, place + len(pieces)
        self._sources.came(source or self.key.device, pieces[0].fetch, [span], now)
        self._book.take(file, first, [piece.digest for piece in pieces])
        self._fresh.append(span)
        if self.lending is not None:
            for each in range(*span):
                self._proofs.came(file, self._proofs.signed(each))

    def on_pack(
        self,
        pack: Pack,
        digests: Sequence[bytes],
        source: DeviceId | None = None,
        *,
        now: Monotonic = _START,
    ) -> None:
        """Take single chunks of several files that `expects` said yes to; digests: of their bytes."""
        source = source or self.key.device
        for chunk, digest in zip(pack.chunks, digests, strict=True):
            if digest != chunk.digest:
                raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file is not as announced")
        spans: list[tuple[int, int]] = []
        signed: list[bytes | None] = []
        if self.lending is not None:  # else the offering device is the one source there is
            is_direct = source == self.key.device
            for chunk in pack.chunks:
                place = self._book.places.of(chunk.file, 0)
                spans.append((place, place + 1))
                signed.append(self._proofs.check(place, chunk.digest, is_direct=is_direct))
        if not self._book.take_packed(pack.chunks):
            raise RemoteProtocolError(Code.MANIFEST_INVALID, "a pack names a file twice")
        self._sources.came(source, pack.fetch, spans, now)
        self._fresh += spans
        for chunk, proof in zip(pack.chunks, signed, strict=False):
            self._proofs.came(chunk.file, proof)

    def on_zeros(
        self, zeros: Zeros, source: DeviceId | None = None, *, now: Monotonic = _START
    ) -> list[tuple[int, bytes]]:
        """Take chunks of one file that are all zero; gives (index, digest) of those to be kept."""
        source = source or self.key.device
        wanted = zeros.range
        kept: list[tuple[int, bytes]] = []
        sizes = self._book.sizes
        for index in range(wanted.first, wanted.first + wanted.count):
            if wanted.file >= len(sizes) or index >= chunk_count(sizes[wanted.file]):
                self._stray(source)
                break
            length = chunk_length(sizes[wanted.file], index)
            digest = zero_digest(length)
            piece = Piece(zeros.fetch, wanted.file, index, length, digest)
            before = self._strays[source]
            if self.expects(piece, source, now=now):
                if self.verify(piece, digest, source, now=now):
                    self.take([piece], source, now=now)
                    kept.append((index, bytes(digest)))
            elif self._strays[source] != before or source not in self._sources.every:
                break
        return kept

    def lend(self) -> None:
        """Let watchers know of what came since the last call: it is written where it can be read again."""
        if self.lending is not None and self._fresh:
            self.lending.hold(self._fresh)
        self._fresh.clear()
        if self.lending is not None and self.is_finished:
            self.lending.fetching = RangeSet()  # what is not signed by now is never lent from here

    def on_have(self, have: Have, source: DeviceId, *, now: Monotonic) -> None:
        """Take what a holder says it has."""
        requests = self._sources.every.get(source)
        if self._swarm is None or requests is None or requests.watch != have.fetch:
            return  # of a watch that was stopped
        self._swarm.on_have(source, have, now)

    def on_fetched(self, message: Fetched, source: DeviceId | None = None) -> None:
        """Take note that a request was answered to its end."""
        source = source or self.key.device
        requests = self._sources.every.get(source)
        if requests is None:
            return
        if message.fetch in requests.roots:
            raise RemoteProtocolError(Code.INCOMPLETE, "digests were not answered")
        asked, is_whole = self._sources.close(source, message.fetch)
        if not is_whole:
            raise RemoteProtocolError(Code.INCOMPLETE, "a request was not answered whole")
        if asked is None or not (several := self._book.several):
            return
        for wanted in asked.ranges:
            if wanted.file in several and self._book.is_complete(wanted.file):
                self._sources.rootless[wanted.file] = None

    def on_refused(self, message: FetchRefused, source: DeviceId | None = None) -> None:
        """Take note that a file will not come from here, or raise for an offer that is not served any more.

        A holder that refuses to be watched is no source any more.
        """
        source = source or self.key.device
        requests = self._sources.every.get(source)
        if requests is None or message.fetch not in requests.open():
            return  # of a request that was stopped
        code = code_of(message.code)
        if message.file >= len(self._book.sizes):
            raise RemoteProtocolError(Code.NUMBER_RANGE, "no file of this offer")
        if source != self.key.device:
            if message.fetch == requests.watch:
                self.unlinked(source)
            else:
                self._sources.lack(source, message.fetch, message.file)
            return
        if message.file < 0:
            raise RemoteProtocolError(code, message.text)
        if not self._book.is_over(message.file):
            self._proofs.fail(message.file, code)
        if requests.roots.get(message.fetch) == message.file:
            del requests.roots[message.fetch]

    def on_signed(self, message: SignedDigests, source: DeviceId | None = None) -> None:
        """Take a batch of digests that the offering device signed, whoever passes it on."""
        self._proofs.on_signed(message.signed, is_direct=source in {None, self.key.device})

    def on_digest_page(self, page: DigestPage) -> None:
        """Take the offering device's answer to FetchDigests: what vouches for one complete file."""
        requests = self._sources.every.get(self.key.device)
        file = None if requests is None else requests.roots.pop(page.fetch, None)
        if file is not None and not self._book.is_over(file):
            self._proofs.on_page(file, page.signed_root)

    def events(self) -> list[ReceiverEvent]:
        """Give what happened since the last call, in order."""
        return self._proofs.events()

    # --- inside

    def _stray(self, source: DeviceId) -> None:
        self._strays[source] += 1
        if self._strays[source] >= limits.STRAY_CHUNKS:
            raise RemoteProtocolError(Code.FLOOD, "chunks that nobody asked for")
