"""What the sessions of one tracker share: storage, roster, limits, clocks; and how effects are carried out.

What lives here: the meeting of services and sessions, on the loop's thread. What does not: sockets
(`session`), listeners and signals (`server`), and which request asks which service (`dispatch`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeVar

from tracker import accounts, friends, mailbox
from tracker.config import Config
from tracker.deadlines import Wheel
from tracker.effects import (
    AddressesPut,
    Befriended,
    Caller,
    CloseDevice,
    Effect,
    EndLogins,
    Parted,
    Tell,
    TellAll,
    TellDevice,
)
from tracker.errors import TrackerError
from tracker.presence import Roster
from tracker.punching import Punches
from tracker.refusals import Refusals
from tracker.seats import Delivery, Told
from tracker.splice import Splices
from tracker.state import StagingSpace
from tracker.storage.port import AccountId
from tracker.storage.writer import Work, Writer
from tracker.throttle import Lobby, Window
from wire import limits
from wire.codes import Code
from wire.ids import AccountName, BootId, DeviceId, LinkKey
from wire.link import LinkConfig
from wire.machine import Entropy, Monotonic, UnixMillis
from wire.messages import Message, Purpose

T = TypeVar("T")


class Recipient(Protocol):
    """What the hub wants of a session."""

    __slots__ = ()

    def push(self, record: bytes, key: object) -> None:
        """Send a record; one with a key may wait a moment and be replaced."""
        ...

    def tell(self, message: Message) -> None:
        """Send a message that may not wait."""
        ...

    def release(self) -> None:
        """Send what has waited for its moment."""
        ...

    def close(self, code: Code, text: str = "") -> None:
        """End the session."""
        ...

    def abort(self) -> None:
        """End the connection now, whatever has not been sent."""
        ...

    def on_deadline(self, now: Monotonic) -> None:
        """Do what is due."""
        ...


class Hub:
    """The state that all sessions of one tracker share.

    writer: runs the services' questions. link_private: 32 bytes, secret. link_key: its public half.
    monotonic, soon, later, spawn: the loop's clock, and its ways to call at the end of this turn and after
    seconds, and to have something done that waits.
    most_sockets: what the system allows this process.
    """

    def __init__(
        self,
        config: Config,
        writer: Writer,
        *,
        link_private: bytes,
        link_key: LinkKey,
        entropy: Entropy,
        monotonic: Callable[[], float],
        soon: Callable[[Callable[[], object]], object],
        later: Callable[[float, Callable[[], object]], object],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
        most_sockets: int,
    ) -> None:
        chosen = config.limits
        self.config = config
        self.writer = writer
        self.link_key = link_key
        self.link_config = LinkConfig(
            purpose=Purpose.TRACKER,
            static_private=link_private,
            responder=link_key,
            open_timeout_s=chosen.open_timeout_s,
            anonymous_timeout_s=chosen.anonymous_timeout_s,
            heartbeat_s=chosen.heartbeat_s,
            dead_after_s=chosen.dead_after_s,
        )
        self.entropy = entropy
        self.boot_id = BootId(entropy.bytes(16))
        self.roster: Roster[Recipient] = Roster()
        self.wheel: Wheel[Recipient] = Wheel()
        self.sessions: set[Recipient] = set()
        self.logged_in: dict[AccountId, set[Recipient]] = {}  # by password, no device yet
        self.when_empty: Callable[[], object] | None = None
        self._holding: set[Recipient] = set()  # sessions with changes that wait for their moment
        self.entered = 0
        self.lobby = Lobby(
            chosen.sockets_per_address, chosen.sockets_pre_open, chosen.sockets_early_drop
        )
        self.logins = Window(chosen.failed_logins, chosen.failed_logins_window_s)
        self.registrations = Window(chosen.registrations, chosen.throttle_window_s)
        self.lookups = Window(chosen.lookups, chosen.throttle_window_s)
        self.dial_backs = Window(limits.DIAL_BACKS, limits.DIAL_BACK_WINDOW_S)
        self.staging_space = StagingSpace(chosen.staged_state_bytes)
        self.punches: Punches[Recipient] = Punches(entropy)
        self.second_port = 0  # where devices probe from the same port again; 0: nowhere
        self.splices = Splices(chosen, entropy, is_on=config.is_relay)
        self._monotonic = monotonic
        self._later = later
        self._most_sockets = most_sockets
        self.soon = soon
        self.spawn = spawn
        self.refusals = Refusals(self.now)

    # --- clocks

    def now(self) -> Monotonic:
        """Give the instant on the loop's clock."""
        return Monotonic(self._monotonic())

    @staticmethod
    def wall() -> UnixMillis:
        """Give the instant on the wall's clock."""
        return UnixMillis(time.time_ns() // 1_000_000)

    # --- sessions

    def arrived(self, session: Recipient) -> bool:
        """Count a session in; gives whether the system has room for it."""
        self.sessions.add(session)
        return len(self.sessions) <= self._most_sockets

    def gone(self, session: Recipient) -> None:
        """Forget a session whose connection ended."""
        self.sessions.discard(session)
        self._holding.discard(session)
        self.wheel.set(session, None)
        if not self.sessions and self.when_empty is not None:
            self.when_empty()

    def hold(self, session: Recipient) -> None:
        """Call a session's `release` when the moment of its changes has come, with all others'."""
        if not self._holding:
            self._later(limits.PRESENCE_COALESCE_S, self._release)
        self._holding.add(session)

    def _release(self) -> None:
        holding, self._holding = self._holding, set()
        for session in holding:
            session.release()

    # --- storage

    def submit(
        self,
        work: Work[T],
        done: Callable[[T], object],
        failed: Callable[[TrackerError], object],
    ) -> None:
        """Ask the storage; `done` or `failed` is called on the loop after the commit."""
        self.writer.submit(work, done, failed)

    def note(self, work: Work[object]) -> None:
        """Store what nobody waits for; the writer logs a failure."""
        self.writer.submit(work, lambda _: None, lambda _: None)

    def admit(self, link_key: LinkKey) -> Work[Caller]:
        """Give the work that finds out whose device has a link key."""
        return lambda store: accounts.admit(store, link_key)

    def expire_requests(self) -> None:
        """Forget friend requests, answers and mail that are too old."""
        now = self.wall()
        self.note(lambda store: store.expire(friends.expired_before(now)))
        self.note(lambda store: mailbox.expire(store, now))

    # --- effects

    def carry_out(self, effects: Iterable[Effect]) -> None:
        """Do what a service wanted done, after its commit."""
        for effect in effects:
            match effect:
                case Tell():
                    self.deliver(
                        self.roster.tell(effect.account, effect.message, effect.except_device)
                    )
                case TellDevice():
                    session = self.roster.session_of(effect.account, effect.device)
                    if session is not None:
                        session.tell(effect.message)
                case TellAll():
                    self.deliver(self.roster.tell_all(effect.accounts, effect.message))
                case Befriended():
                    self.deliver(self.roster.befriended(effect.one, effect.other))
                case Parted():
                    self.roster.parted(effect.one, effect.other)
                    self.splices.part(effect.one, effect.other)
                case AddressesPut():
                    self.deliver(
                        self.roster.put_addresses(effect.caller, effect.certificate, effect.signed)
                    )
                case CloseDevice():
                    self.splices.close_device(effect.device)
                    session = self.roster.session_of(effect.account, effect.device)
                    if session is not None:
                        session.close(effect.code)
                case EndLogins():
                    for login in list(self.logged_in.get(effect.account, ())):
                        login.close(Code.GOODBYE)
                case _:
                    raise AssertionError(effect)

    def deliver(self, deliveries: Iterable[Delivery[Recipient]]) -> None:
        """Hand records to their sessions."""
        for delivery in deliveries:
            delivery.session.push(delivery.record, delivery.key)

    def tell(self, account: AccountId, told: Told[Recipient]) -> None:
        """Deliver what a change of presence asks for, and remember when an account went away."""
        self.deliver(told.deliveries)
        last_seen = told.last_seen
        if last_seen is not None:
            self.note(lambda store: store.put_last_seen(account, last_seen))

    # --- limits

    def check_room(self, caller: Caller) -> None:
        """Raise TOO_MANY_CONNECTIONS if this device may not enter; one that is here may come back."""
        most = self.config.max_peers
        is_here = self.roster.session_of(caller.account, caller.device) is not None
        if most is not None and self.entered >= most and not is_here:
            raise TrackerError(
                Code.TOO_MANY_CONNECTIONS, f"this tracker takes {most} devices at once"
            )

    def count_lookup(self, address: str) -> None:
        """Count a question about a name; raises FLOOD when an address asks for too many."""
        self._count(self.lookups, address, Code.FLOOD, "too many names were asked for")

    def count_dial_back(self, device: DeviceId) -> None:
        """Count a device's wish to be dialled back; raises FLOOD when it asks too often."""
        self._count(self.dial_backs, device, Code.FLOOD, "this device was dialled back too often")

    def count_registration(self, address: str) -> None:
        """Count a registration; raises FLOOD when an address makes too many."""
        self._count(self.registrations, address, Code.FLOOD, "too many accounts were made")

    def count_login(self, name: AccountName, address: str) -> None:
        """Count an attempt before it is known to succeed; raises TOO_MANY_FAILURES."""
        what = "too many attempts failed"
        self._count(self.logins, (name, address), Code.TOO_MANY_FAILURES, what)

    def _count(self, window: Window, key: object, code: Code, what: str) -> None:
        now = self.now()
        wait_s = window.retry_after_s(key, now)
        if wait_s:
            raise TrackerError(
                code,
                f"{what}; try again in {wait_s} s",
                remedy=f"wait {wait_s} s",
                retry_after_s=wait_s,
            )
        window.count(key, now)
