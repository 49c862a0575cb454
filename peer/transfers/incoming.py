"""One transfer that comes: a manifest put together, then `wire.transfer.Receiver` married to a sink.

It outlives the data links it uses. All methods block and may be called from any thread, one at a time under
its lock; what it has to tell goes to `report`. A thread of its own brings what was written to the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from blake3 import blake3

from peer.errors import PeerError
from peer.transfers import ledger
from peer.transfers.disk import Disk
from peer.transfers.flushing import Flushing
from peer.transfers.manager import Incoming as Due
from peer.transfers.reports import LIES, Fails, Fits, Landed, Report, Stumbles, Unfit, Waits
from peer.transfers.sink import Sink
from peer.transfers.verdicts import all_match
from wire.codes import Code, code_of
from wire.errors import RemoteProtocolError
from wire.messages import Message
from wire.messages.transfer import (
    DigestPage,
    Fetch,
    Fetched,
    FetchRefused,
    ManifestPage,
    Pack,
    Piece,
    SignedDigests,
    Verified,
    Zeros,
)
from wire.transfer import manifest
from wire.transfer.assembly import Assembly
from wire.transfer.manifest import Entry
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver

log = logging.getLogger("peer")


class Incoming:
    """One transfer that comes.

    due: what the book says of it. report: called with what became of it. disk: where it lands, the system's.
    """

    def __init__(
        self,
        due: Due,
        report: Callable[[Incoming, Report], None],
        *,
        disk: Disk | None = None,
    ) -> None:
        self.due = due
        self._disk = disk
        self._report = report
        self._lock = threading.RLock()
        self._say: Callable[..., None] | None = None
        self._new_fetch: Callable[[], int] | None = None
        self._assembly: Assembly | None = None
        self._entries: list[Entry] = []
        self._files: list[Entry] = []
        self._sink: Sink | None = None
        self._receiver: Receiver | None = None
        self._failed: list[tuple[int, Code]] = []
        self._is_over = False
        self.resumed_at = 0  # bytes that were verified when it began to ask over its link
        self.detached_at = time.monotonic()  # when it last had a link, while it has none
        self._flushing: Flushing | None = None

    # --- figures, for whoever shows them

    @property
    def files_done(self) -> int:
        """Files that are verified."""
        return 0 if self._receiver is None else self._receiver.files_done

    @property
    def verified_bytes(self) -> int:
        """Bytes that are here and right."""
        return 0 if self._receiver is None else self._receiver.verified_bytes

    @property
    def resent_bytes(self) -> int:
        """Bytes that came twice, in earlier lives too."""
        again = 0 if self._receiver is None else self._receiver.resent_bytes
        return self.due.resent_bytes + again

    @property
    def is_counting(self) -> bool:
        """Whether it knows what an earlier life left: before that its figures say nothing."""
        return self._receiver is not None

    # --- links

    def attach(self, say: Callable[..., None], new_fetch: Callable[[], int]) -> None:
        """Begin to ask over a link. say: sends messages; new_fetch: gives ids unique on it."""
        with suppress(RemoteProtocolError, PeerError), self._guarded():  # it is reported
            if self._is_over:
                return
            self._say, self._new_fetch = say, new_fetch
            if self._receiver is not None:
                self.resumed_at = self._receiver.verified_bytes
                self._receiver.linked(new_fetch)
                self._ask()
                return
            self._assembly = Assembly(
                self.due.key,
                size_bytes=self.due.manifest_size,
                digest=self.due.manifest_digest,
                new_fetch=new_fetch,
            )
            say(*self._assembly.asks())

    def detach(self) -> None:
        """Take note that the link is gone."""
        with self._lock:
            self.detached_at = time.monotonic()
            self._say = self._new_fetch = self._assembly = None
            if self._receiver is not None:
                self._receiver.unlinked()

    def wants(self) -> bool:
        """Say whether something was asked for and is still to come."""
        with self._lock:
            receiver = self._receiver
            return self._assembly is not None or (receiver is not None and receiver.is_waiting)

    @property
    def is_attached(self) -> bool:
        """Whether it asks over a link now."""
        return self._say is not None

    # --- what comes, on the link's receiving thread

    def heard(self, message: Message) -> None:
        """Take a message about this transfer; raises RemoteProtocolError for what ends the link."""
        with self._guarded():
            if self._is_over:
                return
            if isinstance(message, ManifestPage):
                self._on_page(message)
                return
            if isinstance(message, FetchRefused) and self._assembly is not None:
                raise _Refused(message)
            receiver = self._receiver
            if receiver is None:
                return
            match message:
                case Zeros():
                    kept = receiver.on_zeros(message)
                    if kept and self._sink is not None:
                        self._sink.write_zeros(message.range.file, kept[0][0], len(kept))
                case SignedDigests():
                    receiver.on_signed(message)
                case Fetched():
                    receiver.on_fetched(message)
                case FetchRefused():
                    if message.file < 0:
                        raise _Refused(message)
                    receiver.on_refused(message)
                case DigestPage():
                    receiver.on_digest_page(message)
            self._after()

    def expects(self, announced: Piece | Pack) -> bool:
        """Say whether the bytes that follow were asked for; raises RemoteProtocolError(FLOOD)."""
        with self._lock:
            return self._receiver is not None and self._receiver.expects(announced)

    def chunk(self, announced: Piece | Pack, data: memoryview) -> None:
        """Take the bytes of a chunk, or of several small files; raises RemoteProtocolError."""
        if isinstance(announced, Piece):
            digest = blake3(data).digest()
            with self._guarded():
                if self._receiver is None or self._sink is None or self._is_over:
                    return
                self._receiver.on_piece(announced, digest)
                self._sink.write(announced.file, announced.index, data, digest)
                self._after()
            return
        parts = []
        position = 0
        for chunk in announced.chunks:
            part = data[position : position + chunk.length]
            parts.append((chunk.file, 0, part, blake3(part).digest()))
            position += chunk.length
        with self._guarded():
            if self._receiver is None or self._sink is None or self._is_over:
                return
            self._receiver.on_pack(announced, [part[3] for part in parts])
            self._sink.write_all(parts)
            self._after()

    # --- ends

    def close(self) -> None:
        """Stop in good order: what was written is synced; another life goes on from here."""
        with self._lock:
            self._is_over = True
            self._say = None
            sink, self._sink = self._sink, None
            flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.join()
        if sink is not None:
            sink.close()

    def discard(self) -> None:
        """Stop and take the work folder away: it is done, or nobody wants it. Raises PeerError."""
        with self._lock:
            self._is_over = True
            self._say = None
            sink, self._sink = self._sink, None
            flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.join()
        if sink is not None:
            sink.discard()
        else:
            Sink.clear(self.due.folder, self.due.key, self.due.title, disk=self._disk)

    def progress(self) -> Verified:
        """Give what tells the other side how far we are."""
        key = self.due.key
        return Verified(
            key.device, key.offer, self.verified_bytes, self.files_done, self.resent_bytes
        )

    # --- inside

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Hold the lock, and sort what goes wrong: the disk's faults hold the transfer, a lie ends the link too."""
        with self._lock:
            try:
                yield
            except PeerError as error:
                self._hold(error)
            except _Refused as refused:
                self._turned_away(code_of(refused.message.code), refused.message.text)
            except RemoteProtocolError as error:
                if error.code in LIES:
                    self._fail(error.code, error.detail)
                raise
            except Exception as error:
                log.error("%s stumbles over a fault of ours: %r", self.due.title, error)  # noqa: TRY400
                log.debug("where it went wrong", exc_info=True)
                self._is_over = True
                self._say = None
                self._report(self, Stumbles())
                raise PeerError(Code.INTERNAL, self.due.title) from error

    def _on_page(self, page: ManifestPage) -> None:
        assembly = self._assembly
        if assembly is None or self._say is None:
            return
        content = assembly.on_page(page)
        if content is None:
            self._say(*assembly.asks())
            return
        self._assembly = None
        entries = manifest.decode(content)
        manifest.check_against_offer(entries, files=self.due.files, size_bytes=self.due.size)
        self._entries = entries
        self._files = [entry for entry in entries if entry.is_file]
        if self.due.types is not None:
            if not all_match([entry.path for entry in self._files], self.due.types):
                self._is_over = True
                self._report(self, Unfit())
                return
            self._report(self, Fits())
        self._begin()

    def _begin(self) -> None:
        """Open the sink, take in what an earlier life left, and begin to ask."""
        sink = Sink.open(
            self.due.folder, self.due.key, self.due.title, self._entries, disk=self._disk
        )
        self._sink = sink
        if sink.is_landing:
            self._failed = sink.failed
            self._land()
            return
        receiver = Receiver(self.due.key, [e.size for e in self._files], self.due.signing_key)
        for found in sink.restored():
            if found.is_whole:
                receiver.restore_whole(found.file)
            else:
                receiver.restore(found.file, found.chunks, found.asked)
        self.resumed_at = receiver.verified_bytes
        self._receiver = receiver
        receiver.start()
        if self._new_fetch is not None:
            receiver.linked(self._new_fetch)
        self._flushing = Flushing(sink)
        self._after()

    def _after(self) -> None:
        """Carry out what the machine decided, then ask for more or end."""
        receiver, sink = self._receiver, self._sink
        if receiver is None or sink is None:
            return
        whole: list[int] = []
        for event in receiver.events():
            match event:
                case FileVerified(file=file):
                    whole.append(file)
                case FileFailed(file=file, code=code):
                    sink.drop_file(file, code)
                    self._failed.append((file, code))
        if whole:
            sink.finish_files(whole)
        if self._flushing is not None:
            self._flushing.wrote()
        if receiver.is_finished:
            self._land()
        else:
            self._ask()

    def _ask(self) -> None:
        receiver, say = self._receiver, self._say
        if receiver is None or say is None:
            return
        asks = receiver.asks()
        if not asks:
            return
        if self._sink is not None:
            self._sink.asked(
                [
                    (wanted.file, wanted.first, wanted.first + wanted.count)
                    for ask in asks
                    if isinstance(ask, Fetch)
                    for wanted in ask.ranges
                ]
            )
        say(*asks)

    def _land(self) -> None:
        """Give everything its final name; nothing of it if nothing came whole."""
        sink = self._sink
        assert sink is not None
        self._is_over = True
        skipped = [
            {"path": self._files[file].path, "reason": code.value} for file, code in self._failed
        ]
        if skipped and len(skipped) == len(self._files):
            code = self._failed[0][1]
            self._report(self, Fails(code, f"{skipped[0]['path']}: {code.what}"))
            return
        if self._flushing is not None:
            self._flushing.end()
        self._report(self, Landed(sink.finish(), skipped))

    def _hold(self, error: PeerError) -> None:
        """Let go of disk and link: the disk has a fault. Another try opens the sink anew."""
        self._stop_asking()
        self._is_over = True
        waits = {Code.NO_SPACE: ledger.SPACE, Code.FOLDER_GONE: ledger.FOLDER}
        reason = waits.get(error.code)
        if reason is not None:
            self._report(self, Waits(reason, error.detail))
        else:
            self._report(self, Fails(error.code, error.detail))

    def _fail(self, code: Code, detail: str) -> None:
        self._stop_asking()
        self._is_over = True
        self._report(self, Fails(code, detail))

    def _turned_away(self, code: Code, detail: str) -> None:
        """Let go of disk and link: the other side serves nothing of it, now or at all."""
        if code is not Code.PAUSED:
            self._fail(Code.UNKNOWN_OFFER, detail)
            return
        self._stop_asking()
        self._is_over = True
        self._report(self, Waits(ledger.PAUSED, detail))

    def _stop_asking(self) -> None:
        """Let go of the link, and say so on it; what was asked for there need not come."""
        if self._receiver is not None and self._say is not None:
            self._say(*self._receiver.stop())
        self._say = None


class _Refused(Exception):
    """The other side does not serve this offer to us."""

    def __init__(self, message: FetchRefused) -> None:
        super().__init__(message.code, message.text)
        self.message = message
