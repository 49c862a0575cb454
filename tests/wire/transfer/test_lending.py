"""What a holder lends and tells, and which signed digests are kept to be passed on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from tests.wire.transfer.exchange import KEY, MIB, SEED
from tests.wire.transfer.swarming import run
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest
from wire.machine import Monotonic
from wire.messages.transfer import (
    ChunkRange,
    Fetch,
    FetchDigests,
    Fetched,
    FetchManifest,
    FetchRefused,
    Have,
    ManifestPage,
    Piece,
    SignedDigests,
    Span,
    StopFetch,
    Watch,
)
from wire.transfer.digests import DigestBatch, chunk_digest
from wire.transfer.holding import Holding
from wire.transfer.lending import Lending, Watching
from wire.transfer.places import Places
from wire.transfer.sender import Sender
from wire.transfer.steps import Read, Say
from wire.transfer.vouched import Vouched

DIGEST, OTHER = chunk_digest(b"x"), chunk_digest(b"y")
NOW = Monotonic(1.0)


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(RemoteProtocolError) as caught:
        act()
    return caught.value.code


# --- what is signed


def test_digests_of_no_chunk_are_refused_and_of_too_many_not_kept() -> None:
    vouched = Vouched(Places([MIB]))
    for bad in (run(1, 0, DIGEST), run(0, 0, DIGEST, DIGEST), run(0, 1, DIGEST)):
        its = DigestBatch(KEY.device, KEY.offer, (bad,))
        assert code_of(partial(vouched.take, b"s", its)) is Code.NUMBER_RANGE
    most = limits.KEPT_DIGEST_PAGES * limits.PAGE_DIGESTS
    vouched = Vouched(Places([(most + limits.PAGE_DIGESTS) * MIB]))
    for page in range(limits.KEPT_DIGEST_PAGES + 1):
        its = DigestBatch(KEY.device, KEY.offer, (run(0, page * limits.PAGE_DIGESTS, DIGEST),))
        assert vouched.take(bytes([page % 256, page // 256]), its) == []
    assert vouched.known.count == len(vouched.batches) == limits.KEPT_DIGEST_PAGES


# --- the holder


def holder(*sizes: int, held: tuple[tuple[int, int], ...] = ()) -> Holding:
    """What a holder has of files whose digests are all signed."""
    vouched = Vouched(Places(sizes))
    lending = Lending(vouched)
    for file, size in enumerate(sizes):
        count = -(-size // MIB)
        its = run(file, 0, *[DIGEST] * count)
        vouched.take(b"%d" % file, DigestBatch(KEY.device, KEY.offer, (its,)))
    lending.hold(held)
    return Holding(KEY, manifest=b"m", sizes=sizes, lending=lending)


def said(sender: Sender, now: float = 1.0) -> list[object]:
    step = sender.next_step(Monotonic(now))
    return [] if step is None else list(step.messages) if isinstance(step, Say) else [step]


def test_a_watcher_is_told_what_is_signed_and_then_what_is_here_again_and_again() -> None:
    its = holder(3 * MIB, held=((0, 2),))
    sender = Sender()
    sender.on_watch(Watch(5, KEY.device, KEY.offer), its, NOW)
    assert said(sender) == [SignedDigests(b"0"), Have(5, (Span(0, 2),))]
    assert sender.deadline() == NOW + limits.HAVE_EVERY_S
    assert its.lending is not None
    its.lending.hold([(2, 3)])
    assert said(sender, 1.1) == []
    assert said(sender, 1.3) == [Have(5, (Span(2, 1),))]
    assert said(sender, 1.9) == []
    its.lending.fetching = Lending(its.lending.vouched).held.union(its.lending.held)
    assert said(sender, 2.4) == [Have(5, (), (Span(0, 3),))]
    assert code_of(lambda: sender.on_watch(Watch(6, KEY.device, KEY.offer), its, NOW)) is (
        Code.NOT_NOW
    )
    assert sender.on_stop(StopFetch(5)) == KEY
    assert said(sender) == [Fetched(5)]
    assert sender.deadline() is None


def test_what_is_withdrawn_is_watched_no_more() -> None:
    sender = Sender()
    sender.on_watch(Watch(5, KEY.device, KEY.offer), holder(MIB), NOW)
    said(sender)
    sender.withdraw(KEY)
    assert said(sender) == [FetchRefused(5, Code.UNKNOWN_OFFER.value, -1)]


def test_only_a_holder_that_has_it_is_watched() -> None:
    own = Holding(KEY, manifest=b"m", sizes=[1], signing_seed=SEED)
    cases: list[Holding | Code] = [own, Code.UNKNOWN_OFFER]
    for fetch, holding in enumerate(cases):
        sender = Sender()
        sender.on_watch(Watch(fetch, KEY.device, KEY.offer), holding, NOW)
        assert said(sender) == [FetchRefused(fetch, Code.UNKNOWN_OFFER.value, -1)]


def test_a_holder_lends_what_it_has_and_its_manifest_and_signs_nothing() -> None:
    its = holder(3 * MIB, 5, held=((0, 2), (3, 4)))
    sender = Sender()
    sender.on_fetch(Fetch(1, KEY.device, KEY.offer, (ChunkRange(0, 1, 2),)), its)
    sender.on_fetch_digests(FetchDigests(2, KEY.device, KEY.offer, 0, 0), its)
    number = Code.NUMBER_RANGE.value
    assert said(sender) == [FetchRefused(1, number, -1), FetchRefused(2, number, -1)]
    sender.on_fetch_manifest(FetchManifest(3, KEY.device, KEY.offer, 0), its)
    assert said(sender) == [ManifestPage(3, 0, 1, b"m")]
    sender.on_fetch(
        Fetch(4, KEY.device, KEY.offer, (ChunkRange(0, 0, 2), ChunkRange(1, 0, 1))), its
    )
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    assert its.judge(0, 0, DIGEST) == DIGEST
    assert sender.on_read(step, [DIGEST], NOW) == Piece(4, 0, 0, MIB, DIGEST)
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    spoilt = its.judge(0, 1, OTHER)
    assert spoilt is Code.CHANGED_AT_SENDER
    assert sender.on_read(step, [spoilt], NOW) is None
    assert said(sender) == [FetchRefused(4, Code.CHANGED_AT_SENDER.value, 0)]
    assert its.lending is not None
    assert list(its.lending.held) == [(3, 4)]
    assert its.lending.digest(0, 2) == DIGEST
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    assert sender.on_read(step, [DIGEST], NOW) == Piece(4, 1, 0, 5, DIGEST)
    assert said(sender) == [Fetched(4)]
    assert said(sender, 9.0) == []


def test_many_batches_are_passed_on_in_turns_and_many_pieces_told_of_in_turns() -> None:
    count = 2 * limits.HAVE_SPANS + 4
    vouched = Vouched(Places([count * MIB]))
    for first in range(0, count, limits.PAGE_DIGESTS // 8):
        size = min(limits.PAGE_DIGESTS // 8, count - first)
        its = DigestBatch(KEY.device, KEY.offer, (run(0, first, *[DIGEST] * size),))
        vouched.take(b"%d" % first, its)
    lending = Lending(vouched)
    lending.hold((first, first + 1) for first in range(0, count, 2))
    lending.fetching = Lending(vouched).held.union(lending.held)
    watching = Watching(0, lending, NOW)
    batches = watching.news(NOW)
    assert len(batches) == 16
    rest = watching.news(NOW)
    assert isinstance(rest[-1], Have)
    assert len(rest[-1].held) == limits.HAVE_SPANS
    assert len(rest[-1].fetching) == limits.CLAIM_SPANS
    lending.fetching = Lending(vouched).held.union(vouched.known)
    (have,) = watching.news(Monotonic(2.0))
    assert isinstance(have, Have)
    assert [span.first for span in have.held] == [count - 4, count - 2]
    assert have.fetching == ()  # more than may be named: the other side would refuse it
    assert lending.digest(0, 1) == ChunkDigest(DIGEST)
    assert Lending(Vouched(Places([MIB]))).digest(0, 0) is None


def test_a_holder_in_too_many_pieces_tells_of_what_joins_them() -> None:
    count = 2 * limits.HELD_SPANS + 4
    vouched = Vouched(Places([count * MIB]))
    for first in range(0, count, limits.PAGE_DIGESTS):
        size = min(limits.PAGE_DIGESTS, count - first)
        its = DigestBatch(KEY.device, KEY.offer, (run(0, first, *[DIGEST] * size),))
        vouched.take(b"%d" % first, its)
    lending = Lending(vouched)
    lending.hold((first, first + 1) for first in range(0, count, 2))
    watching = Watching(0, lending, NOW)
    told = 0
    for beat in range(1, 9):
        for have in watching.news(Monotonic(float(beat))):
            told += len(have.held) if isinstance(have, Have) else 0
    assert told == limits.HELD_SPANS
    lending.hold([(1, 2), (count - 3, count - 2)])
    (have,) = watching.news(Monotonic(20.0))
    assert isinstance(have, Have)
    assert have.held == (Span(1, 1), Span(count - 4, 3))  # one piece less, one more
