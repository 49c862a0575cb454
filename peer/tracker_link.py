"""One connection to a tracker: dialled, proven, and asked; what it says unasked goes into a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from peer.errors import PeerError
from peer.pump import Pump
from peer.reach import outward
from peer.refusals import Refusals
from peer.times import wall
from wire import frames, limits
from wire.address import TrackerAddress, key_text
from wire.codes import Code
from wire.dialogue import Answered, Asker, Denied, Pushed
from wire.identity import DeviceKeys
from wire.ids import BootId, LinkKey, RequestId
from wire.link import (
    Ending,
    Link,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkOpened,
    MessageReceived,
    Role,
)
from wire.machine import Entropy, Monotonic
from wire.messages import Message, Purpose
from wire.messages.friends import FriendsPage
from wire.messages.session import Hello, HelloAnonymous, HelloTracker

AnswerT = TypeVar("AnswerT", bound=Message)
DIAL_TIMEOUT_S = 10.0
LOST = Code.TRACKER_UNREACHABLE


class TrackerLink:
    """A link to a tracker, open from `dial` on.

    `next_pushed` gives what comes unasked, in order, and None once the link has ended.
    """

    def __init__(self, make_link: Callable[[Monotonic], Link]) -> None:
        self._pump = Pump(make_link, self._on_event)
        self._pushed: asyncio.Queue[Message | None] = asyncio.Queue()
        self._untaken = 0  # words in it, a page of friends counts as many as it names
        self._refusals = Refusals(asyncio.get_running_loop().time)
        self.closed: LinkClosed | None = None
        self.own_host = ""
        self.remote_host = ""
        self.clock_ahead_ms = 0  # our wall clock before the tracker's
        self._asker = Asker()
        self._waiting: dict[RequestId, asyncio.Future[Message]] = {}
        self._opened: asyncio.Future[LinkOpened] = asyncio.get_running_loop().create_future()
        self.handshake_hash = b""

    @classmethod
    async def dial(
        cls,
        address: TrackerAddress,
        *,
        link_private: bytes,
        keys: DeviceKeys | None,
        boot_id: BootId,
        entropy: Entropy,
    ) -> TrackerLink:
        """Connect and prove each other.

        link_private: 32 bytes, the device's. keys: of a known device; None says HelloAnonymous. Raises
        PeerError with TRACKER_KEY_NEEDED, TRACKER_KEY_MISMATCH, TRACKER_UNREACHABLE or what the tracker
        closed the link with.
        """
        if address.key is None:
            found = await ask_key(address)
            raise PeerError(
                Code.TRACKER_KEY_NEEDED,
                f"the tracker at {address.host}:{address.port} says its key is {key_text(found)}",
                remedy=f"if that is right, use {TrackerAddress(address.host, address.port, found)}",
            )
        tracker_key = address.key
        hello = (
            HelloAnonymous()
            if keys is None
            else Hello(keys.certificate, keys.device_list, 0, boot_id)
        )
        config = LinkConfig(
            purpose=Purpose.TRACKER,
            static_private=link_private,
            responder=tracker_key,
            hello=hello,
            expected_static=tracker_key,
        )

        self = cls(lambda now: Link(Role.INITIATOR, config, now=now, entropy=entropy))
        loop = asyncio.get_running_loop()
        try:
            with self._pump.cut_unless_done():
                async with asyncio.timeout(DIAL_TIMEOUT_S):
                    way = await outward.connect(address.host, address.port)
                    transport, _ = await loop.create_connection(lambda: self._pump, sock=way)
                    opened = await self._opened
        except (OSError, TimeoutError) as error:
            where = f"{address.host}:{address.port}"
            detail = f"the tracker at {where} cannot be reached ({outward.why(error)})"
            raise PeerError(LOST, detail) from error
        except PeerError as error:
            if error.code is Code.HANDSHAKE_FAILED:
                raise await _explain(address, tracker_key) from error
            raise
        finally:
            self._opened.cancel()  # where it is not done, nobody waits for it any more
        self.handshake_hash = opened.handshake_hash
        if isinstance(opened.remote.hello, HelloTracker):
            self.clock_ahead_ms = wall() - opened.remote.hello.now
        if not outward.is_proxied():  # else they say where the proxy is, and nothing of us
            self.own_host = str(transport.get_extra_info("sockname")[0])
            self.remote_host = str(transport.get_extra_info("peername")[0])
        return self

    @property
    def near(self) -> tuple[object, ...] | None:
        """Our end of the connection, as `getsockname` gives it."""
        return self._pump.near

    def cut(self) -> None:
        """End it without a word: nobody is there to hear it."""
        self._pump.cut()

    async def ask(self, build: Callable[[RequestId], Message], answer: type[AnswerT]) -> AnswerT:
        """Ask one thing; raises PeerError with the tracker's code, or TRACKER_UNREACHABLE if it goes."""
        if self.closed is not None:
            raise PeerError(LOST, "the link to the tracker ended")
        loop = asyncio.get_running_loop()
        request, message = self._asker.ask(build, now=Monotonic(loop.time()))
        future: asyncio.Future[Message] = loop.create_future()
        self._waiting[request] = future
        self._pump.send(message)
        try:
            async with asyncio.timeout(limits.REQUEST_TIMEOUT_S):
                came = await future
        except TimeoutError as error:
            raise PeerError(LOST, "the tracker did not answer in time") from error
        finally:
            self._waiting.pop(request, None)
        if not isinstance(came, answer):
            raise PeerError(Code.INTERNAL, f"the tracker answered with {type(came).__name__}")
        return came

    async def next_pushed(self) -> Message | None:
        """Wait for the next thing the tracker says unasked; None once the link has ended."""
        message = await self._pushed.get()
        self._untaken -= _words(message)
        return message

    @property
    def pushed(self) -> int:
        """How many messages wait to be taken."""
        return self._pushed.qsize()

    def refuse(self, code: Code, text: str) -> None:
        """End the link for a fault of the tracker's."""
        self._pump.close(code, text)

    async def close(self, code: Code = Code.GOODBYE) -> None:
        """End the link and wait until the connection is gone."""
        self._pump.close(code)
        try:
            async with asyncio.timeout(2):
                await self._pump.wait_lost()
        except TimeoutError:
            self._pump.abort(code)

    @property
    def round_trip_s(self) -> float | None:
        """The last measured round trip in seconds."""
        return None if self._pump.link is None else self._pump.link.round_trip_s

    def _on_event(self, pump: Pump, event: LinkEvent) -> None:
        match event:
            case LinkOpened():
                if not self._opened.done():
                    self._opened.set_result(event)
            case MessageReceived(message=message):
                self._on_message(message)
            case LinkClosed():
                self._refusals.closed(f"the tracker at {pump.who}", event)
                self._on_closed(event)

    def _on_message(self, message: Message) -> None:
        match self._asker.on_message(message):
            case Pushed(message=pushed):
                self._untaken += _words(pushed)
                self._pushed.put_nowait(pushed)
                if self._untaken > limits.UNTAKEN_WORDS:
                    self.refuse(Code.FLOOD, "more came unasked than there can be to say")
            case Answered(request=request, answer=answer):
                future = self._waiting.get(request)
                if future is not None and not future.done():
                    future.set_result(answer)
            case Denied(request=request, code=code, text=text, retry_after_s=wait_s):
                future = self._waiting.get(request)
                if future is not None and not future.done():
                    again = f"; try again in {wait_s} s" if wait_s else ""
                    future.set_exception(PeerError(code, f"{text or code.what}{again}"))

    def _on_closed(self, event: LinkClosed) -> None:
        self.closed = event
        code = LOST if event.by is Ending.LOST else event.code
        error = PeerError(
            code, event.text or ("the tracker closed the connection" if code is LOST else "")
        )
        if not self._opened.done():
            self._opened.set_exception(error)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(error)
        self._pushed.put_nowait(None)


def _words(message: Message | None) -> int:
    return max(1, len(message.friends)) if isinstance(message, FriendsPage) else 1


async def ask_key(address: TrackerAddress) -> LinkKey:
    """Ask a tracker in clear for its link key: a person has to confirm it by another way."""
    try:
        async with asyncio.timeout(DIAL_TIMEOUT_S):
            way = await outward.connect(address.host, address.port)
            reader, writer = await asyncio.open_connection(sock=way)
            try:
                writer.write(frames.preamble(Purpose.KEY))
                return LinkKey(await reader.readexactly(32))
            finally:
                writer.close()
    except (OSError, TimeoutError, EOFError) as error:
        where = f"{address.host}:{address.port}"
        detail = f"the tracker at {where} does not tell its key ({outward.why(error)})"
        raise PeerError(LOST, detail) from error


async def _explain(address: TrackerAddress, expected: LinkKey) -> PeerError:
    """Say why a tracker's handshake failed: another key, or something else."""
    found = await ask_key(address)
    if found != expected:
        return PeerError(
            Code.TRACKER_KEY_MISMATCH, f"expected {key_text(expected)}, got {key_text(found)}"
        )
    return PeerError(Code.HANDSHAKE_FAILED)
