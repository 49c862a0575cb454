"""What all benchmarks share: rounds that interleave the rivals, CPU and memory of processes, the table.

Machines are noisy, so every figure stands beside its rivals' of the same run: one run of each is thrown
away, then each is run once per round, and the table gives medians and the ratio to ours.
"""

from __future__ import annotations

import mmap
import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class Sample:
    """One run: seconds of wall clock, seconds of CPU of each side, most memory of each side in bytes."""

    wall_s: float
    cpu_s: tuple[float, float] = (0.0, 0.0)
    memory: tuple[int, int] = (0, 0)


@dataclass(slots=True)
class Rival:
    """Something that is measured. run: does the work once and gives a Sample. is_ours: ratios refer to it."""

    name: str
    run: Callable[[], Sample]
    is_ours: bool = False
    samples: list[Sample] = field(default_factory=list)

    def median(self) -> Sample:
        """Give the median of each figure."""
        return Sample(
            statistics.median(sample.wall_s for sample in self.samples),
            (self._middle(0), self._middle(1)),
            (max(s.memory[0] for s in self.samples), max(s.memory[1] for s in self.samples)),
        )

    def _middle(self, side: int) -> float:
        return statistics.median(sample.cpu_s[side] for sample in self.samples)


def interleave(rivals: Sequence[Rival], rounds: int, *, takes_bytes: int = 0) -> None:
    """Run each once for nothing, then each once per round. takes_bytes: of memory, by each run."""
    for number in range(rounds + 1):
        for rival in rivals:
            _fetch_memory(takes_bytes)
            sample = rival.run()
            if number:
                rival.samples.append(sample)


def _fetch_memory(size_bytes: int) -> None:
    """Have so much free memory at hand, as a machine of one's own always has.

    What a guest leaves free for some seconds its hypervisor may take back, and the next use of every page is a fault of the
    host: up to half a second a GiB, by chance, on whoever runs next (measured 2026-11).
    """
    with suppress(OSError, ValueError):
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
        mmap.mmap(-1, size_bytes, flags=flags).close()


def table(rivals: Sequence[Rival], *, size_bytes: int = 0) -> None:
    """Print medians, best ratio first; `x ours` above 1 means that the rival takes longer than we do."""
    ours = next(rival for rival in rivals if rival.is_ours).median()
    print(
        f"{'':34} {'x ours':>7} {'wall s':>8} {'min-max s':>15} {'MB/s':>7} {'CPU s':>13} {'MiB':>11}"
    )
    for rival in sorted(rivals, key=lambda rival: rival.median().wall_s):
        middle = rival.median()
        walls = [sample.wall_s for sample in rival.samples]
        speed = f"{size_bytes / middle.wall_s / 1e6:7.0f}" if size_bytes else f"{'':7}"
        cpu = f"{middle.cpu_s[0]:6.2f} {middle.cpu_s[1]:6.2f}" if any(middle.cpu_s) else f"{'':13}"
        memory = [f"{size / 2**20:5.0f}" for size in middle.memory]
        print(
            f"{rival.name:34} {middle.wall_s / ours.wall_s:7.2f} {middle.wall_s:8.3f}"
            f" {min(walls):7.3f}-{max(walls):7.3f} {speed} {cpu} {' '.join(memory)}"
        )


class Meter:
    """Adds up CPU and peak memory of processes and all their descendants while it is open.

    sides: the process ids of each side that run already; more come by `watch`. Children that ended are
    counted by their parents, so that short-lived helpers of a server are not forgotten.
    """

    def __init__(self, *sides: Iterable[int]) -> None:
        self._sides = [list(side) for side in sides]
        self._before: list[float] = []
        self._began = 0.0

    def __enter__(self) -> Self:
        for side in self._sides:
            for process in side:
                reset_peak(process)
        self._before = [sum(map(cpu_s, side)) for side in self._sides]
        self._began = time.perf_counter()
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def sample(self) -> Sample:
        """Give what was used since the beginning."""
        wall = time.perf_counter() - self._began
        used = [
            sum(map(cpu_s, side)) - before
            for side, before in zip(self._sides, self._before, strict=True)
        ]
        peaks = [max(map(peak_bytes, side), default=0) for side in self._sides]
        return Sample(wall, (used[0], used[1]), (peaks[0], peaks[1]))


def cpu_s(process: int) -> float:
    """Give the seconds of CPU of a process and of all its children, those that ended included."""
    total = 0.0
    for each in [process, *_descendants(process)]:
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15])) / _TICKS
    return total


def peak_bytes(process: int) -> int:
    """Give the most memory a process or one of its children had since `reset_peak`."""
    return max((_status(each, "VmHWM") for each in [process, *_descendants(process)]), default=0)


def resident_bytes(process: int) -> int:
    """Give the memory a process has now."""
    return _status(process, "VmRSS")


def reset_peak(process: int) -> None:
    """Let the peak of a process begin anew."""
    try:
        Path(f"/proc/{process}/clear_refs").write_text("5")
    except OSError:
        return


def _status(process: int, name: str) -> int:
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def _descendants(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:
        return []
    found = []
    for child in map(int, children):
        found += [child, *_descendants(child)]
    return found
