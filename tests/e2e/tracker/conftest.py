"""One tracker for all tests of a module, and people at it whose names no other test has."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from tests.conftest import MakeFolder
from tests.harness.guest import Guest, register
from tests.harness.memory import bounded
from tests.harness.people import Person, person
from tests.harness.trackers import WIDE, TrackerProcess

Join = Callable[..., Awaitable[list[Person]]]
"""Registers so many people: `await people(2)`; at another tracker with its address."""


@pytest.fixture(scope="module")
def tracker(module_folder: MakeFolder) -> Iterator[TrackerProcess]:
    with TrackerProcess(module_folder("tracker") / "home", *WIDE) as running:
        yield running


@pytest.fixture
async def weathers(tracker: TrackerProcess) -> AsyncIterator[None]:
    """After each bad input the tracker has its memory, no traceback, and serves somebody else."""
    with bounded(tracker.process.pid):
        yield
        async with await Guest.dial(tracker.address, person("someone"), is_anonymous=True):
            pass
    assert "Traceback" not in tracker.log


@pytest.fixture
def people(request: pytest.FixtureRequest, tracker: TrackerProcess) -> Join:
    made = 0

    async def join(count: int, at: str = tracker.address) -> list[Person]:
        nonlocal made
        joined = []
        for _ in range(count):
            made += 1
            joined.append(person(f"{'abcdef'[made % 6]}{abs(hash(request.node.name))}.{made}"))
            await register(at, joined[-1])
        return joined

    return join
