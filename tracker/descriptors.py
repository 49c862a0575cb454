"""The system's limits of this process: as many sockets as it allows, and no picture of the memory on disk."""

from __future__ import annotations

from typing import Protocol


class SystemLimits(Protocol):
    """What of the standard library's `resource` is used."""

    RLIMIT_NOFILE: int
    RLIM_INFINITY: int

    def getrlimit(self, resource: int, /) -> tuple[int, int]:
        """Give the soft and the hard limit."""
        ...

    def setrlimit(self, resource: int, limits: tuple[int, int], /) -> None:
        """Set both; raises OSError or ValueError."""
        ...


SYSTEM: SystemLimits | None
try:
    import resource

    HAS_RESOURCE = True
    SYSTEM = resource
except ImportError:  # pragma: no cover  a system without it; tests force the other road
    HAS_RESOURCE = False
    SYSTEM = None

KEPT_BACK = 64  # for the database, the listeners, the control socket and the log
UNLIMITED = 1_000_000


def raise_descriptor_limit(system: SystemLimits | None = SYSTEM) -> int:
    """Raise the limit of open files to what the system allows; gives how many sockets that leaves.

    system: where limits are asked and set; None where there is no such thing.
    """
    if system is None:
        return UNLIMITED
    soft, hard = system.getrlimit(system.RLIMIT_NOFILE)
    if soft != hard:
        try:
            system.setrlimit(system.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # macOS has a lower limit of its own than it says
            hard = soft
    return UNLIMITED if soft == system.RLIM_INFINITY else max(1, soft - KEPT_BACK)


def forbid_core_dumps() -> None:
    """Let a crash leave no picture of the memory, and so of keys, on the disk; where the system can."""
    if HAS_RESOURCE:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
