"""Who says that there is a newer device list of this account than is known here.

A list's counter only goes up, and `Hello` names the highest counter of *our* list that a friend has seen; a
friend that has seen a newer one than our Hello shows ends the link by `list-rollback`. It may be the news of
another device on its way, so the tracker is asked. What stays after that is an alarm: the tracker shows this
machine an old list and hides a device, or the friend is mistaken. It lasts until the friend says otherwise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from peer.accounts import alarms
from peer.accounts.state_exchange import Asks
from peer.effects import Effect
from peer.errors import PeerError
from peer.people import contacts, standing
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from wire.codes import Code
from wire.errors import WireError
from wire.ids import AccountName, IdentityKey
from wire.messages.reach import AskDirectory, Directory

P = ParamSpec("P")
T = TypeVar("T")


class Reads(Protocol):
    """A database that answers questions."""

    def read(
        self, fn: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a question."""


async def newer(tracker: Asks, database: Database, name: AccountName) -> list[Effect]:
    """Take our device list as the tracker has it now, if it is newer; raises PeerError, WireError."""
    found = await tracker.ask(lambda request: AskDirectory(request, name), Directory)
    certificates = tuple(record.certificate for record in found.devices)
    return await database.write_patiently(
        standing.take_own, found.device_list, certificates, wall()
    )


class ListWatch:
    """What friends said of our device list since this node began, as far as it is news.

    database: the node's. refresh: takes the list that the tracker has now, if it is newer; raises PeerError.
    write: runs a function in a transaction and does the effects that it gives. spawn: makes a task that the
    node owns.
    """

    def __init__(
        self,
        database: Reads,
        *,
        refresh: Callable[[], Awaitable[None]],
        write: Callable[[Callable[[sqlite3.Connection], list[Effect]]], Awaitable[None]],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._database = database
        self._refresh = refresh
        self._write = write
        self._spawn = spawn
        self._claims: dict[str, int] = {}  # by the friend's name

    def heard(self, identity: IdentityKey, counter: int) -> None:
        """Take what a friend's Hello says; an own device is passed over: it brings the list itself."""
        contact = self._database.read(contacts.of_identity, identity)
        if contact is None or contact.state == "own":
            return
        if counter > self._database.read(own.list_counter):
            if self._claims.get(contact.name, 0) < counter:
                self._claims[contact.name] = counter
                self._spawn(self._check())
            return
        self._claims.pop(contact.name, None)
        if self._database.read(alarms.stands, Code.LIST_OUTDATED):
            self._spawn(self._settle())

    def refused_by(self, identity: IdentityKey) -> None:
        """Take note that a friend refused our list as an old one."""
        self.heard(identity, self._database.read(own.list_counter) + 1)

    async def _check(self) -> None:
        """Ask the tracker, and tell the person of what it does not show."""
        with suppress(PeerError, WireError):
            await self._refresh()
        await self._settle()

    async def _settle(self) -> None:
        """Raise the alarm or let it go."""
        await self._write(self._judge)

    def _judge(self, connection: sqlite3.Connection) -> list[Effect]:
        known = own.list_counter(connection)
        friends = sorted(name for name, claimed in self._claims.items() if claimed > known)
        if not friends:
            alarms.end(connection, Code.LIST_OUTDATED)
            return []
        text = f"{' and '.join(friends)} saw a newer list of your devices than number {known}, which is known here"
        return alarms.raise_(connection, Code.LIST_OUTDATED, text)
