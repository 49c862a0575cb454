"""All that a tracker holds of somebody, however many pages it takes, as one file that appears whole or not at all."""

from __future__ import annotations

import base64
import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from peer import api
from peer.accounts import held
from peer.errors import PeerError
from peer.identity import Profile
from tests.harness.people import Person
from tests.tracker.world import NOW, World
from tracker import directory, friends, state
from tracker import held as services
from tracker.storage.port import NEVER, Device
from wire import limits
from wire.address import TrackerAddress
from wire.codes import Code
from wire.ids import AccountName, DeviceId, LinkKey, RequestId
from wire.messages import Message
from wire.messages.accounts import AskState
from wire.messages.friends import BlockUser
from wire.messages.held import AskAccount, AskHeldDevices, AskHeldPeople
from wire.vault import KdfParameters

AnswerT = TypeVar("AnswerT", bound=Message)


class Served:
    """A tracker's services as somebody's uplink reaches them."""

    def __init__(self, world: World, who: Person) -> None:
        self.world, self.who = world, who
        self.asked: list[Message] = []

    async def ask(self, build: Callable[[RequestId], Message], answer: type[AnswerT]) -> AnswerT:
        message, caller = build(RequestId(len(self.asked))), self.world.caller(self.who)
        self.asked.append(message)
        match message:
            case AskAccount():
                outcome = self.world.do(services.ask_account, caller, message)
            case AskHeldDevices():
                outcome = self.world.do(services.ask_held_devices, caller, message)
            case AskHeldPeople():
                outcome = self.world.do(services.ask_held_people, caller, message)
            case AskState():
                outcome = self.world.do(state.ask_state, caller.account, message)
            case _:
                raise AssertionError(message)
        assert isinstance(outcome.answer, answer)
        return outcome.answer


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@pytest.fixture
def alice(world: World) -> Person:
    return world.joins("alice")


def profile(who: Person) -> Profile:
    tracker = TrackerAddress("192.0.2.1", 9797, LinkKey(b"t" * 32))
    return Profile(who.name, tracker, who.keys, bytes(32), b"vault", 1, KdfParameters(bytes(16)))


def save(file: Path, *, force: bool = False) -> api.SaveAccount:
    return api.SaveAccount(str(file), force)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_long_lists_come_whole(world: World, alice: Person, tmp_path: Path) -> None:
    caller = world.caller(alice)
    others = [world.joins(f"person{number:02}") for number in range(2 * limits.HELD_PEOPLE + 3)]
    for other in others:
        world.asks(other, alice)
    world.befriend(alice, world.joins("bob"))
    world.do(friends.block_user, caller, BlockUser(RequestId(1), AccountName("person00")), NOW)
    world.do(directory.put_addresses, caller, alice.addresses())
    for number in range(1, 2 * limits.HELD_DEVICES):
        world.store.add_device(
            Device(
                id=DeviceId(bytes([number]) * 16),
                account=caller.account,
                link_key=LinkKey(bytes([number]) * 32),
                certificate=b"no certificate",
                addresses=b"",
                is_signed_off=True,
                revoked=NEVER,
                added=NOW,
                last_seen=NEVER,
            )
        )
    sealed = bytes(range(256)) * 300  # three pages
    world.store.put_state(caller.account, 4, sealed)
    file = tmp_path / "held.json"
    saved = await held.save(Served(world, alice), profile(alice), save(file))
    assert saved == api.AccountSaved(str(file), file.stat().st_size)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text())
    assert document["state"]["version"] == 4
    assert base64.b64decode(document["state"]["base64"]) == sealed
    assert [p["name"] for p in document["requests_received"]] == [o.name for o in others]
    assert [p["name"] for p in document["friends"]] == ["bob"]
    assert [p["name"] for p in document["blocked"]] == ["person00"]
    assert len(document["devices"]) == 2 * limits.HELD_DEVICES
    [mine] = [d for d in document["devices"] if d["device"] == alice.keys.device.hex()]
    assert (mine["name"], mine["addresses"]) == ("desk", [{"host": "192.0.2.1", "port": 4000}])
    assert {d["name"] for d in document["devices"]} == {"desk", None}


async def test_a_name_that_is_taken_is_refused_before_anything_is_asked(
    world: World, alice: Person, tmp_path: Path
) -> None:
    file, served = tmp_path / "held.json", Served(world, alice)
    file.symlink_to(tmp_path / "nowhere")
    with pytest.raises(PeerError) as caught:
        await held.save(served, profile(alice), save(file))
    assert caught.value.code is Code.FILE_EXISTS
    assert served.asked == []
    await held.save(served, profile(alice), save(file, force=True))
    assert not file.is_symlink()
    assert not (tmp_path / "nowhere").exists()


async def test_a_name_that_is_taken_meanwhile_is_not_replaced(
    world: World, alice: Person, tmp_path: Path
) -> None:
    file = tmp_path / "held.json"

    class Slow(Served):
        async def ask(
            self, build: Callable[[RequestId], Message], answer: type[AnswerT]
        ) -> AnswerT:
            file.write_text("mine")
            return await super().ask(build, answer)

    with pytest.raises(PeerError) as caught:
        await held.save(Slow(world, alice), profile(alice), save(file))
    assert caught.value.code is Code.FILE_EXISTS
    assert file.read_text() == "mine"
    assert names_in(tmp_path) == ["held.json"]


async def test_where_nothing_can_be_written_it_is_said(
    world: World, alice: Person, tmp_path: Path
) -> None:
    for file in (tmp_path / "no" / "where", tmp_path / ("x" * 300)):
        with pytest.raises(PeerError) as caught:
            await held.save(Served(world, alice), profile(alice), save(file))
        assert caught.value.code is Code.OUTPUT_FAILED
        assert str(file) in caught.value.message
    assert names_in(tmp_path) == []


async def test_an_account_without_a_tracker_is_held_by_none(
    world: World, alice: Person, tmp_path: Path
) -> None:
    local = replace(profile(alice), tracker=None)
    with pytest.raises(PeerError) as caught:
        await held.save(Served(world, alice), local, save(tmp_path / "held.json"))
    assert caught.value.code is Code.NOT_REGISTERED
