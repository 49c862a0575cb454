from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracker.deadlines import SLOT_S, Wheel
from wire.machine import Monotonic


def at(seconds: float) -> Monotonic:
    return Monotonic(seconds)


def test_a_key_is_due_in_the_slot_after_its_instant() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.set("a", at(10.0))
    assert wheel.due(at(9.9)) == []
    assert wheel.due(at(10.0 + SLOT_S)) == ["a"]
    assert wheel.due(at(99)) == []
    assert len(wheel) == 0


def test_an_instant_moves_earlier_at_once_and_later_when_its_slot_comes_up() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.set("a", at(10.0))
    wheel.set("a", at(5.0))
    wheel.set("a", at(20.0))
    assert wheel.due(at(6)) == ["a"]
    wheel.set("a", at(20.0))
    assert wheel.due(at(19)) == []
    assert wheel.due(at(21)) == ["a"]


def test_a_key_without_an_instant_is_forgotten() -> None:
    wheel: Wheel[str] = Wheel()
    wheel.set("a", None)
    wheel.set("a", at(1))
    wheel.set("b", at(1))
    wheel.set("a", None)
    assert wheel.due(at(5)) == ["b"]
    wheel.set("c", at(7))
    wheel.set("c", None)
    assert wheel.due(at(50)) == []


def test_an_instant_that_has_passed_is_due_at_the_next_look() -> None:
    wheel: Wheel[str] = Wheel()
    assert wheel.due(at(100)) == []
    wheel.set("late", at(3))
    assert wheel.due(at(100.1)) == ["late"]


keys = st.sampled_from("abcd")
instants = st.floats(0, 30)


@given(st.lists(st.tuples(keys, st.none() | instants, st.floats(0, 3)), max_size=60))
def test_nobody_is_called_late_and_nobody_for_ever(steps: list[Any]) -> None:
    wheel: Wheel[str] = Wheel()
    wanted: dict[str, float] = {}
    now = 0.0
    for key, instant, step in steps:
        wheel.set(key, None if instant is None else at(instant))
        wanted.pop(key, None)
        if instant is not None:
            wanted[key] = instant
        now += step
        for due in wheel.due(at(now)):
            if wanted[due] > now:
                wheel.set(due, at(wanted[due]))
            else:
                del wanted[due]
        assert all(instant > now - SLOT_S for instant in wanted.values())
    assert len(wheel) == len(wanted)
    assert set(wheel.due(at(100))) == set(wanted)
