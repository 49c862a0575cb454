"""Events verify, stand in chains, and lose nothing but their bodies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.harness.entropy import SeededEntropy
from wire import limits
from wire.channel.primitives import sha256
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.identity import direct_conversation, first_device, read_certificate
from wire.identity.devices import DeviceKeys
from wire.identity.packing import pack
from wire.identity.sign import SignPurpose, issue
from wire.ids import ConversationId, DeviceId, Epoch, EventId, OfferId
from wire.log.event import (
    Answer,
    Chain,
    Delete,
    Edit,
    Event,
    EventKind,
    Header,
    Offer,
    OfferAnswer,
    Reaction,
    Text,
    Withdrawal,
    claimed_header,
    peek_header,
    read_body,
    read_event,
    read_header,
    text_content,
    write_event,
)
from wire.log.order import display_key, waits_for
from wire.log.receipt import Reach, ReceiptBody, issue_receipt, peek_receipt, read_receipt
from wire.log.vector import digest_of
from wire.machine import UnixMillis
from wire.messages.conversation import SealedEvent, VectorEntry

ENTROPY = SeededEntropy(b"events")
ALICE = first_device(b"\x0a" * 32, "laptop", now=UnixMillis(1), entropy=ENTROPY)
BOB = first_device(b"\x0b" * 32, "desk", now=UnixMillis(1), entropy=ENTROPY)
CERTIFICATES = {
    keys.device: read_certificate(keys.certificate, keys.identity) for keys in (ALICE, BOB)
}
CONVERSATION = direct_conversation(ALICE.identity, BOB.identity)
CHAIN = Chain(CONVERSATION, ALICE.device, Epoch(b"epoch..1"))
OFFER = Offer(OfferId(bytes(16)), "a.bin", 1, 10, ("a.bin",), 40, bytes(32))


def refused(code: Code) -> pytest.RaisesExc:
    return pytest.raises(RemoteProtocolError, check=lambda error: error.code is code)


def write(
    content: Any = None,
    *,
    chain: Chain = CHAIN,
    parents: Any = (),
    clock: int = 0,
    keys: DeviceKeys = ALICE,
) -> Event:
    return write_event(
        chain,
        content or Text("hello"),
        signing_seed=keys.signing_seed,
        parents=parents,
        known_clock=clock,
        list_counter=1,
        now=UnixMillis(1234),
        entropy=ENTROPY,
    )


def read(sealed: SealedEvent, known_clock: int = 0) -> Any:
    return read_event(sealed, CERTIFICATES.get, known_clock=known_clock)


def sign(header: Header, body: Any, keys: DeviceKeys = ALICE) -> SealedEvent:
    return SealedEvent(issue(keys.signing_seed, SignPurpose.EVENT, header), body)


def changed(**fields: Any) -> SealedEvent:
    """Sign a header that its honest writer would not have signed."""
    event = write()
    return sign(replace(event.header, **fields), event.sealed.body)


@pytest.mark.parametrize(
    "content",
    [
        Text("hello", b"\x01" * 32),
        Edit(EventId(bytes(32)), "better"),
        Delete(EventId(bytes(32))),
        Reaction(EventId(bytes(32)), "+1"),
        OFFER,
        Withdrawal(OfferId(bytes(16))),
        Answer(OfferId(bytes(16)), OfferAnswer.DONE),
    ],
    ids=lambda content: type(content).__name__,
)
def test_every_kind_of_event_reads_back_as_written(content: Any) -> None:
    event = write(content)
    assert read(event.sealed) == event
    assert peek_header(event.sealed.header) == event.header


def test_an_events_id_is_the_hash_of_its_header_alone() -> None:
    event = write()
    assert event.id == sha256(pack(event.header))
    assert read(SealedEvent(event.sealed.header, None)).id == event.id


def test_a_body_that_is_gone_leaves_the_header() -> None:
    assert read(SealedEvent(write().sealed.header, None)).content is None


def test_two_events_with_the_same_words_have_bodies_that_do_not_compare() -> None:
    assert write().header.body_hash != write().header.body_hash


def test_a_chain_goes_on_where_it_was() -> None:
    first = write()
    second = write(chain=Chain(CONVERSATION, ALICE.device, CHAIN.epoch, 1, first.id), clock=7)
    assert (second.header.seq, second.header.prev, second.header.clock) == (2, first.id, 8)
    assert display_key(second.header) == (8, ALICE.device)


def test_parents_beyond_the_limit_are_left_out_by_the_writer() -> None:
    heads = tuple(EventId(bytes([n]) * 32) for n in range(limits.PARENTS + 4))
    assert write(parents=heads).header.parents == heads[: limits.PARENTS]


def test_an_event_of_an_unknown_device_is_refused() -> None:
    event = write()
    with refused(Code.DEVICE_UNKNOWN):
        read_event(event.sealed, lambda _: None, known_clock=0)


def test_an_event_signed_by_another_device_is_refused() -> None:
    event = write()
    with refused(Code.SIGNATURE_INVALID):
        read(sign(event.header, event.sealed.body, keys=BOB))


def test_a_body_that_is_not_the_headers_is_refused() -> None:
    event, other = write(), write()
    with refused(Code.EVENT_INVALID):
        read(SealedEvent(event.sealed.header, other.sealed.body))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"seq": 2}, Code.EVENT_INVALID),
        ({"prev": b"\x01" * 32}, Code.EVENT_INVALID),
        ({"seq": 2, "prev": b"\x01" * 31}, Code.EVENT_INVALID),
        ({"parents": (EventId(b"p" * 32),) * 2}, Code.PARENTS_LIMIT),
        ({"clock": limits.CLOCK_AHEAD + 2}, Code.CLOCK_INVALID),
    ],
    ids=["no prev", "prev of nothing", "short prev", "a parent twice", "clock far ahead"],
)
def test_a_header_that_makes_no_sense_is_refused_even_if_signed(
    fields: dict[str, bytes | int]
    | dict[str, bytes]
    | dict[str, int]
    | dict[str, tuple[bytes, bytes]],
    code: Code,
) -> None:
    with refused(code):
        read(changed(**fields), known_clock=1)


def test_a_clock_just_within_what_is_known_is_taken() -> None:
    assert read(changed(clock=limits.CLOCK_AHEAD), known_clock=0).header.clock == 2**20


def test_an_unknown_kind_is_kept_without_content() -> None:
    assert read(changed(kind=200)).content is None


@pytest.mark.parametrize("text", ["   ", "\n"], ids=repr)
def test_an_empty_message_is_refused_on_both_sides(text: str) -> None:
    with pytest.raises(LocalProtocolError) as caught:
        text_content(text)
    assert caught.value.code is Code.MESSAGE_EMPTY
    with refused(Code.EVENT_INVALID):
        read(write(Text(text)).sealed)


def test_a_message_is_bounded_in_bytes_of_utf8() -> None:
    assert text_content("x" * limits.MESSAGE_BYTES).text
    for long in ("x" * (limits.MESSAGE_BYTES + 1), "ü" * (limits.MESSAGE_BYTES // 2 + 1)):
        with pytest.raises(LocalProtocolError) as caught:
            text_content(long)
        assert caught.value.code is Code.MESSAGE_TOO_LONG


def test_a_received_message_beyond_the_bytes_is_refused() -> None:
    long = "ü" * (limits.MESSAGE_BYTES // 2 + 1)
    body = bytes(limits.SALT_BYTES) + pack(Text(long))
    header = replace(write().header, body_hash=sha256(body), body_bytes=len(body))
    with refused(Code.EVENT_INVALID):
        read_body(header, body)


def test_a_body_of_another_kind_is_refused() -> None:
    body = bytes(limits.SALT_BYTES) + pack(Delete(EventId(bytes(32))))
    header = replace(write().header, body_hash=sha256(body), body_bytes=len(body))
    with refused(Code.EVENT_INVALID):
        read_body(replace(header, kind=int(EventKind.OFFER)), body)


SEALED = write().sealed


@given(st.integers(0, len(SEALED.header) - 1), st.integers(0, 7))
def test_a_flipped_bit_in_a_header_is_never_believed(index: int, bit: int) -> None:
    damaged = bytearray(SEALED.header)
    damaged[index] ^= 1 << bit
    with pytest.raises(RemoteProtocolError):
        read(SealedEvent(bytes(damaged), SEALED.body))


@given(st.binary(min_size=1, max_size=300))
def test_bytes_of_strangers_are_refused_and_never_crash(raw: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(SealedEvent(raw, raw))


# --- receipts, vectors, order


def receipt(counter: int = 1) -> ReceiptBody:
    return ReceiptBody(
        CONVERSATION, BOB.device, (Reach(ALICE.device, CHAIN.epoch, 3),), None, counter, 1
    )


def test_a_receipt_proves_what_its_device_has() -> None:
    signed = issue_receipt(BOB.signing_seed, receipt())
    assert peek_receipt(signed) == receipt()
    assert read_receipt(signed, BOB.device, BOB.signing_key) == receipt()


def test_a_receipt_by_another_device_is_refused() -> None:
    signed = issue_receipt(ALICE.signing_seed, receipt())
    with refused(Code.SIGNATURE_INVALID):
        read_receipt(signed, BOB.device, BOB.signing_key)
    with refused(Code.SIGNATURE_INVALID):
        read_receipt(signed, ALICE.device, ALICE.signing_key)


def entry(number: int, high: int) -> VectorEntry:
    device = DeviceId(bytes([number]) * 16)
    return VectorEntry(device, CHAIN.epoch, 0, high, b"\x05" * 32 if high else b"")


@given(st.permutations([entry(1, 4), entry(2, 9), entry(3, 1)]))
def test_a_digest_does_not_depend_on_the_order_of_chains(entries: list[VectorEntry]) -> None:
    assert digest_of(entries) == digest_of([entry(1, 4), entry(2, 9), entry(3, 1)])


def test_a_digest_tells_any_difference_and_ignores_chains_without_events() -> None:
    base = digest_of([entry(1, 4)])
    assert digest_of([entry(1, 4), entry(2, 0)]) == base
    assert digest_of([entry(1, 5)]) != base
    assert digest_of([]) != base
    assert len(base) == 16


def test_an_event_waits_for_what_its_author_had_seen() -> None:
    parent, former = EventId(b"p" * 32), EventId(b"f" * 32)
    header = replace(write().header, seq=2, prev=former, parents=(parent, former))
    assert waits_for(header, ()) == (former, parent)
    assert waits_for(header, (former,)) == (parent,)
    assert waits_for(write().header, ()) == ()
    assert ConversationId(header.conversation) == CONVERSATION


def test_a_header_verifies_alone_and_names_its_event() -> None:
    event = write()
    assert read_header(event.sealed.header, CERTIFICATES.get) == (event.id, event.header)
    assert claimed_header(event.sealed.header) == (event.id, event.header)
    with refused(Code.EVENT_INVALID):
        claimed_header(b"no header")


def test_an_offer_needs_what_is_no_hole_unless_that_cannot_be() -> None:
    names = (OfferId(b"o" * 16), "sparse", 1, 100, ("sparse",), 40, sha256(b"m"), ())
    assert Offer(*names).needed_bytes == 100
    assert Offer(*names, 90).needed_bytes == 10
    assert Offer(*names, 101).needed_bytes == 100
