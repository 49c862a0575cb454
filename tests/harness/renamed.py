"""Somebody else under a friend's name, as the tests of changed keys make and meet them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peer import api
from peer.effects import Ask
from peer.errors import PeerError
from peer.people import befriending, reissuing, roster
from tests.harness.simnet import Cable, SimPeer, Simulation
from wire.ids import AccountName
from wire.messages import friends
from wire.messages.friends import (
    AnswerFriend,
    AskFriend,
    FriendAnswered,
    FriendAsked,
    FriendRemoved,
)
from wire.messages.presence import Show


def do(peer: SimPeer, fn: Callable[..., Any], *arguments: Any, **how: Any) -> Any:
    return peer.database.write(fn, *arguments, **how)


def ask_of(effects: list[Any], kind: type[AnswerFriend | AskFriend]) -> Any:
    return next(e.message for e in effects if isinstance(e, Ask) and isinstance(e.message, kind))


def asks(one: SimPeer, other: SimPeer) -> FriendAsked:
    """Give a friend request as the other's tracker delivers it."""
    _, effects = do(
        one, befriending.ask, one.keys, AccountName(other.name), "it is me", pinned=None,
        found=other.keys.identity, now=one.world.wall(), entropy=one.entropy,
    )  # fmt: skip
    signed = ask_of(effects, friends.AskFriend).signed
    return friends.FriendAsked(AccountName(one.name), signed, one.world.wall())


def deliver(message: FriendAnswered | FriendAsked | FriendRemoved, to: SimPeer) -> Any:
    return do(to, roster.on_tracker, to.keys, message, to.world.wall())


def listed(peer: SimPeer, name: str = "bob") -> Any:
    return friends.Friend(AccountName(name), peer.keys.identity, Show.AVAILABLE, "", 1)


def accept(alice: SimPeer, typed: str) -> Any:
    return do(alice, befriending.accept_key, alice.keys, "bob", typed, alice.world.wall())


def friend_of(alice: SimPeer) -> api.Friend:
    [friend] = alice.database.read(roster.list_friends, online_only=False)
    return friend


def reissue(alice: SimPeer) -> Any:
    assert alice.database.read(reissuing.is_due, alice.keys)
    effects = do(alice, reissuing.reissue, alice.keys, alice.world.wall(), alice.entropy)
    assert not alice.database.read(reissuing.is_due, alice.keys)
    return effects


def refused(fn: Callable[..., Any], *arguments: Any, **how: Any) -> PeerError:
    with pytest.raises(PeerError) as caught:
        fn(*arguments, **how)
    return caught.value


def settle(world: Simulation, one: SimPeer, other: SimPeer) -> None:
    cable = Cable(world, one, other)
    world.run(world.now + 20_000)
    cable.cut()
