"""The table of verbs: what the help lists, in its order, and where each is done."""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """One verb: its words, the module of `peer.cli.commands` that does it, its line in the help."""

    words: str
    module: str
    summary: str
    dash_from: int | None = None  # see Arguments


VERBS = (
    Verb(
        "register",
        "register",
        "make an account at a tracker, or a local one; this machine is its first device",
    ),
    Verb("login", "login", "make this machine a device of your account, by password"),
    Verb("logout", "logout", "sign this device off"),
    Verb("passwd", "passwd", "change the password"),
    Verb("devices", "devices", "list the machines of your account"),
    Verb("device revoke", "devices", "take a machine off your account, by password"),
    Verb("export", "porting", "write the whole profile into a file, sealed by your password"),
    Verb("import", "porting", "make an empty home from such a file, as another device"),
    Verb("account data", "account", "save all that the tracker holds about you into a file"),
    Verb("account delete", "account", "remove the account from its tracker"),
    Verb("whoami", "whoami", "who this home is: account, fingerprint, friend code, devices"),
    Verb("up", "up", "run the node until stopped: be online, receive, send"),
    Verb("status", "status", "the tracker link, every friend's link, what is being transferred"),
    Verb(
        "doctor", "doctor", "find out who can reach whom, and what to do where something is wrong"
    ),
    Verb("friend code", "friend", "print your friend code for somebody to add"),
    Verb("friend add", "friend", "ask somebody to be your friend, by name or friend code"),
    Verb("friend dial", "friend", "link with a friend at HOST:PORT, where nothing else finds them"),
    Verb("friend requests", "friend", "list the requests that wait"),
    Verb("friend accept", "friend", "say yes to a request"),
    Verb("friend reject", "friend", "say no to a request"),
    Verb("friend list", "friend", "list your friends and whether they are online"),
    Verb("friend shown", "friend", "list who was told where this machine can be dialled"),
    Verb("friend verify", "friend_keys", "show the safety number with a friend, or compare it"),
    Verb(
        "friend accept-key",
        "friend_keys",
        "after a key change: accept the new key, by its fingerprint typed in",
    ),
    Verb("friend remove", "friend", "end a friendship, or take a request back"),
    Verb("friend block", "friend", "block a person"),
    Verb("friend unblock", "friend", "unblock a person"),
    Verb("presence", "presence", "choose what friends see: available, away, busy, invisible"),
    Verb("busy", "presence", "short for: presence busy"),
    Verb("free", "presence", "short for: presence available"),
    Verb("say", "say", "send a message to a friend", 1),
    Verb("retry", "retry", "send a message again that failed after 30 days"),
    Verb("edit", "speak", "let a message of yours read otherwise", 1),
    Verb("delete", "speak", "take a message of yours back; everybody is asked to drop it"),
    Verb("react", "speak", "put an emoji on a message; the same again takes it back"),
    Verb("forward", "speak", "say a message's words to somebody else, with its author's name"),
    Verb("pin", "speak", "keep a message in sight of everybody in its conversation"),
    Verb("unpin", "speak", "end that"),
    Verb("mute", "mute", "let nothing that a friend says disturb you, for a while or for good"),
    Verb("unmute", "mute", "end that"),
    Verb("draft", "mute", "keep what you will say to a friend, on all your devices", 1),
    Verb("typing", "mute", "tell a friend who is there that you are writing"),
    Verb("read", "read", "show messages and mark them as read; --follow waits for more"),
    Verb("history", "history", "show or export a conversation, marking nothing"),
    Verb(
        "history share", "history", "let the machines a friend has now have your whole conversation"
    ),
    Verb("search", "search", "find what was said, by its words"),
    Verb("send", "send", "offer files or folders to friends"),
    Verb("offers", "offers", "list what was offered, by you and to you"),
    Verb("accept", "accept", "take what was offered"),
    Verb("decline", "decline", "refuse what was offered"),
    Verb("withdraw", "withdraw", "take back what you offered"),
    Verb("transfers", "transfers", "list transfers and how far they are"),
    Verb("pause", "pause", "hold a transfer until you resume it"),
    Verb("resume", "pause", "let a transfer go on that you paused"),
    Verb("cancel", "cancel", "call a transfer off, whichever way it goes"),
    Verb("accept-policy", "config", "choose who may send without asking: ask, auto, never"),
    Verb(
        "config list", "config", "list every setting with its value, its default and what it does"
    ),
    Verb("config get", "config", "show what one setting is"),
    Verb("config set", "config", "change a setting, for everybody or for one friend"),
)

GROUPS = {
    "device": "the machines of your account",
    "friend": "befriend people, and see who is there",
    "config": "see and change what can be set",
    "account": "what the tracker holds about you, and the end of it",
}
BY_WORDS = {verb.words: verb for verb in VERBS}
