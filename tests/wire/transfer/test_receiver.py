"""What a receiver does with an offering device that lies, stalls or talks nonsense."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest

from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY, Exchange, bring
from wire import limits
from wire.codes import Code
from wire.errors import LocalProtocolError, RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    Fetched,
    FetchRefused,
    Pack,
    PackedChunk,
    Piece,
    SignedDigests,
    Zeros,
)
from wire.transfer.digests import (
    DigestBatch,
    DigestRun,
    DigestTable,
    chunk_digest,
    issue_digests,
)
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.sources import BRISK_S

DATA = b"x" * MIB
DIGEST = chunk_digest(DATA)


def linked(*sizes: int) -> Receiver:
    """A receiver that has asked for all that fits its window."""
    receiver = Receiver(KEY, sizes, SIGNING_KEY)
    receiver.start()
    ids = itertools.count()
    receiver.linked(lambda: next(ids))
    receiver.asks()
    return receiver


def signed(*runs: DigestRun, device: DeviceId = KEY.device) -> bytes:
    return issue_digests(SEED, DigestBatch(device, KEY.offer, runs))


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(RemoteProtocolError) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize(
    "piece",
    [
        Piece(0, 5, 0, MIB, DIGEST),
        Piece(0, 0, 2, MIB, DIGEST),
        Piece(0, 0, 0, MIB - 1, DIGEST),
        Piece(0, 1, 1, 1, DIGEST),
    ],
)
def test_bytes_that_nobody_asked_for_are_strays_and_a_hundred_are_a_flood(piece: Piece) -> None:
    receiver = linked(2 * MIB, 1)
    for _ in range(limits.STRAY_CHUNKS - 1):
        assert not receiver.expects(piece)
    assert code_of(lambda: receiver.expects(piece)) is Code.FLOOD


def test_a_chunk_that_came_is_not_taken_again() -> None:
    receiver = linked(2 * MIB)
    piece = Piece(0, 0, 0, MIB, DIGEST)
    assert receiver.expects(piece)
    bring(receiver, piece, DIGEST)
    assert not receiver.expects(piece)
    assert receiver.verified_bytes == MIB


def test_bytes_that_are_not_what_was_announced_end_it() -> None:
    receiver = linked(2 * MIB, 5)
    piece = Piece(0, 0, 0, MIB, DIGEST)
    assert code_of(lambda: bring(receiver, piece, bytes(32))) is Code.VERIFICATION_FAILED
    pack = Pack(0, (PackedChunk(1, 5, DIGEST),))
    assert code_of(lambda: receiver.on_pack(pack, [bytes(32)])) is Code.VERIFICATION_FAILED
    assert receiver.verified_bytes == 0


def test_a_pack_that_names_a_file_twice_is_refused() -> None:
    receiver = linked(5)
    pack = Pack(0, (PackedChunk(0, 5, DIGEST),) * 2)
    assert receiver.expects(pack)
    assert code_of(lambda: receiver.on_pack(pack, [DIGEST] * 2)) is Code.MANIFEST_INVALID


@pytest.mark.parametrize(
    "zeros", [ChunkRange(7, 0, 1), ChunkRange(0, 1, 5), ChunkRange(0, 0, limits.CHUNK_BYTES)]
)
def test_zeros_that_nobody_asked_for_are_strays(zeros: ChunkRange) -> None:
    receiver = linked(2 * MIB)
    kept = receiver.on_zeros(Zeros(0, zeros))
    assert len(kept) <= 2


def test_digests_of_another_offer_or_of_no_file_are_refused() -> None:
    receiver = linked(5)
    other = signed(DigestRun(0, 0, DIGEST), device=DeviceId(b"e" * 16))
    assert code_of(lambda: receiver.on_signed(SignedDigests(other))) is Code.UNKNOWN_OFFER
    none = signed(DigestRun(1, 0, DIGEST))
    assert code_of(lambda: receiver.on_signed(SignedDigests(none))) is Code.NUMBER_RANGE


def test_a_file_that_is_not_what_was_signed_is_never_verified() -> None:
    receiver = linked(5, 2 * MIB)
    receiver.on_pack(Pack(0, (PackedChunk(0, 5, DIGEST),)), [DIGEST])
    for index in range(2):
        bring(receiver, Piece(0, 1, index, MIB, DIGEST), DIGEST)
    small = SignedDigests(signed(DigestRun(0, 0, bytes(32))))
    assert code_of(lambda: receiver.on_signed(small)) is Code.VERIFICATION_FAILED
    large = SignedDigests(signed(DigestRun(1, 0, b"", bytes(32))))
    assert code_of(lambda: receiver.on_signed(large)) is Code.VERIFICATION_FAILED
    assert receiver.events() == []


def test_a_signed_digest_that_differs_from_what_came_fails_the_file() -> None:
    receiver = linked(3 * MIB)
    bring(receiver, Piece(0, 0, 0, MIB, DIGEST), DIGEST)
    receiver.on_signed(SignedDigests(signed(DigestRun(0, 0, bytes(32)))))
    assert receiver.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]
    assert receiver.is_finished
    assert receiver.verified_bytes == 0


def test_signed_digests_of_what_is_not_here_or_over_do_not_matter() -> None:
    receiver = linked(5, 3 * MIB, 2 * MIB)
    early = signed(
        DigestRun(0, 0, DIGEST), DigestRun(1, 0, DIGEST), DigestRun(1, 9, DIGEST, bytes(32))
    )
    receiver.on_signed(SignedDigests(early))
    receiver.on_refused(FetchRefused(0, Code.FILE_UNREADABLE.value, 2))
    receiver.on_signed(SignedDigests(signed(DigestRun(2, 0, DIGEST))))
    assert receiver.events() == [FileFailed(2, Code.FILE_UNREADABLE)]


def test_an_answer_that_ends_early_is_incomplete() -> None:
    for sizes in ((5,), (2 * MIB,)):
        receiver = linked(*sizes)
        assert code_of(partial(receiver.on_fetched, Fetched(0))) is Code.INCOMPLETE


def test_digests_that_were_asked_for_have_to_come() -> None:
    receiver = Receiver(KEY, [2 * MIB], SIGNING_KEY)
    receiver.restore(0, [(0, DIGEST), (1, DIGEST), (1, DIGEST), (9, DIGEST)], [])
    receiver.start()
    receiver.linked(lambda: 4)
    receiver.asks()
    assert code_of(lambda: receiver.on_fetched(Fetched(4))) is Code.INCOMPLETE


@pytest.mark.parametrize("run", [DigestRun(1, 0, DIGEST), DigestRun(0, 0, DIGEST)])
def test_a_page_that_vouches_for_nothing_is_refused(run: DigestRun) -> None:
    receiver = Receiver(KEY, [2 * MIB, 3 * MIB], SIGNING_KEY)
    receiver.restore(0, [(0, DIGEST), (1, DIGEST)], [])
    receiver.linked(lambda: 4)
    receiver.asks()
    page = DigestPage(4, 0, b"", signed(run), 2 * MIB)
    assert code_of(lambda: receiver.on_digest_page(page)) is Code.VERIFICATION_FAILED


def test_a_page_nobody_asked_for_or_of_a_file_that_is_over_does_not_matter() -> None:
    receiver = Receiver(KEY, [2 * MIB], SIGNING_KEY)
    receiver.restore(0, [(0, DIGEST), (1, DIGEST)], [])
    receiver.linked(lambda: 4)
    receiver.asks()
    receiver.on_digest_page(DigestPage(9, 0, b"", b"", 0))
    receiver.on_refused(FetchRefused(4, Code.CHANGED_AT_SENDER.value, 0))
    receiver.on_digest_page(DigestPage(4, 0, b"", b"", 0))
    assert receiver.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]
    receiver.on_refused(FetchRefused(4, Code.CHANGED_AT_SENDER.value, 0))


def test_a_file_that_failed_while_digests_are_asked_for_needs_none() -> None:
    receiver = Receiver(KEY, [2 * MIB, 2 * MIB], SIGNING_KEY)
    receiver.restore(0, [(0, DIGEST), (1, DIGEST)], [])
    ids = itertools.count()
    receiver.linked(lambda: next(ids))
    receiver.asks()
    receiver.on_refused(FetchRefused(1, Code.CHANGED_AT_SENDER.value, 0))
    receiver.on_digest_page(DigestPage(0, 0, b"", b"", 0))
    assert receiver.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]


def test_a_refusal_names_a_file_of_the_offer() -> None:
    receiver = linked(5)
    refused = FetchRefused(0, Code.FILE_UNREADABLE.value, 3)
    assert code_of(lambda: receiver.on_refused(refused)) is Code.NUMBER_RANGE


def test_a_file_that_was_vouched_for_late_is_not_asked_about() -> None:
    receiver = linked(2 * MIB)
    for index in range(2):
        bring(receiver, Piece(0, 0, index, MIB, DIGEST), DIGEST)
    receiver.on_fetched(Fetched(0))
    table = DigestTable(2 * MIB)
    for index in range(2):
        table.put(index, DIGEST)
    receiver.on_signed(SignedDigests(signed(DigestRun(0, 0, b"", table.root()))))
    assert receiver.asks() == []
    assert receiver.is_finished


def test_a_file_cannot_be_restored_whole_twice() -> None:
    receiver = Receiver(KEY, [5], SIGNING_KEY)
    receiver.restore_whole(0)
    assert receiver.is_finished
    with pytest.raises(LocalProtocolError):
        receiver.restore_whole(0)


def test_an_offer_of_empty_files_needs_nobody() -> None:
    receiver = Receiver(KEY, [0, 0], SIGNING_KEY)
    receiver.start()
    assert receiver.events() == [FileVerified(0), FileVerified(1)]
    assert receiver.is_finished


def test_a_window_smaller_than_a_chunk_still_asks_for_one() -> None:
    exchange = Exchange([b"x" * (2 * MIB + 1), b"y" * MIB], window_bytes=5)
    exchange.run()
    exchange.check_whole()


@pytest.mark.parametrize(("each_s", "most_at_once"), [(BRISK_S / 8, 4), (BRISK_S, 2)])
def test_a_fast_source_is_asked_for_half_a_window_at_a_time(
    each_s: float, most_at_once: int
) -> None:
    receiver = Receiver(KEY, (100 * MIB,), SIGNING_KEY)
    receiver.start()
    ids = itertools.count()
    receiver.linked(lambda: next(ids))
    asked = [ask for ask in receiver.asks(now=Monotonic(0.0)) if isinstance(ask, Fetch)]
    for index in range(40):
        now = Monotonic((index + 1) * each_s)
        piece = Piece(0, 0, index, MIB, DIGEST)
        assert receiver.expects(piece)
        assert bring(receiver, piece, DIGEST, now=now)
        for ask in asked:
            if ask.ranges[-1].first + ask.ranges[-1].count == index + 1:
                receiver.on_fetched(Fetched(ask.fetch))
        asked += [ask for ask in receiver.asks(now=now) if isinstance(ask, Fetch)]
    window = limits.WINDOW_BYTES // MIB
    counts = [sum(wanted.count for wanted in ask.ranges) for ask in asked]
    assert counts == [window, *[most_at_once] * (40 // most_at_once)]


def test_a_small_file_waits_for_room_in_the_window() -> None:
    exchange = Exchange([b"x" * (MIB - 1)] * 5 + [b"y" * (2 * MIB)], window_bytes=2 * MIB)
    exchange.run()
    exchange.check_whole()


def test_very_many_files_are_asked_for_in_bounded_requests() -> None:
    receiver = Receiver(KEY, [0, 1] * 70_000, SIGNING_KEY)
    receiver.start()
    ids = itertools.count()
    receiver.linked(lambda: next(ids))
    asks = receiver.asks()
    assert len(asks) <= limits.CHUNK_FETCHES
    assert all(len(ask.ranges) <= limits.FETCH_RANGES for ask in asks)  # type: ignore[union-attr]


def test_a_file_that_failed_already_fails_once() -> None:
    receiver = linked(7, 8)
    receiver.on_refused(FetchRefused(0, Code.FILE_UNREADABLE.value, 0))
    receiver.on_refused(FetchRefused(0, Code.CHANGED_AT_SENDER.value, 0))
    assert receiver.events() == [FileFailed(0, Code.FILE_UNREADABLE)]
