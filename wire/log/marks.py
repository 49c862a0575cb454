"""Marks of reactions: one emoji, by ranges that stand here and not by tables that differ from release to release.

    mark      part, or up to eight joined by U+200D                           (a family, a profession)
    part      sign, then U+FE0F or U+FE0E or none, then a skin tone or none
              two regional indicators                                         (a flag)
              U+1F3F4, then tag characters up to U+E007F                      (a flag of a region)
              one of 0-9 # *, then U+FE0F or none, then U+20E3                (a keycap)
    sign      a code point of the ranges below, which leave room for the emoji of years to come

Everybody has to judge a mark alike, for what is none is void.
"""

from __future__ import annotations

import re

from wire import limits

_SIGN = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u24c2\u25a0-\u27bf\u2900-\u297f"
    "\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001f1e5\U0001f200-\U0001faff]"
)
_PART = (
    "(?:[\U0001f1e6-\U0001f1ff]{2}"
    "|\U0001f3f4[\U000e0020-\U000e007e]{1,8}\U000e007f"
    "|[0-9#*]\ufe0f?\u20e3"
    f"|{_SIGN}[\ufe0e\ufe0f]?[\U0001f3fb-\U0001f3ff]?)"
)
_MARK = re.compile(f"{_PART}(?:\u200d{_PART}){{0,7}}\\Z")


def is_mark(text: str) -> bool:
    """Say whether a text is one emoji, and so a mark; the empty one, which takes a mark back, is none."""
    return len(text) <= limits.MARK_CHARS and _MARK.match(text) is not None
