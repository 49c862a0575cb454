"""How fast bytes may go: a bucket that keeps its rate, and threads that wait for it and for nothing else."""

from __future__ import annotations

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.transfers.pace import CREDIT_S, SLICE_BYTES, Bucket, Pace

WAIT_S = 30.0


def never() -> bool:
    return False


def test_without_a_rate_nothing_waits() -> None:
    bucket = Bucket()
    assert bucket.reserve(10**12, 5.0) == 5.0
    bucket.set(1, 5.0)
    bucket.set(None, 6.0)
    assert bucket.reserve(10**12, 6.0) == 6.0


def test_bytes_go_one_after_another_at_the_rate() -> None:
    bucket = Bucket()
    bucket.set(100, 10.0)
    assert [bucket.reserve(50, 10.0) for _ in range(4)] == [10.0, 10.5, 11.0, 11.5]


def test_time_that_was_not_used_counts_for_a_moment_only() -> None:
    bucket = Bucket()
    bucket.set(100, 10.0)
    assert bucket.reserve(50, 10.6) == 10.6 - CREDIT_S


def test_what_begins_after_nothing_went_has_no_more_than_its_rate_from_the_first_byte_on() -> None:
    bucket = Bucket()
    bucket.set(100, 10.0)
    assert bucket.reserve(50, 100.0) == 100.0
    assert bucket.reserve(50, 100.0) == 100.5


def test_a_new_rate_forgets_what_was_reserved_under_the_old_one() -> None:
    bucket = Bucket()
    bucket.set(1, 10.0)
    bucket.reserve(1000, 10.0)
    bucket.set(100, 11.0)
    assert bucket.reserve(50, 11.0) == 11.0
    assert bucket.reserve(50, 11.0) == 11.5


@given(
    st.integers(10_000, 10**10),
    st.lists(st.tuples(st.integers(1, SLICE_BYTES), st.floats(0, 2)), min_size=1, max_size=60),
)
def test_no_span_of_time_sees_more_than_its_rate(rate: int, asked: list[tuple[int, float]]) -> None:
    bucket = Bucket()
    bucket.set(rate, 0.0)
    now = 0.0
    went: list[tuple[float, int]] = []
    for count, pause in asked:
        now += pause
        now = max(now, bucket.reserve(count, now))
        went.append((now, count))
    for first, (since, _) in enumerate(went):
        for last in range(first, len(went)):
            span = went[last][0] - since
            total = sum(count for _, count in went[first : last + 1])
            assert total <= rate * (span + CREDIT_S) + went[last][1] + 1


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_share_one_rate(threads: int) -> None:
    pace = Pace()
    pace.set(1_000_000)

    def work() -> None:
        for _ in range(12 // threads):
            pace.take(SLICE_BYTES, never)

    began = time.monotonic()
    running = [threading.Thread(target=work) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(WAIT_S)
    took_s = time.monotonic() - began
    assert took_s >= 11 * SLICE_BYTES / 1_000_000 - CREDIT_S


@pytest.mark.parametrize("rate", [None, 10**12])
def test_who_waits_goes_on_when_the_rate_is_lifted(rate: int | None) -> None:
    pace = Pace()
    pace.set(1)
    pace.take(SLICE_BYTES, never)  # the next one waits for hours
    gone = threading.Event()

    def work() -> None:
        pace.take(SLICE_BYTES, never)
        gone.set()

    thread = threading.Thread(target=work)
    thread.start()
    assert not gone.wait(0.05)
    pace.set(rate)
    assert gone.wait(WAIT_S)
    thread.join(WAIT_S)


def test_who_waits_leaves_when_its_link_is_over() -> None:
    pace = Pace()
    pace.set(1)
    pace.take(SLICE_BYTES, never)
    over = threading.Event()
    thread = threading.Thread(target=pace.take, args=(SLICE_BYTES, over.is_set))
    thread.start()
    over.set()
    thread.join(WAIT_S)
    assert not thread.is_alive()
