"""The journal: what counts of it after any damage, and what it costs."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.transfers import journal as journals
from peer.transfers import notes as reading
from peer.transfers.disk import REOPEN_FILE
from peer.transfers.journal import ENTRY, HEADER, Journal
from peer.transfers.notes import ChunkNotes, Found, Notes
from tests.harness.disks import MemoryDisk, failure
from tests.peer.transfers.landings import KEY
from wire.ids import DeviceId, OfferId
from wire.limits import PAGE_DIGESTS
from wire.transfer.holding import OfferKey

ROOT = Path("/downloads")
MANIFEST = b"m" * 32


def digest(number: int) -> bytes:
    return number.to_bytes(32, "little")


class Desk:
    """A journal in memory that can be closed, damaged and read again."""

    def __init__(self) -> None:
        self.disk = MemoryDisk(ROOT)
        self.folder = self.disk.open(ROOT, os.O_RDONLY)
        self.journal = journals.begin(self.disk, self.folder, KEY, MANIFEST)

    @property
    def bytes(self) -> bytearray:
        return self.disk.node("journal").data

    def read(self) -> Notes:
        descriptor = self.disk.open(b"journal", REOPEN_FILE, dir_fd=self.folder)
        notes = reading.read(self.disk, descriptor)
        self.disk.close(descriptor)
        return notes

    def reopen(self) -> Notes:
        self.journal.close()
        descriptor = journals.open_found(self.disk, self.folder)
        assert descriptor is not None
        notes = reading.read(self.disk, descriptor)
        self.disk.ftruncate(descriptor, notes.size)
        self.journal = Journal(self.disk, descriptor, notes.size, notes.check)
        return notes


def test_what_was_noted_is_read_again() -> None:
    desk = Desk()
    journal = desk.journal
    journal.asked([(0, 0, 3), (1, 0, 1), (9, 0, 1)])
    journal.chunks([(0, 0, digest(1)), (0, 1, digest(2)), (1, 0, digest(3))])
    journal.zeros(0, 2, 3)
    journal.whole([1, 5])
    journal.mark(journal.count)
    journal.chunks([(2, 0, digest(4)), (0, 7, digest(5))])
    notes = desk.read()
    assert notes.singles == {1: digest(3), 2: digest(4)}
    assert notes.wholes == {1, 5}
    assert notes.doubtful == {2}
    assert notes.asked == {9}
    big = notes.several[0]
    assert list(big.known) == [(0, 3), (7, 8)]
    assert list(big.doubtful) == [(7, 8)]
    assert [big.digest(index) for index in (0, 1, 2, 7)] == [digest(1), digest(2), None, digest(5)]
    assert list(notes.files()) == [0, 1, 2, 5, 9]
    assert notes.size == len(desk.bytes)


def test_a_mark_covers_what_came_before_it_was_counted_and_no_more() -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(1))])
    count = desk.journal.count
    desk.journal.chunks([(1, 0, digest(2))])
    desk.journal.mark(count)
    assert desk.read().doubtful == {1}


def test_a_chunk_that_was_dropped_does_not_count_until_it_is_written_again() -> None:
    desk = Desk()
    desk.journal.chunks([(0, index, digest(index)) for index in range(4)])
    desk.journal.chunks([(1, 0, digest(9))])
    desk.journal.whole([0, 1])
    desk.journal.dropped([(0, 1, 3), (1, 0, 2**32 - 1)])
    desk.journal.mark(desk.journal.count)
    desk.journal.chunks([(0, 2, digest(7))])
    notes = desk.read()
    assert list(notes.several[0].known) == [(0, 1), (2, 4)]
    assert list(notes.several[0].doubtful) == [(2, 3)]
    assert notes.several[0].digest(2) == digest(7)
    assert (notes.singles, notes.wholes) == ({}, set())


def test_a_pin_counts_until_something_is_written() -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(0)), (0, 1, digest(1))])
    desk.journal.end([(0, 2**63 + 5, 77)], desk.journal.count)
    notes = desk.reopen()
    assert notes.several[0].pin == (2**63 + 5, 77)
    assert not notes.several[0].doubtful
    desk.journal.chunks([(0, 2, digest(2))])
    assert desk.read().several[0].pin is None


def test_chosen_names_are_read_again_and_the_last_choice_counts() -> None:
    desk = Desk()
    desk.journal.landing([(0, 1), (4, 1)])
    desk.journal.landing([(4, 2)])
    assert desk.read().landing == {0: 1, 4: 2}


@pytest.mark.parametrize("lost", range(1, ENTRY.size + 1))
def test_a_torn_tail_ends_the_journal_where_it_begins_and_it_goes_on_from_there(lost: int) -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(0)), (1, 0, digest(1))])
    del desk.bytes[-lost:]
    assert desk.reopen().singles == {0: digest(0)}
    desk.journal.whole([0])
    desk.journal.chunks([(2, 0, digest(2))])
    notes = desk.read()
    assert (notes.singles, notes.wholes) == ({0: digest(0), 2: digest(2)}, {0})


def test_facts_without_their_proof_do_not_count_and_never_will() -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(0))])
    desk.journal.whole([0, 1, 2])
    del desk.bytes[-1:]  # the proof is torn
    assert desk.reopen().wholes == set()
    desk.journal.whole([3])
    assert desk.read().wholes == {3}


def test_pages_that_never_reached_the_disk_end_the_journal() -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(0))])
    good = len(desk.bytes)
    desk.journal.chunks([(1, 0, digest(1))])
    desk.journal.whole([1])
    desk.bytes[good:] = bytes(len(desk.bytes) - good)
    notes = desk.reopen()
    assert (notes.size, notes.singles, notes.wholes) == (good, {0: digest(0)}, set())


def test_any_damage_leaves_marks_and_facts_only_where_everything_before_is_right() -> None:
    for seed in range(400):
        dice = random.Random(seed)
        desk = Desk()
        for number in range(8):
            desk.journal.chunks([(number, 0, digest(number))])
            desk.journal.whole([number])
            desk.journal.mark(desk.journal.count)
        at = dice.randrange(HEADER.size, len(desk.bytes))
        desk.bytes[at] ^= 1 << dice.randrange(8)
        intact = (at - HEADER.size) // (4 * ENTRY.size)  # rounds of chunk, whole, proof, mark
        notes = desk.reopen()
        assert notes.wholes <= set(range(intact + 1))
        assert set(range(intact)) <= notes.wholes
        sure = {file for file in notes.singles if file not in notes.doubtful}
        assert all(notes.singles[file] == digest(file) for file in sure)


@given(st.binary(max_size=600))
def test_any_bytes_behind_the_header_are_read_without_a_fault(tail: bytes) -> None:
    desk = Desk()
    desk.bytes.extend(tail)
    assert desk.reopen().size <= HEADER.size + len(tail)
    desk.journal.whole([1])
    assert 1 in desk.read().wholes


def test_a_write_that_does_not_fit_leaves_the_journal_as_it_was() -> None:
    desk = Desk()
    desk.journal.chunks([(0, 0, digest(0))])
    desk.disk.capacity = len(desk.bytes) + ENTRY.size + 5
    with pytest.raises(OSError, match="No space"):
        desk.journal.chunks([(1, 0, digest(1)), (2, 0, digest(2))])
    desk.disk.capacity = 2**30
    assert desk.journal.count == 1
    desk.journal.chunks([(3, 0, digest(3))])
    desk.journal.whole([3])
    notes = desk.reopen()
    assert (notes.singles, notes.wholes) == ({0: digest(0), 3: digest(3)}, {3})


def test_a_mark_that_was_not_synced_raises() -> None:
    desk = Desk()
    desk.disk.fault = lambda operation: failure(5) if operation == "fdatasync" else None
    with pytest.raises(OSError, match="error"):
        desk.journal.mark(0)


OTHER = OfferKey(DeviceId(b"x" * 16), OfferId(b"y" * 16))


@pytest.mark.parametrize(
    ("start", "found"),
    [
        (journals.header(KEY, MANIFEST), Found.OURS),
        (journals.header(KEY, b"n" * 32), Found.STALE),
        (journals.header(OTHER, MANIFEST), Found.FOREIGN),
        (journals.header(KEY, MANIFEST)[:-1], Found.STALE),
        (journals.header(KEY, MANIFEST)[:3], Found.STALE),
        (b"HBNBJRNL\x02" + bytes(55), Found.STALE),
        (b"", Found.STALE),
        (bytes(64), Found.STALE),
        (b"Dear diary", Found.FOREIGN),
        (b"D" * 64, Found.FOREIGN),
    ],
)
def test_a_journal_is_recognised_by_its_offer_and_its_manifest(start: bytes, found: Found) -> None:
    assert reading.recognise(start, KEY, MANIFEST) is found


def test_a_journal_is_open_once() -> None:
    desk = Desk()
    with pytest.raises(BlockingIOError):
        journals.open_found(desk.disk, desk.folder)


def test_a_large_file_costs_the_memory_of_its_digests() -> None:
    notes = ChunkNotes()
    for index in range(3 * PAGE_DIGESTS):
        notes.put(index, digest(index))
    assert sum(len(page) for page in notes._pages.values()) == 3 * PAGE_DIGESTS * 32
    assert list(notes.known) == [(0, 3 * PAGE_DIGESTS)]
    assert notes.digest(PAGE_DIGESTS + 1) == digest(PAGE_DIGESTS + 1)


def test_a_journal_of_more_than_one_block_is_read_as_one() -> None:
    desk = Desk()
    for start in range(0, 40_000, 1000):
        desk.journal.chunks([(0, index, digest(index)) for index in range(start, start + 1000)])
        desk.journal.whole([start])
    desk.journal.mark(desk.journal.count)
    notes = desk.read()
    assert notes.several[0].known.count == 40_000
    assert not notes.several[0].doubtful
    assert len(notes.wholes) == 40
    assert notes.several[0].digest(39_999) == digest(39_999)
