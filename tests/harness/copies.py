"""Homes copied for one test each, as if they had always stood there: what a test is not about is done once.

A copy of a home is a backup to our programs, and they are right (`peer.store.place`); here it is the home itself,
as what it was copied from never runs again while it does.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.harness import places
from tests.harness.actors import Item, Node, Peer
from tests.harness.trackers import WIDE, TrackerProcess


def copy(home: Path, to: Path) -> None:
    """Copy the home of a peer that is down."""
    shutil.copytree(home, to)
    database, stamp = to / "peer.sqlite3", to / "peer.sqlite3.stamp"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE place SET inode = ?, stamp_inode = ?",
            (database.stat().st_ino, stamp.stat().st_ino),
        )
        connection.execute("UPDATE devices SET addresses = NULL")  # nobody is there any more


@dataclass(frozen=True)
class Friendship:
    """The homes of Alice and Bob, friends with unsealed keys, and of their tracker, all of them down.

    listen: where the tracker was, and has to be.
    """

    folder: Path
    listen: str

    @classmethod
    def make(cls, folder: Path) -> Friendship:
        """Let two people do what makes them friends, below an empty folder."""
        listen = places.place(is_lasting=True)
        with (
            TrackerProcess(folder / "tracker", *WIDE, listen=listen) as tracker,
            closing(Peer(folder, "alice")) as alice,
            closing(Peer(folder, "bob")) as bob,
        ):
            nodes = befriend(tracker.address, alice, bob, "--unsealed")
            for node, friend in zip(nodes, (bob, alice), strict=True):
                node.event("link", friend=friend.name, state="up")
            for node in nodes:
                assert node.stop() == 0
        return cls(folder, listen)

    def tracker(self, home: Path) -> TrackerProcess:
        """Start the tracker in a copy of its home, which is made."""
        shutil.copytree(self.folder / "tracker", home)
        return TrackerProcess(home, *WIDE, listen=self.listen)

    def bring_up(self, alice: Peer, bob: Peer) -> None:
        """Make their homes, bring both up, and wait until they are linked."""
        for peer in (alice, bob):
            copy(self.folder / peer.name, peer.home)
        nodes = alice.up(), bob.up()
        for node, friend in zip(nodes, (bob, alice), strict=True):
            node.wait(lambda item, friend=friend.name: _is_near(item, friend))  # type: ignore[misc]


def _is_near(item: Item, friend: str) -> bool:
    """Say whether this is word of a link with a friend that goes by no relay."""
    told = item["event"], item.get("friend"), item.get("state")
    return told == ("link", friend, "up") and item["path"] != "relayed"


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
