"""A tracker and people for a test, all ended when it is over, however it ends."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.harness.actors import Peer
from tests.harness.copies import Friendship
from tests.harness.doors import Door, doors_of
from tests.harness.strangers import Scene
from tests.harness.trackers import WIDE, TrackerProcess

MakePeer = Callable[[str], Peer]


@pytest.fixture
def tracker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TrackerProcess]:
    """A tracker; where a test wants `friends`, theirs."""
    home = tmp_path / "tracker"
    if "friends" in request.fixturenames:
        friendship: Friendship = request.getfixturevalue("friendship")
        start = friendship.tracker(home)
    else:
        start = TrackerProcess(home, *WIDE)
    with start as running:
        yield running


@pytest.fixture
def make_peer(tmp_path: Path) -> Iterator[MakePeer]:
    """People without an account yet."""
    with ExitStack() as stack:

        def make(name: str) -> Peer:
            return stack.enter_context(closing(Peer(tmp_path, name)))

        yield make


@pytest.fixture(scope="session")
def friendship(tmp_path_factory: pytest.TempPathFactory) -> Friendship:
    """Alice and Bob, friends: made once, and copied for each test that begins with them."""
    return Friendship.make(tmp_path_factory.mktemp("friendship"))


@pytest.fixture
def friends(
    tracker: TrackerProcess, friendship: Friendship, make_peer: MakePeer
) -> tuple[Peer, Peer]:
    """Alice and Bob: registered with unsealed keys, up, friends, linked."""
    alice, bob = make_peer("alice"), make_peer("bob")
    friendship.bring_up(alice, bob)
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
def doors(module_folder: MakeFolder) -> Iterator[dict[str, Door]]:
    """The ports of a tracker and of Bob's node, and Eve, a friend of his, who knocks there."""
    with Scene(module_folder("doors")) as scene:
        eve = scene.friend("eve")
        yield {str(door): door for door in doors_of(scene, eve)}


@pytest.fixture
def door(doors: dict[str, Door], name: str) -> Door:
    """The port that a test names."""
    return doors[name]
