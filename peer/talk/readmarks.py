"""Read marks in the account state: how far this account saw each chain of a conversation, on any device.

Of each chain the highest place that any device set stands, whatever the clocks of the values: a device that sees a
value with less than it knows sets the union, so that all end with the same one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

from peer.store import settings
from wire import limits
from wire.account_state import READ, ReadMarks, SeenPlace, read_marks
from wire.errors import RemoteProtocolError
from wire.identity.packing import pack
from wire.ids import ConversationId, DeviceId, Epoch

Connection = sqlite3.Connection
ChainKey = tuple[DeviceId, Epoch]


def key_of(conversation: bytes) -> str:
    """Give the key of a conversation's read marks."""
    return f"{READ}{conversation.hex()}"


def conversation_of(key: str) -> ConversationId | None:
    """Give the conversation that a key of read marks names, None if it names none."""
    try:
        conversation = bytes.fromhex(key.removeprefix(READ))
    except ValueError:
        return None
    return ConversationId(conversation) if len(conversation) == 32 else None


def known(connection: Connection, conversation: bytes) -> dict[ChainKey, int]:
    """Give how far each chain of a conversation was seen, as far as the account state has it."""
    raw = settings.read(connection, key_of(conversation))
    if raw is None:
        return {}
    try:
        return places(raw)
    except RemoteProtocolError:
        return {}


def places(raw: bytes) -> dict[ChainKey, int]:
    """Give what a value says; raises RemoteProtocolError(STATE_INVALID) for one that makes no sense."""
    found: dict[ChainKey, int] = {}
    for place in read_marks(raw).chains:
        key = (DeviceId(place.device), Epoch(place.epoch))
        found[key] = max(found.get(key, 0), place.high)
    return found


def add(connection: Connection, conversation: bytes, more: Mapping[ChainKey, int]) -> bool:
    """Put the union of what is known and more; False where that changes nothing.

    The farthest are kept if they are too many: every device drops the same ones.
    """
    union = known(connection, conversation)
    for key, high in more.items():
        union[key] = max(union.get(key, 0), high)
    kept = sorted(union.items(), key=lambda item: (-item[1], item[0]))[: limits.SEEN_CHAINS]
    marks = ReadMarks(
        tuple(SeenPlace(device, epoch, high) for (device, epoch), high in sorted(kept))
    )
    return settings.write(connection, key_of(conversation), pack(marks))
