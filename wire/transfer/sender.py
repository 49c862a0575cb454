"""What one data link sends next: answers to Fetch, one step at a time, and when to sign digests.

The shell asks `next_step`, does what it says (say messages; read chunks and hash them; look at a pin)
and tells the outcome. Offers take turns, one record each, so a long file does not hold up another
transfer. One chunk of several goes out as a Piece, small files together as a Pack, chunks of zeros are
announced only. Nothing here reads, hashes or waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest, DeviceId, OfferId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchManifest,
    FetchRefused,
    Pack,
    PackedChunk,
    Piece,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer import manifest
from wire.transfer.digests import chunk_length, zero_digest
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.lending import Watching
from wire.transfer.owed import Line, Work, manifest_page, next_read, unread
from wire.transfer.signing import Unsigned, sign_file
from wire.transfer.steps import CheckPin, Part, Read, ReadDigests, Say, Step

_PAGES_AHEAD = 16  # of digests that are signed before their chunks went out: 512 KiB, of 16 GiB


class Sender:
    """Answers the requests of one link. Not safe to use from two threads at once."""

    def __init__(self) -> None:
        self._said: list[Message] = []
        self._lines: dict[OfferKey, Line] = {}
        self._turns: deque[OfferKey] = deque()  # lines with works
        self._open: dict[int, tuple[OfferKey, int]] = {}  # fetch ids -> how many ranges each has
        self._open_ranges = 0
        self._answered = 0  # at once, since the last step: how many stand in `_said`
        self.sent_bytes = 0  # of chunks, zeros not counted

    # --- requests

    def on_fetch_manifest(self, ask: FetchManifest, holding: Holding | Code) -> None:
        """Take a request for a page; holding: what is asked for, or why the asker does not get it.

        UNKNOWN_OFFER where it is not theirs, for whichever reason; PAUSED where it is, but not now. Raises
        RemoteProtocolError for a fetch id that is open, for too many open ones (TOO_MANY_REQUESTS), and for an
        asker that does not read what is answered (FLOOD), as all requests do.
        """
        self._check_open(ask.fetch)
        if isinstance(holding, Code):
            self._refuse(ask.fetch, holding)
            return
        pages = manifest.page_count(len(holding.manifest))
        if ask.page >= pages:
            self._refuse(ask.fetch, Code.NUMBER_RANGE)
            return
        self._take(holding, Work(ask.fetch, deque(), manifest_page=ask.page))

    def on_fetch(self, ask: Fetch, holding: Holding | Code) -> None:
        """Take a request for chunks; holding and errors as of `on_fetch_manifest`."""
        self._check_open(ask.fetch)
        if isinstance(holding, Code):
            self._refuse(ask.fetch, holding)
            return
        ranges: deque[tuple[int, int, int]] = deque()
        for wanted in ask.ranges:
            if not holding.has_chunks(wanted.file, wanted.first, wanted.count):
                self._refuse(ask.fetch, Code.NUMBER_RANGE)
                return
            ranges.append((wanted.file, wanted.first, wanted.first + wanted.count))
        self._take(holding, Work(ask.fetch, ranges))

    def on_fetch_digests(self, ask: FetchDigests, holding: Holding | Code) -> None:
        """Take a request for a page of digests; what is not known yet is read first. As above."""
        self._check_open(ask.fetch)
        if isinstance(holding, Code):
            self._refuse(ask.fetch, holding)
            return
        first = ask.page * limits.PAGE_DIGESTS
        if holding.lending is not None or not holding.has_chunks(ask.file, first, 1):
            self._refuse(ask.fetch, Code.NUMBER_RANGE)
            return
        self._take(holding, Work(ask.fetch, deque(), page=ask.page, file=ask.file))

    def on_watch(self, ask: Watch, holding: Holding | Code, now: Monotonic) -> None:
        """Take a request to be told what is here; only a holder is watched, once on a link. As above."""
        self._check_open(ask.fetch)
        line = self._lines.get(OfferKey(DeviceId(ask.offering_device), OfferId(ask.offer)))
        if line is not None and line.watching is not None:
            raise RemoteProtocolError(Code.NOT_NOW, "it watches this offer already")
        if isinstance(holding, Code) or holding.lending is None:
            self._refuse(ask.fetch, holding if isinstance(holding, Code) else Code.UNKNOWN_OFFER)
            return
        self._open[ask.fetch] = holding.key, 0
        self._line(holding).watching = Watching(ask.fetch, holding.lending, now)

    def on_stop(self, ask: StopFetch) -> OfferKey | None:
        """Forget a request; what was sent of it stays sent. One that is not open does not matter.

        Gives the offer it was about if nothing else of that is asked for.
        """
        found = self._open.get(ask.fetch)
        if found is None:
            return None
        key = found[0]
        line = self._lines[key]
        self._check_unsent()
        line.works = deque(work for work in line.works if work.fetch != ask.fetch)
        if line.watching is not None and line.watching.fetch == ask.fetch:
            line.watching = None
        self._close(ask.fetch)
        self._said.append(Fetched(ask.fetch))
        return None if line.works or line.watching is not None else key

    def withdraw(self, key: OfferKey, code: Code = Code.UNKNOWN_OFFER) -> None:
        """End all that is open of an offer: it was withdrawn, paused, or is not the asker's any more."""
        line = self._lines.pop(key, None)
        if line is None:
            return
        for work in line.works:
            self._refuse(work.fetch, code)
        if line.watching is not None:
            self._refuse(line.watching.fetch, code)
        if key in self._turns:
            self._turns.remove(key)

    def is_open(self, key: OfferKey) -> bool:
        """Say whether something of an offer is asked for, or is still to be said; else withdrawing it says nothing."""
        line = self._lines.get(key)
        return line is not None and line.is_open

    # --- steps

    def next_step(self, now: Monotonic) -> Step | None:
        """Say what to do now; None: nothing until a request comes or `deadline` is there.

        now: seconds, monotonic.
        """
        for line in self._lines.values():
            if line.unsigned.is_due(now):
                self._said += line.unsigned.sign()
            if line.watching is not None:
                self._said += line.watching.news(now)
        step: Step | None = self._flush()
        while step is None and self._turns:
            step = self._work()
        if step is None:  # the link has run dry: what completes a file does not wait for company
            for line in self._lines.values():
                if line.unsigned.is_awaited:
                    self._said += line.unsigned.sign()
            step = self._flush()
        return step

    def deadline(self) -> Monotonic | None:
        """Name the instant at which digests have to be signed or a watcher may be told something, or None."""
        due = [
            instant
            for line in self._lines.values()
            if (instant := line.unsigned.deadline()) is not None
        ]
        due += [
            line.watching.deadline() for line in self._lines.values() if line.watching is not None
        ]
        return min(due, default=None)

    def on_read(
        self, step: Read, outcome: Sequence[ChunkDigest | Code], now: Monotonic
    ) -> Piece | Pack | Zeros | None:
        """Take what was read; gives the message to send, whose bytes follow if it is Piece or Pack.

        outcome: for each part its digest, or why it could not be read or `Holding.judge` does not have it (then
        the shell leaves its bytes out of the buffer). None: nothing to send.
        """
        line = self._lines.get(step.key)
        good: list[tuple[Part, ChunkDigest]] = []
        for part, result in zip(step.parts, outcome, strict=True):
            if isinstance(result, Code):
                if line is not None:
                    self._fail(line, step.fetch, part.file, result)
                continue
            if line is None or self._learn(line, step, part, result, now):
                good.append((part, result))
        if line is None or not step.is_sent or not good:
            return None
        if len(step.parts) > 1:
            self.sent_bytes += sum(part.length for part, _ in good)
            return Pack(
                step.fetch,
                tuple(PackedChunk(part.file, part.length, digest) for part, digest in good),
            )
        part, digest = good[0]
        if digest == zero_digest(part.length):
            return Zeros(step.fetch, ChunkRange(part.file, part.index, 1))
        self.sent_bytes += part.length
        return Piece(step.fetch, part.file, part.index, part.length, digest)

    def on_zeros(self, step: Read, count: int, now: Monotonic) -> Zeros | None:
        """Take note that the first `count` chunks of the step's run are holes; gives what to send."""
        line = self._lines.get(step.key)
        first = step.parts[0]
        if line is None:
            return None
        size = line.holding.sizes[first.file]
        for index in range(first.index, first.index + count):
            length = chunk_length(size, index)
            part = Part(first.file, index, index * limits.CHUNK_BYTES, length)
            self._learn(line, step, part, zero_digest(length), now)
        if count > 1 and line.works and line.works[0].fetch == step.fetch:
            file, start, stop = line.works[0].ranges.popleft()
            if start + count - 1 < stop:
                line.works[0].ranges.appendleft((file, start + count - 1, stop))
        if not step.is_sent:
            return None
        return Zeros(step.fetch, ChunkRange(first.file, first.index, count))

    def on_pin(self, step: CheckPin, *, is_held: bool, now: Monotonic) -> None:
        """Take note whether the pin of a file that was read whole still holds: only then its root goes out."""
        line = self._lines.get(step.key)
        if line is None:
            return
        if not is_held:
            self._fail(line, step.fetch, step.file, Code.CHANGED_AT_SENDER)
            return
        asked = next((work for work in line.works if work.fetch == step.fetch), None)
        if asked is not None and asked.page is not None:
            asked.is_pinned = True
            return
        root = line.holding.root(step.file)
        if root is not None:
            line.unsigned.add_root(step.file, root, now)
            table = line.holding.table(step.file)
            pages = -(-table.count // limits.PAGE_DIGESTS)
            if line.sent.pop(step.file, 0) < table.count and pages <= _PAGES_AHEAD:
                line.unsigned.add_pages(step.file, [table.page(number) for number in range(pages)])
                line.ahead.add(step.file)

    def on_digests(self, step: ReadDigests, digests: bytes) -> None:
        """Take a page of digests that the shell kept: up to 1,024 of 32 bytes, one after another."""
        line = self._lines.get(step.key)
        work = line.works[0] if line is not None and line.works else None
        if line is None or work is None or work.fetch != step.fetch:
            return
        line.works.popleft()
        self._close(work.fetch)
        size = line.holding.sizes[step.file]
        self._said.append(
            DigestPage(
                step.fetch,
                step.page,
                work.digest or digests,
                sign_file(line.holding, step.file, work.digest),
                size,
            )
        )

    # --- inside

    def _flush(self) -> Say | None:
        if not self._said:
            return None
        said = Say(tuple(self._said))
        self._said.clear()
        self._answered = 0
        return said

    def _check_open(self, fetch: int) -> None:
        if fetch in self._open:
            raise RemoteProtocolError(Code.NOT_NOW, f"fetch {fetch} is open already")
        if len(self._open) >= limits.OPEN_FETCHES:
            raise RemoteProtocolError(Code.TOO_MANY_REQUESTS, "too many fetches are open")
        self._check_unsent()

    def _check_unsent(self) -> None:
        self._answered += 1
        if self._answered > limits.UNSENT_ANSWERS:
            raise RemoteProtocolError(Code.FLOOD, "requests whose answers nobody reads")

    def _take(self, holding: Holding, work: Work) -> None:
        key = holding.key
        line = self._line(holding)
        if self._open_ranges + len(work.ranges) > limits.OPEN_RANGES:
            raise RemoteProtocolError(Code.TOO_MANY_REQUESTS, "too many ranges are open")
        self._open[work.fetch] = key, len(work.ranges)
        self._open_ranges += len(work.ranges)
        line.works.append(work)
        if key not in self._turns:
            self._turns.append(key)

    def _line(self, holding: Holding) -> Line:
        line = self._lines.get(holding.key)
        if line is None:
            line = self._lines[holding.key] = Line(holding, Unsigned(holding))
        return line

    def _close(self, fetch: int) -> None:
        _, ranges = self._open.pop(fetch, (None, 0))
        self._open_ranges -= ranges

    def _refuse(self, fetch: int, code: Code) -> None:
        self._said.append(FetchRefused(fetch, code.value, -1))
        self._close(fetch)

    def _work(self) -> Step | None:
        """Take one step for the offer whose turn it is."""
        key = self._turns.popleft()
        line = self._lines[key]
        if line.pins:
            fetch, file = line.pins.popleft()
            self._turns.append(key)
            return CheckPin(key, fetch, file)
        if not line.works:
            return None
        self._turns.append(key)
        work = line.works[0]
        if work.manifest_page is not None:
            line.works.popleft()
            self._close(work.fetch)
            self._said.append(manifest_page(line.holding, work.fetch, work.manifest_page))
            return self._flush()
        if work.page is not None and not work.is_scanned:
            work.is_scanned = True
            work.ranges.extend((work.file, *span) for span in unread(line.holding, work.file))
        if work.ranges:
            file = work.ranges[0][0]
            code = line.holding.failed.get(file)
            if code is not None:
                self._fail(line, work.fetch, file, code)
                return self._flush()
            return next_read(key, line.holding, work)
        if work.page is None:
            line.works.popleft()
            self._close(work.fetch)
            self._said.append(Fetched(work.fetch))
            return self._flush()
        if not work.is_pinned:
            return CheckPin(key, work.fetch, work.file)
        return ReadDigests(key, work.fetch, work.file, work.page)

    def _learn(
        self, line: Line, step: Read, part: Part, digest: ChunkDigest, now: Monotonic
    ) -> bool:
        """Keep a digest, and have it signed if the chunk goes out; False: it is not what it was."""
        holding = line.holding
        if holding.lending is not None:
            return True  # it was judged when it was read
        several = holding.sizes[part.file] > limits.CHUNK_BYTES
        if several:
            table = holding.table(part.file)
            known = table.get(part.index)
            if known is not None and known != digest:
                self._fail(line, step.fetch, part.file, Code.CHANGED_AT_SENDER)
                return False
            table.put(part.index, digest)
        if not step.is_sent:
            if not several and line.works:
                line.works[0].digest = digest
            return True
        if part.file in line.ahead:
            return True
        line.unsigned.add(part.file, part.index, digest, part.length, now)
        if several and part.file not in line.told:
            line.sent[part.file] = line.sent.get(part.file, 0) + 1
            if holding.table(part.file).is_complete:
                line.told.add(part.file)
                line.pins.append((step.fetch, part.file))
        return True

    def _fail(self, line: Line, fetch: int, file: int, code: Code) -> None:
        """Give a file up on this link: its asker is told, the rest of the request goes on."""
        if line.holding.lending is not None:
            line.holding.lending.lose(file)
        line.holding.refused[file] = code
        if code is Code.CHANGED_AT_SENDER:
            line.holding.failed[file] = code
        self._said.append(FetchRefused(fetch, code.value, file))
        for work in list(line.works):
            if work.fetch == fetch:
                work.ranges = deque(part for part in work.ranges if part[0] != file)
                if work.page is not None:
                    line.works.remove(work)
                    self._close(fetch)
