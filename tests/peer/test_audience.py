from __future__ import annotations

import asyncio

from peer.api import Event
from peer.audience import Audience


def event(number: int) -> Event:
    return Event("notice", {"number": number})


async def test_events_are_heard_in_the_order_in_which_they_were_told() -> None:
    audience = Audience()
    heard: list[Event] = []
    heard_before: list[Event] = []
    audience.listen(heard.append)
    audience.tell(event(1))
    assert heard == [event(1)]
    asyncio.get_running_loop().call_soon(lambda: heard_before.extend(heard))
    audience.tell_next(event(2))
    audience.tell_next(event(3))
    audience.tell(event(4))
    is_over = asyncio.Event()
    asyncio.get_running_loop().call_soon(is_over.set)
    await is_over.wait()
    assert heard == [event(number) for number in (1, 2, 3, 4)]
    assert heard_before == [event(1)]  # what was put into that round before went first
