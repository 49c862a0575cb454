"""What makes inputs and runs a target over them: atheris where it is installed, else Hypothesis.

atheris is guided by coverage: it keeps the inputs that reach new code of `wire`, `peer` and `tracker`. The
Hypothesis engine is not; it draws from the seeds, the corpus and what `tests.fuzz.mutation` makes of them.
Both write a finding to a file and go on, so that one fault does not hide the next.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random

from tests.fuzz import corpus
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target

CODE = ("wire", "peer", "tracker")
SPARE_BYTES = 512 * 1024 * 1024
"""How much memory a target may ask for beyond what its process has when it begins: it needs next to none."""

SLOW_S = 10
"""How long one input may take."""


class Findings:
    """What was found: one file for each place that raised."""

    def __init__(self, target: Target, folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._places: set[str] = set()

    @property
    def count(self) -> int:
        """How many different ones there are."""
        return len(self._places)

    def run(self, data: bytes) -> None:
        """Run the target over one input."""
        try:
            self._target.run(data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
            self._take(data, error)

    def _take(self, data: bytes, error: Exception) -> None:
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
        if place in self._places:
            return
        self._places.add(place)
        file = self._folder / f"{self._target.name}-{corpus.mark(data)}.txt"
        told = "".join(traceback.format_exception(error)).splitlines()
        corpus.write(file, [data], f"target {self._target.name}", place, *told)
        print(f"FINDING {file} {place}", flush=True)


def bound_memory() -> None:
    """Make asking for much memory an error that shows as a finding."""
    with open("/proc/self/statm", encoding="ascii") as file:
        pages = int(file.read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + SPARE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def beginnings(target: Target) -> list[bytes]:
    """Give what to begin with: seeds and corpus."""
    return [*target.seeds(), *corpus.of(target.name)]


# --- atheris


def has_atheris() -> bool:
    """Say whether atheris is installed."""
    from importlib.util import find_spec

    return find_spec("atheris") is not None


def run_atheris(
    load: Callable[[], Target],
    folder: Path,
    findings: Path,
    executions: int,
    seconds: int,
    seed: int,
) -> None:
    """Run until so many executions or seconds (0: no bound); does not come back.

    load: imports the code under test, which is instrumented by then. folder: the working corpus.
    """
    import atheris

    with atheris.instrument_imports(include=list(CODE)):
        target = load()
    found = Findings(target, findings)
    pool = beginnings(target)
    folder.mkdir(parents=True, exist_ok=True)
    for data in pool:
        (folder / corpus.mark(data)).write_bytes(data)

    def one(data: bytes) -> None:
        found.run(data)

    def next_input(data: bytes, most: int, dice_seed: int) -> bytes:
        dice = Random(dice_seed)
        if dice.random() < 0.25:
            made: bytes = atheris.Mutate(data, len(data))
            return made[:most]
        return mutate(target, data, dice, pool)[:most]

    options = [
        sys.argv[0],
        str(folder),
        f"-artifact_prefix={findings}/{target.name}-",
        f"-max_len={target.most_bytes}",
        "-len_control=0",
        f"-timeout={SLOW_S}",
        "-rss_limit_mb=2048",
        "-print_final_stats=1",
        f"-seed={seed}",
    ]
    if executions:
        options.append(f"-runs={executions}")
    if seconds:
        options.append(f"-max_total_time={seconds}")
    findings.mkdir(parents=True, exist_ok=True)
    bound_memory()
    atheris.Setup(options, one, custom_mutator=next_input, internal_libfuzzer=True)
    atheris.Fuzz()


# --- Hypothesis


def run_hypothesis(
    target: Target, findings: Path, executions: int, seconds: int, seed: int
) -> None:
    """Run until so many executions or seconds (0: no bound), in rounds of a thousand."""
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import seed as seeded
    from hypothesis import strategies as st

    found = Findings(target, findings)
    pool = beginnings(target)
    done, ends = 0, time.monotonic() + seconds
    bound_memory()
    for data in pool:
        found.run(data)
        done += 1

    def step(start: bytes, dice: Random, times: int) -> bytes:
        for _ in range(times):
            start = mutate(target, start, dice, pool)
        return start

    inputs = st.one_of(
        st.builds(step, st.sampled_from(pool), st.randoms(use_true_random=True), st.integers(1, 8)),
        st.binary(max_size=target.most_bytes // 4),
    )
    turn = 0
    while not (seconds and time.monotonic() > ends) and not (executions and done >= executions):
        size = min(1000, executions - done) if executions else 1000

        @seeded(seed + turn)
        @settings(
            max_examples=size,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(inputs)
        def round_of(data: bytes) -> None:
            nonlocal done
            done += 1
            found.run(data)

        round_of()
        turn += 1
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"stat::number_of_executed_units: {done}")
    print(f"stat::peak_rss_mb: {peak_mb}", flush=True)
