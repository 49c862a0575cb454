"""Bringing what was written to the disk, beside the thread that writes: a slow disk must not hold the bytes."""

from __future__ import annotations

import logging
import threading

from peer.errors import PeerError
from peer.transfers.sink import Sink
from wire import limits

log = logging.getLogger("peer")


class Flushing:
    """Syncs a sink every SYNC_EVERY_S, or sooner when much was written, until it is stopped."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._is_behind = threading.Event()  # much was written and not synced
        self._has_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)
        self._thread.start()

    def wrote(self) -> None:
        """Take note that something was written."""
        if self._sink.unsynced_bytes >= limits.SYNC_EVERY_BYTES:
            self._is_behind.set()

    def end(self) -> None:
        """Begin no further sync."""
        self._has_stopped.set()
        self._is_behind.set()

    def join(self) -> None:
        """End, and wait for a sync that is under way."""
        self.end()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._has_stopped.is_set():
            self._is_behind.wait(limits.SYNC_EVERY_S)
            self._is_behind.clear()
            if self._has_stopped.is_set() or not self._sink.unsynced_bytes:
                continue
            try:
                self._sink.sync()
            except PeerError as error:  # the writer meets the same fault, and says what it means
                log.warning("a sync failed: %s", error)
