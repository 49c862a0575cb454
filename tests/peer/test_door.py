"""The door without a node up: accounts made, locked, refused and taken along; who does the work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from peer import api, door
from peer.errors import PeerError
from peer.identity import read_key_file
from peer.locations import Locations
from tests.harness.homes import PASSWORD
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.errors import WireError


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    process = TrackerProcess(tmp_path / "tracker")
    yield process
    process.kill()


async def results(
    home: Path, command: api.Command, password: str | None = None, request_id: str = ""
) -> list[api.Result]:
    found = door.run(home, command, password=lambda: password, request_id=request_id)
    async with asyncio.timeout(60):
        return [result async for result in found]


async def refusal(home: Path, command: api.Command, password: str | None = None) -> Code:
    with pytest.raises((PeerError, WireError)) as caught:
        await results(home, command, password)
    assert isinstance(caught.value, PeerError | WireError)
    return caught.value.code


async def test_a_local_account_goes_to_a_tracker_with_the_same_identity(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    home = tmp_path / "home"
    [local] = await results(home, api.Register("alice", PASSWORD))
    assert isinstance(local, api.AccountMade)
    assert local.tracker is None
    keys = read_key_file(Locations(home), lambda: PASSWORD).keys
    [taken] = await results(home, api.Register("alice", PASSWORD, tracker.address))
    assert isinstance(taken, api.AccountMade)
    assert (taken.fingerprint, taken.tracker) == (local.fingerprint, tracker.address)
    assert read_key_file(Locations(home), lambda: PASSWORD).keys == keys
    again = api.Register("alice", PASSWORD, tracker.address)
    assert await refusal(home, again) is Code.ALREADY_REGISTERED


async def test_another_machine_gets_the_account_by_its_password_and_by_nothing_else(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    [made] = await results(tmp_path / "one", api.Register("alice", PASSWORD, tracker.address))
    assert isinstance(made, api.AccountMade)
    wrong = api.LogIn("alice", "not the password", tracker.address)
    assert await refusal(tmp_path / "two", wrong) is Code.WRONG_PASSWORD
    [found] = await results(tmp_path / "two", api.LogIn("alice", PASSWORD, tracker.address))
    assert isinstance(found, api.AccountMade)
    assert found.last_changed is not None
    assert replace(found, last_changed=None) == made
    [who] = await results(tmp_path / "two", api.WhoAmI())
    assert isinstance(who, api.Account)
    assert [device["this"] for device in who.devices].count(True) == 1
    assert len(who.devices) == 2


async def test_a_taken_name_is_refused_and_the_home_may_choose_another(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await results(tmp_path / "one", api.Register("alice", PASSWORD, tracker.address))
    taken = api.Register("alice", PASSWORD, tracker.address)
    assert await refusal(tmp_path / "two", taken) is Code.NAME_TAKEN
    [made] = await results(tmp_path / "two", api.Register("alicia", PASSWORD, tracker.address))
    assert isinstance(made, api.AccountMade)
    assert made.account == "alicia"


async def test_a_tracker_without_its_key_is_refused_with_the_fingerprint(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    bare, _, key = tracker.address.partition("#")
    with pytest.raises(PeerError) as caught:
        await results(tmp_path / "home", api.Register("alice", PASSWORD, bare))
    assert caught.value.code is Code.TRACKER_KEY_NEEDED
    assert key in caught.value.message
    assert await door.tracker_with_key(tmp_path / "home", bare) == tracker.address
    wrong = api.Register("alice", PASSWORD, f"{bare}#{'A' * 43}")
    assert await refusal(tmp_path / "home", wrong) is Code.TRACKER_KEY_MISMATCH


@pytest.mark.parametrize("has_home", [False, True])
async def test_also_the_key_of_a_tracker_is_asked_for_through_the_proxy(
    has_home: bool, tmp_path: Path, tracker: TrackerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    if has_home:
        await results(home, api.Register("alice", PASSWORD, None))
    monkeypatch.setenv("HOBNOB_SOCKS5", "127.0.0.1:1")
    with pytest.raises(PeerError, match=r"127\.0\.0\.1:1") as caught:
        await door.tracker_with_key(home, tracker.address.partition("#")[0])
    assert caught.value.code is Code.TRACKER_UNREACHABLE


async def test_sealed_keys_want_the_password_and_the_store_does_not(tmp_path: Path) -> None:
    home = tmp_path / "home"
    await results(home, api.Register("alice", PASSWORD))
    assert await refusal(home, api.ListFriends()) is Code.LOCKED
    assert await refusal(home, api.ListFriends(), "wrong password") is Code.WRONG_PASSWORD
    [who] = await results(home, api.WhoAmI())
    assert isinstance(who, api.Account)
    assert (who.account, who.sealed) == ("alice", "password")


async def test_a_home_without_an_account_says_so(tmp_path: Path) -> None:
    assert await refusal(tmp_path / "home", api.WhoAmI()) is Code.NOT_REGISTERED
    assert await refusal(tmp_path / "home", api.ListFriends()) is Code.NOT_REGISTERED


async def test_a_verb_that_finds_a_node_running_has_it_do_the_work(tmp_path: Path) -> None:
    home = tmp_path / "home"
    await results(home, api.Register("alice", PASSWORD, unsealed=True))
    up = door.up(home, listen=("127.0.0.1:0",), password=lambda: None)
    ready = await anext(up)
    assert ready.event == "ready"
    [status] = await results(home, api.GetStatus())
    item = api.as_json(status)
    assert (item["node"], item["listen"]) == ("up", ready.body["listen"])
    assert await refusal(home, api.Register("bob", PASSWORD)) is Code.ALREADY_RUNNING
    await results(home, api.LogOut(forget=True))
    async with asyncio.timeout(90):
        left = [event async for event in up]
    assert all(event.event in api.EVENT_KINDS for event in left)
    assert not Locations(home).key_file.exists()
    assert not Locations(home).database.exists()
