"""Ports of the loopback for programs that come back to the same one: nobody takes it while they are away.

A free port that the kernel chooses is anybody's again once its program is down: the next connection of some other
test may get it. So ports are given from below those that kernels choose (ip(7), ip_local_port_range), and each
process of the tests has a block of them for itself: whoever holds its first port has it.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator

HOST = "127.0.0.1"
FIRST, LAST, EACH = 20_000, 32_000, 400
KERNELS = f"{HOST}:0"
"""Where no block is left, on a machine of very many processors: a port that the kernel chooses."""

_blocks: dict[int, Iterator[int]] = {}  # of this process, which a fork of it does not share
_lasting: set[int] = set()


def place(*, is_lasting: bool = False) -> str:
    """Give HOST:PORT that is free, and so is the port behind it: trackers take that, too.

    is_lasting: it is given once; else it may be again, some hundred places later.
    """
    pid = os.getpid()
    if pid not in _blocks:
        _blocks[pid] = _claim()
    for port in itertools.islice(_blocks[pid], EACH // 2):
        if port not in _lasting and _is_free(port) and _is_free(port + 1):
            if is_lasting:
                _lasting.add(port)
            return f"{HOST}:{port}"
    return KERNELS


def _claim() -> Iterator[int]:
    """Take a block; gives its ports, two by two, again and again."""
    for first in range(FIRST, LAST, EACH):
        holder = socket.socket()
        try:
            holder.bind((HOST, first))
        except OSError:
            holder.close()
            continue
        holder.detach()  # held for as long as this process lives
        return itertools.cycle(range(first + 1, first + EACH - 1, 2))
    return iter(())


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True
