"""Transfers from end to end in memory: identical or not at all, for any schedule of cuts and restarts."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.transfer.exchange import KEY, MIB, SIGNING_KEY, Exchange
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.messages.transfer import Fetch, FetchRefused
from wire.transfer.receiver import Receiver


def content(size: int, number: int = 0) -> bytes:
    """So many bytes, others for another number, cheaply."""
    return (b"%d-" % number * (size // 2 + 1))[:size]


SIZES = st.sampled_from([0, 1, 100, MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 7])


def has_gone(exchange: Exchange, steps: int) -> bool:
    return exchange.steps >= steps


@given(
    sizes=st.lists(SIZES, min_size=1, max_size=5),
    faults=st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from(["cut", "receiver", "sender"])), max_size=6
    ),
)
@settings(max_examples=60, deadline=None)
def test_a_transfer_arrives_whole_whatever_is_cut_or_killed(
    sizes: list[int], faults: list[tuple[int, str]]
) -> None:
    exchange = Exchange([content(size, n) for n, size in enumerate(sizes)])
    for after, what in faults:
        ends = exchange.steps + after
        exchange.run(until=partial(has_gone, exchange, ends))
        if exchange.receiver.is_finished:
            break
        if what == "cut":
            exchange.cut()
        elif what == "sender":
            exchange.start_sender()
            exchange.cut()
        else:
            exchange.start_receiver()
    exchange.run()
    exchange.check_whole()
    most = (limits.WINDOW_BYTES + limits.CHUNK_BYTES) * (len(faults) + 1)
    assert exchange.sent_bytes <= sum(sizes) + most


def test_what_is_asked_for_never_exceeds_the_window() -> None:
    exchange = Exchange([content(9 * MIB + 5, n) for n in range(3)], window_bytes=3 * MIB)
    asked = sum(
        min(len(exchange.files[r.file]), (r.first + r.count) * MIB) - r.first * MIB
        for ask in exchange.receiver.asks()
        if isinstance(ask, Fetch)
        for r in ask.ranges
    )
    assert asked == 3 * MIB
    assert exchange.receiver.asks() == []


def test_many_small_files_come_in_few_records() -> None:
    exchange = Exchange([b"%d" % number for number in range(3000)])
    exchange.run()
    exchange.check_whole()
    assert exchange.steps < 40


def test_resent_bytes_are_what_was_asked_for_on_a_link_that_was_lost() -> None:
    exchange = Exchange([content(12 * MIB)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes == 2 * MIB)
    exchange.cut()
    exchange.run()
    exchange.check_whole()
    assert 0 < exchange.receiver.resent_bytes <= limits.WINDOW_BYTES


def test_resent_bytes_of_small_files_are_counted_too() -> None:
    exchange = Exchange([content(1000, n) for n in range(10)])
    for ask in exchange.receiver.asks():
        exchange.hear_ask(ask)
    exchange.cut()
    exchange.run()
    exchange.check_whole()
    assert exchange.receiver.resent_bytes == 10_000


def test_what_was_asked_for_in_an_earlier_life_counts_as_resent() -> None:
    receiver = Receiver(KEY, [3 * MIB, 5], SIGNING_KEY)
    receiver.restore(0, [], [(0, 2)])
    receiver.restore(1, [], [(0, 1)])
    receiver.start()
    exchange = Exchange([content(3 * MIB), b"12345"])
    exchange.receiver = receiver
    exchange.link()
    exchange.run()
    exchange.check_whole()
    assert receiver.resent_bytes == 2 * MIB + 5


def test_all_zero_chunks_are_announced_and_not_sent() -> None:
    exchange = Exchange([bytes(4 * MIB + 3), bytes(10)])
    exchange.run()
    exchange.check_whole()
    assert exchange.sent_bytes == 0


def test_a_hole_is_announced_at_once() -> None:
    exchange = Exchange([bytes(6 * MIB)])
    exchange.holes.add(0)
    exchange.run()
    exchange.check_whole()
    assert exchange.steps < 8


def test_a_hole_of_a_file_that_is_only_hashed_is_not_announced() -> None:
    exchange = Exchange([bytes(6 * MIB)])
    exchange.holes.add(0)
    exchange.run(until=lambda: exchange.receiver.verified_bytes == 6 * MIB)
    exchange.start_sender()
    exchange.cut()
    exchange.run()
    exchange.check_whole()


def test_a_file_that_changed_fails_and_the_others_go_on() -> None:
    exchange = Exchange([content(3 * MIB), content(5, 1), content(2 * MIB, 2)])
    exchange.pins.add(0)
    exchange.run()
    assert exchange.failed == {0: Code.CHANGED_AT_SENDER}
    assert sorted(exchange.verified) == [1, 2]
    assert exchange.receiver.verified_bytes == 5 + 2 * MIB


def test_a_file_that_changed_is_not_served_to_the_next_asker() -> None:
    exchange = Exchange([content(3 * MIB), content(5, 1)])
    exchange.pins.add(0)
    exchange.run()
    again = Exchange(exchange.files)
    again.holding = exchange.holding
    again.run()
    assert again.failed == {0: Code.CHANGED_AT_SENDER}


def test_chunks_that_differ_from_what_was_read_before_fail_the_file() -> None:
    exchange = Exchange([content(3 * MIB)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes >= MIB)
    exchange.files[0] = content(3 * MIB, 7)
    exchange.journal.clear()
    exchange.start_receiver()
    exchange.run()
    assert exchange.failed == {0: Code.CHANGED_AT_SENDER}


def test_unreadable_files_fail_alone() -> None:
    exchange = Exchange([content(10), content(20, 1), content(2 * MIB, 2), content(30, 3)])
    exchange.unreadable |= {1, 2}
    exchange.run()
    assert exchange.failed == {1: Code.FILE_UNREADABLE, 2: Code.FILE_UNREADABLE}
    assert sorted(exchange.verified) == [0, 3]
    assert exchange.receiver.verified_bytes == 40


@pytest.mark.parametrize("size", [MIB // 2, 3 * MIB])
def test_a_complete_file_is_vouched_for_after_both_were_killed(size: int) -> None:
    exchange = Exchange([content(size)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes == size)
    exchange.start_sender()
    exchange.start_receiver()
    before = exchange.sent_bytes
    exchange.run()
    exchange.check_whole()
    assert exchange.sent_bytes == before


def test_a_file_that_changed_cannot_be_vouched_for_later() -> None:
    exchange = Exchange([content(3 * MIB)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes == 3 * MIB)
    exchange.start_sender()
    exchange.start_receiver()
    exchange.pins.add(0)
    exchange.run()
    assert exchange.failed == {0: Code.CHANGED_AT_SENDER}


def test_a_stopped_transfer_goes_on_over_the_same_link() -> None:
    exchange = Exchange([content(12 * MIB)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes == 2 * MIB)
    for stop in exchange.receiver.stop():
        exchange.sender.on_stop(stop)
    assert not exchange.receiver.is_waiting
    ids = itertools.count(1000)
    exchange.receiver.linked(lambda: next(ids))
    exchange.run()
    exchange.check_whole()


def test_nothing_is_asked_for_without_a_link() -> None:
    assert Receiver(KEY, [5], SIGNING_KEY).asks() == []


def test_an_offer_that_is_not_served_ends_the_asking() -> None:
    exchange = Exchange([content(10)])
    [ask] = exchange.receiver.asks()
    assert isinstance(ask, Fetch)
    exchange.sender.on_fetch(ask, Code.UNKNOWN_OFFER)
    with pytest.raises(RemoteProtocolError) as caught:
        exchange.turn()
    assert caught.value.code is Code.UNKNOWN_OFFER


def test_a_withdrawn_offer_is_refused_in_the_middle() -> None:
    exchange = Exchange([content(12 * MIB)])
    exchange.run(until=lambda: exchange.receiver.verified_bytes == MIB)
    exchange.sender.withdraw(KEY)
    exchange.sender.withdraw(KEY)
    with pytest.raises(RemoteProtocolError) as caught:
        exchange.run()
    assert caught.value.code is Code.UNKNOWN_OFFER


def test_a_refusal_of_a_request_that_was_stopped_does_not_matter() -> None:
    exchange = Exchange([content(10)])
    exchange.receiver.on_refused(FetchRefused(99, Code.UNKNOWN_OFFER.value))
    exchange.run()
    exchange.check_whole()
