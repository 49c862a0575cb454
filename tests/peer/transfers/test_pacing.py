"""What paces are set on real links of one node: what a person set for this minute, and what follows from round trips."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from peer.settings.bandwidth import Bandwidth
from peer.settings.quantities import spans
from peer.transfers.openlinks import OpenLink
from peer.transfers.pacing import FLOWS_BYTES, Pacing
from wire.ids import BootId, DeviceId, IdentityKey, LinkKey

BOB = IdentityKey(b"b" * 32)
CAROL = IdentityKey(b"c" * 32)


@dataclass
class Outlet:
    """What a socket would tell and be told."""

    arrived_bytes: int = 0
    paces: list[int | None] = field(default_factory=list)

    def set_pace(self, bytes_per_s: int | None) -> None:
        self.paces.append(bytes_per_s)


@dataclass
class Bulk:
    outlet: Outlet


def link_to(device: int, identity: IdentityKey = BOB) -> tuple[OpenLink, Outlet]:
    outlet = Outlet()
    link = OpenLink(
        DeviceId(bytes([device]) * 16),
        identity,
        LinkKey(bytes(32)),
        True,
        BootId(bytes(16)),
        cast("Any", Bulk(outlet)),
        cast("Any", None),
        "direct",
    )
    return link, outlet


@dataclass
class Talk:
    """Round trips as a test wants them; pinged: whom we asked, in order."""

    trip: tuple[float, bool] | None = (0.02, True)
    pinged: list[int] = field(default_factory=list)

    def measure(self, device: DeviceId) -> tuple[float, bool] | None:
        self.pinged.append(device[0])
        return self.trip


def noon() -> int:
    return 12 * 60


@pytest.mark.asyncio
async def test_links_are_measured_while_bytes_flow_and_only_then() -> None:
    talk = Talk()
    pacing = Pacing(talk.measure, noon)
    (one, flows), (two, _) = link_to(1), link_to(2)
    pacing.opened(one)
    pacing.opened(two)
    assert talk.pinged == [1, 2]  # before any byte
    for _ in range(3):
        flows.arrived_bytes += FLOWS_BYTES
        pacing.look()
    for _ in range(20):  # until a second has passed without bytes
        pacing.look()
    assert set(talk.pinged[2:]) == {1}
    assert len(talk.pinged) < 20
    assert flows.paces == []
    pacing.ended(one)
    pacing.ended(two)


@pytest.mark.asyncio
async def test_a_link_whose_talk_waits_gets_a_pace_and_loses_it_when_nothing_waits() -> None:
    talk = Talk()
    pacing = Pacing(talk.measure, noon)
    link, outlet = link_to(1)
    pacing.opened(link)
    for talk.trip in ((0.5, False), (0.4, True)):
        outlet.arrived_bytes += 10 * FLOWS_BYTES
        pacing.look()
    assert len(outlet.paces) == 1
    assert outlet.paces[0] is not None
    talk.trip = (0.02, True)
    while outlet.paces[-1] is not None:
        outlet.arrived_bytes += FLOWS_BYTES
        pacing.look()
    talk.trip = None  # no link for talk: nothing is known
    outlet.arrived_bytes += FLOWS_BYTES
    pacing.look()
    assert outlet.paces[-1] is None


@pytest.mark.asyncio
async def test_who_begins_while_others_flow_begins_with_a_share_of_theirs() -> None:
    pacing = Pacing(Talk().measure, noon)
    (one, first), (two, second), (three, third) = link_to(1), link_to(2), link_to(3)
    pacing.opened(one)
    pacing.opened(two)  # nothing flows yet: it may go as fast as it can
    for _ in range(8):
        first.arrived_bytes += 1_000_000
        pacing.look()
    assert (first.paces, second.paces) == ([], [])
    pacing.opened(three)
    assert len(third.paces) == 1
    assert third.paces[0] is not None
    second.arrived_bytes += FLOWS_BYTES
    pacing.look()
    assert len(second.paces) >= 1
    assert first.paces == []


@pytest.mark.asyncio
async def test_who_cannot_be_measured_is_held_back_by_no_pace() -> None:
    talk = Talk()
    pacing = Pacing(talk.measure, noon)
    (one, first), (two, second) = link_to(1), link_to(2)
    pacing.opened(one)
    for _ in range(8):
        first.arrived_bytes += 1_000_000
        pacing.look()
    pacing.opened(two)
    [begun] = second.paces
    assert begun is not None
    talk.trip = None
    second.arrived_bytes += FLOWS_BYTES
    pacing.look()
    assert second.paces == [begun, None]
    (three, third) = link_to(3)
    pacing.opened(three)
    third.arrived_bytes += FLOWS_BYTES
    pacing.look()
    assert third.paces == []


@pytest.mark.asyncio
async def test_what_was_set_holds_for_all_and_for_each_friend() -> None:
    pacing = Pacing(Talk().measure, noon)
    everyone, bob = pacing.paces(BOB)
    assert not everyone.up.is_set
    pacing.set(Bandwidth(up=1000), {BOB: Bandwidth(down=500)})
    again, carol = pacing.paces(CAROL)
    assert again is everyone
    assert [pace.is_set for pace in (everyone.up, everyone.down)] == [True, False]
    assert [pace.is_set for pace in (bob.up, bob.down)] == [False, True]
    assert [pace.is_set for pace in (carol.up, carol.down)] == [False, False]
    pacing.set(Bandwidth(), {})
    assert not everyone.up.is_set
    assert not bob.down.is_set


@pytest.mark.asyncio
async def test_hours_begin_and_end_by_the_clock() -> None:
    minutes = iter([0, 8 * 60 - 1, 8 * 60, 18 * 60 - 1, 18 * 60])
    pacing = Pacing(Talk().measure, lambda: next(minutes))
    everyone, _ = pacing.paces(BOB)
    pacing.set(Bandwidth(schedule=spans("08:00-18:00 up 1MB/s")), {})
    seen = []
    for _ in range(3):
        seen.append(everyone.up.is_set)
        pacing.look()
    assert [*seen, everyone.up.is_set] == [False, True, True, False]


@pytest.mark.parametrize(
    ("minute", "wanted"),
    [
        (0, (None, 2_000_000)),
        (6 * 60 - 1, (None, 2_000_000)),
        (6 * 60, (1_000_000, 2_000_000)),
        (12 * 60, (50_000, 5_000_000)),
        (22 * 60, (None, 2_000_000)),
        (24 * 60 - 1, (None, 2_000_000)),
    ],
)
def test_a_schedule_changes_what_it_names_and_nothing_else(
    minute: int, wanted: tuple[int | None, int | None]
) -> None:
    schedule = spans("22:00-06:00 up off, 08:00-18:00 up 50KB/s down 5MB/s")
    assert Bandwidth(1_000_000, 2_000_000, schedule).at(minute) == wanted
