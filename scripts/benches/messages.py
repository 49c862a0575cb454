"""Messages between two friends, from `say` to the signed receipt, against a bare pair with the same commits.

The bare pair is the least that keeps the same promise: a line over a plain socket, committed with
`synchronous=FULL` on both sides before it is answered; no encryption, no signature, no log, no API.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from benches.bare import Bare
from benches.people import Pair, pair

from peer.control import client


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench messages", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="messages of each trip measured")
    parser.add_argument("--burst", type=int, default=6000, help="messages sent one after another")
    parser.add_argument("--verbs", type=int, default=128, help="commands under way at once")
    chosen = parser.parse_args(words)
    with pair() as people:
        ours, bare = _Ours(people), Bare(people.folder)
        try:
            for side in (ours, bare):
                _trips(side.trip, chosen.count // 5)
            trips = [_trips(side.trip, chosen.count) for side in (ours, bare)]
            rates = [side.burst(chosen.burst, chosen.verbs) for side in (ours, bare)]
        finally:
            ours.stop()
            bare.stop()
    print(f"{'':20} {'x bare':>7} {'p50 ms':>8} {'p95 ms':>8}")
    for name, found in zip(("hobnob round trip", "bare round trip"), trips, strict=True):
        p50, p95 = statistics.median(found), statistics.quantiles(found, n=20)[-1]
        print(
            f"{name:20} {p50 / statistics.median(trips[1]):7.2f} {p50 * 1e3:8.2f} {p95 * 1e3:8.2f}"
        )
    print(f"{'':20} {'x bare':>7} {'a second':>9}")
    for name, rate in zip(("hobnob one way", "bare one way"), rates, strict=True):
        print(f"{name:20} {rate / rates[1]:7.2f} {rate:9.0f}")


def _trips(trip: Callable[[], None], count: int) -> list[float]:
    found = []
    for _ in range(count):
        began = time.perf_counter()
        trip()
        found.append(time.perf_counter() - began)
    return found


class _Ours:
    """Alice's node as a face sees it: one connection to its socket, for commands and for events."""

    def __init__(self, people: Pair) -> None:
        self._kept = client.Kept(people.alice.home)
        self._answers = self._kept.answers()

    def trip(self) -> None:
        """Say one and wait for its receipt."""
        [said] = self._kept.begin(_say(0, wait_s=10))
        while (answer := next(self._answers))["id"] != said or "item" not in answer:
            pass
        assert answer["item"]["state"] == "delivered"

    def burst(self, count: int, verbs: int) -> float:
        """Say many, so many commands at a time; gives delivered messages a second."""
        [watching] = self._kept.begin(("WatchEvents", {}))
        began = time.perf_counter()
        begun = accepted = delivered = 0
        while delivered < count:
            room = min(verbs - (begun - accepted), count - begun)
            if room >= verbs // 2 or begun + room == count:
                self._kept.begin(*(_say(begun + number, wait_s=0) for number in range(room)))
                begun += room
            answer = next(self._answers)
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
