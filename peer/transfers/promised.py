"""What is free on a disk and promised already: transfers under way on one file system do not all count on the same space.

Each is asked about once, when it is opened, and stands behind those that were opened before it: so the first become whole,
and the others wait instead of filling the disk with halves. What other programs take meanwhile nobody can know; who meets
a full disk closes, and stands last when it is opened again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from peer.errors import PeerError
from wire.codes import Code


class Promised:
    """What open transfers still have to write, on all file systems of one machine; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[
            object, tuple[int, Callable[[], int]]
        ] = {}  # in the order of their opening

    def take(
        self,
        whose: object,
        folder: Path,
        device: int,
        missing: Callable[[], int],
        free: Callable[[], int],
    ) -> None:
        """Promise somebody space, once; raises PeerError(NO_SPACE) where there is too little. `release` follows in both cases.

        folder: as people know it. device: number of its file system. missing: gives the bytes still to be written, asked
        from any thread until then. free: gives the bytes that are free; it may wait for a disk, and holds nobody else.
        """
        with self._lock:
            before = [other for at, other in self._open.values() if at == device]
            self._open[whose] = device, missing
        taken = [left for each in before if (left := each()) > 0]
        need, have = (
            missing(),
            free(),
        )  # looked at last: what was written meanwhile counts twice, not never
        if 0 < need > have - sum(taken):
            raise no_space(folder, need, have, sum(taken), len(taken))

    def release(self, whose: object) -> None:
        """Promise somebody nothing any more; again changes nothing."""
        with self._lock:
            self._open.pop(whose, None)


def no_space(
    folder: Path,
    need_bytes: int,
    have_bytes: int,
    promised_bytes: int = 0,
    others: int = 0,
    *,
    remedy: str = "",
) -> PeerError:
    """Give the error of a disk that is too full, with the figures.

    promised_bytes: what so many others still write there. remedy: instead of the code's.
    """
    taken = ""
    if others:
        share = "all" if promised_bytes >= have_bytes else f"{promised_bytes}"
        whose = "another transfer" if others == 1 else f"{others} other transfers"
        taken = f", {share} of them promised to {whose},"
    detail = f"{folder} has {have_bytes} bytes free{taken} and {need_bytes} are needed"
    return PeerError(Code.NO_SPACE, detail, remedy=remedy)
