"""Requests by which devices find each other: addresses, the directory, the relay.

Handlers of `dispatch`; who may know of whom is asked of `directory` and of the roster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracker import directory
from tracker.asking import ask, serve
from tracker.errors import TrackerError
from tracker.storage.port import Account, AccountId
from wire.codes import Code
from wire.messages.reach import (
    AskDirectory,
    AskRelay,
    Directory,
    PutAddresses,
    Relay,
    RelayOffered,
)

if TYPE_CHECKING:
    from tracker.hub import Hub
    from tracker.session import Session


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

    def done(account: Account) -> None:
        other = hub.roster.visible_session(caller.account, account.id, message.device)
        if other is None or other is session:
            session.refuse(message, TrackerError(Code.NOT_ONLINE))
            return
        try:
            mine, theirs = hub.splices.open(
                caller, (account.id, message.device), hub.now(), hub.wall()
            )
        except TrackerError as error:
            session.refuse(message, error)
            return
        other.tell(RelayOffered(caller.name, caller.device, message.purpose, theirs))
        session.answer(Relay(message.request, mine))

    ask(hub, session, message, lambda s: directory.near_account(s, caller, message.name), done)
