"""What a person may set: the closed table of keys, and what holds for whom.

A value is a text in the form that `config set` takes, kept as a person would write it. Values stand in
`store.settings`: those about the account travel to its other devices, those about this machine stay. One
that was set for a friend names that friend's identity: whoever comes by the name later inherits nothing.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable
from difflib import get_close_matches

import msgspec

from peer import hooks
from peer.errors import PeerError
from peer.people import contacts
from peer.settings.quantities import (
    NONE,
    OFF,
    one_duration,
    one_interface,
    one_proxy,
    one_rate,
    one_schedule,
    one_size,
)
from peer.store import settings
from wire import limits
from wire.codes import Code

Connection = sqlite3.Connection

ON = "on"

DEFAULT = "default"
"""In place of a value: what was set is forgotten."""

POLICIES = ("ask", "auto", "never")

BANDWIDTH = ("bandwidth.up", "bandwidth.down", "bandwidth.schedule")


class Key(msgspec.Struct, frozen=True):
    """One thing to be set.

    default: in the form of a value; empty where it depends on the home. expects: what a value is, in words.
    read: gives a value's one spelling, or raises ValueError. is_per_friend: may be set for one friend.
    is_here: about this machine, so it does not travel.
    """

    name: str
    default: str
    help: str
    expects: str
    read: Callable[[str], str]
    is_per_friend: bool = False
    is_here: bool = False


# --- forms of values


def _one_policy(text: str) -> str:
    folded = text.strip().lower()
    if folded not in POLICIES:
        raise ValueError(text)
    return folded


def _one_switch(text: str) -> str:
    folded = text.strip().lower()
    if folded not in (ON, OFF):
        raise ValueError(text)
    return folded


def _one_types(text: str) -> str:
    patterns = [part.strip() for part in text.split(",") if part.strip()]
    one = ",".join(patterns)
    if one != "0" and one.lower() in NONE:  # a file may be called so
        return OFF
    if not patterns or len(one) > limits.ACCEPT_TYPES_CHARS or "/" in one or not one.isprintable():
        raise ValueError(text)
    return one


def days(text: str) -> int:
    """Give the milliseconds of an age in days; raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,5})d", text)
    if match is None or int(match[1]) < 1:
        raise ValueError(text)
    return int(match[1]) * 86_400_000


def _one_age(text: str) -> str:
    folded = text.strip().lower()
    if folded in NONE:
        return OFF
    return f"{days(folded) // 86_400_000}d"


def _one_command(text: str) -> str:
    return OFF if text.strip().lower() in NONE else hooks.read_command(text)


def _one_folder(text: str) -> str:
    path = os.path.expanduser(text)  # noqa: PTH111 - Path would take an empty text for `.`
    if not os.path.isabs(path) or "\0" in path:  # noqa: PTH117 - a text, not yet a path
        raise ValueError(text)
    return path


_SIZE_FORM = "bytes or a number with KB, MB, GB, KiB, MiB or GiB, at least 1, like 25MB, or off"
_SCHEDULE_FORM = "hours and limits like 08:00-18:00 up 1MB/s down 5MB/s, 22:00-06:00 up off (no hour twice), or off"
_RATE_FORM = "bytes a second like 10MB/s, at least 10KB/s, or off"

KEYS = {
    key.name: key
    for key in (
        Key(
            "accept.max-size",
            OFF,
            "the largest offer that is taken without asking",
            _SIZE_FORM,
            one_size,
            is_per_friend=True,
        ),
        Key(
            "accept.policy",
            "ask",
            "what becomes of an offer: ask waits for you, auto takes it, never refuses it",
            "ask, auto or never",
            _one_policy,
            is_per_friend=True,
        ),
        Key(
            "accept.types",
            OFF,
            "names of files that are taken without asking, all of an offer's have to match",
            "a pattern like *.jpg, or several with commas between, or off",
            _one_types,
            is_per_friend=True,
        ),
        Key(
            "bandwidth.down",
            OFF,
            "how fast files may come, all together; with --friend, from one",
            _RATE_FORM,
            one_rate,
            is_per_friend=True,
            is_here=True,
        ),
        Key(
            "bandwidth.schedule",
            OFF,
            "hours of every day, by this machine's clock, at which other limits hold",
            _SCHEDULE_FORM,
            one_schedule,
            is_per_friend=True,
            is_here=True,
        ),
        Key(
            "bandwidth.up",
            OFF,
            "how fast files may leave, all together; with --friend, to one",
            _RATE_FORM,
            one_rate,
            is_per_friend=True,
            is_here=True,
        ),
        Key(
            "downloads.folder",
            "",
            "the folder that received files go to",
            "an absolute path",
            _one_folder,
            is_here=True,
        ),
        *(
            Key(
                f"hooks.{kind}",
                OFF,
                f"a command that runs {when}; what happened is a line of JSON on its input",
                "a program with its words, like '/usr/bin/notify-send Hobnob', or off",
                _one_command,
                is_here=True,
            )
            for kind, when in hooks.KINDS.items()
        ),
        Key(
            "idle",
            "10m",
            "after how long without a command of yours you are shown as away, if you are available",
            "a duration of at least 1s like 90s, 10m or 2h, or off",
            one_duration,
        ),
        Key(
            "interface",
            OFF,
            "a network interface, or an address of this machine, that everything stays on, from the next up on",
            "a name like eth0 or wg0, a numeric address, or off",
            one_interface,
            is_here=True,
        ),
        Key(
            "lan",
            ON,
            "whether this machine and friends' machines find each other on the local network",
            "on or off",
            _one_switch,
            is_here=True,
        ),
        Key(
            "metered",
            OFF,
            "whether this machine's network costs by the byte: no offer is taken unasked, no idle link kept",
            "on or off",
            _one_switch,
            is_here=True,
        ),
        Key(
            "port-mapping",
            ON,
            "whether the router is asked, by PCP, NAT-PMP or UPnP, to let friends through to this machine",
            "on or off",
            _one_switch,
            is_here=True,
        ),
        Key(
            "receipts",
            ON,
            "whether friends are told how far you have read what they said",
            "on or off",
            _one_switch,
            is_per_friend=True,
        ),
        Key(
            "relay-only",
            OFF,
            "whether friends never see where this account's machines are: links with them go by the relay alone",
            "on or off",
            _one_switch,
            is_per_friend=True,
        ),
        Key(
            "retention",
            OFF,
            "how long words are kept here; what is older goes, unread and undelivered ones excepted",
            "a number of days like 90d, at least 1d, or off",
            _one_age,
            is_per_friend=True,
        ),
        Key(
            "tracker.socks5",
            OFF,
            "a SOCKS5 proxy that the tracker is reached through; friends are then reached by the relay alone",
            "HOST:PORT, or off; a name and password stand in config.toml or HOBNOB_SOCKS5",
            one_proxy,
            is_here=True,
        ),
        Key(
            "typing",
            ON,
            "whether friends who are linked are told while you write to them",
            "on or off",
            _one_switch,
            is_per_friend=True,
        ),
    )
}
"""Every key there is, by its name, in the order in which they are listed."""


def need_key(name: str) -> Key:
    """Give a key; raises PeerError(CONFIG_INVALID) that names the nearest."""
    key = KEYS.get(name.strip().lower())
    if key is None:
        nearest = get_close_matches(name.lower(), KEYS, 1, 0.5)
        hint = f", did you mean {nearest[0]}?" if nearest else ""
        raise PeerError(
            Code.CONFIG_INVALID,
            f"there is no setting {name[:70]!r}{hint}",
            remedy="see: hobnob config list",
        )
    return key


def need_per_friend(key: Key) -> None:
    """Raise PeerError(CONFIG_INVALID) for a key that cannot be set for one friend."""
    if not key.is_per_friend:
        raise PeerError(
            Code.CONFIG_INVALID,
            f"{key.name} holds for everybody",
            remedy="leave --friend out",
        )


def read_value(key: Key, text: str) -> str:
    """Give a value's one spelling; raises PeerError(CONFIG_INVALID) that says what is expected."""
    try:
        return key.read(text)
    except ValueError as error:
        raise PeerError(
            Code.CONFIG_INVALID,
            f"{key.name} is {key.expects}, not {text[:70]!r}",
            remedy="see: hobnob config list",
        ) from error


# --- what is set


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    text: bytes  # in the system's bytes: a path may be no UTF-8
    identity: bytes = b""  # of the friend whom it is for


def put(connection: Connection, key: Key, text: str, friend: str | None) -> None:
    """Set a value for all, or for one friend (or this account's own devices). text: as `read_value` gives it, or DEFAULT.

    Raises PeerError with CONFIG_INVALID, NO_SUCH_FRIEND, BLOCKED, KEY_CHANGED or NOT_REGISTERED.
    """
    identity = b""
    if friend is not None:
        need_per_friend(key)
        identity = contacts.find_partner(connection, friend).identity or b""
    value = b"" if text == DEFAULT else msgspec.msgpack.encode(_Stored(os.fsencode(text), identity))
    settings.write(connection, _place(key, friend), value)


def value(connection: Connection, name: str, friend: contacts.Contact | None = None) -> str | None:
    """Give what was set of a key: for a friend, else for all; None where nothing was."""
    key = KEYS[name]
    if friend is not None and key.is_per_friend:
        found = _read(connection, key, friend.name)
        if found is not None and found.identity == friend.identity:
            return os.fsdecode(found.text)
    found = _read(connection, key, None)
    return None if found is None else os.fsdecode(found.text)


def held(connection: Connection, name: str, friend: contacts.Contact | None = None) -> str:
    """Give what holds of a key that has a default of its own."""
    return value(connection, name, friend) or KEYS[name].default


def held_for(connection: Connection, name: str, friend: str) -> str:
    """Give what holds for a friend, by name, of a key that has a default of its own."""
    key = KEYS[name]
    if not settings.has_any(connection, _place(key, friend), _place(key, None)):
        return key.default
    return held(connection, name, contacts.find(connection, friend))


def of_friends(connection: Connection, key: Key) -> list[tuple[str, str]]:
    """List what was set of a key for single friends: (name, value)."""
    if not key.is_per_friend:
        return []
    found: list[tuple[str, str]] = []
    for name in sorted(settings.under(connection, f"{_place(key, None)}/")):
        friend = contacts.find(connection, name)
        stored = _read(connection, key, name)
        if friend is not None and stored is not None and stored.identity == friend.identity:
            found.append((name, os.fsdecode(stored.text)))
    return found


# --- inside


def _place(key: Key, friend: str | None) -> str:
    place = f"{settings.HERE if key.is_here else ''}config/{key.name}"
    return place if friend is None else f"{place}/{friend}"


def _read(connection: Connection, key: Key, friend: str | None) -> _Stored | None:
    """Give a stored value; None for one of another version that does not read here."""
    raw = settings.read(connection, _place(key, friend))
    if raw is None:
        return None
    try:
        stored = msgspec.msgpack.decode(raw, type=_Stored)
        key.read(os.fsdecode(stored.text))
    except (msgspec.DecodeError, ValueError):
        return None
    return stored
