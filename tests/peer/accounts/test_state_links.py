"""The account state between own devices: whatever is cut and lost on the way, in the end all have the same."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial

import pytest

from peer.accounts import account_state, state_links
from peer.accounts.state_links import Level
from peer.effects import Effect
from peer.links import Links
from peer.store import settings
from peer.talk import readmarks
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from wire import limits
from wire.account_state import Entry
from wire.codec import encode
from wire.ids import DeviceId, Epoch
from wire.messages import Message, Purpose
from wire.messages.accounts import StateEntries, StateEntry

CHAOS_MS, CALM_MS = 8_000, 6_000


@dataclass
class Desk(SimPeer):
    """A device that gives its account state to the others."""

    levels: dict[str, Level] = field(default_factory=dict)
    pages: int = 0

    def linked(self, far: SimPeer, cable: Cable) -> None:
        super().linked(far, cable)
        self.levels[far.name] = Level()
        first = self.database.write(state_links.begin)
        self.commit()
        self.world.after(0, lambda: None if cable.is_cut else cable.send(self, first))

    def receive(self, far: SimPeer, cable: Cable, message: Message) -> None:
        super().receive(far, cable, message)
        if isinstance(message, StateEntries):
            self.carry_out(self.database.write(state_links.take, self.levels[far.name], message))
            self.commit()
            self.tell_others()

    def tell_others(self) -> None:
        entries = self.database.write(account_state.whole)
        self.commit()
        for name, cable in list(self.cables.items()):
            for message in state_links.news(entries, self.levels[name]):
                self.pages += 1
                cable.send(self, message)

    def set(self, key: str, value: bytes) -> None:
        self.database.write(settings.write, key, value)
        self.commit()
        self.tell_others()


class Office:
    """One person's devices, in trouble."""

    def __init__(self, seed: int) -> None:
        self.sim = Simulation(seed)
        self.dice = self.sim.dice
        first = Desk.make(self.sim, "alice")
        self.desks: list[Desk] = [first]
        for name in ("laptop", "phone"):
            self.desks.append(first.log_in(name, self.desks[1:]))
        self.is_calm = False
        for number in range(self.dice.randrange(5, 40)):
            self.sim.after(self.dice.randrange(CHAOS_MS), partial(self.act, number))
        self.sim.after(0, self.link_up)
        self.sim.after(50, self.trouble)
        self.sim.run(CHAOS_MS)
        self.is_calm = True
        self.sim.run(CHAOS_MS + CALM_MS)

    def act(self, number: int) -> None:
        desk = self.dice.choice(self.desks)
        kind = self.dice.randrange(3)
        if kind == 0:
            desk.set(f"draft/{self.dice.choice('abc')}", str(number).encode())
        elif kind == 1:
            desk.set(f"mute/{self.dice.choice('abc')}", self.dice.choice((b"", b"1")))
        else:
            conversation = bytes((self.dice.randrange(2),)) * 32
            chain = DeviceId(bytes((self.dice.randrange(2),)) * 16), Epoch(bytes(8))
            desk.database.write(readmarks.add, conversation, {chain: number})
            desk.commit()
            desk.tell_others()

    def link_up(self) -> None:
        for i, one in enumerate(self.desks):
            for other in self.desks[i + 1 :]:
                if other.name not in one.cables and (self.is_calm or self.dice.random() < 0.3):
                    Cable(self.sim, one, other)
        self.sim.after(self.dice.randrange(50, 600), self.link_up)

    def trouble(self) -> None:
        if self.is_calm:
            return
        desk = self.dice.choice(self.desks)
        if self.dice.random() < 0.3:
            desk.crash()
        elif desk.cables:
            self.dice.choice(list(desk.cables.values())).cut()
        self.sim.after(self.dice.randrange(20, 700), self.trouble)


@pytest.mark.parametrize("seed", range(40))
def test_all_devices_of_an_account_have_the_same_state_in_the_end(seed: int) -> None:
    office = Office(seed)
    states = [shared(desk) for desk in office.desks]
    assert states[0] == states[1] == states[2] != {}
    assert [desk.faults for desk in office.desks] == [[], [], []]
    for desk in office.desks:  # what nobody changes is not told again
        pages = desk.pages
        desk.tell_others()
        assert desk.pages == pages


def shared(desk: SimPeer) -> dict[str, Entry]:
    return desk.database.write(account_state.whole)


def test_who_has_the_same_is_told_nothing_and_a_big_state_comes_in_pages() -> None:
    world = Simulation(1)
    alice = SimPeer.make(world, "alice")
    laptop = alice.log_in("laptop")
    for number in range(80):
        alice.database.write(settings.write, f"draft/friend{number}", bytes(2000))
    level, theirs = Level(), Level()
    alice.database.write(state_links.take, level, laptop.database.write(state_links.begin))
    pages = state_links.news(shared(alice), level)
    assert 4 < len(pages) < 9
    for page in pages:
        assert len(encode(Purpose.PEER, page)) <= limits.PAGE_BYTES + 200
    laptop.database.write(state_links.take, theirs, alice.database.write(state_links.begin))
    for page in pages:
        laptop.database.write(state_links.take, theirs, page)
    assert shared(laptop) == shared(alice)
    assert state_links.news(shared(alice), level) == []
    assert state_links.news(shared(laptop), theirs) == []  # it heard them from there
    again = Level()
    alice.database.write(state_links.take, again, laptop.database.write(state_links.begin))
    assert state_links.news(shared(alice), again) == []


def test_what_makes_no_sense_or_is_this_machine_s_own_or_too_much_is_left_alone() -> None:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    device = bob.keys.device
    rows = [
        StateEntry("here/config/lan", b"on", 9, device),
        StateEntry("contact/bob", b"junk", 9, device),
        StateEntry("verified/bob", b"short", 9, device),
        StateEntry("mute/bob", b"1", 9, device),
        *(StateEntry(f"x/{n}", b"", 1, device) for n in range(limits.STATE_ENTRIES - 4)),
    ]
    before = shared(alice)
    random.Random(1).shuffle(rows)
    came = StateEntries(bytes(16), tuple(rows))
    alice.database.write(state_links.take, Level(), came)
    after = shared(alice)
    assert limits.STATE_ENTRIES - 5 < len(after) <= limits.STATE_ENTRIES
    assert {key: after[key] for key in before} == before
    assert alice.database.read(settings.read, "here/config/lan") is None
    assert after["mute/bob"].value == b"1"


async def test_a_friend_who_gives_entries_is_not_heard() -> None:
    """Only devices of the account have a level."""
    heard: list[list[Effect]] = []
    links = state_links.StateLinks(
        None,  # type: ignore[arg-type]
        Links(),
        lambda effects, _: heard.append(effects),
    )
    friend = SimPeer.make(Simulation(1), "bob").keys.device
    await links.heard(friend, StateEntries(bytes(16), (StateEntry("mute/x", b"", 1, friend),)))
    assert heard == []
