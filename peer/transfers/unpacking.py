"""The chunks of one record, each with its digest."""

from __future__ import annotations

from blake3 import blake3

from wire.messages.transfer import Pack, Piece


def unpacked(announced: Piece | Pack, data: memoryview) -> list[tuple[int, int, memoryview, bytes]]:
    """Give (file, chunk index, bytes, BLAKE3 of them) of the chunk, or of each small file, in a record."""
    if isinstance(announced, Piece):
        return [(announced.file, announced.index, data, blake3(data).digest())]
    parts: list[tuple[int, int, memoryview, bytes]] = []
    position = 0
    for chunk in announced.chunks:
        part = data[position : position + chunk.length]
        parts.append((chunk.file, 0, part, blake3(part).digest()))
        position += chunk.length
    return parts
