"""The safe piece of Markdown that messages may have, for every face: parsed here, drawn by them.

    **bold**   *italic* or _italic_   `code`   [words](https://...)   https://...
    > a quotation, line by line
    ``` a block of code, until another such line ```

Everything else is text as it stands: no images, no HTML, no headings, nothing that fetches. A link is http or https, in
ASCII, without a name before the host, and its target is always shown. Parsing takes time in proportion to the text,
whatever it is. Control characters are not made harmless here: that is for whoever draws.

Own code, as a library for all of CommonMark would have to be kept from most of what it does, at every verb's start.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from itertools import groupby

from msgspec import Struct
from msgspec.structs import replace


class Span(Struct, frozen=True):
    """A run of text in one style. link: where it leads, None for nowhere."""

    text: str
    is_bold: bool = False
    is_italic: bool = False
    is_code: bool = False
    link: str | None = None


Line = tuple[Span, ...]


class Block(Struct, frozen=True):
    """Lines that belong together. kind: `text`, `quote` or `code`."""

    kind: str
    lines: tuple[Line, ...]


URL_CHARS = 2000
_FENCE = "```"
_ATOM = re.compile(
    r"`(?P<code>[^`]+)`"
    rf"|\[(?P<words>[^\[\]]{{1,200}})\]\((?P<target>https?://[!-'*-~]{{1,{URL_CHARS}}})\)"
    rf"|(?<![\w/])(?P<bare>https?://[^\s<>\"`]{{1,{URL_CHARS}}})",
    re.IGNORECASE,
)
_TARGET = re.compile(
    r"https?://(?:[a-z0-9](?:[a-z0-9.-]{0,252}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::[0-9]{1,5})?(?:[/?#][!-~]*)?\Z",
    re.IGNORECASE,
)
_BEHIND_A_LINK = ".,;:!?'\"*_~>"
_STYLE = re.compile(r"\*\*|\*|_")
_EDGE = "\0"  # stands for a link or code beside a mark: neither a space nor part of a word


def parse(text: str) -> tuple[Block, ...]:
    """Give the blocks of a message, and in them the words without the marks that were understood."""
    return tuple(
        Block(kind, tuple(line for _, _, line in lines))
        for (kind, _), lines in groupby(_lines(text), key=lambda line: line[:2])
    )


def is_target(url: str) -> bool:
    """Say whether an address may be a link: http or https, a host in ASCII and nothing before it."""
    return len(url) <= URL_CHARS and _TARGET.match(url) is not None


def words_of(span: Span) -> str:
    """Give what a span shows: a link whose words are not its target has that behind them."""
    if span.link is None or span.link == span.text:
        return span.text
    return f"{span.text} ({span.link})"


def as_html(text: str) -> str:
    """Give a message as HTML that is safe inside any element; its links tell where they lead, and nothing of this page."""
    return "".join(map(_block_html, parse(text)))


# --- lines


def _lines(text: str) -> Iterator[tuple[str, int, Line]]:
    """Give (kind, number of the code block or 0, spans) of each line that shows."""
    lines = text.split("\n")
    fences = [at for at, line in enumerate(lines) if line.startswith(_FENCE)]
    if len(fences) % 2:
        fences.pop()  # the last one opens nothing
    opening, closing = set(fences[::2]), set(fences[1::2])
    code = number = 0
    for at, line in enumerate(lines):
        if at in opening:
            number += 1
            code = number
            if at + 1 in closing:
                yield "code", code, ()
        elif at in closing:
            code = 0
        elif code:
            yield "code", code, (Span(line, is_code=True),)
        elif line.startswith(">"):
            yield "quote", 0, _inline(line[1:].removeprefix(" "))
        else:
            yield "text", 0, _inline(line)


# --- within a line


def _inline(line: str) -> Line:
    """Give the spans of a line: code, in which nothing else counts, links, and styles over all of them."""
    return tuple(_styled(list(_atoms(line))))


def _atoms(line: str) -> Iterator[Span]:
    """Cut a line into code, links and the text between."""
    at = 0
    for match in _ATOM.finditer(line):
        end, span = match.end(), _atom(match)
        if span is None:
            continue  # looks like a link and is none: text
        if match["bare"]:
            end = match.start() + len(span.text)
        if match.start() > at:
            yield Span(line[at : match.start()])
        yield span
        at = end
    if at < len(line):
        yield Span(line[at:])


def _atom(match: re.Match[str]) -> Span | None:
    if match["code"]:
        return Span(match["code"], is_code=True)
    if match["target"]:
        target = match["target"]
        return Span(match["words"], link=target) if is_target(target) else None
    url = match["bare"].rstrip(_BEHIND_A_LINK)
    while url.endswith((")", "]", "}")) and url.count("(") + url.count("[") + url.count("{") == 0:
        url = url[:-1].rstrip(_BEHIND_A_LINK)
    return Span(url, link=url) if is_target(url) else None


class _Mark(Struct, frozen=True):
    """One mark of a style: in which atom, from where to where."""

    atom: int
    start: int
    end: int
    style: str


def _styled(atoms: list[Span]) -> Iterator[Span]:
    """Put the styles on, and leave their marks out."""
    flips: dict[int, list[_Mark]] = {}
    for mark in _paired(atoms):
        flips.setdefault(mark.atom, []).append(mark)
    is_bold = is_italic = False
    for number, atom in enumerate(atoms):
        at = 0
        for mark in sorted(flips.get(number, ()), key=lambda mark: mark.start):
            if mark.start > at:
                yield Span(atom.text[at : mark.start], is_bold, is_italic)
            if mark.style == "**":
                is_bold = not is_bold
            else:
                is_italic = not is_italic
            at = mark.end
        if at < len(atom.text):
            yield replace(atom, text=atom.text[at:], is_bold=is_bold, is_italic=is_italic)


def _paired(atoms: list[Span]) -> Iterator[_Mark]:
    """Give the marks that have another one of their style to begin or end with."""
    opened: dict[str, _Mark] = {}
    is_italic_by: str | None = None
    for number, atom in enumerate(atoms):
        if atom.is_code or atom.link is not None:
            continue
        for match in _STYLE.finditer(atom.text):
            mark = _Mark(number, match.start(), match.end(), match[0])
            before, behind = _beside(atoms, mark)
            first = opened.get(mark.style)
            if first is not None and before and not before.isspace() and not _is_word(behind):
                if (first.atom, first.end) != (mark.atom, mark.start):
                    yield first
                    yield mark
                    del opened[mark.style]
                    is_italic_by = None if mark.style != "**" else is_italic_by
            elif behind and not behind.isspace() and not _is_word(before) and first is None:
                if mark.style != "**" and is_italic_by is not None:
                    continue  # the other sign of the same style inside it
                opened[mark.style] = mark
                is_italic_by = is_italic_by if mark.style == "**" else mark.style


def _beside(atoms: list[Span], mark: _Mark) -> tuple[str, str]:
    """Give the characters before and behind a mark; empty where the line begins or ends."""
    text = atoms[mark.atom].text
    before = text[mark.start - 1] if mark.start else (_EDGE if mark.atom else "")
    behind = text[mark.end] if mark.end < len(text) else ""
    if not behind and mark.atom + 1 < len(atoms):
        behind = _EDGE
    return before, behind


def _is_word(character: str) -> bool:
    return character.isalnum()


# --- HTML


def _block_html(block: Block) -> str:
    if block.kind == "code":
        text = "\n".join("".join(html.escape(span.text) for span in line) for line in block.lines)
        return f"<pre><code>{text}</code></pre>"
    body = "<br>".join("".join(map(_span_html, line)) for line in block.lines)
    return f"<blockquote>{body}</blockquote>" if block.kind == "quote" else f"<p>{body}</p>"


def _span_html(span: Span) -> str:
    shown = html.escape(span.text)
    if span.is_code:
        return f"<code>{shown}</code>"
    if span.link is not None:
        target = html.escape(span.link)
        rel = 'rel="noopener noreferrer nofollow" referrerpolicy="no-referrer"'
        shown = f'<a href="{target}" {rel}>{shown}</a>'
        shown += "" if span.text == span.link else f" ({target})"
    shown = f"<em>{shown}</em>" if span.is_italic else shown
    return f"<strong>{shown}</strong>" if span.is_bold else shown
