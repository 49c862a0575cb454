"""The safe piece of Markdown: what it understands, what stays text, and that no text makes it slow or unsafe."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.markup import Span, as_html, is_target, parse, words_of

PIECES = st.sampled_from(
    ["**", "*", "_", "`", "```", "[", "](", ")", "https://a.org/x", "http://b.org", "javascript:x",
     ">", "\n", " ", "a", "b", "<script>", '"', "'", "&", "\x1b[0m", "\u202e", "\u0301", "@"]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=40).map("".join) | st.text()


def flat(text: str) -> list[tuple[str, str]]:
    """Give (words, styles) of all spans of a text of one block."""
    [block] = parse(text)
    return [
        (
            span.text,
            "b" * span.is_bold + "i" * span.is_italic + "c" * span.is_code + "l" * bool(span.link),
        )
        for line in block.lines
        for span in line
    ]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("plain", [("plain", "")]),
        ("**bold** x", [("bold", "b"), (" x", "")]),
        ("*it* _it_", [("it", "i"), (" ", ""), ("it", "i")]),
        ("***both***", [("both", "bi")]),
        ("**a *b* c**", [("a ", "b"), ("b", "bi"), (" c", "b")]),
        ("`**not**`", [("**not**", "c")]),
        ("**`x`**", [("x", "bc")]),
        ("**[x](https://a.org)**", [("x", "bl")]),
        ("snake_case_name", [("snake_case_name", "")]),
        ("2*3*4", [("2*3*4", "")]),
        ("* a list *", [("* a list *", "")]),
        ("**open", [("**open", "")]),
        ("****", [("****", "")]),
        ("`open", [("`open", "")]),
        ("``", [("``", "")]),
        ("# no heading", [("# no heading", "")]),
        ("![no](https://a.org/i.png)", [("!", ""), ("no", "l")]),
    ],
)
def test_styles_are_understood_and_what_is_none_stays_text(
    text: str, spans: list[tuple[str, str]]
) -> None:
    assert flat(text) == spans


@pytest.mark.parametrize(
    ("text", "target", "words"),
    [
        ("https://a.org/x?y=1#z", "https://a.org/x?y=1#z", "https://a.org/x?y=1#z"),
        ("see https://a.org/x.", "https://a.org/x", "https://a.org/x"),
        ("(https://a.org/x)", "https://a.org/x", "https://a.org/x"),
        ("https://a.org/x_(y)", "https://a.org/x_(y)", "https://a.org/x_(y)"),
        ("[bank](http://evil.org)", "http://evil.org", "bank (http://evil.org)"),
        (
            "[https://bank.org](https://evil.org)",
            "https://evil.org",
            "https://bank.org (https://evil.org)",
        ),
        ("http://[::1]:8080/", "http://[::1]:8080/", "http://[::1]:8080/"),
    ],
)
def test_a_link_shows_where_it_leads(text: str, target: str, words: str) -> None:
    [link] = [span for block in parse(text) for line in block.lines for span in line if span.link]
    assert link.link == target
    assert words_of(link) == words


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,hi)",
        "[x](file:///etc/passwd)",
        "[x](//a.org)",
        "[x](https://)",
        "https://bank.org@evil.org/",
        "[x](https://user:pass@evil.org)",
        "https://b\u0430nk.org/",
        "https://a.org/stra\u00dfe",
        "https://a.org:99999999/",
        "<a href=https:>",
    ],
)
def test_what_may_not_be_a_link_stays_text(text: str) -> None:
    spans = [span for block in parse(text) for line in block.lines for span in line]
    assert not any(span.link for span in spans)
    assert "".join(word for word, _ in flat(text)) == text


def test_blocks_are_told_apart() -> None:
    blocks = parse("> q1\n>q2\ntext\n```py\n> **c**\n\n```\n```\nd\n```\nend\n```open")
    assert [(block.kind, len(block.lines)) for block in blocks] == [
        ("quote", 2), ("text", 1), ("code", 2), ("code", 1), ("text", 2)
    ]  # fmt: skip
    assert blocks[2].lines[0] == (Span("> **c**", is_code=True),)


@pytest.mark.parametrize("url", ["", "ftp://a.org", "https://-", "https://a b", "https://a.org\n"])
def test_strange_addresses_are_no_targets(url: str) -> None:
    assert not is_target(url)


@given(TEXTS)
def test_nothing_is_added_to_a_text_and_its_links_are_targets(text: str) -> None:
    shown = ""
    for block in parse(text):
        for line in block.lines:
            for span in line:
                shown += span.text
                assert span.link is None or is_target(span.link)
    rest = iter(text)
    assert all(character in rest for character in shown)  # in their order, marks left out


class Tags(HTMLParser):
    """Notes what elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert {name for name, _ in attrs} <= {"href", "rel", "referrerpolicy"}
        for name, value in attrs:
            assert name != "href" or (
                value is not None and re.match(r"https?://", value, re.IGNORECASE)
            )
        self.seen.add(tag)


@given(TEXTS)
def test_html_of_any_text_has_these_elements_and_no_others(text: str) -> None:
    tags = Tags()
    tags.feed(as_html(text))
    tags.close()
    assert tags.seen <= {"p", "blockquote", "pre", "code", "strong", "em", "a", "br"}


@pytest.mark.parametrize(
    "piece",
    ["*", "**a", "_a", "[", "[a", "[a](https://", "`", "`a", "https://", "https://a.b/)", "> \n", "```\n", "\n"],
)  # fmt: skip
def test_64_kib_of_anything_take_a_moment(piece: str) -> None:
    text = (piece * 65536)[:65536]
    begun = time.process_time()
    parse(text)
    assert (
        time.process_time() - begun < 3
    )  # hundredths of it on a quiet machine; seconds would be quadratic
