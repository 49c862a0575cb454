"""Both ends of one long transfer killed at random moments: it arrives, and little was sent twice."""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import pytest

from tests.harness.actors import Item, Peer
from tests.harness.faults import IS_DEEP
from wire import limits

KILLS = 100 if IS_DEEP else 4
SIZE = (2048 if IS_DEEP else 40) * limits.MIB + 77
RATE = "30MB/s" if IS_DEEP else "10MB/s"
SEED = 20261121


def write(path: Path) -> str:
    """Write a file no two chunks of which are alike; gives its hash."""
    path.parent.mkdir()
    chunk, made, left = os.urandom(limits.MIB), hashlib.sha256(), SIZE
    with path.open("wb") as file:
        while left:
            part = (left.to_bytes(8, "big") + chunk[8:])[:left]
            file.write(part)
            made.update(part)
            left -= len(part)
    return made.hexdigest()


@pytest.mark.timeout(3600 if IS_DEEP else 600)
def test_one_transfer_survives_whoever_is_killed_whenever(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    wanted = write(tmp_path / "out" / "film.bin")
    alice.do("config", "set", "bandwidth.up", RATE)
    offer = alice.one("send", "bob", str(tmp_path / "out" / "film.bin"))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(tmp_path / "in"))
    dice = random.Random(SEED)
    least = 0
    figures: list[Item] = []
    for kill in range(KILLS):
        goal = least + dice.randrange(max(1, (SIZE - least) // (KILLS - kill)))

        def is_there(item: Item, goal: int = goal) -> bool:
            is_ours = item["event"] == "transfer" and item["offer"] == offer
            return (
                is_ours and item["state"] in {"running", "done"} and item["verified_bytes"] >= goal
            )

        here = bob.node.wait(is_there)
        if here["state"] == "done":
            break
        figures.append(here)
        least = here["verified_bytes"]
        victims = dice.choice([(alice,), (bob,), (alice, bob)])
        for victim in victims:
            victim.node.kill()
        for victim in victims:
            victim.up()
    else:
        alice.do("config", "set", "bandwidth.up", "off")
        bob.gets(offer)
    [done] = bob.do("transfers")
    with (tmp_path / "in" / "film.bin").open("rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == wanted
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["film.bin"]
    print(f"\n{len(figures)} kills, {done['resent_bytes']} bytes sent twice of {SIZE}")
    assert done["resent_bytes"] <= len(figures) * (limits.WINDOW_BYTES + limits.CHUNK_BYTES)
