"""How long a person waits for the shortest commands, against an interpreter that does nothing at all."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence

from benches.measure import Rival, Sample, interleave, table
from benches.people import pair
from cast import BIN


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench start", description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args(words).rounds
    with pair() as people:
        hobnob, home = str(BIN / "hobnob"), str(people.alice.home)
        rivals = [
            Rival("hobnob --help", lambda: _time(hobnob, "--help"), is_ours=True),
            Rival("hobnob status (node up)", lambda: _time(hobnob, "--home", home, "status")),
            Rival(
                "hobnob say, committed (node up)",
                lambda: _time(hobnob, "--home", home, "say", "bob", "x"),
            ),
            Rival("python -c pass", lambda: _time(sys.executable, "-c", "pass")),
        ]
        interleave(rivals, rounds)
    table(rivals)


def _time(*words: str) -> Sample:
    began = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    return Sample(time.perf_counter() - began)
