"""Asks, answers, removals and blocks in any order: friendships stay mutual, and the blocked hear nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tests.harness.people import person
from tests.tracker.world import NOW, World
from tracker import friends
from tracker.effects import Befriended, Effect, Tell
from tracker.errors import TrackerError
from wire.ids import RequestId
from wire.messages.friends import (
    BlockUser,
    FriendAsked,
    RemoveFriend,
    UnblockUser,
)

PEOPLE = [person(name) for name in ("anna", "bert", "cleo")]
picks = st.integers(0, 2)


class Friendships(RuleBasedStateMachine):
    """Whatever three people do, what the services say fits together."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for someone in PEOPLE:
            self.world.joins(someone.name)
        self.delivered: dict[tuple[str, str], bytes] = {}

    def teardown(self) -> None:
        self.world.close()

    def attempt(
        self, service: Callable[..., Any], who: int, *arguments: object
    ) -> tuple[Effect, ...]:
        caller = self.world.caller(PEOPLE[who])
        try:
            effects: tuple[Effect, ...] = self.world.do(service, caller, *arguments).effects
        except TrackerError:
            return ()
        for effect in effects:
            if isinstance(effect, Tell):
                blocked = self.world.store.has_blocked(effect.account, caller.account)
                assert not (blocked and isinstance(effect.message, FriendAsked))
        return effects

    @rule(who=picks, whom=picks)
    def somebody_asks(self, who: int, whom: int) -> None:
        message = PEOPLE[who].ask(PEOPLE[whom])
        for effect in self.attempt(friends.ask_friend, who, message, NOW):
            assert isinstance(effect, Tell)
            self.delivered[PEOPLE[who].name, PEOPLE[whom].name] = message.signed

    @rule(who=picks, whom=picks, is_yes=st.booleans())
    def somebody_answers(self, who: int, whom: int, is_yes: bool) -> None:
        signed = self.delivered.get((PEOPLE[whom].name, PEOPLE[who].name))
        if signed is not None:
            message = PEOPLE[who].answer(PEOPLE[whom], signed, is_yes=is_yes)
            effects = self.attempt(friends.answer_friend, who, message, NOW)
            assert any(isinstance(e, Befriended) for e in effects) == (is_yes and bool(effects))

    @rule(who=picks, whom=picks)
    def somebody_removes(self, who: int, whom: int) -> None:
        self.attempt(friends.remove_friend, who, RemoveFriend(RequestId(1), PEOPLE[whom].name))

    @rule(who=picks, whom=picks)
    def somebody_blocks(self, who: int, whom: int) -> None:
        self.attempt(friends.block_user, who, BlockUser(RequestId(1), PEOPLE[whom].name), NOW)

    @rule(who=picks, whom=picks)
    def somebody_unblocks(self, who: int, whom: int) -> None:
        self.attempt(friends.unblock_user, who, UnblockUser(RequestId(1), PEOPLE[whom].name))

    @invariant()
    def friendship_is_mutual_and_excludes_requests_and_blocks(self) -> None:
        store = self.world.store
        ids = [self.world.account(someone).id for someone in PEOPLE]
        for a in ids:
            assert not store.are_friends(a, a)
            for b in ids:
                assert store.are_friends(a, b) == store.are_friends(b, a)
                if store.are_friends(a, b):
                    assert store.request_of(a, b) is None
                    assert not store.has_blocked(a, b)
                row = store.request_of(a, b)
                if row is not None and not row.is_void:
                    assert not store.has_blocked(b, a)


TestFriendshipsFitTogether = Friendships.TestCase
TestFriendshipsFitTogether.settings = settings(
    max_examples=max(10, settings().max_examples // 4), stateful_step_count=30
)
