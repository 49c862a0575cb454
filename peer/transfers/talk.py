"""What one data link is about: the transfers that ask over it, and the offers that are served on it."""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from collections.abc import Callable

from peer.reach.paths import DIRECT
from peer.transfers.bulk import Bulk
from peer.transfers.incoming import Incoming
from peer.transfers.outgoing import Outgoing, Served
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId, OfferId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import (
    DigestPage,
    Fetched,
    FetchRefused,
    ManifestPage,
    Pack,
    Piece,
    SignedDigests,
    StopFetch,
    Verified,
)
from wire.transfer.digests import peek_digests
from wire.transfer.holding import OfferKey

TELL_PROGRESS_S = 0.25
LINGER_S = 15.0
"""Who takes one file often takes another soon: a new link makes it 15 ms to its place instead of 7 (2026-11)."""

SERVING_LINGER_S = limits.DEAD_AFTER_S
_LAST_WORDS = (Fetched, ManifestPage, DigestPage)


class TransferTalk:
    """One data link's talk, see `peer.transfers.bulk.Talk`.

    device: at the other end. find: as of `Outgoing`. on_progress: called from a thread when
    `take_progress` has something new. on_counting: called from a thread with a transfer that knows how far it is and
    begins to ask. on_begin: as of `Outgoing`. on_stop: called with an offer of which the other end wants nothing more for
    now. on_end: called once, from a thread. is_kept: as of `Talk`.
    """

    def __init__(
        self,
        bulk: Bulk,
        device: DeviceId,
        *,
        find: Callable[[OfferKey, Served | None], Served | Code],
        on_progress: Callable[[], None],
        on_counting: Callable[[Incoming], None],
        on_begin: Callable[[Served], None],
        on_stop: Callable[[Served], None],
        on_end: Callable[[Code, str], None],
        is_kept: Callable[[], bool] = lambda: False,
    ) -> None:
        self._bulk = bulk
        self.device = device
        self._outgoing = Outgoing(find, on_begin, on_stop)
        self._on_progress = on_progress
        self._on_counting = on_counting
        self._on_end = on_end
        self.is_kept = is_kept
        self._lock = threading.Lock()
        self._incoming: dict[OfferKey, Incoming] = {}
        self._by_fetch: dict[int, Incoming] = {}
        self._stopped: set[int] = set()  # released before they were answered to their end
        self._strays = 0
        self._has_ended = False
        self._fetches = itertools.count()
        self._heard_of: dict[OfferKey, list[tuple[Served, Verified]]] = {}  # not yet taken
        self._told_at = 0.0
        self._told: dict[OfferKey, Verified] = {}

    # --- from the node's side

    def attach(self, incoming: Incoming, path: str = DIRECT) -> None:
        """Let a transfer ask over this link, unless it has ended. path: the link's, for people."""
        with self._lock:
            if self._is_over():
                return
            self._told.pop(incoming.due.key, None)  # if it asked here before, it goes on now
            self._incoming[incoming.due.key] = incoming

        held = weakref.ref(
            incoming
        )  # it keeps this, and so would keep itself, lists and all, when it is over

        def new_fetch() -> int:
            with self._lock:
                fetch = next(self._fetches)
                if (asking := held()) is not None:
                    self._by_fetch[fetch] = asking
            return fetch

        def alive() -> Monotonic:
            return self._bulk.part_came_at

        incoming.attach(self._bulk.say, new_fetch, self.device, alive, path)
        if self._is_over():  # meanwhile: whoever let go of its transfers may have missed this one
            incoming.detach(self.device, self._bulk.say)

    def release(self, incoming: Incoming) -> None:
        """Forget a transfer that is over, and ask for no more of it; what still comes is dropped."""
        with self._lock:
            if self._incoming.pop(incoming.due.key, None) is None:
                return
            stopped = [fetch for fetch, each in self._by_fetch.items() if each is incoming]
            for fetch in stopped:
                del self._by_fetch[fetch]
            self._stopped.update(stopped)
        is_told = incoming.due.key.device == self.device and (
            incoming.is_counting or bool(incoming.waits_for)
        )
        said: list[Message] = []
        if is_told:
            progress = self._told[incoming.due.key] = incoming.progress()
            said = [progress]
        self._bulk.say(*said, *map(StopFetch, stopped))  # the last figures, whatever the pace

    def tell_last(self, progress: Verified) -> None:
        """Say how far a transfer of which no more is asked came, or why, if the other end heard something else."""
        key = OfferKey(DeviceId(progress.offering_device), OfferId(progress.offer))
        told = self._told.get(key)
        if told is not None and told != progress:
            self._told[key] = progress
            self._bulk.say(progress)

    def take_progress(self) -> list[tuple[Served, Verified]]:
        """Give how far the other side is with each offer of ours that it told of since the last call.

        Of what was told several times the first as well as the newest: it may say where a transfer goes on.
        """
        with self._lock:
            heard, self._heard_of = self._heard_of, {}
        return [each for told in heard.values() for each in told]

    def withdraw(self, key: OfferKey, code: Code) -> None:
        """Serve an offer no more on this link; code: what its open requests are refused with."""
        self._outgoing.withdraw(key, code)
        self._bulk.wake()

    def let_go(self, key: OfferKey) -> None:
        """Keep no list of an offer that is over, unless something of it is asked for."""
        self._outgoing.let_go(key)

    @property
    def incoming(self) -> list[Incoming]:
        """The transfers that ask over this link."""
        with self._lock:
            return list(self._incoming.values())

    @property
    def served(self) -> list[Served]:
        """The offers that are served on it."""
        return self._outgoing.served

    @property
    def ever_served(self) -> list[Served]:
        """Those, and the ones that are served no more."""
        return self._outgoing.ever_served

    # --- from the link's threads

    def heard(self, message: Message) -> None:
        """Take a message; see `Talk`."""
        if isinstance(message, Verified):
            self._heard_progress(message)
        elif isinstance(message, SignedDigests):
            incoming = self._incoming.get(OfferKey(*peek_digests(message.signed)))
            if incoming is not None:
                incoming.heard(message, self.device)
        elif self._outgoing.heard(message):
            self._bulk.wake()
        else:
            fetch: int = getattr(message, "fetch", -1)
            incoming = self._by_fetch.get(fetch)
            if incoming is None and fetch not in self._stopped:
                self._stray()
            if isinstance(message, _LAST_WORDS) or (
                isinstance(message, FetchRefused) and message.file < 0
            ):
                with self._lock:
                    self._by_fetch.pop(fetch, None)
                    self._stopped.discard(fetch)
            if incoming is not None:
                incoming.heard(message, self.device)

    def expects(self, announced: Piece | Pack) -> bool:
        """Say whether the bytes that follow are wanted."""
        incoming = self._by_fetch.get(announced.fetch)
        if incoming is None:
            if announced.fetch not in self._stopped:
                self._stray()
            return False
        return incoming.expects(announced, self.device)

    def chunk(self, announced: Piece | Pack, data: memoryview) -> None:
        """Take the bytes that were announced."""
        incoming = self._by_fetch.get(announced.fetch)
        if incoming is not None:  # else it was released since it was announced
            incoming.chunk(announced, data, self.device)

    def rest(self) -> None:
        """Count what came, as nothing more comes for now; see `Talk`."""
        for incoming in self.incoming:
            incoming.rest(self.device)

    def next_record(self, into: memoryview) -> tuple[list[Message], int] | None:
        """Give what to send next: how far we are, four times a second, and what is asked of us."""
        said = self._progress()
        found = self._outgoing.next_record(into)
        if found is None:
            return (said, 0) if said else None
        return [*said, *found[0]], found[1]

    def has_news(self) -> bool:
        """Say whether a transfer begins here: how far it is goes out before more of it can come."""
        return any(
            key not in self._told and key.device == self.device and incoming.is_counting
            for key, incoming in list(self._incoming.items())
        )

    def wants(self) -> bool:
        """Say whether something was asked for and is still to come."""
        return any(incoming.wants(self.device) for incoming in self.incoming)

    def has_work(self) -> bool:
        """Say whether a transfer still asks here; what is asked of us shows by itself."""
        return any(incoming.asks(self.device) for incoming in self.incoming)

    def linger_s(self) -> float:
        """Say how long the link may be idle: longer where somebody fetches, whose disk may be busy."""
        return SERVING_LINGER_S if self._outgoing.has_served else LINGER_S

    def ended(self, code: Code, text: str) -> None:
        """Tell whoever owns the link, who lets the transfers know."""
        with self._lock:
            self._has_ended = True
        self._on_end(code, text)

    # --- inside

    def _heard_progress(self, message: Verified) -> None:
        key = OfferKey(message.offering_device, message.offer)
        served = self._outgoing.find_served(key)
        if served is None or served.is_lent:
            return
        if message.waits:
            self._outgoing.stopped(key)
        with self._lock:
            is_first = not self._heard_of
            before = [each for each in self._heard_of.get(key, ())[:1] if not each[1].waits]
            self._heard_of[key] = [*before, (served, message)]
        if is_first:
            self._on_progress()

    def _is_over(self) -> bool:
        return self._has_ended

    def _stray(self) -> None:
        self._strays += 1
        if self._strays >= limits.STRAY_CHUNKS:
            raise RemoteProtocolError(Code.FLOOD, "answers to what nobody asked for")

    def _progress(self) -> list[Message]:
        """Say how far each transfer is that changed, at once where it begins here: it may go on, not begin."""
        if not self._incoming:
            return []
        now = time.monotonic()
        is_time = now - self._told_at >= TELL_PROGRESS_S
        if is_time:
            self._told_at = now
        said: list[Message] = []
        for incoming in self.incoming:
            key = incoming.due.key
            if is_time:
                incoming.look()
            if key.device != self.device:
                continue  # whoever lends need not know
            is_first = key not in self._told
            if incoming.is_counting and (is_time or is_first):
                progress = incoming.progress(is_first=is_first)
                if is_first:
                    self._on_counting(incoming)
                if self._told.get(key) != progress:
                    self._told[key] = progress
                    said.append(progress)
        return said
