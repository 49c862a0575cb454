"""What one data link is about: the transfers that ask over it, and the offers that are served on it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

from peer.transfers.bulk import Bulk
from peer.transfers.incoming import Incoming
from peer.transfers.outgoing import Outgoing, Served
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.messages import Message
from wire.messages.transfer import Pack, Piece, SignedDigests, Verified
from wire.transfer.digests import peek_digests
from wire.transfer.holding import OfferKey

TELL_PROGRESS_S = 0.25


class TransferTalk:
    """One data link's talk, see `peer.transfers.bulk.Talk`.

    find: what the other end may have under a key, or None; it may block. on_progress: called with an offer
    we serve and how far the other side is. on_end: called once, from a thread.
    """

    def __init__(
        self,
        bulk: Bulk,
        *,
        find: Callable[[OfferKey], Served | None],
        on_progress: Callable[[Served, Verified], None],
        on_end: Callable[[Code, str], None],
    ) -> None:
        self._bulk = bulk
        self._outgoing = Outgoing(find)
        self._on_progress = on_progress
        self._on_end = on_end
        self._lock = threading.Lock()
        self._incoming: dict[OfferKey, Incoming] = {}
        self._by_fetch: dict[int, Incoming] = {}
        self._fetches = itertools.count()
        self._told_at = 0.0
        self._told: dict[OfferKey, Verified] = {}

    # --- from the node's side

    def attach(self, incoming: Incoming) -> None:
        """Let a transfer ask over this link."""
        with self._lock:
            self._incoming[incoming.due.key] = incoming

        def new_fetch() -> int:
            with self._lock:
                fetch = next(self._fetches)
                self._by_fetch[fetch] = incoming
            return fetch

        incoming.attach(self._bulk.say, new_fetch)

    def release(self, incoming: Incoming) -> None:
        """Forget a transfer that is over; what still comes for it is not asked for."""
        with self._lock:
            self._incoming.pop(incoming.due.key, None)
            self._by_fetch = {
                fetch: each for fetch, each in self._by_fetch.items() if each is not incoming
            }

    def withdraw(self, key: OfferKey) -> None:
        """Serve an offer no more on this link."""
        self._outgoing.withdraw(key)
        self._bulk.wake()

    @property
    def incoming(self) -> list[Incoming]:
        """The transfers that ask over this link."""
        with self._lock:
            return list(self._incoming.values())

    @property
    def served(self) -> list[Served]:
        """The offers that are served on it."""
        return self._outgoing.served

    # --- from the link's threads

    def heard(self, message: Message) -> None:
        """Take a message; see `Talk`."""
        if isinstance(message, Verified):
            self._heard_progress(message)
        elif isinstance(message, SignedDigests):
            incoming = self._incoming.get(OfferKey(*peek_digests(message.signed)))
            if incoming is not None:
                incoming.heard(message)
        elif self._outgoing.heard(message):
            self._bulk.wake()
        else:
            fetch: int | None = getattr(message, "fetch", None)
            incoming = None if fetch is None else self._by_fetch.get(fetch)
            if incoming is not None:
                incoming.heard(message)

    def expects(self, announced: Piece | Pack) -> bool:
        """Say whether the bytes that follow are wanted."""
        incoming = self._by_fetch.get(announced.fetch)
        return incoming is not None and incoming.expects(announced)

    def chunk(self, announced: Piece | Pack, data: memoryview) -> None:
        """Take the bytes that were announced."""
        incoming = self._by_fetch.get(announced.fetch)
        if incoming is None:
            raise RemoteProtocolError(Code.FLOOD, "bytes for nobody")
        incoming.chunk(announced, data)

    def next_record(self, into: memoryview) -> tuple[list[Message], int] | None:
        """Give what to send next: how far we are, four times a second, and what is asked of us."""
        said = self._progress()
        found = self._outgoing.next_record(into)
        if found is None:
            return (said, 0) if said else None
        return [*said, *found[0]], found[1]

    def wants(self) -> bool:
        """Say whether something was asked for and is still to come."""
        return any(incoming.wants() for incoming in self.incoming)

    def has_work(self) -> bool:
        """Say whether a transfer still asks here; what is asked of us shows by itself."""
        return any(incoming.is_attached for incoming in self.incoming)

    def ended(self, code: Code, text: str) -> None:
        """Let the transfers know, then whoever owns the link."""
        self._on_end(code, text)

    # --- inside

    def _heard_progress(self, message: Verified) -> None:
        key = OfferKey(message.offering_device, message.offer)
        for served in self._outgoing.served:
            if served.holding.key == key:
                self._on_progress(served, message)

    def _progress(self) -> list[Message]:
        now = time.monotonic()
        if now - self._told_at < TELL_PROGRESS_S:
            return []
        self._told_at = now
        said: list[Message] = []
        for incoming in self.incoming:
            progress = incoming.progress()
            if self._told.get(incoming.due.key) != progress:
                self._told[incoming.due.key] = progress
                said.append(progress)
        return said
