"""Chat first: on a line that transfers fill, messages still arrive at once, and friends share what there is."""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from peer.control import client
from tests.harness.actors import Peer
from tests.harness.netns import MBIT, Line, Switch, needs_networks
from tests.net.conftest import Settle, befriend

pytestmark = needs_networks

MIB = 2**20
PATIENCE_S = 0.3
"""F8: so long nearly every message takes at the most."""


def send(alice: Peer, bob: Peer, path: Path, to: Path) -> str:
    """Offer a file and have it taken; gives the offer."""
    offer: str = alice.one("send", bob.name, str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(to))
    bob.node.event("transfer", offer=offer, state="running")
    return offer


def latencies_s(talkers: list[tuple[Peer, Peer]], count: int) -> list[float]:
    """Say things, each when the one before was shown; gives how long each took until then."""
    taken = []
    for number in range(count):
        for speaker, hearer in talkers:
            began = time.monotonic()
            words: dict[str, object] = {"to": hearer.name, "text": f"number {number}"}
            [said] = client.ask(speaker.home, "SendText", words)
            hearer.node.event("message", id=said["id"])
            taken.append(time.monotonic() - began)
    return taken


def share_in_time(taken: list[float], alone: list[float]) -> float:
    """Give how many were shown in time. alone: what talk took before; a busy machine is not the line's fault."""
    limit_s = PATIENCE_S + statistics.quantiles(alone, n=10)[-1]
    return sum(each < limit_s for each in taken) / len(taken)


def verified(peer: Peer) -> int:
    """How much of its one transfer somebody has, which is not over."""
    [row] = peer.do("transfers")
    assert row["state"] == "running"
    return int(row["verified_bytes"])


def test_talk_takes_little_on_a_line_that_a_transfer_fills(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    # a queue of a second, as cheap routers have: without a pace every second message waits in it
    alice = settle("alice", switch.host())
    bob = settle("bob", switch.host(down=Line(20 * MBIT, 1.0)))
    befriend(alice, bob)
    alone = latencies_s([(alice, bob), (bob, alice)], 5)
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(256 * MIB))
    send(alice, bob, path, tmp_path / "in")
    taken = latencies_s([(alice, bob), (bob, alice)], 60)
    assert share_in_time(taken, alone) >= 0.95, sorted(taken)
    assert verified(bob) > 0


def test_four_friends_share_a_line_and_talk_goes_on(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    alice = settle("alice", switch.host(up=Line(20 * MBIT, 1.0)))
    friends = [settle(name, switch.host()) for name in ("bob", "carol", "dave", "erin")]
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(256 * MIB))
    for friend in friends:
        befriend(alice, friend)
    alone = latencies_s([(alice, friend) for friend in friends], 3)
    for friend in friends:
        send(alice, friend, path, tmp_path / f"in-{friend.name}")
    for friend in friends:
        friend.node.wait(lambda item: item["event"] == "transfer" and item["verified_bytes"] > MIB)
    before = [verified(friend) for friend in friends]
    taken = latencies_s([(alice, friend) for friend in friends], 40)
    assert share_in_time(taken, alone) >= 0.95, sorted(taken)
    shares = [verified(friend) - had for friend, had in zip(friends, before, strict=True)]
    assert min(shares) > 0, shares
