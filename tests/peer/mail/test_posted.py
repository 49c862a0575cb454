"""What one device left at the tracker shows as `sent` on the other devices of the account, too, as long as it is true."""

from __future__ import annotations

import pytest

from peer.accounts import account_state
from peer.mail import lost, posted
from peer.store import settings
from tests.harness.post import Post, later, say, states, town
from tests.harness.simnet import Cable, SimPeer
from wire.codes import Code
from wire.errors import RemoteProtocolError


def tell(one: SimPeer, other: SimPeer) -> None:
    """Give the account state of one device to another, as a link of theirs does."""
    entries = one.database.write(account_state.whole)
    other.carry_out(other.database.write(account_state.merge_some, entries.values()))
    for peer in (one, other):
        peer.commit()


def meet(one: SimPeer, other: SimPeer) -> None:
    """Let two devices link for a moment."""
    cable = Cable(one.world, one, other)
    later(one.world)
    cable.cut()


def desk_and_phone() -> tuple[Post, SimPeer, SimPeer, SimPeer]:
    _, post, alice, bob = town()
    phone = alice.log_in("phone")
    meet(alice, phone)
    return post, alice, phone, bob


def receipts(peer: SimPeer, since: int) -> int:
    return [kind for kind, _ in peer.shown[since:]].count("receipt")


@pytest.mark.parametrize("comes_first", ["message", "word"])
def test_what_lies_at_the_tracker_shows_as_sent_on_all_devices(comes_first: str) -> None:
    post, alice, phone, bob = desk_and_phone()
    say(alice, "bob", "one", "two")
    if comes_first == "message":
        meet(alice, phone)
        tell(alice, phone)
        assert states(phone) == ["queued"] * 2
    before = len(phone.shown)
    post.leave(alice)
    tell(alice, phone)
    if comes_first == "word":
        meet(alice, phone)
    assert states(alice) == states(phone) == ["sent"] * 2
    assert receipts(phone, before) == 2
    say(alice, "bob", "three")
    meet(alice, phone)
    tell(alice, phone)
    assert states(alice) == states(phone) == ["sent", "sent", "queued"]
    post.settle(alice, bob)
    tell(alice, phone)
    assert states(alice) == ["delivered"] * 3
    assert "delivered" not in states(phone)  # a receipt says that, nothing else
    meet(alice, phone)
    assert states(phone) == ["delivered"] * 3


def test_what_the_tracker_lost_is_queued_again_on_all_devices() -> None:
    post, alice, phone, bob = desk_and_phone()
    say(alice, "bob", "lost")
    post.leave(alice)
    meet(alice, phone)
    tell(alice, phone)
    assert states(phone) == ["sent"]
    post.items.clear()
    alice.database.write(lost.tracker_went_back, alice.wall())
    found = alice.database.write(lost.unsure, alice.wall())
    assert found is not None
    alice.carry_out(alice.database.write(lost.on_kept, *found, (), alice.wall()))
    alice.commit()
    tell(alice, phone)
    assert states(alice) == states(phone) == ["queued"]
    post.leave(alice)
    tell(alice, phone)
    assert states(alice) == states(phone) == ["sent"]
    post.settle(alice, bob)
    meet(alice, phone)
    assert states(phone) == ["delivered"]


def test_nothing_is_said_of_what_went_over_a_link_or_came() -> None:
    post, alice, phone, bob = desk_and_phone()
    key = posted.POSTED + alice.keys.device.hex()
    say(alice, "bob", "one")
    tell(alice, phone)
    assert not phone.database.read(settings.has_any, key)
    post.leave(alice)
    tell(alice, phone)
    assert phone.database.read(settings.read, key)
    post.settle(alice, bob)
    tell(alice, phone)
    assert phone.database.read(settings.read, key) is None


def test_a_word_without_sense_or_about_this_very_device_changes_nothing() -> None:
    post, alice, phone, _ = desk_and_phone()
    say(alice, "bob", "one")
    post.leave(alice)
    tell(alice, phone)
    key = posted.POSTED + alice.keys.device.hex()
    value = phone.database.read(settings.read, key)
    assert value
    alice.database.connection.execute("UPDATE outbox SET state = 'queued'")
    assert alice.database.write(posted.merge, key, value) == []
    assert phone.database.write(posted.merge, posted.POSTED + "nobody", value) == []
    with pytest.raises(RemoteProtocolError) as caught:
        phone.database.write(posted.merge, key, b"\xc1")
    assert caught.value.code is Code.STATE_INVALID
