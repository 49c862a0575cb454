"""Files give way to talk: the pace that follows from round trips, tried on lines with queues that are only computed."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from peer.transfers.courtesy import EXCESS_S, LEAST_BYTES_PER_S, PING_EVERY_S, Courtesy, means
from wire.machine import Monotonic

STEP_S = 0.005


@dataclass
class Line:
    """A line of one rate with a queue before it, senders that take whatever it gives, and a talker's pings.

    rate: bytes per second. queue_s: the deepest the queue can be. trip_s: there and back when it is empty.
    """

    rate: float
    queue_s: float = 1.0
    trip_s: float = 0.02
    senders: list[Courtesy] = field(default_factory=lambda: [Courtesy()])
    now: float = 0.0
    queued: list[float] = field(default_factory=list)  # bytes of each sender
    wants: float = 2.0  # of the line's rate, where nothing paces
    waits_s: list[float] = field(
        default_factory=list
    )  # what a message sent at each step would wait
    carried: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._pings: list[tuple[float, float]] = []  # when sent, how long they take
        self._before: list[list[tuple[float, float]]] = []
        senders, self.senders = self.senders, []
        for sender in senders:
            self.join(sender)

    def join(self, sender: Courtesy) -> None:
        """Let one more send. Who was linked before bytes flowed knows how long the way is without them."""
        sender.answered(self.trip_s, 0.0, Monotonic(self.now))
        self.senders.append(sender)
        self.queued.append(0.0)
        self.carried.append(0.0)
        self._pings.append((self.now, self.trip_s + self.wait_s))
        self._before.append([(self.now, 0.0)])

    @property
    def wait_s(self) -> float:
        return sum(self.queued) / self.rate

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds / STEP_S)):
            self._step()
            if round(self.now / STEP_S) % round(PING_EVERY_S / STEP_S) == 0:
                self._look()

    def _step(self) -> None:
        for number, sender in enumerate(self.senders):
            most = self.wants * self.rate if sender.pace is None else sender.pace
            room = max(0.0, self.queue_s * self.rate - sum(self.queued))
            self.queued[number] += min(most * STEP_S, room)
        total, leaves = sum(self.queued), self.rate * STEP_S
        for number, queued in enumerate(self.queued):
            went = queued if total <= leaves else leaves * queued / total
            self.queued[number] -= went
            self.carried[number] += went
        self.now += STEP_S
        self.waits_s.append(self.wait_s)

    def _look(self) -> None:
        """Do as `peer.transfers.pacing` does."""
        now, rates, trips = Monotonic(self.now), [], []
        for seen, carried, (sent, trip_s) in zip(
            self._before, self.carried, self._pings, strict=True
        ):
            seen.append((self.now, carried))
            del seen[:-9]
            rates.append((seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]))
            is_over = sent + trip_s <= self.now
            trips.append((trip_s if is_over else self.now - sent, is_over))
        mean, late_mean = means(self.senders, rates, trips)
        for number, sender in enumerate(self.senders):
            trip_s, is_over = trips[number]
            if is_over:
                sender.answered(trip_s, rates[number], now, mean=mean, late_mean=late_mean)
                self._pings[number] = self.now, self.trip_s + self.wait_s
            else:
                sender.awaited(trip_s, rates[number], now, late_mean=late_mean)


def share_below(waits_s: list[float], limit_s: float) -> float:
    return sum(wait < limit_s for wait in waits_s) / len(waits_s)


def test_without_waiting_there_is_no_pace() -> None:
    sender = Courtesy()
    for tick in range(400):
        sender.answered(0.02 + 0.09 * (tick % 2), 1e6, Monotonic(tick * PING_EVERY_S))
    assert sender.pace is None


def test_one_slow_answer_is_no_queue() -> None:
    sender = Courtesy()
    for tick in range(100):
        slow = 0.5 if tick % 2 else 0.0
        sender.answered(0.02 + slow, 1e6, Monotonic(tick * PING_EVERY_S))
    assert sender.pace is None


def test_two_slow_answers_make_it_slower_than_the_line() -> None:
    sender = Courtesy()
    for tick, trip_s in enumerate((0.02, 0.13, 0.13)):
        sender.answered(trip_s, 1e6, Monotonic(tick * PING_EVERY_S))
    assert sender.pace == 300_000  # TCP still doubled: more stands than was seen
    for tick in range(30):
        sender.answered(0.02 if tick < 28 else 0.13, 1e6, Monotonic(10 + tick * PING_EVERY_S))
    assert sender.pace is not None
    assert 500_000 < sender.pace < 800_000
    before = sender.pace
    for tick in range(2):
        sender.answered(0.13, 5e5, Monotonic(20 + tick * PING_EVERY_S))
    assert sender.pace == 350_000 < before


def test_an_answer_that_does_not_come_is_a_slow_one() -> None:
    sender = Courtesy()
    sender.answered(0.02, 1e6, Monotonic(0))
    sender.awaited(0.05, 1e6, Monotonic(0.25))
    sender.awaited(0.25, 1e6, Monotonic(0.5))
    sender.awaited(0.5, 1e6, Monotonic(0.75))
    assert sender.pace == 300_000
    Courtesy().awaited(9.0, 1e6, Monotonic(0))  # nothing to compare with


def test_the_pace_rises_bit_by_bit_until_it_holds_nobody_back() -> None:
    sender = Courtesy()
    for tick, trip_s in enumerate((0.02, 0.13, 0.13, 0.02)):
        sender.answered(trip_s, 1e6, Monotonic(tick * PING_EVERY_S))
    assert sender.pace == 330_000  # fast, as far as the line is known to carry it
    for tick in range(4, 60):
        sender.answered(0.02, 100_000, Monotonic(tick * PING_EVERY_S))
    assert sender.pace is None


def test_a_pace_never_falls_below_its_floor() -> None:
    sender = Courtesy()
    sender.answered(0.02, 1000.0, Monotonic(0))
    for tick in range(1, 50):
        sender.answered(1.0, 1000.0, Monotonic(tick * PING_EVERY_S))
    assert sender.pace == LEAST_BYTES_PER_S


def test_a_way_that_became_longer_is_the_new_measure_after_a_minute() -> None:
    sender = Courtesy()
    sender.answered(0.02, 1e6, Monotonic(0))
    for tick in range(1, 485):
        sender.answered(0.4, 1e6, Monotonic(tick * PING_EVERY_S))
    slow = sender.pace
    assert slow is not None
    for tick in range(485, 495):
        sender.answered(0.4, 1e6, Monotonic(tick * PING_EVERY_S))
    assert sender.pace is not None
    assert sender.pace > slow


@pytest.mark.parametrize("queue_s", [0.15, 0.3, 1.0, 5.0])
@pytest.mark.parametrize("mbit", [1, 20, 1000])
def test_talk_waits_little_on_a_line_that_a_transfer_fills(mbit: int, queue_s: float) -> None:
    line = Line(mbit * 125_000, queue_s)
    line.run(60)
    # the first seconds included: until the second slow answer nothing shows what the line can carry
    assert share_below(line.waits_s, 0.3) >= 0.95
    assert share_below(line.waits_s[300:], 2.5 * EXCESS_S) >= 0.95
    assert sum(line.carried) >= 0.75 * line.rate * 60


def test_four_who_share_a_line_leave_room_for_talk_and_for_each_other() -> None:
    line = Line(2_500_000, 1.0, senders=[Courtesy() for _ in range(4)])
    line.run(60)
    assert share_below(line.waits_s, 0.3) >= 0.95
    assert min(line.carried) > 0.5 * max(line.carried)
    assert sum(line.carried) >= 0.7 * line.rate * 60


def test_who_comes_later_gets_a_share_and_talk_hardly_notices() -> None:
    line = Line(2_500_000, 1.0)
    for _ in range(3):
        line.run(10)
        paces = [each.pace for each in line.senders if each.pace is not None]
        later = Courtesy()
        later.begin(sum(paces) // (2 * len(paces) + 2))
        line.join(later)
    line.run(20)
    before = list(line.carried)
    line.run(40)
    last = [now - then for now, then in zip(line.carried, before, strict=True)]
    assert min(last) > 0.7 * max(last)
    assert share_below(line.waits_s, 0.3) >= 0.95
    assert sum(line.carried) >= 0.75 * line.rate * 90


@pytest.mark.parametrize("queue_s", [0.2, 1.0])
@pytest.mark.parametrize("apart_s", [0.3, 3.0])
def test_friends_who_begin_one_after_another_share_alike_within_seconds(
    apart_s: float, queue_s: float
) -> None:
    line = Line(2_500_000, queue_s)
    for _ in range(3):
        line.run(apart_s)
        rates = [
            each.pace or carried / line.now
            for each, carried in zip(line.senders, line.carried, strict=True)
        ]
        later = Courtesy()
        later.begin(int(sum(rates)) // (2 * len(rates) + 2))
        line.join(later)
    before = list(line.carried)
    line.run(30)
    shares = [now - then for now, then in zip(line.carried, before, strict=True)]
    assert min(shares) > 0.75 * max(shares)
    assert share_below(line.waits_s, 0.3) >= 0.95


def test_a_short_queue_needs_no_pace() -> None:
    line = Line(2_500_000, 0.09)
    line.run(30)
    assert line.senders[0].pace is None
    assert sum(line.carried) > 0.99 * line.rate * 30
