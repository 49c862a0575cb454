"""Two friends with nodes up at one tracker, for the benchmarks that need a real pair."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cast import PASSWORD_VARIABLE, Person, Running, begin, clean_environment, start_tracker


@dataclass(slots=True)
class Pair:
    """Alice and Bob, friends and linked, and what runs for them."""

    folder: Path
    tracker: Running
    alice: Person
    bob: Person
    at_alice: Running
    at_bob: Running
    stack: ExitStack  # what has to end when the pair is left
    address: str  # of the tracker
    secret: dict[str, str]  # the environment of everybody's programs

    def friend_of_bob(self, name: str) -> tuple[Person, Running]:
        """Make somebody else whom Bob accepts; gives them and their node."""
        someone = Person(name, self.folder, self.secret, told=False)
        someone.run("register", name, "--tracker", self.address)
        node = someone.up()
        begin(node, self.stack)
        someone.run("friend", "add", "bob")
        self.at_bob.wait("friend-request", friend=name, direction="in")
        self.bob.run("friend", "accept", name)
        node.wait("link", friend="bob", state="up")
        return someone, node


@contextmanager
def pair(parent: str | None = None, limits: tuple[str, ...] = ()) -> Iterator[Pair]:
    """Run a tracker and two friends until left; parent: where their folder is made. limits: of the tracker."""
    with (
        tempfile.TemporaryDirectory(prefix="hobnob-bench-", dir=parent) as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        tracker, address = start_tracker(folder, stack, *limits)
        secret = {**clean_environment(), PASSWORD_VARIABLE: secrets.token_urlsafe(12)}
        alice, bob = (Person(who, folder, secret, told=False) for who in ("alice", "bob"))
        for person in (alice, bob):
            person.run("register", person.name, "--tracker", address)
        at_alice, at_bob = alice.up(), bob.up()
        for running in (at_alice, at_bob):
            begin(running, stack)
        alice.run("friend", "add", "bob")
        at_bob.wait("friend-request", friend="alice", direction="in")
        bob.run("friend", "accept", "alice")
        at_alice.wait("link", friend="bob", state="up")
        people = Pair(folder, tracker, alice, bob, at_alice, at_bob, stack, address, secret)
        yield people
        for running in (people.at_alice, people.at_bob, tracker):
            running.stop()
