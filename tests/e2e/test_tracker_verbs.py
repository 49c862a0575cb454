"""Every verb of `hobnob-tracker` x (a tracker up, none) x (text, JSON) x (fine, refused), as processes."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import MakeFolder
from tests.e2e.verb_world import (
    FORMS,
    PLACES,
    Ran,
    check_fine,
    check_refused,
    placed,
    run,
    run_until_first_result,
)
from tests.harness.actors import Peer
from tests.harness.trackers import WIDE, TrackerProcess
from tracker.cli import VERBS

FINE = ""


@dataclass(frozen=True)
class Row:
    """A verb: what works, and what is refused with a code. up, alone: the code of what would work."""

    verb: str
    fields: str
    words: tuple[str, ...]
    refused: tuple[str, ...]
    refusal: str
    up: str = FINE
    alone: str = FINE
    goes_on: bool = False


ROWS = (
    Row(
        "serve",
        "event listen address pid",
        ("--listen", "127.0.0.1:0"),
        ("--listen", "127.0.0.1:99999"),
        "port-invalid",
        up="already-running",
        goes_on=True,
    ),
    Row(
        "users",
        "name role presence devices last_seen",
        (),
        ("--onlin",),
        "usage",
        alone="not-running",
    ),
)


@dataclass(frozen=True)
class Homes:
    """A home that a tracker with one account runs on, and one that none runs on."""

    up: Path
    alone: Path


@pytest.fixture(scope="module")
def homes(module_folder: MakeFolder) -> Iterator[Homes]:
    folder = module_folder("trackers")
    with TrackerProcess(folder / "up", *WIDE) as tracker:
        Peer(folder, "alice").register(tracker.address)
        yield Homes(folder / "up", folder / "alone")


def tracker(
    verb: str, words: tuple[str, ...], home: Path, form: str, place: int, goes_on: bool
) -> Ran:
    """Run a verb with its common options put at `place`."""
    options = [("--home", str(home)), ("--json",) if form == "json" else ()]
    line = placed(verb, words, options, place)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    if goes_on:
        return run_until_first_result("tracker", line, environment)
    return run("tracker", line, environment)


def test_every_verb_has_a_row() -> None:
    assert {row.verb for row in ROWS} == set(VERBS)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("is_up", [True, False])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.verb)
def test_a_verb_keeps_the_contract(homes: Homes, row: Row, is_up: bool, form: str) -> None:
    home = homes.up if is_up else homes.alone
    code = row.up if is_up else row.alone
    goes_on = row.goes_on and code == FINE
    ran = tracker(row.verb, row.words, home, form, FORMS.index(form) + 2 * is_up, goes_on)
    if code == FINE:
        check_fine(ran, form, row.fields, lines=range(1, 2))
        assert row.verb != "serve" or is_ready(ran, form)
    else:
        check_refused(ran, form, code)


def is_ready(ran: Ran, form: str) -> bool:
    """Say whether a text ready line is an address to paste; the fields of the object were looked at."""
    address = r"hobnob://127\.0\.0\.1:\d+/#[\w-]{43}"
    return form == "json" or re.search(rf"^\s*{address}$", ran.out, re.MULTILINE) is not None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.verb)
def test_wrong_words_are_refused_wherever_the_options_stand(homes: Homes, row: Row) -> None:
    for place in range(0, len(PLACES), 2):
        form = FORMS[place // 2 % 2]
        ran = tracker(row.verb, row.refused, homes.alone, form, place, goes_on=False)
        check_refused(ran, form, row.refusal)
