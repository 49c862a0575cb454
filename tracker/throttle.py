"""Who may try how often, and who may stand at the door: counts in memory, pure over `now`.

What lives here: counting. What does not: what is counted (`dispatch`, `server`). All of it is bounded and
is gone after a restart, which costs an attacker more than it gives.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Hashable

from wire.machine import Monotonic

KEYS = 100_000
"""Distinct keys that one window remembers; beyond it the oldest is forgotten (about 10 MB)."""


def address_key(host: str) -> str:
    """Give what counts as one address: an IPv4 address whole, of an IPv6 address the first 64 bits.

    host: as the socket gives it, maybe with a scope behind `%`. What is no address counts as itself.
    """
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped or ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class Window:
    """Allows so many attempts for each key in so many seconds from its first one on.

    limit: attempts, 0 for none. window_s: seconds. keys: how many are remembered at once.
    """

    __slots__ = ("_counts", "_keys", "_limit", "_window_s")

    def __init__(self, limit: int, window_s: float, *, keys: int = KEYS) -> None:
        self._limit = limit
        self._window_s = window_s
        self._keys = keys
        self._counts: dict[
            Hashable, tuple[float, int]
        ] = {}  # key -> (begin, attempts), oldest first

    def retry_after_s(self, key: Hashable, now: Monotonic) -> int:
        """Say after how many whole seconds the key may try again; 0: now."""
        begin, attempts = self._counts.get(key, (now, 0))
        left = begin + self._window_s - now
        return max(1, math.ceil(left)) if attempts >= self._limit and left > 0 else 0

    def count(self, key: Hashable, now: Monotonic) -> None:
        """Count one attempt of the key."""
        begin, attempts = self._counts.get(key, (now, 0))
        if now >= begin + self._window_s:
            self._counts.pop(key, None)
            begin, attempts = now, 0
        self._counts[key] = (begin, attempts + 1)
        if len(self._counts) > self._keys:
            del self._counts[next(iter(self._counts))]

    def forget(self, key: Hashable) -> None:
        """Forget the attempts of the key: it has proven itself."""
        self._counts.pop(key, None)


class Lobby:
    """Counts the sockets that have proven nothing yet, and says which new ones may stay.

    per_address: most from one address. most: most in all. early: from so many on, new ones are turned
    away at random, the more of them the fuller it is, so that a flood cannot keep everybody else out.
    """

    __slots__ = ("_by_address", "_early", "_most", "_per_address", "count")

    def __init__(self, per_address: int, most: int, early: int) -> None:
        self._per_address = per_address
        self._most = most
        self._early = min(early, most)
        self._by_address: dict[str, int] = {}
        self.count = 0

    def enter(self, address: str, dice: int) -> bool:
        """Count a socket in, if it may stay.

        address: from `address_key`. dice: 0 to 255, drawn evenly.
        """
        here = self._by_address.get(address, 0)
        over = self.count - self._early
        if here >= self._per_address or self.count >= self._most:
            return False
        if over >= 0 and dice * (self._most - self._early) < 256 * over:
            return False
        self._by_address[address] = here + 1
        self.count += 1
        return True

    def leave(self, address: str) -> None:
        """Count a socket out that was counted in: it is open now, or gone."""
        left = self._by_address.pop(address) - 1
        if left:
            self._by_address[address] = left
        self.count -= 1
