"""Forked chains as trees: what is whole, where it ends, and what stands for what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies._internal.random import ArtificialRandom

from wire.ids import EventId
from wire.log.branches import Twig, below, tips, whole


def twig(name: str, seq: int, prev: str = "") -> Twig:
    return Twig(EventId(name.encode()), seq, prev.encode())


ROOT, A, B = twig("root", 4), twig("a5", 5, "root"), twig("b5", 5, "root")
A6, B6, B7 = twig("a6", 6, "a5"), twig("b6", 6, "b5"), twig("b7", 7, "b6")
TREE = [B7, A, B6, A6, B]


def test_a_branch_is_whole_down_to_the_fork_or_not_at_all() -> None:
    assert whole(TREE, 5, ROOT.id) == [A, B, B6, A6, B7]
    assert whole([A, A6, B6, B7], 5, ROOT.id) == [A, A6]
    assert whole([], 5, ROOT.id) == []


def test_the_first_place_needs_no_root_and_an_unknown_root_is_believed() -> None:
    assert whole([twig("x", 1), twig("y", 1), twig("z", 2, "y")], 1, b"") == [
        twig("x", 1), twig("y", 1), twig("z", 2, "y")
    ]  # fmt: skip
    assert whole([A, A6, B6], 5, None) == [A, A6]


def test_a_tip_is_what_nothing_continues() -> None:
    assert tips(TREE) == [B7, A6]
    assert tips([A, B]) == [A, B]
    assert tips([]) == []


def test_a_tip_stands_for_all_before_it_in_its_branch() -> None:
    assert below(TREE, [B7.id]) == {B.id, B6.id, B7.id}
    assert below(TREE, [A6.id, B.id, b"unknown"]) == {A.id, A6.id, B.id}
    assert below(TREE, []) == set()


@st.composite
def trees(draw: Callable[..., Any]) -> list[Twig]:
    """Any tree over one root, lower places first."""
    known = [twig("0", 0)]
    for number in range(1, draw(st.integers(1, 20))):
        former = draw(st.sampled_from(known))
        known.append(Twig(EventId(str(number).encode()), former.seq + 1, former.id))
    return known[1:]


@given(trees(), st.randoms(use_true_random=False))
def test_equal_tips_are_equal_trees(tree: list[Twig], dice: ArtificialRandom) -> None:
    dice.shuffle(tree)
    assert {one.id for one in whole(tree, 1, b"0")} == {one.id for one in tree}
    assert below(tree, (tip.id for tip in tips(tree))) == {one.id for one in tree}
