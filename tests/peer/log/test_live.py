"""What leaves without a look into the database, and what does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from peer.effects import PushEvents, SignedReceipt, WrittenEvent
from peer.log import live
from peer.log.sessions import BATCH_BYTES, ROWS_AT_ONCE, Progress, Session
from wire.ids import ConversationId, DeviceId, Epoch, IdentityKey
from wire.messages.conversation import Events, Receipt, SealedEvent

HERE, THERE, OTHER = (DeviceId(bytes([n]) * 16) for n in (1, 2, 3))
EPOCH = Epoch(b"e" * 8)
TALK = ConversationId(b"c" * 32)
CHAIN = (HERE, EPOCH)
Spoil = Callable[[Session], None]


def level(has: int = 4) -> Session:
    """Give a session that has everything, up to a place of our chain."""
    session = Session(THERE, IdentityKey(b"i" * 32), introduced={HERE})
    session.level[TALK] = Progress(has={CHAIN: has}, starts={CHAIN: 1})
    return session


def written(seq: int, size: int = 100) -> PushEvents:
    sealed = SealedEvent(b"%d" % seq, bytes(size))
    return PushEvents(TALK, news=WrittenEvent(HERE, EPOCH, seq, sealed))


def signed(brought_by: DeviceId = THERE) -> PushEvents:
    chains = frozenset({(THERE, EPOCH)})
    return PushEvents(TALK, news=SignedReceipt(HERE, brought_by, chains, b"signed"))


def test_what_comes_next_leaves_in_order_and_once() -> None:
    session = level()
    pushes = [written(5), written(6)]
    assert all(live.follow(session, push) for push in pushes)
    assert not live.follow(session, written(6))
    sealed = tuple(push.news.sealed for push in pushes if isinstance(push.news, WrittenEvent))
    assert live.take(session) == [Events(TALK, sealed)]
    assert live.take(session) == []
    assert session.level[TALK].has == {CHAIN: 6}
    assert live.follow(session, written(7))


def unlevel(session: Session) -> None:
    session.level.clear()


def behind(session: Session) -> None:
    session.touch(TALK)


def walking(session: Session) -> None:
    session.level[TALK].at = (1, b"", b"")


def stranger(session: Session) -> None:
    session.introduced.clear()


def with_holes(session: Session) -> None:
    session.level[TALK].floors[CHAIN] = 3


def unserved(session: Session) -> None:
    session.level[TALK].starts[CHAIN] = 9


def unasked(session: Session) -> None:
    session.level[TALK].starts.clear()


def lacking(session: Session) -> None:
    session.level[TALK].has[CHAIN] = 3


def long_unseen(session: Session) -> None:
    session.level[TALK].followed = ROWS_AT_ONCE


@pytest.mark.parametrize(
    "spoil",
    [
        *(unlevel, behind, walking, stranger, with_holes),
        *(unserved, unasked, lacking, long_unseen),
    ],
)
def test_whoever_may_lack_more_is_brought_up_to_date_instead(spoil: Spoil) -> None:
    session = level()
    spoil(session)
    assert not live.follow(session, written(5))
    assert live.take(session) == []


def test_a_push_that_does_not_say_what_is_new_is_not_followed() -> None:
    assert not live.follow(level(), PushEvents(TALK))


def test_more_than_a_batch_does_not_wait_in_memory() -> None:
    session = level()
    assert live.follow(session, written(5, BATCH_BYTES - 50))  # a single one may be larger, too
    assert not live.follow(session, written(6))
    assert session.level[TALK].has == {CHAIN: 5}


def test_a_receipt_goes_to_who_brought_what_it_is_for() -> None:
    session = level()
    assert not live.follow(session, signed(OTHER))
    assert live.follow(session, signed())
    assert live.take(session) == [Receipt(b"signed")]
    assert session.receipts == {(TALK, HERE): b"signed"}


def test_a_receipt_waits_where_it_is_not_known_whether_all_that_they_had_is_here() -> None:
    session = level()
    session.level[TALK].tips[THERE, EPOCH] = {b"id"}
    assert not live.follow(session, signed())
    assert live.take(session) == []
