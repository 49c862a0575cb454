"""Homes with accounts, and nodes that run on them in the test's own loop, over real loopback sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from peer import api
from peer.accounts import register
from peer.commands import carry_out_command
from peer.identity import read_key_file
from peer.locations import Locations
from peer.node import Node
from peer.store.database import Database
from wire.entropy import SystemEntropy

PASSWORD = "seven purple owls"
PATIENCE_S = 90.0


async def make_account(home: Path, name: str, tracker: str | None) -> api.AccountMade:
    """Register `name` in a new home; unsealed, so that nodes start at once."""
    locations = Locations(home)
    locations.prepare()
    database = Database.open(locations.database, entropy=SystemEntropy())
    try:
        command = api.Register(name, PASSWORD, tracker, unsealed=True, device_name="test")
        return await register.register(locations, command, database, SystemEntropy())
    finally:
        await database.close()


@asynccontextmanager
async def running(home: Path, *, listen: str = "127.0.0.1:0") -> AsyncIterator[Node]:
    """Run a full node on a home until the block is left."""
    locations = Locations(home)
    database = Database.open(locations.database, entropy=SystemEntropy())
    try:
        node = Node(
            locations,
            read_key_file(locations, lambda: None),
            database,
            is_full=True,
            is_unseen=False,
            listen=(listen,),
            entropy=SystemEntropy(),
        )
        async with node:
            yield node
    finally:
        await database.close()


class Watched:
    """A node and every event it told since this was made."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.events: list[api.Event] = []
        self._queue, self.leave = node.audience.subscribe()

    async def until(self, is_it: Callable[[api.Event], bool]) -> api.Event:
        """Give the first event, told already or to come, that `is_it` says yes to."""
        for event in self.events:
            if is_it(event):
                return event
        async with asyncio.timeout(PATIENCE_S):
            while True:
                event = await self._queue.get()
                self.events.append(event)
                if is_it(event):
                    return event

    async def link_up(self, friend: str) -> api.Event:
        """Wait for a link with a friend, then forget what was told before it."""
        event = await self.until(
            lambda event: (
                event.event == "link"
                and event.body["friend"] == friend
                and event.body["state"] == "up"
            )
        )
        self.events.clear()
        return event

    async def hears(self, text: str) -> api.Event:
        """Wait for a message with this text."""
        return await self.until(
            lambda event: event.event == "message" and event.body["text"] == text
        )

    async def first(self, command: api.Command) -> api.Result:
        """Carry out a command and give its first result."""
        return (await self.all(command))[0]

    async def all(self, command: api.Command) -> list[api.Result]:
        """Carry out a command and give all its results."""
        async with asyncio.timeout(PATIENCE_S):
            return [result async for result in carry_out_command(self.node, command, "")]


async def befriend(one: Watched, other: Watched) -> None:
    """Make two people friends by name, and wait until both know it."""
    await one.first(api.AddFriend(other.node.profile.name))
    await other.until(lambda event: event.event == "friend-request")
    await other.first(api.AnswerFriend(one.node.profile.name, accept=True))
    await one.until(lambda event: event.event == "friend" and event.body["state"] == "friends")
