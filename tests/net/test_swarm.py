"""One offer to several friends on slow lines: who offers it sends little more than once, and may be gone half-way."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from tests.harness.actors import Peer
from tests.harness.netns import MBIT, Host, Line, Switch, needs_networks
from tests.net.conftest import Settle, befriend

pytestmark = needs_networks

MIB = 2**20
SIZE = 32 * MIB
LINE = Line(24 * MBIT)


def sent_bytes(host: Host) -> int:
    """What a host put on its cable."""
    [device] = json.loads(host.run("ip", "-s", "-j", "link", "show", "dev", "eth0"))
    return int(device["stats64"]["tx"]["bytes"])


def offer(alice: Peer, others: list[Peer], path: Path) -> str:
    """Offer a file to all others in one go, who take it; gives the offer."""
    names = ",".join(other.name for other in others)
    offered: str = alice.one("send", names, str(path))["offer"]
    for other in others:
        other.node.event("offer", offer=offered, state="offered")
        other.do("accept", offered)
    return offered


def landed(peer: Peer, offered: str) -> bytes:
    """Wait until somebody has all of it; gives what stands there."""
    done = peer.node.event("transfer", offer=offered, state="done", direction="in")
    return Path(done["saved_as"]).read_bytes()


def test_three_friends_on_slow_lines_cost_the_sender_little_more_than_one(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    host = switch.host(up=LINE)
    alice = settle("alice", host)
    others = [settle(name, switch.host(up=LINE)) for name in ("bob", "carol", "dave")]
    for one, other in itertools.combinations([alice, *others], 2):
        befriend(one, other)
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(SIZE))
    before = sent_bytes(host)
    offered = offer(alice, others, path)
    for other in others:
        assert landed(other, offered) == path.read_bytes()
    assert sent_bytes(host) - before <= 1.5 * SIZE
