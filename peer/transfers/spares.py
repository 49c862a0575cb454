"""Data links punched ahead of need (design, section 8): while talk goes over a punched link, one for files stands beside it.

A punched link needs a tracker to begin. One that stands already lets files pass while the tracker is away, and spares
them the wait when it is not. What lives here: for whom one is kept, and when it is tried. What does not: how it is got
(`datadialer`), how an idle one is kept alive (`bulk`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from peer.transfers.openlinks import OpenLinks
from wire import limits
from wire.ids import DeviceId, IdentityKey

TURN_S = 5.0
"""What the side whose part it is not leaves the other one: a link opened from both sides serves both."""

AGAIN_S = (15.0, 120.0)
"""Between two tries; the first is longer than a link stays that the other side does not keep."""


class Neighbours(Protocol):
    """What is known of those around."""

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        """Give whose talk goes over a punched link, the oldest first; True where it is ours to begin."""


class Spares:
    """Those of one node, on its loop; `keeps` is asked from threads, too.

    dial: tries to get one. is_wanted: whether any is to be kept at all; a network that costs by the byte has none.
    now: seconds, monotonic.
    """

    def __init__(
        self,
        neighbours: Neighbours,
        links: OpenLinks,
        *,
        dial: Callable[[IdentityKey, DeviceId], None],
        is_wanted: Callable[[], bool],
        now: Callable[[], float],
    ) -> None:
        self._neighbours = neighbours
        self._links = links
        self._dial = dial
        self._is_wanted = is_wanted
        self._now = now
        self._kept: frozenset[DeviceId] = frozenset()
        self._turns: dict[DeviceId, tuple[float, float]] = {}  # (not before, wait after)

    def keeps(self, device: DeviceId) -> bool:
        """Say whether the punched link with a device stays, although nothing needs it now."""
        return device in self._kept

    def linked(self, device: DeviceId) -> None:
        """Take note that talk with a device stands anew: what was tried before says nothing of this one."""
        self._turns.pop(device, None)

    def look(self) -> None:
        """See who is to have one, and try for whom it is missing and whose turn has come."""
        punched = self._neighbours.punched() if self._is_wanted() else []
        kept = [device for device, _, _ in punched if device in self._kept]
        kept += [device for device, _, _ in punched if device not in self._kept]
        self._kept = frozenset(kept[: limits.SPARE_LINKS])
        self._turns = {device: self._turns[device] for device in self._kept & self._turns.keys()}
        for device, identity, is_ours in punched:
            if device in self._kept:
                self._look_at(device, identity, is_ours=is_ours)

    def _look_at(self, device: DeviceId, identity: IdentityKey, *, is_ours: bool) -> None:
        now = self._now()
        first, most = AGAIN_S
        if device not in self._turns:
            self._turns[device] = now + (0.0 if is_ours else TURN_S), first / 2
        not_before, wait_s = self._turns[device]
        if now < not_before:
            return
        if self._links.of_device(device) is not None:
            # it stands for as long as a try takes, or was needed: once it is gone, another is tried at once
            self._turns[device] = now, first / 2
            return
        wait_s = min(2 * wait_s, most)
        self._turns[device] = now + wait_s, wait_s
        self._dial(identity, device)
