"""A message on a terminal: its styles and nothing else of it moves the terminal; links show where they lead."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.cli import render, words

SGR = re.compile("\x1b\\[[0-9;]+m")
ITEM: dict[str, object] = {
    "kind": "message",
    "at": "2026-11-21T10:00:00Z",
    "to": "bob",
    "from": "alice",
    "text": "hello",
    "state": "read",
}


def shown(**fields: object) -> str:
    return render.message({**ITEM, **fields}, with_conversation=False, has_colour=False)


def test_styles_are_drawn_with_colour_and_left_as_written_without() -> None:
    text = "**a** `b` [c](https://d.org/)"
    assert words.drawn(text, "  ", has_colour=False) == text
    assert words.drawn(text, "  ", has_colour=True) == (
        "\x1b[1ma\x1b[0m \x1b[36mb\x1b[0m \x1b[4mc\x1b[0m (https://d.org/)"
    )


HOSTILE = (
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b[2J\x1b[31m",
    "\x9b31m",
    "safe\rforged",
    "\N{RIGHT-TO-LEFT OVERRIDE}gpj.exe",
    "a\x00b",
    "**\x1b[0m**",
    "`\x1b[0m`",
    "> \x1b[0m",
    "```\n\x1b[0m\n```",
    "[\x1b[0m](https://a.org)",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("has_colour", [True, False])
def test_what_moves_a_terminal_shows_as_what_it_is(text: str, *, has_colour: bool) -> None:
    drawn = words.drawn(text, "  ", has_colour=has_colour)
    rest = SGR.sub("", drawn)
    assert not any(ord(character) < 0x20 and character not in "\n\t" for character in rest)
    assert "\x9b" not in rest
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in rest


@given(st.text())
def test_no_text_gets_more_than_styles_through(text: str) -> None:
    drawn = words.drawn(text, "    ", has_colour=True)
    assert "\x1b" not in SGR.sub("", drawn)
    assert all(line.startswith("    ") for line in drawn.split("\n")[1:])


def test_accents_without_end_and_lines_without_end_are_bounded() -> None:
    zalgo = words.drawn("z" + "\u0301" * 10_000, "", has_colour=True)
    assert len(zalgo) < 10
    many = words.drawn("x\n" * 60_000, "  ", has_colour=False)
    assert many.count("\n") == words.LINES_MOST
    assert many.endswith("-- 59501 more lines: see --json --")


def test_a_script_as_a_link_stays_text() -> None:
    text = "[click](javascript:alert(1))"
    assert words.drawn(text, "", has_colour=True) == text


def test_what_became_of_a_message_stands_with_it() -> None:
    assert shown(edited=True, pinned=True).endswith("alice: hello (edited) (pinned)  (read)")
    assert shown(gone="deleted", text="").endswith("alice: -- deleted --  (read)")
    quote = shown(quote={"from": "bob", "text": "when?"})
    assert quote.split("\n")[0].endswith("alice: > bob: when?")
    assert quote.endswith("  hello  (read)")
    assert "> bob: deleted" in shown(quote={"from": "bob", "text": ""})
    assert shown(forwarded_from="carol").endswith("alice: [from carol] hello  (read)")
    reactions = [{"mark": "\N{ROCKET}", "from": ["bob", "alice"]}]
    assert shown(reactions=reactions).endswith("\n" + " " * 18 + "\N{ROCKET} bob, alice")
    versions = [
        {"id": "1", "at": "2026-11-21T10:00:00Z", "text": "helo"},
        {"id": "2", "at": "2026-11-21T10:01:00Z", "text": "hello"},
    ]
    assert re.search(r"\n +- before, 2026-11-21 \d\d:00: helo\Z", shown(versions=versions))
