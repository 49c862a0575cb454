"""How far transfers are while a node runs: told to the faces a few times a second, to the database less often.

Places in the queue as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol

from msgspec import Struct, field

from peer.effects import Effect
from peer.errors import PeerError
from peer.store.database import Database
from peer.transfers import ledger
from peer.transfers.asking import Asking, Source
from peer.transfers.ledger import Live
from peer.transfers.rate import Rate

TELL_S = 0.25
NOTE_EVERY = 4  # of those: how often figures go to the database


class Counted(Protocol):
    """What tells how far a transfer is."""

    @property
    def files_done(self) -> int:
        """Files that are verified."""

    @property
    def verified_bytes(self) -> int:
        """Bytes that are there and right."""

    @property
    def resent_bytes(self) -> int:
        """Bytes that came more than once."""


class Coming(Counted, Protocol):
    """A transfer that comes, which counts itself."""

    @property
    def is_counting(self) -> bool:
        """Whether it knows what an earlier life left: before that its figures say nothing."""

    @property
    def resumed_at(self) -> int:
        """Bytes that were verified when it began to ask, or went on after nobody had been asked."""

    @property
    def begun(self) -> int:
        """How often it did that."""

    @property
    def asking(self) -> Asking:
        """Whom it asks."""


class _Row(Struct):
    """What is shown of one transfer.

    resumed_at: bytes that were there when it went on last. is_known: whether its figures are. is_fresh: it
    goes on over a link. begun: how often one that comes did so. path: of its link. sources: of one that comes.
    is_told: of its newest figures. told_rate: with them. kept: at which beat. is_due: they are to be kept at once.
    is_kept: whether the book has them. said: what was told last. is_resting: nothing is asked for now, so what
    comes yet is the last word.
    """

    rate: Rate = field(default_factory=Rate)
    resumed_at: int | None = None
    is_known: bool = False
    is_fresh: bool = True
    begun: int = 0
    path: str | None = None
    sources: tuple[Source, ...] = ()
    files_done: int = 0
    verified_bytes: int = 0
    resent_bytes: int = 0
    is_told: bool = True
    told_rate: float | None = None
    kept: int = -NOTE_EVERY
    is_due: bool = False
    is_kept: bool = True
    said: list[Effect] = field(default_factory=list)
    is_resting: bool = False


class Figures:
    """The figures of all transfers under way, by their rows in the book.

    incoming: those that come, which count themselves. carry_out: does effects.
    """

    def __init__(
        self,
        database: Database,
        incoming: Mapping[int, Coming],
        carry_out: Callable[[list[Effect]], None],
    ) -> None:
        self._database = database
        self._incoming = incoming
        self._carry_out = carry_out
        self._rows: dict[int, _Row] = {}
        self._places: dict[int, int] = {}

    def begin(self, number: int) -> None:
        """Begin to measure one that leaves, or take note that it goes on over another link."""
        row = self._rows.setdefault(number, _Row())
        row.is_fresh = True
        row.is_resting = False

    def rest(self, number: int) -> None:
        """Take note that no more is asked of one that leaves: what is told of it yet is kept as it comes."""
        row = self._rows.get(number)
        if row is not None:
            row.is_resting = True

    async def end(self, number: int) -> None:
        """Measure it no more; how far it came is kept and told."""
        row = self._rows.pop(number, None)
        if row is not None and not row.is_kept:
            await self.keep(number, row)
            self.tell(number)

    def forget(self, number: int) -> None:
        """Measure one that comes no more; it keeps how far it is by itself."""
        self._rows.pop(number, None)

    def note(self, number: int, counted: Counted, path: str | None = None) -> None:
        """Take note of how far a transfer is, if it is being measured: what is told first is where it goes on.

        Its pace is that at which this comes: between two looks of ours lies another time. path: of its link.
        """
        row = self._rows.get(number)
        if row is not None:
            if row.is_fresh:
                _go_on(row, counted.verified_bytes)
            row.path = path or row.path
            _count(row, counted)
            row.rate.note(asyncio.get_running_loop().time(), row.verified_bytes)

    def note_coming(self, number: int, coming: Coming) -> None:
        """Take note of how far one that comes is, and of whom it asks: who joins is no new beginning."""
        row = self._rows.setdefault(number, _Row())
        sources = coming.asking.sources
        if row.begun != coming.begun:
            row.begun = coming.begun
            _go_on(row, coming.resumed_at)
        elif coming.verified_bytes == row.verified_bytes and sources == row.sources:
            return
        row.path, row.sources = coming.asking.path, sources
        _count(row, coming)

    def live(self) -> dict[int, Live]:
        """Give what is known better than in the database."""
        return {
            number: Live(
                row.files_done,
                row.verified_bytes,
                row.resent_bytes,
                row.rate.per_s(),
                row.path,
                row.resumed_at,
                row.sources,
            )
            for number, row in self._rows.items()
            if row.is_known
        }

    async def keep_telling(self) -> None:
        """Tell the faces while something changes, until cancelled."""
        loop = asyncio.get_running_loop()
        beats = 0
        while True:
            await asyncio.sleep(TELL_S)
            beats += 1
            self._note_all_coming()
            for number, row in list(self._rows.items()):
                if row.is_known:
                    row.rate.note(loop.time(), row.verified_bytes)
                # Of what stands still no bytes tell: its rate is told while it falls.
                is_time = beats % NOTE_EVERY == 0 and not row.is_resting
                is_slower = is_time and row.rate.per_s() != row.told_rate
                is_due = row.is_due or row.is_resting or beats - row.kept >= NOTE_EVERY
                if not row.is_kept and is_due:
                    row.is_due = row.is_told = False
                    row.kept = beats
                    await self._keep_row(number, row)
                if not row.is_told or is_slower:
                    self._tell(number, row)
            if beats % NOTE_EVERY == 0:
                self._tell_places()

    def _note_all_coming(self) -> None:
        """Look at all that come; here, so that whoever waits for the next beat keeps none of them."""
        for number, incoming in self._incoming.items():
            if incoming.is_counting:
                self.note_coming(number, incoming)

    def _tell_places(self) -> None:
        """Tell of those whose place in the queue is another: whoever was in front of them may be gone for any reason.

        Once a second, not with each that goes: of many small ones each would be told of each.
        """
        before, self._places = self._places, self._database.read(ledger.places)
        for number, place in self._places.items():
            if before.get(number) != place:
                self.tell(number)

    def _tell(self, number: int, row: _Row) -> None:
        row.is_told = True
        row.told_rate = row.rate.per_s()
        said = self._words(number)
        if said != row.said:  # the pace of what does not run is not shown
            row.said = said
            self._carry_out(said)

    def tell(self, number: int) -> None:
        """Tell the faces how far a transfer is, if there still is one."""
        self._carry_out(self._words(number))

    def _words(self, number: int) -> list[Effect]:
        live = self.live().get(number)
        return self._database.read(ledger.tell_shown, number, live)

    async def keep_all(self) -> None:
        """Write down how far all are: somebody is about to end or hold one, and to be told how far it came."""
        for number, coming in list(self._incoming.items()):
            await self.keep_coming(number, coming)
        for number in self._rows.keys() - self._incoming.keys():
            await self.keep_newest(number)

    async def keep_newest(self, number: int) -> None:
        """Write down how far one is that is being measured, unless that is written."""
        row = self._rows.get(number)
        if row is not None and not row.is_kept:
            await self._keep_row(number, row)

    async def _keep_row(self, number: int, row: _Row) -> None:
        row.is_kept = True  # but for what comes meanwhile
        await self.keep(number, row)

    async def keep_coming(self, number: int, coming: Coming) -> None:
        """Write down how far a transfer that comes is, if it knows."""
        if coming.is_counting:
            await self.keep(number, coming)

    async def keep(self, number: int, counted: Counted) -> None:
        """Write down how far a transfer is, if the disk takes it: figures may be lost."""
        with suppress(PeerError):
            await self._database.write(
                ledger.progressed,
                number,
                files_done=counted.files_done,
                verified_bytes=counted.verified_bytes,
                resent_bytes=counted.resent_bytes,
            )


def _go_on(row: _Row, verified_bytes: int) -> None:
    """Begin to measure anew. verified_bytes: that are there already."""
    row.is_fresh = False
    row.resumed_at = verified_bytes or None
    row.rate = Rate()


def _count(row: _Row, counted: Counted) -> None:
    if counted.verified_bytes < row.verified_bytes:
        row.is_due = True  # what was taken back is not shown for longer than need be
    row.is_known = True
    row.files_done = counted.files_done
    row.verified_bytes = counted.verified_bytes
    if row.resent_bytes != counted.resent_bytes:
        row.resent_bytes = counted.resent_bytes
        row.is_due = True  # it comes right after an interruption, and another may follow
    row.is_told = row.is_kept = False
