"""Links with people who are no friends yet: one may ask, or bring the answer to a question of ours, and nothing else.

Only who holds our friend code can even shake hands, as the handshake names the identity that is called; and is
let in only while this device takes requests (`friend code --lan`), or if we have asked that very identity.
From a yes on the link is one of friends, as it stands.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine
from ipaddress import ip_address
from typing import Any

from msgspec import Struct

from peer import asks
from peer.effects import Effect
from peer.errors import PeerError
from peer.links import PeerLink
from peer.people import contacts, strangers
from peer.pump import OnEvent, Pump
from peer.reach import outward
from peer.reach.candidates import chosen
from peer.reach.nearby import Place
from peer.store.database import Database
from peer.times import wall
from wire import limits
from wire.codes import Code
from wire.errors import WireError
from wire.identity import DeviceKeys, read_friend_answer
from wire.ids import DeviceId, IdentityKey, LinkKey
from wire.link import Link, LinkClosed, LinkConfig, LinkEvent, Remote, Role
from wire.machine import Entropy
from wire.messages import Message, Purpose
from wire.messages.friends import AnswerFriendship, AskFriendship
from wire.messages.session import Hello


class Caller(Struct, eq=False):
    """Somebody on an open link who is no friend."""

    pump: Pump
    remote: Remote
    inbox: asyncio.Queue[Message | None]
    has_asked: bool = False

    @property
    def identity(self) -> IdentityKey:
        """Who it is, as the link proved."""
        assert self.remote.certificate is not None
        return self.remote.certificate.identity

    @property
    def device(self) -> DeviceId:
        """With which device."""
        assert self.remote.certificate is not None
        return self.remote.certificate.device


class Doorway:
    """The door of one node.

    is_open: whether people who are no friends may ask. linked: gives the links of a friend. hello: our first record to an identity. on_event: what links
    tell their owner. add: takes note of a link under way, and says whether it may begin. adopt: makes a link one of friends. carry_out: does the
    effects of a committed transaction. spawn: makes a task that the node owns.
    """

    def __init__(
        self,
        keys: DeviceKeys,
        database: Database,
        *,
        is_open: Callable[[], bool],
        linked: Callable[[bytes], list[PeerLink]],
        hello: Callable[[IdentityKey], Hello],
        on_event: OnEvent,
        add: Callable[[Pump], bool],
        adopt: Callable[[Pump, Remote], None],
        carry_out: Callable[[list[Effect]], None],
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._database = database
        self._is_open = is_open
        self._linked = linked
        self._hello = hello
        self._on_event = on_event
        self._add = add
        self._adopt = adopt
        self._carry_out = carry_out
        self._spawn = spawn
        self._entropy = entropy
        self._callers: dict[IdentityKey, Caller] = {}
        self._calls: dict[Pump, asyncio.Future[Caller]] = {}

    def lets_in(self, pump: Pump, identity: IdentityKey) -> bool:
        """Say whether somebody whose Hello verified, and who is no friend, may say something."""
        if pump.purpose is not Purpose.PEER:
            return False
        if self._database.read(_is_asked, identity):
            return True
        return self._is_open() and len(self._callers) < limits.LAN_CALLERS and _is_local(pump.peer)

    def take(self, pump: Pump, remote: Remote) -> bool:
        """Take an open link with somebody who is no friend; False for one whom nobody called or let in."""
        if remote.certificate is None:
            return False
        call = self._calls.pop(pump, None)
        if call is None and not self.lets_in(pump, remote.certificate.identity):
            return False
        pump.inbox = asyncio.Queue()
        caller = Caller(pump, remote, pump.inbox)
        if (before := self._callers.pop(caller.identity, None)) is not None:
            before.pump.close(Code.LINK_REPLACED)
        self._callers[caller.identity] = caller
        if call is not None and not call.done():
            call.set_result(caller)
        self._spawn(self._serve(caller))
        return True

    async def call(self, identity: IdentityKey, link_key: LinkKey, place: Place) -> Caller:
        """Shake hands with who shows a link key at a place; raises PeerError if that is not who is meant."""
        config = LinkConfig(
            purpose=Purpose.PEER,
            static_private=self._keys.link_private,
            responder=identity,
            hello=self._hello(identity),
            expected_static=link_key,
            expected_identity=identity,
        )
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[Caller] = loop.create_future()
        where = f"{place[0]}:{place[1]}"

        def on_event(pump: Pump, event: LinkEvent) -> None:
            if isinstance(event, LinkClosed) and not opened.done():
                detail = f"who answers at {where} is not who is meant, or takes no requests now"
                opened.set_exception(PeerError(Code.PEER_UNREACHABLE, detail))
            self._on_event(pump, event)

        pump = Pump(
            lambda now: Link(Role.INITIATOR, config, now=now, entropy=self._entropy),
            on_event,
            may_enter=self._add,
        )
        pump.path = chosen(place).path
        self._calls[pump] = opened
        try:
            with pump.cut_unless_done():
                async with asyncio.timeout(limits.DIAL_TIMEOUT_S):
                    way = await outward.race(await outward.resolve(*place))
                    await loop.create_connection(lambda: pump, sock=way)
                    return await opened
        except (OSError, TimeoutError) as error:
            raise PeerError(Code.PEER_UNREACHABLE, f"nobody answers at {where}") from error
        finally:
            self._calls.pop(pump, None)
            opened.cancel()  # where it is not done, nobody waits for it any more

    def ask(self, caller: Caller, signed: bytes) -> None:
        """Bring a signed request; the answer comes on this link, or on a later one."""
        caller.pump.send(AskFriendship(signed))

    async def asked(self, identity: IdentityKey, message: AskFriendship) -> None:
        """Take a request that came over a link; raises WireError for one that is not theirs to make."""
        effects = await self._database.write_patiently(
            strangers.asked, self._keys, identity, message.signed, wall()
        )
        self._carry_out(effects)

    def answer(self, signed: bytes, *, is_yes: bool) -> None:
        """Give whom it is for our signed answer over the links that stand; a yes makes them links of friends."""
        identity = read_friend_answer(signed).asker
        for link in self._linked(identity):
            link.pump.send(AnswerFriendship(signed))
        caller = self._callers.pop(identity, None)
        if caller is None:
            return  # it is told on the next link
        caller.pump.send(AnswerFriendship(signed))
        caller.inbox.put_nowait(None)
        if is_yes:
            caller.pump.inbox = None
            self._adopt(caller.pump, caller.remote)
        else:
            caller.pump.close(Code.GOODBYE)

    def tell_again(self, link: PeerLink) -> None:
        """Say first on a friend's link what we answered, as long as no tracker took it: it may not have come."""
        if (told := self._database.read(asks.answer_to, link.friend)) is not None:
            link.pump.send(AnswerFriendship(told))
            link.is_answered = True

    # --- inside

    async def _serve(self, caller: Caller) -> None:
        """Take the one thing that may be said, and stay until it is answered or the time is over."""
        try:
            async with asyncio.timeout(limits.LAN_OPEN_S):
                while (message := await caller.inbox.get()) is not None:
                    if await self._heard(caller, message):
                        return
        except TimeoutError:
            caller.pump.close(Code.GOODBYE)
        except (WireError, PeerError) as error:
            caller.pump.close(error.code, error.detail[: limits.CLOSE_TEXT_CHARS])
        finally:
            if self._callers.get(caller.identity) is caller:
                del self._callers[caller.identity]

    async def _heard(self, caller: Caller, message: Message) -> bool:
        """Take what somebody says; True if the link is one of friends from now on, or none any more."""
        if isinstance(message, AskFriendship) and not caller.has_asked and self._is_open():
            caller.has_asked = True
            await self.asked(caller.identity, message)
            return False
        if isinstance(message, AnswerFriendship):
            effects = await self._database.write_patiently(
                strangers.answered, caller.identity, message.signed, wall()
            )
            self._callers.pop(caller.identity, None)
            self._carry_out(effects)
            if self._database.read(_is_friend, caller.identity):
                self._adopt(caller.pump, caller.remote)
            else:
                caller.pump.close(Code.GOODBYE)
            return True
        caller.pump.close(Code.NOT_NOW, f"{type(message).__name__} from somebody who is no friend")
        return True


def _is_asked(connection: sqlite3.Connection, identity: IdentityKey) -> bool:
    """Say whether we asked that very identity, by its friend code, and wait for the answer."""
    contact = contacts.of_identity(connection, identity)
    return contact is not None and contact.state == "asked_out" and contact.is_pinned


def _is_friend(connection: sqlite3.Connection, identity: IdentityKey) -> bool:
    contact = contacts.of_identity(connection, identity)
    return contact is not None and contact.state == "friends"


def _is_local(host: str) -> bool:
    """Say whether a connection comes from a network that is not everybody's."""
    address = ip_address(host)
    return address.is_private or address.is_link_local
