"""A long history: opening it, its last page, and finding words in it, against grep and a plain LIKE.

The messages are written by the program's own functions, then indexed as a node does it. The same texts stand in a
file with an object a line for grep, and in a bare table for LIKE; each is asked in turn, several rounds, for
the newest twenty (grep gives the oldest: it reads from the front).
"""

from __future__ import annotations

import argparse
import json
import random
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

from peer import api, conversations
from peer.history import indexing, search, transcript
from peer.store.database import Database
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire.entropy import SystemEntropy

LETTERS = "abcdefghijklmnopqrstuvwxyz"
COMMIT_EVERY = 512


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench history", description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="messages")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(words)
    texts, vocabulary = _texts(chosen.count)
    with tempfile.TemporaryDirectory(prefix="hobnob-bench-") as name:
        folder = Path(name)
        path = _store(folder, texts)
        with closing(_table(folder, texts)) as table:
            _opening(path, chosen.rounds)
            _searching(path, folder / "texts.jsonl", table, vocabulary, chosen.rounds)


def _texts(count: int) -> tuple[list[str], list[str]]:
    """Give texts of 3 to 20 words whose words are as frequent as in speech, and those words, frequent first."""
    dice = random.Random(1)  # noqa: S311 - the same texts each time
    vocabulary = list(
        dict.fromkeys("".join(dice.choices(LETTERS, k=dice.randint(2, 9))) for _ in range(8000))
    )
    weights = [1 / (place + 1) for place in range(len(vocabulary))]
    texts = [
        " ".join(dice.choices(vocabulary, weights, k=dice.randint(3, 20))) for _ in range(count)
    ]
    return texts, vocabulary


def _store(folder: Path, texts: list[str]) -> Path:
    """Have one of two friends say everything, and index it; gives the database."""
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    began = time.perf_counter()
    for number, text in enumerate(texts):
        world.now += 1000
        alice.database.write(
            conversations.say, alice.keys, "bob", text, None, alice.wall(), alice.entropy
        )
        if number % COMMIT_EVERY == 0:
            alice.database.commit()
    said = time.perf_counter()
    while alice.database.write(indexing.catch_up):
        alice.database.commit()
    alice.database.commit()
    print(
        f"{len(texts)} messages said in {said - began:.1f} s, indexed in"
        f" {time.perf_counter() - said:.2f} s"
    )
    path = folder / "database"
    with closing(sqlite3.connect(path)) as file:
        alice.database.connection.backup(file)
    Database.open(path, entropy=SystemEntropy()).close_now()  # as a node leaves it
    print(f"database with index {path.stat().st_size / 2**20:.1f} MiB")
    return path


def _table(folder: Path, texts: list[str]) -> sqlite3.Connection:
    """Give the texts as a bare table, and write them for grep."""
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(
            json.dumps({"at": n, "from": "alice", "text": t}) + "\n" for n, t in enumerate(texts)
        )
    table = sqlite3.connect(folder / "plain")
    table.execute("CREATE TABLE texts (number INTEGER PRIMARY KEY, text TEXT)")
    table.executemany("INSERT INTO texts (text) VALUES (?)", ((text,) for text in texts))
    table.commit()
    return table


def _opening(path: Path, rounds: int) -> None:
    def whole() -> None:
        database = Database.open(path, entropy=SystemEntropy())
        database.read(transcript.messages, "bob", limit=50)
        database.close_now()

    print(f"\n{'open, the last 50 lines, close':44} {_median(whole, rounds) * 1000:8.1f} ms")
    database = Database.open(path, entropy=SystemEntropy())
    middle = database.read(transcript.messages, "bob", limit=30_000)[0].id
    for name, before in (("the last 50 lines", None), ("50 lines in the middle", middle)):
        spent = _median(
            lambda before=before: database.read(  # type: ignore[misc]
                transcript.messages, "bob", limit=50, before=before
            ),
            rounds,
        )
        print(f"{name:44} {spent * 1000:8.1f} ms")
    database.close_now()


def _searching(
    path: Path, file: Path, table: sqlite3.Connection, vocabulary: list[str], rounds: int
) -> None:
    common, second, rare = vocabulary[0], vocabulary[1], vocabulary[-1]
    asked = {
        "a word in most messages": common,
        "a rare word": rare,
        "a common and a rare word": f"{common} {rare}",
        "two words in a row": f'"{common} {second}"',
        "the beginning of many words": common[0],
        "four such beginnings": "a b c d",
        "nothing there": "zzzzzzzz",
    }
    print(f"\n{'':30} {'ours ms':>9} {'LIKE ms':>9} {'x ours':>7} {'grep ms':>9} {'x ours':>7}")
    database = Database.open(path, entropy=SystemEntropy())
    for name, text in asked.items():
        command = api.SearchMessages(text)
        pattern = text.replace('"', "").split()[-1] if '"' not in text else text.strip('"')
        ours = _median(lambda command=command: database.read(search.find, command), rounds)  # type: ignore[misc]
        like = _median(
            lambda pattern=pattern: table.execute(  # type: ignore[misc]
                "SELECT text FROM texts WHERE text LIKE ? ORDER BY number DESC LIMIT 20",
                (f"%{pattern}%",),
            ).fetchall(),
            rounds,
        )
        grep = _median(
            lambda pattern=pattern: subprocess.run(  # type: ignore[misc]
                ["grep", "-i", "-F", "-m", "20", pattern, str(file)],
                capture_output=True,
                check=False,
            ),
            rounds,
        )
        print(
            f"{name:30} {ours * 1000:9.2f} {like * 1000:9.2f} {like / ours:7.1f}"
            f" {grep * 1000:9.2f} {grep / ours:7.1f}"
        )
    database.close_now()


def _median(do: Callable[[], object], rounds: int) -> float:
    """Give the median of what it takes, in seconds, after one run for nothing."""
    do()
    spent = []
    for _ in range(rounds):
        began = time.perf_counter()
        do()
        spent.append(time.perf_counter() - began)
    return statistics.median(spent)
