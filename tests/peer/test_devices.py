"""Two devices of one account as real nodes: they find each other, link, and are one person to everybody."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from peer import api, register
from peer.locations import Locations
from peer.store.database import Database
from tests.harness.homes import PASSWORD, Watched, befriend, make_account, running
from tests.harness.trackers import TrackerProcess
from wire.entropy import SystemEntropy


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    process = TrackerProcess(tmp_path / "tracker")
    yield process
    process.kill()


async def log_in(home: Path, name: str, tracker: str) -> Path:
    """Make `home` another device of an account."""
    locations = Locations(home)
    locations.prepare()
    database = Database.open(locations.database, entropy=SystemEntropy())
    command = api.LogIn(name, PASSWORD, tracker, device_name="second", unsealed=True)
    try:
        await register.log_in(locations, command, database, SystemEntropy())
    finally:
        await database.close()
    return home


def contacts_of(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT name, identity, state, since, device_list, list_counter FROM contacts"
    ).fetchall()


def know(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    """Let a device know the friends of another one."""
    connection.executemany(
        "INSERT INTO contacts (name, identity, state, since, device_list, list_counter)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        rows,
    )


async def texts(one: Watched, friend: str) -> list[str]:
    found = await one.all(api.GetHistory(friend))
    return [m.text for m in found if isinstance(m, api.Message) and m.kind == "message"]


def is_delivered(said: str):  # type: ignore[no-untyped-def]
    return lambda event: event.event == "receipt" and event.body["id"] == said


async def test_two_devices_of_one_account_link_and_show_one_conversation(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "alice", "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    async with running(tmp_path / "alice") as one, running(tmp_path / "bob") as other:
        desk, bob = Watched(one), Watched(other)
        await befriend(desk, bob)
        await desk.first(api.SendText("bob", "from the desk", wait_s=20.0))
        await log_in(tmp_path / "laptop", "alice", tracker.address)
        await desk.until(
            lambda event: event.event == "notice" and event.body["code"] == "device-added"
        )
        rows = one.database.read(contacts_of)
        async with running(tmp_path / "laptop") as second:
            laptop = Watched(second)
            await second.database.write(know, rows)
            for mine in (laptop, desk):
                await mine.until(
                    lambda event: event.event == "link" and event.body["friend"] == "alice"
                )
            await laptop.until(
                lambda event: event.event == "link" and event.body["friend"] == "bob"
            )
            said = await laptop.first(api.SendText("bob", "from the laptop", wait_s=20.0))
            assert isinstance(said, api.MessageState)
            assert said.state == "delivered"
            await bob.hears("from the laptop")
            await desk.hears("from the laptop")
            await desk.until(is_delivered(said.id))
            await bob.first(api.SendText("alice", "to both of you"))
            for mine in (laptop, desk):
                await mine.hears("to both of you")
            assert await texts(desk, "bob") == await texts(bob, "alice")
            assert {event["friend"] for event in _links(desk)} == {"alice", "bob"}


def _links(one: Watched) -> list[dict[str, object]]:
    return [event.body for event in one.events if event.event == "link"]
