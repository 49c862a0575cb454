"""Messages between two friends, from `say` to the signed receipt, against bare pairs with commits of their own.

The bare pair is the least that keeps the same promise: a line over a plain socket, committed with
`synchronous=FULL` on both sides before it is answered; no encryption, no signature, no log, no API. Another
one commits as often as we do, and as many pages; the last one pauses before each, as long as we compute: a disk
that was left alone for half a millisecond answers several times slower here than one that is driven without a
break (fdatasync of 16 KiB in 2026-11: 0.05 ms without a pause, 0.2 to 0.5 after 0.5 ms, 0.8 after 2 ms).
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from benches.bare import Bare
from benches.measure import cpu_s
from benches.people import Pair, pair

from peer.control import client

PAGES = (10, 9, 3)
"""Pages in our commits of a message where it leaves, where it comes, and of its receipt, but one (2026-11, by strace)."""

PAUSE_S = 0.0005
"""How long about we compute between two commits of one round trip."""


class Side(Protocol):
    """Something that is measured."""

    def trip(self) -> None:
        """Say one thing and wait until it is known to have arrived."""
        ...

    def burst(self, count: int, verbs: int) -> float:
        """Say many, so many commands at a time; gives how many arrived a second."""
        ...

    def stop(self) -> None:
        """Leave."""
        ...


@dataclass(slots=True)
class Figures:
    """What one side needed: seconds of each trip, messages a second of each burst."""

    side: Side
    trips: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench messages", description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="messages of each trip in a round")
    parser.add_argument("--burst", type=int, default=2000, help="messages of a burst in a round")
    parser.add_argument("--verbs", type=int, default=250, help="commands under way at once")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(words)
    used = [0.0, 0.0]
    with pair() as people:
        nodes = [people.at_alice.process.pid, people.at_bob.process.pid]
        ours = Figures(_Ours(people))
        figures = {
            "hobnob": ours,
            "bare, our commits": Figures(Bare(people.folder, "ours", PAGES)),
            "bare, with our pauses": Figures(Bare(people.folder, "paused", PAGES, PAUSE_S)),
            "bare": Figures(Bare(people.folder, "bare", (0, 0, 0))),
        }
        for number in range(chosen.rounds + 1):
            for each in figures.values():
                trips = _trips(each.side.trip, chosen.count)
                before = [cpu_s(node) for node in nodes]
                rate = each.side.burst(chosen.burst, chosen.verbs)
                if number:
                    each.trips += trips
                    each.rates.append(rate)
                    if each is ours:
                        used = [
                            u + cpu_s(n) - b for u, n, b in zip(used, nodes, before, strict=True)
                        ]
        for each in figures.values():
            each.side.stop()
    bare = figures["bare"]
    print(f"{'round trip':22} {'x bare':>8} {'p50 ms':>8} {'p95 ms':>8}")
    for name, found in figures.items():
        p50, p95 = statistics.median(found.trips), statistics.quantiles(found.trips, n=20)[-1]
        print(
            f"{name:22} {p50 / statistics.median(bare.trips):8.2f} {p50 * 1e3:8.2f} {p95 * 1e3:8.2f}"
        )
    print(f"{'one way':22} {'x bare':>8} {'a second':>8}")
    for name, found in figures.items():
        rate = statistics.median(found.rates)
        print(f"{name:22} {rate / statistics.median(bare.rates):8.3f} {rate:8.0f}")
    each_ms = [seconds * 1e3 / chosen.burst / chosen.rounds for seconds in used]
    print(
        f"CPU of a message in a burst: {each_ms[0]:.2f} ms where it leaves, {each_ms[1]:.2f} ms where it comes"
    )


def _trips(trip: Callable[[], None], count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        trip()
        found.append(time.perf_counter() - began)
    return found


class _Ours:
    """Alice's node as a face sees it: connections to its socket, kept for commands and for events."""

    def __init__(self, people: Pair) -> None:
        self._home = people.alice.home
        self._kept = client.Kept(self._home)
        self._answers = self._kept.answers()

    def trip(self) -> None:
        """Say one and wait for its receipt."""
        [said] = self._kept.begin(_say(0, wait_s=10))
        while (answer := next(self._answers))["id"] != said or "item" not in answer:
            pass
        assert answer["item"]["state"] == "delivered"

    def burst(self, count: int, verbs: int) -> float:
        """Say many, so many commands at a time; gives delivered messages a second."""
        with closing(client.Kept(self._home)) as kept:
            answers = kept.answers()
            [watching] = kept.begin(("WatchEvents", {}))
            began = time.perf_counter()
            begun = accepted = delivered = 0
            while delivered < count:
                room = min(verbs - (begun - accepted), count - begun)
                if room and (room >= verbs // 2 or begun + room == count):
                    kept.begin(*(_say(begun + number, wait_s=0) for number in range(room)))
                    begun += room
                answer = next(answers)
                if answer["id"] != watching:
                    accepted += "item" in answer
                elif answer["item"]["event"] == "receipt":
                    delivered += 1
            return count / (time.perf_counter() - began)

    def stop(self) -> None:
        """Leave."""
        self._kept.close()


def _say(number: int, *, wait_s: float) -> tuple[str, dict[str, object]]:
    return "SendText", {"to": "bob", "text": f"message {number}", "wait_s": wait_s}
