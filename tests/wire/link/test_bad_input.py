"""What a hostile or broken other side gets: one code, one Close, one last event, and nothing in between."""

from __future__ import annotations

from collections.abc import Callable

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
    own_hello,
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
    LinkIdentified,
    LinkState,
    MessageReceived,
    Role,
)
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.accounts import AddDevice, Register
from wire.messages.conversation import Digests
from wire.messages.session import Close, Hello, HelloAnonymous, Ping
from wire.messages.transfer import Piece

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


# --- nothing of the application before both sides are proven


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("message", [TALK, Ping(1)])
def test_a_message_before_hello_is_refused(role: Role, message: Message) -> None:
    clock = Clock()
    link, ghost = haunted(role, PEER, clock)
    link.receive_data(ghost.record(message), now=clock.now)
    assert _closed(link).code is Code.NOT_NOW


@pytest.mark.parametrize("message", [TALK, Ping(1), hello_of(ALICE)])
def test_a_caller_who_speaks_before_it_was_admitted_is_refused(message: Message) -> None:
    clock = Clock()
    link, ghost = haunted(Role.RESPONDER, PEER, clock)
    link.receive_data(ghost.record(hello_of(ALICE), message), now=clock.now)
    identified, closed = link.events()
    assert isinstance(identified, LinkIdentified)
    assert isinstance(closed, LinkClosed)
    assert closed.code is Code.NOT_NOW
    link.admit(own_hello(PEER))
    assert link.events() == []


def test_a_hello_beyond_eight_kib_is_refused_from_its_length() -> None:
    clock = Clock()
    link, _ = haunted(Role.RESPONDER, PEER, clock)
    past = limits.HELLO_BYTES + limits.TAG_BYTES + 1
    link.receive_data(past.to_bytes(4, "big"), now=clock.now)
    assert _closed(link).code is Code.FRAME_TOO_LARGE_BEFORE_AUTH


# --- on an open link


@pytest.mark.parametrize("role", Role)
def test_a_second_hello_is_refused(role: Role) -> None:
    clock = Clock()
    link, ghost = opened(role, PEER, clock)
    link.receive_data(ghost.record(hello_of(ALICE)), now=clock.now)
    assert _closed(link).code is Code.NOT_NOW


def _flipped(record: bytes) -> bytes:
    return record[:-1] + bytes((record[-1] ^ 1,))


@pytest.mark.parametrize(
    "spoil",
    [
        _flipped,
        lambda record: record + record,
        lambda record: record[:4] + record[24:] + record[4:24],
    ],
    ids=["a bit is flipped", "it is replayed", "its parts change places"],
)
def test_a_record_that_does_not_verify_ends_the_link(spoil: Callable[[bytes], bytes]) -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    link.receive_data(spoil(ghost.record(TALK)), now=clock.now)
    *before, closed = link.events()
    assert before in ([], [MessageReceived(TALK)])
    assert isinstance(closed, LinkClosed)
    assert closed.code is Code.LINK_CORRUPT
    assert ghost.hears(link.data_to_send())[-1] == Close("link-corrupt", closed.text)


def test_a_lost_record_ends_the_link_at_the_next_one() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    ghost.record(TALK)
    link.receive_data(ghost.record(TALK), now=clock.now)
    assert _closed(link).code is Code.LINK_CORRUPT


@pytest.mark.parametrize("length", [0, 16])
def test_a_record_without_content_ends_the_link(length: int) -> None:
    clock = Clock()
    link, _ = opened(Role.RESPONDER, PEER, clock)
    link.receive_data(length.to_bytes(4, "big") + bytes(length), now=clock.now)
    assert _closed(link).code is Code.FRAME_EMPTY


@pytest.mark.parametrize(
    ("purpose", "most"),
    [
        (PEER, limits.CONTROL_RECORD_BYTES),
        (TRACKER, limits.CONTROL_RECORD_BYTES),
        (DATA, limits.DATA_RECORD_BYTES),
    ],
)
def test_a_record_at_the_limit_passes_and_one_past_it_is_refused_unread(
    purpose: Purpose, most: int
) -> None:
    clock = Clock()
    link, ghost = opened(Role.INITIATOR, purpose, clock)
    link.receive_data(ghost.record(b"\x00\x7f" + bytes(most - 2)), now=clock.now)
    assert link.dropped_messages == 1
    link.receive_data((most + limits.TAG_BYTES + 1).to_bytes(4, "big"), now=clock.now)
    assert _closed(link).code is Code.RECORD_TOO_LARGE


def test_an_anonymous_caller_may_send_what_a_registration_needs_and_no_more() -> None:
    clock = Clock()
    link, ghost = haunted(Role.RESPONDER, TRACKER, clock)
    link.receive_data(ghost.record(HelloAnonymous()), now=clock.now)
    link.admit(TRACKER_HELLO)
    link.events()
    largest = (
        _largest_register(),
        AddDevice(
            2**32 - 1,  # type: ignore[arg-type]
            bytes(limits.CERTIFICATE_BYTES),
            bytes(limits.DEVICE_LIST_BYTES),
            bytes(limits.VAULT_BYTES),
            2**53,
        ),
    )
    for message in largest:
        link.receive_data(ghost.record(message), now=clock.now)
        assert link.events() == [MessageReceived(message)]
    link.receive_data((limits.HELLO_BYTES + limits.TAG_BYTES + 1).to_bytes(4, "big"), now=clock.now)
    assert _closed(link).code is Code.RECORD_TOO_LARGE


def _largest_register() -> Register:
    return Register(
        request=2**32 - 1,  # type: ignore[arg-type]
        name="a" * 32,  # type: ignore[arg-type]
        identity=ALICE.identity,
        salt=bytes(16),
        memory_kib=limits.KDF_MEMORY_KIB_MOST,
        passes=limits.KDF_PASSES_MOST,
        lanes=limits.KDF_LANES_MOST,
        auth_key=bytes(32),  # type: ignore[arg-type]
        vault=bytes(limits.VAULT_BYTES),
        vault_counter=2**53,
        certificate=bytes(limits.CERTIFICATE_BYTES),
        device_list=bytes(limits.DEVICE_LIST_BYTES),
        signature=bytes(64),
        invite="\U0001f511" * 64,
        has_recovery_key=True,
    )


def test_an_unknown_message_ends_the_link_if_critical_and_is_counted_if_not() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    link.receive_data(ghost.record(b"\x00\xee\xc1", b"\x00\xef"), now=clock.now)
    assert (link.dropped_messages, link.events()) == (2, [])
    link.receive_data(ghost.record(b"\x80\xee\x90"), now=clock.now)
    assert _closed(link) == LinkClosed(Code.UNKNOWN_CRITICAL, "message 0x80EE", Ending.US)


@pytest.mark.parametrize("content", [b"four", b"sixsix"])
def test_a_chunk_of_another_length_than_announced_ends_the_link(content: bytes) -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, DATA, clock)
    piece = Piece(1, 0, 0, 5, b"d" * 32)  # type: ignore[arg-type]
    link.receive_data(ghost.record(piece, content), now=clock.now)
    told, closed = link.events()
    assert told == MessageReceived(piece)
    assert isinstance(closed, LinkClosed)
    assert closed.code is Code.SIZE_INVALID


def test_the_first_fault_is_the_last_thing_that_is_heard() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    good, bad, late = ghost.record(TALK), ghost.record(b"\x80\xee"), ghost.record(TALK)
    link.receive_data(good + bad + late, now=clock.now)
    told, closed = link.events()
    assert told == MessageReceived(TALK)
    assert isinstance(closed, LinkClosed)
    link.receive_data(late * 100, now=clock.now)
    link.receive_eof(now=clock.now)
    assert link.events() == []


def test_what_follows_a_close_is_ignored_and_a_close_with_an_unknown_code_is_one_too() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    link.receive_data(ghost.record(Close("code-of-tomorrow", "why"), TALK), now=clock.now)
    assert _closed(link) == LinkClosed(Code.INTERNAL, "why", Ending.THEM)
    assert link.data_to_send() == b""


def test_a_long_reason_is_cut_to_what_a_close_may_say() -> None:
    clock = Clock()
    link, ghost = opened(Role.RESPONDER, PEER, clock)
    link.close(Code.INTERNAL, "x" * 1000)
    assert ghost.hears(link.data_to_send()) == [Close("internal", "x" * limits.CLOSE_TEXT_CHARS)]


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
