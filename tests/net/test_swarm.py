"""One offer to several friends on slow lines: who offers it sends little more than once, and who lends falsely is found out."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

from tests.harness import false_lenders
from tests.harness.actors import Peer
from tests.harness.netns import MBIT, Host, Line, Switch, needs_networks
from tests.net.conftest import Settle, befriend

pytestmark = needs_networks

MIB = 2**20
SIZE = 32 * MIB
LINE = Line(24 * MBIT)
FAST = Line(1000 * MBIT)
CRAWL = Line(1 * MBIT)
MOST_SENT = 2.0
"""Without each other three cost the sender 3.14 times the size; with each other 1.15 to 1.45 times on a busy machine, where one
who is slow for a moment has the sender asked instead. What five cost on a quiet one is measured by `scripts/bench swarm`."""


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
    assert sent_bytes(host) - before <= MOST_SENT * SIZE


def test_one_who_lies_and_one_who_stalls_are_found_out_and_not_asked_again(
    switch: Switch, settle: Settle, tmp_path: Path
) -> None:
    hosts = [switch.host(up=FAST) for _ in range(4)]
    names = ("alice", "liar", "staller", "carol")
    alice, liar, staller, carol = (
        settle(name, host) for name, host in zip(names, hosts, strict=True)
    )
    for one, other in itertools.product((alice, carol), (liar, staller)):
        befriend(one, other)
    befriend(alice, carol)
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(SIZE))
    offered: str = alice.one("send", "liar,staller,carol", str(path))["offer"]
    carol.node.event("offer", offer=offered, state="offered")
    for other, kind in ((liar, false_lenders.LIES), (staller, false_lenders.STALLS)):
        other.node.event("offer", offer=offered, state="offered")
        other.do("accept", offered)
        assert landed(other, offered) == path.read_bytes()
        other.node.kill()
        other.program = false_lenders.program(kind)
        other.up(listen=f"{other.node.address}")
        other.node.event("link", friend="carol", state="up")
    # so slow that she cannot have given the rest before the others are found out, however long that takes
    switch.limit(hosts[0], up=CRAWL)
    for host in hosts[1:3]:
        switch.limit(host, up=LINE)
    before = sent_bytes(hosts[0])
    carol.do("accept", offered)
    wrong: dict[str, str] = {}
    while len(wrong) < 2:
        item = carol.node.event("transfer", offer=offered)
        assert item["state"] != "done"
        wrong = {each["friend"]: each["error"] for each in item["sources"] if each["error"]}
    assert wrong == {"liar": "verification-failed", "staller": "link-silent"}
    switch.limit(hosts[0], up=FAST)
    assert landed(carol, offered) == path.read_bytes()
    log = carol.node.log
    for other, words in ((liar, "is no source"), (staller, "stalls")):
        device = other.one("whoami")["device"][:8]
        assert log.count(f"{device} {words}") == 1, log
    assert sent_bytes(hosts[0]) - before <= 1.1 * SIZE
