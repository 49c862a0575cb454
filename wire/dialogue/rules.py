"""Which request may come when, and what answers it: tables only.

A request that is absent in a state is the other side's error; an answer that is absent is the tracker's.
Every request may be answered by Refused as well.
"""

from __future__ import annotations

import enum

from msgspec import Struct

from wire.messages import Message
from wire.messages.accounts import (
    AddDevice,
    AskKdf,
    AskState,
    ChangePassword,
    DeleteAccount,
    Enter,
    Entered,
    Kdf,
    LoggedIn,
    LogIn,
    LogOut,
    PutState,
    Register,
    RevokeDevice,
    State,
    StatePut,
)
from wire.messages.friends import (
    AnswerFriend,
    AskFriend,
    AskUser,
    BlockUser,
    RemoveFriend,
    TakeAnswer,
    UnblockUser,
    User,
)
from wire.messages.held import (
    Account,
    AskAccount,
    AskHeldDevices,
    AskHeldPeople,
    HeldDevices,
    HeldPeople,
)
from wire.messages.mailbox import (
    AskKept,
    AskMail,
    AskPrekeys,
    Deposit,
    Kept,
    Mail,
    Prekeys,
    PrekeysHeld,
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
    DialledBack,
    Directory,
    Probe,
    Punch,
    PutAddresses,
    Relay,
)
from wire.messages.session import Done


class SessionState(enum.Enum):
    """What a tracker knows about who is at the other end of a link."""

    ANONYMOUS = "anonymous"  # nobody has proven anything
    AUTHENTICATED = "authenticated"  # the password of an account was proven; no device yet
    KNOWN = "known"  # a device of an account, by its link key
    ENTERED = "entered"  # and its session has begun


class Rule(Struct, frozen=True):
    """Where one request belongs: the states in which it is legal, and what answers it."""

    states: frozenset[SessionState]
    answers: tuple[type[Message], ...]


def _in(state: SessionState, *answers: type[Message]) -> Rule:
    return Rule(frozenset({state}), answers)


_ANONYMOUS = SessionState.ANONYMOUS
_AUTHENTICATED = SessionState.AUTHENTICATED
_ENTERED = SessionState.ENTERED

REQUESTS: dict[type[Message], Rule] = {
    AskKdf: _in(_ANONYMOUS, Kdf),
    LogIn: _in(_ANONYMOUS, LoggedIn),
    Register: _in(_ANONYMOUS, Done),
    AddDevice: _in(_AUTHENTICATED, Done),
    ChangePassword: _in(_AUTHENTICATED, Done),
    DeleteAccount: _in(_AUTHENTICATED, Done),
    RevokeDevice: _in(_AUTHENTICATED, Done),
    AskState: Rule(frozenset({_AUTHENTICATED, _ENTERED}), (State,)),
    Enter: _in(SessionState.KNOWN, Entered),
    LogOut: _in(_ENTERED, Done),
    PutState: _in(_ENTERED, Done, StatePut),
    SetPresence: _in(_ENTERED, Done),
    SetIdle: _in(_ENTERED, Done),
    AskUser: _in(_ENTERED, User),
    AskFriend: _in(_ENTERED, Done),
    AnswerFriend: _in(_ENTERED, Done),
    TakeAnswer: _in(_ENTERED, Done),
    RemoveFriend: _in(_ENTERED, Done),
    BlockUser: _in(_ENTERED, Done),
    UnblockUser: _in(_ENTERED, Done),
    PutAddresses: _in(_ENTERED, Done),
    AskDirectory: _in(_ENTERED, Directory),
    AskRelay: _in(_ENTERED, Relay),
    AskPunch: _in(_ENTERED, Punch),
    AskProbe: _in(_ENTERED, Probe),
    AskDialBack: _in(_ENTERED, DialledBack),
    PutPrekeys: _in(_ENTERED, PrekeysHeld),
    AskPrekeys: _in(_ENTERED, Prekeys),
    Deposit: _in(_ENTERED, Done),
    AskMail: _in(_ENTERED, Mail),
    TakeMail: _in(_ENTERED, Done),
    AskKept: _in(_ENTERED, Kept),
    AskAccount: _in(_ENTERED, Account),
    AskHeldDevices: _in(_ENTERED, HeldDevices),
    AskHeldPeople: _in(_ENTERED, HeldPeople),
}
"""Every request there is."""

LEGAL: dict[SessionState, frozenset[type[Message]]] = {
    state: frozenset(request for request, rule in REQUESTS.items() if state in rule.states)
    for state in SessionState
}
"""The same by state: what may be asked there."""
