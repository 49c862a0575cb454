"""Words: what one is, when two are the same, and that nothing a person types acts in the index."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.errors import PeerError
from peer.history.words import PRIVATE, Term, as_match, fold, hits, read_terms, words
from wire import limits
from wire.codes import Code


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Hello, World!", "hello world"),
        ("it's report_2026.pdf", "it s report 2026 pdf"),
        ("Crème BRÛLÉE", "creme brulee"),
        ("Straße Ærø ﬁle ＡＢＣ１", "strasse ærø file abc1"),  # noqa: RUF001
        ("Ёлка и й", "елка и и"),
        ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
        ("我说：你好吗？", "我 说 你 好 吗"),  # noqa: RUF001
        ("東京タワーへ", "東 京 タ ワ ー へ"),
        ("ｶﾞｷﾞ", "ガ ギ"),
        ("한국어 텍스트", "한국어 텍스트"),
        ("สวัสดี", "ส วั ส ดี"),
        ("हिन्दी में", "हिन्दी में"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("party 🎉❤️ now", "party 🎉 ❤ now"),
        (f"mine {PRIVATE}7 yours", "mine 7 yours"),
        ("% _ * - \" ' \x00 \n\t", ""),
        ("100% \ud800 x", "100 x"),
        ("e\u0301te\u0301", "ete"),
    ],
)
def test_a_text_is_folded_into_words(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_words_stand_in_their_text_in_order_and_hold_no_blank(text: str) -> None:
    found = list(words(text))
    places = [(word.start, word.end) for word in found]
    assert places == sorted(places)
    assert all(0 <= start < end <= len(text) for start, end in places)
    assert all(word.folded and word.folded.split() == [word.folded] for word in found)
    assert not any(PRIVATE in word.folded for word in found)


def test_a_word_means_its_beginning_and_quotation_marks_mean_the_whole() -> None:
    assert read_terms('hell "big World" w-lan') == [
        Term(("hell",)),
        Term(("big", "world"), is_whole=True),
        Term(("w", "lan")),
    ]
    assert read_terms('5" disk') == [Term(("5",)), Term(("disk",))]
    assert read_terms("NOT (a OR b) NEAR text:c*") == [
        Term(("not",)), Term(("a",)), Term(("or",)), Term(("b",)), Term(("near",)), Term(("text", "c")),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "   ", "%", '""', "*", "- ' \" ()", "\x00", PRIVATE])
def test_a_search_without_a_word_is_refused_by_name(text: str) -> None:
    with pytest.raises(PeerError) as caught:
        read_terms(text)
    assert caught.value.code is Code.SEARCH_EMPTY


def test_a_search_has_a_length_and_a_number_of_words_at_most() -> None:
    assert len(read_terms("a" * limits.SEARCH_CHARS)) == 1
    assert len(read_terms("a " * limits.SEARCH_TERMS)) == limits.SEARCH_TERMS
    for text in ("a" * (limits.SEARCH_CHARS + 1), "a " * (limits.SEARCH_TERMS + 1), "x" * 10_240):
        with pytest.raises(PeerError) as caught:
            read_terms(text)
        assert caught.value.code is Code.TEXT_LENGTH


@given(st.text(max_size=200))
def test_no_text_is_an_error_in_the_language_of_the_index(text: str) -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE found USING fts5(folded, tokenize = 'ascii')")
    connection.execute("INSERT INTO found VALUES (?)", (fold(text),))
    try:
        terms = read_terms(text)
    except PeerError:
        return
    match = as_match(terms)
    assert connection.execute("SELECT 1 FROM found WHERE folded MATCH ?", (match,)).fetchall() or (
        '"' in text  # what stands there in another order than between quotation marks
    )
    connection.close()


@pytest.mark.parametrize(
    ("text", "query", "found"),
    [
        ("Hello World, hello", "hell", ["Hello", "hello"]),
        ("Hello World", "world hello", ["Hello", "World"]),
        ("Crème brûlée", "creme", ["Crème"]),
        ("我说你好吗", "你好", ["你好"]),
        ("one two three", '"two three"', ["two three"]),
        ("one two threefold", '"two three"', []),
        ("one two threefold", "two-three", ["two threefold"]),
        ("nothing", "other", []),
    ],
)
def test_hits_are_shown_where_they_stand(text: str, query: str, found: list[str]) -> None:
    assert [text[a:b] for a, b in hits(text, read_terms(query))] == found
