"""What a tracker survives, and how it ends: real processes, killed, restarted, refused."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.harness import places
from tests.harness.guest import Closed, Guest, befriend, come, register
from tests.harness.people import person
from tests.harness.trackers import WAIT_S, WIDE, TrackerProcess, run_verb
from wire.codes import Code
from wire.messages.accounts import PutState, StatePut
from wire.messages.presence import Show


async def test_kill_and_restart_keep_everything_that_was_acknowledged(tmp_path: Path) -> None:
    home, listen = tmp_path / "home", places.place()
    people = [person(f"user{number}") for number in range(12)]
    acknowledged: list[str] = []
    key = None
    for round_number in range(3):
        mine = people[4 * round_number : 4 * round_number + 4]
        with TrackerProcess(home, *WIDE, listen=listen) as tracker:
            key = key or tracker.address
            assert tracker.address == key
            async with asyncio.TaskGroup() as group:
                for someone in mine:
                    group.create_task(register(tracker.address, someone))
            acknowledged += [someone.name for someone in mine]
            async with (
                await come(tracker.address, mine[0]) as a,
                await come(tracker.address, mine[1]) as b,
            ):
                await befriend(a, mine[0], b, mine[1])
                put = await b.ask(lambda r: PutState(r, 0, 0, 1, b"sealed"))
                assert isinstance(put, StatePut)
                tracker.kill()
    with TrackerProcess(home, *WIDE) as tracker:
        for number, someone in enumerate(people):
            async with await Guest.dial(tracker.address, someone) as guest:
                inside = await guest.enter()
                friend = {0: people[number ^ 1].name, 1: people[number ^ 1].name}.get(number % 4)
                assert list(inside.friends) == ([friend] if friend else [])
                if number % 4 == 1:
                    assert inside.entered.state_version == 1
        done = run_verb("users", "--json", home=home)
        users = [json.loads(line) for line in done.stdout.splitlines()]
        assert sorted(user["name"] for user in users) == sorted(acknowledged)


async def test_a_registration_is_there_or_not_when_the_tracker_is_killed_in_the_middle(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    acknowledged: list[str] = []
    for round_number in range(4):
        people = [person(f"r{round_number}.n{number}") for number in range(6)]
        with TrackerProcess(home, *WIDE) as tracker:

            async def attempt(someone: Any, address: Any = tracker.address) -> None:
                try:
                    await register(address, someone)
                except (Closed, OSError):
                    return
                acknowledged.append(someone.name)

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(attempt(someone)) for someone in people]
                await asyncio.wait(tasks[: round_number + 1], return_when=asyncio.FIRST_COMPLETED)
                tracker.kill()
    with TrackerProcess(home, *WIDE) as tracker:
        for name in acknowledged:
            async with await come(tracker.address, person(name)):
                pass
    assert acknowledged


async def test_sigterm_says_goodbye_and_ends_with_0_whoever_stands_at_the_door(
    tmp_path: Path,
) -> None:
    alice, bob = person("alice"), person("bob")
    patient = ("--limit", f"open_timeout_s={WAIT_S}")
    with TrackerProcess(tmp_path / "home", *WIDE, *patient) as tracker:
        await register(tracker.address, alice)
        await register(tracker.address, bob)
        with socket.create_connection(tracker.place):  # somebody who says nothing
            async with (
                await come(tracker.address, alice) as a,
                await come(tracker.address, bob) as b,
            ):
                begin = time.monotonic()
                tracker.signal(signal.SIGTERM)
                for guest in (a, b):
                    with pytest.raises(Closed) as caught:
                        await guest.until(lambda: False)
                    assert caught.value.code is Code.SHUTTING_DOWN
        assert tracker.end() == 0
        assert time.monotonic() - begin < WAIT_S / 3  # on a busy machine
        assert "Traceback" not in tracker.log
        assert not (tmp_path / "home" / "control").exists()


async def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    with TrackerProcess(tmp_path / "home") as tracker:
        tracker.signal(signal.SIGINT)
        assert tracker.end() == 130


async def test_when_friends_were_last_seen_outlives_a_restart(tmp_path: Path) -> None:
    home = tmp_path / "home"
    alice, bob = person("alice"), person("bob")
    with TrackerProcess(home, *WIDE) as tracker:
        await register(tracker.address, alice)
        await register(tracker.address, bob)
        async with (
            await come(tracker.address, alice) as a,
            await come(tracker.address, bob) as b,
        ):
            await befriend(a, alice, b, bob)
            before = int(time.time() * 1000)
            assert tracker.stop() == 0
    with TrackerProcess(home, *WIDE) as tracker:
        async with await Guest.dial(tracker.address, bob) as guest:
            (page,) = (await guest.enter()).pages
        (friend,) = page.friends
        assert (friend.name, friend.show) == ("alice", Show.OFFLINE)
        assert before <= friend.last_seen <= time.time() * 1000


def refused(result: Any, code: str, *words: str) -> None:
    """Check that a verb failed by the contract: exit 1, one line on stderr, nothing on stdout."""
    assert result.returncode == 1, result
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    error = json.loads(line)["error"]
    assert error["code"] == code
    assert error["remedy"]
    for word in words:
        assert word in error["message"]


def serve(home: Any, *options: str) -> Any:
    return run_verb("serve", "--json", "--listen", "127.0.0.1:0", *options, home=home)


def test_a_second_tracker_on_one_home_is_refused_naming_the_pid(tmp_path: Path) -> None:
    with TrackerProcess(tmp_path / "home") as tracker:
        result = serve(tmp_path / "home")
        refused(result, "already-running", f"pid {tracker.process.pid}")


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with TrackerProcess(tmp_path / "home") as tracker:
        result = run_verb("serve", "--json", "--listen", tracker.listen, home=tmp_path / "other")
        refused(result, "address-in-use", tracker.listen)
    with TrackerProcess(tmp_path / "other"):
        pass  # a refusal leaves nothing locked


def test_an_address_of_another_machine_is_named(tmp_path: Path) -> None:
    result = run_verb("serve", "--json", "--listen", "192.0.2.1:0", home=tmp_path / "home")
    refused(result, "address-refused", "192.0.2.1")


def test_a_newer_and_a_damaged_database_are_named_and_kept(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with TrackerProcess(home) as tracker:
        tracker.stop()
    database = home / "tracker.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA user_version = 99")
    refused(serve(home), "database-newer", "99")
    database.write_bytes(b"\xa5" * 20_000)
    refused(serve(home), "database-corrupt", str(database))
    assert database.read_bytes() == b"\xa5" * 20_000


def test_a_home_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    refused(serve(tmp_path / "home"), "home-unusable", str(tmp_path / "home"))


def test_a_key_that_others_can_read_is_refused_until_it_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with TrackerProcess(home) as tracker:
        address = tracker.address.partition("#")[2]
        tracker.stop()
    (home / "link-key").chmod(0o644)
    refused(serve(home), "key-file-mode", "0644")
    (home / "link-key").chmod(0o600)
    (home / "link-key.second").write_bytes(b"torn")
    with TrackerProcess(home) as tracker:
        assert tracker.address.partition("#")[2] == address


def test_users_lists_accounts_and_who_is_here(tmp_path: Path) -> None:
    home = tmp_path / "home"
    alice, bob = person("alice"), person("bob")

    async def meet(address: str) -> list[str]:
        await register(address, alice)
        await register(address, bob)
        async with await come(address, bob, show=Show.BUSY):
            loop = asyncio.get_running_loop()
            everybody = await loop.run_in_executor(None, run, "users", "--json")
            online = await loop.run_in_executor(None, run, "--json", "users", "--online")
        return [everybody, online]

    def run(*words: str) -> str:
        result = run_verb(*words, home=home)
        assert result.returncode == 0
        return result.stdout

    with TrackerProcess(home, *WIDE) as tracker:
        everybody, online = asyncio.run(meet(tracker.address))
        text = run("users")
    rows = [json.loads(line) for line in everybody.splitlines()]
    assert [(row["name"], row["presence"], row["sessions"]) for row in rows] == [
        ("alice", "offline", 0),
        ("bob", "busy", 1),
    ]
    assert {row["role"] for row in rows} == {"user"}
    assert rows[0]["devices"] == 1
    assert rows[0]["last_seen"] is None
    assert rows[1]["last_seen"].endswith("Z")
    assert rows[0]["registered"].endswith("Z")
    assert [json.loads(line)["name"] for line in online.splitlines()] == ["bob"]
    assert [line.split()[0] for line in text.splitlines()] == ["alice", "bob"]
    refused(run_verb("users", "--json", home=home), "not-running", str(home))


def test_a_home_with_a_very_long_path_has_a_control_socket_too(tmp_path: Path) -> None:
    home = tmp_path / ("x" * 100) / ("y" * 100)
    home.mkdir(parents=True)
    with TrackerProcess(home):
        assert run_verb("users", home=home).returncode == 0
