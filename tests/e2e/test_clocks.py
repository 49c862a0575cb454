"""Clocks that are 400 days off, and clocks that jump: talk, files and friendships are as with good ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import MakePeer
from tests.harness.actors import Peer
from tests.harness.copies import befriend
from tests.harness.trackers import WIDE, TrackerProcess

LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
FAR = ("+400d", "-400d")

pytestmark = pytest.mark.skipif(
    LIBRARY is None and "CI" not in os.environ, reason="libfaketime is missing; CI installs it"
)


def clock(**settings: str) -> dict[str, str]:
    """Give the environment of a program with another wall clock, its steady one as it is."""
    return {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_RESET": "1",
        **settings,
    }


def set_clock(file: Path, offset: str) -> None:
    """Have a clock jump: at once, as a program may look at any moment."""
    draft = file.with_suffix(".draft")
    draft.write_text(offset)
    draft.replace(file)


def talk(one: Peer, other: Peer, text: str) -> None:
    """Say something, which arrives."""
    assert one.one("say", other.name, text, "--wait", "100")["state"] == "delivered"


def said(peer: Peer, friend: str) -> list[tuple[str, str]]:
    return [
        (item["from"], item["text"])
        for item in peer.do("history", friend)
        if item["kind"] == "message"
    ]


@pytest.mark.parametrize("offset", FAR)
def test_a_person_whose_clock_is_off_talks_and_sends_like_anybody(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path, offset: Any
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    alice.environment |= clock(FAKETIME=offset)
    at_alice, _ = befriend(tracker.address, alice, bob, "--unsealed")
    talk(alice, bob, "one")
    talk(bob, alice, "two")
    talk(alice, bob, "three")
    wanted = [("alice", "one"), ("bob", "two"), ("alice", "three")]
    assert said(alice, "bob") == said(bob, "alice") == wanted
    is_ahead = offset.startswith(
        "+"
    )  # an old first word might as well have been on its way for long
    assert [item["clock_off"] for item in bob.do("history", "alice")] == [is_ahead, False, True]
    assert [item["clock_off"] for item in alice.do("history", "bob")] == [False, True, False]
    path = tmp_path / "note.txt"
    path.write_bytes(b"content")
    for sender, taker in ((alice, bob), (bob, alice)):
        offer = sender.one("send", taker.name, str(path))["offer"]
        taker.node.event("offer", offer=offer)
        taker.do("accept", offer)
        taker.node.event("transfer", offer=offer, state="done")
        sender.node.event("transfer", offer=offer, state="done")
    assert at_alice.stop() == 0
    alice.up()
    talk(bob, alice, "after a restart")


@pytest.mark.parametrize("offset", FAR)
def test_a_tracker_whose_clock_is_off_is_a_tracker(
    make_peer: MakePeer, tmp_path: Path, offset: Any
) -> None:
    with TrackerProcess(tmp_path / "tracker", *WIDE, environment=clock(FAKETIME=offset)) as tracker:
        alice, bob = make_peer("alice"), make_peer("bob")
        befriend(tracker.address, alice, bob, "--unsealed")
        talk(alice, bob, "one")
        assert bob.node.stop() == 0
        alice.node.event("presence", friend="bob", presence="offline")
        bob.up()
        alice.node.event("presence", friend="bob", presence="available")
        talk(bob, alice, "two")


def test_a_clock_that_jumps_costs_neither_words_nor_order(
    tracker: TrackerProcess, make_peer: MakePeer, tmp_path: Path
) -> None:
    alice, bob = make_peer("alice"), make_peer("bob")
    offset = tmp_path / "offset"
    set_clock(offset, "+0")
    alice.environment |= clock(FAKETIME_TIMESTAMP_FILE=str(offset), FAKETIME_NO_CACHE="1")
    befriend(tracker.address, alice, bob, "--unsealed")
    wanted = []
    for number, jump in enumerate(("+0", "+400d", "-400d", "+30d", "+0")):
        set_clock(offset, jump)
        for one, other in ((alice, bob), (bob, alice)):
            text = f"{number} at {jump}"
            talk(one, other, text)
            wanted.append((one.name, text))
    assert said(alice, "bob") == said(bob, "alice") == wanted
    assert alice.one("status")["tracker"]["state"] == "online"
    assert bob.node.stop() == 0
    set_clock(offset, "+0")
    late = alice.one("say", "bob", "late")
    set_clock(offset, "+31d")
    alice.node.event("receipt", id=late["id"], state="failed")
    set_clock(offset, "+0")
    bob.up().event("message", text="late")
    alice.node.event("receipt", id=late["id"], state="delivered")
