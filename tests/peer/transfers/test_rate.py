"""The pace that people see: of fast lines, of slow ones that bring a chunk now and then, and of what stands still."""

from __future__ import annotations

import pytest

from peer.transfers.rate import SPAN_S, Rate

MIB = 1024 * 1024
BEAT_S = 0.25


def beats(seconds: float) -> list[float]:
    return [number * BEAT_S for number in range(round(seconds / BEAT_S))]


def test_one_look_tells_no_pace() -> None:
    rate = Rate()
    assert rate.per_s() is None
    rate.note(5.0, 10 * MIB)
    assert rate.per_s() is None


def test_a_fast_line_shows_the_last_seconds() -> None:
    rate = Rate()
    for now in beats(20):
        rate.note(now, round(now * (10 if now < 10 else 40) * MIB))
    assert rate.per_s() == 40 * MIB


@pytest.mark.parametrize("every_s", [1.5, 8.0, 20.0])
def test_a_slow_line_shows_its_pace_between_two_chunks(every_s: float) -> None:
    rate, seen = Rate(), []
    for now in beats(12 * every_s):
        rate.note(now, int(now / every_s) * MIB)
        if now > every_s:
            seen.append(rate.per_s())
    wanted = MIB / every_s
    assert all(one is not None and 0.75 * wanted <= one <= 1.35 * wanted for one in seen), seen


def test_what_stops_falls_to_nothing_and_shows_no_old_pace() -> None:
    rate = Rate()
    for now in beats(10):
        rate.note(now, round(now * 8 * MIB))
    paces = []
    for now in beats(SPAN_S + 1):
        rate.note(10 + now, 78 * MIB)
        paces.append(rate.per_s())
    assert paces == sorted(paces, key=lambda one: -(one or 0.0))
    assert paces[-1] == 0.0


def test_what_goes_on_after_it_stood_still_shows_the_pace_that_it_has_now() -> None:
    rate = Rate()
    for now in beats(60):
        moved_s = now if now < 10 else max(10.0, now - 30)
        rate.note(now, round(moved_s * 8 * MIB))
        if now > 40.5:
            assert rate.per_s() == 8 * MIB


def test_what_a_power_cut_took_back_is_no_pace() -> None:
    rate = Rate()
    for now in beats(10):
        rate.note(now, round(now * MIB))
    rate.note(10.0, 2 * MIB)
    assert rate.per_s() is None
    rate.note(10.25, 3 * MIB)
    assert rate.per_s() == 4 * MIB


def test_what_came_at_once_after_a_wait_is_not_taken_for_the_pace_of_a_moment() -> None:
    rate = Rate()
    for now, came in ((1.0, 0), (1.01, 8), (1.25, 10), (1.5, 12)):
        rate.note(now, came * MIB)
    assert rate.per_s() == pytest.approx(8 * MIB, rel=0.1)
