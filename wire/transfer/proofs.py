"""What was signed of one offer, held against what came of it: which files are verified, which have failed."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import SigningKey
from wire.transfer.book import Book
from wire.transfer.digests import DigestBatch, DigestRun, DigestTable, read_digests
from wire.transfer.holding import OfferKey
from wire.transfer.lending import Lending


class FileVerified(msgspec.Struct, frozen=True, gc=False):
    """All bytes of this file are here and vouched for."""

    file: int


class FileFailed(msgspec.Struct, frozen=True, gc=False):
    """This file will not come: why; the others go on."""

    file: int
    code: Code


ReceiverEvent: TypeAlias = FileVerified | FileFailed


class Proofs:
    """The verdicts on the files of one offer.

    key: the offer. signing_key: 32 bytes, of the offering device. lending: where there are several sources: what
    was signed is kept there, to be passed on.
    """

    def __init__(
        self, key: OfferKey, signing_key: SigningKey, book: Book, lending: Lending | None
    ) -> None:
        self._key = key
        self._signing_key = signing_key
        self._book = book
        self._lending = lending
        self._vouched = None if lending is None else lending.vouched
        self._events: list[ReceiverEvent] = []
        self.files_done = 0

    def events(self) -> list[ReceiverEvent]:
        """Give what happened since the last call, in order."""
        events, self._events = self._events, []
        return events

    def signed(self, place: int) -> bytes | None:
        """Give the signed digest of a chunk, where those are kept and this one came."""
        return None if self._vouched is None else self._vouched.digest(place)

    def check(self, place: int, digest: bytes, *, is_direct: bool) -> bytes | None:
        """Give the signed digest of a chunk that came; is_direct: from the offering device, else it has to be that."""
        signed = self.signed(place)
        if signed != digest and not is_direct:
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a chunk is not what was signed")
        return signed

    def on_signed(self, signed: bytes, *, is_direct: bool) -> None:
        """Take a batch of digests that the offering device signed, whoever passes it on; is_direct: it was that device."""
        if self._vouched is not None and self._vouched.has(signed):
            return
        batch = self._read(signed)
        for run in batch.runs:
            if run.file >= len(self._book.sizes):
                raise RemoteProtocolError(Code.NUMBER_RANGE, "a digest of no file of this offer")
        if self._vouched is not None:
            for file in self._vouched.take(signed, batch):
                if not self._book.is_over(file):
                    self.fail(file, Code.CHANGED_AT_SENDER)
        for run in batch.runs:
            try:
                self._on_run(run)
            except RemoteProtocolError:
                if is_direct:
                    raise
                self.fail(run.file, Code.CHANGED_AT_SENDER)  # the holder is not to blame

    # --- inside

    def _on_run(self, run: DigestRun) -> None:
        if self._book.sizes[run.file] <= limits.CHUNK_BYTES:
            self._vouch_single(run.file, run.digests)
            return
        table = self._book.several.get(run.file)
        if table is None:
            return
        for index, digest in run.each():
            known = table.get(index) if index < table.count else None
            if known is not None and known != digest:
                self.fail(run.file, Code.CHANGED_AT_SENDER)
                return
        if run.root and table.is_complete:
            self._vouch(run.file, table, run.root)

    def on_page(self, file: int, signed: bytes) -> None:
        """Take what the offering device answers about one complete file that is not over."""
        batch = self._read(signed)
        if self._vouched is not None:
            self._vouched.take(signed, batch)  # others may lack it, too
        for run in batch.runs:
            table = self._book.several.get(file)
            if run.file != file:
                continue
            if table is None:
                self._vouch_single(file, run.digests)
            elif run.root:
                self._vouch(file, table, run.root)
        if not self._book.is_over(file):
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file was not vouched for")

    def _vouch_single(self, file: int, digests: bytes) -> None:
        here = self._book.here.get(file)
        if here is None:
            return  # it is still on its way, or verified
        if digests != here:
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file is not what was signed")
        self.verify(file)

    def _vouch(self, file: int, table: DigestTable, root: bytes) -> None:
        if root != table.root():
            raise RemoteProtocolError(Code.VERIFICATION_FAILED, "a file is not what was signed")
        self.verify(file)

    def came(self, file: int, signed: bytes | None) -> None:
        """Take note of a chunk that is right; signed: its digest, if it was signed before it came."""
        if signed is not None and file in self._book.here:
            self._vouch_single(file, signed)
        table = self._book.several.get(file)
        root = None if table is None or self._vouched is None else self._vouched.root(file)
        if table is not None and root is not None and table.is_complete:
            self._vouch(file, table, root)

    def verify(self, file: int) -> None:
        """Take note that all of a file is here and vouched for."""
        self._book.end(file)
        self.files_done += 1
        self._events.append(FileVerified(file))

    def fail(self, file: int, code: Code) -> None:
        """Give a file up: why."""
        self._book.fail(file)
        if self._lending is not None:
            self._lending.lose(file)
        self._events.append(FileFailed(file, code))

    def _read(self, signed: bytes) -> DigestBatch:
        batch = read_digests(signed, self._signing_key)
        if (batch.device, batch.offer) != self._key:
            raise RemoteProtocolError(Code.UNKNOWN_OFFER, "digests of another offer")
        return batch
