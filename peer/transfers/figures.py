"""How far transfers are while a node runs: told to the faces a few times a second, to the database less often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from peer.effects import Effect
from peer.errors import PeerError
from peer.store.database import Database
from peer.transfers import ledger, manager
from peer.transfers.ledger import Live
from peer.transfers.rate import Rate

TELL_S = 0.25
NOTE_EVERY = 4  # of those: how often figures go to the database


class Counted(Protocol):
    """What has figures of its own: a transfer that comes."""

    @property
    def files_done(self) -> int:
        """Files that are verified."""

    @property
    def verified_bytes(self) -> int:
        """Bytes that are there and right."""

    @property
    def resent_bytes(self) -> int:
        """Bytes that came more than once."""


@dataclass(slots=True)
class _Row:
    """What is shown of one transfer. is_told: of its newest figures."""

    rate: Rate = field(default_factory=Rate)
    files_done: int = 0
    verified_bytes: int = 0
    resent_bytes: int = 0
    is_told: bool = True


class Figures:
    """The figures of all transfers under way, by their rows in the book.

    incoming: those that come, which count themselves. carry_out: does effects.
    """

    def __init__(
        self,
        database: Database,
        incoming: Mapping[int, Counted],
        carry_out: Callable[[list[Effect]], None],
    ) -> None:
        self._database = database
        self._incoming = incoming
        self._carry_out = carry_out
        self._rows: dict[int, _Row] = {}

    def begin(self, number: int) -> None:
        """Begin to measure a transfer."""
        self._rows[number] = _Row()

    def end(self, number: int) -> None:
        """Measure it no more."""
        self._rows.pop(number, None)

    def note(self, number: int, counted: Counted) -> None:
        """Take note of how far a transfer is, if it is being measured."""
        row = self._rows.get(number)
        if row is not None:
            row.files_done = counted.files_done
            row.verified_bytes = counted.verified_bytes
            row.resent_bytes = counted.resent_bytes
            row.is_told = False

    def live(self) -> dict[int, Live]:
        """Give what is known better than in the database."""
        return {
            number: Live(
                row.files_done, row.verified_bytes, row.resent_bytes, row.rate.per_s(), "direct"
            )
            for number, row in self._rows.items()
        }

    async def keep_telling(self) -> None:
        """Tell the faces while something changes, until cancelled."""
        loop = asyncio.get_running_loop()
        beats = 0
        while True:
            await asyncio.sleep(TELL_S)
            beats += 1
            for number, incoming in self._incoming.items():
                row = self._rows.get(number)
                if row is not None and incoming.verified_bytes != row.verified_bytes:
                    self.note(number, incoming)
            for number, row in list(self._rows.items()):
                row.rate.note(loop.time(), row.verified_bytes)
                if not row.is_told:
                    row.is_told = True
                    await self._tell(number, row, is_kept=beats % NOTE_EVERY == 0)

    async def _tell(self, number: int, row: _Row, *, is_kept: bool) -> None:
        if is_kept:
            await self.keep(number, row)
        live = self.live().get(number)
        self._carry_out([self._database.read(ledger.tell_transfer, number, live)])

    async def keep(self, number: int, counted: Counted) -> None:
        """Write down how far a transfer is, if the disk takes it: figures may be lost."""
        with suppress(PeerError):
            await self._database.write(
                manager.progressed,
                number,
                files_done=counted.files_done,
                verified_bytes=counted.verified_bytes,
                resent_bytes=counted.resent_bytes,
            )
