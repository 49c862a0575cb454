"""The project's own files, as the tests of this folder read them."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("wire", "tracker", "peer")
FOLDERS = (*PACKAGES, "tests", "scripts", ".ci")


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project; nothing that tools leave behind."""
    inside = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    beside = ROOT.glob("*.*")
    found = {
        path
        for path in (*inside, *beside, ROOT / "LICENSE")
        if path.is_file()
        and "__pycache__" not in path.parts
        and not path.name.startswith(".coverage")
    }
    return tuple(sorted(found))


@cache
def sources(*folders: str) -> tuple[Path, ...]:
    """Every Python file below these folders."""
    return tuple(
        path for path in files() if path.suffix == ".py" and short(path).split("/")[0] in folders
    )


def short(path: Path) -> str:
    """Give a path as a person writes it: relative to the checkout."""
    return path.relative_to(ROOT).as_posix()


def module_of(path: Path) -> str:
    """Give the dotted name of a file of a package."""
    return short(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def parsed(path: Path) -> ast.Module:
    """Give the syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))
