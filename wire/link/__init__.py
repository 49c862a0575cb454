"""One link between two programs: preamble, handshake, hello, records, keepalive and close as one machine."""

from wire.channel.handshake import Role
from wire.link.events import (
    ChunkReceived,
    Ending,
    LinkAged,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    MessageReceived,
    Remote,
)
from wire.link.link import Link
from wire.link.states import LinkState

__all__ = [
    "ChunkReceived",
    "Ending",
    "Link",
    "LinkAged",
    "LinkClosed",
    "LinkConfig",
    "LinkEvent",
    "LinkIdentified",
    "LinkOpened",
    "LinkState",
    "MessageReceived",
    "Remote",
    "Role",
]
