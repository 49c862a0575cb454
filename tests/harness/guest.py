"""A peer as a tracker sees it: a link and an asker over a real socket, nothing else of a peer.

Every wait has a bound, so that a tracker that stays silent fails a test instead of hanging it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self, TypeVar

from tests.harness.people import Person
from tracker.effects import Channel
from wire.address import TrackerAddress
from wire.codes import Code
from wire.dialogue import Answered, Asker, Denied, Pushed
from wire.entropy import SystemEntropy
from wire.errors import WireError
from wire.ids import BootId, LinkKey, RequestId
from wire.link import (
    Link,
    LinkClosed,
    LinkConfig,
    LinkOpened,
    MessageReceived,
    Role,
)
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.accounts import Enter, Entered
from wire.messages.friends import (
    FriendAdded,
    FriendAnswered,
    FriendAsked,
    FriendsPage,
    TakeAnswer,
)
from wire.messages.mailbox import MailboxState
from wire.messages.presence import Show
from wire.messages.session import Hello, HelloAnonymous

PATIENCE_S = 90.0

MessageT = TypeVar("MessageT", bound=Message)


class Closed(Exception):
    """The link ended while something was awaited."""

    def __init__(self, closed: LinkClosed) -> None:
        super().__init__(closed)
        self.code = closed.code
        self.text = closed.text
        self.by = closed.by


class Guest:
    """One link of somebody to a tracker; an async context that closes the socket."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        link: Link,
        tracker_key: LinkKey,
    ) -> None:
        self.reader, self.writer, self.link = reader, writer, link
        self.tracker_key = tracker_key
        self.asker = Asker()
        self.pushed: list[Message] = []
        self.opened: LinkOpened | None = None
        self._closed: LinkClosed | None = None
        self._answers: dict[RequestId, Answered | Denied] = {}

    @classmethod
    async def dial(
        cls, address: str, who: Person, *, is_anonymous: bool = False, until_open: bool = True
    ) -> Self:
        """Connect and shake hands; raises Closed if the tracker refuses."""
        place = TrackerAddress.parse(address)
        assert place.key is not None
        hello: Hello | HelloAnonymous = HelloAnonymous()
        if not is_anonymous:
            hello = Hello(who.keys.certificate, who.keys.device_list, 0, BootId(b"b" * 16))
        config = LinkConfig(
            purpose=Purpose.TRACKER,
            static_private=who.keys.link_private,
            responder=place.key,
            hello=hello,
            expected_static=place.key,
        )
        link = Link(Role.INITIATOR, config, now=_now(), entropy=SystemEntropy())
        reader, writer = await asyncio.open_connection(place.host, place.port)
        guest = cls(reader, writer, link, place.key)
        if until_open:
            try:
                await guest.until(lambda: guest.opened is not None)
            except BaseException:
                await guest.hang_up()
                raise
        return guest

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.hang_up()

    async def hang_up(self) -> None:
        """Close the socket."""
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return

    @property
    def channel(self) -> Channel:
        """What signatures of this link are bound to."""
        return Channel(self.tracker_key, LinkKey(b""), self.link.handshake_hash)

    async def until(self, is_enough: Callable[[], object]) -> None:
        """Read until something is there; raises Closed if the link ends before."""
        async with asyncio.timeout(PATIENCE_S):
            self._sort()
            await self._flush()
            while not is_enough():
                if self._closed is not None:
                    raise Closed(self._closed)
                data = await self._read()
                if data:
                    self.link.receive_data(data, now=_now())
                else:
                    self.link.receive_eof(now=_now())
                self._sort()
                await self._flush()

    async def _read(self) -> bytes:
        try:
            return await self.reader.read(65536)
        except OSError:
            return b""

    async def _flush(self) -> None:
        if data := self.link.data_to_send():
            self.writer.write(data)
            try:
                await self.writer.drain()
            except OSError:
                return

    def _sort(self) -> None:
        for event in self.link.events():
            match event:
                case LinkOpened():
                    self.opened = event
                case MessageReceived():
                    what = self.asker.on_message(event.message)
                    if isinstance(what, Pushed):
                        self.pushed.append(what.message)
                    elif isinstance(what, Answered | Denied):
                        self._answers[what.request] = what
                case LinkClosed():
                    self._closed = event
                case _:
                    raise AssertionError(event)

    def post(self, build: Callable[[RequestId], Message]) -> RequestId:
        """Send a request and do not wait for its answer; it leaves with the next wait."""
        request, message = self.asker.ask(build, now=_now())
        self.link.send(message, now=_now())
        return request

    async def answer_to(self, request: RequestId) -> Message:
        """Wait for the answer to a request; raises WireError with the code of a refusal."""
        await self.until(lambda: request in self._answers)
        match self._answers.pop(request):
            case Denied(_, code, text, retry_after_s):
                error = WireError(code, text)
                error.add_note(str(retry_after_s))
                raise error
            case Answered(_, answer):
                return answer
        raise AssertionError

    async def ask(self, build: Callable[[RequestId], Message]) -> Message:
        """Send a request and wait for its answer; raises WireError with the code of a refusal."""
        return await self.answer_to(self.post(build))

    async def hears(
        self, kind: type[MessageT], where: Callable[[MessageT], bool] = lambda _: True
    ) -> MessageT:
        """Wait for something unasked and take it from what was heard."""

        def find() -> MessageT | None:
            return next((m for m in self.pushed if isinstance(m, kind) and where(m)), None)

        await self.until(lambda: find() is not None)
        found = find()
        assert found is not None
        self.pushed.remove(found)
        return found

    async def register(self, who: Person) -> Message:
        """Make an account on this anonymous link."""
        return await self.ask(lambda request: who.register(self.channel, request=request))

    async def enter(
        self, *, is_unseen: bool = False, show: Show = Show.AVAILABLE, text: str = ""
    ) -> Inside:
        """Begin the session of a known device and read all pages of friends."""
        entered = await self.ask(lambda request: Enter(request, is_unseen, show, text))
        assert isinstance(entered, Entered)
        pages: list[FriendsPage] = []
        while not pages or not pages[-1].is_last:
            pages.append(await self.hears(FriendsPage))
        await self.hears(MailboxState)
        return Inside(entered, pages)


@dataclass(frozen=True)
class Inside:
    """What Enter was answered by."""

    entered: Entered
    pages: list[FriendsPage]

    @property
    def friends(self) -> dict[str, Show]:
        """Who is a friend, and what they show."""
        return {friend.name: friend.show for page in self.pages for friend in page.friends}


def _now() -> Monotonic:
    return Monotonic(asyncio.get_running_loop().time())


async def register(address: str, who: Person) -> None:
    """Make an account and hang up."""
    async with await Guest.dial(address, who, is_anonymous=True) as guest:
        await guest.register(who)


async def come(
    address: str, who: Person, *, show: Show = Show.AVAILABLE, is_unseen: bool = False
) -> Guest:
    """Dial as a known device and enter."""
    guest = await Guest.dial(address, who)
    try:
        await guest.enter(show=show, is_unseen=is_unseen)
    except BaseException:
        await guest.hang_up()
        raise
    return guest


async def refusal(asking: Awaitable[object]) -> Code:
    """Ask what has to be refused; gives the code."""
    try:
        answer = await asking
    except WireError as error:
        return error.code
    raise AssertionError(f"it was not refused: {answer}")


async def befriend(a: Guest, alice: Person, b: Guest, bob: Person) -> None:
    """Make two friends who are both here, as people do; takes what they hear about it."""
    await a.ask(lambda request: alice.ask(bob, request=request))
    asked = await b.hears(FriendAsked)
    await b.ask(lambda request: bob.answer(alice, asked.signed, request=request))
    await a.hears(FriendAnswered)
    await a.ask(lambda request: TakeAnswer(request, bob.name))
    await a.hears(FriendAdded)
    await b.hears(FriendAdded)


def asking(kind: Callable[..., Message], *fields: object) -> Callable[[RequestId], Message]:
    """Give what makes a request with these fields, once its id is known."""
    return lambda request: kind(request, *fields)
