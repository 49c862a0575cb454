"""A batch of events that came: whose it is, and what an event's clocks are held against."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable

from msgspec import Struct

from peer.log.membership import Conversation
from peer.log.showing import Known
from wire import limits
from wire.identity import Certificate, DeviceKeys
from wire.ids import DeviceId, IdentityKey
from wire.log.event import Header
from wire.machine import Entropy, UnixMillis

LABEL_OFF_MS = int(limits.CLOCK_LABEL_OFF_S * 1000)


class Batch(Struct, frozen=True):
    """Where a batch belongs, who brought it, and when."""

    keys: DeviceKeys
    conversation: Conversation
    sender: DeviceId
    identity: IdentityKey  # the sender's
    certificate_of: Callable[[DeviceId], Certificate | None]
    now: UnixMillis
    entropy: Entropy


def known_clock(connection: sqlite3.Connection, batch: Batch, claimed: Header) -> int:
    """Give the highest clock of the conversation, or 0 where an event's is within its bounds in any case."""
    if claimed.clock <= limits.CLOCK_AHEAD:
        return 0
    (clock,) = connection.execute(
        "SELECT coalesce(max(clock), 0) FROM events WHERE conversation = ?",
        (batch.conversation.number,),
    ).fetchone()
    return int(clock)


def is_label_off(
    header: Header, author: Certificate, known: Iterable[Known], now: UnixMillis
) -> bool:
    """Say whether the author's wall clock cannot have shown that time, by more than ten minutes.

    It is not later than now; it is not before the device was made, nor before what the author had seen.
    """
    earliest = max([author.created, *(one.at for one in known if not one.is_off)])
    return header.at > now + LABEL_OFF_MS or header.at < earliest - LABEL_OFF_MS
