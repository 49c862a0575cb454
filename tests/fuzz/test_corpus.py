"""The corpus is replayed on every run, and what `scripts/fuzz` does is what it says."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz import corpus, engines
from tests.fuzz.__main__ import ROOT, main
from tests.fuzz.catalogue import targets
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Finding, Shape, Target, script_of, steps_of

MUTATIONS = 60
"""Of each target on every run: enough to see that target and mutation still fit."""


@pytest.mark.parametrize("target", targets().values(), ids=str)
def test_seeds_and_corpus_of_a_target_find_nothing(target: Target) -> None:
    for data in engines.beginnings(target):
        assert len(data) <= 2 * target.most_bytes
        target.run(data)


@pytest.mark.parametrize("target", targets().values(), ids=str)
def test_what_mutation_makes_of_them_finds_nothing(target: Target) -> None:
    dice = random.Random(1)
    pool = engines.beginnings(target)
    for _ in range(MUTATIONS):
        data = mutate(target, dice.choice(pool), dice, pool)
        assert len(data) <= target.most_bytes
        target.run(data)


def test_every_file_of_the_corpus_belongs_to_a_target_and_is_small() -> None:
    files = sorted(corpus.CORPUS.glob("*"))
    assert {file.stem for file in files} <= set(targets())
    for file in files:
        inputs = corpus.read(file)
        assert 0 < len(inputs) <= corpus.KEPT
        assert max(map(len, inputs)) <= corpus.LONGEST


def test_a_script_is_read_as_it_was_put_together() -> None:
    steps = [(0, b""), (7, b"abc"), (255, b"x" * 300)]
    assert [tuple(step) for step in steps_of(script_of(*steps))] == steps
    assert list(steps_of(b"\1\0")) == []
    assert [step.content for step in steps_of(b"\1\0\5ab")] == [b"ab"]


def _seven(data: bytes) -> None:
    if b"\7" in data:
        raise Finding("there is a seven")


def test_a_finding_is_written_once_for_each_place_and_can_be_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Target("frames", _seven, lambda: [b"abc"], Shape.BYTES)
    found = engines.Findings(target, tmp_path)
    for data in (b"fine", b"a\7", b"b\7"):
        found.run(data)
    assert found.count == 1
    [file] = tmp_path.iterdir()
    assert corpus.read(file) == [b"a\7"]
    assert corpus.target_of(file) == "frames"
    assert str(file) in capsys.readouterr().out
    assert main(["--replay", str(file)]) == 0


def test_the_command_lists_its_targets_and_names_one_that_is_none(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 0
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == set(targets())
    assert main(["no-such"]) == 2


def test_the_engine_without_coverage_runs_a_target(tmp_path: Path) -> None:
    words = ["preamble", "--engine", "hypothesis", "--executions", "300"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words, "--findings", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "NOT guided by coverage" in done.stdout
    assert "1 targets, 300 executions, 0 findings, 0 broken off" in done.stdout
    assert list(tmp_path.iterdir()) == []
