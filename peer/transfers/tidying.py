"""Taking away what nobody needs any more: offers on the shelf, what came from stdin, and the work folders of transfers that are over.

The book says what that is, so nothing is lost track of: a work folder stands in its transfer's row until it
is gone, and what could not be removed (a disk that is away) is tried again when the next node starts.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import sqlite3
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from peer.errors import PeerError
from peer.store.database import Database
from peer.transfers import heard, offerings, sharing, taken
from peer.transfers.disk import Disk, SystemDisk
from peer.transfers.shelf import Shelf
from peer.transfers.sink import Sink
from wire.ids import DeviceId, OfferId
from wire.transfer.holding import OfferKey

if TYPE_CHECKING:
    from _typeshed import StrOrBytesPath

Connection = sqlite3.Connection
log = logging.getLogger("peer")


class Leftover(Struct, frozen=True):
    """A transfer that came and is over. folder: absolute, where its work folder may stand."""

    number: int
    key: OfferKey
    folder: Path
    title: str


class _Ending(SystemDisk):
    """The disk of this machine, of which nothing is taken away any more when that has to end."""

    is_ended = False

    def unlink(self, path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
        """Remove a file, as long as there is time for it."""
        if self.is_ended:
            raise InterruptedError(errno.EINTR, "the next node goes on with it")
        os.unlink(path, dir_fd=dir_fd)


class Tidying:
    """Tidies one home. shelf: what this device offers."""

    def __init__(self, database: Database, shelf: Shelf) -> None:
        self._database = database
        self._shelf = shelf
        self._turn = asyncio.Lock()
        self._disk = _Ending()

    def end(self) -> None:
        """Take nothing more away: 100,000 files take many seconds, and a node that ends waits for none of them."""
        self._disk.is_ended = True

    async def begin(self) -> None:
        """Tidy all that a former node left; called before anything may be offered."""
        standing = self._database.read(offerings.standing)
        await asyncio.to_thread(self._shelf.sweep, standing)
        lent = self._database.read(sharing.lent)
        await asyncio.to_thread(taken.sweep, self._shelf.taken, lent)
        await self._drop_streams(None)

    async def tidy(self, offers: Collection[OfferId], busy: Collection[int]) -> None:
        """Tidy what became of some offers, which nobody fetches now. busy: rows of transfers whose work folders are open."""
        async with self._turn:
            for offer in offers:
                if self._database.read(offerings.is_over, offer):
                    await asyncio.to_thread(self._shelf.drop, offer)
            await self._drop_streams(offers)
            await self._clear([each for each in self._left(offers) if each.number not in busy])

    async def tidy_folders(self) -> None:
        """Clear every work folder that a former node left."""
        async with self._turn:
            await self._clear(self._left(None))

    async def _drop_streams(self, offers: Collection[OfferId] | None) -> None:
        """Drop what came from stdin and nobody may come for any more; offers: only what was in these."""
        streams = self._shelf.streams
        over = [
            stream
            for stream, its in (await asyncio.to_thread(streams.held)).items()
            if (offers is None or not its.isdisjoint(offers))
            and not any(self._database.read(heard.is_wanted, offer) for offer in its)
        ]
        if over:
            await asyncio.to_thread(streams.drop, over)

    def _left(self, offers: Collection[OfferId] | None) -> list[Leftover]:
        found = self._database.read(leftovers)
        return [each for each in found if offers is None or each.key.offer in offers]

    async def _clear(self, left: list[Leftover]) -> None:
        for each in left:
            if await asyncio.to_thread(_clear, each, self._disk):
                await self._database.write_patiently(cleared, each.number)


def _clear(left: Leftover, disk: Disk) -> bool:
    """Remove a work folder; False if that cannot be done now. A folder that is gone may come back."""
    try:
        if not left.folder.is_dir():
            return False
        Sink.clear(left.folder, left.key, left.title, disk=disk)
    except (OSError, PeerError) as error:
        log.warning("the work folder of %s stays: %s", left.title, error)
        return False
    return True


def leftovers(connection: Connection) -> list[Leftover]:
    """List the transfers that may have a work folder and need none: called off, failed for good, or done.

    Whoever was killed after noting that all landed had no time to take the emptied folder away.
    """
    rows = connection.execute(
        "SELECT t.number, o.device, o.offer, t.folder, o.title FROM transfers t"
        " JOIN offers o ON o.number = t.offer WHERE NOT t.is_out AND t.folder IS NOT NULL"
        " AND (t.state IN ('cancelled', 'declined', 'done')"
        " OR t.state = 'failed' AND o.state IN ('declined', 'withdrawn')) ORDER BY t.number"
    ).fetchall()
    return [
        Leftover(
            number, OfferKey(DeviceId(device), OfferId(offer)), Path(os.fsdecode(folder)), title
        )
        for number, device, offer, folder, title in rows
    ]


def cleared(connection: Connection, number: int) -> None:
    """Note that a transfer has no work folder."""
    connection.execute("UPDATE transfers SET folder = NULL WHERE number = ?", (number,))
