"""What a link tells its owner, and what it is told at its making."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from msgspec import Struct

from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError
from wire.identity import Certificate, DeviceList
from wire.ids import IdentityKey, LinkKey
from wire.messages import Message, Purpose
from wire.messages.session import Hello, HelloAnonymous, HelloTracker

AnyHello = Hello | HelloAnonymous | HelloTracker
LINK_PURPOSES = (Purpose.TRACKER, Purpose.PEER, Purpose.DATA)


class Ending(enum.Enum):
    """Who ended a link."""

    US = "us"
    THEM = "them"
    LOST = "lost"  # the stream ended without a word


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """What one side brings to a link.

    static_private: our link key, 32 bytes, secret. responder: 32 bytes, the identity that the initiator
    expects to reach (for a tracker: its link key), in the prologue on both sides. hello: the initiator's
    first record; a responder gives its own to `admit`. expected_static: the link key that the responder
    must prove (initiators only). expected_identity: whose device it must be (peer and data links).
    known_counter: the highest list counter of that identity known here. hands_over: the owner will
    `take_over` this data link at LinkOpened: whatever comes then is left for it unopened. Times are
    seconds.
    """

    purpose: Purpose
    static_private: bytes = field(repr=False)
    responder: bytes
    hello: Hello | HelloAnonymous | None = None
    expected_static: LinkKey | None = None
    expected_identity: IdentityKey | None = None
    known_counter: int = 0
    hands_over: bool = False
    open_timeout_s: float = limits.OPEN_TIMEOUT_S
    anonymous_timeout_s: float = limits.ANONYMOUS_TIMEOUT_S
    heartbeat_s: float = limits.HEARTBEAT_S
    dead_after_s: float = limits.DEAD_AFTER_S
    lifetime_s: float = limits.LINK_LIFETIME_S
    lifetime_bytes: int = limits.LINK_LIFETIME_BYTES
    rekey_after_records: int = limits.REKEY_AFTER_RECORDS
    rekey_after_bytes: int = limits.REKEY_AFTER_BYTES

    def __post_init__(self) -> None:
        """Check what fits together; raises LocalProtocolError."""
        if self.purpose not in LINK_PURPOSES:
            raise LocalProtocolError(f"there are no links for {self.purpose.name.lower()}")
        if self.hands_over and self.purpose is not Purpose.DATA:
            raise LocalProtocolError("only data links are taken over")


class Remote(Struct, frozen=True):
    """Who is at the other end.

    hello: as it came, None once forgotten. certificate, device_list: verified on peer and data links; on a tracker's side the
    certificate is only compared with the handshake, and the list is None. link_key: 32 bytes, proven.
    """

    hello: AnyHello | None
    certificate: Certificate | None
    device_list: DeviceList | None
    link_key: LinkKey


class LinkEvent(Struct, frozen=True):
    """Something happened on a link; the subclasses are the closed list."""


class LinkIdentified(LinkEvent, frozen=True):
    """A responder knows who calls and waits for `admit` or `refuse`."""

    remote: Remote


class LinkOpened(LinkEvent, frozen=True):
    """Both sides are proven; the application may speak. handshake_hash: 32 bytes."""

    remote: Remote
    handshake_hash: bytes


class MessageReceived(LinkEvent, frozen=True):
    """The other side said something."""

    message: Message


class ChunkReceived(LinkEvent, frozen=True):
    """The bytes that a Piece or Pack announced; at most 1 MiB."""

    content: bytes


class LinkAged(LinkEvent, frozen=True):
    """This link has lived or carried enough: dial a new one; it goes on until that stands."""


class LinkClosed(LinkEvent, frozen=True):
    """The last event: why it ended, in whose words, and who ended it."""

    code: Code
    text: str
    by: Ending
