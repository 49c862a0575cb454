"""What a face may ask for: the closed list of commands and queries, and what each needs to run."""

from __future__ import annotations

from typing import ClassVar

from peer.api.account import (
    ChangePassword,
    DeleteAccount,
    ExportProfile,
    ImportProfile,
    ListDevices,
    LogIn,
    LogOut,
    Register,
    RevokeDevice,
    SaveAccount,
    ShareHistory,
)
from peer.api.command import Command, Need
from peer.api.reach import ListShownTo
from peer.api.running import Diagnose, GetStatus, GiveWay, WatchEvents, WhoAmI
from peer.api.talk import (
    DeleteText,
    EditText,
    ForwardText,
    KeepDraft,
    MuteFriend,
    PinText,
    React,
    SendTyping,
)

# --- friends ---------------------------------------------------------------------------------------


class GetFriendCode(Command, frozen=True):
    """Gives one FriendCode."""

    need: ClassVar[Need] = Need.STORE


class OpenLan(Command, frozen=True):
    """Take requests of people on the local network who hold our friend code, for a while. Gives one FriendCode.

    stays: until then, and not only as long as the node runs anyhow.
    """

    need: ClassVar[Need] = Need.FULL
    stays: bool = False


class AddFriend(Command, frozen=True):
    """Ask somebody by name or friend code. Gives one FriendAdded.

    at: HOST:PORT where the holder of the code is, None to ask by the tracker or look on the local network.
    """

    who: str
    note: str = ""
    at: str | None = None


class DialFriend(Command, frozen=True):
    """Dial a friend's devices at HOST:PORT. Gives one FriendDialled."""

    name: str
    at: str


class ListFriendRequests(Command, frozen=True):
    """Gives a FriendRequest each."""


class AnswerFriend(Command, frozen=True):
    """Accept or reject a waiting request. Gives one FriendAdded (accepted) or Nothing."""

    name: str
    accept: bool


class ListFriends(Command, frozen=True):
    """Gives a Friend each."""

    online_only: bool = False


class VerifyFriend(Command, frozen=True):
    """Give the safety number with a friend; with `number` compare it and mark the friend. Gives one SafetyNumber.

    Without a number the store alone answers, see `need_of`.
    """

    name: str
    number: str | None = None  # 60 digits, spaces do not matter


class AcceptKey(Command, frozen=True):
    """Pin the key that a person shows now, by its whole fingerprint. Gives one KeyAccepted."""

    name: str
    fingerprint: str


class RemoveFriend(Command, frozen=True):
    """End a friendship or withdraw a request. Gives one Nothing."""

    name: str


class BlockFriend(Command, frozen=True):
    """Block, or with `blocked` False unblock, a person. Gives one Nothing."""

    name: str
    blocked: bool = True


class SetPresence(Command, frozen=True):
    """Show something else. Gives one Presence."""

    presence: str  # available, away, busy, invisible
    text: str = ""
    for_s: float | None = None


# --- messages --------------------------------------------------------------------------------------


class SendText(Command, frozen=True):
    """Say something to a friend. Gives one MessageState.

    wait_s: how long to stay for `delivered`; None lets the contract's default decide (no wait with a
    node up, else until sent or delivered, at most 10 s). is_sent_enough: `sent` ends the wait as well.
    """

    to: str
    text: str
    reply_to: str | None = None
    wait_s: float | None = None
    is_sent_enough: bool = False


class RetryText(Command, frozen=True):
    """Give a message that failed another 30 days. Gives one MessageState; others are left as they are."""

    id: str
    wait_s: float | None = None  # as for SendText
    is_sent_enough: bool = False  # as for SendText


class ReadMessages(Command, frozen=True):
    """Gives a Message each, oldest first, and marks them as read; `follow` goes on as they arrive.

    Runs on a FULL node when `follow` is set, see `need_of`.
    """

    need: ClassVar[Need] = Need.STORE
    to: str | None = None  # None: all conversations
    unread_only: bool = False
    limit: int | None = None  # the newest N
    follow: bool = False
    before: str | None = None  # only what stands before that line, or was said before that date


class GetHistory(Command, frozen=True):
    """Gives a Message each, oldest first, and marks nothing."""

    need: ClassVar[Need] = Need.STORE
    to: str = ""
    limit: int | None = None
    before: str | None = None  # as for ReadMessages


class SearchMessages(Command, frozen=True):
    """Gives a Found each, the newest first, and marks nothing.

    text: words, each found where a word begins so, or several in a row between quotation marks. friend: in
    talk with them alone. before: the id of a line; only what was said before it.
    """

    need: ClassVar[Need] = Need.STORE
    text: str
    friend: str | None = None
    limit: int = 20
    before: str | None = None


# --- files -----------------------------------------------------------------------------------------


class OfferFiles(Command, frozen=True):
    """Offer files and folders to friends. Gives one OfferMade; with `wait` Transfers too, until all ended.

    paths: absolute. timeout_s: bounds `wait`; then NOT_DONE_YET. Waiting runs on a FULL node, see
    `need_of`.
    """

    to: tuple[str, ...]
    paths: tuple[str, ...]
    name: str | None = None
    wait: bool = False
    timeout_s: float | None = None


class ListOffers(Command, frozen=True):
    """Gives an Offer each, both directions, oldest first."""

    need: ClassVar[Need] = Need.STORE


class AcceptOffer(Command, frozen=True):
    """Take an offer. Gives one Offer after the commit; with `wait` Transfers too, until it ended.

    folder: absolute; None for the downloads folder. wait: for whoever runs the node for this alone.
    """

    need: ClassVar[Need] = Need.FULL
    offer: str
    folder: str | None = None
    wait: bool = False


class DeclineOffer(Command, frozen=True):
    """Refuse an offer. Gives one Offer."""

    offer: str


class WithdrawOffer(Command, frozen=True):
    """Take an own offer back from all who do not have it. Gives an Offer for each friend it was made to."""

    offer: str


class CancelTransfer(Command, frozen=True):
    """Call a transfer off, from either side. Gives one Transfer."""

    id: str


class PauseTransfer(Command, frozen=True):
    """Hold a transfer until it is resumed. Gives one Transfer."""

    id: str


class ResumeTransfer(Command, frozen=True):
    """Let a transfer go on that was held. Gives one Transfer."""

    id: str


class ListTransfers(Command, frozen=True):
    """Gives a Transfer each, oldest first; `follow` goes on with every change, on a FULL node."""

    need: ClassVar[Need] = Need.STORE
    follow: bool = False


# --- settings --------------------------------------------------------------------------------------


class ListSettings(Command, frozen=True):
    """Gives a Setting each: every key, then what was set for single friends."""

    need: ClassVar[Need] = Need.STORE


class GetSetting(Command, frozen=True):
    """Gives one Setting: what holds, for a friend if one is named."""

    need: ClassVar[Need] = Need.STORE
    key: str
    friend: str | None = None


class SetSetting(Command, frozen=True):
    """Set a key for all, or for one friend; `default` takes back what was set. Gives one Setting."""

    need: ClassVar[Need] = Need.STORE
    key: str
    value: str
    friend: str | None = None


class SetAcceptPolicy(Command, frozen=True):
    """Say who may send without asking, for all or for one friend. Gives one AcceptPolicy."""

    need: ClassVar[Need] = Need.STORE
    policy: str  # ask, auto, never
    friend: str | None = None
    max_size: str | None = None
    types: str | None = None


def need_of(command: Command) -> Need:
    """Say what has to run for this very command: following and waiting need a FULL node, showing less."""
    if getattr(command, "follow", False) or (isinstance(command, OfferFiles) and command.wait):
        return Need.FULL
    if isinstance(command, VerifyFriend) and command.number is None:
        return Need.STORE
    return command.need


COMMANDS: dict[str, type[Command]] = {
    cls.__name__: cls
    for cls in (
        Register,
        LogIn,
        LogOut,
        ChangePassword,
        DeleteAccount,
        SaveAccount,
        ExportProfile,
        ImportProfile,
        ListDevices,
        RevokeDevice,
        WhoAmI,
        GetStatus,
        WatchEvents,
        Diagnose,
        GiveWay,
        DialFriend,
        GetFriendCode,
        OpenLan,
        AddFriend,
        ListFriendRequests,
        ListShownTo,
        AnswerFriend,
        ListFriends,
        VerifyFriend,
        AcceptKey,
        RemoveFriend,
        BlockFriend,
        ShareHistory,
        SetPresence,
        SendText,
        RetryText,
        EditText,
        DeleteText,
        React,
        PinText,
        ForwardText,
        MuteFriend,
        KeepDraft,
        SendTyping,
        ReadMessages,
        GetHistory,
        SearchMessages,
        OfferFiles,
        ListOffers,
        AcceptOffer,
        DeclineOffer,
        WithdrawOffer,
        CancelTransfer,
        PauseTransfer,
        ResumeTransfer,
        ListTransfers,
        ListSettings,
        GetSetting,
        SetSetting,
        SetAcceptPolicy,
    )
}
"""Every command by its name: what the control socket takes, and nothing else."""
