"""Every row of bad input has its tests, at a real port or command where there is one."""

from __future__ import annotations

import ast

import pytest

from tests.house.bad_input import ROWS, Row
from tests.house.tree import ROOT, parsed

REAL = ("e2e/", "net/")
WATCHED = {"scene", "door", "doors"}
"""Fixtures whose tests assert memory and life by themselves."""
WATCHES = ("weathers", "weathered", "lives_on", "bounded", "memory_of")


def function(test: str) -> ast.FunctionDef | ast.AsyncFunctionDef:
    """Give the function that `FILE::FUNCTION` names."""
    file, _, name = test.partition("::")
    body = parsed(ROOT / "tests" / file).body
    found = [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name
    ]
    assert found, f"{test} is no more: tests/house/bad_input.py names it"
    return found[0]


def is_watched(test: str) -> bool:
    """Say whether a test asserts the memory of the real process, and that it goes on serving."""
    tree = parsed(ROOT / "tests" / test.partition("::")[0])
    marks = [node for node in tree.body if isinstance(node, ast.Assign)]
    for_all = [mark for mark in marks if ast.unparse(mark.targets[0]) == "pytestmark"]
    asserted = ast.unparse(function(test)) + "".join(map(ast.unparse, for_all))
    takes = {argument.arg for argument in function(test).args.args}
    return bool(takes & WATCHED) or any(word in asserted for word in WATCHES)


RUNNERS = {"test_faults.py", "test_hostile_files.py", "test_install.py"}
"""What these run to its end is pip, or a program that makes files: no verb of ours."""


def test_whoever_runs_a_verb_to_its_end_asserts_the_peak_of_its_memory() -> None:
    for path in sorted((ROOT / "tests" / "e2e").rglob("*.py")):
        if path.name not in RUNNERS:
            assert "subprocess.run(" not in path.read_text(encoding="utf-8"), path
    assert "peak_of" in (ROOT / "tests" / "harness" / "short.py").read_text(encoding="utf-8")


def test_no_row_is_left_out() -> None:
    assert [row.number for row in ROWS] == list(range(1, 114))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.number))
def test_a_row_has_its_tests(row: Row) -> None:
    assert bool(row.tests) is not bool(row.why_none)
    for test in row.tests:
        function(test)
    assert row.why_none or any(test.startswith(REAL) for test in row.tests)
    if row.is_sized and row.tests:
        assert any(is_watched(test) for test in row.tests), f"row {row.number}: who watches?"
