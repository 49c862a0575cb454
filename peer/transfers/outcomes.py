"""What becomes of the transfers that come: written in the book, closed, set aside or taken away.

The data links call this on the node's loop; what waits for a disk runs in threads.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable

from peer.effects import Effect
from peer.errors import PeerError
from peer.store.database import Database
from peer.times import wall
from peer.transfers import ledger, manager, policy
from peer.transfers.figures import Figures
from peer.transfers.incoming import Incoming
from peer.transfers.reports import Fails, Fits, Landed, Report, Stumbles, Unfit, Waits
from peer.transfers.underway import UnderWay
from wire.codes import Code
from wire.identity import DeviceKeys
from wire.machine import Entropy, UnixMillis
from wire.messages.transfer import Verified

Connection = sqlite3.Connection
log = logging.getLogger("peer")
RETRY_S = {
    ledger.SPACE: (1.0, 15.0),
    ledger.FOLDER: (1.0, 15.0),
    ledger.PAUSED: (15.0, 600.0),
    ledger.SOURCE: (2.0, 2.0),
    ledger.FRIEND: (15.0, 15.0),
}
"""How long what waits for that is left alone at first, and at most."""


class Outcomes:
    """The ends of transfers, and what holds them up.

    coming: those under way. carry_out: does effects. release: lets every link forget a transfer. tell_last: says
    on them how far one came that is closed. on_closed: called when nothing of one is open any more.
    """

    def __init__(
        self,
        database: Database,
        keys: DeviceKeys,
        coming: UnderWay,
        figures: Figures,
        *,
        carry_out: Callable[[list[Effect]], None],
        release: Callable[[Incoming], None],
        tell_last: Callable[[Verified], None],
        on_closed: Callable[[Incoming], None],
        entropy: Entropy,
    ) -> None:
        self._database = database
        self._keys = keys
        self._coming = coming
        self._figures = figures
        self._carry_out = carry_out
        self._release = release
        self._tell_last = tell_last
        self._on_closed = on_closed
        self._entropy = entropy

    def take_out(self, number: int) -> Incoming:
        """Take a transfer out of those under way; `end` closes it."""
        transfer = self._coming.take_out(number)
        self._figures.forget(number)
        self._release(transfer)
        return transfer

    async def end(self, transfer: Incoming) -> None:
        """Close a transfer that was taken out; the book says what becomes of its parts."""
        await asyncio.to_thread(transfer.close)
        self._tell_last(transfer.progress())
        await self._figures.keep_coming(transfer.due.number, transfer)
        self._figures.tell(transfer.due.number)
        self._closed(transfer)

    async def wait(self, number: int, reason: str, detail: str = "") -> None:
        """Note that a transfer has to wait. reason: one of the words of `ledger`. detail: of what, exactly."""
        if (transfer := self._coming.open.get(number)) is not None:
            await self._figures.keep_coming(number, transfer)
        self._carry_out(
            await self._database.write_patiently(manager.waiting, number, reason, wall(), detail)
        )

    async def on_report(self, transfer: Incoming, report: Report) -> None:
        """Take what a transfer tells of itself."""
        number, now = transfer.due.number, wall()
        if self._coming.open.get(number) is not transfer:
            return  # taken out in between
        if isinstance(report, Fits):
            fits = self._database.write_patiently(
                policy.fit, self._keys, number, now, self._entropy
            )
            self._carry_out(await fits)
            return
        self.take_out(number)
        match report:
            case Landed():
                await self._landed(transfer, report, now)
            case Waits(reason=reason, detail=detail):
                await self._set_aside(transfer, reason, detail)
            case Unfit():
                await asyncio.to_thread(transfer.close)
                self._carry_out(await self._database.write_patiently(policy.unfit, number))
            case Stumbles():
                await self._set_aside(transfer, ledger.FRIEND)
            case Fails(code=Code.UNKNOWN_OFFER) if not self._coming.is_refused_again(number):
                # a withdrawal comes on another road, and says more
                await self._set_aside(transfer, ledger.SOURCE)
            case Fails(code=code, detail=detail):
                await self._figures.keep_coming(number, transfer)
                await asyncio.to_thread(transfer.close)
                effects = await self._database.write_patiently(
                    manager.gave_up, self._keys, number, code, now, self._entropy, detail
                )
                self._carry_out(effects)
        self._closed(transfer)

    # --- inside

    async def _landed(self, transfer: Incoming, landed: Landed, now: UnixMillis) -> None:
        """Note that all of a transfer stands in its place, and tell.

        Its last figures go into the commit that makes it done: one for both, in the loop's thread where that is quick,
        spares the end of each transfer 0.4 ms (2026-11).
        """

        def note(connection: Connection) -> list[Effect]:
            if transfer.is_counting:
                ledger.progressed(
                    connection,
                    transfer.due.number,
                    files_done=transfer.files_done,
                    verified_bytes=transfer.verified_bytes,
                    resent_bytes=transfer.resent_bytes,
                )
            return manager.finished(
                connection,
                self._keys,
                transfer.due.number,
                landed.path,
                now,
                self._entropy,
                landed.skipped,
            )

        effects = await self._database.write_here_patiently(note)
        await _discard(transfer)
        self._carry_out(effects)  # who is told that it is done finds nothing else there

    async def _set_aside(self, transfer: Incoming, reason: str, detail: str = "") -> None:
        """Close a transfer for now, to be tried again after a while."""
        now = asyncio.get_running_loop().time()
        self._coming.set_aside(transfer, now, RETRY_S[reason], is_held=reason == ledger.PAUSED)
        await asyncio.to_thread(transfer.close)
        await self._figures.keep_coming(transfer.due.number, transfer)
        await self.wait(transfer.due.number, reason, detail)

    def _closed(self, transfer: Incoming) -> None:
        self._coming.closed(transfer)
        self._on_closed(transfer)


async def _discard(transfer: Incoming) -> None:
    """Take the work folder of a transfer away that landed."""
    try:
        await asyncio.to_thread(transfer.discard)
    except PeerError as error:
        log.warning("the work folder of %s stays: %s", transfer.due.title, error)
