"""Results as lines for people; and what came from others made harmless before a terminal sees it.

Every function takes the JSON fields of a result and gives text without a final newline. `clean` and
`clean_block` are the only way from a peer's text to stdout: control characters, escape sequences and
the marks that turn writing around show as what they are, and no letter carries more than a few accents.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from peer.sizes import bytes_text, count_text

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


# --- results ---------------------------------------------------------------------------------------


def account_made(item: Item) -> str:
    """Render an AccountMade."""
    where = f" at {clean(item['tracker'])}" if item["tracker"] else ", not known to any tracker yet"
    lines = [f"{clean(item['account'])}{where}", f"fingerprint  {grouped(item['fingerprint'])}"]
    if item["last_changed"]:
        at = local_time(item["last_changed"])
        lines.append(f"last changed {at}; if you changed it later, the tracker shows old things")
    if item["trouble"]:
        lines.append(f"friends and settings did not come along: {clean(item['trouble'])}")
    return "\n".join(lines)


def message(item: Item, *, with_conversation: bool, has_colour: bool) -> str:
    """Render a Message, a gap mark or a notice."""
    at = local_time(item["at"]) + (" (its clock is off)" if item.get("clock_off") else "")
    where = f"[{clean(item['to'])}] " if with_conversation else ""
    head = f"{coloured(at, 'dim', has_colour=has_colour)}  {where}"
    if item["kind"] != "message":
        return f"{head}-- {clean(item['text']) or 'something is missing here'} --"
    name = coloured(clean(item["from"]), "name", has_colour=has_colour)
    indent = " " * (len(at) + 2)
    from peer.cli.words import body  # which draws with what stands here

    return f"{head}{name}: {body(item, indent, has_colour=has_colour)}"


def friend(item: Item, *, has_colour: bool) -> tuple[str, ...]:
    """Give the columns of a Friend."""
    presence = str(item["presence"])
    seen = item.get("last_seen")
    since = f"last seen {local_time(seen)}" if seen and presence == "offline" else ""
    unread = f"{item['unread']} unread" if item.get("unread") else ""
    said = " - ".join(part for part in (clean(item["text"]), since, unread) if part)
    verified = "verified" if item["verified"] else "not verified"
    if item.get("key_changed"):
        verified = coloured("KEY CHANGED", "error", has_colour=has_colour)
    dot = coloured(presence.ljust(9), presence, has_colour=has_colour)
    return clean(item["friend"]), dot, verified, count_text(item["devices"], "device"), said


def friend_request(item: Item) -> str:
    """Render a FriendRequest."""
    name = clean(item["friend"])
    note = f': "{clean(item["note"])}"' if item["note"] else ""
    if item["direction"] == "out":
        return f"you asked {name} ({local_time(item['at'])}){note}"
    if item.get("key_changed"):
        return (
            f"{name} asks you ({local_time(item['at'])}){note}\n  KEY CHANGED: this is not the key that"
            f" {name} had; compare fingerprints, then: hobnob friend accept-key {name} FINGERPRINT"
            f"\n  fingerprint  {grouped(item['fingerprint'])}"
        )
    print_ = f"\n  fingerprint  {grouped(item['fingerprint'])}" if item["fingerprint"] else ""
    return (
        f"{name} asks you ({local_time(item['at'])}){note}{print_}\n  hobnob friend accept {name}"
    )


def offer(item: Item) -> str:
    """Render an Offer."""
    way = "from" if item["direction"] == "in" else "to"
    what = f"{count_text(item['files'], 'file')}, {size_text(item['bytes'])}"
    return (
        f"{clean(item['offer'])[:12]}  {item['state']:<9}  {way} {clean(item['friend'])}"
        f"  {clean(item['name'])}  ({what})"
    )


def number_of(value: object) -> float:
    """Give a figure of an item."""
    return float(str(value))


def size_text(value: object) -> str:
    """Say an item's bytes as people read them."""
    return bytes_text(number_of(value))


def setting(item: Item) -> str:
    """Render a Setting as one line."""
    whom = f" for {clean(item['friend'])}" if item["friend"] else ""
    return f"{clean(item['key'])} is {clean(item['value'])}{whom}"


def setting_row(item: Item) -> tuple[str, ...]:
    """Give the columns of a Setting."""
    whom = f"for {clean(item['friend'])}" if item["friend"] else ""
    is_default = item["value"] == item["default"]
    note = "" if is_default else f"default {clean(item['default'])}"
    return clean(item["key"]), clean(item["value"]), whom or note, clean(item["help"])


def accept_policy(item: Item) -> str:
    """Render an AcceptPolicy as one line."""
    who = clean(item["friend"]) if item["friend"] else "everybody"
    said = {
        "ask": f"offers of {who} wait for your answer",
        "auto": f"offers of {who} are taken without asking",
        "never": f"offers of {who} are refused without asking",
    }[str(item["policy"])]
    bounds = []
    if item["max_size"] != "off":
        bounds.append(f"up to {clean(item['max_size'])}")
    if item["types"] != "off":
        bounds.append(f"if all files match {clean(item['types'])}")
    return ", ".join([said, *bounds])


def link(item: Item) -> str:
    """Render one link of Status."""
    parts = [f"  {clean(item['friend'])}: {clean(item['path'])}"]
    if item["rtt_ms"] is not None:
        parts.append(f"{float(str(item['rtt_ms'])):.1f} ms")
    if item["why_not_better"]:
        parts.append(clean(item["why_not_better"]))
    return ", ".join(parts)


def event(item: Item) -> str:
    """Render an event that has no form of its own: its kind, then its fields that say something."""
    said = (
        f"{name} {clean(value)}"
        for name, value in item.items()
        if name != "event" and value not in ("", None)
    )
    return f"{clean(item['event'])}: {', '.join(said)}"
