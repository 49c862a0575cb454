"""What a sender does with requests, honest ones and others."""

from __future__ import annotations

import pytest

from tests.wire.transfer.exchange import KEY, MIB, SEED, SIGNING_KEY
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import ChunkDigest, DeviceId, OfferId
from wire.machine import Monotonic
from wire.messages import Message
from wire.messages.transfer import (
    ChunkRange,
    DigestPage,
    Fetch,
    FetchDigests,
    Fetched,
    FetchManifest,
    FetchRefused,
    ManifestPage,
    Piece,
    SignedDigests,
    StopFetch,
)
from wire.transfer.digests import chunk_digest, read_digests
from wire.transfer.holding import Holding, OfferKey
from wire.transfer.sender import Sender
from wire.transfer.steps import CheckPin, Read, ReadDigests, Say

NOW = Monotonic(0.0)
DIGEST = chunk_digest(b"x")


def holding(*sizes: int, key: OfferKey = KEY) -> Holding:
    return Holding(key, manifest=b"m" * (limits.PAGE_BYTES + 1), sizes=sizes, signing_seed=SEED)


def said(sender: Sender, now: Monotonic = NOW) -> list[Message]:
    """What the sender says next."""
    step = sender.next_step(now)
    assert isinstance(step, Say)
    return list(step.messages)


def fetch(*ranges: ChunkRange, number: int = 1, key: OfferKey = KEY) -> Fetch:
    return Fetch(number, key.device, key.offer, ranges)


def test_a_manifest_is_answered_page_by_page() -> None:
    sender = Sender()
    for page in (0, 1):
        sender.on_fetch_manifest(FetchManifest(page, *KEY, page), holding(1))
    assert said(sender) == [ManifestPage(0, 0, 2, b"m" * limits.PAGE_BYTES)]
    assert said(sender) == [ManifestPage(1, 1, 2, b"m")]
    sender.on_fetch_manifest(FetchManifest(0, *KEY, 0), holding(1))
    sender.on_stop(StopFetch(0))
    assert said(sender) == [Fetched(0)]


def test_what_is_not_there_or_not_theirs_is_refused() -> None:
    sender = Sender()
    sender.on_fetch_manifest(FetchManifest(1, *KEY, 2), holding(1))
    sender.on_fetch_manifest(FetchManifest(2, *KEY, 0), Code.UNKNOWN_OFFER)
    sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=3), Code.UNKNOWN_OFFER)
    sender.on_fetch(fetch(ChunkRange(0, 0, 2), number=4), holding(MIB))
    sender.on_fetch(fetch(ChunkRange(1, 0, 1), number=5), holding(MIB))
    sender.on_fetch_digests(FetchDigests(6, *KEY, 0, 0), Code.PAUSED)
    sender.on_fetch_digests(FetchDigests(7, *KEY, 0, 1), holding(MIB))
    assert said(sender) == [
        FetchRefused(1, Code.NUMBER_RANGE.value),
        FetchRefused(2, Code.UNKNOWN_OFFER.value),
        FetchRefused(3, Code.UNKNOWN_OFFER.value),
        FetchRefused(4, Code.NUMBER_RANGE.value),
        FetchRefused(5, Code.NUMBER_RANGE.value),
        FetchRefused(6, Code.PAUSED.value),
        FetchRefused(7, Code.NUMBER_RANGE.value),
    ]
    assert sender.next_step(NOW) is None
    assert sender.deadline() is None


def test_open_requests_are_bounded_and_their_ids_are_used_once() -> None:
    sender, held = Sender(), holding(MIB)
    for number in range(limits.OPEN_FETCHES):
        sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=number), held)
    for number, code in ((5, Code.NOT_NOW), (9999, Code.TOO_MANY_REQUESTS)):
        with pytest.raises(RemoteProtocolError) as caught:
            sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=number), held)
        assert caught.value.code is code


def test_pages_of_a_manifest_are_made_when_they_leave_and_bounded_before() -> None:
    sender, held = Sender(), holding(MIB)
    for number in range(limits.OPEN_FETCHES):
        sender.on_fetch_manifest(FetchManifest(number, *KEY, 0), held)
    with pytest.raises(RemoteProtocolError) as caught:
        sender.on_fetch_manifest(FetchManifest(9999, *KEY, 0), held)
    assert caught.value.code is Code.TOO_MANY_REQUESTS
    for number in range(limits.OPEN_FETCHES):
        assert said(sender) == [ManifestPage(number, 0, 2, b"m" * limits.PAGE_BYTES)]
    sender.on_fetch_manifest(FetchManifest(9999, *KEY, 0), held)


def test_ranges_of_open_requests_are_bounded() -> None:
    sender, held = Sender(), holding(*[1] * limits.FETCH_RANGES)
    ranges = tuple(ChunkRange(file, 0, 1) for file in range(limits.FETCH_RANGES))
    most = limits.OPEN_RANGES // limits.FETCH_RANGES
    for number in range(most):
        sender.on_fetch(fetch(*ranges, number=number), held)
    for number in (most, most + 1):
        with pytest.raises(RemoteProtocolError) as caught:
            sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=number), held)
        assert caught.value.code is Code.TOO_MANY_REQUESTS
    sender.on_stop(StopFetch(0))
    sender.on_fetch(fetch(*ranges, number=most), held)


def test_refusals_that_nobody_reads_are_a_flood() -> None:
    sender = Sender()
    for _ in range(2):
        for number in range(limits.UNSENT_ANSWERS):
            sender.on_fetch_manifest(FetchManifest(number, *KEY, 0), Code.UNKNOWN_OFFER)
        assert len(said(sender)) == limits.UNSENT_ANSWERS
    for number in range(limits.UNSENT_ANSWERS):
        sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=number), Code.UNKNOWN_OFFER)
    with pytest.raises(RemoteProtocolError) as caught:
        sender.on_fetch(fetch(ChunkRange(0, 0, 1)), Code.UNKNOWN_OFFER)
    assert caught.value.code is Code.FLOOD


def test_offers_take_turns() -> None:
    other = OfferKey(DeviceId(b"d" * 16), OfferId(b"p" * 16))
    sender = Sender()
    sender.on_fetch(fetch(ChunkRange(0, 0, 3), number=1), holding(3 * MIB))
    sender.on_fetch(fetch(ChunkRange(0, 0, 3), number=2, key=other), holding(3 * MIB, key=other))
    keys = []
    for _ in range(4):
        step = sender.next_step(NOW)
        assert isinstance(step, Read)
        sender.on_read(step, [DIGEST], NOW)
        keys.append(step.key)
    assert keys == [KEY, other, KEY, other]


def test_digests_are_signed_within_a_second() -> None:
    sender = Sender()
    sender.on_fetch(fetch(ChunkRange(0, 0, 5)), holding(9 * MIB))
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    assert isinstance(sender.on_read(step, [DIGEST], NOW), Piece)
    assert sender.deadline() == limits.SIGN_EVERY_S
    [signed] = said(sender, Monotonic(limits.SIGN_EVERY_S))
    assert isinstance(signed, SignedDigests)
    [run] = read_digests(signed.signed, SIGNING_KEY).runs
    assert (run.file, run.each()) == (0, [(0, DIGEST)])
    assert sender.deadline() is None


@pytest.mark.parametrize(("size", "is_signed"), [(MIB, True), (2 * MIB, False)])
def test_a_link_that_runs_dry_signs_what_completes_a_file_and_nothing_else(
    size: int, *, is_signed: bool
) -> None:
    sender = Sender()
    sender.on_fetch(fetch(ChunkRange(0, 0, 1)), holding(size))
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    assert isinstance(sender.on_read(step, [ChunkDigest(b"d" * 32)], NOW), Piece)
    assert said(sender) == [Fetched(1)]
    step = sender.next_step(NOW)
    assert isinstance(step, Say) is is_signed
    assert sender.next_step(NOW) is None
    assert (sender.deadline() is None) is is_signed


def test_what_was_stopped_is_not_sent() -> None:
    sender = Sender()
    sender.on_fetch(fetch(ChunkRange(0, 0, 5)), holding(9 * MIB))
    sender.on_stop(StopFetch(1))
    sender.on_stop(StopFetch(1))
    assert said(sender) == [Fetched(1)]
    assert sender.next_step(NOW) is None


def test_a_page_of_digests_comes_from_what_is_read_for_it() -> None:
    sender, held = Sender(), holding(2 * MIB, 7)
    sender.on_fetch_digests(FetchDigests(1, *KEY, 0, 0), held)
    for _ in range(2):
        step = sender.next_step(NOW)
        assert isinstance(step, Read)
        assert not step.is_sent
        assert sender.on_read(step, [DIGEST], NOW) is None
    pin = sender.next_step(NOW)
    assert isinstance(pin, CheckPin)
    sender.on_pin(pin, is_held=True, now=NOW)
    page = sender.next_step(NOW)
    assert isinstance(page, ReadDigests)
    sender.on_digests(page, held.table(0).page(0))
    [answer] = said(sender)
    assert isinstance(answer, DigestPage)
    assert answer.digests == DIGEST * 2
    [run] = read_digests(answer.signed_root, SIGNING_KEY).runs
    assert run.root == held.root(0)


def test_what_the_shell_tells_of_a_withdrawn_offer_is_forgotten() -> None:
    sender, held = Sender(), holding(3 * MIB)
    sender.on_fetch(fetch(ChunkRange(0, 0, 3)), held)
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    sender.withdraw(KEY)
    assert sender.on_read(step, [DIGEST], NOW) is None
    assert sender.on_read(step, [Code.FILE_UNREADABLE], NOW) is None
    assert sender.on_zeros(step, 1, NOW) is None
    sender.on_pin(CheckPin(KEY, 1, 0), is_held=True, now=NOW)
    sender.on_digests(ReadDigests(KEY, 1, 0, 0), b"")
    assert said(sender) == [FetchRefused(1, Code.UNKNOWN_OFFER.value)]
    assert sender.next_step(NOW) is None


def test_what_is_paused_is_refused_by_that_name_in_the_middle() -> None:
    sender, held = Sender(), holding(3 * MIB)
    sender.on_fetch(fetch(ChunkRange(0, 0, 2)), held)
    sender.on_fetch(fetch(ChunkRange(0, 2, 1), number=2), held)
    sender.withdraw(KEY, Code.PAUSED)
    refused = [FetchRefused(1, Code.PAUSED.value), FetchRefused(2, Code.PAUSED.value)]
    assert said(sender) == refused
    sender.on_fetch(fetch(ChunkRange(0, 0, 1), number=1), held)
    assert isinstance(sender.next_step(NOW), Read)


def test_a_stop_names_the_offer_of_which_nothing_else_is_asked_for() -> None:
    sender, held = Sender(), holding(3 * MIB)
    sender.on_fetch(fetch(ChunkRange(0, 0, 2)), held)
    sender.on_fetch(fetch(ChunkRange(0, 2, 1), number=2), held)
    assert sender.on_stop(StopFetch(9)) is None
    assert sender.on_stop(StopFetch(1)) is None
    assert sender.on_stop(StopFetch(2)) == KEY
    assert sender.on_stop(StopFetch(2)) is None


def test_a_file_whose_digests_cannot_be_read_is_refused() -> None:
    sender = Sender()
    sender.on_fetch_digests(FetchDigests(1, *KEY, 0, 0), holding(2 * MIB))
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    sender.on_read(step, [Code.FILE_UNREADABLE], NOW)
    assert said(sender) == [FetchRefused(1, Code.FILE_UNREADABLE.value, 0)]
    assert sender.next_step(NOW) is None


def test_many_digests_of_many_files_are_signed_in_batches_within_the_limits() -> None:
    count = 3 * limits.SIGNED_DIGESTS
    sender = Sender()
    sender.on_fetch(fetch(*(ChunkRange(n, 0, 1) for n in range(1024))), holding(*[1] * count))
    sender.on_fetch(
        fetch(*(ChunkRange(n, 0, 1) for n in range(1024, 2048)), number=2), holding(*[1] * count)
    )
    runs = 0
    while (step := sender.next_step(NOW)) is not None:
        if isinstance(step, Read):
            sender.on_read(step, [DIGEST] * len(step.parts), NOW)
        elif isinstance(step, Say):
            for message in step.messages:
                if isinstance(message, SignedDigests):
                    runs += len(read_digests(message.signed, SIGNING_KEY).runs)
    assert runs == 2048
    assert sender.sent_bytes == 2048


def test_the_root_goes_out_by_itself_if_the_digests_went_before_it() -> None:
    sender, held = Sender(), holding(2 * MIB)
    sender.on_fetch(fetch(ChunkRange(0, 0, 2)), held)
    for _ in range(2):
        step = sender.next_step(NOW)
        assert isinstance(step, Read)
        assert isinstance(sender.on_read(step, [DIGEST], NOW), Piece)
    [digests] = said(sender, Monotonic(limits.SIGN_EVERY_S))
    assert isinstance(digests, SignedDigests)
    pin = sender.next_step(NOW)
    assert isinstance(pin, CheckPin)
    sender.on_pin(pin, is_held=True, now=NOW)
    assert sender.deadline() == limits.SIGN_EVERY_S
    [root] = said(sender, NOW)
    assert isinstance(root, SignedDigests)
    [run] = read_digests(root.signed, SIGNING_KEY).runs
    assert (run.first, run.digests, run.root) == (0, b"", held.root(0))


def runs_of(messages: list[Message]) -> list[tuple[int, list[tuple[int, bytes]], bool]]:
    """What is signed in these messages: file, chunks with their digests, whether a root is there."""
    signed = [message.signed for message in messages if isinstance(message, SignedDigests)]
    runs = [run for each in signed for run in read_digests(each, SIGNING_KEY).runs]
    return [(run.file, run.each(), bool(run.root)) for run in runs]


def test_of_a_file_that_was_read_for_others_all_digests_are_signed_before_its_last_chunk() -> None:
    sender, held = Sender(), holding(3 * MIB, 2 * MIB)
    digests = [ChunkDigest(bytes([number]) * 32) for number in range(3)]
    held.restore([(0, number, digest) for number, digest in enumerate(digests)])
    sender.on_fetch(fetch(ChunkRange(1, 0, 1), ChunkRange(0, 0, 3)), held)
    for digest in (DIGEST, digests[0]):  # of the other file, which is signed as ever
        step = sender.next_step(NOW)
        assert isinstance(step, Read)
        sender.on_read(step, [digest], NOW)
    pin = sender.next_step(NOW)
    assert isinstance(pin, CheckPin)
    sender.on_pin(pin, is_held=True, now=NOW)
    assert runs_of(said(sender)) == [
        (1, [(0, DIGEST)], False),
        (0, list(enumerate(digests)), False),
        (0, [], True),
    ]
    for digest in digests[1:]:
        step = sender.next_step(NOW)
        assert isinstance(step, Read)
        sender.on_read(step, [digest], NOW)
    assert sender.deadline() is None  # nothing is signed twice


def test_an_offer_of_which_nothing_is_asked_for_is_withdrawn_without_a_word() -> None:
    sender = Sender()
    assert not sender.is_open(KEY)
    sender.on_fetch(fetch(ChunkRange(0, 0, 1)), holding(7))
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    sender.on_read(step, [DIGEST], NOW)
    assert isinstance(sender.next_step(NOW), Say)  # that this is all: its digest is to be signed
    while sender.is_open(KEY):
        assert sender.next_step(NOW) is not None
    sender.withdraw(KEY)
    assert sender.next_step(NOW) is None


def test_a_hole_that_is_found_while_a_chunk_is_read_is_told_once_and_not_read() -> None:
    sender = Sender()
    sender.on_fetch(fetch(ChunkRange(0, 0, 5)), holding(5 * MIB))
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    told = sender.on_zeros(step, 3, NOW)
    assert told is not None
    assert told.range == ChunkRange(0, 0, 3)
    following = sender.next_step(NOW)
    assert isinstance(following, Read)
    assert [part.index for part in following.parts] == [3]
    for step, index in ((following, 3), (sender.next_step(NOW), 4)):
        assert isinstance(step, Read)
        alone = sender.on_zeros(step, 1, NOW)
        assert alone is not None
        assert alone.range == ChunkRange(0, index, 1)
    assert not isinstance(sender.next_step(NOW), Read)


def test_a_file_that_fails_one_request_leaves_the_others_alone() -> None:
    sender, held = Sender(), holding(7, 7)
    sender.on_fetch(fetch(ChunkRange(0, 0, 1)), held)
    sender.on_fetch(fetch(ChunkRange(1, 0, 1), number=2), held)
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    assert sender.on_read(step, [Code.FILE_UNREADABLE], NOW) is None
    refused = said(sender)
    assert refused[0] == FetchRefused(1, Code.FILE_UNREADABLE.value, 0)
    assert said(sender) == [Fetched(1)]
    other = sender.next_step(NOW)
    assert isinstance(other, Read)
    assert (other.fetch, [part.file for part in other.parts]) == (2, [1])


def test_a_pin_of_a_small_file_that_is_told_too_late_vouches_for_nothing() -> None:
    sender, held = Sender(), holding(7)
    sender.on_fetch_digests(FetchDigests(1, *KEY, 0, 0), held)
    step = sender.next_step(NOW)
    assert isinstance(step, Read)
    sender.on_read(step, [DIGEST], NOW)
    pin = sender.next_step(NOW)
    assert isinstance(pin, CheckPin)
    sender.on_stop(StopFetch(1))
    sender.on_pin(pin, is_held=True, now=NOW)
    assert said(sender) == [Fetched(1)]
    assert sender.next_step(NOW) is None


def test_digests_of_an_earlier_life_are_taken_if_the_offer_has_such_chunks() -> None:
    held = holding(2 * MIB, 7)
    held.restore([(0, 0, DIGEST), (0, 1, DIGEST), (0, 2, DIGEST), (1, 0, DIGEST), (2, 0, DIGEST)])
    assert held.root(0) is not None
    assert list(held.tables) == [0]
