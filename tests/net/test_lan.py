"""A network without any tracker: people find each other by multicast, befriend each other, talk and send files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Peer
from tests.harness.netns import LAN, Switch, needs_networks

pytestmark = needs_networks


@pytest.fixture
def switch() -> Iterator[Switch]:
    """A local network, and nothing else."""
    with Switch(LAN) as running:
        yield running


@pytest.fixture
def people(switch: Switch, tmp_path: Path) -> Iterator[tuple[Peer, Peer]]:
    """Two with a host each, local accounts, and nodes that listen on all addresses."""
    with ExitStack() as stack:
        found = []
        for name in ("alice", "bob"):
            peer = stack.enter_context(closing(Peer(tmp_path, name)))
            peer.under = switch.host().words
            peer.register(None, "--unsealed")
            peer.up(listen="0.0.0.0:0")
            found.append(peer)
        yield found[0], found[1]


def befriend(alice: Peer, bob: Peer, *at: str) -> None:
    """Have one ask the other, who takes requests, and be taken."""
    code = bob.one("friend", "code", "--lan")["code"]
    assert alice.one("friend", "add", code, *at)["state"] == "asked"
    bob.node.event("friend-request", friend=alice.name, direction="in")
    bob.do("friend", "accept", alice.name)
    alice.node.event("friend", friend=bob.name, state="friends")


def passes(alice: Peer, bob: Peer, folder: Path) -> None:
    """Pass a message each way, and a file."""
    for one, other in ((alice, bob), (bob, alice)):
        assert one.one("say", other.name, "hello", "--wait", "20")["state"] == "delivered"
    content = os.urandom(5_000_000)
    (folder / "film.bin").write_bytes(content)
    made = alice.one("send", bob.name, str(folder / "film.bin"))
    bob.node.event("offer", offer=made["offer"], state="offered")
    bob.do("accept", made["offer"], "--to", str(folder / "in"))
    done = bob.node.event("transfer", offer=made["offer"], state="done")
    assert Path(done["saved_as"]).read_bytes() == content


def path_to(peer: Peer, friend: str) -> str:
    links = peer.one("status")["links"]
    return str(next(link["path"] for link in links if link["friend"] == friend))


def test_two_without_a_tracker_befriend_each_other_talk_and_send(
    people: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = people
    befriend(alice, bob)
    passes(alice, bob, tmp_path)
    assert (path_to(alice, "bob"), path_to(bob, "alice")) == ("lan", "lan")
    assert alice.one("friend", "list")["presence"] == "available"
    # another run, other ports: the marks alone bring them together again
    for peer in people:
        peer.node.stop()
    for peer in people:
        peer.up(listen="0.0.0.0:0")
    alice.node.event("link", friend="bob", state="up", path="lan")
    (tmp_path / "again").mkdir()
    passes(bob, alice, tmp_path / "again")
