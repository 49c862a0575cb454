"""Targets about texts that people write: marks in messages, words that are looked for, settings."""

from __future__ import annotations

import re
import sqlite3
from functools import cache
from html.parser import HTMLParser

from peer import markup
from peer.cli import quantities as typed
from peer.cli.exit_codes import Misuse
from peer.errors import PeerError
from peer.history import words
from peer.settings import quantities
from peer.settings.preferences import KEYS
from peer.talk.mentions import mentions
from peer.transfers.verdicts import all_match
from tests.fuzz.target import Finding, Shape, Target, check
from wire.codes import Code

_CHARS = 1500
_TAGS = frozenset({"p", "br", "blockquote", "pre", "code", "a", "em", "strong"})
_MARKS = re.compile(r"[*_`>\[\]()\n \ufeff]")


# --- marks


class _Page(HTMLParser):
    """Reads HTML as a browser would, and lets nothing pass that a message has no need of."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at one element."""
        check(tag in _TAGS, f"a message makes an element {tag}")
        named = dict(attrs)
        if tag == "a":
            target = named.pop("href") or ""
            check(re.match("https?://", target, re.IGNORECASE), "a link that leads elsewhere")
            check(named.pop("rel") and named.pop("referrerpolicy"), "a link that tells of us")
        check(not named, f"an element has {sorted(named)}")

    def handle_comment(self, data: str) -> None:
        """A message makes none."""
        raise Finding(f"a comment {data!r}")

    def handle_decl(self, decl: str) -> None:
        """A message makes none."""
        raise Finding(f"a declaration {decl!r}")

    def handle_pi(self, data: str) -> None:
        """A message makes none."""
        raise Finding(f"an instruction {data!r}")


def read_marks(data: bytes) -> None:
    """Parse any text as a message: nothing is lost but marks, links lead to http alone, HTML stays tame."""
    text = data.decode("utf-8", "replace")[:_CHARS]
    shown: list[str] = []
    for block in markup.parse(text):
        check(block.kind in ("text", "quote", "code"), "a block of no kind")
        for line in block.lines:
            for span in line:
                check(span.link is None or markup.is_target(span.link), "a link that is none")
                shown.append(markup.words_of(span) if span.link is None else span.text)
                shown.append(span.link if span.link not in (None, span.text) else "")
    said = _MARKS.sub("", "".join(shown))
    whole = _MARKS.sub("", text)
    check(len(said) <= len(whole), "words come out of nothing")
    check(set(said) <= set(whole), "a character comes out of nothing")
    page = _Page(convert_charrefs=True)
    page.feed(markup.as_html(text))
    page.close()
    for name in ("alice", "bob.b"):
        check(not mentions(text, name) or name in text.lower(), "a name that is not there")


def _messages() -> list[bytes]:
    return [
        text.encode()
        for text in (
            "**bold** and *italic*, _so_ `code *not*`",
            "> quoted **so\n> on**\n```\ncode <b>\n```\nafter",
            "[words](https://example.org/a_(b)?c=d#e) https://example.org/x). http://[::1]:80/",
            "[x](javascript:alert(1)) <img src=x onerror=y> &lt; @alice, @bob.b... a@alice.example",
            "*****_*a_*__ ``` `` ` [](http://) [[a]](https://a) https://user:word@host/ HTTPS://A",
            "```\n```\n```\n>>> a\n>\n> https://xn--a.example:99999/\"'",
        )
    ]


# --- words that are looked for


@cache
def _index() -> sqlite3.Connection:
    """An index like that of the database, of a few texts."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE found USING fts5(folded, tokenize='ascii')")
    return connection


def look_for(data: bytes) -> None:
    """Index one text (up to the first NUL) and look for another in it, and for its own words."""
    head, _, rest = data.decode("utf-8", "surrogateescape").partition("\0")
    text, query = head[:_CHARS], rest[:_CHARS]
    last = 0
    for word in words.words(text):
        check(last <= word.start < word.end <= len(text), "words overlap")
        check(word.folded and not word.folded.split()[1:], "one word is two")
        last = word.end
    index = _index()
    index.execute("SAVEPOINT fuzz")
    try:
        folded = words.fold(text).encode("utf-8", "replace").decode()
        index.execute("INSERT INTO found (folded) VALUES (?)", (folded,))
        for sought in (query, text[:300]):
            try:
                terms = words.read_terms(sought)
            except PeerError as error:
                check(error.code in (Code.TEXT_LENGTH, Code.SEARCH_EMPTY), f"{error.code}")
                continue
            match = words.as_match(terms).encode("utf-8", "replace").decode()
            rows = index.execute(
                "SELECT rowid FROM found WHERE folded MATCH ?", (match,)
            ).fetchall()
            places = words.hits(text, terms)
            check(sought is query or rows, "a text does not find itself")
            check(not rows or places, "it is found, and nowhere")
            check(all(0 <= at < end <= len(text) for at, end in places), "found outside")
    finally:
        index.execute("ROLLBACK TO fuzz")
        index.execute("RELEASE fuzz")


def _searches() -> list[bytes]:
    return [
        text.encode()
        for text in (
            'Der Käse, die Straße ǅ\0kase "die strasse"',
            "漢字かな交じり文 ｶﾞ 안녕 ไทย\0漢字 かな",
            'a NEAR(b) col:c -d * "e\0near(b) OR "a b" col:c* ^x',
            "e\u0301\u200dx \U0001f469\u200d\U0001f4bb1\ufe0f\u20e3 ﬁ ½ ①\0fi 1",
            "x\0" + "a " * 33,
        )
    ]


# --- settings and options


def read_values(data: bytes) -> None:
    """Read a text as the value of every setting, as a verb's option, and as patterns of names."""
    text = data.decode("utf-8", "surrogateescape")
    for key in KEYS.values():
        try:
            one = key.read(text)
        except ValueError:
            continue
        check(key.read(one) == one, f"a value of {key.name} has two spellings")
    try:
        found = quantities.spans(text)
    except ValueError:
        found = []
    for minute in (0, 479, 480, 1439):
        check(sum(span.holds(minute) for span in found) <= 1, "two limits at one minute")
    for read in (typed.duration, typed.count, typed.host_and_port):
        try:
            check(read(text) is not None, "nothing was read")
        except Misuse:
            continue
    all_match([text, "a/b.jpg"], text)


def _values() -> list[bytes]:
    texts = (
        *(
            "off",
            "on",
            "auto",
            "10MB/s",
            "1.5 GiB",
            "0/s",
            "*.jpg,*.[pP]ng",
            "90d",
            "1.5h",
            "2147483648",
        ),
        "08:00-18:00 up 1MB/s down 5MB/s, 22:00-06:00 up off",
        "/usr/bin/notify-send 'a b' \"c\"",
        "[::1]:0",
        "/srv/in",
    )
    return [text.encode() for text in texts]


def targets() -> list[Target]:
    """Give the targets of this module."""
    return [
        Target("marks", read_marks, _messages, Shape.TEXT, most_bytes=1500),
        Target("searched", look_for, _searches, Shape.TEXT, most_bytes=1500),
        Target("values", read_values, _values, Shape.TEXT, most_bytes=600),
    ]
