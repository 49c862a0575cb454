"""Messages between two friends, from `say` to the signed receipt, against a bare pair with the same commits.

The bare pair is the least that keeps the same promise: a line over a plain socket, committed with
`synchronous=FULL` on both sides before it is answered; no encryption, no signature, no log, no API.
"""

from __future__ import annotations

import argparse
import queue
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from benches.bare import Bare
from benches.people import Pair, pair

from peer.control import client


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench messages", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="messages of each trip measured")
    parser.add_argument("--burst", type=int, default=6000, help="messages sent one after another")
    parser.add_argument("--verbs", type=int, default=16, help="commands under way at once")
    chosen = parser.parse_args(words)
    with pair() as people:
        ours, bare = _Ours(people), Bare(people.folder)
        try:
            for side in (ours, bare):
                _trips(side.trip, chosen.count // 5)
            trips = [_trips(side.trip, chosen.count) for side in (ours, bare)]
            rates = [side.burst(chosen.burst, chosen.verbs) for side in (ours, bare)]
        finally:
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
    """Alice's node as a face sees it: commands over its socket, events from another connection."""

    def __init__(self, people: Pair) -> None:
        self._home = people.alice.home
        self._delivered: queue.SimpleQueue[str] = queue.SimpleQueue()
        is_watching = threading.Event()
        threading.Thread(target=self._watch, args=(is_watching,), daemon=True).start()
        is_watching.wait()
        self.trip()  # the watcher is heard by now

    def _watch(self, is_watching: threading.Event) -> None:
        events = client.ask(self._home, "WatchEvents", {})
        is_watching.set()
        try:
            for event in events:
                if event["event"] == "receipt":
                    self._delivered.put(str(event["id"]))
        except client.Failed:
            return  # the node has ended

    def _say(self, number: int = 0) -> str:
        words: dict[str, object] = {"to": "bob", "text": f"message {number}", "wait_s": 0}
        [said] = client.ask(self._home, "SendText", words)
        return str(said["id"])

    def trip(self) -> None:
        """Say one and wait for its receipt."""
        said = self._say()
        while self._delivered.get(timeout=10) != said:
            pass

    def burst(self, count: int, verbs: int) -> float:
        """Say many, several commands at a time; gives delivered messages a second."""
        began = time.perf_counter()
        with ThreadPoolExecutor(verbs) as pool:
            waited = set(pool.map(self._say, range(count)))
        while waited:
            waited.discard(self._delivered.get(timeout=30))
        return count / (time.perf_counter() - began)
