"""A machine that gets another address, or loses its cable, in the middle of a transfer: it goes on by itself.

An address that is gone is noticed at once where it was, and at the other end when talk asks there in vain; without
that both would wait for a minute of silence.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Peer
from tests.harness.netns import MBIT, Host, Line, Switch, needs_networks
from tests.harness.trackers import TrackerProcess
from tests.net.conftest import befriend, most_again_bytes
from wire import limits

pytestmark = [needs_networks, pytest.mark.timeout(300)]

SIZE = 24 * limits.MIB + 7
LINE = Line(40 * MBIT)

Settled = tuple[tuple[Peer, Peer], tuple[Host, Host]]


@pytest.fixture
def settled(lan_tracker: TrackerProcess, switch: Switch, tmp_path: Path) -> Iterator[Settled]:
    """Alice at a host that sends slowly, and Bob, who listen on all addresses of theirs; friends."""
    hosts = switch.host(up=LINE), switch.host()
    with ExitStack() as stack:
        people = []
        for name, host in zip(("alice", "bob"), hosts, strict=True):
            peer = stack.enter_context(closing(Peer(tmp_path, name)))
            peer.under = host.words
            peer.register(lan_tracker.address, "--unsealed")
            peer.up(listen="0.0.0.0:0")
            people.append(peer)
        alice, bob = people
        befriend(alice, bob)
        yield (alice, bob), hosts


def begin(alice: Peer, bob: Peer, folder: Path) -> tuple[str, Path]:
    """Let a file be under way; gives its offer and its path."""
    path = folder / "film.bin"
    path.write_bytes(os.urandom(SIZE))
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(folder / "in"))
    bob.node.wait(
        lambda item: (
            item["event"] == "transfer"
            and item["offer"] == offer
            and item["verified_bytes"] >= 4 * limits.MIB
        )
    )
    return offer, path


def arrives(bob: Peer, offer: str, path: Path) -> None:
    """Wait until all of it is there, and little came twice.

    On a busy machine a dial may go to the former address first, and the next turn comes a minute later.
    """
    done = bob.node.wait(
        lambda item: (
            item["event"] == "transfer" and item["offer"] == offer and item["state"] == "done"
        ),
        within_s=240,
    )
    assert Path(done["saved_as"]).read_bytes() == path.read_bytes()
    assert done["resent_bytes"] <= most_again_bytes(bob, done)


@pytest.mark.parametrize("who", [0, 1], ids=["sender", "receiver"])
def test_a_machine_gets_another_address_and_its_transfer_goes_on(
    settled: Settled, tmp_path: Path, who: int
) -> None:
    (alice, bob), hosts = settled
    offer, path = begin(alice, bob, tmp_path)
    host = hosts[who]
    network = host.address.rpartition(".")[0]
    host.run("ip", "address", "flush", "dev", "eth0")
    host.run("ip", "address", "add", f"{network}.200/16", "dev", "eth0")
    arrives(bob, offer, path)
    assert alice.one("say", "bob", "from elsewhere", "--wait", "100")["state"] == "delivered"


def test_a_cable_is_pulled_and_plugged_in_again_and_the_transfer_goes_on(
    switch: Switch, settled: Settled, tmp_path: Path
) -> None:
    (alice, bob), hosts = settled
    offer, path = begin(alice, bob, tmp_path)
    switch.cut(hosts[1])
    assert alice.one("say", "bob", "anybody there?", "--wait", "1")["state"] == "queued"
    switch.mend(hosts[1])
    arrives(bob, offer, path)
    assert alice.one("say", "bob", "so there", "--wait", "100")["state"] == "delivered"
    assert bob.texts_from("alice")[-2:] == ["anybody there?", "so there"]
