"""Which request asks which service: one table, and the few lines around each service.

A handler checks what needs no storage (limits, roles of the session), submits one piece of work to the
writer, and answers after its commit. What a request may be asked in is the answerer's table in `wire`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracker import accounts, friends, held, introductions, mailbox, passwords, revoking, state
from tracker.asking import Handler, ask, serve
from tracker.config import Registration
from tracker.effects import Caller, Outcome
from tracker.errors import TrackerError
from tracker.hub import Hub
from tracker.seats import Word
from tracker.session import Session
from tracker.storage.port import Account, Store
from wire.codes import Code
from wire.machine import UnixMillis
from wire.messages import Message
from wire.messages.accounts import (
    AddDevice,
    AskKdf,
    AskState,
    ChangePassword,
    DeleteAccount,
    Enter,
    Entered,
    LogIn,
    LogOut,
    PutState,
    Register,
    RevokeDevice,
)
from wire.messages.friends import (
    AnswerFriend,
    AskFriend,
    AskUser,
    BlockUser,
    FriendAnswered,
    FriendAsked,
    RemoveFriend,
    TakeAnswer,
    UnblockUser,
)
from wire.messages.held import AskAccount, AskHeldDevices, AskHeldPeople
from wire.messages.mailbox import (
    AskKept,
    AskMail,
    AskPrekeys,
    Deposit,
    MailboxState,
    PutPrekeys,
    TakeMail,
)
from wire.messages.presence import SetIdle, SetPresence
from wire.messages.reach import (
    AskDialBack,
    AskDirectory,
    AskProbe,
    AskPunch,
    AskRelay,
    PutAddresses,
)
from wire.messages.session import Done


def handle(hub: Hub, session: Session, message: Message) -> None:
    """Carry out one request; every request gets exactly one answer, a refusal included."""
    handler = HANDLERS.get(type(message))
    if handler is None:
        raise AssertionError(f"no handler for {type(message).__name__}")
    try:
        handler(hub, session, message)
    except TrackerError as error:
        session.refuse(message, error)  # type: ignore[arg-type]


# --- before a device is known


def on_ask_kdf(hub: Hub, session: Session, message: AskKdf) -> None:
    """Answer how a password becomes keys."""
    hub.count_lookup(session.address)
    serve(hub, session, message, lambda store: accounts.ask_kdf(store, message))


def on_register(hub: Hub, session: Session, message: Register) -> None:
    """Make an account, if this tracker takes any."""
    if hub.config.registration is Registration.CLOSED:
        raise TrackerError(Code.REGISTRATION_CLOSED)
    hub.count_registration(session.address)
    channel, now = session.channel, hub.wall()
    serve(hub, session, message, lambda store: accounts.register(store, message, channel, now))


def on_log_in(hub: Hub, session: Session, message: LogIn) -> None:
    """Check a password; attempts are counted first, so that many at once gain nothing."""
    hub.count_login(message.name, session.address)
    channel = session.channel

    def done(found: tuple[Account, Outcome]) -> None:
        account, outcome = found
        hub.logins.forget((message.name, session.address))
        session.log_in(account.id)
        session.answer(outcome.answer)

    ask(hub, session, message, lambda store: accounts.log_in(store, message, channel), done)


def on_add_device(hub: Hub, session: Session, message: AddDevice) -> None:
    """Add this link's device to the account that just logged in."""
    account, channel, now = session.account, session.channel, hub.wall()
    serve(
        hub,
        session,
        message,
        lambda store: accounts.add_device(store, account, message, channel, now),
    )


def on_change_password(hub: Hub, session: Session, message: ChangePassword) -> None:
    """Put another password in place of the one this session proved."""
    account, channel, now = session.account, session.channel, hub.wall()
    serve(
        hub,
        session,
        message,
        lambda store: passwords.change_password(store, account, message, channel, now),
    )


def on_delete_account(hub: Hub, session: Session, message: DeleteAccount) -> None:
    """Remove the account whose password this session proved."""
    account, channel = session.account, session.channel
    serve(
        hub,
        session,
        message,
        lambda store: passwords.delete_account(store, account, message, channel),
    )


def on_revoke_device(hub: Hub, session: Session, message: RevokeDevice) -> None:
    """Take devices off the account whose password this session proved."""
    account, now = session.account, hub.wall()
    serve(
        hub,
        session,
        message,
        lambda store: revoking.revoke_device(store, account, message, now),
    )


# --- entering


def on_enter(hub: Hub, session: Session, message: Enter) -> None:
    """Begin the session of a known device: answer, friend list, what waits, where friends are."""
    caller, now = session.caller, hub.wall()
    hub.check_room(caller)
    before = friends.expired_before(now)

    def done(found: tuple[accounts.Snapshot, MailboxState]) -> None:
        if session.is_closed:
            return
        _seat(hub, session, message, *found)

    def work(store: Store) -> tuple[accounts.Snapshot, MailboxState]:
        return accounts.enter(store, caller, before, now), mailbox.state(store, caller.device)

    ask(hub, session, message, work, done)


def _seat(
    hub: Hub, session: Session, message: Enter, snapshot: accounts.Snapshot, mail: MailboxState
) -> None:
    caller = session.caller
    earlier = hub.roster.session_of(caller.account, caller.device)
    word = Word(message.show, message.presence_text, message.until)  # type: ignore[arg-type]
    pages, more, told = hub.roster.enter(
        caller,
        session,
        snapshot,
        word,
        is_unseen=message.is_unseen,
        is_idle=message.is_idle,
        now=hub.wall(),
    )
    session.enter(is_unseen=message.is_unseen)
    if earlier is not None:
        earlier.close(Code.LINK_REPLACED)
    account = snapshot.account
    session.answer(
        Entered(
            message.request,
            account.name,
            account.device_list,
            account.vault_counter,
            snapshot.state_version,
            session.host[:64],
            session.port,
        )
    )
    for record in pages:
        session.push(record, None)
    for request in snapshot.requests:
        session.tell(FriendAsked(request.name, request.signed, request.at))
    for answer in snapshot.answers:
        session.tell(FriendAnswered(answer.name, answer.is_yes, answer.signed, answer.at))
    for record in more:
        session.push(record, None)
    session.tell(mail)
    hub.tell(account.id, told)


def on_log_out(hub: Hub, session: Session, message: LogOut) -> None:
    """Take the device's right to enter, and end its session."""
    caller = session.caller

    def done(outcome: Outcome) -> None:
        session.answer(outcome.answer)
        hub.carry_out(outcome.effects)
        session.close(Code.GOODBYE)

    ask(hub, session, message, lambda store: accounts.log_out(store, caller, message), done)


# --- account state


def on_put_state(hub: Hub, session: Session, message: PutState) -> None:
    """Take one page of the account state; the last one applies them all."""
    caller = session.caller
    content = session.staging.take(message)
    if content is None:
        session.answer(Done(message.request))
        return
    serve(hub, session, message, lambda store: state.put_state(store, caller, message, content))


def on_ask_state(hub: Hub, session: Session, message: AskState) -> None:
    """Give one page of the account state."""
    account = session.account
    serve(hub, session, message, lambda store: state.ask_state(store, account, message))


# --- presence


def on_set_presence(hub: Hub, session: Session, message: SetPresence) -> None:
    """Show something else from now on."""
    told = hub.roster.set_presence(session.caller, message, hub.wall())
    session.answer(Done(message.request))
    hub.tell(session.caller.account, told)


def on_set_idle(hub: Hub, session: Session, message: SetIdle) -> None:
    """Take note that a person uses the device, or stopped."""
    told = hub.roster.set_idle(session.caller, session, is_idle=message.is_idle, now=hub.wall())
    session.answer(Done(message.request))
    hub.tell(session.caller.account, told)


# --- friends


def on_ask_user(hub: Hub, session: Session, message: AskUser) -> None:
    """Say whether a name exists."""
    hub.count_lookup(session.address)
    serve(hub, session, message, lambda store: accounts.ask_user(store, message))


def on_ask_friend(hub: Hub, session: Session, message: AskFriend) -> None:
    """Carry a friend request."""
    hub.count_lookup(session.address)
    caller, now = session.caller, hub.wall()
    serve(hub, session, message, lambda store: friends.ask_friend(store, caller, message, now))


def on_answer_friend(hub: Hub, session: Session, message: AnswerFriend) -> None:
    """Carry an answer back."""
    caller, now = session.caller, hub.wall()
    serve(hub, session, message, lambda store: friends.answer_friend(store, caller, message, now))


def on_block_user(hub: Hub, session: Session, message: BlockUser) -> None:
    """Keep somebody away."""
    hub.count_lookup(session.address)
    caller, now = session.caller, hub.wall()
    serve(hub, session, message, lambda store: friends.block_user(store, caller, message, now))


def _of_caller(
    service: Callable[[Store, Caller, Any], Outcome],
) -> Handler:
    """Make the handler of a service that needs nothing but the caller and the message."""

    def on_message(hub: Hub, session: Session, message: Any) -> None:
        caller = session.caller
        serve(hub, session, message, lambda store: service(store, caller, message))

    return on_message


def _of_caller_now(
    service: Callable[[Store, Caller, Any, UnixMillis], Outcome],
) -> Handler:
    """Make the handler of a service that needs the caller, the message and the time of day."""

    def on_message(hub: Hub, session: Session, message: Any) -> None:
        caller, now = session.caller, hub.wall()
        serve(hub, session, message, lambda store: service(store, caller, message, now))

    return on_message


HANDLERS: dict[type[Message], Handler] = {
    AskKdf: on_ask_kdf,
    Register: on_register,
    LogIn: on_log_in,
    AddDevice: on_add_device,
    ChangePassword: on_change_password,
    DeleteAccount: on_delete_account,
    RevokeDevice: on_revoke_device,
    Enter: on_enter,
    LogOut: on_log_out,
    PutState: on_put_state,
    AskState: on_ask_state,
    SetPresence: on_set_presence,
    SetIdle: on_set_idle,
    PutAddresses: introductions.on_put_addresses,
    AskDirectory: introductions.on_ask_directory,
    AskRelay: introductions.on_ask_relay,
    AskPunch: introductions.on_ask_punch,
    AskProbe: introductions.on_ask_probe,
    AskDialBack: introductions.on_ask_dial_back,
    AskUser: on_ask_user,
    AskFriend: on_ask_friend,
    AnswerFriend: on_answer_friend,
    BlockUser: on_block_user,
    TakeAnswer: _of_caller(friends.take_answer),
    RemoveFriend: _of_caller(friends.remove_friend),
    UnblockUser: _of_caller(friends.unblock_user),
    AskAccount: _of_caller(held.ask_account),
    AskHeldDevices: _of_caller(held.ask_held_devices),
    AskHeldPeople: _of_caller(held.ask_held_people),
    PutPrekeys: _of_caller(mailbox.put_prekeys),
    AskPrekeys: _of_caller_now(mailbox.ask_prekeys),
    Deposit: _of_caller_now(mailbox.deposit),
    AskMail: _of_caller(mailbox.ask_mail),
    TakeMail: _of_caller(mailbox.take_mail),
    AskKept: _of_caller(mailbox.ask_kept),
}
