"""The closed list of error codes: who may send each and whether to try again.

One home for every code that crosses the wire, the control socket or the command line. A code is added
here, with its sentence in `wire.sentences`, or it does not exist; the tables of PROTOCOL.md and
USING.md are made from this list.
"""

from __future__ import annotations

import enum
from typing import Self

from wire.sentences import SENTENCES


class Code(enum.Enum):
    """One kind of failure.

    value: lower-case words joined by `-`. sent_by: `tracker`, `both` (either side of a link) or `local`
    (never on the wire). retry: `never`, `later` (the same may work after a while) or `reconnect` (after
    a new link). what: what happened, for a person. remedy: what that person does next.
    """

    def __new__(cls, value: str, sent_by: str, retry: str) -> Self:
        """Make a member whose value is the code alone."""
        member = object.__new__(cls)
        member._value_ = value
        member.sent_by = sent_by
        member.retry = retry
        member.what, member.remedy = SENTENCES[value]
        return member

    sent_by: str
    retry: str
    what: str
    remedy: str

    # --- the channel and the frames
    HANDSHAKE_TIMEOUT = "handshake-timeout", "both", "later"
    HANDSHAKE_FAILED = "handshake-failed", "both", "never"
    FRAME_EMPTY = "frame-empty", "both", "never"
    FRAME_TOO_LARGE_BEFORE_AUTH = "frame-too-large-before-auth", "both", "never"
    RECORD_TOO_LARGE = "record-too-large", "both", "never"
    NOT_OUR_PROTOCOL = "not-our-protocol", "both", "never"
    VERSION_UNSUPPORTED = "version-unsupported", "both", "never"
    SUITE_UNKNOWN = "suite-unknown", "both", "never"
    LINK_CORRUPT = "link-corrupt", "both", "reconnect"
    LINK_LOST = "link-lost", "local", "reconnect"
    LINK_SILENT = "link-silent", "both", "reconnect"
    LINK_REPLACED = "link-replaced", "both", "never"
    SELF_CONNECTION = "self-connection", "both", "never"
    IDENTITY_MISMATCH = "identity-mismatch", "both", "never"
    NOT_ADMITTED = "not-admitted", "both", "never"
    DEVICE_REVOKED = "device-revoked", "both", "never"
    LIST_ROLLBACK = "list-rollback", "both", "never"
    GOODBYE = "goodbye", "both", "reconnect"
    SHUTTING_DOWN = "shutting-down", "both", "reconnect"
    TOO_MANY_CONNECTIONS = "too-many-connections", "tracker", "later"
    # --- messages
    DECODE = "decode", "both", "never"
    DECODE_DEPTH = "decode-depth", "both", "never"
    DECODE_KEYS = "decode-keys", "both", "never"
    TEXT_INVALID = "text-invalid", "both", "never"
    NUMBER_INVALID = "number-invalid", "both", "never"
    NUMBER_RANGE = "number-range", "both", "never"
    TYPE_MISMATCH = "type-mismatch", "both", "never"
    FIELD_MISSING = "field-missing", "both", "never"
    LENGTH_RANGE = "length-range", "both", "never"
    TRAILING_BYTES = "trailing-bytes", "both", "never"
    UNKNOWN_CRITICAL = "unknown-critical", "both", "never"
    NOT_NOW = "not-now", "both", "never"
    PAGE_TOO_LARGE = "page-too-large", "both", "never"
    TOO_MANY_PAGES = "too-many-pages", "both", "never"
    FLOOD = "flood", "both", "later"
    TOO_MANY_REQUESTS = "too-many-requests", "both", "later"
    TOO_SLOW = "too-slow", "both", "reconnect"
    REQUEST_UNKNOWN = "request-unknown", "tracker", "never"
    INTERNAL = "internal", "both", "later"
    TRACKER_FAILED = "tracker-failed", "tracker", "later"
    LOCAL_PROTOCOL_ERROR = "local-protocol-error", "local", "never"
    # --- accounts
    NAME_LENGTH = "name-length", "both", "never"
    NAME_CHARACTERS = "name-characters", "both", "never"
    NAME_RESERVED = "name-reserved", "both", "never"
    NAME_TAKEN = "name-taken", "both", "never"
    NO_SUCH_USER = "no-such-user", "tracker", "never"
    WRONG_PASSWORD = "wrong-password", "both", "never"
    TOO_MANY_FAILURES = "too-many-failures", "tracker", "later"
    PASSWORD_WEAK = "password-weak", "local", "never"
    PASSWORD_TOO_LONG = "password-too-long", "local", "never"
    PASSWORD_NEEDED = "password-needed", "local", "never"
    RECOVERY_KEY_NEEDED = "recovery-key-needed", "local", "never"
    KDF_TOO_WEAK = "kdf-too-weak", "local", "never"
    VAULT_INVALID = "vault-invalid", "local", "never"
    VAULT_ROLLBACK = "vault-rollback", "both", "never"
    STATE_CONFLICT = "state-conflict", "tracker", "later"
    STATE_INVALID = "state-invalid", "both", "never"
    STATE_ROLLBACK = "state-rollback", "local", "never"
    PREKEY_INVALID = "prekey-invalid", "both", "never"
    MAIL_INVALID = "mail-invalid", "local", "never"
    MAILBOX_FULL = "mailbox-full", "tracker", "later"
    REGISTRATION_CLOSED = "registration-closed", "tracker", "never"
    INVITE_INVALID = "invite-invalid", "tracker", "never"
    NOT_REGISTERED = "not-registered", "local", "never"
    ALREADY_REGISTERED = "already-registered", "both", "never"
    LOGGED_OUT = "logged-out", "local", "never"
    NOT_LOGGED_IN = "not-logged-in", "tracker", "never"
    NOT_ALLOWED = "not-allowed", "tracker", "never"
    DEVICE_ADDED = "device-added", "local", "never"
    DEVICE_THIS = "device-this", "local", "never"
    NO_SUCH_DEVICE = "no-such-device", "local", "never"
    DEVICE_UNKNOWN = "device-unknown", "tracker", "never"
    ACCOUNT_DELETED = "account-deleted", "tracker", "never"
    DEVICE_LIMIT = "device-limit", "both", "never"
    KICKED = "kicked", "tracker", "later"
    # --- friends and trust
    FRIEND_SELF = "friend-self", "both", "never"
    NO_SUCH_FRIEND = "no-such-friend", "local", "never"
    ALREADY_FRIENDS = "already-friends", "both", "never"
    NOT_FRIENDS = "not-friends", "both", "never"
    BLOCKED = "blocked", "both", "never"
    TOO_MANY_FRIENDS = "too-many-friends", "both", "never"
    TOO_MANY_BLOCKS = "too-many-blocks", "tracker", "never"
    TOO_MANY_PENDING = "too-many-pending", "both", "later"
    FRIEND_REQUEST_UNKNOWN = "friend-request-unknown", "both", "never"
    CODE_CHECKSUM = "code-checksum", "local", "never"
    CODE_TRACKER = "code-tracker", "local", "never"
    KEY_MISMATCH = "key-mismatch", "both", "never"
    KEY_CHANGED = "key-changed", "local", "never"
    KEY_UNCHANGED = "key-unchanged", "local", "never"
    SAFETY_NUMBER_MISMATCH = "safety-number-mismatch", "local", "never"
    SIGNATURE_INVALID = "signature-invalid", "both", "never"
    TEXT_LENGTH = "text-length", "both", "never"
    # --- addresses and the tracker link
    ADDRESS_INVALID = "address-invalid", "local", "never"
    TRACKER_KEY_NEEDED = "tracker-key-needed", "local", "never"
    TRACKER_KEY_MISMATCH = "tracker-key-mismatch", "local", "never"
    TRACKER_UNREACHABLE = "tracker-unreachable", "local", "reconnect"
    PEER_UNREACHABLE = "peer-unreachable", "local", "reconnect"
    NOT_ONLINE = "not-online", "tracker", "later"
    RELAY_OFF = "relay-off", "tracker", "later"
    RELAY_LIMIT = "relay-limit", "tracker", "later"
    ADDRESSES_SEALED = "addresses-sealed", "local", "later"
    NO_ROUTER = "no-router", "local", "later"
    ROUTER_REFUSED = "router-refused", "local", "later"
    ROUTER_INVALID = "router-invalid", "local", "later"
    PORT_INVALID = "port-invalid", "local", "never"
    ADDRESS_IN_USE = "address-in-use", "local", "never"
    ADDRESS_REFUSED = "address-refused", "local", "never"
    # --- conversations
    MESSAGE_EMPTY = "message-empty", "both", "never"
    MESSAGE_TOO_LONG = "message-too-long", "both", "never"
    EVENT_INVALID = "event-invalid", "both", "never"
    CLOCK_INVALID = "clock-invalid", "both", "never"
    PARENTS_LIMIT = "parents-limit", "both", "never"
    FORKED = "forked", "both", "never"
    DEVICE_CLONED = "device-cloned", "local", "never"
    UNKNOWN_CONVERSATION = "unknown-conversation", "both", "never"
    UNKNOWN_MESSAGE = "unknown-message", "local", "never"
    NOT_AUTHOR = "not-author", "local", "never"
    NOT_A_MESSAGE = "not-a-message", "local", "never"
    MESSAGE_DELETED = "message-deleted", "local", "never"
    REACTION_INVALID = "reaction-invalid", "local", "never"
    DATE_INVALID = "date-invalid", "local", "never"
    SEARCH_EMPTY = "search-empty", "local", "never"
    SEARCH_TOO_LONG = "search-too-long", "local", "never"
    # --- transfers
    UNKNOWN_OFFER = "unknown-offer", "both", "never"
    OFFER_WITHDRAWN = "offer-withdrawn", "both", "never"
    OFFER_OWN = "offer-own", "local", "never"
    OFFER_NOT_OWN = "offer-not-own", "local", "never"
    OFFER_ANSWERED = "offer-answered", "local", "never"
    TOO_MANY_OFFERS = "too-many-offers", "both", "later"
    TOO_MANY_FILES = "too-many-files", "both", "never"
    TOO_MANY_TRANSFERS = "too-many-transfers", "both", "later"
    NO_SUCH_FILE = "no-such-file", "local", "never"
    NOT_A_REGULAR_FILE = "not-a-regular-file", "local", "never"
    FILE_UNREADABLE = "file-unreadable", "both", "never"
    NOTHING_TO_SEND = "nothing-to-send", "local", "never"
    NAME_UNSAFE = "name-unsafe", "both", "never"
    NAME_TOO_LONG = "name-too-long", "both", "never"
    SIZE_INVALID = "size-invalid", "both", "never"
    MANIFEST_INVALID = "manifest-invalid", "both", "never"
    MANIFEST_CONFLICT = "manifest-conflict", "both", "never"
    CHANGED_AT_SENDER = "changed-at-sender", "both", "never"
    VERIFICATION_FAILED = "verification-failed", "both", "later"
    INCOMPLETE = "incomplete", "both", "reconnect"
    NO_SPACE = "no-space", "local", "later"
    FOLDER_GONE = "folder-gone", "local", "later"
    SOURCE_OFFLINE = "source-offline", "local", "later"
    FILE_EXISTS = "file-exists", "local", "never"
    CANCELLED = "cancelled", "both", "never"
    DECLINED = "declined", "both", "never"
    PAUSED = "paused", "both", "later"
    TRANSFER_OVER = "transfer-over", "local", "never"
    UNKNOWN_TRANSFER = "unknown-transfer", "local", "never"
    NOT_DONE_YET = "not-done-yet", "local", "later"
    # --- this machine
    USAGE = "usage", "local", "never"
    LOCKED = "locked", "local", "never"
    ALREADY_RUNNING = "already-running", "local", "never"
    NOT_RUNNING = "not-running", "local", "never"
    NODE_VANISHED = "node-vanished", "local", "later"
    HOME_NOT_EMPTY = "home-not-empty", "local", "never"
    EXPORT_INVALID = "export-invalid", "local", "never"
    HOME_UNUSABLE = "home-unusable", "local", "never"
    KEY_FILE_INVALID = "key-file-invalid", "local", "never"
    KEY_FILE_MODE = "key-file-mode", "local", "never"
    DATABASE_NEWER = "database-newer", "local", "never"
    DATABASE_CORRUPT = "database-corrupt", "local", "never"
    DATABASE_FAILED = "database-failed", "local", "later"
    OUTPUT_FAILED = "output-failed", "local", "never"
    INTERRUPTED = "interrupted", "local", "never"
    CONFIG_INVALID = "config-invalid", "local", "never"
    AMBIGUOUS_ID = "ambiguous-id", "local", "never"
    LIBRARY_TOO_OLD = "library-too-old", "local", "never"
    TOO_MANY_SESSIONS = "too-many-sessions", "tracker", "later"
    LIST_OUTDATED = "list-outdated", "local", "later"
    LISTENER_FAILED = "listener-failed", "local", "never"


_BY_VALUE = {code.value: code for code in Code}


def code_of(text: str) -> Code:
    """Give the code of that name; INTERNAL for one that this version does not know."""
    return _BY_VALUE.get(text, Code.INTERNAL)
