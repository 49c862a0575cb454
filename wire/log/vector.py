"""Vectors: what one side has of a conversation; alike or not in 16 bytes."""

from __future__ import annotations

from collections.abc import Iterable

from wire.channel.primitives import sha256
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
