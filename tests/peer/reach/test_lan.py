"""What a node says of itself on a local network and when, over an ether of our own; and that the real one carries it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Interface
from typing import Any, Self

from peer.reach.lan import FAILED, OFF, ON, Lan, Speaker
from peer.reach.mdns import Mdns
from peer.reach.nearby import Heard, Network
from peer.times import wall
from tests.harness.simnet import SimPeer, Simulation
from wire.identity import day_of, lan_mark, lan_open_mark
from wire.ids import AccountName

WAIT_S = 30.0


class Ether:
    """A network on which who speaks is heard by all others at once."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[dict[bytes, bytes], list[str], int]] = {}
        self.ears: dict[Any, tuple[Heard, Callable[[str], None]]] = {}
        self.networks: list[Network] = [IPv4Interface("192.168.7.2/24")]
        self.news = asyncio.Event()
        self.fault: Exception | None = None
        self.tries = 0  # that failed

    def load(self) -> tuple[Any, Callable[[str], list[Network]]]:
        if isinstance(self.fault, ImportError):
            raise self.fault
        return self.make, self.listed

    def listed(self, on: str) -> list[Network]:
        """List the networks of this machine, or that of one address."""
        return [each for each in self.networks if on in ("", str(each.ip))]

    def make(self, hosts: list[str], heard: Heard, gone: Callable[[str], None]) -> Speaker:
        if self.fault is not None:
            self.tries += 1
            self.news.set()
            raise self.fault
        return Mouth(self, heard, gone)

    def tell(self, name: str, host: str, port: int, said: dict[bytes, bytes]) -> None:
        """Have somebody else say something."""
        for heard, _ in self.ears.values():
            heard(name, dict(said), [host], port)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            while not holds():
                self.news.clear()
                await self.news.wait()


class Mouth:
    """A speaker on it."""

    def __init__(self, ether: Ether, heard: Heard, gone: Callable[[str], None]) -> None:
        self.ether, self.ears, self.name = ether, (heard, gone), ""

    async def __aenter__(self) -> Self:
        self.ether.ears[self] = self.ears
        self.ether.news.set()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.fall_silent()
        del self.ether.ears[self]
        self.ether.news.set()

    async def announce(
        self, instance: str, port: int, hosts: list[str], properties: dict[bytes, bytes]
    ) -> None:
        await self.fall_silent()
        self.name = instance
        self.ether.said[instance] = properties, hosts, port
        self.ether.news.set()

    async def fall_silent(self) -> None:
        self.ether.said.pop(self.name, None)
        self.ether.news.set()


class Stage:
    """One node's part, under way."""

    def __init__(self, ether: Ether, *, port: int = 4000) -> None:
        self.peer = SimPeer.make(Simulation(7), "alice")
        self.why_not = self.why_silent = self.on = ""
        self.news = self.asked = 0
        self.port = port
        self.ether = ether
        self.lan = Lan(
            self.peer.keys,
            AccountName("alice"),
            listening=self._listening,
            why_not=lambda: self.why_not,
            why_silent=lambda: self.why_silent,
            stays_on=lambda: self.on,
            entropy=self.peer.entropy,
            load=ether.load,
        )
        self.lan.on_news = self._heard

    def _heard(self) -> None:
        self.news += 1

    def _listening(self) -> list[tuple[str, int]]:
        self.asked += 1
        self.ether.news.set()
        return [("0.0.0.0", self.port)] if self.port else []


async def test_a_node_announces_its_mark_alone_and_its_name_only_while_it_is_open() -> None:
    ether = Ether()
    stage = Stage(ether)
    keys, day = stage.peer.keys, day_of(wall())
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.lan.run())
        await ether.until(lambda: bool(ether.said))
        [(said, hosts, port)] = ether.said.values()
        assert said == {b"v": b"1", b"m": lan_mark(keys.identity, keys.device, day)}
        assert (hosts, port) == (["192.168.7.2"], 4000)
        assert stage.lan.places() == [("192.168.7.2", 4000)]
        [closed] = ether.said
        stage.lan.open(60.0)
        await ether.until(lambda: bool(ether.said) and closed not in ether.said)
        [(said, _, _)] = ether.said.values()
        assert (said[b"n"], said[b"k"]) == (b"alice", keys.link_key)
        assert said[b"o"] == lan_open_mark(keys.identity, day)
        stage.lan.open(0.0)
        await ether.until(lambda: all(b"n" not in said for said, _, _ in ether.said.values()))
        stage.why_not = "it is switched off"
        stage.lan.look()
        await ether.until(lambda: not ether.ears)
        running.cancel()
    assert not ether.said


async def test_who_is_not_to_be_seen_by_somebody_hears_and_announces_nothing_but_on_request() -> (
    None
):
    ether = Ether()
    stage = Stage(ether)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.lan.run())
        await ether.until(lambda: bool(ether.said))
        stage.why_silent = "relay-only keeps it from somebody"
        stage.lan.look()
        await ether.until(lambda: not ether.said)
        assert ether.ears
        assert stage.lan.state == ON
        stage.lan.open(60.0)
        await ether.until(lambda: bool(ether.said))
        stage.lan.open(0.0)
        await ether.until(lambda: not ether.said)
        running.cancel()


async def test_what_stays_on_one_address_is_announced_there_alone() -> None:
    ether = Ether()
    ether.networks.append(IPv4Interface("192.168.8.2/24"))
    stage = Stage(ether)
    stage.on = "192.168.8.2"
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.lan.run())
        await ether.until(lambda: bool(ether.said))
        [(_, hosts, _)] = ether.said.values()
        assert hosts == ["192.168.8.2"]
        running.cancel()


async def test_what_is_heard_is_news_once_and_what_is_no_announcement_is_forgotten() -> None:
    ether = Ether()
    stage = Stage(ether, port=0)  # who takes no connections hears all the same
    mark = lan_mark(stage.peer.keys.identity, stage.peer.keys.device, day_of(wall()))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.lan.run())
        await ether.until(lambda: bool(ether.ears))
        heard = group.create_task(stage.lan.next_heard())
        await asyncio.sleep(0)
        for _ in range(3):
            ether.tell("it", "192.168.7.9", 4001, {b"v": b"1", b"m": mark})
        await heard
        assert (stage.news, len(stage.lan.nearby)) == (1, 1)
        ether.tell("it", "10.9.9.9", 4001, {b"v": b"1", b"m": mark})
        assert len(stage.lan.nearby) == 0
        assert not ether.said
        running.cancel()


async def test_what_does_not_work_is_named() -> None:
    ether = Ether()
    stage = Stage(ether)
    ether.fault = OSError(98, "Address already in use")
    async with asyncio.TaskGroup() as group:
        running = group.create_task(stage.lan.run())
        await ether.until(lambda: ether.tries == 1)
        assert (stage.lan.state, stage.lan.why) == (FAILED, "Address already in use")
        assert "UDP port 5353" in stage.lan.remedy
        ether.fault, ether.networks, asked = None, [], stage.asked
        stage.lan.look()
        await ether.until(lambda: stage.asked > asked)
        assert (stage.lan.state, stage.lan.why) == (OFF, "this machine listens on no local network")
        running.cancel()
    ether.fault = ImportError()
    await stage.lan.run()
    assert (stage.lan.state, stage.lan.why) == (FAILED, "the package `zeroconf` is not installed")
    assert "hobnob[lan]" in stage.lan.remedy
    assert stage.lan.state != ON


async def test_multicast_carries_an_announcement_and_its_end() -> None:
    came: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
    loopback = ["127.0.0.1"]
    said = {b"v": b"1", b"m": bytes(range(16))}
    async with asyncio.timeout(WAIT_S):
        async with Mdns(loopback, lambda *it: came.put_nowait(it), lambda *it: came.put_nowait(it)):
            async with Mdns(loopback, lambda *_: None, lambda _: None) as speaker:
                await speaker.announce("ab" * 8, 4000, loopback, dict(said))
                name, heard, hosts, port = await came.get()
                assert (heard, hosts, port) == (said, loopback, 4000)
                assert speaker.is_own(name)
            while await came.get() != (name,):
                pass
