"""Programs under strace: killed at their n-th write, sync or rename, or told that one failed.

strace(1), `-e inject`: calls are counted for each thread by itself, so the n-th is reached by whichever thread
comes to it first; with n going up from 1 every thread is killed at every call it makes. Under --seccomp-bpf strace 6.1
never comes to a second one, so nothing is counted with it. strace is a grandchild
here (-D), so the program is our own child, and its exit code is its own.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import PROFILE

KILLED = -signal.SIGKILL
ON_DISK = (
    *("write", "pwrite64", "ftruncate", "fsync", "fdatasync", "fallocate"),
    *("rename", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "rmdir"),
)
"""What changes a disk."""

IS_DEEP = PROFILE == "deep"
AT = os.environ.get("KILL_AT", "")
"""The part of a deep walk that is to be done, see `spanned`; all of it if empty: a long loop goes on where it ended."""

needs_strace = pytest.mark.skipif(
    shutil.which("strace") is None and "CI" not in os.environ,
    reason="strace is missing; CI installs it",
)

_CALL = re.compile(r"(?:\[pid +)?(\d+)\]? +(\w+)\(")


class Moment(NamedTuple):
    """Before the n-th call of that name in any one thread."""

    call: str
    n: int


def watched(log: Path, calls: Sequence[str], paths: Sequence[Path] = ()) -> tuple[str, ...]:
    """Give the words that note the calls of a program. paths: only what concerns these, if any are given."""
    only_these = "--seccomp-bpf"  # the others do not stop it: a third less time
    return (*_strace(log, calls, paths), only_these, "--")


def killed_at(moment: Moment, paths: Sequence[Path] = ()) -> tuple[str, ...]:
    """Give the words under which a program is killed at that moment, before the call is done."""
    inject = f"inject={moment.call}:signal=KILL:when={moment.n}"
    return (*_strace(Path("/dev/null"), [moment.call], paths), "-e", inject, "--")


def failing(call: str, error: str, when: str = "1+", paths: Sequence[Path] = ()) -> tuple[str, ...]:
    """Give the words under which calls of a program fail. when: which, as strace writes it."""
    inject = f"inject={call}:error={error}:when={when}"
    return (*_strace(Path("/dev/null"), [call], paths), "-e", inject, "--")


def slow(call: str, delay_s: float) -> tuple[str, ...]:
    """Give the words under which each of these calls of a program takes so much longer."""
    inject = f"inject={call}:delay_enter={round(delay_s * 1e6)}"
    return (*_strace(Path("/dev/null"), [call], ()), "-e", inject, "--seccomp-bpf", "--")


def _strace(log: Path, calls: Sequence[str], paths: Sequence[Path]) -> list[str]:
    only = [word for path in paths for word in ("-P", str(path))]
    unset = [word for name in os.environ if name.startswith("COV") for word in ("-E", name)]
    return [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-o",
        str(log),
        *unset,
        *only,
        "-e",
        f"trace={','.join(calls)}",
    ]


def moments_in(log: Path) -> list[Moment]:
    """Give every moment at which a program that was watched could have been killed."""
    counts = Counter(
        found.groups() for line in log.read_text().splitlines() if (found := _CALL.match(line))
    )
    most: dict[str, int] = {}
    for (_, call), count in counts.items():
        most[call] = max(most.get(call, 0), count)
    return [Moment(call, n) for call in sorted(most) for n in range(1, most[call] + 1)]


class Walk:
    """Kills a program at one moment after the other, and counts.

    seed, sample: a usual run tries so many moments, drawn by that seed; the profile `deep` tries all, each call
    until a run passes untouched, or, where a last one is named, up to that one whatever passes.
    """

    def __init__(self, log: Path, *, seed: int, sample: int) -> None:
        self.moments = moments_in(log)
        self._sample = random.Random(seed).sample(self.moments, min(sample, len(self.moments)))
        self.killed = 0

    def over(self, attempt: Callable[[Moment], bool]) -> None:
        """Try the moments. attempt: runs the program to one, checks what has to hold; True if it was killed."""
        assert self.moments, "the program changed nothing"
        if not IS_DEEP:
            self.killed = sum(attempt(moment) for moment in self._sample)
            if not self.killed:  # no two runs make the same calls in the same threads
                earlier = chain.from_iterable(map(_downwards, self._sample))
                assert any(map(attempt, earlier)), "no moment was reached"
                self.killed = 1
            return
        for span in [spanned(AT)] if AT else map(spanned, {each.call: 0 for each in self.moments}):
            *_, last = span
            for moment in upwards(*span):
                if attempt(moment):
                    self.killed += 1
                elif last is None:
                    break
                else:  # no two runs make the same calls in the same threads: a later one may come to more
                    continue
                print(f"{moment.call}:{moment.n}", end=" ", flush=True)
        print(
            f"\nkilled at {self.killed} moments, {len(self.moments)} in an untouched run:", end=" "
        )
        print(*(f"{call}:{n}" for call, n in {each.call: each.n for each in self.moments}.items()))


def _downwards(moment: Moment) -> Iterator[Moment]:
    """Give earlier moments, each at half the count, down to the first call."""
    n = moment.n
    while n > 1:
        n //= 2
        yield Moment(moment.call, n)


def spanned(words: str) -> tuple[str, int, int | None]:
    """Read `CALL`, `CALL:FIRST` or `CALL:FIRST-LAST`: which calls of that name to kill at; None: all from the first on."""
    call, _, span = words.partition(":")
    first, _, last = span.partition("-")
    return call, int(first or 1), int(last) if last else None


def upwards(call: str, first: int, last: int | None) -> Iterator[Moment]:
    """Give the moments of one call, in order, without an end unless there is a last."""
    for n in itertools.count(first):
        if last is not None and n > last:
            return
        yield Moment(call, n)
