"""Vectors: what one side has of a conversation, and what the other lacks of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from wire.channel.primitives import sha256
from wire.ids import DeviceId, Epoch
from wire.messages.conversation import VectorEntry

DIGEST_BYTES = 16


def digest_of(entries: Iterable[VectorEntry]) -> bytes:
    """Give 16 bytes that are alike if and only if two sides have the same, in whatever order.

    The first 16 of SHA-256 over the chains that have events, sorted: device, epoch, floor and high as 8
    bytes big-endian, id at high.
    """
    rows = sorted(
        entry.device
        + entry.epoch
        + entry.floor.to_bytes(8, "big")
        + entry.high.to_bytes(8, "big")
        + entry.high_id
        for entry in entries
        if entry.high
    )
    return sha256(b"".join(rows))[:DIGEST_BYTES]


@dataclass(frozen=True, slots=True)
class Missing:
    """Events `first` to `last` (seq, inclusive) of one chain."""

    device: DeviceId
    epoch: Epoch
    first: int
    last: int


def lacking(mine: Iterable[VectorEntry], theirs: Iterable[VectorEntry]) -> list[Missing]:
    """Give what I have and they lack, a chain each; what is below my floor I cannot give."""
    known = {(entry.device, entry.epoch): entry for entry in theirs}
    found = []
    for entry in mine:
        other = known.get((entry.device, entry.epoch))
        have = 0 if other is None else max(other.high, other.floor)
        first = max(have + 1, entry.floor, 1)
        if first <= entry.high:
            found.append(Missing(entry.device, entry.epoch, first, entry.high))
    return found
