"""For whom a data link is punched ahead of need, when it is tried, and that it is bounded."""

from __future__ import annotations

from typing import Any, cast

from peer.transfers.openlinks import OpenLinks
from peer.transfers.spares import AGAIN_S, TURN_S, Spares
from tests.peer.transfers.test_openlinks import link
from wire import limits
from wire.ids import DeviceId, IdentityKey

SOMEBODY = IdentityKey(bytes(32))


def name(number: int) -> DeviceId:
    return DeviceId(number.to_bytes(16, "big"))


class Around:
    """Whose talk was punched, which links stand, what was dialled, and the clock."""

    def __init__(self) -> None:
        self.talks: list[tuple[DeviceId, IdentityKey, bool]] = []
        self.links = OpenLinks()
        self.dialled: list[tuple[float, DeviceId]] = []
        self.is_wanted = True
        self.now = 0.0
        self.spares = Spares(
            cast("Any", self),
            self.links,
            dial=lambda _, device: self.dialled.append((self.now, device)),
            is_wanted=lambda: self.is_wanted,
            now=lambda: self.now,
        )

    def punched(self) -> list[tuple[DeviceId, IdentityKey, bool]]:
        return self.talks

    def talk(self, number: int, *, is_ours: bool = True) -> DeviceId:
        self.talks.append((name(number), SOMEBODY, is_ours))
        return name(number)

    def pass_time(self, until: float) -> list[float]:
        """Look each second; gives when something was dialled."""
        before = len(self.dialled)
        while self.now < until:
            self.spares.look()
            self.now += 1.0
        return [at for at, _ in self.dialled[before:]]


def test_one_is_tried_at_once_where_it_is_ours_to_begin_and_a_little_later_where_it_is_not() -> (
    None
):
    around = Around()
    ours, theirs = around.talk(1), around.talk(2, is_ours=False)
    around.pass_time(10.0)
    assert around.dialled == [(0.0, ours), (TURN_S, theirs)]
    assert around.spares.keeps(ours)
    assert around.spares.keeps(theirs)
    assert not around.spares.keeps(name(3))


def test_tries_that_come_to_nothing_become_rare_but_go_on() -> None:
    around = Around()
    around.talk(1)
    assert around.pass_time(400.0) == [0.0, 15.0, 45.0, 105.0, 225.0, 345.0]
    around.spares.linked(name(1))  # talk stands anew
    assert around.pass_time(402.0) == [400.0]


def test_while_one_stands_none_is_tried_and_when_it_goes_another_is_at_once() -> None:
    around = Around()
    around.talk(1)
    around.spares.look()
    made = link(1, path="punched")
    around.links.add(made)
    assert around.pass_time(100.0) == []
    around.links.ended(made)
    assert around.pass_time(101.0) == [100.0]


def test_one_that_the_other_side_does_not_keep_is_not_tried_again_and_again() -> None:
    around = Around()
    around.talk(1)
    for at in (0.0, 15.0, 45.0):
        assert around.pass_time(at + 1.0)[-1] == at
        made = link(1, path="punched")
        around.links.add(made)
        around.pass_time(at + 7.0)  # what is idle has gone by then
        around.links.ended(made)


def test_no_more_are_kept_than_may_be_and_who_has_one_keeps_it() -> None:
    around = Around()
    first = [around.talk(number) for number in range(limits.SPARE_LINKS)]
    around.spares.look()
    late = DeviceId(b"\xff" * 16)
    around.talks.insert(0, (late, SOMEBODY, True))
    around.spares.look()
    assert [device for _, device in around.dialled] == first
    assert not around.spares.keeps(late)
    around.talks.pop()
    around.spares.look()
    assert around.spares.keeps(late)
    assert not around.spares.keeps(first[-1])
    assert around.dialled[-1][1] == late


def test_none_is_kept_for_who_is_reached_otherwise_or_where_it_costs() -> None:
    around = Around()
    device = around.talk(1)
    around.is_wanted = False
    around.spares.look()
    assert around.dialled == []
    around.is_wanted = True
    around.spares.look()
    assert around.spares.keeps(device)
    around.talks.clear()
    around.spares.look()
    assert not around.spares.keeps(device)
    assert AGAIN_S[0] > limits.DIAL_TIMEOUT_S
