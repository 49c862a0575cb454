"""Requests by which devices find each other: addresses, the directory, the relay.

Handlers of `dispatch`; who may know of whom is asked of `directory` and of the roster.
"""

from __future__ import annotations

from collections.abc import Callable

from tracker import directory
from tracker.asking import ask, serve
from tracker.dialback import dial_back
from tracker.errors import TrackerError
from tracker.hub import Hub, Recipient
from tracker.session import Session
from tracker.storage.port import Account, AccountId
from wire.codes import Code
from wire.messages import Message
from wire.messages.reach import (
    AskDialBack,
    AskDirectory,
    AskProbe,
    AskPunch,
    AskRelay,
    DialledBack,
    Directory,
    Probe,
    Punch,
    PunchOffered,
    PutAddresses,
    Relay,
    RelayOffered,
)


def on_put_addresses(hub: Hub, session: Session, message: PutAddresses) -> None:
    """Publish where a device can be dialled."""
    if session.is_unseen:
        raise TrackerError(Code.NOT_NOW, "an unseen session publishes no addresses")
    caller = session.caller
    serve(hub, session, message, lambda store: directory.put_addresses(store, caller, message))


def on_ask_directory(hub: Hub, session: Session, message: AskDirectory) -> None:
    """Tell a friend where somebody's devices are; not counted, strangers learn nothing by it."""
    caller = session.caller

    def done(found: tuple[AccountId, Directory]) -> None:
        session.answer(hub.roster.mark_online(*found))

    ask(hub, session, message, lambda store: directory.ask_directory(store, caller, message), done)


def on_ask_relay(hub: Hub, session: Session, message: AskRelay) -> None:
    """Give a ticket to the asker, and one to the device it wants to meet."""
    caller = session.caller
    hub.splices.books.check_on()

    def meet(account: AccountId, other: Recipient) -> Message:
        place = (account, message.device)
        mine, theirs = hub.splices.open(caller, place, hub.now(), hub.wall())
        other.tell(RelayOffered(caller.name, caller.device, message.purpose, theirs))
        return Relay(message.request, mine)

    _introduce(hub, session, message, meet)


def on_ask_punch(hub: Hub, session: Session, message: AskPunch) -> None:
    """Have two devices probe this tracker, so that each can be told where the other is seen."""
    caller = session.caller

    def meet(_: AccountId, other: Recipient) -> Message:
        mine, theirs = _tickets(hub, session, other)
        purpose, second = message.purpose, hub.second_port
        other.tell(PunchOffered(caller.name, caller.device, purpose, theirs, second))
        return Punch(message.request, mine, second)

    _introduce(hub, session, message, meet)


def on_ask_probe(hub: Hub, session: Session, message: AskProbe) -> None:
    """Have a device probe this tracker, so that it learns how its router maps it."""
    (ticket,) = _tickets(hub, session)
    session.answer(Probe(message.request, ticket, hub.second_port))


def on_ask_dial_back(hub: Hub, session: Session, message: AskDialBack) -> None:
    """Dial the address that the asker comes from, and say whether something answered there."""
    hub.count_dial_back(session.caller.device)

    async def dial() -> None:
        is_reached = await dial_back(session.host, message.port, message.nonce)
        session.answer(DialledBack(message.request, is_reached))

    hub.spawn(dial())


def _tickets(hub: Hub, *sessions: Recipient) -> tuple[bytes, ...]:
    tickets = hub.punches.open(sessions, hub.now())
    if tickets is None:
        raise TrackerError(Code.TOO_MANY_REQUESTS)
    return tickets


def _introduce(
    hub: Hub,
    session: Session,
    message: AskRelay | AskPunch,
    meet: Callable[[AccountId, Recipient], Message],
) -> None:
    """Answer with what `meet` gives for the other device's session, if the caller may know of it."""
    caller = session.caller

    def done(account: Account) -> None:
        other = hub.roster.visible_session(caller.account, account.id, message.device)
        try:
            if other is None or other is session:
                raise TrackerError(Code.NOT_ONLINE)
            session.answer(meet(account.id, other))
        except TrackerError as error:
            session.refuse(message, error)

    ask(hub, session, message, lambda s: directory.near_account(s, caller, message.name), done)
