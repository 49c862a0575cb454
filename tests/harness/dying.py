"""A disk that dies at a chosen step, as a process does that is killed: for enumerating all moments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from peer.transfers.disk import Disk


class Killed(BaseException):
    """The process is dead: nothing after this has any effect."""


class DyingDisk:
    """Another disk, until `steps` of its operations were done; then every one raises Killed."""

    def __init__(self, disk: Disk, steps: int, *, die: Callable[[], None] | None = None) -> None:
        self._disk = disk
        self._die = die
        self.left = steps

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._disk, name)
        if not callable(operation):
            return operation

        def step(*arguments: Any, **named: Any) -> Any:
            if self.left <= 0:
                if self._die is not None:
                    self._die()
                raise Killed
            self.left -= 1
            return operation(*arguments, **named)

        return step
