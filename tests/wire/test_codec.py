"""One message to bytes and back: what is wrong with hostile bytes is said exactly, and nothing else comes out."""

from __future__ import annotations

import contextlib
import gzip
import struct
import time
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import inspect

from tests import strategies
from wire import codec, limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.ids import ConversationId
from wire.messages import NUMBER_OF, Message, Purpose
from wire.messages.accounts import AskKdf, Kdf
from wire.messages.conversation import AskEvents, Digests, Events, SealedEvent
from wire.messages.presence import PresenceChanged, Show
from wire.messages.session import Close, Done, Ping
from wire.messages.transfer import ChunkRange, DigestPage, Fetch

PEER, TRACKER, DATA = Purpose.PEER, Purpose.TRACKER, Purpose.DATA
CHAT = ConversationId(b"c" * 32)


def _raw(cls: type[Message], body: bytes) -> bytes:
    return NUMBER_OF[cls].to_bytes(2, "big") + body


def _fields(cls: type[Message], *fields: Any) -> bytes:
    return _raw(cls, msgspec.msgpack.encode(fields))


def _refusal(purpose: Purpose, record: bytes) -> RemoteProtocolError:
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decode(purpose, record)
    return caught.value


@pytest.mark.parametrize(("cls", "purpose"), strategies.REGISTERED)
@settings(max_examples=settings().max_examples // 4)  # of each message
@given(data=st.data())
def test_every_registered_message_comes_back_as_it_was(
    data: st.DataObject, cls: type[Message], purpose: Purpose
) -> None:
    message = data.draw(strategies.of(cls))
    record = codec.encode(purpose, message)
    assert codec.decode(purpose, record) == message
    assert codec.decode(purpose, memoryview(bytearray(record))) == message


@given(record=st.binary(max_size=300))
@example(b"\x80\x05\x91" * 90)
def test_any_bytes_give_a_message_or_nothing_or_a_named_refusal(record: bytes) -> None:
    for purpose in (TRACKER, PEER, DATA):
        with contextlib.suppress(RemoteProtocolError):
            codec.decode(purpose, record)


@given(data=st.data())
def test_damaged_records_of_real_messages_are_refused_or_read_as_something_legal(
    data: st.DataObject,
) -> None:
    purpose = data.draw(st.sampled_from([TRACKER, PEER, DATA]))
    record = bytearray(codec.encode(purpose, data.draw(strategies.spoken(purpose))))
    for _ in range(data.draw(st.integers(1, 3))):
        record[data.draw(st.integers(2, len(record) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = codec.decode(purpose, bytes(record))
    except RemoteProtocolError:
        return
    assert message is not None
    assert codec.decode(purpose, codec.encode(purpose, message)) == message


WRONG = [
    ("nested beyond measure", _raw(Ping, b"\x91" * 10_000 + b"\x01"), Code.DECODE_DEPTH),
    ("deep in a field to come", _raw(Ping, b"\x92\x01" + b"\x91" * 10_000), Code.DECODE_DEPTH),
    ("a map", _raw(Ping, msgspec.msgpack.encode({"token": 5})), Code.DECODE_KEYS),
    ("a map in a field", _fields(Ping, {"a": 1, "b": 2}), Code.DECODE_KEYS),
    ("a map with numbers as keys", _fields(Ping, {1: 2}), Code.DECODE_KEYS),
    ("a map with one key twice", _raw(Ping, b"\x82\xa1a\x01\xa1a\x02"), Code.DECODE_KEYS),
    ("a map whose key is a map", _raw(Ping, b"\x81\x80\x01"), Code.DECODE_KEYS),
    ("a map of 2^32 keys", _raw(Ping, b"\xdf\xff\xff\xff\xff"), Code.DECODE),
    ("no UTF-8", _raw(Close, b"\x92\xa2\xff\xff\xa0"), Code.TEXT_INVALID),
    ("a lone surrogate", _raw(Close, b"\x92\xa1a\xa3\xed\xa0\x80"), Code.TEXT_INVALID),
    ("an overlong form", _raw(Close, b"\x92\xa1a\xa2\xc0\x80"), Code.TEXT_INVALID),
    ("not a number", _fields(Ping, float("nan")), Code.NUMBER_INVALID),
    ("infinity", _fields(Ping, float("-inf")), Code.NUMBER_INVALID),
    ("minus zero", _fields(Ping, -0.0), Code.NUMBER_INVALID),
    ("true for a number", _fields(Ping, True), Code.TYPE_MISMATCH),
    ("a text for a number", _fields(Ping, "5"), Code.TYPE_MISMATCH),
    ("a fraction for a number", _fields(Ping, 5.0), Code.TYPE_MISMATCH),
    ("a number for a text", _fields(Close, 7), Code.TYPE_MISMATCH),
    ("bytes for a text", _fields(Close, b"internal"), Code.TYPE_MISMATCH),
    ("a text for bytes", _fields(AskEvents, "c" * 32, []), Code.TYPE_MISMATCH),
    ("a text for an enum", _fields(PresenceChanged, "alice", "1"), Code.TYPE_MISMATCH),
    ("true for an enum", _fields(PresenceChanged, "alice", True), Code.TYPE_MISMATCH),
    ("a number for a truth value", _fields(Kdf, 1, b"s" * 16, 1, 1, 1, 1), Code.TYPE_MISMATCH),
    ("a number for an array", _fields(AskEvents, CHAT, 5), Code.TYPE_MISMATCH),
    ("a number for a row", _fields(Events, CHAT, [5]), Code.TYPE_MISMATCH),
    ("a number for bytes or nothing", _fields(Events, CHAT, [[b"h", 5]]), Code.TYPE_MISMATCH),
    ("an extension", _raw(Ping, b"\x91\xd4\x00\x00"), Code.TYPE_MISMATCH),
    ("a time stamp", _raw(Ping, b"\x91\xd6\xff\x00\x00\x00\x00"), Code.TYPE_MISMATCH),
    ("minus one", _fields(Ping, -1), Code.NUMBER_RANGE),
    ("2^32", _fields(Ping, 2**32), Code.NUMBER_RANGE),
    ("2^63", _fields(Ping, 2**63), Code.NUMBER_RANGE),
    ("2^64 - 1", _fields(Ping, 2**64 - 1), Code.NUMBER_RANGE),
    ("-2^63", _raw(Ping, b"\x91\xd3" + struct.pack(">q", -(2**63))), Code.NUMBER_RANGE),
    ("an unknown member of an enum", _fields(PresenceChanged, "alice", 9), Code.NUMBER_RANGE),
    ("no fields at all", _fields(Ping), Code.FIELD_MISSING),
    ("nothing for a number", _fields(Ping, None), Code.FIELD_MISSING),
    ("nothing for a text", _fields(Close, None), Code.FIELD_MISSING),
    ("a row without its fields", _fields(Events, CHAT, [[b"h"]]), Code.FIELD_MISSING),
    ("a text beyond its length", _fields(Close, "a", "x" * 201), Code.LENGTH_RANGE),
    ("a text below its length", _fields(Close, ""), Code.LENGTH_RANGE),
    ("a key of 31 bytes", _fields(AskEvents, b"c" * 31, []), Code.LENGTH_RANGE),
    ("a body beyond its length", _fields(Events, CHAT, [[b"h", bytes(70_000)]]), Code.LENGTH_RANGE),
    ("an array below its length", _fields(Events, CHAT, []), Code.LENGTH_RANGE),
    ("an array beyond its length", _fields(AskEvents, CHAT, [b"i" * 32] * 513), Code.LENGTH_RANGE),
    ("a name with capitals", _fields(AskKdf, 1, "Alice"), Code.NAME_CHARACTERS),
    ("a name with a line's end", _fields(AskKdf, 1, "alice\n"), Code.NAME_CHARACTERS),
    ("a name of one letter", _fields(AskKdf, 1, "a"), Code.LENGTH_RANGE),
    ("a byte behind the end", _fields(Ping, 1) + b"\x00", Code.TRAILING_BYTES),
    ("a message behind the end", _fields(Ping, 1) * 2, Code.TRAILING_BYTES),
    ("half a message", _fields(Close, "internal", "text")[:-1], Code.DECODE),
    ("no message", _raw(Ping, b""), Code.DECODE),
    ("a byte that means nothing", _raw(Ping, b"\xc1"), Code.DECODE),
    ("a compressed message", _raw(Ping, gzip.compress(b"\x91\x01")), None),
    ("half a number", b"\x80", Code.DECODE),
    ("an empty record", b"", Code.DECODE),
]


@pytest.mark.parametrize(
    ("record", "code"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG]
)
def test_what_is_wrong_is_said_exactly(record: bytes, code: Code | None) -> None:
    purpose = PEER if record[:2] >= b"\x80\x60" else TRACKER
    error = _refusal(purpose, record)
    # A gzip header reads as the number 31 with bytes behind it: nothing is ever decompressed.
    assert error.code is (code or Code.TRAILING_BYTES)


@pytest.mark.parametrize(
    ("record", "field"),
    [
        (_fields(Ping, "5"), "Ping.token"),
        (_fields(Events, CHAT, [[b"h", b""], [b"h", 5]]), "Events.events[1].body"),
        (_fields(Events, CHAT, [[b"h", None], [5, None]]), "Events.events[1].header"),
        (_fields(Events, CHAT), "Events.events"),
        (_fields(Digests, [], 5), "Digests.is_last"),
        (_fields(Fetch, 1, b"d" * 16, b"o" * 16, [[0, 0, 0]]), "Fetch.ranges[0].count=0"),
    ],
)
def test_the_field_is_named(record: bytes, field: str) -> None:
    purpose = DATA if record[:2] == NUMBER_OF[Fetch].to_bytes(2, "big") else PEER
    assert field in _refusal(purpose, record).detail


def test_a_bound_that_excludes_its_own_value_is_kept() -> None:
    past = limits.FILES_PER_OFFER
    ranges = [[past, 0, 1]]
    assert _refusal(DATA, _fields(Fetch, 1, b"d" * 16, b"o" * 16, ranges)).code is Code.NUMBER_RANGE
    kept = Fetch(1, b"d" * 16, b"o" * 16, (ChunkRange(past - 1, 0, 1),))  # type: ignore[arg-type]
    assert codec.decode(DATA, codec.encode(DATA, kept)) == kept


def test_a_schema_of_a_kind_without_a_rule_falls_back_to_decode() -> None:
    class Odd(Message, frozen=True):
        value: float

    decoder = msgspec.msgpack.Decoder(Odd)
    body = memoryview(msgspec.msgpack.encode(["text"]))
    with pytest.raises(msgspec.ValidationError) as caught:
        decoder.decode(body)
    code, detail = codec._blame(Odd, body, caught.value)
    assert code is Code.DECODE
    assert "float" in detail


def test_details_are_short_whatever_came() -> None:
    error = _refusal(PEER, _fields(Ping, -(2**63)) + bytes(500))
    assert len(error.detail) <= 120


def test_an_array_too_short_for_fields_with_defaults_is_complete() -> None:
    assert codec.decode(PEER, _fields(Close, "internal")) == Close("internal", "")
    record = _fields(PresenceChanged, "alice", 1, 5)
    assert _refusal(TRACKER, record).code is Code.TYPE_MISMATCH


def test_further_fields_at_the_end_are_ignored() -> None:
    assert codec.decode(PEER, _fields(Ping, 7, "new", {"map": 1}, None)) == Ping(7)


def test_an_unknown_message_is_refused_by_number_if_it_is_critical_and_dropped_if_not() -> None:
    error = _refusal(PEER, b"\x80\xee\x90")
    assert error.code is Code.UNKNOWN_CRITICAL
    assert "0x80EE" in error.detail
    assert codec.decode(PEER, b"\x00\xee" + b"\xc1" * 100) is None


def test_a_message_of_another_purpose_is_unknown() -> None:
    record = codec.encode(TRACKER, Done(1))  # type: ignore[arg-type]
    assert _refusal(PEER, record).code is Code.UNKNOWN_CRITICAL


def test_our_own_mistakes_are_ours() -> None:
    wrong: list[tuple[Purpose, Message]] = [
        (PEER, Done(1)),  # type: ignore[arg-type]
        (PEER, SealedEvent(b"h", None)),
        (PEER, Ping(2**32)),
        (PEER, Ping(2**65)),
        (PEER, Ping("5")),  # type: ignore[arg-type]
        (PEER, Ping(object())),  # type: ignore[arg-type]
        (PEER, Close("internal", "\ud800")),
        (PEER, Close("internal", "x" * 201)),
        (PEER, Close("")),
        (TRACKER, PresenceChanged("Alice", Show.AWAY)),  # type: ignore[arg-type]
    ]
    for purpose, message in wrong:
        with pytest.raises(LocalProtocolError):
            codec.encode(purpose, message)


def test_a_message_fits_a_record_or_is_refused() -> None:
    body = bytes(limits.EVENT_BODY_BYTES)
    codec.encode(PEER, Events(CHAT, (SealedEvent(b"h", body),)))
    with pytest.raises(LocalProtocolError, match="too large"):
        codec.encode(PEER, Events(CHAT, (SealedEvent(b"h", body), SealedEvent(b"h", body))))


def test_only_names_of_accounts_have_a_pattern() -> None:
    """NAME_CHARACTERS stands for every pattern that does not match: see `codec._compare_text`."""
    found: set[str] = set()

    def look(schema: inspect.Type) -> None:
        match schema:
            case inspect.StructType():
                for field in schema.fields:
                    look(field.type)
            case inspect.VarTupleType():
                look(schema.item_type)
            case inspect.StrType(pattern=str() as pattern):
                found.add(pattern)
            case _:
                return

    for cls, _ in strategies.REGISTERED:
        look(inspect.type_info(cls))
    assert found == {r"^[a-z][a-z0-9._-]{1,31}\Z"}


def test_talk_is_encoded_and_decoded_fast_enough() -> None:
    """More than 20,000 messages a second each way; 400,000 were measured (2026-11, two busy cores)."""
    message = Events(CHAT, (SealedEvent(b"h" * 900, b"b" * 300),))
    began = time.process_time()
    for _ in range(5_000):
        codec.decode(PEER, codec.encode(PEER, message))
    assert time.process_time() - began < 5_000 / 20_000


def test_a_signed_root_keeps_its_bound() -> None:
    with pytest.raises(LocalProtocolError):
        codec.encode(DATA, DigestPage(0, 0, b"", b"r" * 1025, 0))


def test_saying_what_is_wrong_costs_no_more_than_a_few_messages() -> None:
    """A stranger's malformed record must not cost more than the handshake it was paid with (found by the fuzzer)."""

    began = 0.0
    for number in range(501):
        began = began or (time.process_time() if number else 0.0)
        with contextlib.suppress(RemoteProtocolError):
            codec.decode(Purpose.TRACKER, b"\x80\x12\x91\xff")
    assert time.process_time() - began < 500 * 0.000_1
