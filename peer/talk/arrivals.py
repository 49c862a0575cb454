"""How far messages come, for whoever stays to hear of it: verbs that wait for a receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from msgspec import Struct

from peer.api import Event
from peer.audience import Audience

ENDED = frozenset({"delivered", "read", "failed"})


class _Stay(Struct, eq=False):
    """Somebody who stays until a message is in one of the states `ends`, or the timer goes off. state: how far it is."""

    ends: Collection[str]
    then: Callable[[str], None]
    state: str
    timer: asyncio.TimerHandle | None = None


class Arrivals:
    """Who stays for which message."""

    def __init__(self, audience: Audience) -> None:
        self._stays: dict[str, list[_Stay]] = {}
        audience.listen(self._hear)

    def stay(
        self,
        event: str,
        state: str,
        wait_s: float,
        then: Callable[[str], None],
        *,
        is_sent_enough: bool,
    ) -> None:
        """Have `then` called once with how far a message came: at once if that is as far as it goes, else then or after wait_s.

        event: its id. state: how far it is now. is_sent_enough: `sent` ends the wait as well.
        """
        ends = {*ENDED, "sent"} if is_sent_enough else ENDED
        if state in ends:
            then(state)
            return
        stay = _Stay(ends, then, state)
        stay.timer = asyncio.get_running_loop().call_later(wait_s, self._end, event, stay)
        self._stays.setdefault(event, []).append(stay)

    def _hear(self, told: Event) -> None:
        if told.event != "receipt":
            return
        event, state = str(told.body["id"]), str(told.body["state"])
        for stay in list(self._stays.get(event, ())):
            stay.state = state
            if state in stay.ends:
                self._end(event, stay)

    def _end(self, event: str, stay: _Stay) -> None:
        others = [each for each in self._stays.pop(event) if each is not stay]
        if others:
            self._stays[event] = others
        if stay.timer is not None:
            stay.timer.cancel()
        stay.then(stay.state)
