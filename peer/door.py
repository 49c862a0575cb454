"""The door for whoever finds no node up: the store alone, a brief node, a full one, or `up` itself.

Whoever runs a node holds the home's lock and serves its socket, ends only when no other verb is connected,
and gives way to `up`, which waits for it.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from msgspec.structs import asdict, replace

from peer import api, queries
from peer.accounts import account, porting
from peer.commands import begin_command, carry_out_command
from peer.config import read_config
from peer.control import client
from peer.control.server import ControlServer
from peer.errors import PeerError
from peer.identity import check_keys_are_there, has_key_file, seal_of
from peer.locations import Locations
from peer.lock import RETRY_S, Lock
from peer.node import Node
from peer.people import keeping, standing
from peer.settings import configuring
from peer.settings.proxying import WayOut
from peer.store import own
from peer.store.database import Database
from peer.talk import reading, saying
from peer.times import wall
from peer.tracker_link import ask_key
from wire.address import TrackerAddress
from wire.channel.primitives import require_ml_kem
from wire.codes import Code, code_of
from wire.entropy import SystemEntropy
from wire.errors import WireError

LOCK_WAIT_S = 10.0
SAY_WAIT_S = 10.0
SETTLE_S = 10.0
LET_PASS_S = 1.0  # before a verb that gave way looks for the home's new node

Password = Callable[[], str | None]


async def run(
    home: Path, command: api.Command, *, password: Password, request_id: str = ""
) -> AsyncIterator[api.Result]:
    """Carry out a command in this process and give its results; raises PeerError and WireError.

    password: asked only if the key file is sealed and the command needs its keys. request_id: what was
    done under it before is given again. If another process began to serve the home meanwhile, it is asked.
    """
    require_ml_kem()
    locations = Locations(home)
    locations.prepare()
    request_id = request_id or os.urandom(16).hex()
    is_full = api.need_of(command) is api.Need.FULL
    has_given = False
    while True:
        lock = Lock(locations.lock)
        is_ours = await _taken_or_served(lock, locations, is_full=is_full)
        is_again = has_given and isinstance(command, api.AcceptOffer | api.OfferFiles)
        try:
            async for result in (
                _run_here(locations, lock, command, password, request_id)
                if is_ours
                else _relay(home, command, request_id)
            ):
                if not is_again:  # its first result is the one that was given already
                    has_given = True
                    yield result
                is_again = False
            return
        except _GaveWayError:
            if isinstance(command, api.ReadMessages):
                command = replace(command, unread_only=True)  # the others were given already
            await asyncio.sleep(LET_PASS_S)


async def _run_here(
    locations: Locations, lock: Lock, command: api.Command, password: Password, request_id: str
) -> AsyncIterator[api.Result]:
    """Carry out a command as the one who holds the home; raises _GaveWayError if `up` takes over."""
    if isinstance(command, api.ImportProfile):  # there is no database yet
        WayOut(locations).take()
        try:
            yield await porting.take_in(locations, command, SystemEntropy())
        finally:
            lock.release()
        return
    async with _opened(locations, lock) as database:
        if isinstance(command, account.ALONE):
            yield await account.alone(locations, command, database, password)
        elif isinstance(command, configuring.COMMANDS):
            for result in await configuring.carry_out(database, locations, command):
                yield result
        elif isinstance(command, keeping.COMMANDS):
            yield await database.write(keeping.carry_out, command, wall())
        elif isinstance(command, api.GetHistory):
            async for line in reading.whole_history(database, command):
                yield line
        elif api.need_of(command) is api.Need.STORE:
            sealed = seal_of(locations) if has_key_file(locations) else "none"
            results = await database.write(
                lambda connection: list(queries.answer(connection, command, sealed))
            )
            for result in results:
                yield result
        else:
            is_full = api.need_of(command) is api.Need.FULL
            async with _node(locations, database, password, is_full=is_full, listen=()) as node:
                await node.settle(SETTLE_S)
                failure = node.uplink.failure
                if failure is not None and failure.code is Code.DEVICE_REVOKED:
                    raise failure  # nothing that this verb does would reach anybody
                steps = carry_out_command(node, _on_a_verbs_node(command), request_id)
                while (step := await _next_result(steps, node.gives_way)) is not None:
                    yield step


def _on_a_verbs_node(command: api.Command) -> api.Command:
    """Give a command as it has to be where no node stays: stay with it until it came as far as it can."""
    if isinstance(command, saying.COMMANDS) and command.wait_s is None:
        return replace(command, wait_s=SAY_WAIT_S, is_sent_enough=True)
    if isinstance(command, api.AcceptOffer):
        return replace(command, wait=True)
    if isinstance(command, api.OpenLan):
        return replace(command, stays=True)
    return command


async def up(
    home: Path, *, listen: tuple[str, ...], password: Password, is_lan: bool | None = None
) -> AsyncIterator[api.Event]:
    """Run the node until cancelled: `ready` first, then every event. is_lan: as `Node` takes it."""
    require_ml_kem()
    locations = Locations(home)
    locations.prepare()
    await asyncio.to_thread(
        read_config, locations
    )  # a setting that is wrong is told before anything runs
    async with (
        _opened(locations, await _taken(locations)) as database,
        _node(
            locations,
            database,
            password,
            is_full=True,
            listen=listen,
            stays=True,
            is_lan=is_lan,
        ) as node,
    ):
        queue: asyncio.Queue[api.Event | None] = asyncio.Queue()
        leave = node.audience.listen(queue.put_nowait)
        node.when_leaving(lambda: queue.put_nowait(None))
        ready: dict[str, object] = {
            "account": node.profile.name,
            "listen": node.listening,
            "web": None,
            "pid": os.getpid(),
        }
        yield api.Event("ready", ready)
        try:
            while (event := await queue.get()) is not None:
                if queue.empty():
                    await asyncio.sleep(0)  # what answers others goes first, then this is printed
                yield event
        finally:
            leave()
        if node.is_to_be_wiped:
            await account.wipe(locations, database)


async def tracker_with_key(home: Path, address: str) -> str:
    """Ask a tracker in clear for its key, by the way out of a home, and give its whole address for a person to confirm.

    Raises PeerError, among them TRACKER_UNREACHABLE and ALREADY_RUNNING, or WireError(ADDRESS_INVALID).
    """
    locations, plain = Locations(home), TrackerAddress.parse(address)
    async with AsyncExitStack() as stack:
        if locations.database.exists():
            lock = Lock(locations.lock)
            lock.acquire()
            await stack.enter_async_context(_opened(locations, lock))
        else:
            WayOut(locations).take()
        return str(TrackerAddress(plain.host, plain.port, await ask_key(plain)))


class _GaveWayError(Exception):
    """A node that stays takes over: it is asked for the rest."""


async def _next_result(
    results: AsyncIterator[api.Result], gives_way: asyncio.Event
) -> api.Result | None:
    """Give the next result, None after the last; raises _GaveWayError as soon as another node is to come."""
    async with asyncio.TaskGroup() as group:
        step = group.create_task(_step(results))
        way = group.create_task(gives_way.wait())
        step.add_done_callback(lambda _: way.cancel())
        way.add_done_callback(lambda _: step.cancel())
    if step.cancelled():
        raise _GaveWayError
    outcome = step.result()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def _step(
    results: AsyncIterator[api.Result],
) -> api.Result | PeerError | WireError | None:
    """Give a result or what was raised instead: a task of a group must not raise it."""
    try:
        return await anext(results, None)
    except (PeerError, WireError) as error:
        return error


async def _taken(locations: Locations) -> Lock:
    """Give the lock of a home; a verb's node is asked to give way. Raises ALREADY_RUNNING after LOCK_WAIT_S."""
    lock = Lock(locations.lock)
    answer: bool | None = None
    with suppress(TimeoutError):
        async with asyncio.timeout(LOCK_WAIT_S):
            while not lock.try_acquire():
                if answer is None:
                    answer = await asyncio.to_thread(_gives_way, locations.home, stays=True)
                await asyncio.sleep(RETRY_S)
            return lock
    lock.acquire()  # says whose it is
    return lock


def _gives_way(home: Path, *, stays: bool) -> bool | None:
    """Ask whoever serves a home to make room, and say whether they will; None if nobody answers yet.

    stays: for a node that is no verb's.
    """
    try:
        list(client.ask(home, "GiveWay", {"stays": stays}))
    except client.NotRunning:
        return None
    except client.Failed as failed:
        return None if failed.code == Code.NODE_VANISHED.value else False
    return True


async def _taken_or_served(lock: Lock, locations: Locations, *, is_full: bool) -> bool:
    """Take the lock, or say False if whoever has it serves the home; raises ALREADY_RUNNING.

    is_full: only a full node will do, and a brief one gives way to ours.
    """
    will_leave = False
    with suppress(TimeoutError):
        async with asyncio.timeout(LOCK_WAIT_S):
            while not lock.try_acquire():
                if not is_full and await asyncio.to_thread(client.is_served, locations.home):
                    return False
                if is_full and not will_leave:
                    answer = await asyncio.to_thread(_gives_way, locations.home, stays=False)
                    if answer is False:
                        return False
                    will_leave = answer is True
                await asyncio.sleep(RETRY_S)
            return True
    lock.acquire()
    return True


async def _relay(home: Path, command: api.Command, request_id: str) -> AsyncIterator[api.Result]:
    """Have the node that another process runs by now do it; raises _GaveWayError if nobody serves the home any more.

    Its thread is a daemon: whoever interrupts the verb does not wait for that node.
    """
    loop = asyncio.get_running_loop()
    came: asyncio.Queue[dict[str, object] | Exception | None] = asyncio.Queue()

    def read() -> None:
        last: Exception | None = None
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            try:
                for item in client.ask(home, type(command).__name__, asdict(command), request_id):
                    loop.call_soon_threadsafe(came.put_nowait, item)
            except (client.Failed, client.NotRunning) as error:
                last = error
            loop.call_soon_threadsafe(came.put_nowait, last)

    threading.Thread(target=read, name="relay", daemon=True).start()
    while (item := await came.get()) is not None:
        if isinstance(item, client.Failed):
            raise PeerError(code_of(item.code), item.message, remedy=item.remedy) from item
        if isinstance(item, Exception):
            raise _GaveWayError from item
        yield api.Relayed(item)


@asynccontextmanager
async def _opened(locations: Locations, lock: Lock) -> AsyncIterator[Database]:
    """Hold the database of a home, and its lock, which is taken already."""
    try:
        database = await asyncio.to_thread(
            lambda: Database.open(locations.database, entropy=SystemEntropy())
        )
        way = WayOut(locations, database)
        way.take()
        try:
            yield database
        finally:
            with suppress(PeerError):
                way.leave()
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
    stays: bool = False,
    is_lan: bool | None = None,
) -> AsyncIterator[Node]:
    """Run a node and serve its socket; leaves when the work is done and no verb is connected."""
    me = database.read(own.account)
    if me is not None and not me.is_logged_in:
        raise PeerError(Code.ACCOUNT_DELETED if me.is_deleted else Code.LOGGED_OUT)
    if me is not None:
        check_keys_are_there(locations, me.name)
        if database.read(standing.is_off):
            raise PeerError(Code.DEVICE_REVOKED)
    profile = await account.unseal(locations, password)
    if me is None:
        raise PeerError(Code.NOT_REGISTERED)
    node = Node(
        locations,
        profile,
        database,
        is_full=is_full,
        is_unseen=not is_full,
        listen=listen,
        entropy=SystemEntropy(),
        stays=stays,
        is_lan=is_lan,
    )

    def do(command: api.Command, request_id: str) -> AsyncGenerator[api.Result, None]:
        on_this = command if stays else _on_a_verbs_node(command)
        return carry_out_command(node, on_this, request_id)

    at_once = partial(begin_command, node) if stays else None
    async with node, ControlServer(locations.control, do, at_once, is_full=is_full) as control:
        is_cancelled = False
        try:
            yield node
        except (asyncio.CancelledError, GeneratorExit):
            is_cancelled = True
            raise
        finally:
            if not is_cancelled:
                await _wait_until_alone(node, control)


async def _wait_until_alone(node: Node, control: ControlServer) -> None:
    """Stay while other verbs are connected, unless another node is to come; not long once signed off."""
    async with asyncio.TaskGroup() as group:
        reasons = [
            group.create_task(reason)
            for reason in (
                control.wait_idle(),
                _set(node.gives_way),
                _set(node.leaving, LOCK_WAIT_S),
            )
        ]

        def end(_: object) -> None:
            for reason in reasons:
                reason.cancel()

        for reason in reasons:
            reason.add_done_callback(end)


async def _set(event: asyncio.Event, then_s: float = 0.0) -> None:
    """Wait until an event is set, and then so many seconds."""
    await event.wait()
    await asyncio.sleep(then_s)
