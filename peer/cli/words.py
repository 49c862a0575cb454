"""The words of a message as people see them: in style on a terminal with colour, as they were written elsewhere.

Each piece goes through `clean`, also on its way into a style: nothing in a message can end one or begin another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from peer.cli.plain import Item, clean, clean_block, coloured, local_time

if TYPE_CHECKING:
    from peer.markup import Block, Span

LINES_MOST = 500
"""Of one message; the rest is counted, and given whole by --json and exports."""


def body(item: Item, indent: str, *, has_colour: bool) -> str:
    """Give what stands behind the name in a message's line, and below it."""
    if item.get("gone"):
        text = coloured(f"-- {clean(item['gone'])} --", "dim", has_colour=has_colour)
    else:
        text = drawn(str(item["text"]), indent, has_colour=has_colour)
    return f"{_before(item, indent)}{text}{_behind(item, indent)}"


def drawn(text: str, indent: str, *, has_colour: bool) -> str:
    """Give a message's text; each line but the first is indented, so that none can pose as ours."""
    if not has_colour:
        return _bounded(clean_block(text, indent).split("\n"), indent)
    from peer.markup import parse  # pipes do without it

    lines = [line for block in parse(text) for line in _lines(block)]
    first, *rest = lines or [""]
    return _bounded([first, *(f"{indent}{line}" for line in rest)], indent)


def _bounded(lines: list[str], indent: str) -> str:
    more = len(lines) - LINES_MOST
    if more > 0:
        lines = [*lines[:LINES_MOST], f"{indent}-- {more} more lines: see --json --"]
    return "\n".join(lines)


def _lines(block: Block) -> Iterable[str]:
    mark = {"quote": "> ", "code": "  "}.get(block.kind, "")
    for line in block.lines:
        yield mark + "".join(map(_span, line))


def _span(span: Span) -> str:
    styles = [
        code
        for code, is_on in (
            ("1", span.is_bold),
            ("3", span.is_italic),
            ("36", span.is_code),
            ("4", span.link is not None),
        )
        if is_on
    ]
    shown = clean(span.text)
    styled = f"\x1b[{';'.join(styles)}m{shown}\x1b[0m" if styles else shown
    is_named = span.link is not None and span.link != span.text
    return f"{styled} ({clean(span.link)})" if is_named else styled


def _before(item: Item, indent: str) -> str:
    """Give what stands before a message's words: what it answers, and whose words they are."""
    said = ""
    quote = item.get("quote")
    if isinstance(quote, Mapping):
        words = clean(quote["text"]) or "deleted"
        said += f"> {clean(quote['from'])}: {words}\n{indent}"
    if item.get("forwarded_from"):
        said += f"[from {clean(item['forwarded_from'])}] "
    return said


def _behind(item: Item, indent: str) -> str:
    """Give what stands behind a message's words: what became of it, and what others put to it."""
    marks = []
    if item.get("edited"):
        marks.append("edited")
    if item.get("forked"):
        marks.append("its device wrote something else in this place, too")
    if item.get("pinned"):
        marks.append("pinned")
    said = "".join(f" ({mark})" for mark in marks)
    if item.get("state"):
        said += f"  ({clean(item['state'])})"
    reactions = item.get("reactions")
    if isinstance(reactions, Sequence) and reactions:
        given = (
            f"{clean(one['mark'])} {', '.join(clean(name) for name in one['from'])}"
            for one in reactions
        )
        said += f"\n{indent}{'  '.join(given)}"
    versions = item.get("versions")
    if isinstance(versions, Sequence):
        for one in versions[:-1]:
            text = clean_block(one["text"], f"{indent}  ")
            said += f"\n{indent}- before, {local_time(one['at'])}: {text}"
    return said
