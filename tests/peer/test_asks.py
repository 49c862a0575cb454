"""An answer to somebody who asked over a link: who has to have it, and when it is forgotten."""

from __future__ import annotations

import pytest

from peer import asks
from peer.asks import Waiting
from tests.harness.simnet import SimPeer, Simulation
from wire.codes import Code
from wire.ids import AccountName, RequestId
from wire.messages import friends

GUEST = AccountName("guest")
SIGNED = b"an answer"


@pytest.fixture
def host() -> SimPeer:
    return SimPeer.make(Simulation(1), "host")


def answered(host: SimPeer, *, is_yes: bool = True, is_near: bool = True) -> Waiting:
    """Let somebody ask, and answer them."""
    if is_near:
        host.database.write(asks.came_near, GUEST)
    yes_or_no = friends.AnswerFriend(RequestId(0), GUEST, is_yes, SIGNED)
    host.database.write(asks.add, yes_or_no)
    [waiting] = host.database.read(asks.waiting)
    return waiting


def kept(host: SimPeer) -> bytes | None:
    return host.database.read(asks.answer_to, GUEST)


def test_a_yes_that_the_tracker_knows_nothing_of_is_kept_until_they_talk(host: SimPeer) -> None:
    waiting = answered(host)
    assert host.database.write(asks.refused, waiting, Code.REQUEST_UNKNOWN) is False
    assert kept(host) == SIGNED
    host.database.write(asks.heard, GUEST)
    assert kept(host) is None


def test_a_yes_that_the_tracker_may_still_take_is_not_forgotten_for_their_words(
    host: SimPeer,
) -> None:
    waiting = answered(host)
    host.database.write(asks.heard, GUEST)
    assert kept(host) == SIGNED
    host.database.write(asks.done, waiting)
    assert kept(host) is None


def test_a_no_that_the_tracker_knows_nothing_of_is_forgotten_in_silence(host: SimPeer) -> None:
    waiting = answered(host, is_yes=False)
    assert host.database.write(asks.refused, waiting, Code.REQUEST_UNKNOWN) is False
    assert kept(host) is None


@pytest.mark.parametrize(
    ("is_near", "code"), [(False, Code.REQUEST_UNKNOWN), (True, Code.TOO_MANY_FRIENDS)]
)
def test_what_the_tracker_should_have_taken_and_did_not_is_news(
    host: SimPeer, is_near: bool, code: Code
) -> None:
    waiting = answered(host, is_near=is_near)
    assert host.database.write(asks.refused, waiting, code) is True
    assert kept(host) is None


@pytest.mark.parametrize("ends", [friends.RemoveFriend, friends.BlockUser])
def test_the_end_of_a_friendship_ends_the_answer_to_it(
    host: SimPeer, ends: type[friends.RemoveFriend | friends.BlockUser]
) -> None:
    host.database.write(asks.refused, answered(host), Code.REQUEST_UNKNOWN)
    host.database.write(asks.add, ends(RequestId(0), GUEST))
    assert kept(host) is None
