"""A tracker as a whole: home, lock, key, storage, listeners, the sweep, and an end in good order.

    async with Tracker(config) as tracker:   # in a program or in a test; port 0 works
        tracker.address                      # "hobnob://127.0.0.1:41231/#KEY"

`run` is what `hobnob-tracker serve` calls. Only this module and `session` and `control` know asyncio.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from functools import partial
from types import TracebackType
from typing import Any, Self

from tracker import dispatch
from tracker.config import Config
from tracker.control import ControlSocket, Reply
from tracker.descriptors import forbid_core_dumps, raise_descriptor_limit
from tracker.errors import TrackerError
from tracker.home import Home, load_link_key
from tracker.hub import Hub
from tracker.listeners import BACKLOG, open_listeners, open_probes, place_of, places_to_dial
from tracker.lock import Lock
from tracker.metrics import HEAD_BYTES, Metrics
from tracker.output import DONE, INTERRUPTED, Output
from tracker.session import Session
from tracker.storage.migrate import open_database
from tracker.storage.writer import Callbacks, Writer
from tracker.users import list_users
from wire.address import TrackerAddress
from wire.channel.primitives import require_ml_kem, x25519_public
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.errors import WireError
from wire.ids import LinkKey
from wire.machine import Entropy

SWEEP_S = 0.25
EXPIRE_EVERY_S = 3600.0
DRAIN_S = 3.0  # for the last records to leave; SIGTERM promises an end in less than 5 s

Spawn = Callable[[Coroutine[Any, Any, None]], None]

log = logging.getLogger("tracker")


class Tracker:
    """A running tracker, from entering the context to leaving it.

    config: see there. entropy: the dice, the system's if not given. Entering raises TrackerError with
    ALREADY_RUNNING, HOME_UNUSABLE, KEY_FILE_*, DATABASE_*, ADDRESS_IN_USE, ADDRESS_REFUSED.
    """

    def __init__(self, config: Config, *, entropy: Entropy | None = None) -> None:
        self.config = config
        self._entropy = entropy or SystemEntropy()
        self._home = Home(config.home)
        self._stack = AsyncExitStack()
        self._listeners: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._next_expiry = 0.0
        self.metrics: str | None = None  # HOST:PORT where counts are read
        self.hub: Hub

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._open(stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    # --- where it is

    @property
    def link_key(self) -> LinkKey:
        """Give the public key that stands in the address."""
        return self.hub.link_key

    @property
    def listen(self) -> list[str]:
        """List where it listens, as HOST:PORT."""
        return [str(place_of(listener)) for listener in self._listeners]

    @property
    def addresses(self) -> list[str]:
        """List the addresses to paste, one for each way to reach this machine; the first is the best."""
        return [
            str(TrackerAddress(place.host, place.port, self.link_key))
            for place in places_to_dial(self._listeners)
        ]

    @property
    def address(self) -> str:
        """Give the address to paste."""
        return self.addresses[0]

    # --- beginning and end

    async def _open(self, stack: AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        self._home.prepare()
        try:
            require_ml_kem()
        except WireError as error:
            raise TrackerError(error.code, error.detail) from error
        lock = Lock(self._home.lock)
        stack.callback(lock.release)
        link_private = load_link_key(self._home, self._entropy)
        listeners = open_listeners(
            self.config.listen, may_lack_family=self.config.is_default_listen
        )
        probes = open_probes(listeners, self.config.probe) if self.config.probes else []
        for listener in (*listeners, *probes):
            stack.callback(listener.close)
        writer = Writer(open_database(self._home.database), self._deliver_to(loop))
        writer.start()
        stack.push_async_callback(self._stop_writer, writer)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        self.hub = Hub(
            self.config,
            writer,
            link_private=link_private,
            link_key=LinkKey(x25519_public(link_private)),
            entropy=self._entropy,
            monotonic=loop.time,
            soon=loop.call_soon,
            later=loop.call_later,
            spawn=self._spawn_in(group, stack),
            most_sockets=raise_descriptor_limit(),
        )
        control = ControlSocket(self._home.control, self._on_control)
        await control.open()
        stack.callback(control.close)
        stack.push_async_callback(self._drain)
        self._listeners = listeners
        self.hub.second_port = place_of(probes[0]).port if probes else 0
        for listener in (*listeners, *probes):
            server = await loop.create_server(
                partial(Session, self.hub, dispatch.handle, is_second=listener in probes),
                sock=listener,
                backlog=BACKLOG,
            )
            self._servers.append(server)
        await self._open_metrics(stack)
        self._sweep_handle = loop.call_later(SWEEP_S, self._sweep)
        stack.callback(self._stop_sweep)

    async def _open_metrics(self, stack: AsyncExitStack) -> None:
        """Let counts be read where the host wants that."""
        if self.config.metrics is None:
            return
        (listener,) = open_listeners((self.config.metrics,), may_lack_family=False)
        stack.callback(listener.close)
        self.metrics = str(place_of(listener))
        answering = Metrics(self.hub).serve
        server = await asyncio.start_server(answering, sock=listener, limit=HEAD_BYTES)
        self._servers.append(server)

    @staticmethod
    def _spawn_in(group: asyncio.TaskGroup, stack: AsyncExitStack) -> Spawn:
        """Give the way to have something done that waits; whatever still does at the end is called off."""
        tasks: set[asyncio.Task[None]] = set()

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            task = group.create_task(work)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def call_off() -> None:
            for task in list(tasks):
                task.cancel()

        stack.callback(call_off)
        return spawn

    @staticmethod
    def _deliver_to(loop: asyncio.AbstractEventLoop) -> Any:
        """Give the writer's road to the loop: one wake-up for a group, each result on its own."""

        def call_all(callbacks: Callbacks) -> None:
            for callback in callbacks:
                loop.call_soon(callback)

        def deliver(callbacks: Callbacks) -> None:
            loop.call_soon_threadsafe(call_all, callbacks)

        return deliver

    async def _stop_writer(self, writer: Writer) -> None:
        """Let what is queued be stored, without holding up the loop that takes the results."""
        await asyncio.get_running_loop().run_in_executor(None, writer.stop)

    async def _drain(self) -> None:
        """Take no more, tell everybody that is here, and wait a little for the last records to leave."""
        for server in self._servers:
            server.close()
        is_empty = asyncio.Event()
        self.hub.when_empty = is_empty.set
        self.hub.splices.close_all()
        for session in list(self.hub.sessions):
            session.close(Code.SHUTTING_DOWN)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self.hub.sessions:
                    await is_empty.wait()
                    is_empty.clear()
        for session in list(self.hub.sessions):
            session.abort()

    def _stop_sweep(self) -> None:
        self._sweep_handle.cancel()

    def _sweep(self) -> None:
        """Call every session whose instant has come; the only timer that repeats."""
        hub, loop = self.hub, asyncio.get_running_loop()
        self._sweep_handle = loop.call_later(SWEEP_S, self._sweep)
        now = hub.now()
        for session in hub.wheel.due(now):
            session.on_deadline(now)
        hub.splices.sweep(now)
        for account, told in hub.roster.expire(hub.wall()):
            hub.tell(account, told)
        if now >= self._next_expiry:
            self._next_expiry = now + EXPIRE_EVERY_S
            hub.expire_requests()

    # --- the control socket

    def _on_control(self, do: str, arguments: dict[str, Any], reply: Reply) -> None:
        if do != "users":
            raise TrackerError(Code.USAGE, f"a tracker cannot {do!r}")
        list_users(self.hub, reply, is_online_only=arguments.get("online") is True)


def run(config: Config, output: Output) -> int:
    """Run a tracker until SIGTERM or SIGHUP (gives 0) or Ctrl-C (gives 130); prints the ready line."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    os.umask(0o077)
    forbid_core_dumps()
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(config, output))


def _loop_factory() -> Any:
    """Give uvloop's loop where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def _serve(config: Config, output: Output) -> int:
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    for name, code in (("SIGTERM", DONE), ("SIGHUP", DONE), ("SIGINT", INTERRUPTED)):
        with suppress(AttributeError, NotImplementedError):  # systems without such signals
            number = getattr(signal, name)
            if name != "SIGHUP" or signal.getsignal(number) is not signal.SIG_IGN:  # under nohup
                loop.add_signal_handler(number, stop, code)
    async with Tracker(config) as tracker:
        ready: dict[str, object] = {
            "event": "ready",
            "listen": tracker.listen,
            "address": tracker.address,
            "pid": os.getpid(),
        }
        if tracker.metrics is not None:
            ready["metrics"] = tracker.metrics
        lines = ["Ready. Peers find this tracker at:", *tracker.addresses]
        output.result(ready, "\n".join(lines))
        return await stopped
