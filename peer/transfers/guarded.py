"""A lock and a look at what goes wrong under it, in one `with`: a generator would cost 1 % of a fast transfer at each chunk."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

T = TypeVar("T")


class Guarded(Generic[T]):
    """Holds a lock; what is raised meanwhile goes to `meet`, still under it.

    meet: is given the exception and `about`; True: it is over with that, False: it goes on. It may raise another.
    """

    __slots__ = ("_about", "_lock", "_meet")

    def __init__(
        self, lock: threading.RLock, meet: Callable[[Exception, T], bool], about: T
    ) -> None:
        self._lock = lock
        self._meet = meet
        self._about = about

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        try:
            return isinstance(error, Exception) and self._meet(error, self._about)
        finally:
            self._lock.release()
