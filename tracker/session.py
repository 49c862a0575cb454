"""One session: bytes in and out of a link machine, its requests to dispatch, answers and pushes back.

Knows nothing of accounts. A connection is routed by its preamble: the clear service `key` is answered and
closed, `relay` leaves for `splice`, `tracker` becomes a link; what is said on it goes to `dispatch`. The
transport is `connection`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Protocol, TypeAlias, assert_never

from tracker.coalesce import Coalescer
from tracker.connection import Connection
from tracker.effects import Caller, Channel
from tracker.errors import TrackerError
from tracker.hub import Hub
from tracker.state import Staging
from tracker.storage.port import AccountId
from wire import codec, frames, limits
from wire.codes import Code
from wire.dialogue import Answerer, SessionState
from wire.errors import RemoteProtocolError
from wire.link import (
    ChunkReceived,
    Ending,
    Link,
    LinkAged,
    LinkClosed,
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

IN_GOOD_ORDER = frozenset(
    {Code.GOODBYE, Code.SHUTTING_DOWN, Code.LINK_REPLACED, Code.LINK_LOST, Code.ACCOUNT_DELETED}
)

log = logging.getLogger("tracker")


class Request(Protocol):
    """What all requests have."""

    @property
    def request(self) -> int:
        """The number that the answer repeats."""
        ...


Handle: TypeAlias = "Callable[[Hub, Session, Message], None]"


class Session(Connection):
    """What is said on one connection, and what the tracker knows about who says it.

    handle: carries out a request that may be asked now. is_second: at the second port, for probes alone.
    """

    __slots__ = (
        "_answerer",
        "_caller",
        "_coalescer",
        "_enter_by",
        "_handle",
        "_head",
        "_is_deaf",
        "_is_dirty",
        "_is_probe",
        "_is_seated",
        "_is_second",
        "_link",
        "_login",
        "is_unseen",
        "staging",
    )

    def __init__(self, hub: Hub, handle: Handle, *, is_second: bool = False) -> None:
        super().__init__(hub)
        self._handle = handle
        self._is_second = is_second
        self._is_probe = False
        self._link: Link | None = None
        self._answerer = Answerer(SessionState.ANONYMOUS)
        self._coalescer = Coalescer()
        self._head = b""
        self._caller: Caller | None = None
        self._login: AccountId | None = None
        self._enter_by: Monotonic | None = None
        self._is_deaf = False  # we ended the link: requests that came along are not carried out
        self._is_dirty = False
        self._is_seated = False
        self.is_unseen = False
        self.staging = Staging(hub.staging_space)

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

    def log_in(self, account: AccountId) -> None:
        """Take note that the password of an account was proven."""
        self._login = account
        self._hub.logged_in.setdefault(account, set()).add(self)
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

    def refuse(self, message: Request, error: TrackerError) -> None:
        """Answer a request by a refusal, and tell the log."""
        device = "" if self._caller is None else f" {self._caller.device.hex()[:8]}"
        who = f"{self.host}:{self.port}{device}"
        self._hub.refusals.denied(who, type(message).__name__, error.code)
        code, text = _sayable(error)
        self.answer(Refused(message.request, code.value, text, error.retry_after_s))  # type: ignore[arg-type]

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
        self._is_deaf = True
        if self._link is None:
            self._refuse_in_clear(code, text)
        else:
            self._link.close(code, text)
            self._pump()

    # --- deadlines

    def _instants(self) -> Iterator[float]:
        if self._link is None:
            yield self._connected + self._hub.config.limits.open_timeout_s
        elif (deadline := self._link.deadline()) is not None:
            yield deadline
        if self._enter_by is not None:
            yield self._enter_by

    def _due(self, now: Monotonic) -> None:
        if self._link is None:
            if now >= self._connected + self._hub.config.limits.open_timeout_s:
                if self._is_probe:
                    self._end()
                else:
                    self.close(Code.HANDSHAKE_TIMEOUT)
        elif self._enter_by is not None and now >= self._enter_by:
            self.close(Code.HANDSHAKE_TIMEOUT, "the device did not enter")
        else:
            deadline = self._link.deadline()
            if deadline is not None and now >= deadline:
                self._link.handle_deadline(now=now)
            self._pump()

    # --- asyncio's side

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self.is_closed or self._is_probe:
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

    # --- inside

    def _route(self, data: bytes) -> None:
        """Read the preamble; what else came belongs to the link."""
        self._head += data
        try:
            purpose = frames.read_preamble(self._head)
            if purpose is Purpose.PROBE:
                self._take_probe()
            elif self._is_second and purpose is not None:
                raise RemoteProtocolError(Code.SUITE_UNKNOWN, "this port is for probes alone")
            elif purpose is Purpose.KEY:
                self._write(self._hub.link_key)
                self._end()
            elif purpose is Purpose.TRACKER:
                self._open_link()
            elif purpose is Purpose.RELAY:
                self._join_relay()
            elif purpose is not None:
                raise RemoteProtocolError(Code.SUITE_UNKNOWN, f"purpose {purpose.name.lower()}")
        except RemoteProtocolError as error:
            self._refuse_in_clear(error.code, error.detail)

    def _open_link(self) -> None:
        hub = self._hub
        self._link = Link(Role.RESPONDER, hub.link_config, now=self._connected, entropy=hub.entropy)
        self._link.receive_data(self._head, now=hub.now())
        self._head = b""
        self._pump()

    def _take_probe(self) -> None:
        """Note where a probe comes from; its connection stays until its owner has no more use for it."""
        start = limits.PREAMBLE_BYTES + limits.TICKET_BYTES
        if self._is_probe or len(self._head) < start:
            return
        self._is_probe = True
        ticket, place = self._head[limits.PREAMBLE_BYTES : start], (self.host, self.port)
        punches = self._hub.punches
        if not punches.probed(ticket, place, self._hub.now(), is_second=self._is_second):
            self._refuse_in_clear(Code.HANDSHAKE_FAILED, "a ticket that is not valid")

    def _join_relay(self) -> None:
        """Leave the connection to the relay once its ticket is here; it is no session any more then."""
        start = limits.PREAMBLE_BYTES + limits.TICKET_BYTES
        transport = self._transport
        if len(self._head) < start or transport is None:
            return
        ticket, first = self._head[limits.PREAMBLE_BYTES : start], self._head[start:]
        try:
            half = self._hub.splices.join(ticket, transport, first)
        except TrackerError as error:
            self._refuse_in_clear(error.code, error.detail)
            return
        transport.set_protocol(half)
        self.connection_lost(None)

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
                self._hub.check_room(caller)
            except TrackerError as error:
                unknown(error)
                return
            self._caller = caller
            self._answerer.state = SessionState.KNOWN
            self._admit(link)
            self._pump()

        def unknown(error: TrackerError) -> None:
            if link.state is LinkState.IDENTIFYING:
                link.refuse(*_sayable(error))
                self._pump()

        self._hub.submit(self._hub.admit(link.remote.link_key), known, unknown)

    def _admit(self, link: Link) -> None:
        link.admit(HelloTracker(self._hub.boot_id, self._hub.wall()))

    def _on_message(self, link: Link, message: Message) -> None:
        if self._is_deaf:
            return
        try:
            request = self._answerer.on_message(message)
        except RemoteProtocolError as error:
            self._is_deaf = True
            link.close(error.code, error.detail)
            return
        if request is not None:
            self._handle(self._hub, self, message)

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
        if self._link is not None:
            self._write(self._link.data_to_send())
            self._link.rest()

    def _leave(self) -> None:
        super()._leave()
        self.staging.clear()
        if self._login is not None:
            others = self._hub.logged_in.get(self._login, set())
            others.discard(self)
            if not others:
                self._hub.logged_in.pop(self._login, None)
        if self._is_seated:
            self._is_seated = False
            hub, caller = self._hub, self.caller
            hub.entered -= 1
            hub.tell(
                caller.account,
                hub.roster.leave(caller.account, caller.device, self, hub.wall()),
            )


def _sayable(error: TrackerError) -> tuple[Code, str]:
    """Give what the other side may know: that our disk failed, and nothing else of what is ours alone."""
    if error.code is Code.DATABASE_FAILED:
        return Code.TRACKER_FAILED, ""
    if error.code.sent_by == "local":
        return Code.INTERNAL, ""
    return error.code, error.detail[: limits.CLOSE_TEXT_CHARS]
