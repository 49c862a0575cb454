"""Files over loopback between two real nodes, beside what people pick today; what arrived is compared.

The product runs as it is, its syncs included. Files lie in the page cache; download folders are on tmpfs, but for
`disk`. What the lines carry, and what talk takes beside it, is `benches.lines`.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benches import alternatives, lines
from benches.measure import Meter, Rival, Sample, interleave, table
from benches.people import Pair, pair

from peer.control import client

MEMORY_FOLDER = "/dev/shm"  # noqa: S108 - a tmpfs; folders of our own are made below it
LOADS = {
    "big": "one file of 1 GiB (--size MiB for another)",
    "many": "10,000 files of 10 KiB in 100 folders",
    "tiny": "one file of 4 KiB, from the offer to its place",
}
DISK = "disk"
LINES = "lines"
ALL = (*LOADS, DISK, LINES)
MEANINGS = {
    **LOADS,
    DISK: "`big` on the disk of the temporary folder, a `sync` inside the rivals' time",
    LINES: "one friend and four on lines of their own, and talk meanwhile; root only",
}


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent: a file or a folder, its bytes in all."""

    what: str
    path: Path
    size: int


def run(words: Sequence[str]) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench transfer",
        description=__doc__,
        epilog="; ".join(f"{what}: {meaning}" for what, meaning in MEANINGS.items()),
    )
    parser.add_argument("--what", choices=ALL, help="all of these unless one is named")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=1024, help="MiB of `big` and `disk`")
    parser.add_argument("--only", help="how names of rivals begin, joined by commas: scp,curl")
    chosen = parser.parse_args(words)
    for number, what in enumerate((chosen.what,) if chosen.what else ALL):
        if number:
            print()
        if what == LINES:
            lines.run()
        else:
            wanted = chosen.only.split(",") if chosen.only else None
            _compare(what, rounds=chosen.rounds, size_mib=chosen.size, wanted=wanted)


def _compare(what: str, *, rounds: int, size_mib: int, wanted: Sequence[str] | None) -> None:
    """Measure one load beside what others do with it, and print the table. wanted: which others; None: all."""
    is_disk = what == DISK
    with ExitStack() as stack:

        def folder(parent: str | None) -> Path:
            return Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="hobnob-", dir=parent))
            )

        source, target = folder(MEMORY_FOLDER), folder(None if is_disk else MEMORY_FOLDER)
        load = _make("big" if is_disk else what, source, size_mib)
        people = stack.enter_context(pair())
        rivals = [
            Rival("hobnob", _checked(load, target, _ours(people, load, target)), is_ours=True)
        ]
        for name, kind in alternatives.FOR[load.what].items():
            if wanted is not None and not name.startswith(tuple(wanted)):
                continue
            missing = [need for need in kind.needs if shutil.which(need) is None]
            if missing:
                print(f"{name}: left out, this machine lacks {', '.join(missing)}")
                continue
            made = stack.enter_context(kind(folder(None), source, target))
            once = _synced(made.send) if is_disk else made.send
            rivals.append(Rival(name, _checked(load, target, _sending(once, load.path))))
        interleave(rivals, rounds, takes_bytes=load.size)
    print(f"{MEANINGS[what]}; medians of {rounds}; CPU and peak memory: sender, receiver")
    table(rivals, size_bytes=load.size)


def _make(what: str, folder: Path, size_mib: int) -> Load:
    if what == "many":
        tree = folder / "many"
        for number in range(100):
            (tree / f"{number:02}").mkdir(parents=True)
            for file in range(100):
                (tree / f"{number:02}" / f"{file:02}.bin").write_bytes(os.urandom(10240))
        return Load(what, tree, 100 * 100 * 10240)
    size = 4096 if what == "tiny" else size_mib * 2**20
    path = folder / f"{what}.bin"
    with path.open("wb") as file:
        for start in range(0, size, 2**20):
            file.write(os.urandom(min(2**20, size - start)))
    return Load(what, path, size)


def _checked(load: Load, target: Path, once: Callable[[], Sample]) -> Callable[[], Sample]:
    """Compare what arrived with what was sent, outside the time, and take it away."""
    wanted = _digest(load.path)

    def checked() -> Sample:
        sample = once()
        place = target / load.path.name
        if _digest(place) != wanted:
            raise OSError(f"{place} is not what was sent")
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        return sample

    return checked


def _digest(place: Path) -> str:
    found = hashlib.sha256()
    files = sorted(place.rglob("*")) if place.is_dir() else [place]
    for file in files:
        found.update(str(file.relative_to(place)).encode())
        if file.is_file():
            with file.open("rb") as content:
                found.update(hashlib.file_digest(content, "sha256").digest())
    return found.hexdigest()


def _ours(people: Pair, load: Load, target: Path) -> Callable[[], Sample]:
    """Offer beforehand and time from `accept` to done; of the tiny file all of it, from `send`."""
    sides = ((people.at_alice.process.pid,), (people.at_bob.process.pid,))

    def offer() -> str:
        words: dict[str, object] = {"to": ["bob"], "paths": [str(load.path)]}
        [made] = client.ask(people.alice.home, "OfferFiles", words)
        return str(made["offer"])

    def take(offered: str) -> None:
        words: dict[str, object] = {"offer": offered, "folder": str(target)}
        list(client.ask(people.bob.home, "AcceptOffer", words))
        people.at_bob.wait("transfer", offer=offered, state="done")

    def once() -> Sample:
        if load.what == "tiny":
            with Meter(*sides) as meter:
                offered = offer()
                people.at_bob.wait("offer", offer=offered)
                take(offered)
                return meter.sample()
        offered = offer()
        people.at_bob.wait("offer", offer=offered)
        with Meter(*sides) as meter:
            take(offered)
            return meter.sample()

    return once


def _sending(send: Callable[[Path], Sample], path: Path) -> Callable[[], Sample]:
    return lambda: send(path)


def _synced(send: Callable[[Path], Sample]) -> Callable[[Path], Sample]:
    """Have a rival's bytes on the disk too before its time ends: ours are."""

    def synced(path: Path) -> Sample:
        sample = send(path)
        began = time.perf_counter()
        os.sync()
        sample.wall_s += time.perf_counter() - began
        return sample

    return synced
