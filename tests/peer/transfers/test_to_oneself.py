"""Files for one's own other machines: offered by one, taken by each of the others for itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from peer.effects import Effect
from peer.errors import PeerError
from peer.settings import preferences
from peer.settings.preferences import KEYS
from peer.store import own
from peer.transfers import heard, manager, policy, sharing, stopping
from tests.harness.offers import (
    accept,
    bring,
    decline,
    key_of,
    offer,
    states,
    transfers,
)
from tests.harness.simnet import Cable, SimPeer, Simulation, befriend
from wire.codes import Code
from wire.identity import read_device_list, revoke_device
from wire.ids import IdentityKey, OfferId

FOLDER = Path("/srv/in")
DAY_MS = 24 * 3_600_000


class Desk:
    """Alice has a desk, a laptop and a box in the cellar, which know each other."""

    def __init__(self) -> None:
        self.world = Simulation(1)
        self.desk = SimPeer.make(self.world, "alice", age_ms=DAY_MS)
        self.laptop = self.desk.log_in("alice-2")
        self.box = self.desk.log_in("alice-3", [self.laptop])
        self.meet(self.desk, self.laptop, self.box)

    @property
    def machines(self) -> tuple[SimPeer, ...]:
        return self.desk, self.laptop, self.box

    def meet(self, *those: SimPeer) -> None:
        """Link some machines for a while."""
        pairs = [(a, b) for i, a in enumerate(those) for b in those[i + 1 :]]
        cables = [Cable(self.world, a, b) for a, b in pairs]
        self.world.run(self.world.now + 20_000)
        for cable in cables:
            cable.cut()

    def offered(self) -> str:
        """Offer something from the desk, of which all machines hear."""
        made, _ = offer(self.desk, "alice")
        self.meet(*self.machines)
        return made


def finish(one: SimPeer) -> None:
    """Let what comes stand in its place."""
    [due] = one.database.read(manager.due)
    one.database.write(
        manager.finished, one.keys, due.number, FOLDER / "holiday", one.world.wall(), one.entropy
    )
    one.database.commit()


def ways(one: SimPeer) -> list[tuple[str, str]]:
    """Give (direction, state) of every transfer."""
    return [(each.direction, each.state) for each in transfers(one)]


def may_fetch(home: Desk) -> bool:
    """Say whether another machine of alice may fetch what the desk offers."""
    key = key_of(home.desk, home.desk.database.read(manager.offers)[0].offer)
    return home.desk.database.read(manager.outgoing, me(home), key) is not None


def me(home: Desk) -> IdentityKey:
    return IdentityKey(home.desk.keys.identity)


@pytest.fixture
def home() -> Desk:
    return Desk()


def test_what_one_machine_offers_comes_in_at_the_others(home: Desk) -> None:
    made = home.offered()
    assert [states(one) for one in home.machines] == [
        [("out", "offered")], [("in", "offered")], [("in", "offered")],
    ]  # fmt: skip
    [shown] = home.laptop.database.read(manager.offers)
    assert (shown.offer, shown.friend, shown.sender) == (made, "alice", "alice")
    with pytest.raises(PeerError) as caught:
        accept(home.desk, made)
    assert caught.value.code is Code.OFFER_OWN
    with pytest.raises(PeerError) as caught:
        home.laptop.database.write(
            stopping.withdraw, home.laptop.keys, made, home.world.wall(), home.laptop.entropy
        )
    assert caught.value.code is Code.OFFER_NOT_OWN


def test_each_machine_takes_it_for_itself_and_the_desk_is_done_with_the_first(home: Desk) -> None:
    made = home.offered()
    accept(home.laptop, made, str(FOLDER))
    assert may_fetch(home)
    home.meet(*home.machines)
    assert [states(one)[0][1] for one in home.machines] == ["accepted"] * 3
    assert [ways(one) for one in home.machines] == [
        [("out", "waiting")], [("in", "waiting")], [],
    ]  # fmt: skip
    [one], [other] = transfers(home.desk), transfers(home.laptop)
    assert one.id == other.id
    finish(home.laptop)
    home.meet(*home.machines)
    assert [ways(one) for one in home.machines] == [[("out", "done")], [("in", "done")], []]
    accept(home.box, made, str(FOLDER))
    assert may_fetch(home)
    finish(home.box)
    home.meet(*home.machines)
    assert [ways(one) for one in home.machines] == [
        [("out", "done")], [("in", "done")], [("in", "done")],
    ]  # fmt: skip


def test_one_machine_that_has_it_lends_it_to_another(home: Desk) -> None:
    made = home.offered()
    accept(home.laptop, made, str(FOLDER))
    finish(home.laptop)
    home.meet(*home.machines)
    accept(home.box, made, str(FOLDER))
    [due] = home.box.database.read(manager.due)
    assert due.share is not None
    found = home.box.database.read(sharing.sources, due.share, due.key)
    assert found == [(home.laptop.keys.device, me(home))]
    assert home.laptop.database.read(sharing.lendable, me(home), due.key) is not None


def test_a_machine_that_does_not_want_it_keeps_no_other_from_it(home: Desk) -> None:
    made = home.offered()
    decline(home.laptop, made)
    home.meet(*home.machines)
    assert [states(one)[0][1] for one in home.machines] == ["offered", "declined", "offered"]
    assert ways(home.desk) == [("out", "waiting")]
    accept(home.box, made, str(FOLDER))
    finish(home.box)
    home.meet(*home.machines)
    assert ways(home.desk) == [("out", "done")]


def test_where_no_machine_wants_it_the_offer_is_over(home: Desk) -> None:
    made = home.offered()
    accept(home.laptop, made, str(FOLDER))
    [coming] = transfers(home.laptop)
    home.laptop.database.write(
        stopping.cancel, home.laptop.keys, coming.id, home.world.wall(), home.laptop.entropy
    )
    decline(home.box, made)
    home.meet(*home.machines)
    assert [states(one)[0][1] for one in home.machines] == ["declined"] * 3
    assert ways(home.desk)[0][1] in ("declined", "cancelled")  # the last word of the two
    assert not may_fetch(home)


def test_a_machine_that_was_taken_off_is_not_waited_for(home: Desk) -> None:
    made = home.offered()
    mine = home.desk.database.read(own.need_account).device_list
    listed = read_device_list(mine, home.desk.keys.identity)
    seed, box = home.desk.seed, home.box.keys.device
    shorter = revoke_device(seed, listed, box, now=home.world.wall())
    for one in (home.desk, home.laptop):
        one.learn_list(shorter)
    decline(home.laptop, made)
    home.meet(home.desk, home.laptop)
    assert ways(home.desk) == [("out", "declined")]


def test_what_is_taken_back_is_over_everywhere(home: Desk) -> None:
    made = home.offered()
    accept(home.laptop, made, str(FOLDER))
    home.desk.database.write(
        stopping.withdraw, home.desk.keys, made, home.world.wall(), home.desk.entropy
    )
    home.desk.database.commit()
    home.meet(*home.machines)
    assert [states(one)[0][1] for one in home.machines] == ["withdrawn"] * 3
    assert ways(home.laptop) == [("in", "cancelled")]
    assert not may_fetch(home)


def test_what_failed_at_a_machine_is_said_at_the_desk_and_can_begin_anew(home: Desk) -> None:
    made = home.offered()
    accept(home.laptop, made, str(FOLDER))
    [due] = home.laptop.database.read(manager.due)
    home.laptop.database.write(
        manager.gave_up,
        home.laptop.keys,
        due.number,
        Code.VERIFICATION_FAILED,
        home.world.wall(),
        home.laptop.entropy,
    )
    home.meet(*home.machines)
    assert ways(home.desk) == [("out", "failed")]
    assert [states(one)[0][1] for one in home.machines] == ["accepted"] * 3
    accept(home.laptop, made, str(FOLDER))
    finish(home.laptop)
    home.meet(*home.machines)
    assert ways(home.desk) == [("out", "done")]


# --- nobody being asked


def unasked(one: SimPeer, word: str = "auto") -> None:
    """Set what is done with what other machines of the account send."""
    one.database.write(preferences.put, KEYS["accept.policy"], word, "alice")
    one.database.commit()


def apply(one: SimPeer) -> list[Effect]:
    effects: list[Effect] = one.database.write(
        policy.apply, one.keys, FOLDER, one.world.wall(), one.entropy
    )
    one.database.commit()
    return effects


def test_the_accept_policy_of_the_own_name_holds_and_travels_with_the_account(home: Desk) -> None:
    unasked(home.laptop)
    value = home.laptop.database.read(preferences.held_for, "accept.policy", "alice")
    assert value == "auto"
    assert home.laptop.database.read(preferences.of_friends, KEYS["accept.policy"]) == [
        ("alice", "auto")
    ]
    home.offered()
    apply(home.laptop)
    apply(home.box)
    home.meet(*home.machines)
    assert ways(home.laptop) == [("in", "waiting")]
    assert ways(home.box) == []


def test_what_another_machine_took_first_is_taken_by_the_next_all_the_same(home: Desk) -> None:
    for one in (home.laptop, home.box):
        unasked(one)
    made, effects = offer(home.desk, "alice")
    bring(effects, home.desk, home.laptop)
    apply(home.laptop)
    finish(home.laptop)
    home.meet(*home.machines)
    assert states(home.box) == [("in", "done")]
    apply(home.box)
    assert ways(home.box) == [("in", "waiting")]
    assert apply(home.box) == []
    assert made


def test_a_machine_that_comes_later_does_not_take_all_that_was_ever_sent(home: Desk) -> None:
    for one in (home.laptop, home.box):
        unasked(one)
    home.offered()
    apply(home.laptop)
    finish(home.laptop)
    home.meet(home.desk, home.laptop)
    home.world.run(home.world.now + DAY_MS)
    late = home.desk.log_in("alice-4", [home.laptop, home.box])
    unasked(late)
    home.meet(home.desk, late)
    apply(late)
    assert states(late) == [("in", "done")]
    assert ways(late) == []


def test_what_still_waits_is_taken_by_a_machine_that_comes_later(home: Desk) -> None:
    home.offered()
    home.world.run(home.world.now + DAY_MS)
    late = home.desk.log_in("alice-4", [home.laptop, home.box])
    unasked(late)
    home.meet(home.desk, late)
    apply(late)
    assert ways(late) == [("in", "waiting")]


def test_a_machine_that_takes_nothing_says_so_for_itself_alone(home: Desk) -> None:
    unasked(home.laptop, "never")
    home.offered()
    apply(home.laptop)
    home.meet(*home.machines)
    assert [states(one)[0][1] for one in home.machines] == ["offered", "declined", "offered"]


def test_a_machine_that_takes_nothing_says_nothing_of_what_another_has(home: Desk) -> None:
    unasked(home.laptop, "never")
    made, effects = offer(home.desk, "alice")
    bring(effects, home.desk, home.box)
    accept(home.box, made, str(FOLDER))
    home.meet(*home.machines)
    assert apply(home.laptop) == []
    assert states(home.laptop) == [("in", "accepted")]


# --- to oneself and others at once


def test_one_offer_goes_to_a_friend_and_to_the_own_machines(home: Desk) -> None:
    bob = SimPeer.make(home.world, "bob")
    befriend(home.desk, bob)
    home.meet(*home.machines)
    laptop: Any = home.laptop.database.connection
    laptop.execute(
        "INSERT INTO contacts (name, identity, state, since) VALUES ('bob', ?, 'friends', 0)",
        (bob.keys.identity,),
    )
    made, _ = offer(home.desk, "alice", "bob")
    home.meet(home.desk, home.laptop, bob)
    assert states(home.laptop) == [("in", "offered"), ("out", "offered")]
    accept(home.laptop, made, str(FOLDER))
    accept(bob, made, str(FOLDER))
    [due] = bob.database.read(manager.due)
    assert due.share is not None
    assert due.share.others == (me(home),)
    asked = home.laptop.database.read(
        sharing.lendable, IdentityKey(bob.keys.identity), key_of(home.desk, made)
    )
    assert asked is not None
    finish(home.laptop)
    home.meet(home.desk, home.laptop, bob)
    assert sorted(ways(home.desk)) == [("out", "done"), ("out", "waiting")]


def test_what_another_own_machine_sends_says_so_and_is_held_there(home: Desk) -> None:
    bob = SimPeer.make(home.world, "bob")
    befriend(home.desk, bob)
    home.meet(*home.machines)
    laptop: Any = home.laptop.database.connection
    laptop.execute(
        "INSERT INTO contacts (name, identity, state, since) VALUES ('bob', ?, 'friends', 0)",
        (bob.keys.identity,),
    )
    made, _ = offer(home.desk, "bob")
    home.meet(home.desk, home.laptop, bob)
    accept(bob, made, str(FOLDER))
    home.meet(home.desk, home.laptop, bob)
    [there], [here] = transfers(home.laptop), transfers(home.desk)
    assert (there.id, there.state, there.reason) == (here.id, "waiting", "other-device")
    assert here.reason == "friend"
    with pytest.raises(PeerError) as caught:
        home.laptop.database.write(stopping.pause, there.id, home.world.wall())
    assert caught.value.code is Code.OFFER_NOT_OWN
    home.desk.database.write(stopping.pause, here.id, home.world.wall())
    home.desk.database.write(stopping.resume, here.id, home.world.wall())
    assert transfers(home.desk)[0].reason == "friend"
    home.laptop.database.write(
        stopping.cancel, home.laptop.keys, there.id, home.world.wall(), home.laptop.entropy
    )
    home.meet(home.desk, home.laptop, bob)
    assert [transfers(each)[0].state for each in (home.desk, home.laptop, bob)] == ["cancelled"] * 3


@pytest.mark.parametrize("is_refused", [True, False])
def test_what_one_machine_has_is_wanted_until_each_of_the_others_has_it_or_does_not_want_it(
    home: Desk, is_refused: bool
) -> None:
    made = home.offered()
    offered = OfferId(bytes.fromhex(made))
    if is_refused:
        decline(home.box, made)
        home.meet(*home.machines)
    accept(home.laptop, made)
    finish(home.laptop)
    home.meet(*home.machines)
    assert states(home.desk) == [("out", "done")]
    assert home.desk.database.read(heard.is_wanted, offered) is not is_refused
    if not is_refused:
        accept(home.box, made)
        finish(home.box)
        home.meet(*home.machines)
        assert not home.desk.database.read(heard.is_wanted, offered)
