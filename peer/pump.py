"""The shell that marries a link to a socket: bytes in and out, one timer, events to a callback.

What lives here: everything a link needs of asyncio. What does not: what its events mean.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from msgspec import Struct

from peer.reach.moved import Place
from peer.reach.paths import DIRECT
from wire import limits
from wire.channel.records import Opener, Sealer
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.frames import read_preamble
from wire.link import Link, LinkClosed, LinkEvent, LinkState
from wire.machine import Monotonic
from wire.messages import Message, Purpose

LINGER_S = 5.0
"""How long the last words may take to leave; a reader that does not read is cut off then."""

OnEvent = Callable[["Pump", LinkEvent], None]


class TakenOver(Struct, frozen=True):
    """A data link without its pump: a socket of our own, its records, and bytes not yet sent or opened."""

    connection: socket.socket
    sealer: Sealer
    opener: Opener
    first: bytes
    leftover: bytes


class Pump(asyncio.Protocol):
    """One link over one TCP connection.

    make_link: makes the machine when the connection stands (or is given ready for an accepted one).
    on_event: called with each event, in order, on the loop; it must not block. may_enter: asked before
    anything else with this pump, whose `peer` and `who` (its address, without and with the port) are known by
    then; False ends the connection. for_purpose: of an accepted connection, gives the machine for what its
    preamble asks for, None to leave it to `make_link`'s; the instant it gets is that of the connection. on_probe: called with the nonce of a tracker that dials back. key: our link
    key, for who asks for it in clear; empty: it is not told. first: bytes that go out before the link's own, a
    relay's ticket.
    """

    def __init__(
        self,
        make_link: Callable[[Monotonic], Link],
        on_event: OnEvent,
        *,
        may_enter: Callable[[Pump], bool] | None = None,
        for_purpose: Callable[[Purpose, Monotonic], Link | None] | None = None,
        on_probe: Callable[[bytes], object] | None = None,
        key: bytes = b"",
        first: bytes = b"",
    ) -> None:
        self._on_probe = on_probe
        self._key = key
        self._first = first
        self._for_purpose = for_purpose
        self._start = b""  # of an accepted connection, until its purpose is known
        self._make_link = make_link
        self._on_event = on_event
        self._may_enter = may_enter
        self._is_running = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self._lingering: asyncio.TimerHandle | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._lost = asyncio.Event()
        self.link: Link | None = None
        self.peer = self.who = ""
        self.near: Place | None = None  # our end of it, as `getsockname` gives it
        self._connected = self._now()
        self.purpose = Purpose.PEER  # of an accepted connection, as its preamble said
        self.path = DIRECT
        self.inbox: asyncio.Queue[Message | None] | None = (
            None  # where the owner takes messages from
        )

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the machine on the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=limits.SEND_QUEUE_BYTES)
        peer = transport.get_extra_info("peername") or ("?", 0)
        self.near = transport.get_extra_info("sockname")
        self.peer, self.who = str(peer[0]), f"{peer[0]}:{peer[1]}"
        self._connected = self._now()
        if self._may_enter is not None and not self._may_enter(self):
            transport.abort()
            return
        self.link = self._make_link(self._connected)
        if self._first:
            transport.write(self._first)
        self._run()

    def data_received(self, data: bytes) -> None:
        """Feed the machine."""
        if self._for_purpose is not None:
            data = self._sort_out(data)
        if self.link is not None and data:
            self.link.receive_data(data, now=self._now())
            self._run()

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - asyncio's contract
        """Tell the machine and whoever waits that the connection is gone."""
        if self.link is not None:
            self.link.receive_eof(now=self._now())
            self._run()
        self._cancel_timers()
        self._may_write.set()
        self._lost.set()

    def pause_writing(self) -> None:
        """Hold producers back; drop a reader that does not read for SEND_STALL_S."""
        self._may_write.clear()
        self._stall = self._loop.call_later(limits.SEND_STALL_S, self.abort, Code.TOO_SLOW)

    def resume_writing(self) -> None:
        """Let producers go on."""
        self._may_write.set()
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    # --- the owner's side

    @property
    def is_open(self) -> bool:
        """Whether messages can be sent."""
        return self.link is not None and self.link.state is LinkState.OPEN

    @property
    def is_settled(self) -> bool:
        """Whether it stands for longer than two sides take that dial at once."""
        return self._now() - self._connected > limits.DIAL_TIMEOUT_S

    def send(self, message: Message) -> bool:
        """Send a message if the link is open; False if it is not."""
        if self.link is None or not self.is_open:
            return False
        self.link.send(message, now=self._now())
        self._run()
        return True

    def measure(self) -> tuple[float, bool] | None:
        """Begin to measure the round trip; gives what is known of the one before.

        That is how many seconds it took, and True; or for how many it goes on, and False; None: no link, or
        none was measured yet.
        """
        if self.link is None or not self.is_open:
            return None
        waits_s = self.link.ping(now=self._now())
        self._run()
        if waits_s is not None:
            return waits_s, False
        trip_s = self.link.round_trip_s
        return None if trip_s is None else (trip_s, True)

    def run(self) -> None:
        """Carry on after a verb of the link was called directly."""
        self._run()

    def close(self, code: Code = Code.GOODBYE, text: str = "") -> None:
        """End the link in good order."""
        if self.link is not None:
            self.link.close(code, text)
            self._run()

    def abort(self, code: Code) -> None:
        """End the link at once: the other side does not read what we say."""
        self.close(code)
        if self._transport is not None:
            self._transport.abort()

    def doubt(self, wait_s: float) -> None:
        """Ask whether the far end is still there; without an answer in time the connection is ended."""
        self.measure()
        self._loop.call_later(wait_s, self._cut_unanswered, wait_s)

    def _cut_unanswered(self, wait_s: float) -> None:
        trip = self.measure()
        if trip is not None and not trip[1] and trip[0] >= wait_s / 2:
            self.cut()

    def cut(self) -> None:
        """End the connection without a word: nobody is there to hear it."""
        if self._transport is not None:
            self._transport.abort()

    @contextmanager
    def cut_unless_done(self) -> Iterator[None]:
        """Cut the connection if this is left by an error, being cancelled included: nobody else would end it."""
        try:
            yield
        except BaseException:
            self.cut()
            raise

    def hold(self) -> None:
        """Read no more for now: what came is not worked off."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def release(self) -> None:
        """Read on."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    @property
    def is_writable(self) -> bool:
        """Whether no more than SEND_QUEUE_BYTES wait to leave."""
        return self._may_write.is_set()

    async def wait_writable(self) -> None:
        """Wait while more than SEND_QUEUE_BYTES wait to leave."""
        await self._may_write.wait()

    async def wait_lost(self) -> None:
        """Wait until the connection is gone."""
        await self._lost.wait()

    def take_over(self) -> TakenOver | None:
        """Hand an open data link's socket to its owner; None if it is gone. The pump has no part in it then."""
        transport, link = self._transport, self.link
        if link is None or transport is None or transport.is_closing():
            return None
        transport.pause_reading()
        first = link.data_to_send()
        if transport.get_write_buffer_size():  # the other side does not read its handshake
            self.abort(Code.TOO_SLOW)
            return None
        sealer, opener, leftover = link.take_over()
        descriptor: int = transport.get_extra_info("socket").fileno()
        connection = socket.socket(fileno=os.dup(descriptor))
        transport.abort()
        self._cancel_timers()
        return TakenOver(connection, sealer, opener, first, leftover)

    # --- inside

    def _sort_out(self, data: bytes) -> bytes:
        """Give what the machine is to have, once it is known which; what cannot be a link is the machine's."""
        self._start += data
        try:
            purpose = read_preamble(self._start)
        except RemoteProtocolError:
            purpose = Purpose.PEER
        if purpose is None or self._for_purpose is None:
            return b""
        if purpose is Purpose.PROBE and self._on_probe is not None:
            return self._take_probe(self._on_probe)
        if purpose is Purpose.KEY and self._key and self._transport is not None:
            self._transport.write(self._key)
            self._transport.close()
            return b""
        other = self._for_purpose(purpose, self._connected)
        if other is not None and self.link is not None:
            self.link, self.purpose = other, purpose
        self._for_purpose = None
        return self._start

    def _take_probe(self, on_probe: Callable[[bytes], object]) -> bytes:
        """Hand on a tracker's nonce once it is here, and hang up; it is no link."""
        nonce = self._start[limits.PREAMBLE_BYTES :]
        if len(nonce) >= limits.TICKET_BYTES and self._transport is not None:
            on_probe(nonce[: limits.TICKET_BYTES])
            self._transport.abort()
        return b""

    def _run(self) -> None:
        """Write what is to be written, tell what happened, set the timer anew."""
        if self.link is None or self._transport is None or self._is_running:
            return  # a verb called from within an event: the loop below carries on with it
        self._is_running = True
        try:
            self._flush()
            while events := self.link.events():
                for event in events:
                    self._on_event(self, event)
                    if isinstance(event, LinkClosed):
                        self._end()
                self._flush()
        finally:
            self._is_running = False
        self._set_timer()

    def _end(self) -> None:
        """Let what is still to be said leave, for a while; then the connection is gone in any case."""
        self._flush()
        if self._transport is not None and not self._lost.is_set():
            self._transport.close()
            self._lingering = self._loop.call_later(LINGER_S, self._transport.abort)

    def _flush(self) -> None:
        if self.link is not None and self._transport is not None:
            data = self.link.data_to_send()
            if data and not self._transport.is_closing():
                self._transport.write(data)

    def _set_timer(self) -> None:
        """Have the timer go off no later than the machine's deadline; one that is early is set anew then."""
        deadline = None if self.link is None else self.link.deadline()
        if self._timer is not None:
            if deadline is not None and self._timer.when() <= deadline:
                return  # the deadline moves on with every record
            self._timer.cancel()
            self._timer = None
        if deadline is not None and not self._lost.is_set():
            self._timer = self._loop.call_at(deadline, self._on_deadline)

    def _on_deadline(self) -> None:
        self._timer = None
        if self.link is not None:
            now, deadline = self._now(), self.link.deadline()
            if deadline is not None and now >= deadline:
                self.link.handle_deadline(now=now)
            self._run()

    def _cancel_timers(self) -> None:
        for timer in (self._timer, self._stall, self._lingering):
            if timer is not None:
                timer.cancel()

    def _now(self) -> Monotonic:
        return Monotonic(self._loop.time())
