"""A tracker and people for a test, all ended when it is over, however it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.harness.actors import Node, Peer
from tests.harness.doors import Door, doors_of
from tests.harness.strangers import Scene
from tests.harness.trackers import WIDE, TrackerProcess

MakePeer = Callable[[str], Peer]


@pytest.fixture
def tracker(tmp_path: Path) -> Iterator[TrackerProcess]:
    with TrackerProcess(tmp_path / "tracker", *WIDE) as running:
        yield running


@pytest.fixture
def make_peer(tmp_path: Path) -> Iterator[MakePeer]:
    """People without an account yet."""
    with ExitStack() as stack:

        def make(name: str) -> Peer:
            return stack.enter_context(closing(Peer(tmp_path, name)))

        yield make


@pytest.fixture
def friends(tracker: TrackerProcess, make_peer: MakePeer) -> tuple[Peer, Peer]:
    """Alice and Bob: registered with unsealed keys, up, friends, linked."""
    alice, bob = make_peer("alice"), make_peer("bob")
    befriend(tracker.address, alice, bob, "--unsealed")
    return alice, bob


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Peer:
    """Alice's home with a local account, not sealed."""
    alice = Peer(tmp_path_factory.mktemp("template"), "alice")
    alice.do("register", "alice", "--unsealed")
    return alice


@pytest.fixture
def alice(template: Peer, tmp_path: Path) -> Iterator[Peer]:
    """Alice with a local account: a copy of the template, so that nobody registers again."""
    with closing(Peer(tmp_path, "alice")) as peer:
        shutil.copytree(template.home, peer.home)
        yield peer


def befriend(address: str, alice: Peer, bob: Peer, *words: str) -> tuple[Node, Node]:
    """Register both, bring both up, make them friends by code, wait until they are linked.

    words: further ones of `register`.
    """
    alice.register(address, *words)
    bob.register(address, *words)
    at_alice, at_bob = alice.up(), bob.up()
    code = bob.one("friend", "code")["code"]
    assert alice.one("friend", "add", code) == {"friend": bob.name, "state": "asked"}
    at_bob.event("friend-request", friend=alice.name, direction="in")
    assert bob.one("friend", "accept", alice.name)["state"] == "friends"
    at_alice.event("friend", friend=bob.name, state="friends")
    return at_alice, at_bob


@pytest.fixture(autouse=True, scope="module")
def unmeasured(request: pytest.FixtureRequest) -> Iterator[None]:
    """Start programs without measuring what of them runs, but for modules marked `measured`.

    Measuring doubles what a start costs and slows a node down; the floors hold without the rest.
    """
    with pytest.MonkeyPatch.context() as patch:
        if request.node.get_closest_marker("measured") is None:
            for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS")]:
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def unharmed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever strangers say in a scene, its programs live on and keep their memory."""
    if "scene" not in request.fixturenames:
        yield
        return
    scene: Scene = request.getfixturevalue("scene")
    with scene.unharmed():
        yield


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Door]]:
    """The ports of a tracker and of Bob's node, and Eve, a friend of his, who knocks there."""
    with Scene(tmp_path_factory.mktemp("doors")) as scene:
        eve = scene.friend("eve")
        yield {str(door): door for door in doors_of(scene, eve)}


@pytest.fixture
def door(doors: dict[str, Door], name: str) -> Door:
    """The port that a test names."""
    return doors[name]
