"""A node on its local network: announces itself under a mark that friends recognise, and hears of them.

No tracker has a part in it. Nothing scans: only what announces itself is dialled, and only if its mark is that of a
friend's device, or of somebody whose code we hold. What is announced, and for how long, is decided here; what is
heard is kept in `nearby`, who is dialled when is the dialer's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

from peer.reach.nearby import Heard, Nearby, Network, Opening, Place, properties, read_announced
from peer.times import wall
from wire.identity import DeviceKeys, day_of, lan_mark, lan_open_mark
from wire.ids import AccountName, LinkKey
from wire.machine import Entropy, Monotonic

ROUND_S = 5.0
"""How often the networks of this machine and the day are looked at."""

AGAIN_S = 30.0
"""After a failure: another program may hold the port, or there is no network."""

NAME_BYTES = 8
WILDCARDS = ("0.0.0.0", "::")

OFF, STARTING, ON, FAILED = "off", "starting", "on", "failed"


class Speaker(Protocol):
    """What speaks multicast DNS while its context is entered: `peer.reach.mdns.Mdns`; raises OSError."""

    async def __aenter__(self) -> Self:
        """Begin to hear."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """Say goodbye."""

    async def announce(
        self, instance: str, port: int, hosts: list[str], properties: dict[bytes, bytes]
    ) -> None:
        """Announce this in place of what was announced before."""

    async def fall_silent(self) -> None:
        """Take back what was announced."""


Make = Callable[[list[str], Heard, Callable[[str], None]], Speaker]
Survey = Callable[[str], list[Network]]
"""Lists the addresses of this machine, those of one interface or one of them only where that is named."""

Load = Callable[[], tuple[Make, Survey]]
"""Gives what makes a speaker for own addresses, and what lists this machine's; raises ImportError."""


def _no_word() -> str:
    return ""


def _load() -> tuple[Make, Survey]:
    """Import what speaks mDNS: it takes a while, and the package may be missing."""
    from peer.reach.mdns import Mdns, own_networks

    return Mdns, own_networks


class Lan:
    """One node's part in it.

    name: of the account. listening: gives HOST and port of each listener. why_not: says why we take no part,
    empty if we do. why_silent: says why we only listen, empty if we announce ourselves. stays_on: gives the
    interface or address that everything stays on, empty for no choice.

    on_news: called when a device is said to be somewhere new. state: off, starting, on or failed, and why in words;
    remedy: of a failure.
    """

    def __init__(
        self,
        keys: DeviceKeys,
        name: AccountName,
        *,
        listening: Callable[[], list[Place]],
        why_not: Callable[[], str],
        why_silent: Callable[[], str] = _no_word,
        stays_on: Callable[[], str] = _no_word,
        entropy: Entropy,
        load: Load = _load,
    ) -> None:
        self._load = load
        self.nearby = Nearby()
        self.state, self.why = OFF, "it was not started"
        self.remedy = ""
        self._keys = keys
        self._name = name
        self._listening = listening
        self._why_not = why_not
        self._why_silent = why_silent
        self._stays_on = stays_on
        self.on_news: Callable[[], None] = lambda: None
        self._entropy = entropy
        self._loop = asyncio.get_running_loop()
        self._networks: list[Network] = []
        self._changed = asyncio.Event()
        self._heard_one = asyncio.Event()
        self._open_until = 0.0

    # --- for the node

    async def run(self) -> None:
        """Take part until cancelled, whenever the person lets us and there is a network."""
        while True:
            wait_s = ROUND_S
            if why_not := self._why_not():
                self.state, self.why = OFF, why_not
            else:
                try:
                    await self._take_part()
                except ImportError:
                    self.state, self.why = FAILED, "the package `zeroconf` is not installed"
                    self.remedy = "pip install 'hobnob[lan]'"
                    return
                except OSError as error:
                    self.state, self.why = FAILED, error.strerror or str(error)
                    self.remedy = "free UDP port 5353 for this program"
                    wait_s = AGAIN_S
                self.nearby.clear()
            await self._wait(wait_s)

    def look(self) -> None:
        """Look at once at what was set; it would be seen after a while anyhow."""
        self._changed.set()

    def open(self, for_s: float) -> None:
        """Announce for so long who we are, for people who hold our friend code; 0: no longer."""
        self._open_until = self._loop.time() + for_s
        self.look()

    @property
    def is_open(self) -> bool:
        """Whether people who are no friends may ask."""
        return self._loop.time() < self._open_until

    @property
    def why_silent(self) -> str:
        """Why we only listen, in words; empty if we announce ourselves, as whoever takes requests does."""
        return "" if self.is_open else self._why_silent()

    def places(self) -> list[Place]:
        """Give where others on our networks can dial us."""
        port = self._port()
        return [(host, port) for host in self._hosts()] if port else []

    async def next_heard(self) -> None:
        """Wait until something is heard from now on."""
        self._heard_one.clear()
        await self._heard_one.wait()

    # --- inside

    async def _take_part(self) -> None:
        """Take part in the networks there are now, until there are others or we are not wanted."""
        self.state, self.why = STARTING, ""
        make, own_networks = await asyncio.to_thread(self._load)
        self._networks = await asyncio.to_thread(own_networks, self._stays_on())
        hosts = self._hosts()
        if not hosts:
            self.state, self.why = OFF, "this machine listens on no local network"
            return
        said: tuple[object, ...] = ()
        async with make(hosts, self._on_heard, self.nearby.gone) as ours:
            while not self._why_not():
                if (to_say := self._to_say(hosts)) != said:
                    await self._announce(ours, hosts)
                    said = to_say
                self.state, self.why = ON, ""
                await self._wait(self._round_s())
                if await asyncio.to_thread(own_networks, self._stays_on()) != self._networks:
                    return

    async def _announce(self, ours: Speaker, hosts: list[str]) -> None:
        port = self._port()
        if port == 0 or self.why_silent:
            await ours.fall_silent()  # who takes no connections, or is not to be seen, only listens
            return
        day = day_of(wall())
        opening = None
        if self.is_open:
            mark = lan_open_mark(self._keys.identity, day)
            opening = Opening(mark, LinkKey(self._keys.link_key), self._name)
        said = properties(lan_mark(self._keys.identity, self._keys.device, day), opening)
        await ours.announce(self._entropy.bytes(NAME_BYTES).hex(), port, hosts, said)

    def _to_say(self, hosts: list[str]) -> tuple[object, ...]:
        """Give what an announcement depends on."""
        return (self._port(), day_of(wall()), self.is_open, self.why_silent, *hosts)

    def _port(self) -> int:
        return next((port for _, port in self._listening()), 0)

    def _hosts(self) -> list[str]:
        """Give our addresses on local networks by which we listen; who does not listen at all hears on all."""
        places = self._listening()
        listened = {host for host, _ in places}
        return [
            str(each.ip)
            for each in self._networks
            if not places or str(each.ip) in listened or WILDCARDS[each.version == 6] in listened
        ]

    def _round_s(self) -> float:
        left_s = self._open_until - self._loop.time()
        return min(ROUND_S, left_s) if left_s > 0 else ROUND_S

    async def _wait(self, most_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(most_s):
                await self._changed.wait()
        self._changed.clear()

    def _on_heard(
        self, service: str, said: Mapping[bytes, bytes | None], hosts: list[str], port: int | None
    ) -> None:
        announced = read_announced(said, hosts, port, self._networks)
        if announced is None:
            self.nearby.gone(service)
            return
        is_news = self.nearby.heard(service, announced, Monotonic(self._loop.time()))
        self._heard_one.set()
        if is_news:
            self.on_news()
