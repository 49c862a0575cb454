"""Driving what yields items: when what they became is passed on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from peer import api
from peer.cli import ask


def test_the_first_items_are_passed_on_at_once_and_what_follows_them_is_gathered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ask, "FLUSHED_S", 3600.0)
    seen: list[str] = []
    is_passed_on = asyncio.Event()

    async def items() -> AsyncIterator[api.Result]:
        for _ in range(ask.FLUSHES_AT_ONCE):
            yield api.Nothing()
            async with asyncio.timeout(60):
                await is_passed_on.wait()
            is_passed_on.clear()
        yield api.Nothing()
        yield api.Nothing()
        await _turn_of_the_loop()

    def pass_on() -> None:
        seen.append("passed on")
        is_passed_on.set()

    ask.drive(items, lambda _: seen.append("item"), pass_on)
    assert seen == ["item", "passed on"] * ask.FLUSHES_AT_ONCE + ["item", "item"]


async def _turn_of_the_loop() -> None:
    """Wait until all that was due before ran."""
    ran = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, ran.set)
    await ran.wait()
