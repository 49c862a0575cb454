"""What a command gives: the closed list of results and events, with the JSON fields of the contract."""

from __future__ import annotations

from msgspec import Struct, field


class Result(Struct, frozen=True):
    """Something a command gives; the subclasses are the closed list."""


class Nothing(Result, frozen=True):
    """It is done and there is nothing to tell."""


class AccountMade(Result, frozen=True):
    """The account this home has now.

    last_changed: after a login, when the account was changed last as far as the tracker shows it: whoever knows
    of a later change is shown old things. trouble: what could not be taken over from other devices, and why.
    """

    account: str
    tracker: str | None
    fingerprint: str
    last_changed: str | None = None
    trouble: str | None = None


class AccountSaved(Result, frozen=True):
    """Where everything that the tracker holds stands now."""

    file: str
    bytes: int


class Account(Result, frozen=True):
    """Who this home is."""

    account: str
    tracker: str | None
    fingerprint: str
    code: str
    device: str
    devices: list[dict[str, object]]  # {"device", "name", "this", "revoked", "added"}
    sealed: str  # password, keyring, none
    logged_in: bool


class Exported(Result, frozen=True):
    """Where the profile stands now, sealed."""

    file: str
    bytes: int


class Device(Result, frozen=True):
    """One machine of this account. added, last_seen, revoked: when, None where that is not known or never was."""

    device: str
    name: str
    this: bool
    added: str | None
    last_seen: str | None  # when it entered the tracker last
    logged_out: bool
    revoked: str | None


class DeviceRevoked(Result, frozen=True):
    """Which device was taken off."""

    device: str
    name: str


class Transfer(Result, frozen=True):
    """One transfer: an offer and a friend."""

    id: str
    offer: str
    direction: str  # in, out
    friend: str
    name: str
    saved_as: str | None  # absolute path of the file or top folder that came, once it stands
    files: int
    files_done: int
    skipped: list[dict[str, str]]  # {"path", "reason"}: what the sender left out
    place: int | None  # in the queue, from 1; of those that wait for their turn
    bytes: int
    verified_bytes: int
    resent_bytes: int
    rate: float | None  # bytes per second
    eta: float | None  # seconds
    state: str  # waiting, running, paused, done, declined, cancelled, failed
    reason: (
        str | None
    )  # of a waiting one: friend, slot, source, space, folder, friend-paused, -space, -folder, other-device
    path: str | None  # of its link, as in LinkStatus
    error: dict[str, str] | None  # {"code", "message", "remedy"}
    resumed_at: (
        int | None
    )  # of a running one that was interrupted: bytes that were verified when it went on
    sources: list[
        dict[str, object]
    ]  # {"friend", "device", "path", "bytes", "error"}: of one that comes, who was asked for it


class FriendCode(Result, frozen=True):
    """My friend code. lan_until: until when people on the local network may ask by it; None: they may not."""

    code: str
    lan_until: str | None = None


class FriendAdded(Result, frozen=True):
    """How far a friendship has come."""

    friend: str
    state: str  # asked, friends


class FriendRequest(Result, frozen=True):
    """A request that waits for an answer."""

    friend: str
    direction: str  # in, out
    fingerprint: str | None
    note: str
    at: str
    key_changed: bool = False  # the person of that name had another key: see AcceptKey


class KeyAccepted(Result, frozen=True):
    """The identity that counts for a name from now on. state: of the friendship: friends, asked_out, removed."""

    friend: str
    fingerprint: str
    state: str


class SafetyNumber(Result, frozen=True):
    """What two friends compare: 60 digits, alike on both sides. verified: somebody did, for this very key."""

    friend: str
    number: str
    verified: bool


class Friend(Result, frozen=True):
    """One friend with presence."""

    friend: str
    presence: str  # available, away, busy, offline
    text: str
    verified: bool
    devices: int
    last_seen: str | None
    fingerprint: str
    key_changed: str | None = None  # fingerprint of another key that is shown: nothing is sent
    unread: int = 0  # lines that were not read on any own device
    muted: bool = False


class Presence(Result, frozen=True):
    """What I show now."""

    presence: str
    text: str


class MessageState(Result, frozen=True):
    """A message of mine and how far it came."""

    id: str
    state: str  # queued, sent, delivered, read, failed


class Message(Result, frozen=True):
    """One line of a conversation, as it stands now.

    quote: {"from", "text"}, a glimpse of what it replies to, None where that is not here. reactions:
    {"mark", "from"}, from: names. versions: {"id", "at", "text"} of what it said before and says now, oldest
    first; given by `history` alone, of edited ones.
    """

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
    forked: bool = False  # its device wrote something else in the same place, too
    gone: str | None = None  # why it has no words any more: deleted, retention (see `config`)
    quote: dict[str, str] | None = None
    forwarded_from: str | None = None  # whose words these are, as its author says
    mentions_me: bool = False  # it names this account as @NAME
    pinned: bool = False
    reactions: list[dict[str, object]] = field(default_factory=list)
    versions: list[dict[str, str]] | None = None


class Found(Result, frozen=True):
    """A line that holds what was looked for; hits: [start, end] in characters of the snippet."""

    id: str
    conversation: str
    friend: str
    sender: str  # `from` in JSON
    at: str
    kind: str  # message, offer
    snippet: str
    hits: list[list[int]]


class OfferMade(Result, frozen=True):
    """An offer of mine that is committed. skipped: {"path", "reason"} of what was left out.

    leaves_when_up: no node stays up here, so the files leave when one does.
    """

    offer: str
    files: int
    bytes: int
    skipped: list[dict[str, str]]
    leaves_when_up: bool = False


class Offer(Result, frozen=True):
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


class Setting(Result, frozen=True):
    """What holds of one key, in the form that it is set in. friend: for whom alone, None for all."""

    key: str
    value: str
    default: str
    help: str
    friend: str | None = None


class AcceptPolicy(Result, frozen=True):
    """Who may send without asking. friend: whom it is about, None for all whom nothing else was said of."""

    friend: str | None
    policy: str  # ask, auto, never
    max_size: str  # of an offer that is taken without asking; off: any
    types: str  # patterns with commas between; off: all


class Event(Result, frozen=True):
    """Something happened in the node.

    event: `ready`, or one of EVENT_KINDS. body: the fields of that kind, in JSON's terms.
    """

    event: str
    body: dict[str, object]


class Relayed(Result, frozen=True):
    """A result that stands as JSON already: given before, or by another process's node."""

    item: dict[str, object]


EVENT_KINDS = (
    "message",
    "change",
    "unread",
    "typing",
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
_NAMES: dict[type[Result], list[tuple[str, str]]] = {}
"""The fields of each kind of result that was shown, with the names they are shown under."""


def as_json(result: Result) -> dict[str, object]:
    """Give the JSON object of a result: its fields, `sender` as `from`, an Event's body spread out."""
    if isinstance(result, Event):
        return {"event": result.event, **result.body}
    if isinstance(result, Relayed):
        return dict(result.item)
    kind = type(result)
    names = _NAMES.get(kind)
    if names is None:
        names = _NAMES[kind] = [(name, _RENAMED.get(name, name)) for name in kind.__struct_fields__]
    return {shown: _plain(getattr(result, name)) for name, shown in names}


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Result):
        return as_json(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
