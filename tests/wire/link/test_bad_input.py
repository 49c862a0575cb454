"""What a hostile or broken other side gets: one code, one Close, one last event, and nothing in between."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness.clock import Clock
from tests.harness.entropy import SeededEntropy
from tests.wire.link.sides import (
    ALICE,
    TRACKER_HELLO,
    called,
    haunted,
    hello_of,
    opened,
    own_hello,
)
from wire import limits
from wire.codes import Code
from wire.link import (
    Ending,
    Link,
    LinkClosed,
    LinkConfig,
    LinkIdentified,
    LinkState,
    MessageReceived,
    Role,
)
from wire.machine import UnixMillis
from wire.messages import Message, Purpose
from wire.messages.accounts import AddDevice, Register
from wire.messages.conversation import Digests
from wire.messages.session import Close, HelloAnonymous, Ping
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
