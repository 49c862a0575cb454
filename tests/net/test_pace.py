"""Chat first: on a line that transfers fill, messages still arrive at once, and friends share what there is."""

from __future__ import annotations

import os
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

MOST_S = 25.0
"""How long is measured at most, in whole rounds: a transfer fills its line for four times that, however busy the machine is."""


def send(alice: Peer, bob: Peer, path: Path, to: Path) -> str:
    """Offer a file and have it taken; gives the offer."""
    offer: str = alice.one("send", bob.name, str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(to))
    bob.node.event("transfer", offer=offer, state="running")
    return offer


Pair = tuple[Peer, Peer]


def latency_s(speaker: Peer, hearer: Peer) -> float:
    """Say something; gives how long it took until it was shown."""
    began = time.monotonic()
    [said] = client.ask(speaker.home, "SendText", {"to": hearer.name, "text": "how long?"})
    hearer.node.event("message", id=said["id"])
    return time.monotonic() - began


def latencies_s(pairs: list[Pair], beside: list[Pair], count: int) -> tuple[list[float], float]:
    """Say things, each when the one before was shown, up to so many times each; gives how long each took until then.

    beside: who talk at the same time and not over that line. What the slowest of that took comes with it: a busy
    machine is not the line's fault.
    """
    taken: list[float] = []
    elsewhere: list[float] = []
    ends = time.monotonic() + MOST_S
    while len(taken) < count * len(pairs) and (not taken or time.monotonic() < ends):
        taken += [latency_s(*pair) for pair in pairs]
        elsewhere += [latency_s(*pair) for pair in beside]
    return taken, max(elsewhere)


def share_in_time(taken: list[float], elsewhere_s: float) -> float:
    """Give how many were shown in time."""
    return sum(each < PATIENCE_S + elsewhere_s for each in taken) / len(taken)


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
    carol = settle("carol", switch.host())
    befriend(alice, bob)
    befriend(alice, carol)
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(256 * MIB))
    send(alice, bob, path, tmp_path / "in")
    pairs, beside = [(alice, bob), (bob, alice)], [(alice, carol)]
    taken, elsewhere_s = latencies_s(pairs, beside, 60)
    assert share_in_time(taken, elsewhere_s) >= 0.95, (elsewhere_s, sorted(taken))
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
    befriend(friends[0], friends[1])  # whose talk does not pass by Alice
    for friend in friends:
        send(alice, friend, path, tmp_path / f"in-{friend.name}")
    for friend in friends:
        friend.node.wait(lambda item: item["event"] == "transfer" and item["verified_bytes"] > MIB)
    before = [verified(friend) for friend in friends]
    pairs, beside = [(alice, friend) for friend in friends], [(friends[0], friends[1])]
    taken, elsewhere_s = latencies_s(pairs, beside, 40)
    assert share_in_time(taken, elsewhere_s) >= 0.95, (elsewhere_s, sorted(taken))
    for friend, had in zip(friends, before, strict=True):  # nobody is left with nothing
        friend.node.wait(lambda item, had=had: item.get("verified_bytes", 0) > had)  # type: ignore[misc]
