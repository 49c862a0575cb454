"""What is served to whom, what becomes of the sender's rows, and the figures of what is under way."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

from peer.effects import OfferAgain
from peer.people import befriending
from peer.transfers import ledger, manager, offerings, stopping
from peer.transfers.figures import Figures
from peer.transfers.ledger import Live
from peer.transfers.outgoing import Outgoing, Served
from peer.transfers.serving import Serving
from peer.transfers.shelf import Shelf
from peer.transfers.survey import survey
from tests.harness.offers import MIB, accept, bring, key_of, offer, transfers
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.stations import Rows
from tests.harness.talk import told
from wire.codes import Code
from wire.ids import DeviceId, IdentityKey, OfferId
from wire.messages.transfer import ChunkRange, Fetch, Verified
from wire.transfer import manifest
from wire.transfer.holding import OfferKey
from wire.transfer.states import TransferState

UNKNOWN = Code.UNKNOWN_OFFER
DEVICE = DeviceId(b"d" * 16)


class Talk:
    """One link, as far as serving needs it."""

    def __init__(self, *served: Any) -> None:
        self.device = DEVICE
        self.served = list(served)
        self.ever_served = self.served
        self.withdrawn: list[Any] = []

    def withdraw(self, key: OfferKey, code: Code) -> None:
        self.withdrawn.append((key, code))

    def let_go(self, key: OfferKey) -> None:
        pass


def rows(person: SimPeer) -> Any:
    """A database as it is used here."""
    return Rows(person)


def a_talk(*served: Any) -> Any:
    """A link as it is used here."""
    return Talk(*served)


class Sender:
    """Alice's side: a shelf, the book, and what was told."""

    def __init__(self, alice: SimPeer, folder: Path) -> None:
        self.alice = alice
        self.effects: list[Any] = []
        self.is_told = asyncio.Event()
        self.shelf = Shelf(folder)
        self.incoming: dict[Any, Any] = {}
        self.link: Any = None  # over which it was asked for last
        self.figures = Figures(rows(alice), self.incoming, self.carry_out)
        self.serving = Serving(rows(alice), alice.keys, self.shelf, self.figures, self.carry_out)

    def carry_out(self, effects: list[Any]) -> None:
        self.effects += effects
        self.is_told.set()

    def offer(self, bob: SimPeer, *paths: Any) -> OfferKey:
        found = survey(paths)
        offer_id = OfferId(self.alice.entropy.bytes(16))
        self.shelf.keep(offer_id, found)
        contents = manager.Contents(
            found.title, len(found.files), found.size, manifest.top_names(found.entries),
            len(found.manifest), manifest.digest(found.manifest), found.skipped,
        )  # fmt: skip
        offered, effects = offer(self.alice, "bob", what=contents, offer_id=offer_id)
        bring(effects, self.alice, bob)
        bring(accept(bob, offered)[1], bob, self.alice)
        return key_of(self.alice, offered)

    async def find(self, identity: bytes, key: OfferKey) -> Any:
        served: Any = self.serving.find(IdentityKey(identity), key)
        await self.serving.found(served, DEVICE)
        self.link = a_talk(served)
        await self.serving.started(served, self.link)
        return served

    def states(self) -> list[str]:
        return [str(body["state"]) for body in told(self.effects, "transfer")]


@pytest.fixture
def pair() -> tuple[SimPeer, SimPeer]:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


@pytest.fixture
def sender(pair: tuple[SimPeer, SimPeer], tmp_path: Path) -> Sender:
    return Sender(pair[0], tmp_path / "offers")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "note.txt"
    found.write_bytes(b"content")
    return found


async def test_a_friend_is_given_what_was_offered_to_them(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    _, bob = pair
    key = sender.offer(bob, path)
    served: Any = await sender.find(bob.keys.identity, key)
    assert (served.holding.key, served.holding.sizes) == (key, [7])
    into = memoryview(bytearray(7))
    assert served.reader.read(0, 0, into) is None
    assert bytes(into) == b"content"
    assert sender.states() == ["running"]
    again = sender.serving.find(bob.keys.identity, key, served)
    assert again is served
    other_link: Any = sender.serving.find(bob.keys.identity, key)
    assert isinstance(served, Served)
    assert other_link.reader is not served.reader  # it has a thread of its own
    sender.serving.close()


async def test_nobody_else_is_given_anything(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    serving = sender.serving
    mallory = SimPeer.make(alice.world, "mallory")
    assert serving.find(mallory.keys.identity, key) is UNKNOWN
    foreign = OfferKey(bob.keys.device, key.offer)
    assert await serving.lend(bob.keys.identity, foreign) is UNKNOWN
    unknown = OfferKey(alice.keys.device, OfferId(b"u" * 16))
    assert serving.find(bob.keys.identity, unknown) is UNKNOWN
    sender.shelf.drop(key.offer)
    assert serving.find(bob.keys.identity, key) is UNKNOWN
    assert sender.effects == []


async def test_a_link_that_ends_lets_the_senders_row_wait(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    _, bob = pair
    key = sender.offer(bob, path)
    await sender.find(bob.keys.identity, key)
    await sender.serving.left(sender.link)
    assert sender.states() == ["running", "waiting"]
    assert sender.figures.live() == {}
    assert isinstance(sender.serving.find(bob.keys.identity, key), Served)


async def test_what_cannot_be_had_in_all_its_files_has_failed(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path, tmp_path: Path
) -> None:
    alice, bob = pair
    other = tmp_path / "other.txt"
    other.write_bytes(b"other")
    key = sender.offer(bob, path, other)
    served = await sender.find(bob.keys.identity, key)
    served.holding.failed[0] = Code.CHANGED_AT_SENDER
    await sender.serving.left(sender.link)
    assert sender.states()[-1] == "waiting"
    served.holding.failed[1] = Code.NO_SUCH_FILE
    await sender.serving.left(sender.link)
    [ended] = transfers(alice)
    assert ended.error is not None
    assert (ended.state, ended.error["code"]) == ("failed", "changed-at-sender")
    again = await sender.find(bob.keys.identity, key)
    assert again.holding.failed == {}  # whoever accepts it anew is given what is there then
    sender.serving.close()


async def test_what_was_hashed_is_known_to_another_life_and_to_another_device(
    pair: tuple[SimPeer, SimPeer], sender: Sender, tmp_path: Path
) -> None:
    _, bob = pair
    content = os.urandom(3 * MIB)
    path = tmp_path / "big"
    path.write_bytes(content)
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    outgoing = Outgoing(lambda key, _: served, lambda _: None, lambda _: None)
    outgoing.heard(Fetch(1, *key, (ChunkRange(0, 0, 3),)))
    into = memoryview(bytearray(MIB))
    while outgoing.next_record(into) is not None:
        pass
    other: Any = sender.serving.find(bob.keys.identity, key)
    assert other.holding.root(0) == served.holding.root(0) is not None
    await sender.serving.left(sender.link)
    sender.serving.close()
    again = Serving(rows(sender.alice), sender.alice.keys, sender.shelf, sender.figures, print)
    found: Any = again.find(bob.keys.identity, key)
    assert found.holding.root(0) == served.holding.root(0)
    again.close()
    sender.shelf.sweep([key.offer])
    assert [*sender.shelf.digests(key.offer).load()] != []
    sender.shelf.drop(key.offer)
    assert [*sender.shelf.digests(key.offer).load()] == []


async def test_what_is_not_theirs_any_more_is_served_no_more(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    talk: Any = Talk(served)
    sender.serving.withdraw(bob.keys.identity, talk)
    assert talk.withdrawn == []
    alice.database.write(befriending.remove, "bob", alice.world.wall())
    alice.database.commit()
    sender.serving.withdraw(bob.keys.identity, talk)
    assert talk.withdrawn == [(key, Code.UNKNOWN_OFFER)]
    assert sender.figures.live() == {}
    await sender.serving.left(a_talk())
    sender.serving.close()


async def test_what_is_paused_is_refused_as_such_and_served_again_when_it_is_resumed(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    [leaves] = transfers(alice)
    alice.database.write(stopping.pause, leaves.id, alice.world.wall())
    talk: Any = Talk(served)
    sender.serving.withdraw(bob.keys.identity, talk)
    assert talk.withdrawn == [(key, Code.PAUSED)]
    assert sender.serving.find(bob.keys.identity, key) is Code.PAUSED
    await sender.serving.left(a_talk())
    assert [t.state for t in transfers(alice)] == ["paused"]
    _, effects = alice.database.write(stopping.resume, leaves.id, alice.world.wall())
    assert OfferAgain(bob.keys.identity) in effects
    again = await sender.find(bob.keys.identity, key)
    assert again.holding.key == key
    sender.serving.close()


async def test_a_friend_who_wants_nothing_more_for_now_is_waited_for(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    _, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    await sender.serving.stopped(served, sender.link)
    assert sender.states() == ["running", "waiting"]
    assert sender.figures.live() == {}
    assert isinstance(await sender.find(bob.keys.identity, key), Served)
    assert sender.states() == ["running", "waiting", "running"]
    sender.serving.close()


async def test_another_device_of_a_friend_may_have_what_is_done(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    number = bob.database.read(manager.due)[0].number
    effects = bob.database.write(
        manager.finished, bob.keys, number, path, bob.world.wall(), bob.entropy
    )
    bob.database.commit()
    bring(effects, bob, alice)
    assert [t.state for t in transfers(alice)] == ["done"]
    served = await sender.find(bob.keys.identity, key)
    assert served is not None
    await sender.serving.left(sender.link)
    assert [t.state for t in transfers(alice)] == ["done"]
    assert alice.database.read(offerings.standing) == [key.offer]


async def test_figures_are_told_while_they_change_and_kept_now_and_then(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    said = Verified(key.device, key.offer, 5, 0, 2)
    sender.figures.note(served.number, said, "direct")
    sender.figures.note(999, said, "direct")  # nobody measures it
    assert sender.figures.live() == {served.number: Live(0, 5, 2, None, "direct", 5)}
    await sender.figures.keep(served.number, said)
    [kept] = transfers(alice)
    assert (kept.verified_bytes, kept.resent_bytes) == (5, 2)
    sender.effects.clear()
    sender.is_told.clear()
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(sender.figures.keep_telling())
        await sender.is_told.wait()
        telling.cancel()
    [shown] = told(sender.effects, "transfer")
    assert (shown["state"], shown["verified_bytes"], shown["path"]) == ("running", 5, "direct")


async def test_where_a_transfer_goes_on_is_what_is_told_first_over_a_link(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    assert sender.figures.live() == {}  # nothing is said before anything is known
    for has in (0, 3, 5):
        sender.figures.note(served.number, Verified(key.device, key.offer, has, 0, 0))
        assert sender.figures.live()[served.number].resumed_at is None
    await sender.find(bob.keys.identity, key)
    for has in (4, 6):  # a power cut took one back
        sender.figures.note(served.number, Verified(key.device, key.offer, has, 0, 1))
        live = sender.figures.live()
        assert (live[served.number].verified_bytes, live[served.number].resumed_at) == (has, 4)
        [shown] = alice.database.read(manager.transfers, live)
        assert (shown.verified_bytes, shown.resumed_at) == (has, 4)


async def test_the_pace_of_what_leaves_is_that_at_which_word_of_it_comes(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    _, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    figures, loop = sender.figures, asyncio.get_running_loop()
    begins = loop.time()
    figures.note(served.number, Verified(key.device, key.offer, 0, 0, 0))
    async with asyncio.TaskGroup() as group:
        telling = group.create_task(figures.keep_telling())
        for has in (2, 4):
            came = asyncio.Event()
            loop.call_at(begins + has / 6, came.set)
            await came.wait()
            figures.note(served.number, Verified(key.device, key.offer, has, 0, 0))
        takes = loop.time() - begins
        telling.cancel()
    assert figures.live()[served.number].rate == pytest.approx(4 / takes, rel=0.05)


async def test_what_is_done_is_told_no_more_though_its_link_stands(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    alice.database.write(ledger.move, served.number, TransferState.DONE, alice.world.wall())
    alice.database.commit()
    sender.serving.withdraw(bob.keys.identity, sender.link)
    assert sender.figures._rows[served.number].is_resting
    again = sender.serving.find(bob.keys.identity, key, served)
    assert isinstance(again, Served)
    await sender.serving.found(again, DEVICE)
    assert not sender.figures._rows[served.number].is_resting


async def test_what_waits_is_not_told_of_while_nothing_of_it_changes(
    pair: tuple[SimPeer, SimPeer], sender: Sender, path: Path
) -> None:
    alice, bob = pair
    key = sender.offer(bob, path)
    served = await sender.find(bob.keys.identity, key)
    sender.figures.note(served.number, Verified(key.device, key.offer, 5, 0, 2))
    row = sender.figures._rows[served.number]
    sender.figures._tell(served.number, row)
    alice.database.write(manager.waiting, served.number, ledger.FRIEND, alice.world.wall())
    alice.database.commit()
    sender.effects.clear()
    for _ in range(3):
        sender.figures._tell(served.number, row)
    assert sender.states() == ["waiting"]
