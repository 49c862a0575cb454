"""One offer to several friends, as real processes that are killed: receiver, lending source, first sender.

What arrives is what was offered, little is sent twice, and nobody has to be told to go on.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.harness.actors import Item, Peer
from tests.harness.trackers import WIDE, TrackerProcess
from wire import limits

SIZE = 40 * limits.MIB + 77
KILLS = 40
SEED = 20261121
MOST_AGAIN = limits.WINDOW_BYTES + limits.CHUNK_BYTES  # for each source that is interrupted

Three = tuple[Peer, Peer, Peer]


@pytest.fixture(scope="module")
def three(module_folder: MakeFolder) -> Iterator[Three]:
    """Alice, Bob and Carol, friends of each other, up."""
    folder = module_folder("three")
    with ExitStack() as stack:
        tracker = stack.enter_context(TrackerProcess(folder / "tracker", *WIDE))
        names = ("alice", "bob", "carol")
        people = [stack.enter_context(closing(Peer(folder, name))) for name in names]
        for peer in people:
            peer.register(tracker.address, "--unsealed")
            peer.up()
        for one, other in itertools.combinations(people, 2):
            one.do("friend", "add", other.one("friend", "code")["code"])
            other.node.event("friend-request", friend=one.name, direction="in")
            other.do("friend", "accept", one.name)
            one.node.event("link", friend=other.name, state="up")
        alice, bob, carol = people
        yield alice, bob, carol


def pace(rate: str, *peers: Peer) -> None:
    for peer in peers:
        peer.do("config", "set", "bandwidth.up", rate)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def offer(three: Three, path: Path, size: int = SIZE) -> str:
    """Have Alice offer a file to both; gives the offer."""
    alice, bob, carol = three
    path.parent.mkdir()
    with path.open("wb") as file:
        while size > 0:
            size -= file.write(os.urandom(min(size, 16 * limits.MIB)))
    offered: str = alice.one("send", "bob,carol", str(path))["offer"]
    for other in (bob, carol):
        other.node.event("offer", offer=offered, state="offered")
    return offered


def accept(peer: Peer, offered: str, folder: Path) -> None:
    peer.do("accept", offered, "--to", str(folder))


def comes(peer: Peer, offered: str, is_enough: Callable[[Item], bool]) -> Item:
    """Wait until a transfer that comes is so far."""
    return peer.node.wait(
        lambda item: item["event"] == "transfer" and item["offer"] == offered and is_enough(item)
    )


def brought(item: Item, friend: str) -> int:
    return sum(source["bytes"] for source in item["sources"] if source["friend"] == friend)


def test_a_receiver_of_two_sources_is_killed_twice(three: Three, tmp_path: Path) -> None:
    alice, bob, carol = three
    path = tmp_path / "out" / "film.bin"
    offered = offer(three, path)
    accept(bob, offered, tmp_path / "bob")
    comes(bob, offered, lambda item: item["state"] == "done")
    pace("2MB/s", alice, bob)
    accept(carol, offered, tmp_path / "carol")
    both = comes(carol, offered, lambda item: bool(brought(item, "alice") and brought(item, "bob")))
    had = int(both["verified_bytes"])
    for _ in range(2):
        had = comes(
            carol,
            offered,
            lambda item, had=had: (  # type: ignore[misc]
                item["state"] == "running" and item["verified_bytes"] >= had + 4 * limits.MIB
            ),
        )["verified_bytes"]
        carol.node.kill()
        carol.up()
        again = comes(carol, offered, lambda item: item["resumed_at"] is not None)
        assert again["resumed_at"] >= had
    pace("off", alice, bob)
    done = comes(carol, offered, lambda item: item["state"] == "done")
    assert digest(tmp_path / "carol" / "film.bin") == digest(path)
    assert [each.name for each in (tmp_path / "carol").iterdir()] == ["film.bin"]
    assert done["resent_bytes"] <= 2 * 2 * MOST_AGAIN


def test_a_source_that_lends_is_killed_and_the_sender_brings_the_rest(
    three: Three, tmp_path: Path
) -> None:
    alice, bob, carol = three
    path = tmp_path / "out" / "film.bin"
    offered = offer(three, path)
    accept(bob, offered, tmp_path / "bob")
    comes(bob, offered, lambda item: item["state"] == "done")
    pace("3MB/s", alice, bob)
    accept(carol, offered, tmp_path / "carol")
    comes(carol, offered, lambda item: brought(item, "bob") >= 4 * limits.MIB)
    bob.node.kill()
    pace("off", alice)
    done = comes(carol, offered, lambda item: item["state"] == "done")
    assert digest(tmp_path / "carol" / "film.bin") == digest(path)
    assert done["resent_bytes"] <= MOST_AGAIN
    bob.up()
    pace("off", bob)
    assert "is no source" not in carol.node.log


def test_the_sender_is_killed_half_way_and_the_others_finish_what_it_signed(
    three: Three, tmp_path: Path
) -> None:
    alice, bob, carol = three
    pace("4MB/s", alice)
    path = tmp_path / "out" / "film.bin"
    offered = offer(three, path)
    for other in (bob, carol):
        accept(other, offered, tmp_path / other.name)
    comes(bob, offered, lambda item: item["verified_bytes"] >= SIZE // 2)
    alice.node.kill()
    for other in (bob, carol):
        held = comes(other, offered, lambda item: item["reason"] == "source-offline")
        assert held["state"] == "waiting"
        assert SIZE // 3 < held["verified_bytes"] < SIZE
        [shown] = [item for item in other.do("transfers") if item["offer"] == offered]
        assert brought(shown, "carol" if other is bob else "bob") > 0
        assert held["error"]["code"] == "source-offline"
    alice.up()
    pace("off", alice)
    for other in (bob, carol):
        done = comes(other, offered, lambda item: item["state"] == "done")
        assert digest(tmp_path / other.name / "film.bin") == digest(path)
        assert done["resent_bytes"] <= MOST_AGAIN


@pytest.mark.deep
@pytest.mark.timeout(3600)
def test_two_receivers_have_all_whoever_of_the_three_is_killed_whenever(
    three: Three, tmp_path: Path
) -> None:
    size = 1024 * limits.MIB
    others = three[1:]
    pace("20MB/s", *three)
    path = tmp_path / "out" / "film.bin"
    offered = offer(three, path, size)
    for other in others:
        accept(other, offered, tmp_path / other.name)
    dice = random.Random(SEED)
    least, kills = 0, 0
    for kill in range(KILLS):
        goal = least + dice.randrange(max(1, (size - least) // (KILLS - kill)))
        here = comes(
            others[0],
            offered,
            lambda item, goal=goal: (  # type: ignore[misc]
                item["state"] in {"running", "done"} and item["verified_bytes"] >= goal
            ),
        )
        if here["state"] == "done":
            break
        least, kills = here["verified_bytes"], kill + 1
        victims = dice.sample(three, dice.choice((1, 1, 1, 2)))
        for victim in victims:
            victim.node.kill()
        for victim in victims:
            victim.up()
    pace("off", *three)
    for other in others:
        other.gets(offered)
        [done] = [item for item in other.do("transfers") if item["offer"] == offered]
        print(f"\n{kills} kills, {done['resent_bytes']} bytes sent twice of {size}")
        assert digest(tmp_path / other.name / "film.bin") == digest(path)
        assert [each.name for each in (tmp_path / other.name).iterdir()] == ["film.bin"]
        assert done["resent_bytes"] <= 2 * kills * MOST_AGAIN
