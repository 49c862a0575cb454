"""Silence: who says nothing is pinged, who answers nothing is gone, who asks too often is a flood."""

from __future__ import annotations

import pytest

from tests.harness.clock import Clock
from tests.harness.playbook import Playbook
from tests.wire.link.sides import (
    EVE,
    LinkPair,
    a_pair,
    an_open_pair,
    at,
    called,
    caller,
    haunted,
    hello_of,
    lowered,
    opened,
)
from wire import limits
from wire.codes import Code
from wire.link import (
    Ending,
    LinkClosed,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    LinkState,
    MessageReceived,
    Role,
)
from wire.messages import Purpose
from wire.messages.conversation import Digests
from wire.messages.session import Close, Ping, Pong

PEER, TRACKER = Purpose.PEER, Purpose.TRACKER
TALK = Digests((), is_last=True)


def _live(pair: LinkPair, seconds: float) -> None:
    """Let time pass for both, with the line working."""
    end = pair.clock.now + seconds
    while pair.clock.now < end:
        instants = [pair.left.machine.deadline(), pair.right.machine.deadline()]
        due = min([at for at in instants if at is not None] + [end])
        pair.clock.advance(due - pair.clock.now)
        for side in (pair.left, pair.right):
            side.machine.handle_deadline(now=pair.clock.now)
        pair.run()


def test_a_quiet_link_stays_open_for_as_long_as_both_live() -> None:
    pair = an_open_pair(PEER)
    _live(pair, 3600)
    assert pair.left.told == pair.right.told == []
    assert pair.left.machine.round_trip_s == 0


def test_a_ping_goes_out_after_a_heartbeat_of_our_own_silence() -> None:
    clock = Clock()
    link, ghost = opened(Role.INITIATOR, PEER, clock)
    link.send(TALK, now=clock.now)
    (
        Playbook[LinkEvent](link, clock)
        .says(ghost.reads(TALK))
        .waits(limits.HEARTBEAT_S - 0.001)
        .says_nothing()
        .waits(0.001)
        .says(ghost.reads(Ping(1)))
        .hears(ghost.record(Pong(1)))
        .waits(limits.HEARTBEAT_S)
        .says(ghost.reads(Ping(2)))
        .tells()
    )


def test_who_is_silent_for_a_minute_is_gone() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    (
        Playbook[LinkEvent](link, clock)
        .waits(limits.DEAD_AFTER_S - 1)
        .hears(ghost.record(TALK))
        .tells(MessageReceived(TALK))
        .waits(limits.DEAD_AFTER_S - 0.001)
        .tells()
        .waits(0.001)
        .tells(LinkClosed(Code.LINK_SILENT, "", Ending.US))
    )
    *pings, close = ghost.hears(link.data_to_send())
    assert all(isinstance(ping, Ping) for ping in pings)
    assert close == Close("link-silent")


def test_bytes_that_verify_as_nothing_are_no_sign_of_life() -> None:
    clock = Clock()
    link, _ = opened(Role.RESPONDER, PEER, clock)
    book = Playbook[LinkEvent](link, clock)
    for byte in b"\x00\x00\x04\x00" + bytes(55):
        book.hears(bytes((byte,))).waits(1)
    book.tells().waits(2).tells(LinkClosed(Code.LINK_SILENT, "", Ending.US))


def test_a_ping_is_answered_and_a_pong_measures_the_way_there_and_back() -> None:
    clock = Clock()
    link, ghost = opened(Role.INITIATOR, PEER, clock)
    book = Playbook[LinkEvent](link, clock)
    book.hears(ghost.record(Ping(2**32 - 1))).says(ghost.reads(Pong(2**32 - 1)))
    assert link.round_trip_s is None
    book.does(lambda: link.ping(now=clock.now)).waits(0.25)
    assert link.ping(now=clock.now) == pytest.approx(0.25)
    book.hears(ghost.record(Pong(1)))
    assert link.round_trip_s == pytest.approx(0.25)
    book.hears(ghost.record(Pong(1), Pong(77))).tells()
    assert link.round_trip_s == pytest.approx(0.25)


def test_one_measurement_at_a_time_so_that_a_stall_is_no_flood() -> None:
    clock = Clock()
    link, ghost = opened(Role.INITIATOR, PEER, clock)
    for _ in range(40):
        link.ping(now=clock.now)
        clock.advance(0.25)
    assert ghost.hears(link.data_to_send()) == [Ping(1)]


def test_a_ping_that_is_never_answered_does_not_stop_the_heartbeat() -> None:
    clock = Clock()
    link, ghost = opened(Role.INITIATOR, PEER, clock)
    book = Playbook[LinkEvent](link, clock).waits(limits.HEARTBEAT_S).hears(ghost.record(TALK))
    book.waits(limits.HEARTBEAT_S).says(ghost.reads(Ping(1), Ping(2)))


def test_ten_pings_a_second_are_answered_and_the_eleventh_is_a_flood() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    book = Playbook[LinkEvent](link, clock)
    ten = [Ping(token) for token in range(limits.PINGS_PER_S)]
    pongs = [Pong(token) for token in range(limits.PINGS_PER_S)]
    book.hears(ghost.record(*ten)).waits(1).hears(ghost.record(*ten)).tells()
    book.says(ghost.reads(*pongs, *pongs))
    text = f"more than {limits.PINGS_PER_S} pings a second"
    book.hears(ghost.record(*[Ping(0)] * 10_000))
    book.tells(LinkClosed(Code.FLOOD, text, Ending.US))
    book.says(ghost.reads(Close("flood", text)))


@pytest.mark.parametrize("role", Role)
def test_who_does_not_get_to_open_in_ten_seconds_is_closed(role: Role) -> None:
    clock = Clock()
    link, ghost = haunted(role, PEER, clock)
    closed = LinkClosed(Code.HANDSHAKE_TIMEOUT, "", Ending.US)
    book = Playbook[LinkEvent](link, clock)
    book.waits(limits.OPEN_TIMEOUT_S - 0.001).tells().waits(0.001).tells(closed)
    book.says(ghost.reads(Close("handshake-timeout")))


def test_one_byte_every_nine_seconds_does_not_make_the_ten_seconds_longer() -> None:
    clock = Clock()
    pair = a_pair(PEER, clock=clock)
    pair.collect()
    book = Playbook[LinkEvent](pair.right.machine, clock)
    book.hears(bytes(pair.right.arriving[:1])).waits(9).hears(bytes(pair.right.arriving[1:2]))
    book.tells().waits(1).tells(LinkClosed(Code.HANDSHAKE_TIMEOUT, "", Ending.US)).says_nothing()


def test_an_owner_who_decides_too_late_lets_nobody_in() -> None:
    pair = a_pair(PEER, on_right=lambda link, event: None)
    pair.run()
    link = pair.right.machine
    pair.clock.pass_with(limits.OPEN_TIMEOUT_S, link)
    link.admit(hello_of(EVE))
    assert link.events() == [LinkClosed(Code.HANDSHAKE_TIMEOUT, "", Ending.US)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_link_without_a_device_lasts_a_minute_in_all(side: str) -> None:
    config = lowered(called(TRACKER), heartbeat_s=1000, dead_after_s=1000)
    left = lowered(caller(TRACKER, EVE, anonymous=True), heartbeat_s=1000, dead_after_s=1000)
    pair = an_open_pair(TRACKER, left=left, right=config)
    link = getattr(pair, side).machine
    assert link.deadline() == at(pair.clock, limits.ANONYMOUS_TIMEOUT_S)
    pair.clock.pass_with(limits.ANONYMOUS_TIMEOUT_S - 0.001, link)
    assert link.state is LinkState.OPEN
    pair.clock.pass_with(0.001, link)
    assert link.events() == [LinkClosed(Code.HANDSHAKE_TIMEOUT, "", Ending.US)]


def test_the_instants_of_a_link_are_those_of_its_configuration() -> None:
    right = lowered(called(PEER), open_timeout_s=1, heartbeat_s=2, dead_after_s=3)
    pair = a_pair(PEER, right=right)
    link = pair.right.machine
    assert link.deadline() == at(pair.clock, 1)
    pair.run()
    assert [type(event) for event in pair.right.told] == [LinkIdentified, LinkOpened]
    assert link.deadline() == at(pair.clock, 2)
    pair.clock.pass_with(3, link)
    assert link.state is LinkState.CLOSED
