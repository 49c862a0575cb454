"""The closed list of error codes: who may send each, whether to try again, and what to tell a person.

One home for every code that crosses the wire, the control socket or the command line. A code is added
here or it does not exist; the tables of PROTOCOL.md and USING.md are made from this list.
"""

from __future__ import annotations

import enum
from typing import Self


class Code(enum.Enum):
    """One kind of failure.

    value: lower-case words joined by `-`. sent_by: `tracker`, `both` (either side of a link) or `local`
    (never on the wire). retry: `never`, `later` (the same may work after a while) or `reconnect` (after a
    new link). what: what happened, for a person. remedy: what that person does next.
    """

    def __new__(cls, value: str, sent_by: str, retry: str, what: str, remedy: str) -> Self:
        """Make a member whose value is the code alone."""
        member = object.__new__(cls)
        member._value_ = value
        member.sent_by = sent_by
        member.retry = retry
        member.what = what
        member.remedy = remedy
        return member

    sent_by: str
    retry: str
    what: str
    remedy: str

    # --- the channel and the frames
    HANDSHAKE_TIMEOUT = (
        "handshake-timeout",
        "both",
        "later",
        "the other side did not finish the handshake in time",
        "try again; if it stays, check the address and the network between",
    )
    HANDSHAKE_FAILED = (
        "handshake-failed",
        "both",
        "never",
        "the handshake did not verify",
        "check the address and its key; whoever answers there is not who was expected",
    )
    FRAME_EMPTY = (
        "frame-empty",
        "both",
        "never",
        "a frame without content came",
        "the other program is broken; update it",
    )
    FRAME_TOO_LARGE_BEFORE_AUTH = (
        "frame-too-large-before-auth",
        "both",
        "never",
        "a frame came that is too large before authentication",
        "the other program is broken; update it",
    )
    RECORD_TOO_LARGE = (
        "record-too-large",
        "both",
        "never",
        "a record came that is beyond the limit of its link",
        "the other program is broken; update it",
    )
    NOT_OUR_PROTOCOL = (
        "not-our-protocol",
        "both",
        "never",
        "another protocol is spoken there",
        "check host and port of the address",
    )
    VERSION_UNSUPPORTED = (
        "version-unsupported",
        "both",
        "never",
        "the other side speaks another version of the protocol",
        "update the older of the two programs",
    )
    SUITE_UNKNOWN = (
        "suite-unknown",
        "both",
        "never",
        "the other side asks for a suite or purpose that is unknown here",
        "update the older of the two programs",
    )
    LINK_CORRUPT = (
        "link-corrupt",
        "both",
        "reconnect",
        "a record did not verify",
        "nothing to do: the link is made anew",
    )
    LINK_LOST = (
        "link-lost",
        "local",
        "reconnect",
        "the connection ended",
        "nothing to do: it is made anew",
    )
    LINK_SILENT = (
        "link-silent",
        "both",
        "reconnect",
        "the other side was silent for too long",
        "nothing to do: the link is made anew",
    )
    LINK_REPLACED = (
        "link-replaced",
        "both",
        "never",
        "another link of the same two devices took over",
        "nothing to do",
    )
    SELF_CONNECTION = (
        "self-connection",
        "both",
        "never",
        "the address leads back to this same device",
        "check the address",
    )
    IDENTITY_MISMATCH = (
        "identity-mismatch",
        "both",
        "never",
        "the other side is not who was expected",
        "compare fingerprints with your friend by another way",
    )
    NOT_ADMITTED = (
        "not-admitted",
        "both",
        "never",
        "the other side does not take links from this device",
        "nothing to do unless you are friends: then add each other again",
    )
    DEVICE_REVOKED = (
        "device-revoked",
        "both",
        "never",
        "this device was taken off its account's list",
        "log in again with the password",
    )
    LIST_ROLLBACK = (
        "list-rollback",
        "both",
        "never",
        "the other side showed an older device list than is known",
        "ask your friend to log in again; if it stays, somebody replays old data",
    )
    GOODBYE = (
        "goodbye",
        "both",
        "reconnect",
        "the other side ended the link in good order",
        "nothing to do",
    )
    SHUTTING_DOWN = (
        "shutting-down",
        "both",
        "reconnect",
        "the other side is shutting down",
        "nothing to do: the link is made anew",
    )
    TOO_MANY_CONNECTIONS = (
        "too-many-connections",
        "tracker",
        "later",
        "there are too many connections",
        "try again in a minute",
    )
    # --- messages
    DECODE = (
        "decode",
        "both",
        "never",
        "a message could not be decoded",
        "the other program is broken; update it",
    )
    DECODE_DEPTH = (
        "decode-depth",
        "both",
        "never",
        "a message is nested too deeply",
        "the other program is broken; update it",
    )
    DECODE_KEYS = (
        "decode-keys",
        "both",
        "never",
        "a message has a map where none may be",
        "the other program is broken; update it",
    )
    TEXT_INVALID = (
        "text-invalid",
        "both",
        "never",
        "a text is not valid UTF-8",
        "send valid UTF-8",
    )
    NUMBER_INVALID = (
        "number-invalid",
        "both",
        "never",
        "a number is not a number",
        "the other program is broken; update it",
    )
    NUMBER_RANGE = (
        "number-range",
        "both",
        "never",
        "a number is out of range",
        "the other program is broken; update it",
    )
    TYPE_MISMATCH = (
        "type-mismatch",
        "both",
        "never",
        "a field has the wrong type",
        "the other program is broken; update it",
    )
    FIELD_MISSING = (
        "field-missing",
        "both",
        "never",
        "a message lacks a field",
        "update the older of the two programs",
    )
    LENGTH_RANGE = (
        "length-range",
        "both",
        "never",
        "a field is too long or too short",
        "the other program is broken; update it",
    )
    TRAILING_BYTES = (
        "trailing-bytes",
        "both",
        "never",
        "bytes stand behind the end of a message",
        "the other program is broken; update it",
    )
    UNKNOWN_CRITICAL = (
        "unknown-critical",
        "both",
        "never",
        "a message that must be understood is unknown here",
        "update the older of the two programs",
    )
    NOT_NOW = (
        "not-now",
        "both",
        "never",
        "a message came that is not allowed in this state",
        "the other program is broken; update it",
    )
    PAGE_TOO_LARGE = (
        "page-too-large",
        "both",
        "never",
        "a page is beyond its limit",
        "the other program is broken; update it",
    )
    TOO_MANY_PAGES = (
        "too-many-pages",
        "both",
        "never",
        "a list has too many pages",
        "the other program is broken; update it",
    )
    FLOOD = ("flood", "both", "later", "too many messages in too short a time", "wait a minute")
    TOO_MANY_REQUESTS = (
        "too-many-requests",
        "both",
        "later",
        "too many requests are open",
        "wait for answers first",
    )
    TOO_SLOW = (
        "too-slow",
        "both",
        "reconnect",
        "the reader is too slow and was dropped",
        "nothing to do: the link is made anew",
    )
    REQUEST_UNKNOWN = (
        "request-unknown",
        "tracker",
        "never",
        "there is no such request, or it has expired",
        "ask your friend to send it again",
    )
    INTERNAL = (
        "internal",
        "both",
        "later",
        "something went wrong inside",
        "try again; if it stays, report it with the log",
    )
    LOCAL_PROTOCOL_ERROR = (
        "local-protocol-error",
        "local",
        "never",
        "this program broke its own protocol",
        "report it with the log",
    )
    # --- accounts
    NAME_LENGTH = (
        "name-length",
        "both",
        "never",
        "the name is too short or too long",
        "choose a name of 2 to 32 characters",
    )
    NAME_CHARACTERS = (
        "name-characters",
        "both",
        "never",
        "the name has characters that are not allowed",
        "use a-z 0-9 . _ - and start with a letter",
    )
    NAME_RESERVED = (
        "name-reserved",
        "both",
        "never",
        "the name is reserved",
        "choose another name",
    )
    NAME_TAKEN = (
        "name-taken",
        "tracker",
        "never",
        "the name is taken",
        "choose another name, or log in if it is yours",
    )
    NO_SUCH_USER = (
        "no-such-user",
        "tracker",
        "never",
        "there is no user of that name",
        "check the spelling and the tracker",
    )
    WRONG_PASSWORD = (
        "wrong-password",
        "both",
        "never",
        "the password is wrong",
        "try again; capitals count",
    )
    TOO_MANY_FAILURES = (
        "too-many-failures",
        "tracker",
        "later",
        "there were too many failed attempts",
        "wait as long as it says",
    )
    PASSWORD_WEAK = (
        "password-weak",
        "local",
        "never",
        "the password is too easy to guess",
        "choose one of at least 8 characters that is not a common word",
    )
    PASSWORD_TOO_LONG = (
        "password-too-long",
        "local",
        "never",
        "the password is too long",
        "choose one of at most 1024 bytes",
    )
    PASSWORD_NEEDED = (
        "password-needed",
        "local",
        "never",
        "a password is needed and none was given",
        "use --password-file FILE, HOBNOB_PASSWORD or a terminal",
    )
    KDF_TOO_WEAK = (
        "kdf-too-weak",
        "local",
        "never",
        "the tracker asks for a weaker key derivation than is safe",
        "do not type your password there; tell whoever runs the tracker",
    )
    VAULT_INVALID = (
        "vault-invalid",
        "local",
        "never",
        "the key vault does not open",
        "check the password; if it stays, the vault was damaged or swapped",
    )
    VAULT_ROLLBACK = (
        "vault-rollback",
        "both",
        "never",
        "the key vault is older than is known",
        "tell whoever runs the tracker; do not go on",
    )
    STATE_CONFLICT = (
        "state-conflict",
        "tracker",
        "later",
        "another device changed the account state first",
        "nothing to do: it is merged and put again",
    )
    STATE_INVALID = (
        "state-invalid",
        "both",
        "never",
        "the account state does not open",
        "log in again; if it stays, it was damaged or swapped",
    )
    REGISTRATION_CLOSED = (
        "registration-closed",
        "tracker",
        "never",
        "this tracker takes no new accounts",
        "ask whoever runs the tracker",
    )
    INVITE_INVALID = (
        "invite-invalid",
        "tracker",
        "never",
        "the invitation is unknown, used up or expired",
        "ask for a new one",
    )
    NOT_REGISTERED = (
        "not-registered",
        "local",
        "never",
        "this home has no account yet",
        "run: hobnob register NAME --tracker ADDRESS",
    )
    ALREADY_REGISTERED = (
        "already-registered",
        "local",
        "never",
        "this home has an account already",
        "use another --home for another account",
    )
    LOGGED_OUT = (
        "logged-out",
        "local",
        "never",
        "this device is logged out",
        "run: hobnob login NAME --tracker ADDRESS",
    )
    NOT_LOGGED_IN = (
        "not-logged-in",
        "tracker",
        "never",
        "this needs an account that is logged in",
        "log in first",
    )
    NOT_ALLOWED = (
        "not-allowed",
        "tracker",
        "never",
        "your role does not allow this",
        "ask an admin of the tracker",
    )
    DEVICE_UNKNOWN = (
        "device-unknown",
        "tracker",
        "never",
        "the tracker does not know this device",
        "run: hobnob login NAME --tracker ADDRESS",
    )
    DEVICE_LIMIT = (
        "device-limit",
        "both",
        "never",
        "the account has too many devices",
        "revoke one first",
    )
    KICKED = (
        "kicked",
        "tracker",
        "later",
        "you were kicked from this tracker",
        "wait until the time is over",
    )
    # --- friends and trust
    FRIEND_SELF = ("friend-self", "both", "never", "that is yourself", "name somebody else")
    NO_SUCH_FRIEND = (
        "no-such-friend",
        "local",
        "never",
        "you have no friend of that name",
        "see: hobnob friend list",
    )
    ALREADY_FRIENDS = (
        "already-friends",
        "both",
        "never",
        "you are friends already",
        "nothing to do",
    )
    NOT_FRIENDS = (
        "not-friends",
        "both",
        "never",
        "you are not friends",
        "run: hobnob friend add NAME",
    )
    BLOCKED = (
        "blocked",
        "local",
        "never",
        "you blocked this person",
        "run: hobnob friend unblock NAME",
    )
    TOO_MANY_FRIENDS = (
        "too-many-friends",
        "both",
        "never",
        "the limit of friends is reached",
        "remove one first",
    )
    TOO_MANY_PENDING = (
        "too-many-pending",
        "both",
        "later",
        "too many friend requests are waiting",
        "answer or withdraw some first",
    )
    FRIEND_REQUEST_UNKNOWN = (
        "friend-request-unknown",
        "both",
        "never",
        "there is no such friend request",
        "see: hobnob friend requests",
    )
    CODE_CHECKSUM = (
        "code-checksum",
        "local",
        "never",
        "the friend code has a typing error",
        "copy it again, whole",
    )
    CODE_TRACKER = (
        "code-tracker",
        "local",
        "never",
        "the friend code is for another tracker",
        "both of you need an account at the same tracker",
    )
    KEY_MISMATCH = (
        "key-mismatch",
        "local",
        "never",
        "the key is not the one that was expected",
        "compare fingerprints with your friend by another way; nothing was stored",
    )
    KEY_CHANGED = (
        "key-changed",
        "local",
        "never",
        "your friend's identity key has changed; nothing is sent",
        "compare fingerprints, then: hobnob friend accept-key NAME FINGERPRINT",
    )
    SIGNATURE_INVALID = (
        "signature-invalid",
        "both",
        "never",
        "a signature does not verify",
        "somebody forged or damaged what came; nothing was stored",
    )
    TEXT_LENGTH = ("text-length", "both", "never", "the text is too long", "shorten it")
    # --- addresses and the tracker link
    ADDRESS_INVALID = (
        "address-invalid",
        "local",
        "never",
        "the address is not understood",
        "write hobnob://HOST:PORT/#KEY as the tracker prints it",
    )
    TRACKER_KEY_NEEDED = (
        "tracker-key-needed",
        "local",
        "never",
        "the tracker's key is not known",
        "give the address with its #KEY as the tracker prints it",
    )
    TRACKER_KEY_MISMATCH = (
        "tracker-key-mismatch",
        "local",
        "never",
        "the tracker has another key than expected",
        "ask whoever runs the tracker which key is right; do not go on",
    )
    TRACKER_UNREACHABLE = (
        "tracker-unreachable",
        "local",
        "reconnect",
        "the tracker cannot be reached",
        "check the address and the network; it is tried again by itself while a node is up",
    )
    PEER_UNREACHABLE = (
        "peer-unreachable",
        "local",
        "reconnect",
        "the friend's machine cannot be reached",
        "it is tried again by itself while both are online",
    )
    PORT_INVALID = ("port-invalid", "local", "never", "that is not a port", "use 0 to 65535")
    ADDRESS_IN_USE = (
        "address-in-use",
        "local",
        "never",
        "the port is in use by another program",
        "choose another port, or 0 for a free one",
    )
    ADDRESS_REFUSED = (
        "address-refused",
        "local",
        "never",
        "the system does not allow this address",
        "use an address of this machine and a port above 1023",
    )
    # --- conversations
    MESSAGE_EMPTY = ("message-empty", "both", "never", "the message is empty", "write something")
    MESSAGE_TOO_LONG = (
        "message-too-long",
        "both",
        "never",
        "the message is longer than 65536 bytes",
        "send it as a file",
    )
    EVENT_INVALID = (
        "event-invalid",
        "both",
        "never",
        "an event breaks the rules of its log",
        "the other program is broken; it was not stored",
    )
    CLOCK_INVALID = (
        "clock-invalid",
        "both",
        "never",
        "an event's clock is too far ahead",
        "the other program is broken; it was not stored",
    )
    PARENTS_LIMIT = (
        "parents-limit",
        "both",
        "never",
        "an event names too many parents",
        "the other program is broken; it was not stored",
    )
    FORKED = (
        "forked",
        "both",
        "never",
        "one device wrote two events in one place",
        "that device was copied or tampered with; it shows marked",
    )
    DEVICE_CLONED = (
        "device-cloned",
        "local",
        "never",
        "another copy of this home writes as the same device",
        "run only one of the two; log in anew on the other",
    )
    UNKNOWN_CONVERSATION = (
        "unknown-conversation",
        "both",
        "never",
        "there is no such conversation",
        "see: hobnob friend list",
    )
    UNKNOWN_MESSAGE = (
        "unknown-message",
        "local",
        "never",
        "there is no such message",
        "see: hobnob history TO",
    )
    # --- transfers
    UNKNOWN_OFFER = (
        "unknown-offer",
        "both",
        "never",
        "there is no such offer",
        "see: hobnob offers",
    )
    OFFER_WITHDRAWN = (
        "offer-withdrawn",
        "both",
        "never",
        "the offer was withdrawn",
        "ask for it again",
    )
    OFFER_ANSWERED = (
        "offer-answered",
        "local",
        "never",
        "the offer was answered already",
        "see: hobnob offers",
    )
    TOO_MANY_OFFERS = (
        "too-many-offers",
        "both",
        "later",
        "too many offers are waiting",
        "answer or withdraw some first",
    )
    TOO_MANY_FILES = (
        "too-many-files",
        "both",
        "never",
        "the offer has more than 100000 files",
        "send an archive, or several offers",
    )
    TOO_MANY_TRANSFERS = (
        "too-many-transfers",
        "both",
        "later",
        "too many transfers run at once",
        "nothing to do: it waits in the queue",
    )
    NO_SUCH_FILE = ("no-such-file", "local", "never", "there is no such file", "check the path")
    NOT_A_REGULAR_FILE = (
        "not-a-regular-file",
        "local",
        "never",
        "that is neither a file nor a folder",
        "send regular files and folders only",
    )
    FILE_UNREADABLE = (
        "file-unreadable",
        "both",
        "never",
        "the file cannot be read",
        "check its permissions",
    )
    NOTHING_TO_SEND = (
        "nothing-to-send",
        "local",
        "never",
        "there is nothing to send in it",
        "name at least one file or folder",
    )
    NAME_UNSAFE = (
        "name-unsafe",
        "both",
        "never",
        "a received name is not safe",
        "ask your friend to rename it; nothing was written",
    )
    NAME_TOO_LONG = ("name-too-long", "both", "never", "a name is too long", "use a shorter one")
    SIZE_INVALID = (
        "size-invalid",
        "both",
        "never",
        "a size is not possible",
        "the other program is broken; update it",
    )
    MANIFEST_INVALID = (
        "manifest-invalid",
        "both",
        "never",
        "the list of files does not verify",
        "the other program is broken; nothing was written",
    )
    MANIFEST_CONFLICT = (
        "manifest-conflict",
        "both",
        "never",
        "the list of files names one place twice",
        "ask your friend to send it again",
    )
    CHANGED_AT_SENDER = (
        "changed-at-sender",
        "both",
        "never",
        "the file changed at the sender while it was sent",
        "ask your friend to send it again",
    )
    VERIFICATION_FAILED = (
        "verification-failed",
        "both",
        "later",
        "what came is not what was announced",
        "it is asked for again; if it stays, the source is damaged",
    )
    INCOMPLETE = (
        "incomplete",
        "both",
        "reconnect",
        "the source ended too early",
        "nothing to do: it goes on when the source is back",
    )
    NO_SPACE = (
        "no-space",
        "local",
        "later",
        "there is not enough space",
        "free some space; the transfer goes on by itself",
    )
    FOLDER_GONE = (
        "folder-gone",
        "local",
        "later",
        "the download folder is not there or cannot be written",
        "bring it back; the transfer goes on by itself",
    )
    SOURCE_OFFLINE = (
        "source-offline",
        "local",
        "later",
        "nobody who has the file is online",
        "nothing to do: it goes on when the source is back",
    )
    FILE_EXISTS = (
        "file-exists",
        "local",
        "never",
        "a file of that name stands there already",
        "choose another folder",
    )
    CANCELLED = ("cancelled", "both", "never", "the transfer was cancelled", "ask for it again")
    DECLINED = ("declined", "both", "never", "the offer was declined", "nothing to do")
    UNKNOWN_TRANSFER = (
        "unknown-transfer",
        "local",
        "never",
        "there is no such transfer",
        "see: hobnob transfers",
    )
    NOT_DONE_YET = (
        "not-done-yet",
        "local",
        "later",
        "the time is over and it is not done yet",
        "it goes on while a node is up: hobnob up",
    )
    # --- this machine
    USAGE = ("usage", "local", "never", "the command is not understood", "see --help")
    LOCKED = (
        "locked",
        "local",
        "never",
        "the key file is sealed and no password was given",
        "run: hobnob up (or give the password by --password-file or HOBNOB_PASSWORD)",
    )
    ALREADY_RUNNING = (
        "already-running",
        "local",
        "never",
        "a node is running on this home already",
        "use it, or stop it first",
    )
    NOT_RUNNING = (
        "not-running",
        "local",
        "never",
        "no node is running on this home",
        "run: hobnob up",
    )
    NODE_VANISHED = (
        "node-vanished",
        "local",
        "later",
        "the running node went away before it answered",
        "run the command again",
    )
    HOME_UNUSABLE = (
        "home-unusable",
        "local",
        "never",
        "the home folder cannot be used",
        "check its path, owner and permissions",
    )
    KEY_FILE_INVALID = (
        "key-file-invalid",
        "local",
        "never",
        "the key file cannot be used",
        "put the right file back from a backup, or log in again",
    )
    KEY_FILE_MODE = (
        "key-file-mode",
        "local",
        "never",
        "the key file can be read by others",
        "run: chmod 600 on it",
    )
    DATABASE_NEWER = (
        "database-newer",
        "local",
        "never",
        "the database was written by a newer version",
        "update this program",
    )
    DATABASE_CORRUPT = (
        "database-corrupt",
        "local",
        "never",
        "the database is damaged",
        "it was kept beside; restore a backup, or log in again in a new home",
    )
    DATABASE_FAILED = (
        "database-failed",
        "local",
        "later",
        "the database cannot be written",
        "check space and permissions of the home folder",
    )
    OUTPUT_FAILED = (
        "output-failed",
        "local",
        "never",
        "the output could not be written",
        "check where the output goes",
    )
    INTERRUPTED = ("interrupted", "local", "never", "interrupted", "run it again")
    CONFIG_INVALID = (
        "config-invalid",
        "local",
        "never",
        "a setting is not understood",
        "see --help for its form",
    )
    AMBIGUOUS_ID = (
        "ambiguous-id",
        "local",
        "never",
        "more than one thing begins with this id",
        "give more of its characters",
    )
    LIBRARY_TOO_OLD = (
        "library-too-old",
        "local",
        "never",
        "the cryptography library lacks ML-KEM-768",
        "install cryptography 48 or newer",
    )
    TOO_MANY_SESSIONS = (
        "too-many-sessions",
        "tracker",
        "later",
        "too many devices of this account are connected",
        "close one",
    )
    LISTENER_FAILED = (
        "listener-failed",
        "local",
        "never",
        "the port could not be opened",
        "choose another with --listen",
    )


def code_of(text: str) -> Code:
    """Give the code of that name; INTERNAL for one that this version does not know."""
    try:
        return Code(text)
    except ValueError:
        return Code.INTERNAL
