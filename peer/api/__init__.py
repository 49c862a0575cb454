"""The door of a peer: commands and queries in, results and events out, all plain frozen values.

Faces (command line, terminal, web) know this module and nothing behind it. It imports the standard
library only, because `hobnob status` with a node up is a socket, some JSON and this file, and has to
answer in less time than it takes to import the rest. Field names of results are the JSON fields that
the contract of the command line promises; None stands for null.

`need` says how a verb runs when no node is up for its home: from the STORE alone, on a BRIEF node that
logs in unseen, does its thing and ends, or on a FULL node until it is done.
"""

from peer.api.commands import (
    COMMANDS,
    AddFriend,
    AnswerFriend,
    BlockFriend,
    Command,
    GetFriendCode,
    GetHistory,
    GetStatus,
    ListFriendRequests,
    ListFriends,
    LogIn,
    LogOut,
    Need,
    ReadMessages,
    Register,
    RemoveFriend,
    SendText,
    SetPresence,
    WatchEvents,
    WhoAmI,
    need_of,
)
from peer.api.results import (
    EVENT_KINDS,
    Account,
    AccountMade,
    Event,
    Friend,
    FriendAdded,
    FriendCode,
    FriendRequest,
    LinkStatus,
    Message,
    MessageState,
    Nothing,
    Presence,
    Result,
    Status,
    TrackerStatus,
    as_json,
)

__all__ = [
    "COMMANDS",
    "EVENT_KINDS",
    "Account",
    "AccountMade",
    "AddFriend",
    "AnswerFriend",
    "BlockFriend",
    "Command",
    "Event",
    "Friend",
    "FriendAdded",
    "FriendCode",
    "FriendRequest",
    "GetFriendCode",
    "GetHistory",
    "GetStatus",
    "LinkStatus",
    "ListFriendRequests",
    "ListFriends",
    "LogIn",
    "LogOut",
    "Message",
    "MessageState",
    "Need",
    "Nothing",
    "Presence",
    "ReadMessages",
    "Register",
    "RemoveFriend",
    "Result",
    "SendText",
    "SetPresence",
    "Status",
    "TrackerStatus",
    "WatchEvents",
    "WhoAmI",
    "as_json",
    "need_of",
]
