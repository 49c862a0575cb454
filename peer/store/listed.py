"""Lists of any length in statements of few lengths: SQLite keeps those that it has prepared, by their text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def listed(values: Sequence[T]) -> tuple[str, Sequence[T]]:
    """Give the marks between the brackets of `IN (...)`, and the values for them: the last is repeated up to a power of two."""
    count = len(values)
    if count < 2:
        return "?" * count, values
    most = 1 << (count - 1).bit_length()
    return ",".join("?" * most), [*values, *[values[-1]] * (most - count)]
