"""Links between honest sides: they open, know each other, carry what is said, and end in good order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.clock import Clock
from tests.harness.entropy import SeededEntropy
from tests.harness.pair import pieces
from tests.wire.link.sides import (
    ALICE,
    BOB,
    EVE,
    TRACKER_HELLO,
    TRACKER_KEY,
    LinkPair,
    a_pair,
    an_open_pair,
    called,
    caller,
    hello_of,
    lowered,
)
from wire import limits
from wire.channel.records import OVERHEAD_BYTES
from wire.codes import Code
from wire.errors import LocalProtocolError
from wire.identity import read_certificate, read_device_list
from wire.ids import ConversationId, LinkKey
from wire.link import (
    ChunkReceived,
    Ending,
    Link,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkIdentified,
    LinkOpened,
    LinkState,
    MessageReceived,
    Remote,
    Role,
)
from wire.messages import Message, Purpose
from wire.messages.conversation import Events, SealedEvent
from wire.messages.session import Done, HelloAnonymous, Ping
from wire.messages.transfer import FetchManifest, Pack, PackedChunk, Piece

TRACKER, PEER, DATA = Purpose.TRACKER, Purpose.PEER, Purpose.DATA
TALK: dict[Purpose, Message] = {
    TRACKER: Done(7),  # type: ignore[arg-type]
    PEER: Events(ConversationId(b"c" * 32), (SealedEvent(b"header", b"body"),)),
    DATA: FetchManifest(1, b"d" * 16, b"o" * 16, 0),  # type: ignore[arg-type]
}


def _remote(keys: object, pair: LinkPair) -> Remote:
    assert keys in (ALICE, BOB)
    device = ALICE if keys is ALICE else BOB
    return Remote(
        hello_of(device),
        read_certificate(device.certificate, device.identity),
        read_device_list(device.device_list, device.identity),
        device.link_key,
    )


@pytest.mark.parametrize("purpose", [PEER, DATA])
def test_two_devices_open_a_link_and_each_knows_who_is_there(purpose: Purpose) -> None:
    pair = a_pair(purpose)
    pair.run()
    name = pair.left.machine.handshake_hash
    assert len(name) == 32
    alice, bob = _remote(ALICE, pair), _remote(BOB, pair)
    assert pair.left.told == [LinkOpened(bob, name)]
    assert pair.right.told == [LinkIdentified(alice), LinkOpened(alice, name)]
    assert pair.left.machine.remote == bob
    assert pair.right.machine.remote == alice
    assert (pair.left.machine.role, pair.right.machine.role) == (Role.INITIATOR, Role.RESPONDER)


def test_a_device_opens_a_link_to_its_tracker_which_only_compares_its_link_key() -> None:
    pair = a_pair(TRACKER)
    pair.run()
    (opened,) = pair.left.told
    assert opened == LinkOpened(
        Remote(TRACKER_HELLO, None, None, TRACKER_KEY), pair.left.machine.handshake_hash
    )
    identified, _ = pair.right.told
    certificate = read_certificate(ALICE.certificate, ALICE.identity)
    remote = Remote(hello_of(ALICE), certificate, None, ALICE.link_key)
    assert identified == LinkIdentified(remote)


def test_somebody_without_a_device_may_call_a_tracker() -> None:
    pair = a_pair(TRACKER, left=caller(TRACKER, EVE, anonymous=True))
    pair.run()
    assert pair.right.told[0] == LinkIdentified(Remote(HelloAnonymous(), None, None, EVE.link_key))
    assert isinstance(pair.right.told[1], LinkOpened)


@pytest.mark.parametrize("purpose", TALK)
def test_what_one_side_says_the_other_hears_in_any_cuts(purpose: Purpose) -> None:
    pair = an_open_pair(purpose)
    for end in (pair.left, pair.right):
        for _ in range(3):
            end.machine.send(TALK[purpose], now=pair.clock.now)
    pair.run(pieces([1, 2, 3, 40]))
    assert pair.left.told == pair.right.told == [MessageReceived(TALK[purpose])] * 3


def test_a_link_opens_when_every_byte_comes_alone() -> None:
    pair = a_pair(PEER)
    pair.run(pieces([1]))
    assert pair.left.machine.state is pair.right.machine.state is LinkState.OPEN


def test_a_record_that_is_encoded_once_can_go_out_on_many_links() -> None:
    from wire import codec

    pair = an_open_pair(TRACKER)
    record = codec.encode(TRACKER, TALK[TRACKER])
    pair.right.machine.send_record(record, now=pair.clock.now)
    pair.run()
    assert pair.left.told == [MessageReceived(TALK[TRACKER])]


def test_a_record_beyond_the_limit_of_control_links_does_not_leave() -> None:
    pair = an_open_pair(PEER)
    with pytest.raises(LocalProtocolError):
        pair.left.machine.send_record(bytes(limits.CONTROL_RECORD_BYTES + 1), now=pair.clock.now)
    assert pair.left.machine.unsent_bytes == 0


def test_unsent_bytes_are_those_that_wait_to_be_taken() -> None:
    pair = an_open_pair(PEER)
    link = pair.left.machine
    link.send(TALK[PEER], now=pair.clock.now)
    waiting = link.unsent_bytes
    assert waiting > OVERHEAD_BYTES
    assert len(link.data_to_send()) == waiting
    assert link.unsent_bytes == 0


@pytest.mark.parametrize("lengths", [(5,), (3, 0, 4), (limits.CHUNK_BYTES,)])
def test_the_bytes_of_files_follow_their_announcement(lengths: tuple[int, ...]) -> None:
    pair = an_open_pair(DATA)
    content = bytes(sum(lengths))
    announcement: Message
    if len(lengths) == 1:
        announcement = Piece(1, 0, 0, lengths[0], b"d" * 32)  # type: ignore[arg-type]
    else:
        packed = tuple(PackedChunk(0, length, b"d" * 32) for length in lengths)  # type: ignore[arg-type]
        announcement = Pack(1, packed)
    pair.left.machine.send(announcement, now=pair.clock.now)
    pair.left.machine.send_record(content, now=pair.clock.now)
    pair.left.machine.send(TALK[DATA], now=pair.clock.now)
    pair.run(pieces([70_000]))
    assert pair.right.told == [
        MessageReceived(announcement),
        ChunkReceived(content),
        MessageReceived(TALK[DATA]),
    ]


def test_no_bytes_follow_a_pack_of_empty_files() -> None:
    pair = an_open_pair(DATA)
    pack = Pack(1, (PackedChunk(0, 0, b"d" * 32),))  # type: ignore[arg-type]
    pair.left.machine.send(pack, now=pair.clock.now)
    pair.left.machine.send(TALK[DATA], now=pair.clock.now)
    pair.run()
    assert pair.right.told == [MessageReceived(pack), MessageReceived(TALK[DATA])]


def test_a_link_ends_in_good_order_on_both_sides() -> None:
    pair = an_open_pair(PEER)
    pair.left.machine.send(TALK[PEER], now=pair.clock.now)
    pair.left.machine.close(Code.SHUTTING_DOWN, "until later")
    pair.run()
    pair.lose()
    assert pair.left.told == [LinkClosed(Code.SHUTTING_DOWN, "until later", Ending.US)]
    assert pair.right.told == [
        MessageReceived(TALK[PEER]),
        LinkClosed(Code.SHUTTING_DOWN, "until later", Ending.THEM),
    ]


def test_a_lost_connection_ends_both_sides_once() -> None:
    pair = an_open_pair(PEER)
    pair.lose()
    pair.lose()
    lost = [LinkClosed(Code.LINK_LOST, "the connection ended", Ending.LOST)]
    assert pair.left.told == pair.right.told == lost


def test_an_end_in_the_middle_of_a_record_applies_nothing_of_it() -> None:
    pair = an_open_pair(PEER)
    pair.left.machine.send(TALK[PEER], now=pair.clock.now)
    pair.carry(to_right=True, count=30)
    pair.lose()
    text = "the connection ended, in the middle of a frame"
    assert pair.right.told == [LinkClosed(Code.LINK_LOST, text, Ending.LOST)]


def test_a_caller_can_be_turned_away_with_a_reason() -> None:
    def refuse(link: Link, event: LinkEvent) -> None:
        if isinstance(event, LinkIdentified):
            link.refuse(Code.NOT_ADMITTED, "not today")

    pair = a_pair(PEER, on_right=refuse)
    pair.run()
    assert pair.left.told == [LinkClosed(Code.NOT_ADMITTED, "not today", Ending.THEM)]
    assert pair.right.told[1:] == [LinkClosed(Code.NOT_ADMITTED, "not today", Ending.US)]


def test_a_caller_can_think_better_of_it_before_the_link_is_open() -> None:
    pair = a_pair(PEER, on_right=lambda link, event: None)
    pair.run()
    pair.left.machine.close()
    pair.run()
    assert pair.right.told[1:] == [LinkClosed(Code.GOODBYE, "", Ending.THEM)]


@pytest.mark.parametrize(("when_open", "said"), [(False, Code.NOT_ADMITTED), (True, Code.INTERNAL)])
def test_codes_that_mean_nothing_elsewhere_stay_here(when_open: bool, said: Code) -> None:
    def decide(link: Link, event: LinkEvent) -> None:
        if isinstance(event, LinkIdentified) and not when_open:
            link.refuse(Code.KEY_CHANGED)
        elif isinstance(event, LinkIdentified):
            link.admit(hello_of(BOB))
            link.close(Code.KEY_CHANGED)

    pair = a_pair(PEER, on_right=decide)
    pair.run()
    assert pair.left.told[-1] == LinkClosed(said, "", Ending.THEM)
    assert pair.right.told[-1] == LinkClosed(Code.KEY_CHANGED, "", Ending.US)


def test_what_is_said_on_a_closed_link_is_dropped() -> None:
    pair = an_open_pair(PEER)
    pair.right.machine.close()
    pair.run()
    link = pair.left.machine
    link.send(TALK[PEER], now=pair.clock.now)
    link.send_record(b"\x80\x05", now=pair.clock.now)
    link.ping(now=pair.clock.now)
    link.admit(hello_of(ALICE))
    link.refuse(Code.NOT_ADMITTED)
    link.close()
    assert link.data_to_send() == b""
    assert link.events() == []


def _before_open() -> LinkPair:
    pair = a_pair(PEER, on_right=lambda link, event: None)
    pair.run()
    return pair


@pytest.mark.parametrize(
    "misuse",
    [
        lambda pair: pair.left.machine.send(Ping(1), now=pair.clock.now),
        lambda pair: pair.right.machine.send_record(b"x", now=pair.clock.now),
        lambda pair: pair.right.machine.ping(now=pair.clock.now),
        lambda pair: pair.left.machine.admit(hello_of(ALICE)),
        lambda pair: pair.left.machine.refuse(Code.NOT_ADMITTED),
        lambda pair: pair.right.machine.take_over(),
    ],
)
def test_verbs_out_of_order_are_our_own_mistake(misuse: Callable[[LinkPair], object]) -> None:
    with pytest.raises(LocalProtocolError):
        misuse(_before_open())


def _link(role: Role, config: LinkConfig) -> Link:
    return Link(role, config, now=Clock().now, entropy=SeededEntropy(1))


@pytest.mark.parametrize("purpose", [Purpose.RELAY, Purpose.KEY, Purpose.PROBE])
def test_services_without_a_handshake_have_no_links(purpose: Purpose) -> None:
    with pytest.raises(LocalProtocolError):
        LinkConfig(purpose, ALICE.link_private, BOB.identity)


def test_only_data_links_are_handed_over() -> None:
    with pytest.raises(LocalProtocolError):
        LinkConfig(PEER, ALICE.link_private, BOB.identity, hands_over=True)


def test_an_initiator_knows_what_to_say_and_whom_to_call() -> None:
    good = caller(PEER)
    for bad in (lowered(good, hello=None), lowered(good, expected_static=None)):
        with pytest.raises(LocalProtocolError):
            _link(Role.INITIATOR, bad)


def test_nobody_calls_its_own_key() -> None:
    with pytest.raises(LocalProtocolError) as caught:
        _link(Role.INITIATOR, caller(PEER, ALICE, ALICE))
    assert caught.value.code is Code.SELF_CONNECTION


def test_a_key_that_nobody_can_own_ends_the_link_before_it_begins() -> None:
    link = _link(Role.INITIATOR, lowered(caller(PEER), expected_static=LinkKey(bytes(32))))
    assert link.state is LinkState.CLOSED
    (closed,) = link.events()
    assert isinstance(closed, LinkClosed)
    assert closed.code is Code.HANDSHAKE_FAILED
    assert link.deadline() is None


def test_no_secret_stands_in_the_words_of_a_configuration() -> None:
    assert repr(ALICE.link_private) not in repr(caller(PEER))


@pytest.mark.parametrize("purpose", [PEER, TRACKER])
def test_keys_are_replaced_under_way_without_anybody_noticing(purpose: Purpose) -> None:
    few = {"rekey_after_records": 2, "rekey_after_bytes": 100}
    pair = an_open_pair(
        purpose, left=lowered(caller(purpose), **few), right=lowered(called(purpose), **few)
    )
    for _ in range(7):
        pair.left.machine.send(TALK[purpose], now=pair.clock.now)
        pair.right.machine.send(TALK[purpose], now=pair.clock.now)
    pair.run()
    assert len(pair.left.told) == len(pair.right.told) == 7
