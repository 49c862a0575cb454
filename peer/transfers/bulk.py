"""One open data link, off the node's loop: a thread that receives and one that sends, with reused buffers.

What may be asked, sent and believed is decided by machines of `wire.transfer`; this is the bulk path around
them: records are read into one buffer, opened into another, hashed and written; or read from a file, hashed,
sealed and sent. A link ends by itself when it was idle for as long as its talk says, and when it has lived
long enough (design section 4); who still waits for something says so every heartbeat.
"""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

from peer.errors import PeerError
from peer.transfers.inlet import Inlet
from peer.transfers.outlet import Outlet
from peer.transfers.pace import Paces
from peer.transfers.speech import Speech
from wire import limits
from wire.channel.records import Opener, Sealer
from wire.codec import decode
from wire.codes import Code, code_of
from wire.errors import RemoteProtocolError, WireError
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.session import Close, Ping, Pong
from wire.messages.transfer import Pack, Piece

log = logging.getLogger("peer")
TICK_S = 0.5
LOOK_S = 0.25  # how often a talk is asked for what it has to say, if it is not woken
_ANNOUNCING = (Piece, Pack)
_TIMEVAL = struct.Struct("@ll")


class Talk(Protocol):
    """What a data link is about; its methods are called in the link's own threads.

    `heard`, `chunk` and `rest` in the receiving one, `next_record` in the sending one, `wants` and `ended` in either.
    """

    def heard(self, message: Message) -> None:
        """Take a message; raises WireError to end the link, PeerError to end it without blame."""

    def expects(self, announced: Piece | Pack) -> bool:
        """Say whether the bytes that follow are wanted."""

    def chunk(self, announced: Piece | Pack, data: memoryview) -> None:
        """Take the bytes that were announced; they are good until it returns. Raises as `heard`."""

    def rest(self) -> None:
        """Take note that nothing more comes for a while. Raises as `heard`."""

    def next_record(self, into: memoryview) -> tuple[list[Message], int] | None:
        """Give what to send next: messages, and how many bytes of a chunk in `into` follow; None: nothing."""

    def has_news(self) -> bool:
        """Say whether `next_record` has to be asked before anything else leaves; called in any thread."""

    def wants(self) -> bool:
        """Say whether something was asked for and is still to come."""

    def has_work(self) -> bool:
        """Say whether anything is left to be asked or answered here."""

    def linger_s(self) -> float:
        """Say how long the link may be idle before it ends."""

    @property
    def is_kept(self) -> Callable[[], bool]:
        """Say whether the link stays while it is idle; it is kept alive and looked after then."""

    def ended(self, code: Code, text: str) -> None:
        """Take note that the link is gone: why."""


class Bulk:
    """The two threads of one link.

    connection: blocking, owned from here on. sealer, opener: as the link handed them over. first: bytes that
    are to be sent before anything else. leftover: bytes already received. peer: who is at the other end, for
    the log. paces: that each chunk waits for. heartbeat_s: how long we are silent while we wait, dead_after_s: they, who
    owe something. lifetime_s, lifetime_bytes: of both directions together, then the link ends.
    """

    def __init__(
        self,
        connection: socket.socket,
        sealer: Sealer,
        opener: Opener,
        *,
        first: bytes,
        leftover: bytes,
        make_talk: Callable[[Bulk], Talk],
        peer: str = "",
        paces: Sequence[Paces] = (),
        heartbeat_s: float = limits.HEARTBEAT_S,
        dead_after_s: float = limits.DEAD_AFTER_S,
        lifetime_s: float = limits.LINK_LIFETIME_S,
        lifetime_bytes: int = limits.LINK_LIFETIME_BYTES,
    ) -> None:
        self._socket = connection
        self._opener = opener
        self._said: deque[Message] = deque()
        self._wake = threading.Condition()
        self._is_taken = False  # something was taken to be said, and may not have left
        self._is_woken = False
        self._is_over = False
        self._last_words: Close | None = None
        now = _now()
        self._ages_at = now + lifetime_s
        self._lifetime_bytes = lifetime_bytes
        self._heard_at = self._busy_at = self._sent_at = now
        self._came_at = now
        self._heartbeat_s, self._dead_after_s = heartbeat_s, dead_after_s
        self._pings = (now, 0.0)  # when the last came, and how many of them are too many by then
        self._peer = peer
        self._inlet = Inlet(
            connection,
            leftover,
            [each.down for each in paces],
            is_over=lambda: self._is_over,
            on_part=self._come_to_rest,
            on_silence=self._check_silence,
        )
        self.outlet = Outlet(connection, [each.up for each in paces])
        self._speech = Speech(sealer, self.outlet, first)
        self._look_at = Monotonic(
            0.0
        )  # when the talk may have something to say that nobody asks for
        self.talk = make_talk(self)
        self._threads = [
            threading.Thread(target=self._guard, args=(work,), name=name, daemon=True)
            for name, work in (("data-receive", self._receive), ("data-send", self._send))
        ]

    def start(self) -> None:
        """Begin."""
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tick = _TIMEVAL.pack(int(TICK_S), int(TICK_S % 1 * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, tick)
        stall = _TIMEVAL.pack(int(limits.SEND_STALL_S), 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, stall)
        for thread in reversed(self._threads):  # so that the first fault can be answered, too
            thread.start()

    def say(self, *messages: Message) -> None:
        """Send messages before anything else, at once if that needs no waiting; from any thread.

        To wake another thread for them costs more than to say them here, measured 2026-11.
        """
        with self._wake:
            now = _now()
            is_free = not (self._said or self._is_taken or self._is_over or self._last_words)
            is_said = is_free and not self.talk.has_news() and self._speech.try_say(messages)
            if is_said:
                self._busy_at = self._sent_at = now
            else:
                self._said.extend(messages)
            if is_said and not self._speech.has_left and now < self._look_at:
                return
            self._look_at = Monotonic(now + LOOK_S)
            self._is_woken = True
            self._wake.notify_all()

    def wake(self) -> None:
        """Look for something to send; from any thread."""
        with self._wake:
            self._is_woken = True
            self._wake.notify_all()

    def close(self, code: Code, text: str = "") -> None:
        """End the link, with a last word if it can be said at once; from any thread."""
        with self._wake:
            if self._is_over:
                return
            if self._last_words is None:
                self._last_words = Close(code.value, text[: limits.CLOSE_TEXT_CHARS])
            self._is_woken = True
            self._wake.notify_all()

    def abort(self) -> None:
        """End the link without a word."""
        self._end(Code.LINK_LOST, "it was cut")

    @property
    def near(self) -> tuple[object, ...] | None:
        """Our end of the connection, as `getsockname` gives it; None if that is gone."""
        try:
            found: tuple[object, ...] = self._socket.getsockname()
        except OSError:
            return None
        return found

    @property
    def silent_s(self) -> float:
        """For how many seconds nothing has come over it."""
        return _now() - max(self._came_at, self.part_came_at)

    @property
    def part_came_at(self) -> Monotonic:
        """When a part of a long record came last."""
        return self._inlet.part_came_at

    @property
    def sealed_bytes(self) -> int:
        """How many bytes were sent over it, without what sealing adds."""
        return self._speech.sealed_bytes

    @property
    def has_brought(self) -> bool:
        """Whether more than talk came over it."""
        return self._opener.bytes > limits.CHUNK_BYTES

    def join(self, timeout_s: float) -> bool:
        """Wait for both threads; False if they are still at it."""
        ends = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(max(0.0, ends - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    # --- the threads

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except WireError as error:
            log.warning("refused data link with %s: %s", self._peer, error)
            self._say_last(error.code, error.detail)
            self._end(error.code, error.detail)
        except PeerError as error:
            self._say_last(Code.GOODBYE, "")
            self._end(error.code, error.detail)
        except OSError as error:
            self._end(Code.LINK_LOST, error.strerror or str(error))
        except Exception as error:  # the top of a link: a bug of ours ends this one and no other
            log.error("data link with %s ends by a fault of ours: %r", self._peer, error)  # noqa: TRY400
            log.debug("where it went wrong", exc_info=True)
            self._say_last(Code.INTERNAL, "")
            self._end(Code.INTERNAL, str(error))

    def _receive(self) -> None:
        announced: Piece | Pack | None = None
        is_wanted = False
        while not self._is_over:
            sealed = self._inlet.record()
            if sealed is None:
                return
            data = sealed[: self._opener.open_into(sealed, sealed)]  # in its place
            self._came_at = self._busy_at = _now()
            if announced is not None:
                if len(data) != _announced_bytes(announced):
                    raise RemoteProtocolError(
                        Code.SIZE_INVALID, "a chunk is not as long as announced"
                    )
                if is_wanted:
                    self.talk.chunk(announced, data)
                announced = None
                continue
            message = decode(Purpose.DATA, data)
            if not isinstance(message, Pong):
                self._heard_at = self._busy_at
            if isinstance(message, _ANNOUNCING):
                is_wanted = self.talk.expects(message)
                if _announced_bytes(message):
                    announced = message
                elif is_wanted:
                    self.talk.chunk(message, data[:0])
            elif isinstance(message, Close):
                self._end(Code.LINK_LOST, f"the other side closed: {message.code} {message.text}")
                return
            elif isinstance(message, Ping):
                self._pinged(self._busy_at)
                self.say(Pong(message.token))
            elif message is not None and not isinstance(message, Pong):
                self.talk.heard(message)

    def _pinged(self, now: Monotonic) -> None:
        """Count a ping of theirs; raises RemoteProtocolError(FLOOD) for more than they can need."""
        before, held = self._pings
        held = max(0.0, held - (now - before) * limits.PINGS_PER_S) + 1
        self._pings = now, held
        if held > limits.HELD_PINGS:
            raise RemoteProtocolError(Code.FLOOD, f"more than {limits.HELD_PINGS} pings at once")

    def _come_to_rest(self) -> None:
        self.talk.rest()

    def _check_silence(self) -> None:
        self.talk.rest()
        if not self.talk.wants():
            self._heard_at = _now()
            if self.talk.is_kept() and self.silent_s >= self._dead_after_s:
                raise RemoteProtocolError(Code.LINK_SILENT, "no ping was answered")
        elif _now() - max(self._heard_at, self.part_came_at) >= self._dead_after_s:
            raise RemoteProtocolError(Code.LINK_SILENT, "nothing came that was asked for")

    def _send(self) -> None:
        speech = self._speech
        while not self._is_over:
            said = self._take_said()
            step = None if self._last_words is not None else self.talk.next_record(speech.chunk)
            messages, size = step if step is not None else ([], 0)
            if speech.send([*said, *messages], size, is_over=lambda: self._is_over):
                self._busy_at = self._sent_at = _now()
                self._age()
            elif step is None and not self._rest():
                return

    def _take_said(self) -> list[Message]:
        """Give what is to be said, which nothing overtakes any more, and look out for more."""
        with self._wake:
            said = [self._said.popleft() for _ in range(len(self._said))]
            self._is_taken = bool(said)
            self._is_woken = False
        return said

    def _rest(self) -> bool:
        """Wait until there is something to do; False if the link is over."""
        words = self._last_words
        is_used = self.talk.has_work() or self.talk.is_kept()
        if words is None and not is_used and self._is_idle():
            words = Close(Code.GOODBYE.value, "nothing is left to do")
        self._age()
        if words is not None:
            self._sealed_last(words)
            self._end(code_of(words.code), words.text)
            return False
        with self._wake:
            if not self._is_woken and not self._is_over:
                self._wake.wait(TICK_S)
        if is_used and _now() - self._sent_at >= self._heartbeat_s:
            self.say(Ping(0))  # nothing is measured: the other side need only not take us for idle
        return True

    def _age(self) -> None:
        carried = self.sealed_bytes + self._opener.bytes
        if _now() >= self._ages_at or carried >= self._lifetime_bytes:
            self.close(Code.GOODBYE, "this link has lived long enough")

    def _is_idle(self) -> bool:
        return _now() - self._busy_at >= self.talk.linger_s()

    def _say_last(self, code: Code, text: str) -> None:
        """Say why we end, if the sending thread is free to: from the receiving one it is asked to."""
        if threading.current_thread() is self._threads[1]:
            return  # what failed was our own sending
        self.close(Code.GOODBYE if code.sent_by == "local" else code, text)
        self._threads[1].join(TICK_S)

    def _sealed_last(self, words: Close) -> None:
        with suppress(OSError):
            self._speech.send([words])

    def _end(self, code: Code, text: str) -> None:
        with self._wake:
            if self._is_over:
                return
            self._is_over = True
            self._wake.notify_all()
        with suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self.talk.ended(code, text)

    def dispose(self) -> None:
        """Close the socket, when both threads have ended."""
        self._socket.close()


def _now() -> Monotonic:
    return Monotonic(time.monotonic())


def _announced_bytes(announced: Piece | Pack) -> int:
    if isinstance(announced, Piece):
        return announced.length
    return sum(chunk.length for chunk in announced.chunks)
