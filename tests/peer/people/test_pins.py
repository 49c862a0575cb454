"""Whatever a tracker and three people who all claim one name do: a pin changes by a person's own word only."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from peer.errors import PeerError
from peer.people import befriending, contacts, overtures, roster
from tests.harness.simnet import SimPeer, Simulation
from wire.errors import WireError
from wire.identity import (
    FriendAnswer,
    FriendRequest,
    fingerprint,
    issue_friend_answer,
    issue_friend_request,
    request_hash,
)
from wire.ids import AccountName, IdentityKey
from wire.messages import friends
from wire.messages.presence import Show

NAME = AccountName("bob")
who = st.integers(0, 2)


class Pins(RuleBasedStateMachine):
    """Alice's home; three bobs with keys of their own, and a tracker that says anything."""

    def __init__(self) -> None:
        super().__init__()
        world = Simulation(1)
        self.alice = SimPeer.make(world, "alice")
        self.bobs = [SimPeer.make(Simulation(seed), "bob") for seed in (2, 3, 4)]
        self.asked = 0

    def identity(self, one: int) -> IdentityKey:
        return self.bobs[one].keys.identity

    def pin(self) -> bytes | None:
        """The identity that counts as pinned, if any."""
        contact = contacts.find(self.alice.database.connection, NAME)
        return contact.identity if contact is not None and contact.is_pinned else None

    def do(self, fn: Callable[..., object], *arguments: object, **how: object) -> None:
        """Do something that may be refused; the pin of a friend stays."""
        before = self.pin()
        self.trusting(fn, *arguments, **how)
        assert before is None or self.pin() == before, f"{fn.__name__} changed a pin"

    def trusting(self, fn: Callable[..., object], *arguments: object, **how: object) -> None:
        """Do something that may be refused, and by which a person may choose another pin."""
        with suppress(PeerError, WireError):
            self.alice.database.write(fn, *arguments, **how)

    @property
    def now(self) -> int:
        return self.alice.world.wall()

    # --- what others do

    @rule(one=who, is_again=st.booleans())
    def somebody_asks(self, one: int, is_again: bool) -> None:
        self.asked += not is_again
        keys = self.bobs[one].keys
        request = FriendRequest(
            asker_name=NAME,
            target_name=AccountName("alice"),
            asker=keys.identity,
            target=b"",
            nonce=self.asked.to_bytes(15, "big") + bytes([one]),
            note="",
            created=self.now,
            certificate=keys.certificate,
            device_list=keys.device_list,
        )
        asked = friends.FriendAsked(NAME, issue_friend_request(keys, request), self.now)
        self.do(overtures.on_asked, self.alice.keys, asked, self.now)

    @rule(one=who, is_yes=st.booleans())
    def somebody_answers(self, one: int, is_yes: bool) -> None:
        contact = contacts.find(self.alice.database.connection, NAME)
        if contact is None or contact.request is None:
            return
        keys = self.bobs[one].keys
        answer = FriendAnswer(
            request_hash=request_hash(contact.request),
            asker=self.alice.keys.identity,
            answerer=keys.identity,
            is_yes=is_yes,
            created=self.now,
            certificate=keys.certificate,
            device_list=keys.device_list,
        )
        signed = issue_friend_answer(keys, answer)
        message = friends.FriendAnswered(NAME, is_yes, signed, self.now)
        self.do(roster.on_tracker, self.alice.keys, message, self.now)

    @rule()
    def the_friendship_ends(self) -> None:
        message = friends.FriendRemoved(NAME)
        self.do(roster.on_tracker, self.alice.keys, message, self.now)

    @rule(one=st.none() | who)
    def the_tracker_lists(self, one: int | None) -> None:
        rows = []
        if one is not None:
            rows = [friends.Friend(NAME, self.identity(one), Show.AVAILABLE, "", 0)]
        self.do(roster.on_friends, rows, self.now)

    @rule(one=who)
    def the_tracker_finds(self, one: int) -> None:
        self.do(overtures.on_found, NAME, self.identity(one), self.now)

    # --- what alice does

    @rule(one=who, is_by_code=st.booleans())
    def alice_asks(self, one: int, is_by_code: bool) -> None:
        do = self.trusting if is_by_code else self.do
        do(
            befriending.ask, self.alice.keys, NAME, "",
            pinned=self.identity(one) if is_by_code else None, found=self.identity(one),
            now=self.now, entropy=self.alice.entropy,
        )  # fmt: skip

    @rule(accept=st.booleans())
    def alice_answers(self, accept: bool) -> None:
        self.do(befriending.answer, self.alice.keys, NAME, accept=accept, now=self.now)

    @rule(one=who)
    def alice_types_a_fingerprint(self, one: int) -> None:
        contact = contacts.find(self.alice.database.connection, NAME)
        shown = contact.claimed if contact is not None else None
        typed = fingerprint(self.identity(one))
        do = self.trusting if shown == self.identity(one) else self.do
        do(befriending.accept_key, self.alice.keys, NAME, typed, self.now)
        if shown == self.identity(one) and contact is not None and contact.state != "blocked":
            assert self.pin() == shown

    @rule()
    def alice_parts(self) -> None:
        self.do(befriending.remove, NAME, self.now)

    @rule(is_blocked=st.booleans())
    def alice_blocks(self, is_blocked: bool) -> None:
        self.do(befriending.block, NAME, is_blocked, self.now)

    # --- what holds

    @invariant()
    def only_the_pin_of_a_friend_may_link_and_nobody_while_another_key_is_shown(self) -> None:
        connection = self.alice.database.connection
        contact = contacts.find(connection, NAME)
        for one in range(3):
            try:
                found = contacts.may_link(connection, self.identity(one))
            except WireError:
                continue
            assert contact is not None
            assert found.identity == contact.identity == self.identity(one)
            assert (contact.state, contact.claimed) == ("friends", None)

    @invariant()
    def a_request_that_waits_is_of_the_identity_that_is_shown(self) -> None:
        for request in self.alice.database.read(roster.requests):
            if request.direction == "in":
                assert request.fingerprint in {fingerprint(self.identity(n)) for n in range(3)}


TestPins = Pins.TestCase
TestPins.settings = settings(
    max_examples=max(20, settings().max_examples // 2), stateful_step_count=30, deadline=None
)
