from __future__ import annotations

import msgspec
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.transfer.exchange import KEY, SEED, SIGNING_KEY
from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError, WireError
from wire.ids import SigningKey
from wire.transfer.digests import (
    DigestBatch,
    DigestRun,
    DigestTable,
    chunk_count,
    chunk_digest,
    chunk_length,
    file_root,
    issue_digests,
    peek_digests,
    read_digests,
    zero_digest,
)

MIB = limits.MIB


def digest(number: int) -> bytes:
    return blake3(number.to_bytes(4, "big")).digest()


@pytest.mark.parametrize(
    ("size", "lengths"),
    [(0, []), (1, [1]), (MIB, [MIB]), (MIB + 1, [MIB, 1]), (3 * MIB, [MIB] * 3)],
)
def test_chunks_are_a_mebibyte_and_the_last_is_what_is_left(size: int, lengths: list[int]) -> None:
    assert chunk_count(size) == len(lengths)
    assert [chunk_length(size, index) for index in range(len(lengths))] == lengths


@given(st.integers(1, 2100), st.randoms())
def test_the_root_does_not_depend_on_the_order_in_which_digests_become_known(
    count: int, dice: object
) -> None:
    size = (count - 1) * MIB + 7
    table = DigestTable(size)
    order = list(range(count))
    dice.shuffle(order)  # type: ignore[attr-defined]
    for index in order:
        assert not table.is_complete
        table.put(index, digest(index))
        table.put(index, digest(index))
    pages = [
        blake3(b"".join(digest(n) for n in range(start, min(start + 1024, count)))).digest()
        for start in range(0, count, 1024)
    ]
    assert table.is_complete
    assert table.root() == blake3(size.to_bytes(8, "big") + b"".join(pages)).digest()
    assert not table.missing()


def test_an_empty_file_has_the_root_of_its_size() -> None:
    table = DigestTable(0)
    assert table.is_complete
    assert table.root() == file_root(0, b"") == blake3(bytes(8)).digest()


def test_a_table_tells_what_it_knows() -> None:
    table = DigestTable(1025 * MIB)
    assert table.get(3) is None
    table.put(3, digest(3))
    assert table.get(3) == digest(3)
    assert table.missing().count == 1024
    with pytest.raises(LocalProtocolError):
        table.root()
    for index in range(1024):
        table.put(index, digest(index))
    assert table.get(3) is None  # its page is complete and forgotten
    assert table.page(0) == b""


def test_a_table_that_keeps_gives_whole_pages() -> None:
    table = DigestTable(1025 * MIB, keeps=True)
    for index in range(1024):
        table.put(index, digest(index))
    assert table.page(0) == b"".join(map(digest, range(1024)))
    assert table.page(1) == b""


@pytest.mark.parametrize(("index", "value"), [(-1, bytes(32)), (2, bytes(32)), (0, bytes(31))])
def test_digests_of_no_chunk_are_our_own_mistake(index: int, value: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        DigestTable(2 * MIB).put(index, value)


def test_zeros_have_the_digest_of_zeros() -> None:
    assert zero_digest(5) == chunk_digest(bytes(5))


RUN = DigestRun(3, 7, digest(1) + digest(2), digest(9))


def test_a_signed_batch_is_read_back() -> None:
    batch = DigestBatch(KEY.device, KEY.offer, (RUN,))
    signed = issue_digests(SEED, batch)
    assert read_digests(signed, SIGNING_KEY) == batch
    assert peek_digests(signed) == KEY
    assert RUN.each() == [(7, digest(1)), (8, digest(2))]


@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_changed_byte_is_never_believed(position: int, change: int) -> None:
    signed = bytearray(issue_digests(SEED, DigestBatch(KEY.device, KEY.offer, (RUN,))))
    signed[position % len(signed)] ^= change
    with pytest.raises(WireError):
        read_digests(bytes(signed), SIGNING_KEY)


def test_somebody_elses_signature_is_refused() -> None:
    signed = issue_digests(b"t" * 32, DigestBatch(KEY.device, KEY.offer, (RUN,)))
    with pytest.raises(WireError) as caught:
        read_digests(signed, SIGNING_KEY)
    assert caught.value.code is Code.SIGNATURE_INVALID


@pytest.mark.parametrize(
    "runs",
    [
        (),
        (DigestRun(0, 0, b"x" * 31),),
        (DigestRun(0, 0, b"", b"x"),),
        (DigestRun(0, 0, b""),),
        tuple(DigestRun(n, 0, bytes(32)) for n in range(1025)),
        (DigestRun(0, 0, bytes(32 * 1024)), DigestRun(1, 0, bytes(32))),
    ],
)
def test_batches_out_of_bounds_are_neither_issued_nor_read(runs: tuple[DigestRun, ...]) -> None:
    batch = DigestBatch(KEY.device, KEY.offer, runs)
    with pytest.raises(LocalProtocolError):
        issue_digests(SEED, batch)
    body = msgspec.msgpack.encode(batch)
    from wire.identity import SignPurpose, sign

    signed = msgspec.msgpack.encode([body, sign(SEED, SignPurpose.DIGESTS, body)])
    with pytest.raises(RemoteProtocolError) as caught:
        read_digests(signed, SIGNING_KEY)
    assert caught.value.code in {Code.DECODE, Code.MANIFEST_INVALID}


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_by_name(signed: bytes) -> None:
    for read in (
        lambda: read_digests(signed, SigningKey(SIGNING_KEY)),
        lambda: peek_digests(signed),
    ):
        with pytest.raises(WireError):
            read()
