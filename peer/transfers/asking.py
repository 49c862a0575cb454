"""Whom one transfer that comes asks, over which links, and what each brought: people see it in `transfers`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.transfer.receiver import Receiver

if TYPE_CHECKING:
    from peer.transfers.askers import Asker

log = logging.getLogger("peer")


class Source(Struct, frozen=True):
    """One device that was asked in this life of the node.

    path: of its link, as `status` names it, None while it is not asked. bytes: of chunks that came from it.
    error: why it is not asked any more, None if nothing is wrong with it.
    """

    device: DeviceId
    path: str | None = None
    bytes: int = 0
    error: Code | None = None


class Asking:
    """The links of one transfer. offering: the device that offers it. title: for the log.

    Changed under the transfer's lock. What `sources` is made of is replaced, never changed: anybody may read that.
    """

    def __init__(self, offering: DeviceId, title: str) -> None:
        self._offering = offering
        self._title = title
        self._askers: dict[DeviceId, Asker] = {}
        self._sources: dict[DeviceId, Source] = {}
        self.brought_at = time.monotonic()  # when a chunk came last
        self.empty_since = time.monotonic()  # when the last link went, while there is none

    def __iter__(self) -> Iterator[Asker]:
        return iter(list(self._askers.values()))

    def __len__(self) -> int:
        return len(self._askers)

    def __contains__(self, device: DeviceId) -> bool:
        return device in self._askers

    def of(self, device: DeviceId) -> Asker | None:
        """Give the link with a device, or None."""
        return self._askers.get(device)

    def add(self, asker: Asker) -> None:
        """Ask over a link from now on."""
        device = asker.device
        before = self._sources.get(device)
        self._askers[device] = asker
        self._sources[device] = Source(device, asker.path, 0 if before is None else before.bytes)

    def brought(self, device: DeviceId, size: int) -> None:
        """Take note that a chunk came, of so many bytes."""
        self.brought_at = time.monotonic()
        before = self._sources.get(device)
        if before is not None:
            self._sources[device] = Source(device, before.path, before.bytes + size, before.error)

    def drop(self, device: DeviceId) -> None:
        """Ask over a link no more; who brought nothing was no source."""
        if self._askers.pop(device, None) is not None and not self._askers:
            self.empty_since = time.monotonic()
        before = self._sources.get(device)
        if before is not None and (before.bytes or before.error):
            self._sources[device] = Source(device, None, before.bytes, before.error)
        elif before is not None:
            del self._sources[device]

    def clear(self) -> None:
        """Ask over none any more."""
        for device in list(self._askers):
            self.drop(device)

    def look_after(self, receiver: Receiver, now: Monotonic) -> None:
        """Give up sources that stall."""
        alive = {device: asker.alive() for device, asker in self._askers.items()}
        for device, said in receiver.look(alive, now=now):
            self._askers[device].say(*said)
            self.stalled(device)

    def stalled(self, device: DeviceId) -> None:
        """Take note that a device brings nothing of what it owes, and say so; the offering one is asked again later."""
        log.warning("%s stalls with %s: others are asked", device.hex()[:8], self._title)
        if device != self._offering:
            self._bar(device, Code.LINK_SILENT)

    def found_out(self, device: DeviceId, error: RemoteProtocolError) -> None:
        """Take note that a device did what ends its being a source, and say so."""
        name = device.hex()[:8]
        log.warning("%s is no source of %s any more: %s", name, self._title, error)
        self._bar(device, error.code)

    # --- for people

    @property
    def sources(self) -> tuple[Source, ...]:
        """All that were asked, the offering device first, then in the order they came."""
        every = tuple(self._sources.values())
        return tuple(sorted(every, key=lambda source: source.device != self._offering))

    @property
    def path(self) -> str | None:
        """The path of the offering device's link, or of another's that is asked; None: nobody is."""
        return next((source.path for source in self.sources if source.path is not None), None)

    def _bar(self, device: DeviceId, code: Code) -> None:
        before = self._sources.get(device)
        self._sources[device] = Source(device, None, 0 if before is None else before.bytes, code)
        self.drop(device)
