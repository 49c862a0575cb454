"""Links that lived or carried enough, and data links that somebody else takes over."""

from __future__ import annotations

import pytest

from tests.harness.clock import Clock
from tests.harness.entropy import SeededEntropy
from tests.wire.link.sides import (
    LinkPair,
    a_pair,
    an_open_pair,
    called,
    caller,
    lowered,
)
from tests.wire.link.test_link import TALK
from wire import limits
from wire.errors import LocalProtocolError
from wire.ids import ConversationId
from wire.link import (
    Link,
    LinkAged,
    LinkConfig,
    LinkOpened,
    LinkState,
    MessageReceived,
    Remote,
    Role,
)
from wire.messages import Purpose
from wire.messages.conversation import Events, SealedEvent

TRACKER, PEER, DATA = Purpose.TRACKER, Purpose.PEER, Purpose.DATA


def _link(role: Role, config: LinkConfig) -> Link:
    return Link(role, config, now=Clock().now, entropy=SeededEntropy(1))


# --- a link that rests between its words


@pytest.mark.parametrize("purpose", [TRACKER, PEER])
def test_a_link_that_rested_goes_on_and_remembers_the_key_alone(purpose: Purpose) -> None:
    pair = an_open_pair(purpose)
    for number in range(3):
        for link in (pair.left.machine, pair.right.machine):
            known = link.remote
            link.rest()
            assert known is not None
            assert link.remote == Remote(None, None, None, known.link_key)
        pair.left.machine.send(TALK[purpose], now=pair.clock.now)
        pair.right.machine.send(TALK[purpose], now=pair.clock.now)
        pair.run()
        for end in (pair.left, pair.right):
            assert end.told == [MessageReceived(TALK[purpose])] * (number + 1)


def test_a_link_that_is_not_open_has_nothing_to_forget() -> None:
    link = _link(Role.RESPONDER, called(PEER))
    link.rest()
    assert link.remote is None
    assert link.state is LinkState.GREETING


# --- a link that lived or carried enough


def test_a_link_says_once_that_it_is_old_and_goes_on() -> None:
    pair = an_open_pair(PEER, left=lowered(caller(PEER), lifetime_s=100))
    link = pair.left.machine
    pair.clock.pass_with(50, link)
    assert link.events() == []
    pair.run()
    pair.clock.pass_with(51, link)
    assert link.events() == [LinkAged()]
    pair.run()
    link.send(TALK[PEER], now=pair.clock.now)
    pair.run()
    assert pair.right.told == [MessageReceived(TALK[PEER])]
    pair.clock.pass_with(50, link)
    assert link.events() == []


def test_a_link_that_grows_old_between_two_heartbeats_says_so_without_one() -> None:
    short_s = limits.HEARTBEAT_S / 4
    pair = an_open_pair(PEER, left=lowered(caller(PEER), lifetime_s=short_s))
    link = pair.left.machine
    link.data_to_send()
    pair.clock.pass_with(short_s, link)
    assert link.events() == [LinkAged()]
    assert link.data_to_send() == b""


def test_a_link_that_carried_enough_says_so_at_its_next_heartbeat() -> None:
    pair = an_open_pair(PEER, left=lowered(caller(PEER), lifetime_bytes=20_000))
    link = pair.left.machine
    for _ in range(30):
        link.send(
            Events(ConversationId(b"c" * 32), (SealedEvent(b"h", bytes(1000)),)), now=pair.clock.now
        )
    pair.run()
    pair.clock.pass_with(limits.HEARTBEAT_S, link)
    assert link.events() == [LinkAged()]


# --- a data link whose records somebody else takes over


def _handed_over() -> LinkPair:
    return an_open_pair(
        DATA,
        left=lowered(caller(DATA), hands_over=True),
        right=lowered(called(DATA), hands_over=True),
    )


def test_who_takes_a_data_link_over_gets_the_keys_and_what_came_meanwhile() -> None:
    pair = a_pair(
        DATA,
        left=lowered(caller(DATA), hands_over=True),
    )
    pair.run()
    pair.right.machine.send(TALK[DATA], now=pair.clock.now)
    pair.right.machine.send_record(b"chunk", now=pair.clock.now)
    pair.run()
    assert [type(event) for event in pair.left.told] == [LinkOpened]
    sealer, opener, leftover = pair.left.machine.take_over()
    assert pair.left.machine.state is LinkState.TAKEN
    first = int.from_bytes(leftover[:4], "big")
    opener.open(leftover[4 : 4 + first])
    assert opener.open(leftover[8 + first :]) == b"chunk"
    pair.right.told.clear()
    pair.right.receive(sealer.seal(b"\x80\x05\x91\x07"), pair.clock)
    assert pair.right.machine.unsent_bytes  # the Pong


def test_a_machine_that_was_taken_over_is_out_of_it() -> None:
    pair = _handed_over()
    link = pair.left.machine
    link.take_over()
    link.receive_data(b"anything", now=pair.clock.now)
    link.receive_eof(now=pair.clock.now)
    link.handle_deadline(now=pair.clock.now)
    assert link.deadline() is None
    assert link.events() == []
    assert link.data_to_send() == b""
    for misuse in (link.take_over, link.close):
        with pytest.raises(LocalProtocolError):
            misuse()


def test_only_a_link_that_was_made_for_it_is_taken_over() -> None:
    with pytest.raises(LocalProtocolError):
        an_open_pair(DATA).left.machine.take_over()
    with pytest.raises(LocalProtocolError):
        _link(Role.RESPONDER, lowered(called(DATA), hands_over=True)).take_over()
