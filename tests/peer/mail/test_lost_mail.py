"""Mail that a tracker lost, and prekeys that it gives twice: after a backup was put back nothing stays lost."""

from __future__ import annotations

import random

from peer import api
from peer.mail import lost, prekeys
from peer.store import own
from peer.talk import seen
from tests.harness.office import Office
from tests.harness.post import say, states
from tests.harness.simnet import SimPeer, Simulation, befriend
from wire import limits

DAY_MS = int(limits.MAIL_ASKED_S * 1000)


class Orderly(random.Random):
    """Dice that bring nothing twice, swap nothing and let nobody crash."""

    def random(self) -> float:
        return 0.5

    def shuffle(self, x: object) -> None:
        """Leave all in its place."""


def town() -> tuple[Office, SimPeer, SimPeer]:
    world = Simulation(1)
    office = Office(world, Orderly(1))
    alice, bob = (SimPeer.make(world, name) for name in ("alice", "bob"))
    befriend(alice, bob)
    for peer in (alice, bob):
        office.joins(peer)
    office.befriend("alice", "bob")
    for peer in (alice, bob, alice):
        office.visit(peer)
    return office, alice, bob


def _numbers(office: Office, peer: SimPeer) -> list[int]:
    """Give the numbers of the one-time prekeys that the tracker holds."""
    rows = office.tracker.connection.execute(
        "SELECT number FROM prekeys WHERE device = ? AND is_one_time = 1", (peer.keys.device,)
    )
    return [number for (number,) in rows]


def settle(office: Office, *peers: SimPeer) -> None:
    for _ in range(6):
        for peer in peers:
            office.visit(peer)


def test_what_a_tracker_lost_with_its_disk_is_left_again_at_once() -> None:
    office, alice, bob = town()
    office.save()
    say(alice, "bob", "not lost")
    office.visit(alice)
    assert states(alice) == ["sent"]
    assert office.go_back()
    settle(office, alice, bob)
    assert bob.texts("alice") == ["not lost"]
    assert states(alice) == ["delivered"]


def test_a_tracker_that_went_back_is_seen_whatever_state_others_put_there_since() -> None:
    office, alice, bob = town()
    caller = office.tracker.caller(office.people["bob"])
    say(alice, "bob", "is it read?")
    settle(office, alice, bob)
    office.save()
    asked = api.ReadMessages("alice")
    bob.database.write(seen.read_and_tell, bob.keys, asked, (), bob.wall())
    office.visit(bob)
    version = bob.database.read(own.state_version)
    assert office.go_back()
    while office.tracker.store.state_version(caller.account) < version:  # other devices of his
        office.tracker.store.put_state(caller.account, version, b"newer")
    settle(office, bob, alice)
    assert states(alice) == ["read"]


def test_nothing_is_asked_about_or_left_again_where_no_tracker_went_back() -> None:
    office, alice, bob = town()
    image = alice.database.image()
    for text in ("one", "two"):
        say(alice, "bob", text)
        office.visit(alice)
    before = office.deposits
    settle(office, alice)
    assert office.deposits == before
    alice.restore(image)  # who went back herself does not take the tracker for it
    alice.database.write(prekeys.replaced, alice.wall())
    office.visit(alice)
    assert not alice.database.read(prekeys.are_doubted)
    settle(office, bob, alice)
    (known,) = alice.database.connection.execute("SELECT mail_left FROM own").fetchone()
    assert known == office.tracker.store.mail_left(alice.keys.device)


def test_what_a_tracker_lost_that_does_not_count_is_left_again_a_day_later() -> None:
    office, alice, bob = town()
    office.save()
    say(alice, "bob", "not lost")
    office.visit(alice)
    assert states(alice) == ["sent"]
    assert office.go_back()
    alice.database.write(lambda c: c.execute("UPDATE own SET mail_left = 0"))
    settle(office, alice, bob)
    assert (states(alice), bob.texts("alice")) == (["sent"], [])
    alice.jump(DAY_MS + 1)
    told = len(alice.shown)
    settle(office, alice, bob)
    assert bob.texts("alice") == ["not lost"]
    assert states(alice) == ["delivered"]
    assert [kind for kind, _ in alice.shown[told:]] == ["receipt"] * 3  # queued, sent, delivered


def test_a_tracker_that_is_seen_to_have_gone_back_is_asked_at_once() -> None:
    office, alice, bob = town()
    office.save()
    say(alice, "bob", "not lost")
    office.visit(alice)
    assert office.go_back()
    for peer in (alice, bob):
        peer.database.write(lost.tracker_went_back, peer.wall())
        assert peer.database.read(prekeys.are_doubted)
    settle(office, alice, bob)
    assert bob.texts("alice") == ["not lost"]
    assert states(alice) == ["delivered"]


def test_what_still_waits_is_asked_about_once_a_day_and_not_left_twice() -> None:
    office, alice, _ = town()
    say(alice, "bob", "patience")
    office.visit(alice)
    before = office.deposits
    for _ in range(3):
        alice.jump(DAY_MS + 1)
        assert alice.database.write(lost.unsure, alice.wall()) is not None
        settle(office, alice)
        assert alice.database.write(lost.unsure, alice.wall()) is None
    assert office.deposits == before
    assert states(alice) == ["sent"]


def test_what_was_left_before_the_clock_went_back_is_asked_about_at_once() -> None:
    office, alice, bob = town()
    office.save()
    say(alice, "bob", "left tomorrow")
    office.visit(alice)
    assert office.go_back()
    alice.jump(-9 * DAY_MS)
    settle(office, alice, bob)
    assert bob.texts("alice") == ["left tomorrow"]
    assert states(alice) == ["delivered"]


def test_what_was_receipted_is_never_asked_about() -> None:
    office, alice, bob = town()
    say(alice, "bob", "heard")
    settle(office, alice, bob)
    alice.jump(DAY_MS + 1)
    assert alice.database.write(lost.unsure, alice.wall()) is None
    (kept,) = alice.database.connection.execute("SELECT count(*) FROM parcels").fetchone()
    assert kept == 0


def test_a_tracker_that_gives_used_keys_again_is_given_other_ones_and_nothing_stays_lost() -> None:
    office, alice, bob = town()
    office.save()
    for number in range(8):
        say(alice, "bob", f"before {number}")
        settle(office, alice, bob)
    assert office.go_back()
    for peer in (alice, bob):
        peer.jump(int(limits.PREKEYS_REPLACED_S * 1000))
    newest = [max(_numbers(office, peer)) for peer in (alice, bob)]
    say(alice, "bob", "sealed to a key that is gone")
    settle(office, alice, bob)  # and so is the nack that says so
    assert min(_numbers(office, alice)) > newest[0]
    assert min(_numbers(office, bob)) > newest[1]
    alice.jump(DAY_MS + 1)
    settle(office, alice, bob)
    assert set(states(alice)) == {"delivered"}
    assert bob.texts("alice")[-1] == "sealed to a key that is gone"


def test_a_home_that_went_back_replaces_the_keys_it_does_not_have() -> None:
    office, alice, bob = town()
    image = bob.database.image()
    for number in range(20):
        say(alice, "bob", f"takes a key {number}")
        settle(office, alice, bob)
        alice.jump(3600_000)  # ten an hour for each friend
        office.world.now += 3600_000
    assert max(_numbers(office, bob)) > limits.PREKEYS_PER_MESSAGE + 1  # newer ones are out
    bob.restore(image)
    assert bob.database.read(prekeys.are_doubted)
    office.visit(bob)
    assert not bob.database.read(prekeys.are_doubted)
    say(alice, "bob", "to the home as it is now")
    settle(office, alice, bob)
    settle(office, alice, bob)  # its receipt says that it lost what came before
    assert set(states(alice)) == {"delivered"}
    assert len(bob.texts("alice")) == 21


def test_junk_of_a_friend_makes_a_device_replace_its_keys_once_in_a_while_only() -> None:
    office, _, bob = town()
    now = bob.wall()
    first = bob.database.connection.execute("SELECT max(number) FROM prekeys").fetchone()[0]
    bob.database.write(prekeys.doubt, first, now)  # at once: it just published
    assert not bob.database.read(prekeys.are_doubted)
    bob.jump(int(limits.PREKEYS_REPLACED_S * 1000))
    for number in (0, 10**6):  # before the last replacement, and never made
        bob.database.write(prekeys.doubt, number, bob.wall())
        assert not bob.database.read(prekeys.are_doubted)
    bob.database.write(prekeys.doubt, first, bob.wall())
    assert bob.database.read(prekeys.are_doubted)
    office.visit(bob)
    newer = bob.database.connection.execute("SELECT max(number) FROM prekeys").fetchone()[0]
    bob.database.write(prekeys.doubt, newer, bob.wall())
    assert not bob.database.read(prekeys.are_doubted)
