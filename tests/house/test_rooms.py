"""The rooms and their size, the words that are not used, what must not stand in any file."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import FOLDERS, PACKAGES, ROOT, files, parsed, short, sources

CEILING = 400
FORBIDDEN_WORDS = ("Manager", "Helper", "Util", "Data", "Info", "Base", "Enhanced", "Simple", "New")
SOURCES = sources(*PACKAGES, "tests", "scripts")


def test_no_file_grows_over_its_ceiling() -> None:
    lines = {short(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert {name: count for name, count in lines.items() if count > CEILING} == {}


def test_there_are_no_other_folders() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode == 0:
        folders = {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}
        assert folders <= set(FOLDERS)


def test_every_folder_of_python_is_a_package_so_that_no_test_shadows_a_room() -> None:
    folders = {path.parent for path in sources(*PACKAGES, "tests")}
    assert [
        short(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()
    ] == []


def test_no_class_is_named_by_a_word_that_says_nothing() -> None:
    for path in sources(*PACKAGES):
        if short(path) == "peer/transfers/manager.py":
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                words = re.findall(r"[A-Z][a-z]*", node.name)
                assert not set(words) & set(FORBIDDEN_WORDS), f"{short(path)}: {node.name}"


def test_every_file_says_what_lives_in_it() -> None:
    assert [short(path) for path in sources(*PACKAGES) if not ast.get_docstring(parsed(path))] == []


def test_every_public_name_of_wire_is_documented() -> None:
    missing = []
    for path in sources("wire"):
        top = parsed(path).body
        inside = [node for outer in top if isinstance(outer, ast.ClassDef) for node in outer.body]
        for node in (*top, *inside):
            if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node):
                missing.append(f"{short(path)}:{node.lineno} {node.name}")
    assert missing == []


ALLOWED = {
    "peer/cli/exit_codes.py": 1,  # the top of the program
    "tracker/cli.py": 1,  # the top of the program
    "tracker/session.py": 1,  # the top of a connection
    "tracker/storage/writer.py": 1,  # the failure of one in a batch is handed to its asker, who raises it
    "peer/store/writer.py": 1,  # likewise
    "peer/control/server.py": 1,  # the top of a verb's connection
    "peer/keychain.py": 1,  # the top of a thread; keyrings raise whatever their platforms do
    "peer/transfers/bulk.py": 1,  # the top of a data link's threads
    "peer/transfers/incoming.py": 1,  # likewise for one transfer: raised as what ends the link without blame
}


def test_everything_is_caught_only_at_the_top_of_a_connection_and_of_the_program() -> None:
    found: dict[str, int] = {}
    for path in sources(*PACKAGES):
        for node in ast.walk(parsed(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            names = (
                {name.id for name in ast.walk(node.type) if isinstance(name, ast.Name)}
                if node.type
                else {""}
            )
            raises_again = isinstance(node.body[-1], ast.Raise) and node.body[-1].exc is None
            if names & {"", "Exception", "BaseException"} and not raises_again:
                found[short(path)] = found.get(short(path), 0) + 1
    assert {name: count for name, count in found.items() if count > ALLOWED.get(name, 0)} == {}


@pytest.mark.parametrize("path", sources("tests"), ids=short)
def test_a_test_neither_sleeps_nor_mocks(path: Path) -> None:
    code = path.read_text()
    assert not re.search(r"\btime\.sleep\(|asyncio\.sleep\((?!0\))", code)
    assert not re.search(
        r"\bunittest\.mock\b|\bMagicMock\b" if path != Path(__file__) else "$^", code
    )
    if short(path).startswith("tests/wire/"):
        assert "monkeypatch.setattr" not in code
    assert not re.search(r"pytest\.mark\." + "xfail", code)


@pytest.mark.parametrize("path", files(), ids=short)
def test_no_file_names_this_machine_or_where_packages_come_from(path: Path) -> None:
    if path.suffix in {".bin", ".sqlite3"} or short(path) == "tests/house/test_rooms.py":
        return
    text = path.read_text(encoding="utf-8")
    places = {f"{ROOT.parent.as_posix()}/", f"{Path.home().as_posix()}/"} - {"//", "/", "/tmp/"}
    assert [place for place in places if place in text] == []
    assert not re.search(
        r"--(extra-)?index-url|--find-links|https?://[^\" ]+/(simple|packages)/", text
    )
    assert not re.search(r"\b(FIXME|XXX)\b|raise NotImplemented", text)


def test_scripts_can_be_run() -> None:
    for name in ("demo", "test", "check", "fmt", "bench", "fuzz"):
        assert (ROOT / "scripts" / name).stat().st_mode & 0o111
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
