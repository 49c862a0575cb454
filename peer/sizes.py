"""Sizes for people; the standard library's quick corners only, since the command line asks early."""

from __future__ import annotations


def bytes_text(count: float) -> str:
    """Give a size for people: `1 byte`, `64.0 MiB`. count: bytes, 0 or more."""
    number = float(count)
    if number < 1024:
        return "1 byte" if number == 1 else f"{number:.0f} bytes"
    for unit in ("KiB", "MiB", "GiB"):
        number /= 1024
        if number < 1023.95:  # beyond it would read 1024.0
            return f"{number:.1f} {unit}"
    return f"{number / 1024:.1f} TiB"


def count_text(count: object, thing: str) -> str:
    """Give `1 file`, `3 files`."""
    return f"{count} {thing}" if str(count) == "1" else f"{count} {thing}s"
