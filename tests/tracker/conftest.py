from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.people import Person
from tests.tracker.town import Town
from tests.tracker.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def town(world: World) -> Town:
    return Town(world)


@pytest.fixture
def friends(town: Town) -> tuple[Person, Person]:
    alice, bob = town.join("alice", "bob")
    town.world.befriend(alice, bob)
    return alice, bob
