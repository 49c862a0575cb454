"""The door for whoever finds no node up: the store alone, a brief node, a full one, or `up` itself.

Whoever runs a node holds the home's lock and serves its socket, ends only when no other verb is connected,
and gives way to `up`, which waits for it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from peer import api, queries, register
from peer.control.server import ControlServer
from peer.errors import PeerError
from peer.identity import has_key_file, is_sealed, read_key_file
from peer.locations import Locations
from peer.lock import RETRY_S, Lock
from peer.node import Node
from peer.store import own
from peer.store.database import Database
from peer.tracker_link import ask_key
from wire.address import TrackerAddress
from wire.channel.primitives import require_ml_kem
from wire.codes import Code
from wire.entropy import SystemEntropy

LOCK_WAIT_S = 10.0
SAY_WAIT_S = 10.0
SETTLE_S = 10.0

Password = Callable[[], str | None]


async def run(home: Path, command: api.Command, *, password: Password) -> AsyncIterator[api.Result]:
    """Carry out a command in this process and give its results; raises PeerError and WireError.

    password: asked only if the key file is sealed and the command needs its keys.
    """
    require_ml_kem()
    locations = Locations(home)
    locations.prepare()
    async with _opened(locations) as database:
        if isinstance(command, api.Register):
            yield await register.register(locations, command, database, SystemEntropy())
        elif isinstance(command, api.LogIn):
            yield await register.log_in(locations, command, database, SystemEntropy())
        elif isinstance(command, api.LogOut):
            async for result in _log_out(locations, command, database, password):
                yield result
        elif api.need_of(command) is api.Need.STORE:
            sealed = "none"
            if has_key_file(locations) and is_sealed(locations):
                sealed = "password"
            results = await database.write(
                lambda connection: list(queries.answer(connection, command, sealed))
            )
            for result in results:
                yield result
        else:
            is_full = api.need_of(command) is api.Need.FULL
            async with _node(locations, database, password, is_full=is_full, listen=()) as node:
                await node.settle(SETTLE_S)
                if isinstance(command, api.SendText) and command.wait_s is None:
                    command = replace(command, wait_s=SAY_WAIT_S)
                async for result in node.do(command):
                    yield result


async def up(
    home: Path, *, listen: tuple[str, ...], password: Password
) -> AsyncIterator[api.Event]:
    """Run the node until cancelled: `ready` first, then every event."""
    require_ml_kem()
    locations = Locations(home)
    locations.prepare()
    async with (
        _opened(locations) as database,
        _node(locations, database, password, is_full=True, listen=listen) as node,
    ):
        queue, leave = node.subscribe()
        ready: dict[str, object] = {
            "account": node.profile.name,
            "listen": node.listening,
            "web": None,
            "pid": os.getpid(),
        }
        yield api.Event("ready", ready)
        try:
            while True:
                yield await queue.get()
        finally:
            leave()


async def tracker_with_key(address: str) -> str:
    """Ask a tracker in clear for its key and give its whole address, for a person to confirm.

    Raises PeerError(TRACKER_UNREACHABLE) or WireError(ADDRESS_INVALID).
    """
    plain = TrackerAddress.parse(address)
    return str(TrackerAddress(plain.host, plain.port, await ask_key(plain)))


@asynccontextmanager
async def _opened(locations: Locations) -> AsyncIterator[Database]:
    """Hold the lock and the database of a home."""
    lock = Lock(locations.lock)
    try:
        async with asyncio.timeout(LOCK_WAIT_S):
            while not lock.try_acquire():  # noqa: ASYNC110 - another process lets go of it
                await asyncio.sleep(RETRY_S)
    except TimeoutError:
        lock.acquire()  # says whose it is
    try:
        database = await asyncio.to_thread(
            lambda: Database.open(locations.database, entropy=SystemEntropy())
        )
        try:
            yield database
        finally:
            await database.close()
    finally:
        lock.release()


@asynccontextmanager
async def _node(
    locations: Locations,
    database: Database,
    password: Password,
    *,
    is_full: bool,
    listen: tuple[str, ...],
) -> AsyncIterator[Node]:
    """Run a node and serve its socket; leaves when the work is done and no verb is connected."""
    account = database.read(own.account)
    if account is not None and not account.is_logged_in:
        raise PeerError(Code.LOGGED_OUT)
    profile = await asyncio.to_thread(read_key_file, locations, password)
    if account is None:
        raise PeerError(Code.NOT_REGISTERED)
    node = Node(
        locations,
        profile,
        database,
        is_full=is_full,
        is_unseen=not is_full,
        listen=listen,
        entropy=SystemEntropy(),
    )
    async with node:
        control = ControlServer(locations.control, node.do)
        await control.open()
        is_cancelled = False
        try:
            yield node
        except (asyncio.CancelledError, GeneratorExit):
            is_cancelled = True
            raise
        finally:
            if not is_cancelled:
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOCK_WAIT_S):
                        await control.wait_idle()
            await control.close()


async def _log_out(
    locations: Locations, command: api.LogOut, database: Database, password: Password
) -> AsyncIterator[api.Result]:
    profile = await asyncio.to_thread(read_key_file, locations, password)
    await register.log_out(profile, database, SystemEntropy())
    if command.forget:
        await database.close()
        for path in (locations.key_file, locations.key_file_before, locations.last_run):
            path.unlink(missing_ok=True)
        for path in locations.home.glob(f"{locations.database.name}*"):
            path.unlink(missing_ok=True)
    yield api.Nothing()
