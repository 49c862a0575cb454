"""A receiver with several sources, word by word: what it takes from holders, and what holders lend."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest

from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest, DeviceId
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
    Pack,
    PackedChunk,
    Piece,
    SignedDigests,
    Span,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.digests import DigestBatch, DigestRun, chunk_digest, issue_digests, zero_digest
from wire.transfer.holding import Holding
from wire.transfer.lending import Lending, Watching
from wire.transfer.places import Places
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver
from wire.transfer.sender import Sender
from wire.transfer.steps import Read, Say
from wire.transfer.vouched import Vouched

B, C = (DeviceId(bytes([number]) * 16) for number in (1, 2))
DIGEST, OTHER = chunk_digest(b"x"), chunk_digest(b"y")
NOW = Monotonic(1.0)


def batch(*runs: DigestRun) -> bytes:
    return issue_digests(SEED, DigestBatch(KEY.device, KEY.offer, runs))


def run(file: int, first: int, *digests: bytes, root: bytes = b"") -> DigestRun:
    return DigestRun(file, first, b"".join(digests), root)


def receiver(*sizes: int, holders: tuple[DeviceId, ...] = (B,)) -> Receiver:
    """A receiver with several sources, of which only the holders are linked."""
    made = Receiver(KEY, sizes, SIGNING_KEY, start=0)
    made.start()
    for device in holders:
        ids = itertools.count()
        made.linked(ids.__next__, device, now=NOW)
        assert made.asks(device, now=NOW) == [Watch(0, KEY.device, KEY.offer)]
    return made


def told(made: Receiver, *places: tuple[int, int], source: DeviceId = B) -> list[Fetch]:
    """Let a holder tell what it has; gives what it is asked for."""
    made.on_have(Have(0, tuple(Span(first, count) for first, count in places)), source, now=NOW)
    return [ask for ask in made.asks(source, now=NOW) if isinstance(ask, Fetch)]


def code_of(act: Callable[[], object]) -> Code:
    with pytest.raises(RemoteProtocolError) as caught:
        act()
    return caught.value.code


# --- the receiver


def test_a_holder_is_asked_only_for_what_is_signed_and_believed_only_by_that() -> None:
    made = receiver(3 * MIB)
    assert told(made, (0, 3)) == []
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST, DIGEST))), B)
    (ask,) = told(made)
    assert ask.ranges == (ChunkRange(0, 0, 2),)
    assert made.waits_for(B)
    assert not made.waits_for(C)
    right = Piece(ask.fetch, 0, 0, MIB, DIGEST)
    assert made.expects(right, B)
    assert made.on_piece(right, DIGEST, B, now=NOW)
    wrong = Piece(ask.fetch, 0, 1, MIB, OTHER)
    assert made.expects(wrong, B)
    assert code_of(lambda: made.on_piece(wrong, OTHER, B, now=NOW)) is Code.VERIFICATION_FAILED
    assert made.bar(B) == [StopFetch(ask.fetch), StopFetch(0)]
    assert not made.may_ask(B)
    assert made.may_ask(C)
    assert made.sources == []
    assert not made.expects(right, B)


def test_a_small_file_of_a_holder_is_verified_as_it_comes() -> None:
    made = receiver(7, 8)
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST), run(1, 0, OTHER))), B)
    (ask,) = told(made, (0, 2))
    pack = Pack(ask.fetch, (PackedChunk(0, 7, DIGEST), PackedChunk(1, 8, OTHER)))
    assert made.expects(pack, B)
    made.on_pack(pack, [DIGEST, OTHER], B, now=NOW)
    assert made.events() == [FileVerified(0), FileVerified(1)]
    made.on_fetched(Fetched(ask.fetch), B)
    made.on_fetched(Fetched(99), B)
    made.on_fetched(Fetched(99), C)
    made.lend()
    assert made.lending is not None
    assert list(made.lending.held) == [(0, 2)]


def test_what_a_holder_was_not_asked_for_is_stray() -> None:
    made = receiver(2 * MIB, 7, holders=(B, C))
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST, DIGEST), run(1, 0, DIGEST))), B)
    (ask,) = told(made, (0, 3))
    for announced in (
        Piece(ask.fetch, 0, 0, MIB, DIGEST),
        Pack(ask.fetch, (PackedChunk(1, 7, DIGEST),)),
        Pack(ask.fetch, (PackedChunk(1, 8, DIGEST),)),
    ):
        assert not made.expects(announced, C)
    assert made.on_zeros(Zeros(7, ChunkRange(0, 0, 2)), C, now=NOW) == []
    assert made.on_zeros(Zeros(7, ChunkRange(0, 2, 2)), C, now=NOW) == []
    assert made.on_zeros(Zeros(7, ChunkRange(5, 0, 2)), C, now=NOW) == []


def test_zeros_of_a_holder_count_where_zeros_were_signed() -> None:
    made = receiver(2 * MIB)
    zeros = zero_digest(MIB)
    made.on_signed(SignedDigests(batch(run(0, 0, zeros, DIGEST))), B)
    (ask,) = told(made, (0, 2))
    assert made.on_zeros(Zeros(ask.fetch, ChunkRange(0, 0, 1)), B, now=NOW) == [(0, zeros)]
    lie = Zeros(ask.fetch, ChunkRange(0, 1, 1))
    assert code_of(lambda: made.on_zeros(lie, B, now=NOW)) is Code.VERIFICATION_FAILED


def test_a_chunk_of_the_offering_device_that_is_not_what_it_signed_fails_the_file() -> None:
    made = receiver(2 * MIB)
    ids = itertools.count()
    made.linked(ids.__next__, now=NOW)
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST))), B)
    (ask,) = made.asks(now=NOW)
    piece = Piece(ask.fetch, 0, 0, MIB, OTHER)
    assert made.expects(piece)
    assert not made.on_piece(piece, OTHER, now=NOW)
    assert made.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]
    assert made.on_zeros(Zeros(ask.fetch, ChunkRange(0, 0, 1)), now=NOW) == []


def test_digests_that_contradict_each_other_are_the_offering_devices_fault_and_no_holders() -> None:
    made = receiver(2 * MIB, 7, 2 * MIB, 9)
    ids = itertools.count()
    made.linked(ids.__next__, now=NOW)
    (ask,) = made.asks(now=NOW)
    for piece in (Piece(ask.fetch, 0, 0, MIB, DIGEST), Piece(ask.fetch, 0, 1, MIB, DIGEST)):
        assert made.expects(piece)
        made.on_piece(piece, DIGEST, now=NOW)
    pack = Pack(ask.fetch, (PackedChunk(1, 7, DIGEST),))
    asks = [ask, *made.asks(now=NOW)]
    assert any(made.expects(Pack(each.fetch, pack.chunks)) for each in asks)
    made.on_pack(pack, [DIGEST], now=NOW)
    made.on_signed(SignedDigests(batch(run(0, 0, root=OTHER))), B)
    made.on_signed(SignedDigests(batch(run(1, 0, OTHER))), B)
    made.on_signed(SignedDigests(batch(run(2, 0, DIGEST, root=DIGEST))), B)
    made.on_signed(SignedDigests(batch(run(2, 0, OTHER))), B)
    made.on_signed(SignedDigests(batch(run(2, 0, OTHER, root=OTHER))), B)
    made.on_signed(SignedDigests(batch(run(3, 0, root=DIGEST))), B)
    made.on_signed(SignedDigests(batch(run(3, 0, root=DIGEST))), B)
    changed = Code.CHANGED_AT_SENDER
    assert made.events() == [FileFailed(file, changed) for file in (0, 1, 2)]
    assert made.lending is not None
    assert len(made.lending.vouched.batches) == 4  # what tells nothing else is not kept


def test_a_holder_that_cannot_give_something_is_asked_for_the_rest_and_others_for_that() -> None:
    made = receiver(2 * MIB, 2 * MIB, holders=(B, C))
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST, DIGEST), run(1, 0, DIGEST, DIGEST))), B)
    (ask,) = told(made, (0, 4))
    assert ask.ranges == (ChunkRange(0, 0, 2),)
    assert told(made, (0, 2), source=C) == []
    made.on_refused(FetchRefused(ask.fetch, Code.CHANGED_AT_SENDER.value, 0), B)
    (other,) = (each for each in made.asks(C, now=NOW) if isinstance(each, Fetch))
    assert other.ranges == (ChunkRange(0, 0, 2),)
    made.on_fetched(Fetched(ask.fetch), B)
    (again,) = (each for each in made.asks(B, now=NOW) if isinstance(each, Fetch))
    assert again.ranges == (ChunkRange(1, 0, 2),)
    made.on_refused(FetchRefused(again.fetch, Code.NUMBER_RANGE.value, -1), B)
    assert made.asks(B, now=NOW) == []
    made.on_refused(FetchRefused(0, Code.UNKNOWN_OFFER.value, -1), B)
    assert made.sources == [C]
    made.on_refused(FetchRefused(0, Code.UNKNOWN_OFFER.value, -1), B)
    made.on_have(Have(0, ()), B, now=NOW)
    made.on_have(Have(9, ()), C, now=NOW)


def test_an_offering_device_that_stalls_is_asked_again_after_a_while() -> None:
    made = receiver(2 * MIB)
    ids = itertools.count()
    made.linked(ids.__next__, now=NOW)
    (ask,) = made.asks(now=NOW)
    later = Monotonic(NOW + limits.STALL_S)
    assert made.look({}, now=later) == [(KEY.device, [StopFetch(ask.fetch)])]
    assert made.asks(now=later) == []
    (again,) = made.asks(now=Monotonic(later + 15))
    assert again.fetch != ask.fetch
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST, DIGEST))), B)
    assert Receiver(KEY, [1], SIGNING_KEY).look({}, now=NOW) == []


def test_a_holder_that_stalls_is_asked_no_more() -> None:
    made = receiver(2 * MIB, holders=(B, C))
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST, DIGEST))), B)
    (ask,) = told(made, (0, 2))
    later = Monotonic(NOW + limits.STALL_S)
    assert made.look({}, now=later) == [(B, [StopFetch(ask.fetch), StopFetch(0)])]
    assert not made.may_ask(B)
    assert made.on_zeros(Zeros(ask.fetch, ChunkRange(0, 0, 2)), B, now=later) == []
    assert [each.ranges for each in told(made, (0, 2), source=C)] == [(ChunkRange(0, 0, 2),)]


def test_zeros_of_a_file_that_fails_on_the_way_are_not_kept() -> None:
    made = receiver(3 * MIB)
    made.linked(itertools.count().__next__, now=NOW)
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST))), B)
    (ask,) = made.asks(now=NOW)
    assert made.on_zeros(Zeros(ask.fetch, ChunkRange(0, 0, 2)), now=NOW) == []
    assert made.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]


def test_the_slower_of_two_sources_that_were_asked_for_a_chunk_is_late_and_not_to_blame() -> None:
    made = receiver(2 * MIB, holders=(B, C))
    zeros = zero_digest(MIB)
    made.on_signed(SignedDigests(batch(run(0, 0, zeros, zeros))), B)
    (ask,) = told(made, (0, 2))
    made.on_have(Have(0, (Span(0, 2),)), C, now=NOW)
    later = Monotonic(NOW + limits.STALL_S - 0.5)
    (race,) = made.asks(C, now=later)
    assert isinstance(race, Fetch)
    assert race.ranges == (ChunkRange(0, 0, 2),)
    both = ChunkRange(0, 0, 2)
    assert len(made.on_zeros(Zeros(race.fetch, both), C, now=later)) == 2
    assert made.on_zeros(Zeros(ask.fetch, both), B, now=later) == []
    assert made.resent_bytes == 2 * MIB
    made.on_fetched(Fetched(race.fetch), C)
    made.on_fetched(Fetched(ask.fetch), B)
    assert made.files_done == 0  # nobody signed for its root yet
    made.on_signed(SignedDigests(batch(run(0, 0, root=DIGEST))), B)


def test_there_are_places_for_eight_sources_one_of_them_the_offering_devices() -> None:
    many = [DeviceId(bytes([number]) * 16) for number in range(1, 9)]
    made = receiver(MIB, holders=tuple(many[:7]))
    assert not made.may_ask(many[7])
    assert made.may_ask(KEY.device)
    assert not Receiver(KEY, [1], SIGNING_KEY).may_ask(B)


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
