"""A device that was put back from a backup tells everybody by mail, too: what it lost is left for it again."""

from __future__ import annotations

from peer.mail import restored
from tests.harness.post import Post, say, states, town
from tests.harness.simnet import SimPeer
from tests.peer.mail.test_lost_mail import settle as visits
from tests.peer.mail.test_lost_mail import town as office_town
from wire import limits

DAY_MS = int(limits.MAIL_ASKED_S * 1000)


def tell(peer: SimPeer) -> None:
    """Do what a node's sweep does."""
    if peer.database.read(restored.is_due):
        peer.carry_out(peer.database.write(restored.tell, peer.keys, (), peer.wall()))
        peer.commit()
    assert not peer.database.read(restored.is_due)


def settle(post: Post, *peers: SimPeer) -> None:
    for _ in range(3):
        for peer in peers:
            tell(peer)
        post.settle(*peers)


def test_what_a_backup_does_not_have_comes_again_by_mail_alone() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "kept")
    post.settle(alice, bob)
    image = bob.database.image()
    say(alice, "bob", "lost")
    post.settle(alice, bob)
    assert states(alice) == ["delivered"] * 2
    bob.restore(image)
    settle(post, bob, alice)
    assert bob.texts("alice") == ["kept", "lost"]


def test_nothing_is_told_where_nothing_was_put_back() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "hello")
    post.settle(alice, bob)
    bob.crash()
    assert not bob.database.read(restored.is_due)
    assert not alice.database.read(restored.is_due)


def test_a_device_whose_clock_was_put_back_as_well_is_reminded_by_mail() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "kept")
    post.settle(alice, bob)
    image = bob.database.image()
    say(alice, "bob", "lost")
    post.settle(alice, bob)
    bob.restore(image)
    bob.jump(-DAY_MS)
    settle(post, bob, alice)
    assert bob.texts("alice") == ["kept", "lost"]
    say(alice, "bob", "and from now on")
    settle(post, bob, alice)
    assert states(alice) == ["delivered"] * 3


def test_a_reminder_in_a_letter_that_did_not_open_is_given_again() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "kept")
    post.settle(alice, bob)
    image = bob.database.image()
    say(alice, "bob", "lost")
    post.settle(alice, bob)
    bob.restore(image)
    bob.jump(-DAY_MS)
    tell(bob)
    post.leave(bob)
    post.fetch(alice)
    assert post.leave(alice) == 1
    assert post.spoil(bob) == 1
    settle(post, bob, alice)
    assert bob.texts("alice") == ["kept", "lost"]


def test_a_conversation_that_the_backup_does_not_have_is_told_of_as_it_begins() -> None:
    office, alice, bob = office_town()
    phone = alice.log_in("phone")
    office.adds(phone)
    image = bob.database.image()
    image.execute("DELETE FROM conversations")  # from before they first met
    visits(office, bob, alice, phone)
    say(phone, "bob", "lost")
    visits(office, phone, bob)
    assert bob.texts("alice") == ["lost"]
    bob.restore(image)
    assert bob.texts("alice") == []
    visits(office, bob, alice, phone)
    assert bob.texts("alice") == ["lost"]
