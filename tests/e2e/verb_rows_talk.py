"""Rows of the table of verbs for what is done with messages."""

from __future__ import annotations

from tests.e2e.verb_calls import (
    CHANGED,
    TO_NOBODY,
    Call,
    Row,
    call,
    of_said,
    with_friend,
)

TALK: tuple[Row, ...] = (
    Row(
        "edit",
        CHANGED,
        of_said("better words"),
        refused=call("00000000", "words", code="unknown-message"),
        away=of_said("other words", "--wait", "0"),
    ),
    Row(
        "react",
        CHANGED,
        of_said("\N{THUMBS UP SIGN}"),
        refused=of_said("words", code="reaction-invalid"),
        away=of_said("\N{ROCKET}", "--wait", "0"),
    ),
    Row(
        "pin",
        CHANGED,
        of_said(),
        refused=call("00000000", code="unknown-message"),
        away=of_said("--wait", "0"),
    ),
    Row(
        "unpin",
        CHANGED,
        of_said(),
        refused=call("00000000", code="unknown-message"),
        away=of_said("--wait", "0"),
    ),
    Row(
        "forward",
        "id state",
        Call(lambda s, _: (s.said, s.friend)),
        refused=of_said(TO_NOBODY, code="no-such-friend"),
        away=Call(lambda s, _: (s.said, s.friend, "--wait", "0")),
    ),
    Row(
        "delete",
        CHANGED,
        of_said(),
        refused=call("00000000", code="unknown-message"),
        away=of_said("--wait", "0"),
    ),
    Row(
        "mute",
        "friend muted until",
        with_friend("--for", "8h"),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
    Row(
        "unmute",
        "friend muted until",
        with_friend(),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
    Row(
        "draft",
        "friend text",
        with_friend("not yet"),
        refused=call(TO_NOBODY, "words", code="no-such-friend"),
    ),
    Row(
        "typing",
        "friend told",
        with_friend(),
        refused=call(TO_NOBODY, code="no-such-friend"),
    ),
)
