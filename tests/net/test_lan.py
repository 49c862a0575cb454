"""A network without any tracker: people find each other by multicast, befriend each other, talk and send files."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Peer
from tests.harness.netns import LAN, Switch, needs_networks
from tests.harness.trackers import FOLDER, PYTHON

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
        assert one.one("say", other.name, "hello", "--wait", "100")["state"] == "delivered"
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


_LIE = """
import asyncio, socket, sys
from peer.reach.mdns import Mdns

async def lie(own):
    heard = asyncio.Event()
    mark = []

    def on_heard(name, said, hosts, port):
        if said.get(b"m") and not mark:
            mark.append(dict(said))
            heard.set()

    caught = []

    class Catcher(asyncio.Protocol):
        def connection_made(self, transport):
            caught.append(b"")
            self.number = len(caught) - 1
            if self.number == 0:
                print("caught", flush=True)

        def data_received(self, data):
            caught[self.number] += data

    loop = asyncio.get_running_loop()
    server = await loop.create_server(Catcher, own, 0)
    port = server.sockets[0].getsockname()[1]
    async with Mdns([own], on_heard, lambda name: None) as mdns:
        await heard.wait()
        await mdns.announce("ab" * 8, port, [own], mark[0])
        print("lies", flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)
    for each in caught:
        print(each.hex())

asyncio.run(lie(sys.argv[1]))
"""


def test_who_repeats_a_friends_mark_gets_a_handshake_they_cannot_finish_and_nothing_else(
    switch: Switch, people: tuple[Peer, Peer]
) -> None:
    alice, bob = people
    befriend(alice, bob)
    alice.node.stop()
    host = switch.host()
    liar = subprocess.Popen(
        [*host.words, PYTHON, "-c", _LIE, host.address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=FOLDER,
    )
    with liar:
        assert liar.stdout is not None
        assert liar.stdout.readline() == "lies\n"
        bob.node.kill()
        alice.up(listen="0.0.0.0:0")
        assert liar.stdout.readline() == "caught\n"
        bob.up(listen="0.0.0.0:0")  # who is found all the same
        alice.node.event("link", friend="bob", state="up", path="lan")
        out, _ = liar.communicate("\n")
    got = [bytes.fromhex(line) for line in out.split()]
    assert all(each.startswith(b"HBNB") and len(each) < 4096 for each in got if each)
    assert any(got)
