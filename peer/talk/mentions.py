"""Mentions: whether a text names an account as @NAME."""

from __future__ import annotations

import re

_MENTION = re.compile(r"(?<![\w@.+-])@([A-Za-z][A-Za-z0-9._-]*)")


def mentions(text: str, name: str) -> bool:
    """Say whether a text names an account; dots and dashes behind the name end a sentence, not the name.

    name: folded, as `wire.ids.account_name` gives it.
    """
    if "@" not in text:
        return False
    return any(_is_name(found.lower(), name) for found in _MENTION.findall(text))


def _is_name(found: str, name: str) -> bool:
    return found.startswith(name) and not found[len(name) :].strip("._-")
