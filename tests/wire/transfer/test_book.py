"""The book of chunks by itself: several files in one record, and files that are given up."""

from __future__ import annotations

from tests.wire.transfer.exchange import MIB
from wire.messages.transfer import ChunkRange, PackedChunk
from wire.transfer.book import Book
from wire.transfer.digests import chunk_digest

DIGEST = chunk_digest(b"x")


def asked(*sizes: int) -> Book:
    """A book of which everything is asked for."""
    book = Book(sizes)
    book.choose(1 << 40)
    return book


def packed(file: int, length: int) -> PackedChunk:
    return PackedChunk(file, length, DIGEST)


def test_a_record_of_several_files_may_hold_the_first_chunk_of_a_long_one() -> None:
    book = asked(7, 2 * MIB, 8)
    chunks = [packed(0, 7), packed(1, MIB), packed(2, 8)]
    assert book.are_expected(chunks)
    assert book.take_packed(chunks)
    assert (book.verified_bytes, book.asked_bytes) == (MIB + 15, MIB)
    assert book.complete() == [0, 2]
    assert not book.are_expected([packed(1, MIB)])
    assert not book.take_packed([packed(1, MIB)])


def test_chunks_of_wrong_length_of_no_file_or_not_asked_for_are_expected_of_nobody() -> None:
    book = asked(7, 2 * MIB)
    for chunk in (packed(0, 8), packed(1, 7), packed(2, 7)):
        assert not book.are_expected([chunk])
    assert not book.take_packed([packed(0, 8)])
    assert book.take_packed([packed(0, 7)])
    assert not book.are_expected([packed(0, 7)])
    assert not book.take_packed([packed(0, 7)])


def test_what_came_of_a_small_file_that_is_given_up_does_not_count() -> None:
    book = asked(7, 8)
    assert book.take_packed([packed(0, 7)])
    book.fail(0)
    assert (book.verified_bytes, book.asked_bytes, book.left) == (0, 8, 1)
    assert not book.is_owed([ChunkRange(0, 0, 1)])
    book.fail(1)
    assert (book.verified_bytes, book.asked_bytes, book.left) == (0, 0, 0)


def test_a_file_that_nobody_asked_for_yet_is_given_up() -> None:
    book = Book((7, 8))
    book.fail(0)
    assert [wanted.file for wanted in book.choose(100)] == [1]
    book.fail(1)
    assert (book.verified_bytes, book.asked_bytes, book.left) == (0, 0, 0)
