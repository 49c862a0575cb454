"""One transfer that comes: a manifest put together, then `wire.transfer.Receiver` married to a sink.

It outlives the data links it uses. All methods block and may be called from any thread, one at a time under
its lock; what it has to tell goes to `report`. A thread of its own brings what was written to the disk.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from peer.errors import PeerError
from peer.reach.paths import DIRECT
from peer.transfers import reports
from peer.transfers.askers import Asker, Refused, ask_all, hear, now
from peer.transfers.asking import Asking
from peer.transfers.assembling import Assembling
from peer.transfers.disk import Disk
from peer.transfers.guarded import Guarded
from peer.transfers.intake import Intake, unpacked
from peer.transfers.landfall import Landfall
from peer.transfers.lent import Lent
from peer.transfers.manager import Incoming as Due
from peer.transfers.reports import Report
from peer.transfers.sink import Sink
from peer.transfers.taken import TakenRecord
from peer.transfers.verdicts import all_match
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import FetchRefused, ManifestPage, Pack, Piece, Verified, Zeros
from wire.transfer import manifest
from wire.transfer.receiver import Receiver

log = logging.getLogger("peer")


class Incoming:
    """One transfer that comes.

    due: what the book says of it. report: called with what became of it. disk: where it lands, the system's.
    records: the folder where what may be lent of it is noted.
    """

    def __init__(
        self,
        due: Due,
        report: Callable[[Incoming, Report], None],
        *,
        disk: Disk | None = None,
        records: Path | None = None,
    ) -> None:
        self.due = due
        self._disk = disk
        self._report = report
        self._lock = threading.RLock()
        self.asking = Asking(due.key.device, due.title)
        self._record = TakenRecord(records, due.key) if records and due.share else None
        self._assembling = Assembling(due, self._record)
        self._landfall: Landfall | None = None
        self._receiver: Receiver | None = None
        self._intake: Intake | None = None
        self._is_over = False
        self.waits_for = ""  # the code of what holds it, once that is reported
        self.resumed_at = 0  # bytes that were verified when it last began to ask, or went on
        self.begun = 0  # how often it did

    @property
    def lent(self) -> Lent | None:
        """What others may have of it, while it is open."""
        return None if self._landfall is None else self._landfall.lent

    # --- figures, for whoever shows them

    @property
    def files_done(self) -> int:
        """Files that are verified."""
        return 0 if self._receiver is None else self._receiver.files_done

    @property
    def verified_bytes(self) -> int:
        """Bytes that are here and right."""
        return 0 if self._intake is None else self._intake.verified_bytes

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

    def attach(
        self,
        say: Callable[..., None],
        new_fetch: Callable[[], int],
        source: DeviceId | None = None,
        alive: Callable[[], Monotonic] = now,
        path: str = DIRECT,
    ) -> None:
        """Begin to ask over a link. say: sends messages; new_fetch: gives ids unique on it.

        source: whose link it is, the offering device's unless told. alive: when a part of a chunk came last.
        path: the link's.
        """
        asker = Asker(source or self.due.key.device, say, new_fetch, alive, path)
        with suppress(RemoteProtocolError, PeerError), self._guarded(asker.device):  # is reported
            if self._is_over:
                return
            self._settle()
            if self._receiver is None and not self._assembling.is_under_way:
                self.asking.add(asker)
                self._assemble(asker)
            elif self._receiver is None or self._receiver.may_ask(asker.device):
                self.asking.add(asker)
                self._link(asker)
                self._ask()

    def detach(
        self, source: DeviceId | None = None, say: Callable[..., None] | None = None
    ) -> None:
        """Take note that a link is gone. say: of that link; another with the same device may have followed."""
        with self._lock:
            asker = self.asking.of(source or self.due.key.device)
            if asker is None or (say is not None and asker.say != say):
                return
            with suppress(RemoteProtocolError, PeerError), self._guarded(asker.device):
                self._settle()  # or it would be asked for again
            self.asking.drop(asker.device)
            if self._receiver is not None:
                self._receiver.unlinked(asker.device)
            with suppress(RemoteProtocolError, PeerError), self._guarded(asker.device):
                self._assemble_elsewhere(asker.device)
                self._ask()

    def wants(self, source: DeviceId | None = None) -> bool:
        """Say whether something was asked for on a link and is still to come."""
        device = source or self.due.key.device
        with self._lock:
            receiver = self._receiver
            is_waiting = receiver is not None and receiver.waits_for(device)
            return is_waiting or self._assembling.is_from(device)

    @property
    def is_busy(self) -> bool:
        """Whether something that was asked for is still to come, from anybody, or its disk is at work."""
        if not self._lock.acquire(blocking=False):
            return True
        try:
            return any(self.wants(asker.device) for asker in self.asking)
        finally:
            self._lock.release()

    def asks(self, source: DeviceId) -> bool:
        """Say whether it asks over the link of a device."""
        return source in self.asking

    def may_ask(self, source: DeviceId) -> bool:
        """Say whether another source would be asked: it was not found out, and there are not too many."""
        if not self._lock.acquire(blocking=False):
            return False  # its disk is at work; whoever asks tries again
        try:
            receiver = self._receiver
            return len(self.asking) < 2 if receiver is None else receiver.may_ask(source)
        finally:
            self._lock.release()

    def look(self) -> None:
        """Give up sources that stall; from any thread, and does nothing while another is at it."""
        if len(self.asking) < 2 or not self._lock.acquire(blocking=False):
            return
        try:
            if self._receiver is None or self._is_over:
                return
            self.asking.look_after(self._receiver, now())
            with suppress(RemoteProtocolError, PeerError), self._guarded(self.due.key.device):
                self._ask()
        finally:
            self._lock.release()

    # --- what comes, on the link's receiving thread

    def heard(self, message: Message, source: DeviceId | None = None) -> None:
        """Take a message about this transfer; raises RemoteProtocolError for what ends the link."""
        source = source or self.due.key.device
        with self._guarded(source):
            if self._is_over:
                return
            self._settle()
            if isinstance(message, ManifestPage):
                if (content := self._assembling.on_page(message, source)) is not None:
                    self._begin(content)
                return
            is_offering = source == self.due.key.device
            if isinstance(message, FetchRefused) and self.wants(source) and self._receiver is None:
                if is_offering:
                    raise Refused(message)
                self.detach(source)
                return
            receiver = self._receiver
            if receiver is None:
                return
            if is_offering and isinstance(message, FetchRefused) and message.file < 0:
                raise Refused(message)
            if isinstance(message, Zeros) and self._intake is not None:
                self._intake.take_zeros(message, source, now())
            else:
                hear(receiver, message, source)
            if source not in receiver.sources:
                self.asking.drop(source)  # it has nothing of it, or lends nothing
            self._after()

    def expects(self, announced: Piece | Pack, source: DeviceId | None = None) -> bool:
        """Say whether the bytes that follow were asked for; raises RemoteProtocolError(FLOOD)."""
        with self._lock:
            intake = self._intake
            if intake is not None and not intake.goes_on(announced):
                self.rest(source)
            return intake is not None and intake.expects(announced, source, now())

    def chunk(
        self, announced: Piece | Pack, data: memoryview, source: DeviceId | None = None
    ) -> None:
        """Take the bytes of a chunk, or of several small files; raises RemoteProtocolError."""
        source = source or self.due.key.device
        parts = unpacked(announced, data)
        with self._guarded(source):
            self.asking.brought(source, len(data))
            intake = self._intake
            if intake and not self._is_over and intake.take(announced, parts, source, now()):
                self._after()

    def rest(self, source: DeviceId | None = None) -> None:
        """Count what was written, as nothing more comes for now; raises RemoteProtocolError."""
        with self._guarded(source or self.due.key.device):
            if self._settle():
                self._after()

    # --- ends

    def close(self) -> None:
        """Stop in good order: what was written is synced; another life goes on from here."""
        if (landfall := self._let_go()) is not None:
            landfall.close()

    def discard(self) -> None:
        """Stop and take the work folder away: it is done, or nobody wants it. Raises PeerError."""
        if (landfall := self._let_go()) is not None:
            landfall.discard()
        else:
            Sink.clear(self.due.folder, self.due.key, self.due.title, disk=self._disk)

    def progress(self, *, is_first: bool = False) -> Verified:
        """Give what tells the other side how far we are. is_first: how far we were when its link began."""
        key = self.due.key
        asker = self.asking.of(key.device) if is_first else None
        verified = self.verified_bytes if not asker or asker.begun_at is None else asker.begun_at
        figures = verified, self.files_done, self.resent_bytes
        return Verified(key.device, key.offer, *figures, self.waits_for)

    # --- inside

    def _settle(self) -> bool:
        """Count what was written and is not counted yet; False if there is nothing. `_after` has to follow."""
        intake = self._intake
        return intake is not None and not self._is_over and intake.settle(now())

    def _let_go(self) -> Landfall | None:
        with self._lock:
            with suppress(PeerError):  # it comes again then
                self._settle()
            self._is_over = True
            self.asking.clear()
            landfall, self._landfall = self._landfall, None
        return landfall

    def _guarded(self, source: DeviceId) -> Guarded[DeviceId]:
        return Guarded(self._lock, self._meet, source)

    def _meet(self, error: Exception, source: DeviceId) -> bool:
        """Sort what goes wrong: the disk's faults hold the transfer, a lie ends the link too; True: that is all.

        Whose link it is matters: what a holder does wrong costs that source, not the transfer.
        """
        if isinstance(error, PeerError):
            self._end(reports.fault_report(error))
        elif isinstance(error, Refused):
            self._end(reports.refusal_report(error.message))
        elif isinstance(error, RemoteProtocolError):
            if source != self.due.key.device:
                self._bar(source, error)
            elif error.code in reports.LIES:
                self._end(reports.Fails(error.code, error.detail))
            return False
        else:
            log.error("%s stumbles over a fault of ours: %r", self.due.title, error)
            log.debug("where it went wrong", exc_info=error)
            self._is_over = True
            self.asking.clear()
            self._report(self, reports.Stumbles())
            raise PeerError(Code.INTERNAL, self.due.title) from error
        return True

    def _assemble(self, asker: Asker) -> None:
        """Begin to fetch the manifest, unless an earlier life noted it."""
        content = self._assembling.begin(asker)
        if content is not None:
            self._begin(content)

    def _assemble_elsewhere(self, device: DeviceId) -> None:
        """Ask another source for the manifest, if it was this one."""
        if self._assembling.is_from(device):
            self._assembling.stop()
            for other in list(self.asking)[:1]:
                self._assemble(other)

    def _begin(self, content: bytes) -> None:
        """Begin with the manifest, if its files are wanted."""
        entries = manifest.decode(content)
        manifest.check_against_offer(entries, files=self.due.files, size_bytes=self.due.size)
        if self.due.types is not None:
            paths = [entry.path for entry in entries if entry.is_file]
            if not all_match(paths, self.due.types):
                self._is_over = True
                self._report(self, reports.Unfit())
                return
            self._report(self, reports.Fits())
        landfall = self._landfall = Landfall(self.due, entries, disk=self._disk)
        if landfall.is_landing:
            self._land(landfall)
            return
        self._receiver = landfall.restored(self._assembling.batches)
        self._intake = Intake(self._receiver, landfall.sink)
        landfall.begin(content if self.due.share else b"", self._receiver.lending)
        for asker in self.asking:
            self._link(asker)
        self._after()

    def _after(self) -> None:
        """Carry out what the machine decided, then ask for more or end."""
        receiver, landfall = self._receiver, self._landfall
        if receiver is None or landfall is None:
            return
        landfall.settle(receiver.events())
        receiver.lend()
        if self._record is not None and receiver.lending is not None:
            self._record.add(receiver.lending.vouched.batches)
        if receiver.is_finished:
            self._land(landfall)
        else:
            self._ask()

    def _link(self, asker: Asker) -> None:
        if (receiver := self._receiver) is not None:
            if not any(map(receiver.waits_for, set(receiver.sources) - {asker.device})):
                self.resumed_at = receiver.verified_bytes  # nobody else brings anything
                self.begun += 1
            asker.begun_at = receiver.verified_bytes
            receiver.linked(asker.new_fetch, asker.device, now=now())

    def _ask(self) -> None:
        """Ask every source for what is its to bring now."""
        receiver = self._receiver
        if receiver is not None and self._landfall is not None and not self._is_over:
            ask_all(receiver, self.asking, self._landfall.sink.asked)

    def _land(self, landfall: Landfall) -> None:
        self._is_over = True
        self._report(self, landfall.land())

    def _bar(self, source: DeviceId, error: RemoteProtocolError) -> None:
        """Ask a holder no more; the others go on."""
        self.asking.found_out(source, error)
        if self._receiver is not None:
            self._receiver.bar(source)
            self._ask()
        else:
            self._assemble_elsewhere(source)

    def _end(self, report: Report) -> None:
        """Let go of disk and links, and say so on them; what was asked for there need not come."""
        with suppress(PeerError):  # it comes again then
            self._settle()
        if self._receiver is not None:
            for asker in self.asking:
                asker.say(*self._receiver.stop(asker.device))
        self.asking.clear()
        self._is_over = True
        self.waits_for = reports.held_by(report)
        self._report(self, report)
