"""Text made fit for a terminal: what came from others made harmless, colours, durations, sizes and columns.

`clean` and `clean_block` are the only way from a peer's text to stdout: control characters, escape sequences and
the marks that turn writing around show as what they are, and no letter carries more than a few accents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from peer.sizes import bytes_text

Item = Mapping[str, object]

_MARKS_MOST = (
    4  # combining marks on one letter; no living script needs more, a prankster uses hundreds
)
_TURNING = {0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_UNSEEN = {
    0x200B,
    *range(0x2060, 0x2066),
    0x2028,
    0x2029,
    0xFEFF,
    0xFFF9,
    0xFFFA,
    0xFFFB,
    *range(0xE0000, 0xE0080),
}
_ESCAPE = re.compile("\x1b\\[[0-9;]*m")
_COLOURS = {
    "available": "32",
    "away": "33",
    "busy": "31",
    "error": "31",
    "dim": "2",
    "name": "36",
    "bold": "1",
}


def clean(text: object) -> str:
    """Give one line of text that does nothing to a terminal but show."""
    return _clean(str(text), keep="")


def clean_block(text: object, indent: str) -> str:
    """Give text that may have lines of its own: each but the first is indented, so none can pose as ours."""
    return f"\n{indent}".join(_clean(line, keep="\t") for line in str(text).split("\n"))


def _clean(text: str, keep: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        category = unicodedata.category(character)
        if category in {"Mn", "Me"}:
            marks += 1
            if marks > _MARKS_MOST:
                continue
        else:
            marks = 0
        shown.append(character if character in keep else _shown(character, category))
    return "".join(shown)


def _shown(character: str, category: str) -> str:
    code = ord(character)
    if category in {"Cc", "Cs", "Co"} or code in _TURNING or code in _UNSEEN:
        return (
            f"\\x{code:02x}"
            if code < 0x100
            else f"\\u{code:04x}"
            if code < 0x10000
            else f"\\U{code:08x}"
        )
    return character


def coloured(text: str, kind: str, *, has_colour: bool) -> str:
    """Give the text in the colour of its kind, if there is colour."""
    return f"\x1b[{_COLOURS[kind]}m{text}\x1b[0m" if has_colour and kind in _COLOURS else text


# --- figures ---------------------------------------------------------------------------------------


def seconds_text(seconds: float) -> str:
    """Give a duration for people: `9 s`, `4 min`, `3 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return (
            f"{whole // 60} min {whole % 60} s"
            if whole < 600 and whole % 60
            else f"{whole // 60} min"
        )
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def local_time(at: object) -> str:
    """Give an RFC 3339 instant as this machine's local time, to the minute; a label, as all wall times."""
    from datetime import datetime

    try:
        return datetime.fromisoformat(str(at)).astimezone().strftime("%Y-%m-%d %H:%M")
    except (ValueError, OverflowError):
        return clean(at)


def grouped(fingerprint: object) -> str:
    """Give a hex fingerprint in groups of four, easier to read aloud."""
    text = clean(fingerprint)
    return " ".join(text[i : i + 4] for i in range(0, len(text), 4))


def columns(rows: Iterable[tuple[str, ...]]) -> str:
    """Give rows as aligned columns."""
    table = list(rows)
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)] if table else []
    lines = (
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines)


def _width(cell: str) -> int:
    return len(_ESCAPE.sub("", cell))


def number_of(value: object) -> float:
    """Give a figure of an item."""
    return float(str(value))


def size_text(value: object) -> str:
    """Say an item's bytes as people read them."""
    return bytes_text(number_of(value))
