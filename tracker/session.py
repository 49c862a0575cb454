"""One connection: bytes in and out of a link machine, its requests to dispatch, its end in good order.

Knows asyncio and nothing of accounts. A connection is routed by its preamble: the clear service `key` is
answered and closed, `tracker` becomes a link. All deadlines of a session (its link's, the time to enter,
a reader that stalls, a close that lingers) are one instant in the hub's wheel.
"""

from __future__ import annotations

import asyncio
import logging
from typing import assert_never

from tracker import dispatch
from tracker.coalesce import Coalescer
from tracker.effects import Caller, Channel
from tracker.errors import TrackerError
from tracker.hub import Hub
from tracker.state import Staging
from tracker.storage.port import AccountId
from tracker.throttle import address_key
from wire import codec, frames
from wire.codes import Code
from wire.dialogue import Answerer, SessionState
from wire.errors import RemoteProtocolError
from wire.link import (
    ChunkReceived,
    Ending,
    Link,
    LinkAged,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    LinkState,
    MessageReceived,
    Role,
)
from wire.machine import Monotonic
from wire.messages import Message, Purpose
from wire.messages.session import HelloAnonymous, HelloTracker, Refused

LINGER_S = 2.0  # for a last record to leave, then the connection is cut

IN_GOOD_ORDER = frozenset({Code.GOODBYE, Code.SHUTTING_DOWN, Code.LINK_REPLACED, Code.LINK_LOST})

log = logging.getLogger("tracker")


class Session(asyncio.Protocol):
    """One connection to this tracker, from the first byte to the last."""

    __slots__ = (
        "_answerer",
        "_caller",
        "_coalescer",
        "_connected",
        "_enter_by",
        "_head",
        "_hub",
        "_is_dirty",
        "_is_in_lobby",
        "_is_seated",
        "_linger_until",
        "_link",
        "_login",
        "_stalled_since",
        "_transport",
        "address",
        "host",
        "is_unseen",
        "port",
        "staging",
    )

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._transport: asyncio.Transport | None = None
        self._link: Link | None = None
        self._answerer = Answerer(SessionState.ANONYMOUS)
        self._coalescer = Coalescer()
        self._head = b""
        self._caller: Caller | None = None
        self._login: AccountId | None = None
        self._connected = hub.now()
        self._enter_by: Monotonic | None = None
        self._stalled_since: Monotonic | None = None
        self._linger_until: Monotonic | None = None
        self._is_dirty = False
        self._is_in_lobby = False
        self._is_seated = False
        self.is_unseen = False
        self.staging = Staging(hub.staging_space)
        self.host, self.port = "", 0
        self.address = ""

    # --- what services and the hub ask of a session

    @property
    def caller(self) -> Caller:
        """Give the device that is at the other end; only asked for in sessions that know it."""
        assert self._caller is not None
        return self._caller

    @property
    def account(self) -> AccountId:
        """Give the account that logged in or whose device entered."""
        account = self._login if self._caller is None else self._caller.account
        assert account is not None
        return account

    @property
    def channel(self) -> Channel:
        """Give what signatures of this link are bound to."""
        assert self._link is not None
        assert self._link.remote is not None
        return Channel(self._hub.link_key, self._link.remote.link_key, self._link.handshake_hash)

    @property
    def is_closed(self) -> bool:
        """Say whether nothing more can be said."""
        return self._transport is None or self._linger_until is not None

    def log_in(self, account: AccountId) -> None:
        """Take note that the password of an account was proven."""
        self._login = account
        self._answerer.state = SessionState.AUTHENTICATED

    def enter(self, *, is_unseen: bool) -> None:
        """Take note that the device has a seat; it stands at the door no longer."""
        self.is_unseen = is_unseen
        self._is_seated = True
        self._hub.entered += 1
        self._answerer.state = SessionState.ENTERED
        self._enter_by = None
        self._leave_lobby()

    def answer(self, answer: Message) -> None:
        """Answer a request."""
        if not self.is_closed:
            self._answerer.answered(answer.request)  # type: ignore[attr-defined]
            self.tell(answer)

    def refuse(self, request: int, error: TrackerError) -> None:
        """Answer a request by a refusal."""
        text = error.message[:200]
        self.answer(Refused(request, error.code.value, text, error.retry_after_s))  # type: ignore[arg-type]

    def tell(self, message: Message) -> None:
        """Send a message that may not wait."""
        self.push(codec.encode(Purpose.TRACKER, message), None)

    def push(self, record: bytes, key: object) -> None:
        """Send a record; one with a key may wait a moment and be replaced."""
        if self.is_closed:
            return
        self._send(self._coalescer.put(record, key, self._hub.now()))
        if self._coalescer.is_holding:
            self._hub.hold(self)

    def release(self) -> None:
        """Send what has waited for its moment."""
        if not self.is_closed:
            self._send(self._coalescer.release(self._hub.now()))

    def close(self, code: Code, text: str = "") -> None:
        """End the session in good order, with a last word if the link can carry one."""
        if self.is_closed:
            return
        if self._link is None:
            self._refuse_in_clear(code, text)
        else:
            self._link.close(code, text)
            self._pump()

    def abort(self) -> None:
        """End the connection now, whatever has not been sent."""
        if self._transport is not None:
            self._transport.abort()

    def on_deadline(self, now: Monotonic) -> None:
        """Do what is due, and say when to come again."""
        limits = self._hub.config.limits
        if self._transport is None:
            return
        if self._linger_until is not None:
            if now >= self._linger_until:
                self.abort()
                return
        elif self._stalled_since is not None and now >= self._stalled_since + limits.send_stall_s:
            self._drop_slow()
            return
        elif self._link is None:
            if now >= self._connected + limits.open_timeout_s:
                self.close(Code.HANDSHAKE_TIMEOUT)
        elif self._enter_by is not None and now >= self._enter_by:
            self.close(Code.HANDSHAKE_TIMEOUT, "the device did not enter")
        else:
            deadline = self._link.deadline()
            if deadline is not None and now >= deadline:
                self._link.handle_deadline(now=now)
            self._pump()
        self._set_deadline()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername") or ("", 0)
        self.host, self.port = str(peer[0]), int(peer[1])
        self.address = address_key(self.host)
        self._transport = transport
        self._hub.arrived(self)
        self._is_in_lobby = self._hub.lobby.enter(self.address, self._hub.entropy.bytes(1)[0])
        if not self._is_in_lobby:
            self._refuse_in_clear(Code.TOO_MANY_CONNECTIONS, "")
            return
        transport.set_write_buffer_limits(high=self._hub.config.limits.send_queue_bytes)
        self._set_deadline()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.is_closed:
            return
        try:
            if self._link is None:
                self._route(data)
            else:
                self._link.receive_data(data, now=self._hub.now())
                self._pump()
        except Exception:  # the top of a connection: a bug of ours ends this session and no other
            log.exception("a session failed")
            self.abort()

    def eof_received(self) -> bool:
        """See asyncio.Protocol."""
        if self._link is not None and not self.is_closed:
            self._link.receive_eof(now=self._hub.now())
            self._pump()
        return False

    def pause_writing(self) -> None:
        """See asyncio.Protocol: the other side does not read, so it is not read from either."""
        if self._transport is not None and not self.is_closed:
            self._stalled_since = self._hub.now()
            self._transport.pause_reading()
            self._set_deadline()

    def resume_writing(self) -> None:
        """See asyncio.Protocol."""
        self._stalled_since = None
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._set_deadline()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """See asyncio.Protocol."""
        self._transport = None
        self._leave()
        self._hub.gone(self)

    # --- inside

    def _route(self, data: bytes) -> None:
        """Read the preamble; what else came belongs to the link."""
        self._head += data
        try:
            purpose = frames.read_preamble(self._head)
            if purpose is Purpose.KEY and self._transport is not None:
                self._transport.write(self._hub.link_key)
                self._end()
            elif purpose is Purpose.TRACKER:
                self._open_link()
            elif purpose is not None:
                raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"purpose {purpose.name.lower()}")
        except RemoteProtocolError as error:
            self._refuse_in_clear(error.code, error.detail)

    def _open_link(self) -> None:
        hub, limits = self._hub, self._hub.config.limits
        config = LinkConfig(
            purpose=Purpose.TRACKER,
            static_private=hub.link_private,
            responder=hub.link_key,
            open_timeout_s=limits.open_timeout_s,
            anonymous_timeout_s=limits.anonymous_timeout_s,
            heartbeat_s=limits.heartbeat_s,
            dead_after_s=limits.dead_after_s,
        )
        self._link = Link(Role.RESPONDER, config, now=self._connected, entropy=hub.entropy)
        self._link.receive_data(self._head, now=hub.now())
        self._head = b""
        self._pump()

    def _pump(self) -> None:
        """Let what happened on the link take effect, and send what it wants to say."""
        link = self._link
        while link is not None and (events := link.events()):
            for event in events:
                self._on_event(link, event)
        self._flush()
        if link is not None and link.state is LinkState.CLOSED:
            self._end()
        self._set_deadline()

    def _on_event(self, link: Link, event: LinkEvent) -> None:
        match event:
            case LinkIdentified():
                self._on_identified(link)
            case LinkOpened():
                if self._caller is not None:
                    wait_s = self._hub.config.limits.open_timeout_s
                    self._enter_by = Monotonic(self._hub.now() + wait_s)
            case MessageReceived():
                self._on_message(link, event.message)
            case LinkClosed():
                if event.by is Ending.US and event.code not in IN_GOOD_ORDER:
                    self._log_refused(event.code, event.text)
            case LinkAged() | ChunkReceived():
                return  # the peer dials anew when it likes; chunks do not travel on tracker links
            case _:
                assert_never(event)  # type: ignore[arg-type]

    def _on_identified(self, link: Link) -> None:
        """Admit somebody without a device at once, a device after a look into the storage."""
        assert link.remote is not None
        if isinstance(link.remote.hello, HelloAnonymous):
            self._admit(link)
            return

        def known(caller: Caller) -> None:
            if link.state is not LinkState.IDENTIFYING:
                return
            try:
                if self._hub.roster.session_of(caller.account, caller.device) is None:
                    self._hub.check_room()
            except TrackerError as error:
                unknown(error)
                return
            self._caller = caller
            self._answerer.state = SessionState.KNOWN
            self._admit(link)
            self._pump()

        def unknown(error: TrackerError) -> None:
            if link.state is LinkState.IDENTIFYING:
                link.refuse(error.code, error.detail)
                self._pump()

        self._hub.submit(self._hub.admit(link.remote.link_key), known, unknown)

    def _admit(self, link: Link) -> None:
        link.admit(HelloTracker(self._hub.boot_id, self._hub.wall()))

    def _on_message(self, link: Link, message: Message) -> None:
        try:
            request = self._answerer.on_message(message)
        except RemoteProtocolError as error:
            link.close(error.code, error.detail)
            return
        if request is not None:
            dispatch.handle(self._hub, self, message)

    def _send(self, records: list[bytes]) -> None:
        """Seal records and send them at the end of this turn of the loop, all in one write."""
        if not records or self._link is None or self._link.state is not LinkState.OPEN:
            return
        now = self._hub.now()
        for record in records:
            self._link.send_record(record, now=now)
        if not self._is_dirty:
            self._is_dirty = True
            self._hub.soon(self._flush)

    def _flush(self) -> None:
        self._is_dirty = False
        if self._link is None or self._transport is None:
            return
        data = self._link.data_to_send()
        if data and not self._transport.is_closing():
            self._transport.write(data)
            if (
                self._transport.get_write_buffer_size()
                > 2 * self._hub.config.limits.send_queue_bytes
            ):
                self._drop_slow()

    def _drop_slow(self) -> None:
        self._log_refused(Code.TOO_SLOW, "")
        self._leave()
        self.abort()

    def _refuse_in_clear(self, code: Code, detail: str) -> None:
        """Turn away somebody with whom there is no link."""
        self._log_refused(code, detail)
        if self._transport is not None:
            self._transport.write(frames.clear_refusal(code))
        self._end()

    def _end(self) -> None:
        """Close the connection as soon as what is written has left."""
        self._leave()
        if self._transport is not None and self._linger_until is None:
            self._linger_until = Monotonic(self._hub.now() + LINGER_S)
            self._transport.close()
            self._set_deadline()

    def _leave(self) -> None:
        """Give back what this session holds; again changes nothing."""
        self._leave_lobby()
        self.staging.clear()
        if self._is_seated:
            self._is_seated = False
            hub, caller = self._hub, self.caller
            hub.entered -= 1
            hub.tell(
                caller.account,
                hub.roster.leave(caller.account, caller.device, self, hub.wall()),
            )

    def _leave_lobby(self) -> None:
        if self._is_in_lobby:
            self._is_in_lobby = False
            self._hub.lobby.leave(self.address)

    def _set_deadline(self) -> None:
        """Tell the wheel when to come next."""
        if self._transport is None:
            return
        limits = self._hub.config.limits
        if self._linger_until is not None:
            self._hub.wheel.set(self, self._linger_until)
            return
        instants: list[float] = []
        if self._link is None:
            instants.append(self._connected + limits.open_timeout_s)
        else:
            deadline = self._link.deadline()
            if deadline is not None:
                instants.append(deadline)
        if self._stalled_since is not None:
            instants.append(self._stalled_since + limits.send_stall_s)
        if self._enter_by is not None:
            instants.append(self._enter_by)
        self._hub.wheel.set(self, Monotonic(min(instants)) if instants else None)

    def _log_refused(self, code: Code, detail: str) -> None:
        self._hub.log_refused(f"{self.host}:{self.port}", code, detail)
