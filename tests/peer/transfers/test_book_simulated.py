"""Offers over a simulated network: several devices, cuts and crashes; in the end everybody's book agrees."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peer import conversations
from peer.errors import PeerError
from peer.people import contacts
from peer.transfers import manager, stopping
from tests.harness.offers import contents, states, transfers
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from wire.codes import Code
from wire.ids import OfferId
from wire.log.event import Withdrawal
from wire.transfer import states as states_of

SEEDS = int(os.environ.get("SIMNET_SEEDS", "40"))
ONE = os.environ.get("SIMNET_SEED")
OVER = {"in": ("declined", "withdrawn"), "out": ()}  # one offer may stand with others
ENDED = {state.value for state in states_of.ENDED}
CHAOS_MS = 8_000
CALM_MS = 12_000


def act(one: SimPeer, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Code | None:
    """Do something durably at a device and let follow what follows; gives the error's code or None."""
    try:
        _, effects = one.database.write(fn, *arguments, **named)
    except PeerError as error:
        return error.code
    one.commit()
    one.carry_out(effects)
    return None


def offer(one: SimPeer, *to: Any) -> bytes:
    offer_id = OfferId(one.entropy.bytes(16))
    assert (
        act(one, manager.offer, one.keys, to, offer_id, contents(), one.world.wall(), one.entropy)
        is None
    )
    return offer_id


def accept(one: SimPeer, offer_id: bytes) -> Code | None:
    return act(one, manager.accept, one.keys, offer_id.hex(), "/in", one.world.wall(), one.entropy)


def decline(one: SimPeer, offer_id: bytes) -> Code | None:
    return act(one, manager.decline, one.keys, offer_id.hex(), one.world.wall(), one.entropy)


def withdraw(one: SimPeer, friend: str, offer_id: bytes) -> Any:
    contact = one.database.read(contacts.find_friend, friend)
    return act(
        one, conversations.add_own, one.keys, contact, Withdrawal(OfferId(offer_id)),
        now=one.world.wall(), entropy=one.entropy,
    )  # fmt: skip


def take_back(one: Any, offer_id: Any) -> Any:
    return act(
        one, stopping.withdraw, one.keys, offer_id.hex(), one.world.wall(), one.entropy
    )  # fmt: skip


def stop_one(dice: Any, one: Any) -> None:
    """Hold, resume or call off something at random."""
    listed = transfers(one)
    if not listed:
        return
    prefix = dice.choice(listed).id
    now = one.world.wall()
    does = dice.choice(
        [
            (stopping.pause, prefix, now),
            (stopping.resume, prefix, now),
            (stopping.cancel, one.keys, prefix, now, one.entropy),
        ]
    )
    act(one, *does)


def finish(one: SimPeer) -> None:
    """Let all that is due be there."""
    for incoming in one.database.read(manager.due):
        effects = one.database.write(
            manager.finished,
            one.keys,
            incoming.number,
            Path("/in/x"),
            one.world.wall(),
            one.entropy,
        )
        one.commit()
        one.carry_out(effects)


@pytest.fixture
def world() -> Simulation:
    return Simulation(1)


@pytest.fixture
def pair(world: Simulation) -> tuple[SimPeer, SimPeer]:
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def settle(world: Simulation, *pairs: Any, ms: int = 20_000) -> None:
    cables = [Cable(world, one, other) for one, other in pairs]
    world.run(world.now + ms)
    for cable in cables:
        cable.cut()


def test_an_offer_shows_on_all_devices_of_both_and_is_taken_on_one(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = bob.log_in("bob-2")
    tablet = alice.log_in("alice-2")
    offered = offer(alice, "bob")
    settle(world, (alice, bob), (bob, laptop), (alice, tablet))
    assert states(alice) == states(tablet) == [("out", "offered")]
    assert states(bob) == states(laptop) == [("in", "offered")]
    assert accept(laptop, offered) is None
    settle(world, (bob, laptop), (alice, bob), (alice, tablet))
    assert states(bob) == [("in", "accepted")]
    assert transfers(bob) == []  # another device fetches it
    assert bob.database.read(manager.due) == []
    assert [t.state for t in transfers(tablet)] == ["waiting"]
    finish(laptop)
    settle(world, (bob, laptop), (alice, bob), (alice, tablet))
    for one in (alice, tablet, bob, laptop):
        assert [state for _, state in states(one)] == ["done"]
    assert [t.state for t in transfers(alice)] == [t.state for t in transfers(tablet)] == ["done"]


def test_what_one_device_took_another_may_take_too(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = bob.log_in("bob-2")
    offered = offer(alice, "bob")
    settle(world, (alice, bob), (bob, laptop))
    assert accept(laptop, offered) is None
    settle(world, (bob, laptop))
    assert accept(bob, offered) is None
    assert [incoming.title for incoming in bob.database.read(manager.due)] == ["holiday"]
    finish(laptop)
    settle(world, (bob, laptop))
    assert states(bob) == [("in", "done")]
    assert [t.state for t in transfers(bob)] == ["waiting"]  # this device goes on with its own


def test_a_refusal_on_one_device_ends_what_another_fetches(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    laptop = bob.log_in("bob-2")
    offered = offer(alice, "bob")
    settle(world, (alice, bob), (bob, laptop))
    assert decline(laptop, offered) is None
    assert accept(bob, offered) is None
    settle(world, (bob, laptop), (alice, bob))
    assert [t.state for t in transfers(bob)] == ["declined"]
    assert [t.state for t in transfers(alice)] == ["declined"]
    assert states(alice) == [("out", "declined")]
    assert accept(bob, offered) is Code.OFFER_ANSWERED


def test_an_own_device_withdraws_what_another_offers(
    pair: tuple[SimPeer, SimPeer], world: Simulation
) -> None:
    alice, bob = pair
    tablet = alice.log_in("alice-2")
    offered = offer(alice, "bob")
    settle(world, (alice, bob), (alice, tablet))
    assert withdraw(tablet, "bob", offered) is None
    settle(world, (alice, tablet), (alice, bob))
    assert states(alice) == [("out", "withdrawn")]
    assert states(bob) == [("in", "withdrawn")]


class Trouble:
    """Some people and devices who offer, answer and withdraw at random while links break and nodes crash."""

    def __init__(self, seed: int) -> None:
        self.sim = Simulation(seed)
        self.dice = self.sim.dice
        self.peers = [SimPeer.make(self.sim, name) for name in ("alice", "bob", "carol")]
        self.is_calm = False
        self.offers: list[Any] = []
        for i, one in enumerate(self.peers):
            for other in self.peers[i + 1 :]:
                befriend(one, other)
        for one in list(self.peers)[:2]:
            if self.dice.random() < 0.5:
                self.peers.append(one.log_in(f"{one.account}-2", ()))
        for _ in range(self.dice.randrange(10, 40)):
            self.sim.after(self.dice.randrange(CHAOS_MS), self.act)
        self.sim.after(0, self.link_up)
        self.sim.after(50, self.trouble)
        self.sim.run(CHAOS_MS)
        self.is_calm = True
        self.sim.run(CHAOS_MS + CALM_MS)

    def act(self) -> None:
        kind = self.dice.random()
        if kind < 0.3 or not self.offers:
            one = self.dice.choice(self.peers)
            others = sorted({peer.account for peer in self.peers} - {one.account})
            to = self.dice.sample(others, self.dice.randrange(1, len(others) + 1))
            self.offers.append((offer(one, *to), one.account, to))
            return
        offered, author, to = self.dice.choice(self.offers)
        friend = self.dice.choice(to)
        receiver = self.a_device_of(friend)
        if kind < 0.5:
            accept(receiver, offered)
        elif kind < 0.65:
            decline(receiver, offered)
        elif kind < 0.75:
            finish(receiver)
        elif kind < 0.82:
            withdraw(self.a_device_of(author), friend, offered)
        elif kind < 0.87:
            take_back(self.a_device_of(author), offered)
        else:
            stop_one(self.dice, self.dice.choice([receiver, self.a_device_of(author)]))

    def a_device_of(self, account: str) -> SimPeer:
        return self.dice.choice([peer for peer in self.peers if peer.account == account])

    def link_up(self) -> None:
        for i, a in enumerate(self.peers):
            for b in self.peers[i + 1 :]:
                if b.name not in a.cables and (self.is_calm or self.dice.random() < 0.5):
                    Cable(self.sim, a, b)
        self.sim.after(self.dice.randrange(50, 700), self.link_up)

    def trouble(self) -> None:
        if self.is_calm:
            return
        one = self.dice.choice(self.peers)
        if self.dice.random() < 0.4:
            one.crash()
        for cable in list(one.cables.values()):
            cable.cut()
        self.sim.after(self.dice.randrange(50, 800), self.trouble)


def book_of(one: SimPeer) -> dict[tuple[str, frozenset[str], str], str]:
    """Give what a device's book says of each offer: by its id and the other person."""
    return {
        (item.offer, frozenset((one.account, item.friend)), item.sender): item.state
        for item in one.database.read(manager.offers)
    }


@pytest.mark.parametrize("seed", [int(ONE)] if ONE else range(SEEDS))
def test_every_book_agrees_in_the_end(seed: int) -> None:
    world = Trouble(seed)
    again = f"replay: SIMNET_SEED={seed} scripts/test tests/peer/transfers/test_book_simulated.py"
    books = [(one, book_of(one)) for one in world.peers]
    assert any(book for _, book in books), again
    for one, book in books:
        for other, theirs in books:
            for key in book.keys() | theirs.keys():
                if {one.account, other.account} <= key[1]:
                    assert book.get(key) == theirs.get(key), (again, one.name, other.name)
    for one, _ in books:
        assert one.faults == [], (again, one.faults)
        finished = {t.offer for t in transfers(one) if t.direction == "out" and t.state == "done"}
        said = {o.offer for o in one.database.read(manager.offers) if o.state == "done"}
        assert finished <= said, again
        over = {o.offer for o in one.database.read(manager.offers) if o.state in OVER[o.direction]}
        still = {t.state for t in transfers(one) if t.offer in over and t.direction == "in"}
        assert still <= ENDED, (again, one.name, still)
