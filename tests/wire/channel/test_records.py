"""Records after the handshake: they arrive as they were, in order, once, or the link is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.channel.sides import initiator, linked, responder, shake_hands
from tests.wire.channel.suites import noting_suite
from wire.channel.records import OVERHEAD_BYTES, Opener, Sealer
from wire.channel.symmetric import AESGCM_SHA256, NONCES, CipherState, Suite
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.limits import DATA_RECORD_BYTES, LENGTH_BYTES, TAG_BYTES

KEY = bytes(range(32))


def _ends(
    records: int = 2**20, size_bytes: int = 2**35, suite: Suite = AESGCM_SHA256
) -> tuple[Sealer, Opener]:
    """The two ends of one direction."""
    ours, theirs = (CipherState(suite, KEY, blame=Code.LINK_CORRUPT) for _ in range(2))
    return Sealer(ours, records, size_bytes), Opener(theirs, records, size_bytes)


def _refused(opener: Opener, record: bytes, code: Code) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        opener.open(record[LENGTH_BYTES:])
    assert caught.value.code is code


def _assert_dead(opener: Opener, good: bytes) -> None:
    """Not even the record that was due opens any more, by either way."""
    assert opener.is_dead
    _refused(opener, good, Code.LINK_CORRUPT)
    with pytest.raises(RemoteProtocolError) as caught:
        opener.open_into(memoryview(good)[LENGTH_BYTES:], memoryview(bytearray(len(good))))
    assert caught.value.code is Code.LINK_CORRUPT


def test_a_record_is_its_length_then_its_ciphertext_with_tag() -> None:
    sealer, _ = _ends()
    record = sealer.seal(b"text")
    assert record[:LENGTH_BYTES] == (len(b"text") + TAG_BYTES).to_bytes(4, "big")
    cipher = CipherState(AESGCM_SHA256, KEY, blame=Code.LINK_CORRUPT)
    assert cipher.decrypt(b"", record[LENGTH_BYTES:]) == b"text"


@given(
    plaintexts=st.lists(st.binary(min_size=1, max_size=300), max_size=20),
    records=st.integers(1, 8),
    size_bytes=st.integers(1, 900),
    into=st.booleans(),
    rests=st.booleans(),
)
def test_records_arrive_as_they_were_whenever_keys_are_replaced_or_rest(
    plaintexts: list[bytes], records: int, size_bytes: int, into: bool, rests: bool
) -> None:
    sealer, opener = _ends(records, size_bytes)
    out, back = memoryview(bytearray(400)), memoryview(bytearray(400))
    for plaintext in plaintexts:
        if rests:
            sealer.rest()
            opener.rest()
        if into:
            length = sealer.seal_into(memoryview(plaintext), out)
            assert length == len(plaintext) + OVERHEAD_BYTES
            opened = opener.open_into(out[LENGTH_BYTES:length], back)
            assert back[:opened] == plaintext
        else:
            assert opener.open(sealer.seal(plaintext)[LENGTH_BYTES:]) == plaintext
    for end in (sealer, opener):
        assert end.records == len(plaintexts)
        assert end.bytes == sum(map(len, plaintexts))


@given(
    lengths=st.lists(st.integers(1, 64), max_size=40),
    records=st.integers(1, 8),
    size_bytes=st.integers(1, 200),
)
def test_no_nonce_ever_comes_back_and_keys_change_exactly_when_due(
    lengths: list[int], records: int, size_bytes: int
) -> None:
    notes: list[tuple[bytes, int]] = []
    sealer, _ = _ends(records, size_bytes, noting_suite(notes))
    expected_keys = 1
    since_records = since_bytes = 0
    for length in lengths:
        sealer.seal(bytes(length))
        since_records += 1
        since_bytes += length
        if since_records >= records or since_bytes >= size_bytes:
            expected_keys += 1
            since_records = since_bytes = 0
    assert len(set(notes)) == len(notes)
    nonces = [nonce for _, nonce in notes if nonce != NONCES]
    assert nonces == list(range(len(lengths)))  # across all keys, not only under one
    assert sum(nonce == NONCES for _, nonce in notes) == expected_keys - 1
    keys = [key for key, nonce in notes if nonce == NONCES]
    assert len(set(keys)) == len(keys)


def test_two_ends_that_replace_keys_at_different_times_part() -> None:
    sealer, _ = _ends(records=2)
    _, opener = _ends(records=3)
    for _ in range(2):
        opener.open(sealer.seal(b"text")[LENGTH_BYTES:])
    _refused(opener, sealer.seal(b"text"), Code.LINK_CORRUPT)


def test_both_directions_of_a_link_replace_keys_in_step() -> None:
    (seal, open_), (seal_back, open_back) = linked(rekey_after_records=2, rekey_after_bytes=100)
    for number in range(12):
        there, back = bytes(1 + 20 * number), bytes(1 + 7 * number)
        assert open_back.open(seal.seal(there)[LENGTH_BYTES:]) == there
        assert open_.open(seal_back.seal(back)[LENGTH_BYTES:]) == back


@given(
    plaintext=st.binary(min_size=1, max_size=200),
    bit=st.integers(0),
    before=st.integers(0, 5),
    into=st.booleans(),
)
def test_a_flipped_bit_of_a_record_kills_the_opener(
    plaintext: bytes, bit: int, before: int, into: bool
) -> None:
    sealer, opener = _ends(records=2)
    for _ in range(before):
        opener.open(sealer.seal(b"before")[LENGTH_BYTES:])
    record = sealer.seal(plaintext)
    changed = bytearray(record)
    place, shift = divmod(bit % (8 * (len(record) - LENGTH_BYTES)), 8)
    changed[LENGTH_BYTES + place] ^= 1 << shift
    if into:
        with pytest.raises(RemoteProtocolError) as caught:
            opener.open_into(memoryview(changed)[LENGTH_BYTES:], memoryview(bytearray(200)))
        assert caught.value.code is Code.LINK_CORRUPT
    else:
        _refused(opener, bytes(changed), Code.LINK_CORRUPT)
    assert opener.records == before
    _assert_dead(opener, record)


@given(cut=st.integers(17, 59), tail=st.binary(min_size=1, max_size=9))
def test_a_record_of_another_length_kills_the_opener(cut: int, tail: bytes) -> None:
    for end in (cut, None):
        sealer, opener = _ends()
        record = sealer.seal(bytes(44))
        changed = record[: LENGTH_BYTES + end] if end else record + tail
        _refused(opener, changed, Code.LINK_CORRUPT)
        _assert_dead(opener, record)


@given(order=st.permutations(range(4)).filter(lambda order: order != list(range(4))))
def test_records_in_another_order_are_refused(order: list[int]) -> None:
    sealer, opener = _ends()
    records = [sealer.seal(bytes((number,))) for number in range(4)]
    first_wrong = next(place for place, number in enumerate(order) if place != number)
    for number in order[:first_wrong]:
        assert opener.open(records[number][LENGTH_BYTES:]) == bytes((number,))
    _refused(opener, records[order[first_wrong]], Code.LINK_CORRUPT)
    _assert_dead(opener, records[first_wrong])


def test_a_record_that_comes_twice_is_refused() -> None:
    sealer, opener = _ends()
    record = sealer.seal(b"once")
    opener.open(record[LENGTH_BYTES:])
    _refused(opener, record, Code.LINK_CORRUPT)


def test_ones_own_record_sent_back_is_refused() -> None:
    (seal, open_), _ = linked()
    _refused(open_, seal.seal(b"mine"), Code.LINK_CORRUPT)


def test_a_record_of_another_link_is_refused() -> None:
    (seal, _), _ = linked()
    _, (_, open_back) = linked()
    _refused(open_back, seal.seal(b"elsewhere"), Code.LINK_CORRUPT)


def test_an_initiator_is_finished_before_the_responder_is() -> None:
    """Its third message may still be refused there: only a record proves that it was not."""
    one, other = initiator(), responder()
    other.read(one.write())
    one.read(other.write())
    one.write()
    assert one.is_finished
    assert not other.is_finished
    with pytest.raises(LocalProtocolError):
        other.split()


@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_record_that_carries_nothing_is_refused(length: int) -> None:
    sealer, opener = _ends()
    _refused(opener, bytes(LENGTH_BYTES + length), Code.FRAME_EMPTY)
    assert opener.open(sealer.seal(b"!")[LENGTH_BYTES:]) == b"!"  # 17 bytes are the least


def test_a_record_of_the_limit_passes_and_one_byte_more_does_not() -> None:
    sealer, opener = _ends()
    record = sealer.seal(bytes(DATA_RECORD_BYTES))
    assert len(opener.open(record[LENGTH_BYTES:])) == DATA_RECORD_BYTES
    _refused(opener, record + b"!", Code.RECORD_TOO_LARGE)
    for length in (0, DATA_RECORD_BYTES + 1):
        with pytest.raises(LocalProtocolError):
            sealer.seal(bytes(length))
    assert sealer.records == 1


def test_buffers_that_are_too_short_are_our_own_mistake_and_cost_nothing() -> None:
    sealer, opener = _ends()
    short = memoryview(bytearray(4 + OVERHEAD_BYTES - 1))
    with pytest.raises(LocalProtocolError):
        sealer.seal_into(memoryview(b"text"), short)
    record = sealer.seal(b"text")
    with pytest.raises(LocalProtocolError):
        opener.open_into(memoryview(record)[LENGTH_BYTES:], memoryview(bytearray(3)))
    assert opener.open(record[LENGTH_BYTES:]) == b"text"


def test_what_stands_behind_a_sealed_record_in_its_buffer_is_left_alone() -> None:
    sealer, opener = _ends()
    out = bytearray(b"x" * 100)
    length = sealer.seal_into(memoryview(b"text"), memoryview(out))
    assert out[length:] == b"x" * (100 - length)
    back = bytearray(b"y" * 10)
    assert opener.open_into(memoryview(out)[LENGTH_BYTES:length], memoryview(back)) == 4
    assert back == b"text" + b"y" * 6


@pytest.mark.parametrize("size", [1, 15, 16, 17, 4096, DATA_RECORD_BYTES])
def test_a_record_is_opened_in_its_own_place(size: int) -> None:
    sealer, opener = _ends()
    plaintext = bytes(number % 251 for number in range(size))
    for _ in range(2):
        sealed = memoryview(bytearray(sealer.seal(plaintext)))[LENGTH_BYTES:]
        assert opener.open_into(sealed, sealed) == size
        assert sealed[:size] == plaintext


@pytest.mark.parametrize("size", [1, 15, 16, 17, 4096, DATA_RECORD_BYTES])
def test_a_record_is_sealed_in_its_own_place(size: int) -> None:
    sealer, opener = _ends()
    plaintext = bytes(number % 251 for number in range(size))
    room = memoryview(bytearray(size + OVERHEAD_BYTES))
    for _ in range(2):
        room[LENGTH_BYTES : LENGTH_BYTES + size] = plaintext
        assert sealer.seal_into(room[LENGTH_BYTES : LENGTH_BYTES + size], room) == len(room)
        assert opener.open(bytes(room[LENGTH_BYTES:])) == plaintext


@pytest.mark.parametrize("limits", [(0, 1), (1, 0), (-1, 1)])
def test_a_limit_below_one_is_our_own_mistake(limits: tuple[int, int]) -> None:
    with pytest.raises(LocalProtocolError):
        _ends(*limits)


def test_the_limits_of_a_split_are_those_of_the_product() -> None:
    one, other = initiator(), responder()
    shake_hands(one, other)
    for end in (*one.split(), *other.split()):
        assert end._rekey_after_records == 2**20
        assert end._rekey_after_bytes == 32 * 2**30
