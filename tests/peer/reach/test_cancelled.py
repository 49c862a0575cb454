"""What is cancelled at any moment, or comes when a node is ending, leaves no connection behind.

A dial is cancelled wherever a node ends; a socket that nobody closes then stays with the process, and the far end waits
for nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from peer.dialer import Dialer
from peer.identity import Profile
from peer.people import roster
from peer.pump import Pump
from peer.reach import outward
from peer.reach.calling import answering
from peer.reach.candidates import Candidate
from peer.reach.doorway import Doorway
from peer.reach.reception import Reception
from peer.reach.whereabouts import Vicinity
from peer.store.devices import note_device
from peer.tracker_link import TrackerLink
from peer.transfers.datadialer import TransferDialer
from tests.harness.homes import make_account, running
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.address import TrackerAddress
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.ids import AccountName, BootId, LinkKey
from wire.link import Link, Role
from wire.messages import Purpose
from wire.messages.session import Hello
from wire.vault import KdfParameters

STEPS = range(20)
"""Rounds of the loop that a dial is given before it is cancelled; at the last it waits for an answer that does not come."""

PATIENCE_S = 20.0


class Silent:
    """Takes connections, says nothing, and knows which of them still stand."""

    def __init__(self) -> None:
        self._standing: set[asyncio.StreamWriter] = set()
        self._came: set[object] = set()
        self._changed = asyncio.Event()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        host, self.port = self._server.sockets[0].getsockname()
        self.place = (host, self.port)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._came.add(writer.get_extra_info("peername"))
        self._standing.add(writer)
        try:
            while await reader.read(4096):
                pass
        except ConnectionResetError:
            pass
        finally:
            writer.close()
            self._standing.discard(writer)
            self._changed.set()

    async def all_gone(self) -> None:
        """Wait until nothing stands that was opened before this."""
        _, last = await asyncio.open_connection(*self.place)  # they are taken in order
        place = last.get_extra_info("sockname")
        last.close()
        async with asyncio.timeout(PATIENCE_S):
            while self._standing or place not in self._came:
                self._changed.clear()
                await self._changed.wait()

    def close(self) -> None:
        self._server.close()
        for writer in self._standing:
            writer.transport.abort()


@pytest.fixture
async def silent() -> AsyncIterator[Silent]:
    made = Silent()
    await made.open()
    yield made
    made.close()


async def cancelled_after(steps: int, work: Coroutine[Any, Any, Any]) -> Any:
    """Run something for so many rounds of the loop, then cancel it; gives what it gave if it was over by then."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work)
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
    return None if task.cancelled() else task.result()


@pytest.fixture
def friends() -> tuple[SimPeer, SimPeer]:
    world = Simulation(4)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    alice.database.write(note_device, bob.keys.identity, bob.keys.certificate, bob.keys.device_list)
    return alice, bob


def target(friends: tuple[SimPeer, SimPeer]) -> roster.Target:
    alice, bob = friends
    (found,) = alice.database.read(roster.dial_targets, bob.keys.identity)
    return found


def hello_of(peer: SimPeer) -> Hello:
    return Hello(peer.keys.certificate, peer.keys.device_list, 0, BootId(bytes(16)))


async def test_a_way_out(silent: Silent) -> None:
    for steps in STEPS:
        opened: socket.socket | None = await cancelled_after(steps, outward.connect(*silent.place))
        if opened is not None:
            opened.close()
        await silent.all_gone()


async def test_a_dial_of_the_tracker(silent: Silent) -> None:
    address = TrackerAddress(*silent.place, LinkKey(b"\x09" + bytes(31)))
    for steps in STEPS:
        dial = TrackerLink.dial(
            address,
            link_private=b"\x07" * 32,
            keys=None,
            boot_id=BootId(bytes(16)),
            entropy=SystemEntropy(),
        )
        await cancelled_after(steps, dial)
        await silent.all_gone()


async def test_a_dial_of_a_friend(silent: Silent, friends: tuple[SimPeer, SimPeer]) -> None:
    alice, _ = friends
    profile = Profile(
        AccountName("alice"), None, alice.keys, bytes(32), b"", 1, KdfParameters(bytes(16))
    )

    async def no_meeting(_: object) -> None:
        """Nobody helps."""

    dialer = Dialer(
        profile,
        alice.database,  # type: ignore[arg-type]
        vicinity=Vicinity("127.0.0.1", ("127.0.0.1",), is_loopback=True),
        hello=lambda identity: hello_of(alice),
        nearby=lambda identity, device: [],
        path=lambda device: None,
        hides=lambda identity: False,
        meet=no_meeting,
        on_event=lambda pump, event: None,
        on_old_list=lambda identity: None,
        spawn=lambda work: None,
        entropy=SystemEntropy(),
    )
    for steps in STEPS:
        await cancelled_after(steps, dialer.dial_at(target(friends), silent.place))
        await silent.all_gone()


class Neighbours:
    """A friend at one place, linked straight."""

    def __init__(self, friends: tuple[SimPeer, SimPeer], place: tuple[str, int]) -> None:
        self._friends = friends
        self._place = place

    def hello(self, _: object) -> Hello:
        return hello_of(self._friends[0])

    def target(self, *_: object) -> roster.Target:
        return target(self._friends)

    def places(self, _: object) -> list[Candidate]:
        return [Candidate(*self._place, "direct")]

    def path(self, _: object) -> str:
        return "direct"


async def test_a_dial_for_files(silent: Silent, friends: tuple[SimPeer, SimPeer]) -> None:
    alice, bob = friends
    begun: list[Coroutine[Any, Any, None]] = []
    for steps in STEPS:
        dialer = TransferDialer(
            alice.keys,
            Neighbours(friends, silent.place),  # type: ignore[arg-type]
            take=lambda *_: None,
            spawn=begun.append,
            entropy=SystemEntropy(),
        )
        dialer.dial(bob.keys.identity, bob.keys.device)
        await cancelled_after(steps, begun.pop())
        await silent.all_gone()


async def test_a_call_of_somebody_who_is_no_friend(
    silent: Silent, friends: tuple[SimPeer, SimPeer]
) -> None:
    alice, bob = friends
    doorway = Doorway(
        alice.keys,
        alice.database,  # type: ignore[arg-type]
        is_open=lambda: False,
        linked=lambda identity: [],
        hello=lambda identity: hello_of(alice),
        on_event=lambda pump, event: None,
        add=lambda pump: True,
        adopt=lambda pump, remote: None,
        carry_out=lambda effects: None,
        spawn=lambda work: None,
        entropy=SystemEntropy(),
    )
    for steps in STEPS:
        call = doorway.call(bob.keys.identity, LinkKey(bob.keys.link_key), silent.place)
        await cancelled_after(steps, call)
        await silent.all_gone()


# --- what comes when a node is ending


def reception(peer: SimPeer) -> Reception:
    return Reception(peer.keys, lambda pump, event: None, SystemEntropy(), lambda host: "direct")


async def test_a_link_that_we_begin_late_is_not_begun(
    silent: Silent, friends: tuple[SimPeer, SimPeer]
) -> None:
    here = reception(friends[0])
    here.close_all(Code.SHUTTING_DOWN, [])
    late = Pump(lambda now: pytest.fail("begun"), lambda pump, event: None, may_enter=here.add)
    opened = await outward.dial(*silent.place)
    await asyncio.get_running_loop().create_connection(lambda: late, sock=opened)
    await silent.all_gone()


async def test_a_connection_that_comes_in_late_is_turned_away(
    friends: tuple[SimPeer, SimPeer],
) -> None:
    here = reception(friends[0])
    server = await asyncio.get_running_loop().create_server(here.accept, "127.0.0.1", 0)
    async with server:
        here.close_all(Code.SHUTTING_DOWN, [])
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()


async def test_who_does_not_read_our_last_words_holds_no_ending_node(
    friends: tuple[SimPeer, SimPeer],
) -> None:
    here = reception(friends[0])
    config = answering(friends[0].keys, Purpose.PEER)
    pump = Pump(
        lambda now: Link(Role.RESPONDER, config, now=now, entropy=SystemEntropy()),
        here.on_event,
        may_enter=here.add,
        first=bytes(64 * 1024 * 1024),
    )
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        opened = await outward.dial(*deaf.getsockname())
        await asyncio.get_running_loop().create_connection(lambda: pump, sock=opened)
        await here.gone(Code.SHUTTING_DOWN, [])
        async with asyncio.timeout(90):
            await pump.wait_lost()


async def test_a_node_whose_end_is_cancelled_leaves_nothing_running(tmp_path: Path) -> None:
    await make_account(tmp_path / "alice", "alice", None)
    ours = asyncio.all_tasks()

    async def live(is_up: asyncio.Event, leave: asyncio.Event) -> None:
        async with running(tmp_path / "alice"):
            is_up.set()
            await leave.wait()

    for steps in range(0, 12, 2):
        is_up, leave = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as group:
            life = group.create_task(live(is_up, leave))
            await is_up.wait()
            leave.set()
            for _ in range(steps):
                await asyncio.sleep(0)
            life.cancel()
        assert asyncio.all_tasks() == ours, f"cancelled after {steps} steps"
