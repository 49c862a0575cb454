"""What letters hold beside events, receipts, nacks and the address key, is given again once where a letter did not open."""

from __future__ import annotations

from peer import api
from peer.mail import enclosed, lost
from peer.reach import shown
from peer.store.devices import certificate_of
from peer.talk import seen
from tests.harness.post import Post, say, states, town
from tests.harness.simnet import Cable, SimPeer
from wire import limits


def spoilt(post: Post, sender: SimPeer, receiver: SimPeer) -> None:
    """Let what a device leaves now for another not open there."""
    assert post.leave(sender) == 1
    assert post.spoil(receiver) == 1
    assert post.fetch(receiver) == 1


def address_key(peer: SimPeer, of: SimPeer) -> bytes | None:
    row = peer.database.connection.execute(
        "SELECT address_key FROM devices WHERE device = ?", (of.keys.device,)
    ).fetchone()
    return None if row is None else row[0]


def test_a_receipt_in_a_letter_that_did_not_open_is_given_again() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "did it come?")
    post.leave(alice)
    post.fetch(bob)
    spoilt(post, bob, alice)
    assert states(alice) == ["sent"]
    post.settle(alice, bob)
    assert states(alice) == ["delivered"]


def test_so_is_the_word_that_something_was_read() -> None:
    world, post, alice, bob = town()
    say(alice, "bob", "did you see it?")
    post.settle(alice, bob)
    asked = api.ReadMessages("alice")
    bob.database.write(seen.read_and_tell, bob.keys, asked, (), world.wall())
    bob.commit()
    spoilt(post, bob, alice)
    assert states(alice) == ["delivered"]
    post.settle(alice, bob)
    assert states(alice) == ["read"]


def test_a_receipt_that_did_not_open_twice_waits_for_the_next_reason_to_give_one() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "one")
    post.leave(alice)
    post.fetch(bob)
    for _ in range(2):
        spoilt(post, bob, alice)
        post.leave(alice)
        post.fetch(bob)
    assert post.leave(bob) == 0
    assert states(alice) == ["sent"]
    say(alice, "bob", "two")
    post.settle(alice, bob)
    assert states(alice) == ["delivered", "delivered"]


def test_a_nack_in_a_letter_that_did_not_open_is_given_again() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "sealed three times")
    spoilt(post, alice, bob)
    spoilt(post, bob, alice)  # the nack
    post.settle(alice, bob)
    assert bob.texts("alice") == ["sealed three times"]
    assert states(alice) == ["delivered"]


def test_a_tracker_that_spoils_everything_is_not_written_to_for_ever() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "never")
    for _ in range(3):
        spoilt(post, alice, bob)
        assert post.leave(bob) == 1
        assert post.fetch(alice) == 1  # a nack that does open
        if states(alice) == ["failed"]:
            break
    assert states(alice) == ["failed"]
    assert post.leave(alice) == post.leave(bob) == 0


def test_the_address_key_in_a_letter_that_did_not_open_is_given_again_once() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "hello")
    post.settle(alice, bob)
    key, _ = bob.database.write(shown.need_key, bob.entropy)
    bob.commit()
    spoilt(post, bob, alice)
    assert [one.friend for one in bob.database.read(shown.log)] == ["alice"]  # it may have it
    post.leave(alice)
    post.fetch(bob)
    assert address_key(alice, bob) is None
    assert post.leave(bob) == 1
    post.fetch(alice)
    assert address_key(alice, bob) == key
    assert len(bob.database.read(shown.log)) == 1
    assert post.leave(bob) == 0


def test_what_a_link_brought_meanwhile_is_not_given_again() -> None:
    world, post, alice, bob = town()
    say(alice, "bob", "by both roads")
    post.leave(alice)
    post.fetch(bob)
    spoilt(post, bob, alice)
    Cable(world, alice, bob)
    world.run(world.now + 1000)
    assert states(alice) == ["delivered"]
    for cable in list(alice.cables.values()):
        cable.cut()
    post.leave(alice)
    post.fetch(bob)
    assert post.leave(bob) == 0


def test_a_tracker_that_went_back_is_given_once_more_what_nobody_answers() -> None:
    world, post, alice, bob = town()
    say(alice, "bob", "heard?")
    post.leave(alice)
    post.fetch(bob)
    assert post.leave(bob) == 1
    post.items.clear()  # what came after the backup
    assert post.leave(bob) == 0
    bob.database.write(lost.tracker_went_back, world.wall())
    post.settle(alice, bob)
    assert states(alice) == ["delivered"]


def test_what_an_own_device_cannot_open_has_not_failed_for_the_friend_it_was_said_to() -> None:
    world, post, alice, bob = town()
    laptop = alice.log_in("laptop")
    Cable(world, alice, laptop)
    world.run(world.now + 1000)
    for cable in list(alice.cables.values()):
        cable.cut()
    post.publish(laptop)
    say(alice, "bob", "for bob")
    for _ in range(2):
        post.leave(alice)
        post.spoil(laptop)
        post.fetch(laptop)
        post.leave(laptop)
        post.fetch(alice)
    assert states(alice) == ["sent"]
    post.settle(alice, bob)
    assert states(alice) == ["delivered"]


def test_what_did_not_open_a_day_ago_is_sealed_again_once_more() -> None:
    world, post, alice, bob = town()
    say(alice, "bob", "patience")
    spoilt(post, alice, bob)
    post.leave(bob)
    post.fetch(alice)
    assert post.leave(alice) == 1
    post.items.clear()  # lost by the tracker
    world.run(world.now + int(limits.MAIL_ASKED_S * 1000) + 1)
    to, items = alice.database.write(lost.unsure, world.wall()) or (None, ())
    assert to is not None
    alice.database.write(lost.on_kept, to, items, (), world.wall())
    alice.commit()
    spoilt(post, alice, bob)
    post.settle(alice, bob)
    assert bob.texts("alice") == ["patience"]
    assert states(alice) == ["delivered"]


def test_nacks_that_are_remembered_are_bounded() -> None:
    world, _, alice, bob = town()
    assert alice.database.read(certificate_of, bob.keys.device) is not None
    for number in range(limits.NACKS_OWED + 40):
        item = number.to_bytes(16, "big")
        alice.database.write(enclosed.owe_nack, bob.keys.device, item)
        if number % enclosed.NACKS_PER_LETTER == enclosed.NACKS_PER_LETTER - 1:
            one = alice.database.read(enclosed.enclose, alice.keys, bob.keys.device, 65536)
            device, identity = bob.keys.device, bob.keys.identity
            alice.database.write(enclosed.left, device, identity, one, item, world.wall())
    (kept,) = alice.database.connection.execute("SELECT count(*) FROM enclosed").fetchone()
    assert kept == limits.NACKS_OWED
