"""Ids as people shorten them: a unique beginning of at least 8 hex digits."""

from __future__ import annotations

from peer.errors import PeerError
from wire.codes import Code

LEAST = 8


def read_prefix(text: str, code: Code) -> str:
    """Give what a person typed as lower-case hex; raises PeerError(code) for what is no beginning of an id."""
    folded = text.lower()
    if len(folded) < LEAST or any(char not in "0123456789abcdef" for char in folded):
        raise PeerError(code, f"{text[:70]!r} is no id of 8 or more hex digits")
    return folded
