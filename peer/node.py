"""A running node: composes the parts, owns the tasks, and carries out effects after their commits.

What happens elsewhere: everything about links with friends (`linking`), the tracker (`uplink`), what a
command means (`commands`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from functools import partial
from types import TracebackType
from typing import Any, Self

from peer import api, deciding
from peer.accounts.keyholder import KeyHolder
from peer.audience import Audience
from peer.config import read_last_run
from peer.effects import (
    ApplyPolicy,
    Ask,
    CloseLinks,
    Effect,
    FriendsChanged,
    GiveStateKey,
    NoteDenial,
    NoteTyping,
    OfferAgain,
    PushEvents,
    SendOnLink,
    TakenOff,
    TakeStateKey,
    Tell,
    WakeTransfers,
    WantLink,
)
from peer.errors import PeerError
from peer.hooks import Hooks
from peer.identity import Profile
from peer.linking import Linking
from peer.links import PeerLink
from peer.listener import open_listeners, place_of
from peer.locations import Locations
from peer.people import idling, ownlist
from peer.people.idling import Idleness
from peer.reach.neighbourhood import Neighbourhood
from peer.reach.whereabouts import Whereabouts
from peer.settings import hooked, preferences
from peer.store import own
from peer.store.database import Database
from peer.sweep import sweep
from peer.talk.typing_notices import TypingNotices
from peer.talk.voice import Voice
from peer.times import wall
from peer.transfers import policy, verdicts
from peer.transfers.datalinks import TransferLinks
from peer.transfers.ledger import Live
from peer.transfers.shelf import Shelf
from peer.uplink import AnswerT, Uplink
from wire.codes import Code
from wire.ids import BootId, DeviceId, RequestId
from wire.machine import Entropy
from wire.messages import Message
from wire.messages.accounts import StateKey
from wire.messages.friends import AnswerFriend
from wire.messages.presence import SetIdle


class Node:
    """One home's node, from entering the context to leaving it.

    stays: it is no verb's node, and gives way to nobody. is_full: listens, dials and stays; else it only dials. is_unseen: friends are not told. listen: HOST:PORT
    each, empty for the default. is_lan: whether friends are looked for on the local network; None: as it is set. Entering raises PeerError with ADDRESS_IN_USE or ADDRESS_REFUSED.
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
        stays: bool = False,
        is_lan: bool | None = None,
    ) -> None:
        self.stays = stays
        database.on_refused = self.on_refused
        self.typing = TypingNotices(
            lambda event: self.carry_out([Tell(event)]), asyncio.get_running_loop().time
        )
        self.gives_way = asyncio.Event()  # another node is to take over
        self.locations = locations
        self.keyholder = KeyHolder(
            locations, profile, database, on_refused=self.on_refused, entropy=entropy
        )
        self.database = database
        self.entropy = entropy
        self.is_full = is_full
        self._listen = listen
        self._boot_id = BootId(entropy.bytes(16))
        self.audience = Audience()
        self.voice = Voice(database, self.keyholder, self.carry_out, self.audience, entropy)
        self.hooks = Hooks(partial(hooked.command, database), self._spawn)
        self._stack = AsyncExitStack()
        self._servers: list[asyncio.Server] = []
        self._is_leaving = False
        self._group: asyncio.TaskGroup
        self._tasks: set[asyncio.Task[None]] = set()
        self.leaving = asyncio.Event()  # this device signed off: the node has no more business
        self.is_to_be_wiped = False
        self.where = Whereabouts(
            locations,
            entropy,
            may_map=lambda: database.read(preferences.held, "port-mapping") == preferences.ON,
            on_change=self._moved,
        )
        self.lists = ownlist.ListWatch(
            database, refresh=self.refresh_own_list, write=self._write_and_do, spawn=self._spawn
        )
        self.near = Neighbourhood(
            profile, database, self.where, is_full=is_full, is_wanted=is_lan, entropy=entropy
        )
        self.linking = Linking(
            profile,
            database,
            boot_id=self._boot_id,
            vicinity=self.where.vicinity,
            spawn=self._spawn,
            carry_out=self.carry_out,
            own_addresses=lambda: self.uplink.publishing.signed or self.near.addresses,
            ask_relay=self._ask_tracker,
            ask_punch=self._ask_tracker,
            lists=self.lists,
            came_by=self.where.came_by,
            lan=self.near.lan,
            entropy=entropy,
        )
        self.near.begin(self._boot_id, self._spawn, self.linking.dialer.want_near)
        self.idleness = Idleness(
            partial(database.read, idling.patience_s),
            lambda is_idle: self.uplink.tell(lambda request: SetIdle(request, is_idle)),
            asyncio.get_running_loop().time,
        )
        self.uplink = Uplink(
            profile,
            database,
            boot_id=self._boot_id,
            is_unseen=is_unseen,
            is_idle=lambda: self.idleness.is_idle,
            places=self.where.places,
            linked=self.linking.devices,
            on_effects=self.carry_out,
            on_state=self._on_uplink_state,
            on_meeting=self.linking.meeting.heard,
            on_state_key=self.keyholder.take_state_key,
            entropy=entropy,
        )

    @property
    def listening(self) -> list[str]:
        """HOST:PORT of each listener, none of a node that takes no connections."""
        return self.where.listening

    # --- beginning and end

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            if self.is_full:
                listeners = open_listeners(self._listen, read_last_run(self.locations).port)
                for listener in listeners:
                    server = await loop.create_server(self.linking.reception.accept, sock=listener)
                    stack.callback(server.close)
                    self._servers.append(server)
                self.where.listening = [place_of(listener) for listener in listeners]
                self.where.note_run()
            stack.push_async_callback(self.linking.end)
            self._group = await stack.enter_async_context(asyncio.TaskGroup())
            stack.callback(self._cancel_tasks)
            if self.is_full:
                await self._start_transfers()
                self._spawn(self.where.keep_mapped())
                self._spawn(self.where.watch())
                self.audience.listen(
                    Hooks(partial(hooked.command, self.database), self._spawn).hear
                )
                self._spawn(self.idleness.watch())
            self._spawn(self.uplink.run())
            self._spawn(self.near.lan.run())
            self._spawn(self.linking.own_state.keep())
            sweeping = partial(sweep, self.database, self.profile.keys, self.linking, self.uplink)
            self._spawn(sweeping(carry_out=self.carry_out, entropy=self.entropy))
            if self.database.read(verdicts.is_due):  # the last node was ended in between
                self._spawn(self._apply_policy())
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for server in self._servers:
            server.close()
        try:
            await self.linking.leave()
            await self.uplink.flush()
        finally:  # being cancelled included: nothing of a node outlives it
            self._is_leaving = True
            await self._stack.aclose()
        await self.where.take_back()

    async def _start_transfers(self) -> None:
        """Let files move; a brief node leaves them to the next that stays."""
        data_links = TransferLinks(
            self.database,
            self.profile.keys,
            Shelf(self.locations.offers, self.locations.stdin),
            self.linking,
            spawn=self._spawn,
            carry_out=self.carry_out,
            entropy=self.entropy,
        )
        await data_links.prepare()
        self.linking.take_files(data_links)
        self._spawn(data_links.run())

    def live(self) -> dict[int, Live]:
        """Give what is known of transfers that run, by row, better than the database knows it."""
        return {} if self.linking.data_links is None else self.linking.data_links.live()

    def _cancel_tasks(self) -> None:
        for task in list(self._tasks):
            task.cancel()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_leaving:  # whoever leaves waits for its tasks: no further ones
            work.close()
            return
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, timeout_s: float) -> None:
        """Wait until the tracker let us in or the first try failed."""
        await self.uplink.settle(timeout_s)

    # --- what faces use

    @property
    def profile(self) -> Profile:
        """Give who this device is, with the keys as they are now."""
        return self.keyholder.profile

    def give_way(self, command: api.GiveWay) -> None:
        """Note that another node is to take over; raises PeerError(ALREADY_RUNNING) if this one goes on."""
        if self.stays or (self.is_full and not command.stays):
            raise PeerError(Code.ALREADY_RUNNING, f"a node is running here (pid {os.getpid()})")
        self.gives_way.set()

    def when_leaving(self, then: Callable[[], None]) -> None:
        """Have `then` called once this node has no more business."""
        self._spawn(self._until_leaving(then))

    async def _until_leaving(self, then: Callable[[], None]) -> None:
        await self.leaving.wait()
        then()

    # --- effects

    def carry_out(self, effects: list[Effect], link: PeerLink | None = None) -> None:
        """Do what a committed transaction asked for, in order; link: where it came from, if from one.

        The faces hear of it last, after what is pushed in the loop's next round: who prints keeps nobody waiting.
        """
        for effect in effects:
            if not isinstance(effect, Tell):
                self._carry_out_one(effect, link)
        is_pushed = any(isinstance(effect, PushEvents) for effect in effects)
        for effect in effects:
            if isinstance(effect, Tell):
                if is_pushed:
                    self.audience.tell_next(effect.told)
                else:
                    self.audience.tell(effect.event)

    def _carry_out_one(self, effect: Effect, link: PeerLink | None) -> None:
        match effect:
            case SendOnLink(device=device, message=message):
                if link is not None and link.device == device:
                    link.pump.send(message)
                else:
                    self.linking.send(device, message)
            case PushEvents():
                self.linking.push(effect)
            case WantLink(identity=identity):
                self.linking.want(identity)
                self.uplink.mail.press(identity)
            case CloseLinks(identity=identity, code=code, device=of_device):
                self.linking.close(identity, code, of_device)
                if self.linking.data_links is not None:
                    self.linking.data_links.close_identity(identity, of_device)
            case GiveStateKey(device=device):
                self.give_state_key(device)
            case TakeStateKey(state_key=state_key):
                self._spawn(self.uplink.exchange.offered(state_key))
            case TakenOff():
                self._spawn(self.linking.leave())
            case NoteTyping():
                self.typing.heard(effect)
            case WakeTransfers(offer=offer):
                if self.linking.data_links is not None:
                    self.linking.data_links.wake(offer)
            case ApplyPolicy():
                self._spawn(self._apply_policy())
            case OfferAgain(identity=identity):
                self.linking.offer_again(identity)
            case Ask(message=message):
                self.uplink.wake()
                if isinstance(message, AnswerFriend):
                    self.linking.doorway.answer(message.signed, is_yes=message.is_yes)
            case FriendsChanged():
                self.uplink.exchange.press()
                self.linking.own_state.press()
            case NoteDenial(who=who, what=what, code=code):
                self.linking.refusals.denied(who, what, code)

    async def write(
        self,
        request_id: str,
        fn: Callable[..., tuple[api.Result, list[Effect]]],
        *args: object,
        is_aside: bool = False,
        **kwargs: object,
    ) -> api.Result:
        """Run a function that decides and gives effects, keep its asks, and carry them out after.

        request_id: of the command, or empty; what was done under it before is given again, not done. is_aside: in the
        writer's thread, since the loop has something to do meanwhile that must not wait for the disk.
        """
        write = self.database.write if is_aside else self.database.write_here
        result, effects = await write(deciding.once, request_id, fn, args, kwargs)
        self.carry_out(effects)
        return result

    async def _write_and_do(self, fn: Callable[[sqlite3.Connection], list[Effect]]) -> None:
        """Run a function in a transaction of its own, and carry out what it gives."""
        self.carry_out(await self.database.write_patiently(fn))

    async def refresh_own_list(self) -> None:
        """Take our device list as the tracker has it now, if it is newer; raises PeerError, WireError."""
        self.carry_out(await ownlist.newer(self.uplink, self.database, self.profile.name))

    def give_state_key(self, device: DeviceId) -> None:
        """Give another device of the account the state key, if it is the one that the device list names."""
        stands = self.database.read(own.own_list).standing
        if device in stands and self.uplink.exchange.is_current():
            self.linking.send(device, StateKey(self.profile.state_key))

    async def _apply_policy(self) -> None:
        """Take and refuse what the accept policy says, nobody being asked."""
        self.carry_out(
            await policy.apply_now(
                self.database, self.locations, self.profile.keys, wall(), self.entropy
            )
        )

    async def _ask_tracker(
        self, build: Callable[[RequestId], Message], answer: type[AnswerT]
    ) -> AnswerT:
        return await self.uplink.ask(build, answer)

    def on_refused(self, error: PeerError) -> None:
        """Tell the faces that the disk takes nothing; what waits for it is tried again."""
        body: dict[str, object] = {"code": error.code.value, "message": error.message}
        self.carry_out([Tell(api.Event("notice", body))])

    def _moved(self) -> None:
        self.uplink.publishing.look()

    def _on_uplink_state(self) -> None:
        """Take note of where we are, and tell the faces."""
        if self.uplink.state == "online":
            self.where.came_online(self.uplink)
        body: dict[str, object] = {
            "code": f"tracker-{self.uplink.state}",
            "message": self.uplink.why or "the tracker let us in",
        }
        self.carry_out([Tell(api.Event("notice", body))])
