"""What one data link serves: `wire.transfer.Sender` married to the files of the offers it is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from peer.transfers.digestlog import DigestLog
from peer.transfers.lent import LentReader
from peer.transfers.source import Reader
from wire import limits
from wire.codes import Code
from wire.ids import ChunkDigest
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import (
    Fetch,
    FetchDigests,
    FetchManifest,
    Pack,
    Piece,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

_LISTED = 8
"""Offers that are kept although nothing but their lists was asked for: one of 100,000 files takes 25 MiB, and is found anew in
60 ms (2026-11)."""
_SAID_AT_ONCE = 16  # messages that go out with the chunk behind them
_HOLES_EVERY = 16
"""Chunks after which a hole is looked for where none was met: one that begins between is read once, as zeros, and known then."""


class Served(Struct, frozen=True):
    """An offer of ours as one friend may have it, or one that we lend. number: the transfer's row in the book.

    digests: where what was hashed is kept, so that another life need not read it; None of what is lent.
    """

    number: int
    holding: Holding
    reader: Reader | LentReader
    digests: DigestLog | None

    @property
    def is_lent(self) -> bool:
        """Whether somebody else offers it."""
        return self.holding.lending is not None


class Outgoing:
    """The answers of one link.

    find: gives what an asker may have under a key, or why not; it may block, and is told what it gave before.
    on_begin: called with an offer when more of it is asked for than its list of files, again after a stop. on_stop: called with an offer of which the asker wants nothing more for now.
    """

    def __init__(
        self,
        find: Callable[[OfferKey, Served | None], Served | Code],
        on_begin: Callable[[Served], None],
        on_stop: Callable[[Served], None],
    ) -> None:
        self._find = find
        self._on_begin = on_begin
        self._on_stop = on_stop
        self._sender = Sender()
        self._lock = threading.Lock()
        self._served: dict[OfferKey, Served] = {}
        self._stopped: set[OfferKey] = set()  # of those: found anew when they are asked for again
        self._begun: set[OfferKey] = set()
        self._past: dict[OfferKey, Served] = {}  # served no more
        self._meets_holes = False  # the chunk before was one, or all zeros

    def heard(self, message: Message) -> bool:
        """Take a request; False if it is none. Raises RemoteProtocolError."""
        match message:
            case FetchManifest() | Fetch() | FetchDigests() | Watch():
                key = OfferKey(message.offering_device, message.offer)
                before = self._served.get(key)
                is_current = before is not None and key not in self._stopped
                found = before if is_current and before else self._find(key, before)
                if not is_current:
                    self._begun.discard(key)
                holding = found if isinstance(found, Code) else found.holding
                with self._lock:
                    if isinstance(found, Served):
                        self._served[key] = found
                        self._stopped.discard(key)
                        self._past.pop(key, None)
                    match message:
                        case FetchManifest():
                            self._sender.on_fetch_manifest(message, holding)
                        case Fetch():
                            self._sender.on_fetch(message, holding)
                        case FetchDigests():
                            self._sender.on_fetch_digests(message, holding)
                        case Watch():
                            self._sender.on_watch(message, holding, _now())
                is_list = isinstance(message, FetchManifest)
                if is_list:
                    self._keep_few()
                if isinstance(found, Served) and not is_list and key not in self._begun:
                    self._begun.add(key)
                    self._on_begin(found)
            case StopFetch():
                with self._lock:
                    stopped = self._sender.on_stop(message)
                    served = None if stopped is None else self._served.get(stopped)
                    if stopped is not None:
                        self._stopped.add(stopped)
                if served is not None:
                    self._on_stop(served)
            case _:
                return False
        return True

    def _keep_few(self) -> None:
        """Let go of the oldest of those of which only the lists were asked for, once those have left."""
        with self._lock:
            listed = [key for key in self._served if key not in self._begun]
        for key in listed[:-_LISTED]:
            self.let_go(key)

    @property
    def served(self) -> list[Served]:
        """The offers that were asked for on this link."""
        with self._lock:
            return list(self._served.values())

    @property
    def has_served(self) -> bool:
        """Whether anything is served on this link."""
        return bool(self._served)

    @property
    def ever_served(self) -> list[Served]:
        """Those, and the ones that are served no more."""
        with self._lock:
            return [*self._served.values(), *self._past.values()]

    def find_served(self, key: OfferKey) -> Served | None:
        """Give an offer that was asked for on this link, or None: how far it came may be told after its end."""
        with self._lock:
            return self._served.get(key) or self._past.get(key)

    def stopped(self, key: OfferKey) -> None:
        """Take note that an offer is not asked for now: it is found anew when it is."""
        with self._lock:
            self._stopped.add(key)

    def withdraw(self, key: OfferKey, code: Code) -> None:
        """Serve an offer no more; code: what its open requests are refused with."""
        with self._lock:
            served = self._served.pop(key, None)
            if served is not None and not served.is_lent:
                self._past[key] = _past(served)
            self._sender.withdraw(key, code)

    def let_go(self, key: OfferKey) -> None:
        """Keep no more of an offer that is over than what tells of its end, unless something of it is asked for."""
        with self._lock:
            served = self._served.get(key)
            if served is not None and not served.is_lent and not self._sender.is_open(key):
                self._sender.withdraw(key)
                del self._served[key]
                self._past[key] = _past(served)

    def next_record(self, into: memoryview) -> tuple[list[Message], int] | None:
        """Give the next messages and how many bytes of a chunk in `into` follow them; None: nothing."""
        said: list[Message] = []
        while True:
            with self._lock:
                step = self._sender.next_step(_now())
                served = (
                    None if step is None or isinstance(step, Say) else self._served.get(step.key)
                )
            match step:
                case None:
                    return (said, 0) if said else None
                case Say(messages=messages):
                    said += messages
                    if len(said) >= _SAID_AT_ONCE:
                        return said, 0
                case _ if served is None:
                    continue  # withdrawn in between: the machine has forgotten it too
                case CheckPin():
                    is_held = served.reader.holds(step.file)
                    with self._lock:
                        self._sender.on_pin(step, is_held=is_held, now=_now())
                case ReadDigests():
                    with self._lock:
                        self._sender.on_digests(
                            step, served.holding.table(step.file).page(step.page)
                        )
                case Read():
                    found = self._read(step, served, into)
                    if found is not None:
                        return [*said, *found[0]], found[1]

    def _read(
        self, step: Read, served: Served, into: memoryview
    ) -> tuple[list[Message], int] | None:
        first = step.parts[0]
        if step.run > 1 and (self._meets_holes or first.index % _HOLES_EVERY == 0):
            count = served.reader.hole_chunks(first.file, first.index, step.run)
            self._meets_holes = count > 0
            if count:
                with self._lock:
                    zeros = self._sender.on_zeros(step, count, _now())
                return None if zeros is None else ([zeros], 0)
        outcome: list[ChunkDigest | Code] = []
        position = 0
        for part in step.parts:
            place = into[position : position + part.length]
            code = served.reader.read(part.file, part.offset, place)
            if code is None:
                digest = ChunkDigest(blake3(place).digest())
                outcome.append(served.holding.judge(part.file, part.index, digest))
                if not isinstance(outcome[-1], Code):
                    position += part.length
            else:
                outcome.append(code)
        found = outcome[0]
        is_long = served.holding.sizes[first.file] > limits.CHUNK_BYTES
        if served.digests is not None and is_long and not isinstance(found, Code):
            served.digests.note(first.file, first.index, found)
        with self._lock:
            message = self._sender.on_read(step, outcome, _now())
        if message is None:
            return None
        self._meets_holes = isinstance(message, Zeros)
        return [message], position if isinstance(message, Piece | Pack) else 0


def _past(served: Served) -> Served:
    """Let go of files and lists: a link may see thousands of offers come to their end, each of 20 MiB of them."""
    holding = served.holding
    if not holding.refused:  # else what was refused is still to be named
        holding = Holding(holding.key, manifest=b"", sizes=())
    return replace(served, reader=Reader(()), holding=holding)


def _now() -> Monotonic:
    return Monotonic(time.monotonic())
