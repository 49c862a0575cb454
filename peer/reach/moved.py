"""Noticing that this machine does not have an address any more: what goes over it is dead, and silence alone would tell.

A laptop that joins another network, a line that is given another address: the kernel keeps such connections
for a quarter of an hour, the links' own heartbeat for a minute. One look a second costs a system call.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from typing import Any, Protocol

DOUBT_S = 4.0
"""What an older link of a device that links anew is given to answer; else only its silence would end it, after a minute."""

Place = tuple[Any, ...]
"""The near end of a connection, as `getsockname` gives it."""


def is_here(place: Place) -> bool:
    """Say whether this machine still has the address of a near end; True where that cannot be told."""
    host = str(place[0])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0, *place[2:]))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


class Connection(Protocol):
    """What may be ended with its near end."""

    @property
    def near(self) -> Place | None:
        """Our end of it; None where that is not known."""

    def cut(self) -> None:
        """End it without a word."""


class Surroundings:
    """One look around: asks about each address once."""

    def __init__(self) -> None:
        self._here: dict[str, bool] = {}

    def has_lost(self, place: Place | None) -> bool:
        """Say whether this machine has lost the address of a near end; None: it is not known, and not lost."""
        if place is None:
            return False
        host = str(place[0])
        if host not in self._here:
            self._here[host] = is_here(place)
        return not self._here[host]

    def cut(self, connections: Iterable[Connection]) -> None:
        """End those whose near end is lost."""
        for connection in connections:
            if self.has_lost(connection.near):
                connection.cut()
