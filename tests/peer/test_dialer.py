"""Whom a node dials and when: decisions of the dialer, with nothing dialled."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from peer.dialer import Dialer
from peer.identity import Profile
from peer.reach.whereabouts import Vicinity
from peer.store.devices import note_addresses, note_device
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.identity import AddressRecord, Host, issue_addresses
from wire.ids import AccountName, BootId
from wire.vault import KdfParameters


class Dialled:
    """Takes what would be dialled, and dials nothing."""

    def __init__(self, peer: Any) -> None:
        self.count = 0
        self.linked: set[Any] = set()
        self.near: list[tuple[str, int]] = []
        profile = Profile(
            AccountName(peer.name), None, peer.keys, bytes(32), b"", 1, KdfParameters(bytes(16))
        )
        self.dialer = Dialer(
            profile,
            peer.database,
            vicinity=Vicinity("127.0.0.1", ("127.0.0.1",), is_loopback=True),
            hello=self.no_hello,
            nearby=lambda identity, device: self.near,
            path=lambda device: "direct" if device in self.linked else None,
            hides=lambda identity: False,
            meet=self.no_meeting,
            on_event=lambda pump, event: None,
            on_old_list=lambda identity: None,
            spawn=self._spawn,
            entropy=peer.entropy,
        )

    def no_hello(self, _: object) -> Any:
        """Nobody is told anything here."""

    async def no_meeting(self, _: object) -> None:
        """Nobody is there."""

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        self.count += 1
        work.close()

    def again(self) -> int:
        """Let what was under way be over, and give how many dials began since the last time."""
        self.dialer._dialling.clear()
        count, self.count = self.count, 0
        return count


@pytest.fixture
def world() -> tuple[SimPeer, SimPeer, SimPeer]:
    world = Simulation(4)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob, bob.log_in("bob-2")


def reach(alice: SimPeer, far: SimPeer, listed: bytes) -> None:
    record = AddressRecord(far.keys.device, BootId(b"b" * 16), 1, (Host("127.0.0.1", 4000),))
    signed = issue_addresses(far.keys.signing_seed, record)
    alice.database.write(note_device, far.keys.identity, far.keys.certificate, listed)
    alice.database.write(note_addresses, far.keys.device, signed)


@pytest.fixture
async def dialled(world: tuple[SimPeer, SimPeer, SimPeer]) -> Dialled:
    alice, bob, laptop = world
    for far in (bob, laptop):
        reach(alice, far, laptop.keys.device_list)
    return Dialled(alice)


async def test_every_device_of_a_friend_is_dialled_and_each_only_once_at_a_time(
    world: tuple[SimPeer, SimPeer, SimPeer], dialled: Dialled
) -> None:
    _, bob, laptop = world
    dialled.dialer.want_all()
    dialled.dialer.want(bob.keys.identity)
    assert dialled.again() == 2
    dialled.linked.add(bob.keys.device)
    dialled.dialer.want(bob.keys.identity)
    assert dialled.again() == 1
    dialled.linked.add(laptop.keys.device)
    dialled.dialer.want_all()
    assert dialled.again() == 0


async def test_a_device_that_misbehaved_is_left_alone_until_it_is_wanted(
    world: tuple[SimPeer, SimPeer, SimPeer], dialled: Dialled
) -> None:
    _, bob, _ = world
    dialled.dialer.misbehaved(bob.keys.device)
    dialled.dialer.want_all()
    assert dialled.again() == 1
    dialled.dialer.want(bob.keys.identity)
    assert dialled.again() == 2
    dialled.dialer.misbehaved(bob.keys.device)
    dialled.dialer.arrived(bob.keys.device)
    dialled.dialer.want_all()
    assert dialled.again() == 2


async def test_dials_to_one_friend_take_turns_and_to_another_do_not_wait(
    world: tuple[SimPeer, SimPeer, SimPeer], dialled: Dialled
) -> None:
    alice, bob, _ = world
    dialer = dialled.dialer
    waits = [dialer._turns.take(bob.keys.identity) for _ in range(3)]
    assert waits[0] == 0.0
    assert waits[0] < waits[1] < waits[2] <= 0.7
    assert dialer._turns.take(alice.keys.identity) == 0.0
