"""No file needs another that needs it in turn: each can be read knowing only what lies below it."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tests.house.tree import PACKAGES, module_of, parsed, sources

MODULES = {module_of(path): path for path in sources(*PACKAGES)}


def named_by(module: str) -> set[str]:
    """Give the project's modules that one names anywhere: at its top, in a function, for types alone."""
    found: set[str] = set()
    for node in ast.walk(parsed(MODULES[module])):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else node.module)
    return found & MODULES.keys() - {module}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_two_files_need_each_other(package: str) -> None:
    names = {module: named_by(module) for module in MODULES if module.split(".")[0] == package}
    try:
        TopologicalSorter(names).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
