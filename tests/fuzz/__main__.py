"""The command `scripts/fuzz`: targets one after another, each in a process of its own, and a table at the end."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import corpus, engines
from tests.fuzz.target import Target

ROOT = Path(__file__).parents[2]
WORK = ROOT / ".fuzz"
DEFAULT_S = 60
GRACE_S = 120  # to begin, and to end after the time is over


@dataclass
class Outcome:
    """What became of one target."""

    name: str
    executions: int = 0
    findings: int = 0
    peak_mb: int = 0
    seconds: float = 0.0
    failure: str = ""


def main(words: list[str]) -> int:
    """Run the command; gives 0 without a finding, 1 with one, 2 for wrong usage."""
    chosen = _arguments(words)
    if chosen.replay:
        return replay([Path(file) for file in chosen.replay])
    if chosen.child:
        _child(chosen)
        return 0
    from tests.fuzz.catalogue import targets

    named = targets()
    if not chosen.targets:
        print("\n".join(f"{name:24} {target.shape.value}" for name, target in named.items()))
        return 0
    names = list(named) if chosen.targets == ["all"] else chosen.targets
    unknown = [name for name in names if name not in named]
    if unknown:
        print(
            f"error: usage: there is no target {unknown[0]}; scripts/fuzz lists them",
            file=sys.stderr,
        )
        return 2
    engine = chosen.engine or ("atheris" if engines.has_atheris() else "hypothesis")
    kind = "guided by coverage" if engine == "atheris" else "NOT guided by coverage"
    print(f"engine: {engine}, {kind}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    outcomes = [_run(name, engine, chosen) for name in names]
    _table(outcomes)
    if chosen.save:
        for name in names:
            _save(name, Path(chosen.corpus) / name)
    return 1 if any(outcome.findings or outcome.failure for outcome in outcomes) else 0


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Feed decoders and machines with inputs nobody thought of. Without a target: list them.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("targets", nargs="*", metavar="TARGET", help="which, or `all`")
    add("--seconds", type=int, default=0, help=f"for each target (default {DEFAULT_S})")
    add("--executions", type=int, default=0, help="for each target, instead of or beside --seconds")
    add("--corpus", default=str(WORK / "corpus"), help="folder of the inputs that reached new code")
    add("--findings", default=str(WORK / "findings"), help="folder that findings are written to")
    add("--engine", choices=("atheris", "hypothesis"), help="default: atheris if it is installed")
    add("--seed", type=int, default=0, help="of the dice (default: the time)")
    add("--save", action="store_true", help="keep the shortest inputs in tests/corpus")
    add(
        "--replay",
        nargs="+",
        metavar="FILE",
        help="run the inputs of findings or of the corpus once",
    )
    add("--child", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args(words)
    if not chosen.seconds and not chosen.executions:
        chosen.seconds = DEFAULT_S
    chosen.seed = chosen.seed or int(time.time())
    return chosen


def replay(files: list[Path]) -> int:
    """Run the inputs of some files; what is wrong comes out with its traceback."""
    from tests.fuzz.catalogue import targets

    for file in files:
        target = targets()[corpus.target_of(file)]
        inputs = corpus.read(file)
        for data in inputs:
            target.run(data)
        print(f"{file}: {len(inputs)} inputs of {target.name}, no finding")
    return 0


def _child(chosen: argparse.Namespace) -> None:
    """Fuzz one target in this process."""
    name, findings = chosen.targets[0], Path(chosen.findings)
    if chosen.engine == "atheris":
        engines.run_atheris(
            lambda: _load(name), Path(chosen.corpus) / name, findings,
            chosen.executions, chosen.seconds, chosen.seed,
        )  # fmt: skip
    else:
        engines.run_hypothesis(
            _load(name), findings, chosen.executions, chosen.seconds, chosen.seed
        )


def _load(name: str) -> Target:
    from tests.fuzz.catalogue import targets

    return targets()[name]


def _run(name: str, engine: str, chosen: argparse.Namespace) -> Outcome:
    """Run one target in a process of its own."""
    began, outcome = time.monotonic(), Outcome(name)
    command = [
        sys.executable, "-m", "tests.fuzz", name, "--child", "--engine", engine,
        "--seconds", str(chosen.seconds), "--executions", str(chosen.executions),
        "--corpus", chosen.corpus, "--findings", chosen.findings, "--seed", str(chosen.seed),
    ]  # fmt: skip
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as child:
        assert child.stdout is not None
        last: list[str] = []
        try:
            for line in child.stdout:
                _read_line(line, outcome)
                last = [*last[-15:], line]
            code = child.wait(GRACE_S)
        except BaseException:
            child.kill()
            raise
    outcome.seconds = time.monotonic() - began
    if code != 0:
        outcome.failure = f"exit {code}"
        print("".join(last), file=sys.stderr)
    print(
        f"{name:24} {outcome.executions:>12,} executions {outcome.findings:>3} findings"
        f" {outcome.seconds:>6.0f} s {outcome.peak_mb:>5} MiB {outcome.failure}",
        flush=True,
    )
    return outcome


def _read_line(line: str, outcome: Outcome) -> None:
    name, _, value = line.rpartition(":")
    if name == "stat::number_of_executed_units":
        outcome.executions = int(value)
    elif name == "stat::peak_rss_mb":
        outcome.peak_mb = int(value)
    elif line.startswith("FINDING"):
        outcome.findings += 1
        print(line, end="", flush=True)


def _table(outcomes: list[Outcome]) -> None:
    executions = sum(outcome.executions for outcome in outcomes)
    findings = sum(outcome.findings for outcome in outcomes)
    failures = sum(bool(outcome.failure) for outcome in outcomes)
    print(
        f"{len(outcomes)} targets, {executions:,} executions, {findings} findings, {failures} broken off"
    )


def _save(name: str, folder: Path) -> None:
    """Keep the shortest inputs of a working corpus beside those that are kept already."""
    known = corpus.of(name)
    files = sorted(folder.glob("*"), key=lambda file: file.stat().st_size)
    short = [file.read_bytes() for file in files if 0 < file.stat().st_size <= corpus.LONGEST]
    step = max(1, len(short) // corpus.KEPT)
    kept = list(dict.fromkeys([*known, *short[::step]]))[: corpus.KEPT]
    if kept:
        corpus.write(corpus.CORPUS / f"{name}.txt", kept)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
