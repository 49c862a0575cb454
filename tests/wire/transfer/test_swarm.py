"""Planning with several sources: who is asked for what, who is too slow, who stalls, and what a Have may say."""

from __future__ import annotations

import pytest

from tests.wire.transfer.swarming import KEY, MIB
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import Have, Span
from wire.transfer.places import Places
from wire.transfer.ranges import RangeSet
from wire.transfer.swarm import Swarm, own_start

A, B, C, D = KEY.device, *(DeviceId(bytes([number]) * 16) for number in (1, 2, 3))
ALL = RangeSet([(0, 100)])


def at(seconds: float) -> Monotonic:
    return Monotonic(seconds)


def swarm(*holders: DeviceId, start: int = 0) -> Swarm:
    """A swarm about a file of 100 chunks; the offering device is a member."""
    made = Swarm(Places([100 * MIB]), offering=A, start=start)
    for device in (A, *holders):
        made.join(device, at(1))
    return made


def have(*held: tuple[int, int], fetching: tuple[tuple[int, int], ...] = ()) -> Have:
    return Have(
        0,
        tuple(Span(first, stop - first) for first, stop in held),
        tuple(Span(first, stop - first) for first, stop in fetching),
    )


def code_of(swarm: Swarm, said: Have, now: float = 1.0) -> Code:
    with pytest.raises(RemoteProtocolError) as caught:
        swarm.on_have(B, said, at(now))
    return caught.value.code


def test_the_offering_device_is_asked_for_what_nobody_has_or_fetches_from_ones_own_place_on() -> (
    None
):
    made = swarm(B, C, start=50)
    made.on_have(B, have((0, 10), fetching=((60, 70),)), at(1))
    made.on_have(C, have((90, 100)), at(1))
    assert made.choose(A, ALL, ALL, at(1)) == [(50, 60), (70, 90), (10, 50)]
    assert made.choose(A, RangeSet(), ALL, at(1)) == []


def test_what_somebody_says_they_fetch_counts_while_they_tell_of_something_new() -> None:
    made = swarm(B)
    made.on_have(B, have(fetching=((0, 5),)), at(1))
    assert made.choose(A, ALL, ALL, at(1 + limits.CLAIM_S - 0.1)) == [(5, 100)]
    made.on_have(B, have((99, 100), fetching=((0, 5),)), at(15))
    assert made.choose(A, ALL, ALL, at(1 + limits.CLAIM_S)) == [(5, 99)]
    assert made.choose(A, ALL, ALL, at(15 + limits.CLAIM_S)) == [(0, 99)]


def test_a_holder_is_asked_for_the_rarest_that_is_signed_first() -> None:
    made = swarm(B, C, D, start=40)
    made.on_have(B, have((0, 60)), at(1))
    made.on_have(C, have((10, 20), (40, 50)), at(1))
    made.on_have(D, have((10, 15)), at(1))
    signed = RangeSet([(0, 55)])
    assert made.choose(B, ALL, signed, at(1)) == [
        (50, 55),
        (0, 10),
        (20, 40),
        (40, 50),
        (15, 20),
        (10, 15),
    ]


def test_the_offering_device_helps_where_the_others_together_are_slower_than_it() -> None:
    made = swarm(B)
    made.on_have(B, have((0, 100)), at(1))
    made.members[A].ask(40 * MIB, at(1))
    made.members[A].bring(40 * MIB, at(5))
    made.members[B].ask(2 * MIB, at(1))
    made.members[B].bring(2 * MIB, at(5))
    assert made.choose(A, ALL, ALL, at(5)) == []  # the other is tried alone first
    assert made.choose(A, ALL, ALL, at(8)) == [(0, 100)]
    made.members[B].ask(60 * MIB, at(8))
    made.members[B].bring(60 * MIB, at(9))
    assert made.choose(A, ALL, ALL, at(9)) == []
    assert made.choose(A, ALL, ALL, at(40)) == [(0, 100)]  # its rate was true long ago


@pytest.mark.parametrize(
    ("lacks", "rate", "tried_s"),
    [
        (100, 1.0, 3.0),
        (20, 1.0, 2.0),
        (5, 1.0, 0.5),
        (5, 10.0, 0.25),
        (1, 1.0, 0.25),
        (1, 0.0, 3.0),  # they brought nothing yet: nobody knows how long they will need
    ],
)
def test_the_others_are_tried_alone_for_as_long_as_there_is_something_to_win(
    lacks: int, rate: float, tried_s: float
) -> None:
    made, missing = swarm(B), RangeSet([(0, lacks)])
    made.on_have(B, have((0, 100)), at(1))
    made.members[B].ask(10 * MIB, at(1))
    if rate:
        made.members[B].bring(int(rate * MIB), at(2))
    assert made.choose(A, missing, ALL, at(2)) == []
    assert made.choose(A, missing, ALL, at(2 + tried_s - 0.01)) == []
    assert made.choose(A, missing, ALL, at(2 + tried_s)) == [(0, lacks)]


def test_a_window_is_what_a_source_brings_in_a_few_seconds() -> None:
    made = swarm(B)
    assert made.window(B) == limits.WINDOW_LEAST_BYTES
    made.members[B].ask(MIB, at(1))
    made.members[B].bring(MIB, at(1.5))
    assert made.window(B) == pytest.approx(2 * MIB * limits.WINDOW_AHEAD_S)
    made.members[B].ask(90 * MIB, at(2))
    made.members[B].bring(90 * MIB, at(2.1))
    assert made.window(B) == limits.WINDOW_BYTES


def test_the_last_range_of_a_slow_source_is_raced_by_an_idle_one_that_has_it() -> None:
    made = swarm(B, C)
    made.on_have(B, have((0, 100)), at(1))
    made.on_have(C, have((0, 98)), at(1))
    made.members[A].ask(3 * MIB, at(1))
    owed = {A: RangeSet([(97, 100)]), C: RangeSet(), B: RangeSet([(1, 2)])}
    assert made.race(B, owed, ALL, at(2)) == []  # it may still come in time
    assert made.race(B, owed, ALL, at(9)) == [(97, 100)]
    assert made.race(C, owed, ALL, at(9)) == [(97, 98)]
    assert made.race(C, {A: RangeSet([(99, 100)])}, ALL, at(9)) == []
    made.members[A].bring(MIB, at(9))
    made.members[B].ask(MIB, at(9))
    assert made.race(B, owed, ALL, at(20)) == []  # it has enough to do
    made.members[B].bring(MIB, at(9.1))
    assert made.race(B, owed, ALL, at(20)) == [(97, 100)]
    assert made.race(A, {B: RangeSet([(1, 2)])}, ALL, at(19)) == []  # not slower than that
    made.members[C].silent_until = at(99)
    assert made.race(C, owed, ALL, at(20)) == []


def test_the_offering_device_races_only_who_is_slow_for_long() -> None:
    made = swarm(B)
    made.on_have(B, have((0, 100)), at(1))
    made.members[B].ask(3 * MIB, at(1))
    owed = {B: RangeSet([(97, 100)])}
    assert made.race(A, owed, ALL, at(10.9)) == []
    assert made.race(A, owed, ALL, at(11)) == [(97, 100)]


def stalled(
    made: Swarm, first: float, last: float, alive: dict[DeviceId, Monotonic], every: float = 0.5
) -> list[DeviceId]:
    """Look every so often; gives who stalls in the end, and nobody did before."""
    for number in range(round((last - first) / every)):
        assert made.stalled(at(first + number * every), alive) == []
    return made.stalled(at(last), alive)


def test_who_brings_not_a_byte_or_not_a_chunk_while_others_do_stalls() -> None:
    made = swarm(B)
    made.members[B].ask(MIB, at(1))
    assert stalled(made, 1, 5.5, {}) == []
    assert made.stalled(at(6), {B: at(5.8)}) == []
    assert stalled(made, 6.5, 11, {B: at(5.8)}) == [B]
    for second in range(12, 60):
        assert made.stalled(at(second), {B: at(second)}) == []  # nobody else brings anything
    made.join(C, at(20))
    made.members[C].ask(MIB, at(20))
    made.members[C].bring(MIB, at(21))
    assert made.stalled(at(60), {B: at(60)}) == [B]
    made.leave(A)
    made.leave(C)
    assert made.stalled(at(61), {}) == []  # it is all there is


def test_nobody_is_blamed_for_what_came_while_we_stood_still_ourselves() -> None:
    made = swarm(B, C)
    for device in (B, C):
        made.members[device].ask(2 * MIB, at(1))
    assert made.stalled(at(1), {}) == []
    assert made.stalled(at(90), {}) == []  # our disk held us, and both wait in our sockets
    made.members[C].bring(MIB, at(90))
    assert made.stalled(at(90.1), {}) == []
    made.members[B].bring(MIB, at(90.1))
    assert stalled(made, 90.5, 95, {C: at(94)}) == []
    assert stalled(made, 95.5, 95.5, {C: at(94)}) == [B]  # it brings nothing while we look
    # looks that come late each time find out who is silent all the same
    late = swarm(B)
    late.members[B].ask(MIB, at(1))
    assert stalled(late, 10, 50, {}, every=10) == [B]


def test_what_a_holder_could_not_give_it_does_not_have() -> None:
    made = swarm(B)
    made.on_have(B, have((0, 100)), at(1))
    made.lacks(B, 0, 90)
    made.lacks(A, 0, 90)
    assert made.choose(B, ALL, ALL, at(1)) == [(90, 100)]


def test_a_have_of_chunks_that_the_offer_has_not_or_of_too_much_is_refused() -> None:
    assert code_of(swarm(B), have((99, 101))) is Code.NUMBER_RANGE
    assert code_of(swarm(B), have(fetching=((0, 80),))) is Code.NUMBER_RANGE


def test_holders_that_tell_too_often_or_in_too_many_pieces_are_refused() -> None:
    made = swarm(B)
    for _ in range(limits.HELD_HAVES):
        made.on_have(B, have((0, 1)), at(1))
    assert code_of(made, have((0, 1))) is Code.FLOOD
    made = Swarm(Places([(2 * limits.HELD_SPANS + 9) * MIB]), offering=A, start=0)
    made.join(B, at(1))
    for first in range(0, 2 * limits.HELD_SPANS, 2 * limits.HAVE_SPANS):
        made.on_have(
            B,
            have(*((at, at + 1) for at in range(first, first + 2 * limits.HAVE_SPANS, 2))),
            at(1),
        )
    assert code_of(made, have((2 * limits.HELD_SPANS + 1, 2 * limits.HELD_SPANS + 2))) is Code.FLOOD
    made.join(A, at(1))
    with pytest.raises(RemoteProtocolError):
        made.on_have(A, have((0, 1)), at(1))


def test_everybody_begins_in_a_share_of_their_own() -> None:
    names = [b"a", b"b", b"c", b"d"]
    starts = [own_start(400, own, names, 0.5) for own in names]
    assert starts == [50, 150, 250, 350]
    assert own_start(0, b"a", [], 0.9) == 0
    assert own_start(10, b"a", [], 0.9) == 9
