"""Both ends of a message killed at every write, sync and rename: nothing acknowledged is lost, nothing comes twice."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.harness.actors import Ended, Node, Peer
from tests.harness.faults import KILLED, ON_DISK, Moment, Walk, killed_at, needs_strace, watched

pytestmark = [needs_strace, pytest.mark.timeout(3600)]


def under(peer: Peer, moment: Moment | None, log: Path) -> tuple[str, ...]:
    """Give the words that kill a program of this person at a moment, or only note its calls."""
    kept = ("lock", "last-run", "last-run.new", "peer.sqlite3.stamp", "peer.sqlite3.stamp.draft")
    base = "peer.sqlite3"
    names = (*kept, base, f"{base}-wal", f"{base}-shm", f"{base}-journal")
    paths = [peer.home, *(peer.home / name for name in names)]
    return watched(log, ON_DISK, paths) if moment is None else killed_at(moment, paths)


def test_a_sender_is_killed_at_every_moment(friends: Any, tmp_path: Path) -> None:
    alice, bob = friends
    assert alice.node.stop() == 0
    numbers = itertools.count()
    log = tmp_path / "calls"
    killed: set[str] = set()
    certain: list[str] = []

    def attempt(moment: Moment | None) -> bool:
        number = next(numbers)
        alice.under = under(alice, moment, log)
        done = alice.try_to("say", "bob", f"number {number}", "--wait", "100")
        alice.under = ()
        assert done.code in {0, KILLED}, done
        (certain.append if done.out else killed.add)(f"number {number}")
        certain.append(f"after {number}")
        assert alice.one("say", "bob", certain[-1], "--wait", "100")["state"] == "delivered"
        return bool(done.code == KILLED)

    attempt(None)
    Walk(log, seed=4, sample=4).over(attempt)
    arrived = bob.texts_from("alice")
    assert [text for text in arrived if text not in killed] == certain
    assert len(arrived) == len(set(arrived))
    assert [item["text"] for item in alice.do("history", "bob")] == arrived
    assert not any(item["forked"] for item in bob.do("history", "alice"))


def test_a_receiver_is_killed_at_every_moment(friends: Any, tmp_path: Path) -> None:
    alice, bob = friends
    assert bob.node.stop() == 0
    numbers = itertools.count()
    log = tmp_path / "calls"
    said: list[str] = []

    def say(text: str, *words: str) -> str:
        said.append(text)
        state: str = alice.one("say", "bob", text, *words)["state"]
        return state

    def attempt(moment: Moment | None) -> bool:
        number = next(numbers)
        say(f"number {number}")
        bob.under = under(bob, moment, log)
        with Node(bob, "up", "--listen", "127.0.0.1:0") as node:
            bob.under = ()
            try:
                node.event("message", text=said[-1])
                code = node.stop()
            except Ended:
                code = node.process.wait()
        assert code in {0, KILLED}, code
        bob.up()
        assert say(f"after {number}", "--wait", "100") == "delivered"
        assert bob.node.stop() == 0
        assert bob.texts_from("alice") == said
        return code == KILLED

    attempt(None)
    Walk(log, seed=5, sample=4).over(attempt)
    states = {item["state"] for item in alice.do("history", "bob")}
    assert states == {"delivered"}
