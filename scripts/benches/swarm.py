"""One file to several friends at once, each behind a line of its own: what the sender sends, and how long it takes."""

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
    chosen = parser.parse_args(words)
    folder = Path(tempfile.mkdtemp(prefix="hobnob-bench-"))
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
        place = switch.host()
        tracker = stack.enter_context(
            TrackerProcess(
                folder / "tracker", *WIDE, listen=f"{place.address}:0", under=place.words
            )
        )
        hosts = [switch.host(up=Line(rate)) for _ in range(friends + 1)]
        people: list[Peer] = []
        for number, host in enumerate(hosts):
            peer = stack.enter_context(closing(Peer(folder, f"friend{number}")))
            peer.under = host.words
            peer.register(tracker.address, "--unsealed")
            peer.up(listen=f"{host.address}:0")
            people.append(peer)
        for one, other in itertools.combinations(people, 2):
            _befriend(one, other)
        path = folder / "film.bin"
        with path.open("wb") as file:
            for _ in range(size // MIB):
                file.write(os.urandom(MIB))
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


def _befriend(one: Peer, other: Peer) -> None:
    one.do("friend", "add", other.one("friend", "code")["code"])
    other.node.event("friend-request", friend=one.name, direction="in")
    other.do("friend", "accept", one.name)
    one.node.event("link", friend=other.name, state="up")


def _sent(host: Host) -> int:
    """Give what a host put on its cable, in bytes."""
    [device] = json.loads(host.run("ip", "-s", "-j", "link", "show", "dev", "eth0"))
    return int(device["stats64"]["tx"]["bytes"])
