"""Read marks: set by reading alone, told to friends who may know, followed by own devices, never too early."""

from __future__ import annotations

import pytest
from hypothesis import settings as profile
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from msgspec import structs

from peer import api
from peer.accounts import account_state
from peer.effects import Effect
from peer.history import transcript
from peer.people import roster
from peer.settings import preferences
from peer.store import settings
from peer.talk import acts, following, readmarks, seen
from tests.harness.acting import act
from tests.harness.simnet import SimPeer, Simulation, befriend
from tests.harness.talk import (
    conversation_of,
    give,
    introduce,
    pass_on,
    receipt_of,
    say,
    tick,
    told,
    vector_of,
)
from tests.peer.accounts.test_account_state import devices
from wire import limits
from wire.account_state import AccountState, Entry, ReadMarks
from wire.identity.packing import pack
from wire.ids import ConversationId, DeviceId, Epoch
from wire.log.receipt import Reach, ReceiptBody, issue_receipt, peek_receipt
from wire.messages.conversation import Receipt, Unavailable

Pair = tuple[SimPeer, SimPeer]


@pytest.fixture
def pair() -> Pair:
    world = Simulation(1)
    alice, bob = SimPeer.make(world, "alice"), SimPeer.make(world, "bob")
    befriend(alice, bob)
    return alice, bob


def look(
    one: SimPeer, friend: str | None = None, *, unread_only: bool = False, limit: int | None = None
) -> list[Effect]:
    """Read as a node does, with nobody linked; gives what is told."""
    asked = api.ReadMessages(friend, unread_only, limit)
    _, effects = one.database.write(seen.read_and_tell, one.keys, asked, (), one.world.wall())
    one.database.commit()
    return effects


def states(one: SimPeer, friend: str) -> list[str | None]:
    """Give how far each message came, oldest first."""
    return [m.state for m in one.database.read(transcript.messages, friend) if m.kind == "message"]


def bring_receipt(one: SimPeer, to: SimPeer) -> list[Effect]:
    return give(receipt_of(one, to.account), one, to)


def switch(one: SimPeer, value: str, friend: str | None = None) -> None:
    one.database.write(preferences.put, preferences.KEYS["receipts"], value, friend)


def test_what_was_read_shows_as_read_at_its_author_and_stays_so(pair: Pair) -> None:
    alice, bob = pair
    ids = [say(alice, "bob", text) for text in ("one", "two", "three")]
    pass_on(alice, bob, *ids)
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["delivered"] * 3
    look(bob, "alice")
    further = told(bring_receipt(bob, alice), "receipt")
    assert [(one["id"], one["state"]) for one in further] == [(event, "read") for event in ids]
    assert states(alice, "bob") == ["read"] * 3
    pass_on(alice, bob, say(alice, "bob", "four"))
    bring_receipt(bob, alice)
    assert states(alice, "bob") == [*["read"] * 3, "delivered"]


def test_history_and_a_read_without_lines_tell_nothing(pair: Pair) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))
    bob.database.read(transcript.messages, "alice")
    look(bob, "alice", limit=0)
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["delivered"]
    assert bob.database.read(following.unread) == {"alice": 1}


def test_who_read_the_newest_alone_did_not_read_what_came_before(pair: Pair) -> None:
    alice, bob = pair
    pass_on(alice, bob, *[say(alice, "bob", text) for text in ("one", "two", "three")])
    look(bob, "alice", limit=1)
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["delivered"] * 3
    look(bob, "alice", unread_only=True)
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["read"] * 3


def test_what_is_about_a_message_is_neither_unread_nor_in_the_way(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    pass_on(alice, bob, said)
    look(bob, "alice")
    pass_on(alice, bob, act(alice, acts.pin, said, is_pinned=True))
    assert bob.database.read(following.unread) == {}
    after = say(alice, "bob", "two")
    pass_on(alice, bob, after)
    look(bob, "alice")
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["read", "read"]


@pytest.mark.parametrize("friend", [None, "alice"])
def test_who_switched_it_off_tells_nothing_and_delivers_all_the_same(
    pair: Pair, friend: str | None
) -> None:
    alice, bob = pair
    switch(bob, "off", friend)
    pass_on(alice, bob, say(alice, "bob", "one"))
    effects = look(bob, "alice")
    assert [one["unread"] for one in told(effects, "unread")] == [0]
    bring_receipt(bob, alice)
    assert peek_receipt(receipt_of(bob, "alice").signed).seen is None
    assert states(alice, "bob") == ["delivered"]
    assert not bob.database.read(seen.is_due)
    switch(bob, "on", friend)
    pass_on(alice, bob, say(alice, "bob", "two"))
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["read", "delivered"]


def test_a_read_without_keys_is_told_by_the_next_node(pair: Pair) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))
    assert not bob.database.read(seen.is_due)
    bob.database.write(seen.read, "alice", unread_only=False, limit=None)
    assert bob.database.read(seen.is_due)
    bob.database.write(seen.tell, bob.keys, (), bob.world.wall())
    assert not bob.database.read(seen.is_due)
    bring_receipt(bob, alice)
    assert states(alice, "bob") == ["read"]


def test_a_friend_who_is_away_is_owed_it_by_mail_and_one_who_is_linked_is_not(pair: Pair) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))

    def owed() -> int:
        (count,) = bob.database.connection.execute(
            "SELECT count(*) FROM owed_receipts WHERE device = ?", (alice.keys.device,)
        ).fetchone()
        return int(count)

    asked = api.ReadMessages("alice")
    linked = (alice.keys.device,)
    bob.database.write(seen.read_and_tell, bob.keys, asked, linked, bob.world.wall())
    assert owed() == 0
    pass_on(alice, bob, say(alice, "bob", "two"))
    look(bob, "alice")
    assert owed() == 1


def test_a_device_that_never_had_what_came_before_does_not_say_that_it_was_seen(
    pair: Pair,
) -> None:
    alice, bob = pair
    ids = [say(alice, "bob", text) for text in ("one", "two", "three")]
    [chain] = vector_of(alice, "bob")
    gap = Unavailable(conversation_of(alice, bob), chain.device, chain.epoch, 1, 2)
    give(gap, alice, bob)
    pass_on(alice, bob, ids[2])
    tick(bob, 60_000)
    look(bob, "alice")
    assert bob.texts("alice") == ["three"]
    bring_receipt(bob, alice)
    assert "read" not in states(alice, "bob")


def test_a_lie_about_places_beyond_what_was_delivered_shows_nothing_as_read(pair: Pair) -> None:
    alice, bob = pair
    pass_on(alice, bob, say(alice, "bob", "one"))
    say(alice, "bob", "two")
    true = peek_receipt(receipt_of(bob, "alice").signed)
    lie = newer(true, tuple(Reach(one.device, one.epoch, 2**53) for one in true.has), 1)
    give(Receipt(issue_receipt(bob.keys.signing_seed, lie)), bob, alice)
    assert states(alice, "bob") == ["read", "queued"]
    unheard = newer(true, (Reach(alice.keys.device, Epoch(b"nothing."), 9),), 2)
    give(Receipt(issue_receipt(bob.keys.signing_seed, unheard)), bob, alice)
    assert states(alice, "bob") == ["read", "queued"]


def newer(receipt: ReceiptBody, places: tuple[Reach, ...], by: int) -> ReceiptBody:
    """Make a newer receipt that says that other places were seen."""
    return structs.replace(receipt, seen=places, counter=receipt.counter + by)


def test_what_one_own_device_read_is_read_on_the_others_by_its_receipt(pair: Pair) -> None:
    alice, bob = pair
    desk = bob.log_in("bob-2")
    introduce(bob, desk)
    introduce(desk, bob)
    said = say(alice, "bob", "one")
    pass_on(alice, bob, said)
    pass_on(alice, desk, said)
    assert desk.database.read(following.unread) == {"alice": 1}
    look(bob, "alice")
    [change] = told(give(receipt_of(bob, "alice"), bob, desk), "unread")
    assert change == {"friend": "alice", "unread": 0}
    assert desk.database.read(following.unread) == {}


def test_a_device_that_was_taken_off_marks_nothing(pair: Pair) -> None:
    alice, bob = pair
    desk = bob.log_in("bob-2")
    introduce(bob, desk)
    introduce(desk, bob)
    said = say(alice, "bob", "one")
    pass_on(alice, bob, said)
    pass_on(alice, desk, said)
    look(bob, "alice")
    receipt = receipt_of(bob, "alice")
    desk.database.connection.execute(
        "UPDATE devices SET is_listed = 0 WHERE device = ?", (bob.keys.device,)
    )
    give(receipt, alice, desk)
    assert desk.database.read(following.unread) == {"alice": 1}


def test_read_marks_that_come_before_the_messages_count_when_those_come(pair: Pair) -> None:
    alice, bob = pair
    said = say(alice, "bob", "one")
    pass_on(alice, bob, said)
    look(bob, "alice")
    desk = bob.log_in("bob-2")
    introduce(bob, desk)
    [(key, value)] = settings_of(bob).items()
    state = AccountState(1, 0, bob.keys.device, (Entry(f"read/{key}", value, 1, bob.keys.device),))
    assert desk.database.write(account_state.merge, state, 1) == []
    pass_on(alice, desk, said)
    assert desk.database.read(following.unread) == {}
    late = say(alice, "bob", "two")
    pass_on(alice, desk, late)
    assert desk.database.read(following.unread) == {"alice": 1}
    [friend] = desk.database.read(roster.list_friends, online_only=False)
    assert friend.unread == 1


def settings_of(one: SimPeer) -> dict[str, bytes]:
    return one.database.read(settings.under, "read/")


def test_values_that_make_no_sense_are_left_alone(pair: Pair) -> None:
    _, bob = pair
    device = DeviceId(b"x" * 16)
    entries = (
        Entry("read/nothing", pack(ReadMarks(())), 1, device),
        Entry("read/" + "00" * 32, b"\xc1", 1, device),
        Entry("read/" + "11" * 32, pack(ReadMarks(())), 1, device),
    )
    state = AccountState(1, 0, device, entries)
    assert bob.database.write(account_state.merge, state, 1) == []


def test_a_receipt_with_everything_in_it_fits_its_bound() -> None:
    places = [
        Reach(DeviceId(bytes([n % 256] * 16)), Epoch(n.to_bytes(8, "big")), 2**53)
        for n in range(limits.RECEIPT_CHAINS)
    ]
    body = ReceiptBody(
        conversation=ConversationId(bytes(32)),
        device=DeviceId(bytes(16)),
        has=tuple(places),
        seen=tuple(places[: limits.SEEN_CHAINS]),
        counter=2**53,
        list_counter=2**53,
    )
    assert len(issue_receipt(bytes(32), body)) <= limits.RECEIPT_BYTES


class AnyOrder(RuleBasedStateMachine):
    """Three devices read what they like and meet the tracker when they like: in the end all know the most."""

    def __init__(self) -> None:
        super().__init__()
        self.devices = devices(3)
        self.most: dict[readmarks.ChainKey, int] = {}

    @rule(who=st.integers(0, 2), chain=st.integers(0, 3), high=st.integers(1, 9))
    def read(self, who: int, chain: int, high: int) -> None:
        key = (DeviceId(bytes([chain]) * 16), Epoch(bytes(8)))
        self.most[key] = max(self.most.get(key, 0), high)
        self.devices[who].database.write(readmarks.add, CONVERSATION, {key: high})

    @rule(who=st.integers(0, 2))
    def put(self, who: int) -> None:
        self.devices[who].put()

    @rule(who=st.integers(0, 2))
    def fetch(self, who: int) -> None:
        self.devices[who].fetch()

    def teardown(self) -> None:
        for one in (*self.devices, *self.devices):
            one.fetch()
            one.sync()
        for one in self.devices:
            one.fetch()
            assert one.database.read(readmarks.known, CONVERSATION) == self.most


CONVERSATION = ConversationId(b"c" * 32)
TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = profile(max_examples=40, stateful_step_count=25, deadline=None)
