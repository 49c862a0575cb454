"""The whole profile in one file, and a home made from it: all that was known, and a machine of its own."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from peer import api
from peer.accounts import porting
from peer.door import run
from peer.errors import PeerError
from peer.identity import read_key_file
from peer.locations import Locations
from peer.store.database import Database
from tests.harness.homes import PASSWORD, Watched, befriend, make_account, running
from tests.harness.trackers import TrackerProcess
from wire.codes import Code
from wire.entropy import SystemEntropy


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    process = TrackerProcess(tmp_path / "tracker")
    yield process
    process.kill()


async def do(home: Path, command: api.Command) -> api.Result:
    """Carry out a command while no node is up."""
    [result] = [one async for one in run(home, command, password=lambda: PASSWORD)]
    return result


def taking(file: Path, **more: str) -> api.ImportProfile:
    return api.ImportProfile(str(file), PASSWORD, device_name="spare", unsealed=True, **more)


async def texts(one: Watched, friend: str) -> list[str]:
    found = await one.all(api.GetHistory(friend))
    return [m.text for m in found if isinstance(m, api.Message) and m.kind == "message"]


async def test_history_friends_and_settings_come_along_and_the_machine_is_another(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    desk_home, spare_home, file = tmp_path / "desk", tmp_path / "spare", tmp_path / "profile"
    await make_account(desk_home, "alice", tracker.address)
    await make_account(tmp_path / "bob", "bob", tracker.address)
    async with running(tmp_path / "bob") as other:
        bob = Watched(other)
        async with running(desk_home) as node:
            desk = Watched(node)
            await befriend(desk, bob)
            await desk.first(api.SendText("bob", "said on the desk", wait_s=90.0))
            await bob.first(api.SendText("alice", "said by bob", wait_s=90.0))
            exported = await desk.first(api.ExportProfile(str(file), PASSWORD))
            assert exported == api.Exported(str(file), file.stat().st_size)
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        await do(spare_home, taking(file))
        former = read_key_file(Locations(desk_home), lambda: None)
        mine = read_key_file(Locations(spare_home), lambda: None)
        assert mine.keys.device != former.keys.device
        assert mine.keys.identity == former.keys.identity
        async with running(spare_home) as node:
            spare = Watched(node)
            assert await texts(spare, "bob") == ["said on the desk", "said by bob"]
            said = await spare.first(api.SendText("bob", "said on the spare", wait_s=90.0))
            assert isinstance(said, api.MessageState)
            assert said.state == "delivered"
            devices = [d for d in await spare.all(api.ListDevices()) if isinstance(d, api.Device)]
            assert {d.name: d.this for d in devices} == {"test": False, "spare": True}
            async with running(desk_home) as again:
                desk = Watched(again)
                await desk.hears("said on the spare")


async def test_an_account_without_a_tracker_moves_as_well(tmp_path: Path) -> None:
    await make_account(tmp_path / "desk", "alice", None)
    await do(tmp_path / "desk", api.ExportProfile(str(tmp_path / "profile"), PASSWORD))
    made = await do(tmp_path / "spare", taking(tmp_path / "profile"))
    assert isinstance(made, api.AccountMade)
    assert (made.account, made.tracker) == ("alice", None)


async def test_nothing_is_written_over(tmp_path: Path) -> None:
    await make_account(tmp_path / "desk", "alice", None)
    file = tmp_path / "profile"
    file.write_bytes(b"mine")
    with pytest.raises(PeerError) as caught:
        await do(tmp_path / "desk", api.ExportProfile(str(file), PASSWORD))
    assert caught.value.code is Code.FILE_EXISTS
    file.unlink()
    await do(tmp_path / "desk", api.ExportProfile(str(file), PASSWORD))
    before = sorted(path.name for path in (tmp_path / "desk").iterdir())
    with pytest.raises(PeerError) as caught:
        await do(tmp_path / "desk", taking(file))
    assert caught.value.code is Code.HOME_NOT_EMPTY
    assert sorted(path.name for path in (tmp_path / "desk").iterdir()) == before


async def test_a_damaged_file_or_a_wrong_password_leaves_the_home_empty(tmp_path: Path) -> None:
    await make_account(tmp_path / "desk", "alice", None)
    file = tmp_path / "profile"
    await do(tmp_path / "desk", api.ExportProfile(str(file), PASSWORD))
    raw = file.read_bytes()
    bad = tmp_path / "bad"
    for content, password, code in (
        (raw[:-40], PASSWORD, Code.EXPORT_INVALID),
        (b"no export at all", PASSWORD, Code.EXPORT_INVALID),
        (raw, "seven purple cats", Code.WRONG_PASSWORD),
    ):
        bad.write_bytes(content)
        with pytest.raises(PeerError) as caught:
            await do(tmp_path / "spare", api.ImportProfile(str(bad), password))
        assert caught.value.code in (code, Code.WRONG_PASSWORD)
        assert not Locations(tmp_path / "spare").database.exists()
    with pytest.raises(PeerError) as caught:
        await do(tmp_path / "spare", taking(tmp_path / "missing"))
    assert caught.value.code is Code.NO_SUCH_FILE
    await do(tmp_path / "spare", taking(file))


async def test_without_the_tracker_the_profile_stands_and_login_goes_on(
    tmp_path: Path, tracker: TrackerProcess
) -> None:
    await make_account(tmp_path / "desk", "alice", tracker.address)
    await do(tmp_path / "desk", api.ExportProfile(str(tmp_path / "profile"), PASSWORD))
    tracker.kill()
    with pytest.raises(PeerError) as caught:
        await do(tmp_path / "spare", taking(tmp_path / "profile"))
    assert caught.value.code is Code.TRACKER_UNREACHABLE
    assert "hobnob login alice" in caught.value.remedy


async def test_what_only_the_exporting_device_opens_is_not_in_the_snapshot(tmp_path: Path) -> None:
    await make_account(tmp_path / "desk", "alice", None)
    locations = Locations(tmp_path / "desk")
    database = Database.open(locations.database, entropy=SystemEntropy())
    private = b"\x5a\xa5" * 48
    await database.write(
        lambda connection: connection.execute(
            "INSERT INTO prekeys (private, is_one_time, made) VALUES (?, 1, 0)", (private,)
        )
    )
    try:
        porting.take_snapshot(locations.database, locations.snapshot)
        assert private not in locations.snapshot.read_bytes()
    finally:
        await database.close()
