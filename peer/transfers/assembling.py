"""Coming by the manifest of one transfer: noted by an earlier life, or fetched from one source after another."""

from __future__ import annotations

from peer.transfers.askers import Asker
from peer.transfers.manager import Incoming as Due
from peer.transfers.taken import TakenRecord
from wire.ids import DeviceId
from wire.messages.transfer import ManifestPage
from wire.transfer.assembly import Assembly


class Assembling:
    """One manifest. due: what the book says. record: where an earlier life may have noted it."""

    def __init__(self, due: Due, record: TakenRecord | None) -> None:
        self._due = due
        self._record = record
        self._assembly: Assembly | None = None
        self._asker: Asker | None = None
        self.batches: list[bytes] = []  # signed digests that were noted with it

    def is_from(self, device: DeviceId) -> bool:
        """Say whether a device is being asked for it."""
        return self._asker is not None and self._asker.device == device

    @property
    def is_under_way(self) -> bool:
        """Whether somebody is being asked."""
        return self._asker is not None

    def begin(self, asker: Asker) -> bytes | None:
        """Ask a source, or give what is noted here."""
        found = None if self._record is None else self._record.load(self._due.manifest_digest)
        if found is not None:
            self.batches = found[1]
            return found[0]
        self._asker = asker
        self._assembly = Assembly(
            self._due.key,
            size_bytes=self._due.manifest_size,
            digest=self._due.manifest_digest,
            new_fetch=asker.new_fetch,
        )
        asker.say(*self._assembly.asks())
        return None

    def stop(self) -> None:
        """Ask nobody."""
        self._assembly = self._asker = None

    def on_page(self, page: ManifestPage, source: DeviceId) -> bytes | None:
        """Take a page; gives the whole with the last one. Raises RemoteProtocolError."""
        if self._assembly is None or self._asker is None or self._asker.device != source:
            return None
        content = self._assembly.on_page(page)
        if content is None:
            self._asker.say(*self._assembly.asks())
            return None
        self.stop()
        whole = bytes(content)
        if self._record is not None:
            self._record.begin(whole)
        return whole
