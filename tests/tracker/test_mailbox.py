"""Mailboxes: only friends leave mail, within bounds; it goes when it is taken; prekeys are given away once."""

from __future__ import annotations

from typing import Any

from tests.harness.people import Person
from tests.tracker.world import NOW, World
from tracker import accounts, friends, mailbox
from tracker.dispatch import HANDLERS
from tracker.effects import TellDevice
from wire import limits
from wire.channel.primitives import HPKE_PRIVATE_BYTES, hpke_public
from wire.codes import Code
from wire.dialogue import REQUESTS
from wire.ids import DeviceId, RequestId
from wire.machine import UnixMillis
from wire.mailbox import Prekey, issue_prekey
from wire.messages.accounts import LogOut
from wire.messages.friends import RemoveFriend
from wire.messages.mailbox import (
    AskKept,
    AskMail,
    AskPrekeys,
    Deposit,
    Kept,
    Mail,
    MailboxState,
    Prekeys,
    PrekeysHeld,
    PutPrekeys,
    TakeMail,
)
from wire.messages.session import Done

REQUEST = RequestId(9)
PUBLIC = hpke_public(bytes(HPKE_PRIVATE_BYTES))
HOUR = 3600_000


def prekey(whose: Person, number: int, *, is_one_time: bool = True) -> bytes:
    keys = whose.keys
    return issue_prekey(keys.signing_seed, Prekey(keys.device, number, is_one_time, NOW, PUBLIC))


def publish(world: World, whose: Person, *numbers: int, weekly: int | None = None) -> PrekeysHeld:
    put = PutPrekeys(
        REQUEST,
        tuple(prekey(whose, number) for number in numbers),
        b"" if weekly is None else prekey(whose, weekly, is_one_time=False),
    )
    answer = world.do(mailbox.put_prekeys, world.caller(whose), put).answer
    assert isinstance(answer, PrekeysHeld)
    return answer


def keys_for(world: World, asker: Person, whose: Person, now: int = NOW) -> list[bytes]:
    asked = AskPrekeys(REQUEST, whose.name)
    answer = world.do(mailbox.ask_prekeys, world.caller(asker), asked, UnixMillis(now)).answer
    assert isinstance(answer, Prekeys)
    return [device.prekey for device in answer.devices]


def item(to: Person, number: int = 1, size: int = 100) -> Deposit:
    return Deposit(REQUEST, to.name, to.keys.device, number.to_bytes(16, "big"), 7, bytes(size))


def mail_of(world: World, whose: Person, after: int = 0) -> Mail:
    answer = world.do(mailbox.ask_mail, world.caller(whose), AskMail(REQUEST, after)).answer
    assert isinstance(answer, Mail)
    return answer


def pair(world: World) -> tuple[Person, Person]:
    alice, bob = world.joins("alice"), world.joins("bob")
    world.befriend(alice, bob)
    return alice, bob


def test_each_one_time_prekey_is_given_once_and_then_the_weekly_one(world: World) -> None:
    alice, bob = pair(world)
    assert publish(world, bob, 1, 2, weekly=100).one_time == 2
    given = [keys_for(world, alice, bob) for _ in range(4)]
    weekly = prekey(bob, 100, is_one_time=False)
    assert given == [[prekey(bob, 1)], [prekey(bob, 2)], [weekly], [weekly]]


def test_one_friend_gets_so_many_in_an_hour_and_others_still_find_some(world: World) -> None:
    alice, bob = pair(world)
    carol = world.joins("carol")
    world.befriend(carol, bob)
    publish(world, bob, *range(1, 21), weekly=100)
    for _ in range(limits.PREKEYS_PER_HOUR):
        assert keys_for(world, alice, bob) != [prekey(bob, 100, is_one_time=False)]
    assert keys_for(world, alice, bob) == [prekey(bob, 100, is_one_time=False)]
    assert keys_for(world, carol, bob) == [prekey(bob, 11)]
    assert keys_for(world, alice, bob, NOW + HOUR + 1) == [prekey(bob, 12)]


def test_a_device_without_prekeys_is_listed_with_none(world: World) -> None:
    alice, bob = pair(world)
    assert keys_for(world, alice, bob) == [b""]


def test_the_owner_hears_once_that_prekeys_run_short(world: World) -> None:
    alice, bob = pair(world)
    for first in range(0, limits.PREKEYS_LOW, limits.PREKEYS_PER_MESSAGE):
        publish(world, bob, *range(first, first + limits.PREKEYS_PER_MESSAGE))
    held = publish(world, bob).one_time
    told: list[Any] = []
    for number in range(held - limits.PREKEYS_LOW + 3):
        asked = AskPrekeys(REQUEST, bob.name)
        now = UnixMillis(NOW + number * HOUR)
        outcome = world.do(mailbox.ask_prekeys, world.caller(alice), asked, now)
        told += outcome.effects
    [effect] = told
    assert isinstance(effect, TellDevice)
    assert effect.message == MailboxState(0, limits.PREKEYS_LOW - 1, has_weekly=False, left=1)


def test_more_prekeys_than_the_limit_are_left_out(world: World) -> None:
    _, bob = pair(world)
    for first in range(0, limits.PREKEYS + 40, limits.PREKEYS_PER_MESSAGE):
        held = publish(world, bob, *range(first, first + limits.PREKEYS_PER_MESSAGE))
    assert held.one_time == limits.PREKEYS


def test_a_prekey_that_another_device_signed_or_of_the_other_kind_is_refused(world: World) -> None:
    alice, bob = pair(world)
    caller = world.caller(bob)
    for put in (
        PutPrekeys(REQUEST, (prekey(alice, 1),), b""),
        PutPrekeys(REQUEST, (), prekey(bob, 1)),
        PutPrekeys(REQUEST, (prekey(bob, 1, is_one_time=False),), b""),
        PutPrekeys(REQUEST, (b"junk",), b""),
    ):
        assert world.refused(mailbox.put_prekeys, caller, put) is Code.PREKEY_INVALID


def test_an_item_waits_for_its_device_until_it_is_taken(world: World) -> None:
    alice, bob = pair(world)
    outcome = world.do(mailbox.deposit, world.caller(alice), item(bob), NOW)
    assert outcome.answer == Done(REQUEST)
    [told] = outcome.effects
    assert isinstance(told, TellDevice)
    assert (told.device, told.message) == (
        bob.keys.device,
        MailboxState(1, 0, has_weekly=False, left=1),
    )
    [waiting] = mail_of(world, bob).items
    assert (waiting.name, waiting.device, waiting.prekey) == (alice.name, alice.keys.device, 7)
    assert mail_of(world, alice).items == ()
    take = TakeMail(REQUEST, (waiting.number,))
    world.do(mailbox.take_mail, world.caller(alice), take)  # not hers to take
    assert len(mail_of(world, bob).items) == 1
    world.do(mailbox.take_mail, world.caller(bob), take)
    world.do(mailbox.take_mail, world.caller(bob), take)
    assert mail_of(world, bob).items == ()


def test_the_same_item_again_is_answered_the_same_and_stored_once(world: World) -> None:
    alice, bob = pair(world)
    first = world.do(mailbox.deposit, world.caller(alice), item(bob), NOW)
    again = world.do(mailbox.deposit, world.caller(alice), item(bob), NOW)
    assert first.answer == again.answer
    assert again.effects == ()
    assert len(mail_of(world, bob).items) == 1


def test_strangers_former_friends_and_blocked_people_leave_nothing(world: World) -> None:
    alice, bob = pair(world)
    carol = world.joins("carol")
    assert world.refused(mailbox.deposit, world.caller(carol), item(bob), NOW) is Code.NOT_FRIENDS
    asked = AskPrekeys(REQUEST, bob.name)
    code = world.refused(mailbox.ask_prekeys, world.caller(carol), asked, NOW)
    assert code is Code.NOT_FRIENDS
    world.do(mailbox.deposit, world.caller(alice), item(bob), NOW)
    world.do(friends.remove_friend, world.caller(bob), RemoveFriend(REQUEST, alice.name))
    assert mail_of(world, bob).items == ()
    assert world.refused(mailbox.deposit, world.caller(alice), item(bob), NOW) is Code.NOT_FRIENDS


def test_own_other_devices_are_reached_and_the_same_one_is_not(world: World) -> None:
    alice = world.joins("alice")
    laptop = alice.with_device("laptop")
    world.do(accounts.log_in, alice.log_in(), laptop.channel())
    account = world.account(alice).id
    world.do(accounts.add_device, account, laptop.add_device(), laptop.channel(), NOW)
    publish(world, laptop, 1)
    assert keys_for(world, alice, alice) == [prekey(laptop, 1)]
    world.do(mailbox.deposit, world.caller(alice), item(laptop), NOW)
    assert len(mail_of(world, laptop).items) == 1
    code = world.refused(mailbox.deposit, world.caller(alice), item(alice), NOW)
    assert code is Code.DEVICE_UNKNOWN


def test_a_device_that_is_no_more_gets_nothing_and_leaves_nothing(world: World) -> None:
    alice, bob = pair(world)
    publish(world, bob, 1, weekly=2)
    world.do(mailbox.deposit, world.caller(alice), item(bob), NOW)
    world.do(accounts.log_out, world.caller(bob), LogOut(REQUEST))
    assert world.store.mail_load(bob.keys.device, None).items == 0
    assert keys_for(world, alice, bob) == []
    strange = Deposit(REQUEST, bob.name, DeviceId(b"?" * 16), b"i" * 16, 1, b"x")
    for message in (item(bob, 2), strange):
        code = world.refused(mailbox.deposit, world.caller(alice), message, NOW)
        assert code is Code.DEVICE_UNKNOWN


def test_one_sender_cannot_fill_a_mailbox_for_the_others(world: World) -> None:
    alice, bob = pair(world)
    carol = world.joins("carol")
    world.befriend(carol, bob)
    sender = world.caller(alice)
    many = limits.MAIL_BYTES_PER_PAIR // limits.MAIL_ITEM_BYTES
    for number in range(many):
        world.do(mailbox.deposit, sender, item(bob, number, limits.MAIL_ITEM_BYTES), NOW)
    one_more = item(bob, many, limits.MAIL_ITEM_BYTES)
    assert world.refused(mailbox.deposit, sender, one_more, NOW) is Code.MAILBOX_FULL
    world.do(mailbox.deposit, world.caller(carol), item(bob, 1, limits.MAIL_ITEM_BYTES), NOW)


def test_pages_hold_what_fits_and_go_on_behind_the_last_number(world: World) -> None:
    alice, bob = pair(world)
    sizes = [96 * 1024, 16 * 1024, 96 * 1024, *[1000] * 70]
    for number, size in enumerate(sizes):
        world.do(mailbox.deposit, world.caller(alice), item(bob, number, size), NOW)
    counts, after = [], 0
    while items := mail_of(world, bob, after).items:
        counts.append(len(items))
        after = items[-1].number
    assert counts == [2, 17, limits.MAIL_PER_MESSAGE - 10] or sum(counts) == len(sizes)
    assert counts[0] == 2


def test_what_is_too_old_goes(world: World) -> None:
    alice, bob = pair(world)
    world.do(mailbox.deposit, world.caller(alice), item(bob, 1), NOW)
    late = UnixMillis(NOW + int(limits.MAIL_LIFETIME_S * 1000) + 1)
    world.do(mailbox.deposit, world.caller(alice), item(bob, 2), late)
    assert mailbox.expire(world.store, late) == 1
    [left] = mail_of(world, bob).items
    assert left.item == (2).to_bytes(16, "big")


def test_every_request_there_is_has_somebody_who_answers_it() -> None:
    assert set(REQUESTS) == set(HANDLERS)


def test_prekeys_that_replace_all_before_are_the_only_ones_given_from_then_on(
    world: World,
) -> None:
    alice, bob = pair(world)
    publish(world, bob, 1, 2, 3, weekly=4)
    put = PutPrekeys(REQUEST, (prekey(bob, 2), prekey(bob, 9)), b"", replaces=True)
    held = world.do(mailbox.put_prekeys, world.caller(bob), put).answer
    assert held == PrekeysHeld(REQUEST, 2)
    given = [keys_for(world, alice, bob) for _ in range(3)]
    assert given == [[prekey(bob, 2)], [prekey(bob, 9)], [prekey(bob, 4, is_one_time=False)]]


def test_who_left_an_item_is_told_whether_it_waits_and_nobody_else_is(world: World) -> None:
    alice, bob = pair(world)
    carol = world.joins("carol")
    world.befriend(bob, carol)
    for number in (1, 2):
        world.do(mailbox.deposit, world.caller(alice), item(bob, number), NOW)
    first, second = (number.to_bytes(16, "big") for number in (1, 2))

    def kept(who: Person, device: DeviceId = bob.keys.device) -> tuple[bytes, ...]:
        asked = AskKept(REQUEST, bob.name, device, (first, second, bytes(16)))
        answer = world.do(mailbox.ask_kept, world.caller(who), asked).answer
        assert isinstance(answer, Kept)
        return answer.items

    assert kept(alice) == (first, second)
    assert kept(carol) == ()  # not hers
    assert kept(alice, alice.keys.device) == ()  # no device of bob's
    [taken, _] = mail_of(world, bob).items
    world.do(mailbox.take_mail, world.caller(bob), TakeMail(REQUEST, (taken.number,)))
    assert kept(alice) == (second,)
    stranger = world.joins("mallory")
    asked = AskKept(REQUEST, bob.name, bob.keys.device, (first,))
    assert world.refused(mailbox.ask_kept, world.caller(stranger), asked) is Code.NOT_FRIENDS
