"""Mail: what sealing an item costs against bare HPKE, and how fast somebody catches up who was away.

Catching up is compared with the same messages over a live link in the same run: what mail adds is sealing,
the tracker's commits, and opening.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import closing

from benches.measure import cpu_s
from benches.people import Pair, pair
from cast import Person, begin

from peer.control import client
from wire.channel.primitives import HPKE_PRIVATE_BYTES, hpke_open, hpke_public, hpke_seal
from wire.codes import Code
from wire.entropy import SystemEntropy
from wire.ids import DeviceId, IdentityKey
from wire.mailbox import Letter, Route, open_letter, seal_letter

AT_ONCE = 256  # commands under way


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench mail", description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="messages that wait")
    parser.add_argument("--items", type=int, default=300, help="items sealed and opened in a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--friends", type=int, default=20, help="from whom as many come together")
    chosen = parser.parse_args(words)
    _sealing(chosen.items, chosen.rounds)
    with pair() as people:
        _catching_up(people, chosen.count)
    with pair(limits=("registrations=1000", "sockets_per_address=1000")) as people:
        _catching_up_with_many(people, chosen.count, chosen.friends)


def _sealing(items: int, rounds: int) -> None:
    private = os.urandom(HPKE_PRIVATE_BYTES)
    public = hpke_public(private)
    route = Route(
        IdentityKey(bytes(32)), DeviceId(bytes(16)), IdentityKey(bytes(32)), DeviceId(bytes(16)), 1
    )
    letter = Letter(bytes(400), bytes(600), (os.urandom(700),))
    entropy = SystemEntropy()
    sealed = seal_letter(letter, public, route, entropy)
    plain = os.urandom(len(sealed) - 1136)
    bare = hpke_seal(plain, public, route.info)
    works: dict[str, Callable[[], object]] = {
        "seal an item": lambda: seal_letter(letter, public, route, entropy),
        "bare HPKE seal": lambda: hpke_seal(plain, public, route.info),
        "open an item": lambda: open_letter(sealed, private, route),
        "bare HPKE open": lambda: hpke_open(private, route.info, bare, Code.MAIL_INVALID),
    }
    found: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            for _ in range(items):
                work()
            if number:
                found[name].append((time.perf_counter() - began) / items * 1e3)
    print(f"{'one item of ' + str(len(sealed)) + ' bytes':28} {'x bare':>8} {'ms':>8}")
    for kind in ("seal", "open"):
        ours = next(statistics.median(v) for k, v in found.items() if k.startswith(f"{kind} "))
        least = statistics.median(found[f"bare HPKE {kind}"])
        print(f"{kind:28} {ours / least:8.2f} {ours:8.3f}")


def _catching_up(people: Pair, count: int) -> None:
    """Say `count` over the link, then as many while Bob is away; both until Alice knows that all are there."""
    live_s = _said(people.alice, count, until="delivered")
    people.at_bob.stop()
    people.at_alice.wait("presence", friend="bob", presence="offline")
    left_s = _said(people.alice, count, until="sent")
    began = time.monotonic()
    people.at_bob = people.bob.up()
    begin(people.at_bob, people.stack)
    pid = people.at_bob.process.pid
    people.at_bob.wait("message", text=f"message {count - 1}")
    there_s = time.monotonic() - began
    print(f"{count} messages{'':14} {'x live':>8} {'s':>8} {'a second':>9}")
    for name, seconds in (
        ("over a link, to the receipt", live_s),
        ("left at the tracker", left_s),
        ("from `up` to all shown", there_s),
    ):
        print(f"{name:28} {seconds / live_s:8.2f} {seconds:8.2f} {count / seconds:9.0f}")
    print(f"CPU of catching up: {cpu_s(pid):.2f} s, start included")


def _catching_up_with_many(people: Pair, count: int, friends: int) -> None:
    """Let many friends leave as much each while Bob is away, and see how fast he has it all."""
    everybody = [people.friend_of_bob(f"friend{number}") for number in range(friends)]
    people.at_bob.stop()
    each = count // friends
    for someone, node in everybody:
        node.wait("presence", friend="bob", presence="offline")
        _said(someone, each, until="sent")
        node.stop()
    began = time.monotonic()
    people.at_bob = people.bob.up()
    begin(people.at_bob, people.stack)
    for _ in range(each * friends):
        people.at_bob.wait("message")
    print(
        f"{each * friends} messages of {friends} friends who are away, from `up` to all shown: {time.monotonic() - began:.2f} s"
    )


def _said(someone: Person, count: int, *, until: str) -> float:
    """Say Bob many, and wait until each is as far; gives seconds."""
    with closing(client.Kept(someone.home)) as kept:
        answers = kept.answers()
        [watching] = kept.begin(("WatchEvents", {}))
        began = time.perf_counter()
        begun = accepted = arrived = 0
        while arrived < count:
            room = min(AT_ONCE - (begun - accepted), count - begun)
            if room and (room >= AT_ONCE // 2 or begun + room == count):
                kept.begin(*(_say(begun + number) for number in range(room)))
                begun += room
            answer = next(answers)
            if answer["id"] != watching:
                accepted += "item" in answer
            elif answer["item"]["event"] == "receipt":
                arrived += answer["item"]["state"] == until
        return time.perf_counter() - began


def _say(number: int) -> tuple[str, dict[str, object]]:
    return "SendText", {"to": "bob", "text": f"message {number}", "wait_s": 0}
