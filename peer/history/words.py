"""Words of a text as they are looked for: the one place that says what a word is and when two are the same.

A word is a run of letters, digits and their marks, folded: compatibility forms, case and the accents of
Latin, Greek and Cyrillic, Hebrew points and Arabic vowel signs make no difference. Scripts that put no
blanks between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese) give one word a character, so that any
part of such a text is found as a phrase; so do emoji. Everything else only separates.

The full-text index is given these words with blanks between them and cuts at blanks alone (its `ascii`
tokenizer). Its own tokenizers do less: `unicode61` takes a whole Chinese sentence for one word, `trigram`
finds nothing shorter than three characters, which most Chinese words are, and takes three times the room
(its folding of accents is younger than the SQLite of Debian 12); and both follow the Unicode version that
SQLite was built with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache

from msgspec import Struct

from peer.errors import PeerError
from wire import limits
from wire.codes import Code

PRIVATE = "\ue000"
"""Begins words of our own in the index; no text gives such a word, since it is neither letter nor digit."""

_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),
    (0x3040, 0x30FF),  # kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0xFF66, 0xFF9D),  # halfwidth kana
    (0x20000, 0x3FFFF),
)
_DROPPED = (
    (0x0300, 0x036F),  # accents of Latin, Greek, Cyrillic
    (0x0591, 0x05C7),  # Hebrew points
    (0x0610, 0x061A),
    (0x064B, 0x065F),  # Arabic vowel signs
    (0x1AB0, 0x1AFF),
    (0x1DC0, 0x1DFF),
    (0xFE00, 0xFE0F),  # how an emoji is drawn
)
_HALFWIDTH_MARKS = "\uff9e\uff9f"
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_QUOTED = re.compile(r'"([^"]*)"')


class _Kind(Enum):
    LETTER = "letter"
    ALONE = "alone"  # a word by itself, with the marks that follow it
    MARK = "mark"
    UNSEEN = "unseen"  # neither ends a word nor counts
    OTHER = "other"


class Word(Struct, frozen=True):
    """One word of a text. start, end: where it stands there, in characters."""

    folded: str
    start: int
    end: int


class Term(Struct, frozen=True):
    """What has to stand in a text: words in a row, of the last only its beginning unless it is whole."""

    words: tuple[str, ...]
    is_whole: bool = False


def words(text: str) -> Iterator[Word]:
    """Give the words of a text in their order."""
    if text.isascii():
        for match in _ASCII_WORD.finditer(text.lower()):
            yield Word(match[0], match.start(), match.end())
        return
    start, is_alone = -1, False
    for place, character in enumerate(text):
        kind = _kind(character)
        if start >= 0 and kind not in (_Kind.MARK, _Kind.UNSEEN):
            if kind is _Kind.LETTER and not is_alone:
                continue
            yield from _word(text, start, place)
            start = -1
        if start < 0 and kind in (_Kind.LETTER, _Kind.ALONE):
            start, is_alone = place, kind is _Kind.ALONE
    if start >= 0:
        yield from _word(text, start, len(text))


def fold(text: str) -> str:
    """Give the words of a text as the index is given them."""
    return " ".join(word.folded for word in words(text))


def read_terms(text: str) -> list[Term]:
    """Give what a person looks for: every word, or what stands between two quotation marks in a row.

    A word is found where a word begins so; between quotation marks it is meant whole. Nothing else has a
    meaning of its own. Raises PeerError with TEXT_LENGTH for more than limits.SEARCH_CHARS characters or
    limits.SEARCH_TERMS terms, SEARCH_EMPTY where there is no word at all.
    """
    if len(text) > limits.SEARCH_CHARS:
        raise PeerError(Code.TEXT_LENGTH, f"a search has at most {limits.SEARCH_CHARS} characters")
    terms: list[Term] = []
    for number, part in enumerate(_QUOTED.split(text)):
        is_whole = number % 2 == 1
        for piece in [part] if is_whole else part.split():
            found = tuple(word.folded for word in words(piece))
            if found:
                terms.append(Term(found, is_whole))
    if not terms:
        raise PeerError(Code.SEARCH_EMPTY)
    if len(terms) > limits.SEARCH_TERMS:
        raise PeerError(Code.TEXT_LENGTH, f"a search has at most {limits.SEARCH_TERMS} words")
    return terms


def as_match(terms: list[Term]) -> str:
    """Give the terms in the language of the index, every word quoted: nothing of a text acts in it."""
    return " ".join(
        '"' + " ".join(term.words).replace('"', '""') + ('"' if term.is_whole else '"*')
        for term in terms
    )


def hits(text: str, terms: list[Term]) -> list[tuple[int, int]]:
    """Give where terms stand in a text, (start, end) in characters, in their order, none in another."""
    found: list[tuple[int, int]] = []
    standing = list(words(text))
    for number, word in enumerate(standing):
        ends = [_end(standing, number, term) for term in terms]
        end = max(ends)
        if end and not (found and found[-1][1] > word.start):
            found.append((word.start, end))
    return found


def _end(standing: list[Word], number: int, term: Term) -> int:
    """Give where a term ends that begins with a word; 0 if it does not."""
    last = number + len(term.words) - 1
    if last >= len(standing):
        return 0
    for place, wanted in enumerate(term.words[:-1]):
        if standing[number + place].folded != wanted:
            return 0
    there, wanted = standing[last].folded, term.words[-1]
    is_there = there == wanted if term.is_whole else there.startswith(wanted)
    return standing[last].end if is_there else 0


def _word(text: str, start: int, end: int) -> Iterator[Word]:
    folded = _fold(text[start:end])
    if folded:
        yield Word(folded, start, end)


@lru_cache(maxsize=4096)
def _fold(raw: str) -> str:
    """Fold one word; a compatibility form may hide a blank, which would make two of it."""
    apart = unicodedata.normalize("NFKD", raw)
    kept = "".join(one for one in apart if not _is_in(one, _DROPPED) and not _is_unseen(one))
    whole = unicodedata.normalize("NFC", kept).casefold()
    return "".join(whole.split())


@lru_cache(maxsize=8192)
def _kind(character: str) -> _Kind:
    if character in _HALFWIDTH_MARKS:
        return _Kind.MARK
    if _is_unseen(character):
        return _Kind.UNSEEN
    category = unicodedata.category(character)
    if category[0] == "M":
        return _Kind.MARK
    if category == "So" or (category[0] in "LN" and _is_in(character, _UNSPACED)):
        return _Kind.ALONE
    return _Kind.LETTER if category[0] in "LN" else _Kind.OTHER


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) == "Cf"


def _is_in(character: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    code = ord(character)
    return any(first <= code <= last for first, last in ranges)
