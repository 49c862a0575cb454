"""The system's limits of this process: as many sockets as it allows, and no picture of the memory on disk."""

from __future__ import annotations

try:
    import resource

    HAS_RESOURCE = True
except ImportError:  # pragma: no cover  a system without it; tests force the other road
    HAS_RESOURCE = False

KEPT_BACK = 64  # for the database, the listeners, the control socket and the log
UNLIMITED = 1_000_000


def raise_descriptor_limit() -> int:
    """Raise the limit of open files to what the system allows; gives how many sockets that leaves."""
    if not HAS_RESOURCE:
        return UNLIMITED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError):  # macOS has a lower limit of its own than it says
            hard = soft
    return UNLIMITED if soft == resource.RLIM_INFINITY else max(1, soft - KEPT_BACK)


def forbid_core_dumps() -> None:
    """Let a crash leave no picture of the memory, and so of keys, on the disk; where the system can."""
    if HAS_RESOURCE:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
