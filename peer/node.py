"""A running node: composes the parts, owns the tasks, and carries out effects after their commits.

What is decided elsewhere: who may link (`contacts`), what is said (`conversations`, `syncing`), which of two
links stays (`links`), what is worth dialling (`candidates`), what a command means (`commands`).
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self

from peer import api, asks, contacts, conversations, roster, syncing
from peer.candidates import candidates
from peer.config import LastRun, read_last_run, write_last_run
from peer.effects import (
    Ask,
    CloseLinks,
    Effect,
    FriendsChanged,
    PushEvents,
    PushReceipt,
    SendOnLink,
    Tell,
    WantLink,
)
from peer.errors import PeerError
from peer.identity import Profile
from peer.links import Links, PeerLink
from peer.listener import WILDCARDS, open_listeners, place_of
from peer.locations import Locations
from peer.pump import Pump
from peer.store.database import Database
from peer.syncing import Session
from peer.times import rfc3339, wall
from peer.uplink import Uplink
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import read_addresses
from wire.ids import BootId, IdentityKey, LinkKey, SigningKey
from wire.link import (
    Link,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    MessageReceived,
    Remote,
    Role,
)
from wire.machine import Entropy, Monotonic
from wire.messages import Message, Purpose
from wire.messages.conversation import Devices, Digests, Events, Receipt, Vector
from wire.messages.session import Hello

log = logging.getLogger("peer")
SWEEP_S = 1.0
REDIAL_MOST_S = 20.0
HEAD_START_S = 1 / limits.DIALS_PER_S


class Node:
    """One home's node, from entering the context to leaving it.

    is_full: listens, dials and stays; else it only dials. is_unseen: friends are not told. listen: HOST:PORT
    each, empty for the default. Entering raises PeerError with ADDRESS_IN_USE or ADDRESS_REFUSED.
    """

    def __init__(
        self,
        locations: Locations,
        profile: Profile,
        database: Database,
        *,
        is_full: bool,
        is_unseen: bool,
        listen: tuple[str, ...],
        entropy: Entropy,
    ) -> None:
        self.locations = locations
        self.profile = profile
        self.database = database
        self.entropy = entropy
        self.is_full = is_full
        self.links = Links()
        self.listening: list[str] = []
        self._listen = listen
        self._boot_id = BootId(entropy.bytes(16))
        self._watchers: set[asyncio.Queue[api.Event]] = set()
        self._dialling: set[IdentityKey] = set()
        self._backoff: dict[IdentityKey, tuple[float, float]] = {}  # (not before, wait after)
        self._stack = AsyncExitStack()
        self._group: asyncio.TaskGroup
        self._pumps: set[Pump] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self.uplink = Uplink(
            profile,
            database,
            boot_id=self._boot_id,
            is_unseen=is_unseen,
            hosts=self._hosts,
            on_effects=self.carry_out,
            on_state=self._on_uplink_state,
            entropy=entropy,
        )

    # --- beginning and end

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            if self.is_full:
                listeners = open_listeners(self._listen, read_last_run(self.locations).port)
                for listener in listeners:
                    server = await loop.create_server(self._accept, sock=listener)
                    stack.callback(server.close)
                self.listening = [place_of(listener) for listener in listeners]
                if not self._listen:
                    self._note_run()
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(self._cancel_tasks)
            self._spawn(self.uplink.run())
            self._spawn(self._sweep())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pump in list(self._pumps):
            pump.close(Code.SHUTTING_DOWN)
        await self._stack.aclose()

    def _cancel_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _note_run(self) -> None:
        """Note the port for the next run, so that friends who know it find us again."""
        port = int(self.listening[0].rpartition(":")[2])
        write_last_run(self.locations, LastRun(port, self.uplink.is_loopback))

    async def settle(self, timeout_s: float) -> None:
        """Wait until the tracker let us in or the first try failed."""
        await self.uplink.settle(timeout_s)

    # --- what faces use

    async def do(self, command: api.Command) -> AsyncIterator[api.Result]:
        """Carry out a command; see `peer.commands`."""
        from peer.commands import carry_out_command

        async for result in carry_out_command(self, command):
            yield result

    async def watch(self) -> AsyncIterator[api.Event]:
        """Give every event from now on."""
        queue: asyncio.Queue[api.Event] = asyncio.Queue()
        self._watchers.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._watchers.discard(queue)

    def subscribe(self) -> tuple[asyncio.Queue[api.Event], Callable[[], None]]:
        """Give a queue of events from this very moment on, and how to leave."""
        queue: asyncio.Queue[api.Event] = asyncio.Queue()
        self._watchers.add(queue)
        return queue, lambda: self._watchers.discard(queue)

    def link_status(self) -> list[api.LinkStatus]:
        """List every friend's link; one without says so."""
        listed = []
        for link in self.links.every():
            machine = link.pump.link
            trip_s = None if machine is None else machine.round_trip_s
            listed.append(
                api.LinkStatus(
                    friend=link.friend,
                    device=link.device.hex(),
                    path=link.path,
                    verified=True,
                    rtt_ms=None if trip_s is None else round(trip_s * 1000, 2),
                    since=rfc3339(link.since),
                    why_not_better=None,
                )
            )
        linked = {link.friend for link in listed}
        for friend in self.database.read(roster.list_friends, online_only=False):
            if friend.friend not in linked:
                why = "offline" if friend.presence == "offline" else "no address answered yet"
                listed.append(api.LinkStatus(friend.friend, None, "none", False, None, None, why))
        return listed

    # --- effects

    def carry_out(self, effects: list[Effect]) -> None:
        """Do what a committed transaction asked for, in order."""
        for effect in effects:
            self._carry_out_one(effect)

    def _carry_out_one(self, effect: Effect) -> None:
        match effect:
            case Tell(event=event):
                for queue in self._watchers:
                    queue.put_nowait(event)
            case SendOnLink(device=device, message=message):
                link = self.links.of_device(device)
                if link is not None:
                    link.pump.send(message)
            case PushEvents():
                for link in self.links.every():
                    self._push_on(link)
            case PushReceipt(conversation=conversation, signed=signed):
                found = self.database.read(conversations.of_id, conversation)
                for link in self.links.every():
                    if link.friend == found.friend:
                        link.pump.send(Receipt(signed))
            case WantLink(identity=identity):
                self._backoff.pop(identity, None)
                self._dial(identity)
            case CloseLinks(identity=identity, code=code):
                for link in self.links.of_identity(identity):
                    link.pump.close(code)
            case Ask():
                self.uplink.wake()
            case FriendsChanged():
                pass  # who may link is asked at every link anew

    async def write(
        self, fn: Callable[..., tuple[api.Result, list[Effect]]], *args: object, **kwargs: object
    ) -> api.Result:
        """Run a function that decides and gives effects, keep its asks, and carry them out after."""
        result, effects = await self.database.write(_with_asks, fn, args, kwargs)
        self.carry_out(effects)
        return result

    # --- links

    def _accept(self) -> Pump:
        config = LinkConfig(
            purpose=Purpose.PEER,
            static_private=self.profile.keys.link_private,
            responder=self.profile.keys.identity,
        )
        pump = Pump(lambda now: self._make(Role.RESPONDER, config, now), self._on_link_event)
        self._pumps.add(pump)
        return pump

    def _make(self, role: Role, config: LinkConfig, now: Monotonic) -> Link:
        return Link(role, config, now=now, entropy=self.entropy)

    def _hello(self, identity: bytes) -> Hello:
        known = self.database.read(roster.known_counter, identity)
        keys = self.profile.keys
        return Hello(keys.certificate, keys.device_list, known, self._boot_id)

    def _on_link_event(self, pump: Pump, event: LinkEvent) -> None:
        match event:
            case LinkIdentified(remote=remote):
                self._on_identified(pump, remote)
            case LinkOpened(remote=remote):
                self._on_opened(pump, remote)
            case MessageReceived(message=message):
                queue = pump.inbox
                if queue is not None:
                    queue.put_nowait(message)
            case LinkClosed(code=code, text=text):
                self._pumps.discard(pump)
                log.info("link %s closed: %s %s", pump.peer, code.value, text)
                if pump.inbox is not None:
                    pump.inbox.put_nowait(None)

    def _on_identified(self, pump: Pump, remote: Remote) -> None:
        link = pump.link
        if link is None or remote.certificate is None or remote.device_list is None:
            return
        identity = remote.certificate.identity
        try:
            self.database.read(contacts.may_link, identity)
            if remote.device_list.counter < self.database.read(roster.known_counter, identity):
                raise PeerError(Code.LIST_ROLLBACK)
        except (WireError, PeerError) as error:
            link.refuse(error.code, error.detail)
        else:
            link.admit(self._hello(identity))

    def _on_opened(self, pump: Pump, remote: Remote) -> None:
        machine = pump.link
        if machine is None or remote.certificate is None:
            return
        certificate = remote.certificate
        try:
            contact = self.database.read(contacts.may_link, certificate.identity)
        except WireError as error:
            pump.close(error.code)
            return
        is_ours = machine.role is Role.INITIATOR
        link = PeerLink(
            pump=pump,
            session=Session(certificate.device, certificate.identity),
            friend=contact.name,
            initiator=LinkKey(self.profile.keys.link_key) if is_ours else remote.link_key,
            since=wall(),
        )
        loser = self.links.add(link)
        if loser is not None:
            loser.pump.close(Code.LINK_REPLACED)
        if loser is not link:
            self._backoff.pop(link.identity, None)
            pump.inbox = asyncio.Queue()
            self._spawn(self._serve(link, remote, pump.inbox))

    async def _serve(
        self, link: PeerLink, remote: Remote, inbox: asyncio.Queue[Message | None]
    ) -> None:
        """Take what comes on one link, in order, until it ends."""
        self._tell_link(link, "up")
        assert isinstance(remote.hello, Hello)
        try:
            effects = await self.database.write(
                syncing.opened,
                self.profile.keys,
                link.device,
                link.identity,
                remote.hello.certificate,
                remote.hello.device_list,
            )
            self.carry_out(effects)
            while (message := await inbox.get()) is not None:
                await self._on_message(link, message)
        except (WireError, PeerError) as error:
            log.info("link with %s ends: %s", link.friend, error)
            link.pump.close(error.code, error.detail)
        finally:
            self.links.remove(link)
            self._tell_link(link, "down")

    async def _on_message(self, link: PeerLink, message: Message) -> None:
        keys = self.profile.keys
        if isinstance(message, Digests | Vector):
            self.carry_out(self.database.read(syncing.compare, link.session, message))
            self._push_on(link)
        elif isinstance(message, Events | Receipt | Devices):
            effects = await self.database.write(syncing.store, keys, link.identity, message, wall())
            if isinstance(message, Events):
                syncing.stored(link.session, message)
            self.carry_out(effects)
        await link.pump.wait_writable()

    def _push_on(self, link: PeerLink) -> None:
        """Send what the other end lacks; the rest of a long history goes piece by piece."""
        effects = self.database.read(syncing.next_batch, link.session)
        self.carry_out(effects)
        if effects and not link.is_pushing:
            link.is_pushing = True
            self._spawn(self._push_rest(link))

    async def _push_rest(self, link: PeerLink) -> None:
        try:
            while link.pump.is_open:
                await link.pump.wait_writable()
                effects = self.database.read(syncing.next_batch, link.session)
                if not effects:
                    return
                self.carry_out(effects)
                await asyncio.sleep(0)  # talk of others goes in between
        finally:
            link.is_pushing = False

    def _tell_link(self, link: PeerLink, state: str) -> None:
        body: dict[str, object] = {
            "friend": link.friend,
            "device": link.device.hex(),
            "path": link.path,
            "state": state,
        }
        self._carry_out_one(Tell(api.Event("link", body)))

    # --- dialling

    def _dial(self, identity: IdentityKey) -> None:
        if identity not in self._dialling and not self.links.of_identity(identity):
            self._dialling.add(identity)
            self._spawn(self._dial_all(identity))

    async def _dial_all(self, identity: IdentityKey) -> None:
        """Try every address of every device of a friend, with small head starts, until one stands."""
        opened = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as race:
                for target in self.database.read(roster.dial_targets, identity):
                    for place in self._places(target):
                        if opened.is_set():
                            break
                        race.create_task(self._dial_one(target, place, opened))
                        with suppress(TimeoutError):
                            async with asyncio.timeout(HEAD_START_S):
                                await opened.wait()
        finally:
            self._dialling.discard(identity)
        loop = asyncio.get_running_loop()
        _, wait_s = self._backoff.get(identity, (0.0, SWEEP_S / 2))
        wait_s = min(wait_s * 2, REDIAL_MOST_S)
        dice = int.from_bytes(self.entropy.bytes(2), "big") / 65536
        self._backoff[identity] = (loop.time() + wait_s * (0.75 + dice / 2), wait_s)

    def _places(self, target: roster.Target) -> list[tuple[str, int]]:
        if target.addresses is None:
            return []
        signing_key = SigningKey(target.signing_key)
        record = read_addresses(target.addresses, target.device, signing_key)
        return candidates(
            record, own_host=self.uplink.own_host, may_loopback=self.uplink.is_loopback
        )

    async def _dial_one(
        self, target: roster.Target, place: tuple[str, int], opened: asyncio.Event
    ) -> None:
        config = LinkConfig(
            purpose=Purpose.PEER,
            static_private=self.profile.keys.link_private,
            responder=target.identity,
            hello=self._hello(target.identity),
            expected_static=target.link_key,
            expected_identity=target.identity,
            known_counter=target.known_counter,
        )

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkOpened):
                opened.set()
            self._on_link_event(pump, event)

        pump = Pump(lambda now: self._make(Role.INITIATOR, config, now), on_event)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                await loop.create_connection(lambda: pump, *place)
        except (OSError, TimeoutError):
            return
        self._pumps.add(pump)
        async with asyncio.TaskGroup() as wait:
            lost = wait.create_task(pump.wait_lost())
            won = wait.create_task(_wait(opened))
            lost.add_done_callback(lambda _: won.cancel())
            won.add_done_callback(lambda _: lost.cancel())

    async def _sweep(self) -> None:
        """Dial again whom we want and do not have; mark what was never delivered."""
        loop = asyncio.get_running_loop()
        while True:
            self.carry_out(await self.database.write(conversations.expire, wall()))
            for target in self.database.read(roster.dial_targets):
                not_before, _ = self._backoff.get(target.identity, (0.0, 0.0))
                if loop.time() >= not_before:
                    self._dial(target.identity)
            await asyncio.sleep(SWEEP_S)

    def _hosts(self, own_host: str) -> list[tuple[str, int]]:
        """Give the addresses to publish: those listened on, and for all addresses the one in use."""
        found = []
        for place in self.listening:
            host, _, port = place.rpartition(":")
            host = host.strip("[]")
            if host in WILDCARDS:
                if (":" in own_host) is not (":" in host):
                    continue
                host = own_host
            found.append((host, int(port)))
        return found

    def _on_uplink_state(self) -> None:
        body: dict[str, object] = {
            "code": f"tracker-{self.uplink.state}",
            "message": self.uplink.why or "the tracker let us in",
        }
        self._carry_out_one(Tell(api.Event("notice", body)))


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _with_asks(
    connection: sqlite3.Connection,
    fn: Callable[..., tuple[api.Result, list[Effect]]],
    args: tuple[object, ...],
    kwargs: dict[str, object],
) -> tuple[api.Result, list[Effect]]:
    """Run a deciding function and keep what it asks the tracker in the same transaction."""
    result, effects = fn(connection, *args, **kwargs)
    asks.keep(connection, effects)
    return result, effects
