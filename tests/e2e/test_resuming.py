"""A transfer goes on by itself after a kill or a stop of either side, says where, and sends little twice."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path

import pytest

from peer.control import client
from tests.harness.actors import Item, Peer
from wire import limits

SIZE = 48 * limits.MIB + 5
RATE, CRAWL = "8MB/s", "1MB/s"
MOST_AGAIN = limits.WINDOW_BYTES + limits.CHUNK_BYTES


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def has_come(peer: Peer, offer: str, size: int) -> Item:
    return peer.node.wait(
        lambda item: (
            item["event"] == "transfer"
            and item["offer"] == offer
            and item["verified_bytes"] >= size
            and item["state"] == "running"
        )
    )


def goes_on(peer: Peer, offer: str) -> Item:
    return peer.node.wait(
        lambda item: (
            item["event"] == "transfer"
            and item["offer"] == offer
            and item["resumed_at"] is not None
        )
    )


def test_what_stands_still_shows_no_pace_that_it_does_not_have(
    friends: tuple[Peer, Peer], tmp_path: Path
) -> None:
    alice, bob = friends
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(SIZE))
    alice.do("config", "set", "bandwidth.up", RATE)
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(tmp_path / "in"))
    bob.node.wait(lambda item: item["event"] == "transfer" and bool(item["rate"]))
    alice.node.process.send_signal(signal.SIGSTOP)
    still = bob.node.event("transfer", offer=offer, rate=0.0)  # nobody asked for it
    assert (still["state"], still["eta"]) == ("running", None)
    assert "  stands still  " in bob.plain("transfers")
    alice.node.process.send_signal(signal.SIGCONT)
    alice.do("config", "set", "bandwidth.up", "off")
    bob.node.event("transfer", offer=offer, state="done")


@pytest.mark.parametrize("is_stopped", [False, True], ids=["killed", "stopped"])
@pytest.mark.parametrize("who", ["receiver", "sender"])
def test_what_was_interrupted_says_where_it_goes_on_and_sends_little_twice(
    friends: tuple[Peer, Peer], tmp_path: Path, who: str, is_stopped: bool
) -> None:
    alice, bob = friends
    path = tmp_path / "out" / "film.bin"
    path.parent.mkdir()
    path.write_bytes(os.urandom(SIZE))
    alice.do("config", "set", "bandwidth.up", RATE)
    offer = alice.one("send", "bob", str(path))["offer"]
    bob.node.event("offer", offer=offer, state="offered")
    bob.do("accept", offer, "--to", str(tmp_path / "in"))
    here = has_come(bob, offer, 8 * limits.MIB)
    assert here["resumed_at"] is None
    assert alice.node.event("transfer", offer=offer, state="running")["resumed_at"] is None
    crawl: dict[str, object] = {"key": "bandwidth.up", "value": CRAWL}
    list(client.ask(alice.home, "SetSetting", crawl))  # a verb might start when all is over
    ended = bob if who == "receiver" else alice
    if is_stopped:
        assert ended.node.stop() == 0
    else:
        ended.node.kill()
    if ended is alice:
        waits = bob.node.event("transfer", offer=offer, state="waiting")
        assert waits["verified_bytes"] >= here["verified_bytes"]
    else:
        left = alice.node.event("transfer", offer=offer, state="waiting", reason="friend")
        assert (left["rate"], left["path"]) == (None, None)
    for shown in (*ended.do("transfers"), *ended.one("status")["transfers"]):  # nothing runs there
        assert (shown["state"], shown["reason"]) == ("waiting", "friend")
    ended.up()
    again = goes_on(bob, offer)
    assert again["resumed_at"] >= here["verified_bytes"]
    assert goes_on(alice, offer)["resumed_at"] == again["resumed_at"]
    share = 100 * again["resumed_at"] // SIZE
    for peer in (bob, alice):
        assert f"  resumes at {share} %" in peer.plain("transfers")
    alice.do("config", "set", "bandwidth.up", "off")
    done = bob.node.event("transfer", offer=offer, state="done")
    assert digest(tmp_path / "in" / "film.bin") == digest(path)
    assert (done["resumed_at"], done["verified_bytes"]) == (None, SIZE)
    assert done["resent_bytes"] <= MOST_AGAIN
    again_there = {"resent_bytes": done["resent_bytes"]}
    alice.node.event("transfer", offer=offer, state="done", **again_there)
