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

_OF_BOTH = frozenset(
    {
        Code.CANCELLED,
        Code.DECLINED,
        Code.OFFER_WITHDRAWN,
        Code.NOT_FRIENDS,
        Code.BLOCKED,
        Code.KEY_CHANGED,
    }
)
"""What a person decided, or what became of the friendship: the words are the same at both ends."""


def error_of(code: str, detail: str | None, *, is_out: bool, friend: str) -> dict[str, str]:
    """Give the error of a transfer as its person reads it: code, message, remedy.

    detail: the code's sentence, more exactly, or None. is_out: they offer it. friend: at the other end.
    """
    known = code_of(code)
    message, remedy = detail or known.what, known.remedy
    if known in AT_SOURCE:
        message = AT_SOURCE[known] if is_out else f"{message} (at {friend})"
        remedy = "offer it again" if is_out else f"ask {friend} to offer it again"
    elif is_out and known not in _OF_BOTH:
        message = detail or f"{friend} could not take it: {known.what}"
        remedy = f"it begins anew when {friend} accepts it again"
    return {"code": code, "message": message, "remedy": remedy}
