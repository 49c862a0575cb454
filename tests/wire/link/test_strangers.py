"""Who knocks and is not let in: wrong protocols, wrong keys, wrong papers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.clock import Clock
from tests.harness.entropy import SeededEntropy
from tests.harness.pair import pieces
from tests.wire.link.sides import (
    ALICE,
    BOB,
    EVE,
    TRACKER_HELLO,
    Ghost,
    a_pair,
    called,
    caller,
    haunted,
    hello_of,
    lowered,
    opened,
)
from wire import codec, frames, limits
from wire.codes import Code
from wire.identity import add_device, read_device_list, revoke_device
from wire.ids import LinkKey
from wire.link import (
    Ending,
    Link,
    LinkClosed,
    LinkConfig,
    LinkEvent,
    LinkState,
    Role,
)
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.conversation import Digests
from wire.messages.session import Close, Hello, HelloAnonymous

TRACKER, PEER, DATA = Purpose.TRACKER, Purpose.PEER, Purpose.DATA
LATER = UnixMillis(1_790_000_000_000)
TALK = Digests((), is_last=True)


def _responder(config: LinkConfig | None = None) -> tuple[Link, Clock]:
    clock = Clock()
    config = config or called(PEER)
    return Link(Role.RESPONDER, config, now=clock.now, entropy=SeededEntropy(9)), clock


def _closed(link: Link) -> LinkClosed:
    """The one event of a link that failed."""
    (event,) = link.events()
    assert isinstance(event, LinkClosed)
    assert link.state is LinkState.CLOSED
    assert link.deadline() is None
    return event


# --- before keys exist


@pytest.mark.parametrize(
    ("start", "code", "answer"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Code.NOT_OUR_PROTOCOL, b""),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", Code.NOT_OUR_PROTOCOL, b""),
        (b"SSH-2.0-OpenSSH_9.9\r\n", Code.NOT_OUR_PROTOCOL, b""),
        (b"HBNB\x00", Code.VERSION_UNSUPPORTED, b"HBNB\x01\x01\x01\x00"),
        (b"HBNB\xff", Code.VERSION_UNSUPPORTED, b"HBNB\x01\x01\x01\x00"),
        (b"HBNB\x01\x02", Code.SUITE_UNKNOWN, b"HBNB\x01\x01\x02\x00"),
        (frames.preamble(TRACKER), Code.SUITE_UNKNOWN, b"HBNB\x01\x01\x02\x00"),
        (frames.preamble(PEER) + bytes(4), Code.FRAME_EMPTY, b""),
        (frames.preamble(PEER) + frames.frame(bytes(16)), Code.FRAME_EMPTY, b""),
        (frames.preamble(PEER) + b"\x00\x00\xff\xff", Code.FRAME_TOO_LARGE_BEFORE_AUTH, b""),
        (frames.preamble(PEER) + b"\xff" * 2**22, Code.FRAME_TOO_LARGE_BEFORE_AUTH, b""),
        (
            frames.preamble(PEER) + frames.frame(b"\x01" * 1232),
            Code.HANDSHAKE_FAILED,
            b"HBNB\x01\x01\x03\x00",
        ),
        (
            frames.preamble(PEER) + frames.frame(bytes(1232)),
            Code.HANDSHAKE_FAILED,
            b"HBNB\x01\x01\x03\x00",
        ),
    ],
)
def test_who_begins_wrong_is_told_in_clear_or_not_at_all(
    start: bytes, code: Code, answer: bytes
) -> None:
    for cut in (pieces([len(start)]), pieces([1, 3])):
        link, clock = _responder()
        for piece in cut(start[:5000]):
            link.receive_data(piece, now=clock.now)
        assert _closed(link).code is code
        assert link.data_to_send() == answer


@pytest.mark.parametrize("size", [1, 3, 8])
@pytest.mark.parametrize("code", frames.REFUSALS.values())
def test_a_clear_refusal_ends_the_caller_with_its_reason(code: Code, size: int) -> None:
    pair = a_pair(PEER)
    pair.collect()
    for piece in pieces([size])(frames.clear_refusal(code)):
        pair.left.receive(piece, pair.clock)
    (closed,) = pair.left.told
    assert isinstance(closed, LinkClosed)
    assert (closed.code, closed.by) == (code, Ending.THEM)
    assert pair.left.machine.data_to_send() == b""


def test_a_clear_refusal_is_read_until_the_first_record_and_never_after() -> None:
    clock = Clock()
    link, _ = haunted(Role.INITIATOR, PEER, clock)
    link.receive_data(frames.clear_refusal(Code.SHUTTING_DOWN), now=clock.now)
    assert _closed(link).code is Code.SHUTTING_DOWN
    link, _ = opened(Role.INITIATOR, PEER, clock)
    link.receive_data(frames.clear_refusal(Code.SHUTTING_DOWN), now=clock.now)
    assert _closed(link).code is Code.RECORD_TOO_LARGE


def test_who_dials_a_wrong_port_is_told_what_lives_there() -> None:
    pair = a_pair(TRACKER)
    pair.left.receive(b"SSH-2.0-OpenSSH_9.9\r\n", pair.clock)
    (closed,) = pair.left.told
    assert closed == LinkClosed(Code.NOT_OUR_PROTOCOL, "this looks like SSH", Ending.US)


def test_our_own_message_echoed_back_is_no_handshake() -> None:
    pair = a_pair(PEER)
    pair.collect()
    pair.left.receive(bytes(pair.right.arriving[limits.PREAMBLE_BYTES :]), pair.clock)
    (closed,) = pair.left.told
    assert isinstance(closed, LinkClosed)
    assert closed.code is Code.HANDSHAKE_FAILED


def test_a_responder_with_another_key_than_expected_is_not_reached() -> None:
    wrong = lowered(caller(PEER), expected_static=EVE.link_key)
    pair = a_pair(PEER, left=wrong)
    pair.run()
    for end, by in ((pair.left, Ending.THEM), (pair.right, Ending.US)):
        (closed,) = end.told
        assert isinstance(closed, LinkClosed)
        assert (closed.code, closed.by) == (Code.HANDSHAKE_FAILED, by)


def test_who_expects_another_identity_than_is_called_shares_no_handshake() -> None:
    wrong = lowered(caller(PEER), responder=EVE.identity)
    pair = a_pair(PEER, left=wrong)
    pair.run()
    assert [type(event) for event in pair.right.told] == [LinkClosed]


def test_a_third_message_of_another_run_opens_nothing() -> None:
    first = a_pair(PEER)
    first.run()
    third = first.left.sent[limits.PREAMBLE_BYTES + 4 + 1232 :]
    ghost = Ghost(Role.INITIATOR, caller(PEER))
    link, clock = _responder()
    link.receive_data(ghost.greets(), now=clock.now)
    link.data_to_send()
    link.receive_data(third, now=clock.now)
    assert _closed(link).code is Code.HANDSHAKE_FAILED


def test_a_replay_of_a_whole_call_says_nothing_to_the_application() -> None:
    recorded = a_pair(PEER)
    recorded.run()
    recorded.left.machine.send(TALK, now=recorded.clock.now)
    recorded.run()
    link, clock = _responder()
    link.receive_data(recorded.left.sent, now=clock.now)
    assert _closed(link).code is Code.HANDSHAKE_FAILED


def test_a_record_before_the_end_of_the_handshake_is_no_message_of_it() -> None:
    ghost = Ghost(Role.INITIATOR, caller(PEER))
    link, clock = _responder()
    link.receive_data(ghost.greets() + frames.frame(b"r" * 40), now=clock.now)
    assert _closed(link).code is Code.HANDSHAKE_FAILED


# --- who is there


def _verdict(hello: Message, *, purpose: Purpose = PEER, config: LinkConfig | None = None) -> Code:
    """What a responder says to a caller with Alice's link key and this Hello."""
    clock = Clock()
    link, ghost = haunted(Role.RESPONDER, purpose, clock, config=config)
    link.receive_data(ghost.record(hello), now=clock.now)
    closed = _closed(link)
    (said,) = ghost.hears(link.data_to_send())
    assert isinstance(said, Close)
    assert said.code == closed.code.value
    return closed.code


def _with(**other: object) -> Hello:
    from msgspec.structs import replace

    return replace(hello_of(ALICE), **other)


def _revoked() -> bytes:
    seed = SeededEntropy("alice").bytes(32)
    known = read_device_list(ALICE.device_list, ALICE.identity)
    phone = add_device(seed, known, "phone", now=LATER, entropy=SeededEntropy("phone"))
    longer = read_device_list(phone.device_list, ALICE.identity)
    return revoke_device(seed, longer, ALICE.device, now=LATER)


@pytest.mark.parametrize(
    ("hello", "code"),
    [
        (hello_of(EVE), Code.IDENTITY_MISMATCH),  # Eve's papers, Alice's link key
        (_with(device_list=EVE.device_list), Code.IDENTITY_MISMATCH),
        (_with(certificate=b""), Code.DECODE),
        (_with(certificate=b"\x92\xc4\x01a\xc4\x01b"), Code.DECODE),
        (_with(certificate=ALICE.certificate[:-1] + b"\x00"), Code.SIGNATURE_INVALID),
        (_with(device_list=ALICE.device_list[:-1] + b"\x00"), Code.SIGNATURE_INVALID),
        (_with(device_list=_revoked()), Code.DEVICE_REVOKED),
    ],
)
def test_who_cannot_prove_its_identity_is_refused_by_name(hello: Hello, code: Code) -> None:
    assert _verdict(hello) is code


def test_a_device_list_older_than_the_known_one_is_refused_by_name() -> None:
    assert _verdict(hello_of(ALICE), config=lowered(called(PEER), known_counter=2)) is (
        Code.LIST_ROLLBACK
    )


def test_a_friend_whose_device_answers_for_somebody_else_is_not_who_was_called() -> None:
    clock = Clock()
    config = lowered(caller(PEER), expected_identity=EVE.identity)
    link, ghost = haunted(Role.INITIATOR, PEER, clock, config=config)
    link.receive_data(ghost.record(hello_of(BOB)), now=clock.now)
    assert _closed(link).code is Code.IDENTITY_MISMATCH


def test_a_tracker_compares_the_link_key_of_the_certificate_with_the_handshake() -> None:
    assert _verdict(hello_of(EVE), purpose=TRACKER) is Code.IDENTITY_MISMATCH
    assert _verdict(_with(certificate=b"x"), purpose=TRACKER) is Code.DECODE


def test_only_devices_call_devices_and_only_trackers_answer_as_trackers() -> None:
    assert _verdict(TRACKER_HELLO, purpose=TRACKER) is Code.NOT_NOW
    clock = Clock()
    link, ghost = haunted(Role.INITIATOR, TRACKER, clock)
    link.receive_data(ghost.record(hello_of(BOB)), now=clock.now)
    assert _closed(link).code is Code.NOT_NOW


def test_an_anonymous_hello_does_not_exist_on_links_between_devices() -> None:
    clock = Clock()
    link, ghost = haunted(Role.RESPONDER, PEER, clock)
    number = codec.encode(TRACKER, HelloAnonymous())
    link.receive_data(ghost.record(number), now=clock.now)
    assert _closed(link).code is Code.UNKNOWN_CRITICAL


def test_a_call_from_our_own_device_is_a_self_connection() -> None:
    ghost = Ghost(Role.INITIATOR, caller(PEER, BOB, BOB))
    link, clock = _responder()
    link.receive_data(ghost.greets(), now=clock.now)
    link.receive_data(ghost.shakes(link.data_to_send()), now=clock.now)
    assert _closed(link).code is Code.SELF_CONNECTION
    assert ghost.hears(link.data_to_send()) == [Close("self-connection")]


@given(
    noise=st.binary(max_size=200), start=st.sampled_from([b"", b"HBNB", b"HBNB\x01\x01\x02\x00"])
)
def test_random_bytes_never_get_further_than_the_greeting(noise: bytes, start: bytes) -> None:
    link, clock = _responder()
    link.receive_data(start + noise, now=clock.now)
    assert link.state in (LinkState.GREETING, LinkState.CLOSED)


def test_a_link_key_of_low_order_is_the_fault_of_who_gave_it() -> None:
    config = lowered(caller(PEER), expected_static=LinkKey(b"\x01" + bytes(31)))
    link = Link(Role.INITIATOR, config, now=Clock().now, entropy=SeededEntropy(1))
    events: list[LinkEvent] = link.events()
    assert [event.code for event in events if isinstance(event, LinkClosed)] == [
        Code.HANDSHAKE_FAILED
    ]
