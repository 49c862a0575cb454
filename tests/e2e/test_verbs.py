"""Every verb of `hobnob` x (node up, alone) x (text, JSON) x (fine, refused, the tracker gone), as processes.

The verbs come from the program itself: one without a row fails here.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from peer.cli.verbs import VERBS
from tests.conftest import MakeFolder
from tests.e2e.verb_calls import FINE, OUTCOMES, Row
from tests.e2e.verb_rows import ROWS
from tests.e2e.verb_world import Scene, World, check_fine, check_refused, make_world

pytestmark = pytest.mark.timeout(400)  # a hundred verbs make the world, beside other tests

CASES = [
    (number, row, is_up, outcome)
    for number, row in enumerate(ROWS)
    for is_up in (True, False)
    for outcome in OUTCOMES
]


@pytest.fixture(scope="module")
def world(module_folder: MakeFolder) -> Iterator[World]:
    with make_world(module_folder("verbs")) as made:
        yield made


def test_every_verb_has_a_row() -> None:
    assert {row.verb for row in ROWS} == {verb.words for verb in VERBS}


@pytest.mark.parametrize(
    ("number", "row", "is_up", "outcome"),
    CASES,
    ids=[f"{row.verb}-{n}-{'up' if is_up else 'alone'}-{out}" for n, row, is_up, out in CASES],
)
def test_a_verb_keeps_the_contract(
    world: World, number: int, row: Row, is_up: bool, outcome: str
) -> None:
    def walk(scene: Scene) -> None:
        call = row.call(outcome, is_up=is_up)
        who = call.who(scene)
        place = number + 3 * OUTCOMES.index(outcome) + 5 * is_up
        ran = scene.run(row.verb, call.words(scene, who), place, who=who, goes_on=call.goes_on)
        if who is not scene.person:
            who.close()
        if call.code == FINE:
            first_only = row.verb == "up"  # events of other kinds follow `ready`
            check_fine(ran, scene.form, row.fields, lines=row.lines, first_only=first_only)
        else:
            check_refused(ran, scene.form, call.code, has_results=call.has_results)

    with ThreadPoolExecutor(2) as pool:
        for _ in pool.map(walk, world.pair(is_up=is_up, has_tracker=outcome != "away")):
            pass
