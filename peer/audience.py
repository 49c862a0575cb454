"""Who hears what happens on a node: verbs that wait, `up`, hooks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from peer.api import Event

Hear = Callable[[Event], None]


class Audience:
    """All who listen, each from its own moment on."""

    def __init__(self) -> None:
        self._watchers: dict[Hear, None] = {}
        self._next: list[Event | Callable[[], Event]] = []  # told in the loop's next round

    def tell(self, event: Event) -> None:
        """Tell everybody, after what waits to be told; a verb that waits before `up`, which prints."""
        if self._next:
            self._next.append(event)
        else:
            self._tell(event)

    def tell_next(self, event: Event | Callable[[], Event]) -> None:
        """Tell everybody in the loop's next round, after what was put into that round before. event: or what makes it then."""
        if not self._next:
            asyncio.get_running_loop().call_soon(self._tell_all)
        self._next.append(event)

    def _tell_all(self) -> None:
        events, self._next = self._next, []
        for event in events:
            self._tell(event if isinstance(event, Event) else event())

    def _tell(self, event: Event) -> None:
        for hear in reversed(self._watchers):
            hear(event)

    async def watch(self) -> AsyncGenerator[Event, None]:
        """Give every event from now on."""
        queue, leave = self.subscribe()
        try:
            while True:
                yield await queue.get()
        finally:
            leave()

    def subscribe(self) -> tuple[asyncio.Queue[Event], Callable[[], None]]:
        """Give a queue of events from this very moment on, and how to leave."""
        queue: asyncio.Queue[Event] = asyncio.Queue()
        return queue, self.listen(queue.put_nowait)

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Have `hear` called with every event from this very moment on; gives how to end that."""
        self._watchers[hear] = None
        return lambda: self._watchers.pop(hear, None)
