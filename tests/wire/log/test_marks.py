"""Marks of reactions: one emoji, judged alike by everybody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire import limits
from wire.log.marks import is_mark

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


@pytest.mark.parametrize(
    "mark",
    [
        "\N{THUMBS UP SIGN}",
        "\N{THUMBS UP SIGN}\U0001f3fd",
        "\N{HEAVY BLACK HEART}\ufe0f",
        "\N{WHITE SMILING FACE}",
        FAMILY,
        "\U0001f3f3\ufe0f\u200d\U0001f308",
        "\U0001f1e9\U0001f1ea",
        ENGLAND,
        "1\ufe0f\u20e3",
        "#\u20e3",
    ],
)
def test_one_emoji_is_a_mark(mark: str) -> None:
    assert is_mark(mark)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "+1",
        "1",
        " ",
        "\x1b",
        "\x1b[31m",
        "\N{RIGHT-TO-LEFT OVERRIDE}",
        "\N{THUMBS UP SIGN}\n",
        "\N{THUMBS UP SIGN} ",
        "\N{THUMBS UP SIGN}\N{THUMBS UP SIGN}",
        "\N{THUMBS UP SIGN}\u200d",
        "\u200d",
        "\U0001f1e9",
        "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
        "\u0301" * 4,
        "\N{ROCKET}" + "\u0301" * 20,
        "\u200d".join(["\N{ROCKET}"] * 9),
        "x" * 65536,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert not is_mark(text)


@given(st.text(max_size=limits.MARK_CHARS))
def test_a_mark_never_holds_what_moves_a_terminal(text: str) -> None:
    if is_mark(text):
        assert not any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text)
