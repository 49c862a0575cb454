"""How much memory a real process has, and how much more it may have after whatever came: one home of both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GROWTH_BYTES = 24 * 1024 * 1024
"""How much more memory a program may have after whatever came: buffers that it keeps, and no more."""


def memory_of(pid: int) -> int:
    """Give how many bytes of memory a process has (its resident set)."""
    found = _read(pid, "VmRSS")
    assert found is not None
    return found


def peak_of(pid: int) -> int:
    """Give how many bytes of memory a process had at most; 0 for one that is no more."""
    try:
        return _read(pid, "VmHWM") or 0
    except OSError:
        return 0


def _read(pid: int, name: str) -> int | None:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"{name}:\s+(\d+) kB", status)
    return None if found is None else int(found[1]) * 1024


@contextmanager
def bounded(pid: int, most_bytes: int = GROWTH_BYTES) -> Iterator[None]:
    """Check that a process has at most so much more memory at the end than at the beginning."""
    before = memory_of(pid)
    yield
    assert memory_of(pid) - before < most_bytes
