"""What nobody needs any more is taken away, and nothing else; and which transfers may be opened when."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from peer.effects import Effect
from peer.transfers import manager, offerings, stopping
from peer.transfers.incoming import Incoming
from peer.transfers.shelf import Shelf
from peer.transfers.sink import Sink
from peer.transfers.survey import survey
from peer.transfers.tidying import Tidying, leftovers
from peer.transfers.underway import UnderWay
from tests.harness.offers import accept, bring, decline, key_of, offer, transfers
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Rows
from wire.codes import Code
from wire.ids import OfferId
from wire.transfer.manifest import Entry

Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def accepted(alice: SimPeer, bob: SimPeer, folder: Path) -> tuple[str, str]:
    """Let bob take an offer whose parts stand in a folder; gives the offer's id and the transfer's."""
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(accept(bob, offered, str(folder))[1], bob, alice)
    Sink.open(folder, key_of(alice, offered), "holiday", [Entry("holiday", 0, 5, False, 0)]).close()
    return offered, transfers(bob)[-1].id


def cancel(one: SimPeer, transfer: str) -> list[Effect]:
    _, effects = one.database.write(
        stopping.cancel, one.keys, transfer, one.world.wall(), one.entropy
    )
    one.database.commit()
    return effects


def parts(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def tidying_of(one: SimPeer, shelf: Shelf) -> Tidying:
    return Tidying(Rows(one), shelf)  # type: ignore[arg-type]


def offer_id(text: str) -> OfferId:
    return OfferId(bytes.fromhex(text))


async def test_the_parts_of_what_was_called_off_go_and_those_of_others_stay(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    first, transfer = accepted(alice, bob, tmp_path)
    accepted(alice, bob, tmp_path)
    assert len(parts(tmp_path)) == 2
    tidying = tidying_of(bob, Shelf(tmp_path / "offers"))
    await tidying.tidy_folders()
    assert len(parts(tmp_path)) == 2
    cancel(bob, transfer)
    await tidying.tidy([offer_id(first)], busy=())
    assert len(parts(tmp_path)) == 1
    assert bob.database.read(leftovers) == []


async def test_parts_that_are_open_stay_until_they_are_closed(pair: Pair, tmp_path: Path) -> None:
    alice, bob = pair
    first, transfer = accepted(alice, bob, tmp_path)
    number = bob.database.read(manager.due)[0].number
    cancel(bob, transfer)
    tidying = tidying_of(bob, Shelf(tmp_path / "offers"))
    await tidying.tidy([offer_id(first)], busy=[number])
    assert len(parts(tmp_path)) == 1
    await tidying.tidy([offer_id("00" * 16)], busy=())
    assert len(parts(tmp_path)) == 1
    await tidying.tidy([offer_id(first)], busy=())
    assert parts(tmp_path) == []


async def test_parts_on_a_disk_that_is_away_are_taken_away_when_it_is_back(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    folder = tmp_path / "disk"
    folder.mkdir()
    _, transfer = accepted(alice, bob, folder)
    cancel(bob, transfer)
    folder.rename(tmp_path / "away")
    tidying = tidying_of(bob, Shelf(tmp_path / "offers"))
    await tidying.tidy_folders()
    assert [left.folder for left in bob.database.read(leftovers)] == [folder]
    (tmp_path / "away").rename(folder)
    await tidying.tidy_folders()
    assert parts(folder) == []
    assert bob.database.read(leftovers) == []


async def test_a_node_that_ends_takes_no_more_away_and_the_next_one_does(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob, tmp_path)
    cancel(bob, transfer)
    ending = tidying_of(bob, Shelf(tmp_path / "offers"))
    ending.end()
    await ending.tidy_folders()
    assert len(parts(tmp_path)) == len(bob.database.read(leftovers)) == 1
    await tidying_of(bob, Shelf(tmp_path / "offers")).tidy_folders()
    assert parts(tmp_path) == []
    assert bob.database.read(leftovers) == []


async def test_what_failed_keeps_its_parts_until_its_offer_is_over(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    _, transfer = accepted(alice, bob, tmp_path)
    number = bob.database.read(manager.due)[0].number
    bob.database.write(manager.failed, number, Code.CHANGED_AT_SENDER, bob.world.wall())
    bob.database.commit()
    tidying = tidying_of(bob, Shelf(tmp_path / "offers"))
    await tidying.tidy_folders()
    assert len(parts(tmp_path)) == 1
    cancel(bob, transfer)
    await tidying.tidy_folders()
    assert parts(tmp_path) == []


async def test_the_shelf_keeps_what_may_be_taken_and_what_is_being_offered_right_now(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    path = tmp_path / "note.txt"
    path.write_bytes(b"content")
    shelf = Shelf(tmp_path / "offers")
    stands, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    over, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    bring(decline(bob, over)[1], bob, alice)
    for each in (stands, over, "ab" * 16):  # the last: kept, its event not written yet
        shelf.keep(offer_id(each), survey([path]))
    tidying = tidying_of(alice, shelf)
    await tidying.tidy([offer_id(each) for each in (stands, over, "ab" * 16)], busy=())
    assert [shelf.load(offer_id(each)) is None for each in (stands, over, "ab" * 16)] == [
        False,
        True,
        False,
    ]
    await tidying.begin()  # a node begins: what has no event by now never gets one
    assert shelf.load(offer_id("ab" * 16)) is None
    assert shelf.load(offer_id(stands)) is not None


def stream(room: Path, name: str) -> Path:
    (room / name).mkdir(parents=True)
    (room / name / "tape").write_bytes(b"content")
    return room / name / "tape"


def streams(room: Path) -> list[str]:
    return sorted(path.name for path in room.iterdir())


async def test_what_came_from_stdin_goes_when_nobody_may_come_for_it(
    pair: Pair, tmp_path: Path
) -> None:
    alice, bob = pair
    room = tmp_path / "stdin"
    shelf = Shelf(tmp_path / "offers", room)
    tidying = tidying_of(alice, shelf)
    offered: dict[str, str] = {}
    for name in ("stands", "taken", "refused", "had"):
        offered[name], effects = offer(alice, "bob")
        shelf.streams.note([stream(room, name)], offer_id(offered[name]))
        bring(effects, alice, bob)
    shelf.streams.note([stream(room, "twice")], offer_id(offered["stands"]))
    shelf.streams.note([room / "twice" / "tape", tmp_path], offer_id(offered["had"]))
    bring(accept(bob, offered["taken"])[1], bob, alice)
    bring(accept(bob, offered["had"])[1], bob, alice)
    bring(decline(bob, offered["refused"])[1], bob, alice)
    [_, due] = bob.database.read(manager.due)
    effects = bob.database.write(
        manager.finished, bob.keys, due.number, tmp_path / "x", bob.world.wall(), bob.entropy
    )
    bob.database.commit()
    bring(effects, bob, alice)
    before = streams(room)
    await tidying.tidy([offer_id("00" * 16)], busy=())
    assert streams(room) == before
    await tidying.tidy([offer_id(each) for each in offered.values()], busy=())
    left = ["stands", "taken", "twice"]
    assert streams(room) == sorted([*left, *(f"{each}.offer" for each in left)])


async def test_streams_that_nobody_was_offered_go_when_a_node_begins(
    pair: Pair, tmp_path: Path
) -> None:
    alice, _ = pair
    room = tmp_path / "stdin"
    shelf = Shelf(tmp_path / "offers", room)
    await tidying_of(alice, shelf).begin()  # there are none
    shelf.streams.note([stream(room, "unmade")], offer_id("ab" * 16))
    for name in ("fresh", "growing", "abandoned"):
        stream(room, name)
    for path in (room / "growing", room / "abandoned", room / "abandoned" / "tape"):
        os.utime(path, (0, 0))
    (room / "cut.offer").write_bytes(b"abab")  # what was beside a stream that is gone
    await tidying_of(alice, shelf).begin()
    assert streams(room) == ["cut.offer", "fresh", "growing"]


# --- which transfers may be opened when


@pytest.fixture
def coming(pair: Pair) -> list[Incoming]:
    alice, bob = pair
    for _ in range(2):
        offered, effects = offer(alice, "bob")
        bring(effects, alice, bob)
        accept(bob, offered)
    return [Incoming(due, lambda *_: None) for due in bob.database.read(manager.due)]


async def test_nobody_opens_a_transfer_anew_before_it_is_closed(coming: list[Incoming]) -> None:
    first, second = coming
    under_way = UnderWay()
    for transfer in coming:
        under_way.open[transfer.due.number] = transfer
    assert under_way.take_out(first.due.number) is first
    assert list(under_way.open) == [second.due.number]
    assert under_way.busy == {first.due.number, second.due.number}
    assert not under_way.may_begin(first.due.number, 0.0)
    async with asyncio.TaskGroup() as group:
        group.create_task(under_way.all_closed())
        under_way.closed(first)
    assert under_way.may_begin(first.due.number, 0.0)


def test_what_was_set_aside_waits_its_time_or_until_its_friend_goes_on(
    coming: list[Incoming],
) -> None:
    first, second = coming
    under_way = UnderWay()
    under_way.set_aside(first, 0.0, (15.0, 600.0), is_held=True)
    under_way.set_aside(second, 0.0, (15.0, 600.0), is_held=False)
    assert not under_way.may_begin(first.due.number, 14.9)
    assert under_way.may_begin(first.due.number, 15.0)
    under_way.let_ask(first.due.key.device)
    assert under_way.may_begin(first.due.number, 0.0)
    assert not under_way.may_begin(second.due.number, 14.9)


def test_what_a_friend_holds_is_asked_for_less_and_less_often(coming: list[Incoming]) -> None:
    first, _ = coming
    under_way, now = UnderWay(), 100.0
    waits = []
    for _ in range(8):
        under_way.set_aside(first, now, (15.0, 600.0), is_held=True)
        waits.append(next(s for s in range(2000) if under_way.may_begin(first.due.number, now + s)))
    assert waits == [15, 30, 60, 120, 240, 480, 600, 600]
    under_way.let_ask(first.due.key.device)
    under_way.set_aside(first, now, (15.0, 600.0), is_held=True)
    assert under_way.may_begin(first.due.number, now + 15)


def test_what_brought_something_meanwhile_waits_as_shortly_as_at_first(
    coming: list[Incoming],
) -> None:
    first, _ = coming
    under_way = UnderWay()

    def waits_s() -> int:
        under_way.set_aside(first, 0.0, (1.0, 15.0), is_held=False)
        return next(s for s in range(100) if under_way.may_begin(first.due.number, s))

    assert [waits_s() for _ in range(5)] == [1, 2, 4, 8, 15]
    first.resumed_at = -1
    assert waits_s() == 1
    first.resumed_at = 0
    assert waits_s() == 2


def test_nothing_is_kept_of_what_is_over(coming: list[Incoming]) -> None:
    first, second = coming
    under_way = UnderWay()
    for transfer in coming:
        under_way.set_aside(transfer, 0.0, (15.0, 600.0), is_held=True)
        under_way.is_refused_again(transfer.due.number)
    under_way.forget_all_but({second.due.number})
    assert under_way.may_begin(first.due.number, 0.0)
    assert not under_way.may_begin(second.due.number, 0.0)
    assert not under_way.is_refused_again(first.due.number)
    assert under_way.is_refused_again(second.due.number)


def test_a_refusal_counts_from_the_second_time_on(coming: list[Incoming]) -> None:
    under_way = UnderWay()
    assert [under_way.is_refused_again(1) for _ in range(3)] == [False, True, True]
    assert not under_way.is_refused_again(2)


def test_an_offer_that_was_never_made_is_not_over(pair: Pair) -> None:
    alice, bob = pair
    offered, effects = offer(alice, "bob")
    bring(effects, alice, bob)
    assert not alice.database.read(offerings.is_over, offer_id("00" * 16))
    assert not alice.database.read(offerings.is_over, offer_id(offered))
