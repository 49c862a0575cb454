"""A tracker and Bob's node as real processes, and friends of his who are the second client, honest or not.

Nothing of ours is between a lie and the port it is told to: what a friend of Bob's says here comes from
`tests.independent`, byte by byte.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from peer.control import client
from peer.reach.paths import NONE
from tests.harness.actors import PASSWORD, WAIT_S, Item, Node, Peer
from tests.harness.memory import GROWTH_BYTES, memory_of
from tests.harness.trackers import WIDE, TrackerProcess
from tests.independent import account
from tests.independent.account import Person, Session
from tests.independent.link import Link, Place
from tests.independent.talk import TEXT, Talk, link_to
from tests.independent.values import Certificate


class Scene:
    """Where a hostile peer meets real programs; a context that ends them.

    certificate, place: of Bob's device, and where it listens.
    """

    certificate: Certificate
    place: Place

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tracker = TrackerProcess(folder / "tracker", *WIDE)
        self.bob = Peer(folder, "bob")
        self.seeds: dict[str, bytes] = {}  # of identities: a thief of one could do no more

    def __enter__(self) -> Self:
        self.bob.register(self.tracker.address, "--unsealed")
        self.bob.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.bob.close()
        finally:
            self.tracker.__exit__(kind, error, trace)

    def friend(self, name: str) -> Person:
        """Make an account and befriend Bob."""
        seed = self.seeds[name] = os.urandom(32)
        person = account.register(self.tracker.address, name, PASSWORD, seed)
        with Session(person) as session:
            asked = session.befriend(self.bob.one("friend", "code")["code"])
            self.node.event("friend-request", friend=name)
            self.bob.do("friend", "accept", name)
            session.wait_friend(asked)
            ((self.certificate, _),) = session.where("bob")
        self.place = listens_at(self.node)
        return person

    @contextmanager
    def talking(self, person: Person) -> Iterator[tuple[Talk, Link]]:
        """Link with Bob as a friend does, in a chain of its own; at the end his node has dealt with all that was said."""
        talk = Talk(person.device, self.certificate)
        node = self.node
        with link_to(person.device, self.certificate, self.place, "peer") as link:
            talk.begin(link)
            yield talk, link
            link.end()
        ends = time.monotonic() + WAIT_S
        while self.node is node and person.name in self._linked():
            assert time.monotonic() < ends, "a link that is over is served on and on"

    def _linked(self) -> set[str]:
        """Give whose links Bob's node serves: what came on one is taken to its end, also when that is over."""
        try:
            [links] = [shown["links"] for shown in client.ask(self.bob.home, "GetStatus", {})]
        except client.NotRunning:  # a test brought it down
            return set()
        assert isinstance(links, list)
        return {link["friend"] for link in links if link["path"] != NONE}

    @property
    def node(self) -> Node:
        """Bob's node."""
        return self.bob.node

    @property
    def seen(self) -> list[Item]:
        """Every event that Bob's node told."""
        return self.node.seen

    def is_well(self, person: Person) -> None:
        """Check that Bob's node runs, takes what a friend says, and answers a verb."""
        text = f"are you well? {os.urandom(4).hex()}"
        with self.talking(person) as (talk, link):
            talk.say(link, TEXT, [text, b""])
            talk.until(link, lambda: talk.delivered == 1)
        self.node.event("message", text=text)
        assert self.node.process.poll() is None
        assert self.bob.one("status")["tracker"]["state"] == "online"

    @contextmanager
    def unharmed(self) -> Iterator[None]:
        """Check that whatever came meanwhile cost neither program its life, its memory or a traceback."""
        running = [one for one in (self.tracker.process, self.node.process) if one.poll() is None]
        before = {process: memory_of(process.pid) for process in running}
        yield
        assert self.tracker.process.poll() is None
        for process, bytes_before in before.items():
            if process.poll() is None:  # some tests bring Bob down, and up again
                assert memory_of(process.pid) - bytes_before < GROWTH_BYTES
        assert "Traceback" not in self.tracker.log

    def why_refused(self, sealed: bytes) -> str | None:
        """Give the code with which Bob's node refused an event, None if it did not."""
        path = self.bob.home / "peer.sqlite3"
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            row = connection.execute(
                "SELECT code FROM rejections WHERE digest = ?", (hashlib.sha256(sealed).digest(),)
            ).fetchone()
        finally:
            connection.close()
        return None if row is None else str(row[0])

    def files(self) -> set[str]:
        """Give every path below the folder of this test, but for what the programs keep for themselves."""
        own = (self.bob.home, self.folder / "tracker")
        found = {path for path in below(self.folder) if not any(o in path.parents for o in own)}
        return {str(path.relative_to(self.folder)) for path in found - set(own)}


def below(folder: Path) -> set[Path]:
    """Give every path below a folder; what goes away meanwhile may be among them or not."""
    return {
        Path(place, name) for place, folders, files in os.walk(folder) for name in folders + files
    }


def listens_at(node: Node) -> Place:
    """Give where a node listens: its published record is sealed, and opens with the key it gives on a link."""
    host, _, port = str(node.ready["listen"][0]).rpartition(":")
    return host, int(port)
