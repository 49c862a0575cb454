"""Whose side it is on that a transfer ended, and what to do about it there: each end reads its own words.

A code says what happened; the same code asks different things of who offers and of who receives.
"""

from __future__ import annotations

from wire.codes import Code, code_of

AT_SOURCE = {
    Code.CHANGED_AT_SENDER: "it changed here after it was offered",
    Code.NO_SUCH_FILE: "it is not here any more",
    Code.FILE_UNREADABLE: "it cannot be read here",
}
"""What only who offers can mend, as they read it."""

_GOES_ON = {Code.NO_SPACE: "free some space; the transfer goes on by itself"}
"""What to do about what is begun and waits for that."""

_OF_BOTH = frozenset({Code.NOT_FRIENDS, Code.BLOCKED, Code.KEY_CHANGED})
"""What became of the friendship: the words are the same at both ends."""

_ASK = "ask {friend} to offer it again"
_DECIDED = {
    Code.CANCELLED: (
        ("{friend} called it off", "offer it again if that was a mistake"),
        ("it was called off here", _ASK),
    ),
    Code.DECLINED: (
        ("{friend} declined the offer", "nothing to do; offer it again if that was a mistake"),
        ("the offer was declined here", _ASK),
    ),
    Code.OFFER_WITHDRAWN: (
        ("the offer was taken back here", "offer it again"),
        ("{friend} took the offer back", _ASK),
    ),
}
"""What a person decided: what happened and what to do, for who offers and for who receives."""


def error_of(code: str, detail: str | None, *, is_out: bool, friend: str) -> dict[str, str]:
    """Give the error of a transfer as its person reads it: code, message, remedy.

    detail: the code's sentence, more exactly, or None. is_out: they offer it. friend: at the other end.
    """
    known = code_of(code)
    message, remedy = detail or known.what, _GOES_ON.get(known, known.remedy)
    if known in _DECIDED:
        message, remedy = (text.format(friend=friend) for text in _DECIDED[known][not is_out])
    elif known in AT_SOURCE:
        message = AT_SOURCE[known] if is_out else f"{message} (at {friend})"
        remedy = "offer it again" if is_out else f"ask {friend} to offer it again"
    elif is_out and known not in _OF_BOTH:
        message = detail or f"{friend} could not take it: {known.what}"
        remedy = f"it begins anew when {friend} accepts it again"
    return {"code": code, "message": message, "remedy": remedy}
