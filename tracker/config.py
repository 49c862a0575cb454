"""What a tracker can be told: where it listens, who may register, and its limits.

Values and their parsing only; nothing here opens anything. The names of limits are a closed list.
"""

from __future__ import annotations

import difflib
import enum
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from tracker.errors import TrackerError
from wire import limits
from wire.codes import Code

DEFAULT_PORT = 9797


class Registration(enum.StrEnum):
    """Who may make an account."""

    OPEN = "open"
    CLOSED = "closed"


class ListenAddress(Struct, frozen=True):
    """Where to listen. host: an address of this machine or a name for one; port: 0 for a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


DEFAULT_LISTEN = (ListenAddress("::", DEFAULT_PORT), ListenAddress("0.0.0.0", DEFAULT_PORT))


class Limits(Struct, frozen=True):
    """The limits that `--limit NAME=VALUE` changes; the reasons of the defaults stand in `wire.limits`."""

    sockets_per_address: int = limits.SOCKETS_PER_ADDRESS
    sockets_pre_open: int = limits.SOCKETS_PRE_OPEN
    sockets_early_drop: int = limits.SOCKETS_EARLY_DROP
    open_timeout_s: float = limits.OPEN_TIMEOUT_S
    anonymous_timeout_s: float = limits.ANONYMOUS_TIMEOUT_S
    heartbeat_s: float = limits.HEARTBEAT_S
    dead_after_s: float = limits.DEAD_AFTER_S
    failed_logins: int = limits.FAILED_LOGINS
    failed_logins_window_s: float = limits.FAILED_LOGINS_WINDOW_S
    registrations: int = limits.REGISTRATIONS
    lookups: int = limits.LOOKUPS
    throttle_window_s: float = limits.THROTTLE_WINDOW_S
    send_queue_bytes: int = limits.SEND_QUEUE_BYTES
    send_stall_s: float = limits.SEND_STALL_S
    staged_state_bytes: int = limits.STAGED_STATE_BYTES
    relays: int = limits.RELAYS
    relays_per_account: int = limits.RELAYS_PER_ACCOUNT
    relay_pair_bytes: int = limits.RELAY_PAIR_BYTES
    relay_pair_bytes_per_s: int = limits.RELAY_PAIR_BYTES_PER_S
    relay_bytes_per_s: int = limits.RELAY_BYTES_PER_S


class Config(Struct, frozen=True):
    """What one tracker runs with.

    is_default_listen: nobody chose `listen`, so an address family that this machine lacks is left out.
    max_peers: entered sessions at once; None: no limit of its own. is_relay: devices that cannot reach each
    other are joined here. metrics: where counts may be read, None for nowhere.
    """

    home: Path
    listen: tuple[ListenAddress, ...] = DEFAULT_LISTEN
    is_default_listen: bool = False
    max_peers: int | None = None
    registration: Registration = Registration.OPEN
    is_relay: bool = True
    probes: bool = True
    probe: ListenAddress | None = None
    metrics: ListenAddress | None = None
    limits: Limits = field(default_factory=Limits)


def parse_listen(text: str, option: str = "--listen") -> ListenAddress:
    """Read HOST:PORT, an IPv6 address in brackets; raises ADDRESS_INVALID or PORT_INVALID naming the option."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        host = ""
    if not colon or not host or not host.isascii() or any(c in host for c in "[]/ \0"):
        raise TrackerError(
            Code.ADDRESS_INVALID,
            f"{option} {text!r} is no HOST:PORT",
            remedy="write it like 0.0.0.0:9797 or [::]:9797",
        )
    if not (port.isascii() and port.isdigit()) or len(port) > 5 or int(port) > 65535:
        raise TrackerError(Code.PORT_INVALID, f"the port of {option} {text!r} is none")
    return ListenAddress(host, int(port))


def parse_count(option: str, text: str | None) -> int | None:
    """Read a whole number above 0; None stays None. Raises CONFIG_INVALID naming the option."""
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9 or int(text) == 0:
        raise TrackerError(Code.CONFIG_INVALID, f"{option} {text!r} is no whole number above 0")
    return int(text)


def parse_limits(settings: list[str]) -> Limits:
    """Read NAME=VALUE settings; raises CONFIG_INVALID naming the nearest limit or what is wrong.

    Names are written with `-` or `_`; values are numbers above 0, whole ones except for seconds.
    """
    kinds = Limits.__struct_fields__
    changed: dict[str, float] = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        key = name.strip().replace("-", "_")
        if key not in kinds:
            near = difflib.get_close_matches(key, kinds, 1)
            hint = f"did you mean {near[0]}?" if near else f"the limits are {', '.join(kinds)}"
            raise TrackerError(Code.CONFIG_INVALID, f"there is no limit {name!r}", remedy=hint)
        changed[key] = _number(setting, value, is_whole=_is_whole(key))
    made = replace(Limits(), **changed)
    if made.sockets_early_drop > made.sockets_pre_open:
        raise TrackerError(
            Code.CONFIG_INVALID,
            f"sockets_early_drop={made.sockets_early_drop} is above"
            f" sockets_pre_open={made.sockets_pre_open}",
        )
    if made.heartbeat_s >= made.dead_after_s:
        raise TrackerError(
            Code.CONFIG_INVALID,
            f"heartbeat_s={made.heartbeat_s:g} is not below dead_after_s={made.dead_after_s:g}",
        )
    return made


def _is_whole(key: str) -> bool:
    """Say whether a limit counts things or bytes, and not seconds."""
    return not key.endswith("_s") or key.endswith("_per_s")


def _number(setting: str, value: str, *, is_whole: bool) -> float:
    text = value.strip()
    allowed = "0123456789" if is_whole else "0123456789."
    try:
        if not text or len(text) > 15 or any(c not in allowed for c in text):
            raise ValueError(text)
        number = int(text) if is_whole else float(text)
        if number <= 0:
            raise ValueError(text)
    except ValueError as error:
        kind = "a whole number" if is_whole else "seconds"
        raise TrackerError(
            Code.CONFIG_INVALID, f"--limit {setting!r} needs {kind} above 0, as NAME=VALUE"
        ) from error
    return number
