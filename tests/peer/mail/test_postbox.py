"""Mail between devices that never meet: whatever the tracker does with items, each message is shown once or fails by name."""

from __future__ import annotations

import random

import pytest

from peer.effects import Effect, Tell
from peer.mail import mailing, postbox, prekeys
from tests.harness.post import later, say, states, town
from tests.harness.simnet import Cable, SimPeer, befriend
from wire import limits
from wire.identity import peek_certificate
from wire.ids import AccountName
from wire.machine import UnixMillis
from wire.mailbox import read_prekey
from wire.messages.mailbox import MailItem


def test_two_who_are_never_online_together_talk() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "hello", "are you there?")
    assert states(alice) == ["queued", "queued"]
    post.leave(alice)
    assert states(alice) == ["sent", "sent"]
    post.fetch(bob)
    assert bob.texts("alice") == ["hello", "are you there?"]
    say(bob, "alice", "yes")
    post.settle(alice, bob)
    assert states(alice)[:2] == ["delivered", "delivered"]
    assert alice.texts("bob") == bob.texts("alice") == ["hello", "are you there?", "yes"]
    assert alice.lies == bob.lies == []


def test_sent_is_told_and_then_delivered() -> None:
    _, post, alice, bob = town()
    told: list[str] = []
    say(alice, "bob", "hello")
    original = alice.carry_out

    def hear(effects: list[Effect]) -> None:
        told.extend(
            str(one.event.body["state"])
            for one in effects
            if isinstance(one, Tell) and one.event.event == "receipt"
        )
        original(effects)

    alice.carry_out = hear  # type: ignore[method-assign]
    post.settle(alice, bob)
    assert told == ["sent", "delivered"]


def test_an_item_that_comes_twice_or_late_shows_nothing_twice() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "once")
    post.leave(alice)
    copies = list(post.items[bob.keys.device])
    post.fetch(bob)
    post.items[bob.keys.device] = [*copies, *copies]
    post.fetch(bob)
    assert bob.texts("alice") == ["once"]
    assert [kind for kind, _ in bob.shown].count("message") == 1


def test_a_copy_of_an_item_whose_key_is_gone_changes_nothing_at_its_sender() -> None:
    """A tracker that brings an item again makes the recipient complain of it, once it was receipted."""
    _, post, alice, bob = town()
    say(alice, "bob", "once")
    post.leave(alice)
    copies = list(post.items[bob.keys.device])
    post.settle(alice, bob)
    post.items[bob.keys.device] = copies
    post.settle(alice, bob)
    assert bob.texts("alice") == ["once"]
    assert states(alice) == ["delivered"]


def test_a_link_and_the_mail_race_and_the_message_shows_once() -> None:
    world, post, alice, bob = town()
    say(alice, "bob", "two roads")
    post.leave(alice)
    Cable(world, alice, bob)
    later(world)
    assert bob.texts("alice") == ["two roads"]
    post.settle(alice, bob)
    assert bob.texts("alice") == ["two roads"]
    assert [kind for kind, _ in bob.shown].count("message") == 1
    assert states(alice) == ["delivered"]


def test_what_a_link_should_bring_goes_by_mail_only_after_a_while() -> None:
    world, post, alice, bob = town()
    Cable(world, alice, bob)
    later(world)
    alice.sessions["bob"].level.clear()  # a link that stands and brings nothing
    say(alice, "bob", "by whatever way")
    assert post.leave(alice) == 0
    _, at = alice.database.read(postbox.due, {bob.keys.device}, world.wall())
    assert at is not None
    assert 0 < at - world.wall() <= limits.MAIL_AFTER_S * 1000
    later(world)
    assert post.leave(alice) == 1


def test_what_was_said_before_the_clock_was_set_back_does_not_wait_until_it_catches_up() -> None:
    world, _, alice, bob = town()
    say(alice, "bob", "in the future")
    yesterday = UnixMillis(world.wall() - 24 * 3_600_000)
    found, at = alice.database.read(postbox.due, set(), yesterday)
    assert [one.device for one in found] == [bob.keys.device]
    assert at is None


def test_an_item_that_does_not_open_is_sealed_again_once_and_then_has_failed() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "spoilt")
    for expected in (["sent"], ["failed"]):
        post.leave(alice)
        assert post.spoil(bob) == 1
        post.fetch(bob)
        post.leave(bob)
        assert states(alice) == ["sent"]
        post.fetch(alice)
        if expected == ["failed"]:
            assert states(alice) == expected
    assert bob.texts("alice") == []


def test_a_prekey_that_was_lost_is_healed_by_one_nack() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "hello")
    post.leave(alice)
    bob.database.connection.execute("DELETE FROM prekeys WHERE is_one_time = 1")
    post.keys[bob.keys.device].clear()
    post.settle(alice, bob)
    assert bob.texts("alice") == ["hello"]
    assert states(alice) == ["delivered"]


def test_a_used_key_is_gone_with_the_message_it_opened() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "read once")
    post.leave(alice)
    [item] = post.items[bob.keys.device]
    assert bob.database.read(prekeys.private_of, item.prekey) is not None
    post.fetch(bob)
    assert bob.database.read(prekeys.private_of, item.prekey) is None


def test_a_crash_before_the_commit_keeps_the_key_and_the_item_opens_again() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "survives")
    post.leave(alice)
    items = tuple(post.items[bob.keys.device])
    bob.database.write(mailing.take, bob.keys, items, bob.world.wall(), bob.entropy)
    bob.crash()
    assert bob.texts("alice") == []
    post.settle(alice, bob)
    assert bob.texts("alice") == ["survives"]


def test_a_long_absence_is_caught_up_in_few_items() -> None:
    _, post, alice, bob = town()
    for first in range(0, 600, 100):
        say(alice, "bob", *(f"message {number}" for number in range(first, first + 100)))
    assert post.leave(alice) <= 8
    post.settle(alice, bob)
    assert bob.texts("alice") == [f"message {number}" for number in range(600)]
    assert set(states(alice)) == {"delivered"}


def test_the_longest_message_fits_into_an_item() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "x" * limits.MESSAGE_BYTES, "y" * limits.MESSAGE_BYTES)
    assert post.leave(alice) == 2
    post.settle(alice, bob)
    assert [len(text) for text in bob.texts("alice")] == [limits.MESSAGE_BYTES] * 2


def test_own_other_devices_hear_of_it_by_mail_too() -> None:
    world, post, alice, bob = town()
    laptop = alice.log_in("laptop")
    Cable(world, alice, laptop)
    later(world)
    for cable in list(alice.cables.values()):
        cable.cut()
    post.publish(laptop)
    say(alice, "bob", "seen on both")
    later(world)
    post.settle(alice, laptop, bob)
    assert laptop.texts("bob") == ["seen on both"]


def test_mail_of_people_who_are_no_friends_any_more_is_dropped() -> None:
    _, post, alice, bob = town()
    say(alice, "bob", "too late")
    post.leave(alice)
    bob.database.connection.execute("UPDATE contacts SET state = 'removed' WHERE number > 0")
    post.fetch(bob)
    count = bob.database.connection.execute("SELECT count(*) FROM events").fetchone()
    assert count == (0,)


def test_a_letter_under_another_friend_s_name_does_not_open() -> None:
    world, post, alice, bob = town()
    carol = SimPeer.make(world, "carol")
    befriend(carol, bob)
    say(alice, "bob", "by alice")
    post.leave(alice)
    [item] = post.items[bob.keys.device]
    post.items[bob.keys.device] = [
        MailItem(
            item.number,
            AccountName("carol"),
            carol.keys.device,
            item.item,
            item.prekey,
            item.at,
            item.sealed,
        )
    ]
    post.fetch(bob)
    assert bob.texts("alice") == []
    assert bob.texts("carol") == []


def test_a_weekly_prekey_is_replaced_and_kept_as_long_as_mail_may_lie() -> None:
    world, post, alice, bob = town()
    device = bob.keys.device
    first = post.weekly[device]
    post.keys[device].clear()
    say(alice, "bob", "to the old one")
    post.leave(alice)
    world.run(world.now + int(limits.PREKEY_WEEKLY_S * 1000) + 1000)
    post.publish(bob)
    assert post.weekly[device] != first
    post.fetch(bob)
    assert bob.texts("alice") == ["to the old one"]
    world.run(world.now + int(limits.PREKEY_KEPT_S * 1000) + 1000)
    post.publish(bob)
    number = read_prekey(first, device, peek_certificate(bob.keys.certificate).signing_key).number
    assert bob.database.read(prekeys.private_of, number) is None


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_lost_doubled_and_reordered_in_the_end_everything_is_there_once(
    seed: int,
) -> None:
    """D1 to D4 over mail and links at once: a failing seed replays by its number."""
    dice = random.Random(seed)
    world, post, alice, bob = town(seed)
    said: dict[str, list[str]] = {"alice": [], "bob": []}
    for step in range(30):
        peer, friend = dice.choice([(alice, "bob"), (bob, "alice")])
        match dice.randrange(8):
            case 0 | 1 | 2:
                text = f"{peer.name} {step}"
                say(peer, friend, text)
                said[peer.name].append(text)
            case 3:
                post.leave(peer)
            case 4:
                items = post.items.get(peer.keys.device, [])
                dice.shuffle(items)
                if items and dice.random() < 0.5:
                    items.append(dice.choice(items))
                post.fetch(peer)
            case 5:
                if not alice.cables:
                    Cable(world, alice, bob)
                later(world, dice.randrange(1, 3000))
            case 6:
                for cable in list(alice.cables.values()):
                    cable.cut()
            case _:
                peer.crash()
                later(world, 1)
        for one in (alice, bob):
            post.publish(one)
    later(world)
    post.settle(alice, bob)
    for peer, other, name in ((alice, bob, "bob"), (bob, alice, "alice")):
        texts = other.texts(peer.name)
        accepted = [peer.accepted[id_] for id_ in peer.accepted]
        assert sorted(text for text in texts if text.startswith(peer.name)) == sorted(accepted)
        assert peer.texts(name) == texts
        assert set(states(peer)) <= {"delivered"}
    assert alice.lies == bob.lies == []
