"""The door of a peer: commands and queries in, results and events out, all plain frozen values.

Faces (command line, terminal, web) know this module and nothing behind it. It imports the standard
library only, because `hobnob status` with a node up is a socket, some JSON and this file, and has to
answer in less time than it takes to import the rest. Field names of results are the JSON fields that
the contract of the command line promises; None stands for null.

`need` says how a verb runs when no node is up for its home: from the STORE alone, on a BRIEF node that
logs in unseen, does its thing and ends, or on a FULL node until it is done.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import ClassVar


class Need(enum.Enum):
    """What has to run so that a command can be carried out."""

    STORE = "store"
    BRIEF = "brief"
    FULL = "full"


@dataclass(frozen=True, slots=True)
class Command:
    """Something a face asks for; the subclasses are the closed list."""

    need: ClassVar[Need] = Need.BRIEF


# --- account ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Register(Command):
    """Make an account; without a tracker a local one. Gives one AccountMade."""

    name: str
    password: str
    tracker: str | None = None
    invite: str | None = None
    recovery_key: str | None = None  # hex, 16 bytes
    unsealed: bool = False
    device_name: str | None = None


@dataclass(frozen=True, slots=True)
class LogIn(Command):
    """Make this machine a device of an account that exists. Gives one AccountMade."""

    name: str
    password: str
    tracker: str
    device_name: str | None = None
    recovery_key: str | None = None
    unsealed: bool = False


@dataclass(frozen=True, slots=True)
class LogOut(Command):
    """Sign this device off at the tracker; `forget` wipes the home. Gives one Nothing."""

    forget: bool = False


@dataclass(frozen=True, slots=True)
class WhoAmI(Command):
    """Gives one Account."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class GetStatus(Command):
    """Gives one Status."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class WatchEvents(Command):
    """Gives every Event from now on until the caller leaves."""

    need: ClassVar[Need] = Need.FULL


# --- friends ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GetFriendCode(Command):
    """Gives one FriendCode."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class AddFriend(Command):
    """Ask somebody by name or friend code. Gives one FriendAdded."""

    who: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class ListFriendRequests(Command):
    """Gives a FriendRequest each."""


@dataclass(frozen=True, slots=True)
class AnswerFriend(Command):
    """Accept or reject a waiting request. Gives one FriendAdded (accepted) or Nothing."""

    name: str
    accept: bool


@dataclass(frozen=True, slots=True)
class ListFriends(Command):
    """Gives a Friend each."""

    online_only: bool = False


@dataclass(frozen=True, slots=True)
class RemoveFriend(Command):
    """End a friendship or withdraw a request. Gives one Nothing."""

    name: str


@dataclass(frozen=True, slots=True)
class BlockFriend(Command):
    """Block, or with `blocked` False unblock, a person. Gives one Nothing."""

    name: str
    blocked: bool = True


@dataclass(frozen=True, slots=True)
class SetPresence(Command):
    """Show something else. Gives one Presence."""

    presence: str  # available, away, busy, invisible
    text: str = ""
    for_s: float | None = None


# --- messages --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendText(Command):
    """Say something to a friend. Gives one MessageState.

    wait_s: how long to stay for `delivered`; None lets the contract's default decide (no wait with a
    node up, else until sent or delivered, at most 10 s).
    """

    to: str
    text: str
    reply_to: str | None = None
    wait_s: float | None = None


@dataclass(frozen=True, slots=True)
class ReadMessages(Command):
    """Gives a Message each, oldest first, and marks them as read; `follow` goes on as they arrive.

    Runs on a FULL node when `follow` is set, see `need_of`.
    """

    need: ClassVar[Need] = Need.STORE
    to: str | None = None  # None: all conversations
    unread_only: bool = False
    limit: int | None = None  # the newest N
    follow: bool = False


@dataclass(frozen=True, slots=True)
class GetHistory(Command):
    """Gives a Message each, oldest first, and marks nothing."""

    need: ClassVar[Need] = Need.STORE
    to: str = ""
    limit: int | None = None


# --- files -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfferFiles(Command):
    """Offer files and folders to friends. Gives one OfferMade; with `wait`, Transfers until all ended.

    paths: absolute. Runs on a FULL node when `wait` is set, see `need_of`.
    """

    to: tuple[str, ...]
    paths: tuple[str, ...]
    name: str | None = None
    wait: bool = False
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class ListOffers(Command):
    """Gives an Offer each, both directions."""

    need: ClassVar[Need] = Need.STORE


@dataclass(frozen=True, slots=True)
class AcceptOffer(Command):
    """Take an offer; `folder` is absolute. Gives one Offer after the commit.

    Without a node of its own the caller stays (`wait`) until the transfer ended and gets Transfers too.
    """

    need: ClassVar[Need] = Need.FULL
    offer: str
    folder: str | None = None
    wait: bool = False


@dataclass(frozen=True, slots=True)
class DeclineOffer(Command):
    """Refuse an offer. Gives one Offer."""

    offer: str


@dataclass(frozen=True, slots=True)
class ListTransfers(Command):
    """Gives a Transfer each; `follow` goes on with every change, on a FULL node."""

    need: ClassVar[Need] = Need.STORE
    follow: bool = False


def need_of(command: Command) -> Need:
    """Say what has to run for this very command: following and waiting need a FULL node."""
    if getattr(command, "follow", False) or (isinstance(command, OfferFiles) and command.wait):
        return Need.FULL
    return command.need


COMMANDS: dict[str, type[Command]] = {
    cls.__name__: cls
    for cls in (
        Register,
        LogIn,
        LogOut,
        WhoAmI,
        GetStatus,
        WatchEvents,
        GetFriendCode,
        AddFriend,
        ListFriendRequests,
        AnswerFriend,
        ListFriends,
        RemoveFriend,
        BlockFriend,
        SetPresence,
        SendText,
        ReadMessages,
        GetHistory,
        OfferFiles,
        ListOffers,
        AcceptOffer,
        DeclineOffer,
        ListTransfers,
    )
}
"""Every command by its name: what the control socket takes, and nothing else."""


# --- results ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Result:
    """Something a command gives; the subclasses are the closed list."""


@dataclass(frozen=True, slots=True)
class Nothing(Result):
    """It is done and there is nothing to tell."""


@dataclass(frozen=True, slots=True)
class AccountMade(Result):
    """The account this home has now."""

    account: str
    tracker: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Account(Result):
    """Who this home is."""

    account: str
    tracker: str | None
    fingerprint: str
    code: str
    device: str
    devices: list[dict[str, object]]  # {"device", "name", "this", "revoked", "added"}
    sealed: str  # password, none
    logged_in: bool


@dataclass(frozen=True, slots=True)
class LinkStatus(Result):
    """One friend's link in Status."""

    friend: str
    device: str | None
    path: str  # lan, direct, mapped, reverse, punched, relayed, none
    verified: bool
    rtt_ms: float | None
    since: str | None
    why_not_better: str | None


@dataclass(frozen=True, slots=True)
class TrackerStatus(Result):
    """The tracker link in Status."""

    state: str  # online, connecting, offline, refused
    address: str | None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Transfer(Result):
    """One transfer: an offer and a friend."""

    id: str
    offer: str
    direction: str  # in, out
    friend: str
    name: str
    saved_as: str | None
    files: int
    files_done: int
    skipped: list[dict[str, str]]  # {"path", "reason"}
    place: int | None
    bytes: int
    verified_bytes: int
    resent_bytes: int
    rate: float | None  # bytes per second
    eta: float | None  # seconds
    state: str  # waiting, running, paused, done, declined, cancelled, failed
    reason: str | None
    path: str | None
    error: dict[str, str] | None  # {"code", "message", "remedy"}


@dataclass(frozen=True, slots=True)
class Status(Result):
    """The tracker link, every friend's link and every transfer that has not ended."""

    account: str | None
    node: str  # up, down
    pid: int | None
    listen: list[str]
    tracker: TrackerStatus
    links: list[LinkStatus]
    transfers: list[Transfer]
    waiting: list[str]  # what waits for the tracker, in words


@dataclass(frozen=True, slots=True)
class FriendCode(Result):
    """My friend code."""

    code: str


@dataclass(frozen=True, slots=True)
class FriendAdded(Result):
    """How far a friendship has come."""

    friend: str
    state: str  # asked, friends


@dataclass(frozen=True, slots=True)
class FriendRequest(Result):
    """A request that waits for an answer."""

    friend: str
    direction: str  # in, out
    fingerprint: str | None
    note: str
    at: str


@dataclass(frozen=True, slots=True)
class Friend(Result):
    """One friend with presence."""

    friend: str
    presence: str  # available, away, busy, offline
    text: str
    verified: bool
    devices: int
    last_seen: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Presence(Result):
    """What I show now."""

    presence: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageState(Result):
    """A message of mine and how far it came."""

    id: str
    state: str  # queued, sent, delivered, read, failed


@dataclass(frozen=True, slots=True)
class Message(Result):
    """One line of a conversation."""

    kind: str  # message, gap, notice
    id: str
    conversation: str
    to: str  # the friend's name
    sender: str  # `from` in JSON
    device: str
    at: str
    text: str
    state: str | None  # of own messages
    edited: bool
    reply_to: str | None
    clock_off: bool  # wall time is more than ten minutes off: the time is a claim


@dataclass(frozen=True, slots=True)
class OfferMade(Result):
    """An offer of mine that is committed."""

    offer: str
    files: int
    bytes: int
    skipped: list[dict[str, str]]
    leaves_when_up: bool  # no node is up: the files leave when one is


@dataclass(frozen=True, slots=True)
class Offer(Result):
    """One offer in one conversation."""

    offer: str
    direction: str  # in, out
    conversation: str
    friend: str
    sender: str  # `from` in JSON
    name: str
    files: int
    bytes: int
    state: str  # offered, accepted, declined, withdrawn, done
    at: str


@dataclass(frozen=True, slots=True)
class Event(Result):
    """Something happened in the node.

    event: `ready`, or one of EVENT_KINDS. body: the fields of that kind, in JSON's terms.
    """

    event: str
    body: dict[str, object]


EVENT_KINDS = (
    "message",
    "receipt",
    "presence",
    "friend-request",
    "friend",
    "offer",
    "transfer",
    "link",
    "notice",
)
"""The closed list of events that `hobnob up --json` prints after `ready`."""

_RENAMED = {"sender": "from"}


def as_json(result: Result) -> dict[str, object]:
    """Give the JSON object of a result: its fields, `sender` as `from`, an Event's body spread out."""
    if isinstance(result, Event):
        return {"event": result.event, **result.body}
    fields: dict[str, object] = {}
    for name in result.__slots__:
        fields[_RENAMED.get(name, name)] = _plain(getattr(result, name))
    return fields


def _plain(value: object) -> object:
    if isinstance(value, Result):
        return as_json(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
