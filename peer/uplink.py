"""The link to the tracker for as long as a node runs: enter, stay, come back, and never lose an ask.

It keeps one connection open, sends what waits in the database one at a time, tells the node what the tracker
says, and dials again with jitter. Nothing else of a node depends on it: friends who are linked go on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec

from peer import asks
from peer.accounts import credentials
from peer.accounts.state_exchange import StateExchange
from peer.effects import Effect, NoteDenial
from peer.errors import PeerError
from peer.identity import Profile
from peer.mail.mail_exchange import MailExchange
from peer.people import directory, roster, standing
from peer.reach.moved import Surroundings
from peer.reach.publishing import Publishing
from peer.store import own
from peer.store.database import Database
from peer.times import wall
from peer.tracker_link import TrackerLink
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import DeviceKeys, Host
from wire.ids import AccountName, BootId, DeviceId, RequestId
from wire.machine import Entropy, UnixMillis
from wire.messages import Message, accounts, presence, reach
from wire.messages.friends import DevicesChanged, Friend, FriendAdded, FriendsPage
from wire.messages.mailbox import MailboxState
from wire.messages.session import Done

AnswerT = TypeVar("AnswerT", bound=Message)
FINAL = frozenset(
    {
        Code.DEVICE_REVOKED,
        Code.DEVICE_UNKNOWN,
        Code.ACCOUNT_DELETED,
        Code.TRACKER_KEY_MISMATCH,
        Code.TRACKER_KEY_NEEDED,
        Code.VERSION_UNSUPPORTED,
    }
)
"""What another try would not change: the state is `refused` and the reason stands in `status`."""

MEETING = (reach.RelayOffered, reach.PunchOffered, reach.PunchGo)
EARLY_MESSAGES = 4096  # words about people not known here yet; the oldest go
FLUSH_S = 4.0  # a busy machine may need some of that for one commit at the tracker


class Uplink:
    """The tracker link of one node.

    on_effects: called after each commit with what the tracker's words led to. places: gives what is
    published, empty for nothing. on_meeting: called with what is said about a device that wants to meet us. is_unseen: friends are not told that we are here.
    is_idle: says whether nobody uses this node.
    """

    def __init__(
        self,
        profile: Profile,
        database: Database,
        *,
        boot_id: BootId,
        is_unseen: bool,
        is_idle: Callable[[], bool],
        places: Callable[[], tuple[Host, ...]],
        linked: Callable[[], Collection[DeviceId]],
        on_effects: Callable[[list[Effect]], None],
        on_state: Callable[[], None],
        on_meeting: Callable[[Message], None],
        on_state_key: Callable[[bytes], Awaitable[bool]],
        entropy: Entropy,
    ) -> None:
        self._profile = profile
        self._database = database
        self._boot_id = boot_id
        self._is_unseen = is_unseen
        self._is_idle = is_idle
        self.publishing = Publishing(
            profile,
            database,
            boot_id,
            places,
            linked=linked,
            on_effects=on_effects,
            entropy=entropy,
        )
        self._on_effects = on_effects
        self._on_state = on_state
        self._on_meeting = on_meeting
        self._entropy = entropy
        self._link: TrackerLink | None = None
        self._has_asks = asyncio.Event()
        self.exchange = StateExchange(
            profile,
            database,
            on_effects=on_effects,
            on_state_key=on_state_key,
            entropy=entropy,
        )
        self.mail = MailExchange(
            profile, database, linked=linked, on_effects=self._resealed, entropy=entropy
        )
        self._early: dict[tuple[object, ...], Message] = {}
        self._has_friends = asyncio.Event()
        self._settled = asyncio.Event()
        self.state = "offline" if profile.tracker is None else "connecting"
        self.why: str | None = "this account has no tracker" if profile.tracker is None else None
        if profile.tracker is None:
            self._settled.set()  # there is nothing to wait for
        self.failure: PeerError | None = None
        self.is_loopback = False
        self.own_host = self.tracker_host = self.observed_host = ""
        self.clock_ahead_ms = 0

    # --- for the node

    async def run(self) -> None:
        """Stay connected until cancelled."""
        first, most = limits.RECONNECT_FIRST_S, limits.RECONNECT_MOST_S
        wait_s = 0.0
        while self._profile.tracker is not None:
            was_online = False
            try:
                await self._once()
            except (PeerError, WireError) as error:
                was_online = self.state == "online"
                await self._failed(error)
            finally:
                if self._link is not None:
                    link, self._link = self._link, None
                    await link.close()
            if self.state == "refused":
                return
            wait_s = 0.0 if was_online else wait_s
            dice = int.from_bytes(self._entropy.bytes(2), "big") / 65536
            wait_s = (
                first[0] + dice * (first[1] - first[0]) if wait_s == 0 else min(wait_s * 2, most)
            )
            await asyncio.sleep(wait_s * (0.75 + dice / 2))

    async def settle(self, timeout_s: float) -> None:
        """Wait until the tracker let us in and what waited there is taken, or until the first try failed."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._settled.wait()
                if self.state == "online":
                    await self.mail.has_taken.wait()
        except TimeoutError:
            return

    def _resealed(self, effects: list[Effect]) -> None:
        """Do what another key of our addresses asks for; who is not linked gets it by mail."""
        self._on_effects(effects)
        self.mail.look()

    def wake(self) -> None:
        """Take note that the database has something for the tracker."""
        self._has_asks.set()

    def cut_lost(self, surroundings: Surroundings) -> None:
        """End the link if it uses an address that this machine has no more; another one is dialled."""
        if self._link is not None and surroundings.has_lost(self._link.near):
            self._link.cut()

    async def ask(self, build: Callable[[RequestId], Message], answer: type[AnswerT]) -> AnswerT:
        """Ask at once; raises PeerError(TRACKER_UNREACHABLE) while there is no link."""
        if self._link is None or self.state != "online":
            if self.failure is not None:
                raise self.failure
            raise PeerError(Code.TRACKER_UNREACHABLE)
        return await self._link.ask(build, answer)

    async def asked_all(self) -> None:
        """Send what waits in the database now, in order; raises what the tracker refused last."""
        refused = await self._send_asks()
        if refused is not None:
            raise refused

    # --- one connection

    async def _once(self) -> None:
        tracker = self._profile.tracker
        assert tracker is not None
        link = await TrackerLink.dial(
            tracker,
            link_private=self._profile.keys.link_private,
            keys=self._profile.keys,
            boot_id=self._boot_id,
            entropy=self._entropy,
        )
        self._link = link
        shown = self._database.read(roster.to_show, wall())
        is_idle = self._is_idle()
        entered = await link.ask(
            lambda request: accounts.Enter(request, self._is_unseen, *shown, is_idle),
            accounts.Entered,
        )
        await self._take_list(link, self._profile.name, entered.device_list)
        await self._database.write_patiently(standing.admitted)
        vault_counter = entered.vault_counter
        self._on_effects(
            await self._database.write_patiently(credentials.on_entered, vault_counter)
        )
        await self.exchange.entered(link, entered.state_version)
        self.own_host, self.tracker_host = link.own_host, link.remote_host
        self.observed_host, self.clock_ahead_ms = entered.observed_host, link.clock_ahead_ms
        self.is_loopback = link.remote_host in ("127.0.0.1", "::1")
        self.state, self.why, self.failure = "online", None, None
        self._on_state()
        if self._is_idle() is not is_idle:
            await link.ask(lambda request: presence.SetIdle(request, not is_idle), Done)
        self.mail.begin()
        async with asyncio.TaskGroup() as group:
            listening = group.create_task(self._listen(link))
            others = [
                group.create_task(self._keep_sending()),
                group.create_task(self.exchange.keep(link)),
                group.create_task(self._keep_learning(link)),
                group.create_task(self.mail.keep(link)),
            ]
            if not self._is_unseen:
                others.append(group.create_task(self.publishing.keep(link)))
            listening.add_done_callback(lambda _: [task.cancel() for task in others])
        closed = link.closed
        code = Code.TRACKER_UNREACHABLE if closed is None else closed.code
        if code is Code.LINK_LOST:
            code = Code.TRACKER_UNREACHABLE
        raise PeerError(code, "the link to the tracker ended" if closed is None else closed.text)

    async def _listen(self, link: TrackerLink) -> None:
        rows: list[Friend] = []
        to_take = -1  # until all that waited for us there is taken; below 0: that is not known
        while (message := await link.next_pushed()) is not None:
            to_take -= 1
            if isinstance(message, FriendsPage):
                rows += message.friends
                if len(rows) > limits.FRIENDS:
                    link.refuse(Code.TOO_MANY_PAGES, "a friend list without an end")
                elif message.is_last:
                    self._on_effects(
                        await self._database.write_patiently(roster.on_friends, rows, wall())
                    )
                    rows = []
                    self._has_asks.set()
                    self._has_friends.set()
                    to_take = await self._said_so_far(link)
            elif isinstance(message, accounts.StateChanged):
                with suppress(PeerError):  # the link ended: what comes next says so
                    await self.exchange.changed(link)
                early, self._early = self._early, {}
                for waiting in early.values():
                    await self._take(waiting)
                self._has_friends.set()
            elif isinstance(message, MailboxState):
                self.mail.told(message)
            elif isinstance(message, MEETING):
                self._on_meeting(message)
            elif isinstance(message, accounts.DeviceAdded):
                await self._take_list(link, self._profile.name, message.device_list)
            elif isinstance(message, DevicesChanged):
                await self._take_list(link, message.name, message.device_list)
            else:
                await self._take(message)
            if to_take == 0:
                self._settled.set()

    async def _take_list(self, link: TrackerLink, name: AccountName, signed: bytes) -> None:
        """Take a device list that the tracker shows, a friend's or ours, with the names of who is new on it.

        Where it names another state key, that is taken as well.
        """
        self._on_effects(await directory.take_list(link, self._database, name, signed))
        if name == self._profile.name and not self.exchange.is_current():
            with suppress(PeerError):  # the link ended: the next one begins with it
                await self.exchange.changed(link)

    async def _said_so_far(self, link: TrackerLink) -> int:
        """Give how many words of the tracker wait here to be taken, now that nothing older is on its way.

        Requests and answers that waited for this account follow the friend list: once the answer to
        something asked after it is here, they are here, too.
        """
        name = self._profile.name
        with suppress(PeerError):  # the link ended, and that is settled as well
            await link.ask(lambda request: reach.AskDirectory(request, name), reach.Directory)
        return link.pushed

    async def _take(self, message: Message) -> None:
        """Take one thing the tracker said; what is about somebody not known yet is kept for then.

        Another device of this account may have made the friend just now: the account state that says so
        comes later than the tracker's word.
        """
        if self._database.read(roster.is_early, message):
            key = (type(message), getattr(message, "name", None), getattr(message, "device", None))
            if isinstance(message, FriendAdded):
                key = (type(message), message.friend.name, None)
            self._early.pop(key, None)
            self._early[key] = message
            if len(self._early) > EARLY_MESSAGES:
                self._early.pop(next(iter(self._early)))
            return
        try:
            effects = await self._database.write_patiently(
                _on_tracker, self._profile.keys, message, wall()
            )
        except WireError as error:  # forged or damaged on the way: nothing was stored
            effects = [NoteDenial("the tracker", type(message).__name__, error.code)]
        self._on_effects(effects)

    async def _keep_learning(self, link: TrackerLink) -> None:
        """Learn the devices of friends whom another device of this account made."""
        with suppress(PeerError):
            while True:
                await self._has_friends.wait()
                self._has_friends.clear()
                self._on_effects(await directory.learn(link, self._database))

    async def flush(self) -> None:
        """Put what changed here and was not pressing, before a clean stop; not being able to is no harm."""
        link = self._link
        if link is None or self.state != "online":
            return
        with suppress(PeerError, TimeoutError):
            async with asyncio.timeout(FLUSH_S):
                await self.exchange.put(link)
                await self.mail.run(link)

    async def _keep_sending(self) -> None:
        with suppress(PeerError):
            while True:
                await self._has_asks.wait()
                self._has_asks.clear()
                await self._send_asks()

    async def _send_asks(self) -> PeerError | None:
        """Send every ask that waits; gives the last refusal. Raises PeerError if the link is gone."""
        refused = None
        for waiting in self._database.read(asks.waiting):
            link = self._link
            if link is None:
                raise PeerError(Code.TRACKER_UNREACHABLE)
            message = waiting.message
            try:
                await link.ask(partial(_numbered, message), Done)
            except PeerError as error:
                if link.closed is not None or error.code is Code.TRACKER_UNREACHABLE:
                    raise
                if await self._database.write_patiently(asks.refused, waiting, error.code):
                    refused = error
            else:
                await self._database.write_patiently(asks.done, waiting)
        return refused

    async def _failed(self, error: PeerError | WireError) -> None:
        failure = error if isinstance(error, PeerError) else PeerError(error.code, error.detail)
        self.failure = failure
        self.state = "refused" if failure.code in FINAL else "connecting"
        self.why = failure.message
        self._settled.set()
        if failure.code is Code.ACCOUNT_DELETED:
            await self._database.write_patiently(own.set_deleted, wall())
        if failure.code is Code.DEVICE_REVOKED:
            self._on_effects(await self._database.write_patiently(standing.refused))
        await self._database.write_patiently(roster.tracker_lost)
        self._on_state()

    async def tell(self, build: Callable[[RequestId], Message]) -> None:
        """Tell the tracker something that is said anew at each entering; nothing while there is no link."""
        if self.state == "online":
            await self.ask(build, Done)


def _on_tracker(
    connection: sqlite3.Connection, keys: DeviceKeys, message: Message, now: UnixMillis
) -> list[Effect]:
    """Take what the tracker says, and keep in the same transaction what it has to be told for it."""
    effects = roster.on_tracker(connection, keys, message, now)
    asks.keep(connection, effects)
    return effects


def _numbered(message: Message, request: RequestId) -> Message:
    return msgspec.structs.replace(message, request=request)
