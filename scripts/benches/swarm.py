"""One file to several friends at once, each behind a line of its own: what the sender sends, and how long it takes.

With `--false` one friend who lends changes a byte of each MiB and one sends 30 % and then nothing: how long who takes it
last waits, against one good source alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from tests.harness import false_lenders
from tests.harness.actors import Peer
from tests.harness.netns import MBIT, Host, Line, Switch
from tests.harness.trackers import WIDE, TrackerProcess

MIB = 2**20


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench swarm", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file")
    parser.add_argument("--friends", type=int, default=5, help="who take it")
    parser.add_argument("--mbit", type=int, default=100, help="of each line, per second")
    parser.add_argument(
        "--false", action="store_true", help="two of three sources are false; the other two options"
    )
    chosen = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="hobnob-bench-"))
    if chosen.false:
        try:
            alone_s, took_s = _measure_false(folder, chosen.mib * MIB, chosen.mbit * MBIT)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        print(f"{chosen.mib} MiB over lines of {chosen.mbit} Mbit/s")
        print(f"from one good source    {alone_s:6.1f} s")
        print(
            f"from it, a liar and one who stalls {took_s:6.1f} s = {took_s / alone_s:5.2f} times that"
        )
        return
    try:
        sent, lent, took_s = _measure(folder, chosen.mib * MIB, chosen.friends, chosen.mbit * MBIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    size = chosen.mib * MIB
    once_s = size * 8 / (chosen.mbit * 1_000_000)
    print(f"{chosen.mib} MiB to {chosen.friends} friends over lines of {chosen.mbit} Mbit/s")
    print(
        f"the sender sent         {sent / size:6.2f} times the size   (to each in turn: {chosen.friends}.00)"
    )
    print(f"each friend lent        {lent / size / chosen.friends:6.2f} times the size")
    print(
        f"until all have it       {took_s:6.1f} s = {took_s / once_s:5.2f} times one transfer at the line's rate"
    )
    print(f"each in turn takes      {once_s * chosen.friends:6.1f} s at least")


def _measure(folder: Path, size: int, friends: int, rate: int) -> tuple[int, int, float]:
    """Give what the sender sent, what the friends sent together, and how long it took."""
    with Switch() as switch, ExitStack() as stack:
        hosts = [switch.host(up=Line(rate)) for _ in range(friends + 1)]
        people = _settle(folder, switch, stack, hosts)
        path = _film(folder / "film.bin", size)
        before = [_sent(host) for host in hosts]
        sender, *others = people
        began = time.monotonic()
        names = ",".join(other.name for other in others)
        offered = sender.one("send", names, str(path))["offer"]
        for other in others:
            other.node.event("offer", offer=offered, state="offered")
            other.do("accept", offered)
        while any(row["state"] != "done" for row in sender.do("transfers")):
            time.sleep(0.5)
        took_s = time.monotonic() - began
        sent = [_sent(host) - at for host, at in zip(hosts, before, strict=True)]
        return sent[0], sum(sent[1:]), took_s


def _measure_false(folder: Path, size: int, rate: int) -> tuple[float, float]:
    """Give how long one good source takes alone, and together with two false ones."""
    with Switch() as switch, ExitStack() as stack:
        hosts = [switch.host(up=Line(1000 * MBIT)) for _ in range(4)]
        sender, *false, taker = people = _settle(folder, switch, stack, hosts)
        path = _film(folder / "film.bin", size)
        names = ",".join(other.name for other in people[1:])
        offered = sender.one("send", names, str(path))["offer"]
        for other, kind in zip(false, false_lenders.KINDS, strict=True):
            other.node.event("offer", offer=offered, state="offered")
            other.do("accept", offered)
            other.node.event("transfer", offer=offered, state="done")
            other.node.kill()
            other.program = false_lenders.program(kind)
            other.up(listen=other.node.address)
            taker.node.event("link", friend=other.name, state="up")
        for host in hosts[:3]:
            switch.limit(host, up=Line(rate))
        alone = sender.one("send", taker.name, str(path))["offer"]
        return _take(taker, alone), _take(taker, offered)


def _take(taker: Peer, offered: str) -> float:
    """Accept an offer and wait until it is there; gives the seconds."""
    began = time.monotonic()
    taker.do("accept", offered)
    taker.node.event("transfer", offer=offered, state="done")
    return time.monotonic() - began


def _settle(folder: Path, switch: Switch, stack: ExitStack, hosts: Sequence[Host]) -> list[Peer]:
    """Put somebody at each host, all friends of one another."""
    place = switch.host()
    tracker = stack.enter_context(
        TrackerProcess(folder / "tracker", *WIDE, listen=f"{place.address}:0", under=place.words)
    )
    people: list[Peer] = []
    for number, host in enumerate(hosts):
        peer = stack.enter_context(closing(Peer(folder, f"friend{number}")))
        peer.under = host.words
        peer.register(tracker.address, "--unsealed")
        peer.up(listen=f"{host.address}:0")
        people.append(peer)
    for one, other in itertools.combinations(people, 2):
        _befriend(one, other)
    return people


def _film(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    return path


def _befriend(one: Peer, other: Peer) -> None:
    one.do("friend", "add", other.one("friend", "code")["code"])
    other.node.event("friend-request", friend=one.name, direction="in")
    other.do("friend", "accept", one.name)
    one.node.event("link", friend=other.name, state="up")


def _sent(host: Host) -> int:
    """Give what a host put on its cable, in bytes."""
    [device] = json.loads(host.run("ip", "-s", "-j", "link", "show", "dev", "eth0"))
    return int(device["stats64"]["tx"]["bytes"])
