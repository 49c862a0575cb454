"""Where the bytes of one coming transfer go: its sink, the thread that brings it to the disk, and what others may have.

Called under its transfer's lock, but `close` and `discard`, which wait for the thread. Raises PeerError for the disk's faults.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from peer.errors import PeerError
from peer.transfers import ledger
from peer.transfers.disk import Disk
from peer.transfers.flushing import Flushing
from peer.transfers.lent import Lent
from peer.transfers.manager import Incoming as Due
from peer.transfers.reports import Fails, Landed, Report
from peer.transfers.sink import Sink
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.messages.transfer import SignedDigests
from wire.transfer.digests import chunk_count
from wire.transfer.lending import Lending
from wire.transfer.manifest import Entry
from wire.transfer.proofs import FileVerified, ReceiverEvent
from wire.transfer.receiver import Receiver


class Landfall:
    """One transfer's place on the disk, open. due: what the book says; entries: its manifest, checked."""

    def __init__(self, due: Due, entries: Sequence[Entry], *, disk: Disk | None = None) -> None:
        self.files = [entry for entry in entries if entry.is_file]
        self.lent: Lent | None = None
        self._due = due
        if due.waits_for == ledger.FOLDER and due.verified_bytes and not self._is_back(disk):
            detail = f"{due.folder}: what came so far is not there"
            raise PeerError(Code.FOLDER_GONE, detail)
        self.sink = Sink.open(due.folder, due.key, due.title, entries, disk=disk)
        self._failed = self.sink.failed if self.sink.is_landing else []
        self._flushing: Flushing | None = None

    def _is_back(self, disk: Disk | None) -> bool:
        """Say whether a folder that was gone has what came: a disk that is away leaves its bare mount point."""
        return Sink.exists(self._due.folder, self._due.key, self._due.title, disk=disk)

    @property
    def is_landing(self) -> bool:
        """Whether an earlier life had all of it: nothing is left but `land`."""
        return self.sink.is_landing

    def restored(self, batches: Iterable[bytes]) -> Receiver:
        """Make the machine that knows what an earlier life left, once. batches: signed digests it noted."""
        due, sizes, start = self._due, [entry.size for entry in self.files], None
        if due.share is not None:
            start = due.share.start(due.key, sum(map(chunk_count, sizes)))
        receiver = Receiver(due.key, sizes, due.signing_key, start=start)
        for found in self.sink.restored():
            if found.is_whole:
                receiver.restore_whole(found.file)
            else:
                receiver.restore(found.file, found.chunks, found.asked)
        for batch in batches:
            with suppress(RemoteProtocolError):  # it was damaged on our disk
                receiver.on_signed(SignedDigests(batch))
        receiver.start()
        return receiver

    def begin(self, content: bytes, lending: Lending | None) -> None:
        """Begin to take bytes. content: the manifest's; lending: what is told to watchers, if there may be any."""
        self._flushing = Flushing(self.sink)
        if lending is not None:
            self.lent = Lent(self._due.key, content, self.files, lending, self.sink.open_file)

    def settle(self, events: Iterable[ReceiverEvent]) -> None:
        """Carry out what became of files."""
        whole: list[int] = []
        for event in events:
            if isinstance(event, FileVerified):
                whole.append(event.file)
            else:
                self.sink.drop_file(event.file, event.code)
                self._failed.append((event.file, event.code))
        if whole:
            self.sink.finish_files(whole)
        if self._flushing is not None:
            self._flushing.wrote()

    def land(self) -> Report:
        """Give everything its final name; nothing of it if nothing came whole."""
        skipped = [
            {"path": self.files[file].path, "reason": code.value} for file, code in self._failed
        ]
        if skipped and len(skipped) == len(self.files):
            code: Code = self._failed[0][1]
            return Fails(code, f"{skipped[0]['path']}: {code.what}")
        if self._flushing is not None:
            self._flushing.end()
        path = self.sink.finish()
        if self.lent is not None:
            self.lent.landed = path
        return Landed(path, skipped)

    def close(self) -> None:
        """Stop in good order: what was written is synced."""
        self._stop()
        self.sink.close()

    def discard(self) -> None:
        """Stop and take the work folder away."""
        self._stop()
        self.sink.discard()

    def _stop(self) -> None:
        if self.lent is not None:
            self.lent.open_part = None
        if self._flushing is not None:
            self._flushing.join()
