"""Whoever stays for a receipt hears once how far it came."""

from __future__ import annotations

import asyncio

from peer.api import Event
from peer.audience import Audience
from peer.talk.arrivals import Arrivals


def receipt(event: str, state: str) -> Event:
    return Event("receipt", {"id": event, "state": state, "friend": "bob"})


class Stays:
    """Who stays, and what they heard."""

    def __init__(self) -> None:
        self.audience = Audience()
        self.heard: list[str] = []
        self._arrivals = Arrivals(self.audience)

    def stay(
        self,
        event: str,
        state: str = "queued",
        wait_s: float = 60.0,
        *,
        is_sent_enough: bool = False,
    ) -> asyncio.Event:
        """Stay for a message; gives what is set when the wait is over."""
        over = asyncio.Event()

        def then(found: str) -> None:
            self.heard.append(found)
            over.set()

        self._arrivals.stay(event, state, wait_s, then, is_sent_enough=is_sent_enough)
        return over


async def test_what_came_as_far_as_it_goes_is_told_at_once() -> None:
    stays = Stays()
    for state in ("delivered", "read", "failed"):
        assert stays.stay("a", state).is_set()
    assert stays.stay("a", "sent", is_sent_enough=True).is_set()
    assert not stays.stay("a", "sent").is_set()


async def test_each_hears_of_its_own_message_once() -> None:
    stays = Stays()
    first, second, other = stays.stay("a"), stays.stay("a", is_sent_enough=True), stays.stay("b")
    stays.audience.tell(Event("message", {"id": "a"}))
    stays.audience.tell(receipt("a", "sent"))
    assert (first.is_set(), second.is_set()) == (False, True)
    stays.audience.tell(receipt("a", "delivered"))
    stays.audience.tell(receipt("a", "read"))
    assert (first.is_set(), other.is_set()) == (True, False)
    assert stays.heard == ["sent", "delivered"]


async def test_who_waits_long_enough_hears_how_far_it_is() -> None:
    stays = Stays()
    over = stays.stay("a", wait_s=0.01)
    stays.audience.tell(receipt("a", "sent"))
    async with asyncio.timeout(90):
        await over.wait()
    stays.audience.tell(receipt("a", "delivered"))
    assert stays.heard == ["sent"]
