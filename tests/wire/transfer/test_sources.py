"""A receiver with several sources, word by word: what it takes from holders, and what holders lend."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from tests.wire.transfer.exchange import KEY, MIB, SIGNING_KEY, bring
from tests.wire.transfer.swarming import batch, run
from wire import limits
from wire.codes import Code
from wire.errors import RemoteProtocolError
from wire.ids import DeviceId
from wire.machine import Monotonic
from wire.messages.transfer import (
    ChunkRange,
    Fetch,
    Fetched,
    FetchRefused,
    Have,
    Pack,
    PackedChunk,
    Piece,
    SignedDigests,
    Span,
    StopFetch,
    Watch,
    Zeros,
)
from wire.transfer.digests import DigestTable, chunk_digest, zero_digest
from wire.transfer.proofs import FileFailed, FileVerified
from wire.transfer.receiver import Receiver

B, C = (DeviceId(bytes([number]) * 16) for number in (1, 2))
DIGEST, OTHER = chunk_digest(b"x"), chunk_digest(b"y")
NOW = Monotonic(1.0)


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
    assert bring(made, right, DIGEST, B, now=NOW)
    wrong = Piece(ask.fetch, 0, 1, MIB, OTHER)
    assert made.expects(wrong, B)
    assert code_of(lambda: bring(made, wrong, OTHER, B, now=NOW)) is Code.VERIFICATION_FAILED
    assert made.bar(B) == [StopFetch(ask.fetch), StopFetch(0)]
    assert not made.may_ask(B)
    assert made.may_ask(C)
    assert made.sources == []
    assert not made.expects(right, B)


def test_what_the_offering_device_brings_under_another_name_does_not_widen_its_window() -> None:
    made = receiver(3 * MIB, holders=())
    made.linked(itertools.count().__next__, now=NOW)
    (ask,) = made.asks(now=NOW)
    assert isinstance(ask, Fetch)
    swarm = made._swarm
    assert swarm is not None
    before = swarm.members[KEY.device].asked_bytes
    stray = Piece(ask.fetch + 7, 0, 0, MIB, DIGEST)
    assert made.expects(stray)
    assert bring(made, stray, DIGEST, now=NOW)
    assert swarm.members[KEY.device].asked_bytes == before


def test_what_came_and_will_not_be_signed_is_claimed_no_more() -> None:
    made = receiver(4 * MIB)
    made.linked(itertools.count().__next__, now=NOW)
    [ask] = [ask for ask in made.asks(now=NOW) if isinstance(ask, Fetch)]
    piece = Piece(ask.fetch, 0, 0, MIB, DIGEST)
    assert made.expects(piece, now=NOW)
    assert bring(made, piece, DIGEST, now=NOW)
    made.lend()
    assert made.lending is not None
    assert list(made.lending.fetching) == [(0, 2)]  # one asked for, one here and not yet signed
    made.unlinked()  # the digests that its signature was to cover went with the link
    assert list(made.lending.fetching) == []
    made.on_signed(SignedDigests(batch(run(0, 0, DIGEST))), B)
    assert made.lending.has(0, 0, 1)  # others had it signed


def test_who_has_all_of_it_claims_nothing_of_which_the_digests_were_not_signed() -> None:
    """Only the root was, which proves the file to its receiver; others would wait for what is never lent."""
    made = receiver(2 * MIB, holders=())
    made.linked(itertools.count().__next__, now=NOW)
    [ask] = [ask for ask in made.asks(now=NOW) if isinstance(ask, Fetch)]
    made.asks(now=NOW)
    table = DigestTable(2 * MIB)
    for index in (0, 1):
        piece = Piece(ask.fetch, 0, index, MIB, DIGEST)
        assert made.expects(piece, now=NOW)
        assert bring(made, piece, DIGEST, now=NOW)
        table.put(index, DIGEST)
    made.lend()
    assert made.lending is not None
    assert list(made.lending.fetching) == [(0, 2)]
    made.on_signed(SignedDigests(batch(run(0, 0, root=table.root()))))
    assert made.is_finished
    made.lend()
    assert (list(made.lending.fetching), made.lending.has(0, 0, 1)) == ([], False)


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
    assert not bring(made, piece, OTHER, now=NOW)
    assert made.events() == [FileFailed(0, Code.CHANGED_AT_SENDER)]
    assert made.on_zeros(Zeros(ask.fetch, ChunkRange(0, 0, 1)), now=NOW) == []


def test_digests_that_contradict_each_other_are_the_offering_devices_fault_and_no_holders() -> None:
    made = receiver(2 * MIB, 7, 2 * MIB, 9)
    ids = itertools.count()
    made.linked(ids.__next__, now=NOW)
    (ask,) = made.asks(now=NOW)
    for piece in (Piece(ask.fetch, 0, 0, MIB, DIGEST), Piece(ask.fetch, 0, 1, MIB, DIGEST)):
        assert made.expects(piece)
        bring(made, piece, DIGEST, now=NOW)
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


def waited(made: Receiver) -> Monotonic:
    """Look every second until just before whoever stalls is given up; gives when that is."""
    for second in range(int(limits.STALL_S)):
        assert made.look({}, now=Monotonic(NOW + second)) == []
    return Monotonic(NOW + limits.STALL_S)


def test_an_offering_device_that_stalls_is_asked_again_after_a_while() -> None:
    made = receiver(2 * MIB)
    ids = itertools.count()
    made.linked(ids.__next__, now=NOW)
    (ask,) = made.asks(now=NOW)
    later = waited(made)
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
    later = waited(made)
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


def test_a_file_whose_root_was_signed_before_is_verified_with_its_last_chunk() -> None:
    made = receiver(2 * MIB)
    made.linked(itertools.count().__next__, now=NOW)
    table = DigestTable(2 * MIB)
    table.put(0, DIGEST)
    table.put(1, OTHER)
    made.on_signed(SignedDigests(batch(run(0, 0, root=table.root()))), B)
    made.asks(now=NOW)
    for index, digest in enumerate((DIGEST, OTHER)):
        piece = Piece(999, 0, index, MIB, digest)  # the offering device may answer in any order
        assert made.expects(piece)
        assert bring(made, piece, digest, now=NOW)
    assert made.events() == [FileVerified(0)]


def test_there_are_places_for_eight_sources_one_of_them_the_offering_devices() -> None:
    many = [DeviceId(bytes([number]) * 16) for number in range(1, 9)]
    made = receiver(MIB, holders=tuple(many[:7]))
    assert not made.may_ask(many[7])
    assert made.may_ask(KEY.device)
    assert not Receiver(KEY, [1], SIGNING_KEY).may_ask(B)
