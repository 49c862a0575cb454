"""Transfers on lines of their own: what each friend gets of one, and how long talk takes meanwhile.

Every person has a network namespace, with a modem before it whose queue holds a second of its line, as cheap
routers do; only root may make these. Messages leave ten times a second, whether or not those before have arrived.
"""

from __future__ import annotations

import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cast import PASSWORD_VARIABLE, Person, Running, begin, clean_environment, start_tracker

from peer.control import client
from tests.harness.netns import MBIT, Line, Switch

EVERY_S = 0.1
PATIENCE_S = 0.3
_QUEUE_S = 1.0
_CONGESTION = {"net__ipv4__tcp_congestion_control": "reno"}  # fills queues; there on every kernel
_FRIENDS = ("bob", "carol", "dave", "erin")


@dataclass(frozen=True, slots=True)
class Story:
    """What happens on one line. mbit: of the sender's, None for no limit. file_mib: of each friend's file."""

    name: str
    friends: int
    mbit: int | None
    file_mib: int
    seconds: float
    is_silent: bool = False  # nothing is sent: what talk takes anyway


STORIES = (
    Story("20 Mbit/s, talk alone", 1, 20, 0, 10.0, is_silent=True),
    Story("20 Mbit/s, one transfer", 1, 20, 1024, 40.0),
    Story("20 Mbit/s, four friends at once", 4, 20, 1024, 40.0),
    Story("no limit, four friends at once", 4, None, 1024, 60.0),
)


@dataclass(slots=True)
class Talk:
    """Messages from one to another: when each left, and how long it took until it was shown."""

    speaker: Person
    hearer: Person
    at_hearer: Running
    count: int

    def run(self) -> list[float]:
        """Say them all; gives the seconds of each, without order."""
        left: dict[str, float] = {}
        came: dict[str, float] = {}

        def hear() -> None:
            while len(came) < self.count:
                message = self.at_hearer.wait("message")
                came[str(message["id"])] = time.monotonic()

        hearing = threading.Thread(target=hear, daemon=True)
        hearing.start()
        began = time.monotonic()
        for number in range(self.count):
            time.sleep(max(0.0, began + number * EVERY_S - time.monotonic()))
            words: dict[str, object] = {"to": self.hearer.name, "text": f"number {number}"}
            leaves = time.monotonic()
            [said] = client.ask(self.speaker.home, "SendText", words)
            left[str(said["id"])] = leaves
        hearing.join(60)
        return [came[each] - left[each] for each in left]


def run(stories: Sequence[Story] = STORIES) -> None:
    """Measure and print."""
    print(
        f"{'':34} {'MB/s in all':>11} {'share of each, %':>24} {'talk p50 p95 max, ms':>22} {'> 300':>6}"
    )
    for story in stories:
        _tell(story, *_measure(story))


def _measure(story: Story) -> tuple[list[float], list[float]]:
    """Give bytes per second of each friend and the seconds of each message."""
    with _people(story) as (alice, friends), tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        target = Path(name)
        path = target / "film.bin"
        _fill(path, story.file_mib)
        for friend, at_friend in friends if not story.is_silent else ():
            words: dict[str, object] = {"to": [friend.name], "paths": [str(path)]}
            [made] = client.ask(alice.home, "OfferFiles", words)
            at_friend.wait("offer", offer=made["offer"])
        for friend, _ in friends if not story.is_silent else ():
            folder = target / friend.name
            folder.mkdir()
            [offered] = list(client.ask(friend.home, "ListOffers", {}))
            words = {"offer": offered["offer"], "folder": str(folder)}
            list(client.ask(friend.home, "AcceptOffer", words))
        began = time.monotonic()
        taken = Talk(alice, *friends[0], int(story.seconds / EVERY_S)).run()
        lasted = time.monotonic() - began
        return [_verified(friend) / lasted for friend, _ in friends], taken


def _tell(story: Story, rates: Sequence[float], taken: Sequence[float]) -> None:
    total = sum(rates)
    shares = " ".join(f"{100 * rate / total:5.1f}" for rate in rates) if total else "-"
    cuts = statistics.quantiles(taken, n=20)
    late = sum(each > PATIENCE_S for each in taken) / len(taken)
    figures = " ".join(
        f"{1000 * each:6.0f}" for each in (statistics.median(taken), cuts[-1], max(taken))
    )
    print(f"{story.name:34} {total / 1e6:11.2f} {shares:>24} {figures:>22} {100 * late:5.1f}%")


def _verified(friend: Person) -> int:
    return sum(
        int(str(row["verified_bytes"])) for row in client.ask(friend.home, "ListTransfers", {})
    )


def _fill(path: Path, size_mib: int) -> None:
    block = secrets.token_bytes(2**20)
    with path.open("wb") as file:
        for number in range(size_mib):
            file.write(number.to_bytes(8, "big") + block[8:])  # no two chunks alike


@contextmanager
def _people(story: Story) -> Iterator[tuple[Person, list[tuple[Person, Running]]]]:
    """Run a tracker, Alice behind the line, and her friends, until left."""
    line = None if story.mbit is None else Line(story.mbit * MBIT, _QUEUE_S)
    with (
        tempfile.TemporaryDirectory(prefix="hobnob-bench-") as name,
        ExitStack() as stack,
    ):
        folder = Path(name)
        switch = stack.enter_context(Switch(**_CONGESTION))
        secret = {**clean_environment(), PASSWORD_VARIABLE: secrets.token_urlsafe(12)}
        desk = switch.host()
        _, address = start_tracker(folder, stack, host=desk.address, under=desk.words)
        people: list[tuple[Person, Running]] = []
        for number, who in enumerate(("alice", *_FRIENDS[: story.friends])):
            host = switch.host(up=line if number == 0 else None)
            person = Person(who, folder, secret, told=False, host=host.address, under=host.words)
            person.run("register", who, "--tracker", address)
            node = person.up()
            begin(node, stack)
            people.append((person, node))
        (alice, at_alice), *friends = people
        for friend, at_friend in friends:
            alice.run("friend", "add", friend.name)
            at_friend.wait("friend-request", friend="alice", direction="in")
            friend.run("friend", "accept", "alice")
            at_alice.wait("link", friend=friend.name, state="up")
        yield alice, friends
