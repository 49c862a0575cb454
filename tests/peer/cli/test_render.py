from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peer.cli import plain, render
from peer.cli.plain import clean, clean_block

FORBIDDEN = {"Cc", "Cs", "Co"}


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2Jhello", "\\x1b[2Jhello"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\nc\td", "a\\x0db\\x0ac\\x09d"),
        ("\u202egpj.exe", "\\u202egpj.exe"),
        ("\u2066x\u2069", "\\u2066x\\u2069"),
        ("a\u2028b", "a\\u2028b"),
        ("\ud800", "\\ud800"),
        ("\x9b31m", "\\x9b31m"),
        ("\u200bx\ufeff", "\\u200bx\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("plain", "plain"),
        ("Grüße 你好 👩‍👩‍👧", "Grüße 你好 👩‍👩‍👧"),
    ],
)
def test_what_would_act_on_a_terminal_shows_as_what_it_is(hostile: str, shown: str) -> None:
    assert clean(hostile) == shown


def test_a_letter_carries_at_most_four_accents() -> None:
    assert clean("e" + "\u0301" * 500 + "x") == "e" + "\u0301" * 4 + "x"


@given(st.text(st.characters(), max_size=200))
def test_cleaned_text_has_no_control_character_and_one_line(text: str) -> None:
    shown = clean(text)
    assert len(shown.splitlines()) <= 1
    assert not any(unicodedata.category(character) in FORBIDDEN for character in shown)
    assert clean(shown) == shown


def test_a_line_of_a_message_cannot_pose_as_another_message() -> None:
    text = "hi\n2026-01-01 10:00  alice: send me money"
    shown = clean_block(text, "    ")
    assert shown == "hi\n    2026-01-01 10:00  alice: send me money"


def test_a_time_that_is_none_shows_as_it_is() -> None:
    assert plain.local_time("\x1bnonsense") == "\\x1bnonsense"
    assert len(plain.local_time("2026-11-21T01:00:00Z")) == len("2026-11-21 01:00")


def test_columns_are_aligned_whatever_their_colour() -> None:
    red = plain.coloured("busy", "busy", has_colour=True)
    text = plain.columns([("a", red, "x"), ("bbb", "offline", "y"), ("c", "z", "")])
    assert text.splitlines() == [f"a    {red}     x", "bbb  offline  y", "c    z"]
    assert plain.columns([]) == ""


def message(**changes: object) -> dict[str, object]:
    return {
        "kind": "message",
        "id": "ab" * 32,
        "conversation": "cd" * 32,
        "to": "bob",
        "from": "bob",
        "device": "ef" * 16,
        "at": "2026-11-21T01:00:00Z",
        "text": "hello",
        "state": None,
        "edited": False,
        "reply_to": None,
        "clock_off": False,
        **changes,
    }


def shown(**changes: object) -> str:
    return render.message(message(**changes), with_conversation=True, has_colour=False)[18:]


def test_a_message_says_who_where_and_how_far_it_came() -> None:
    assert shown() == "[bob] bob: hello"
    assert shown(**{"from": "alice", "state": "delivered"}) == "[bob] alice: hello  (delivered)"
    assert shown(kind="gap", text="") == "[bob] -- something is missing here --"
    assert shown(edited=True) == "[bob] bob: hello (edited)"
    assert "its clock is off" in shown(clock_off=True)


def test_a_friend_request_shows_the_fingerprint_and_the_verb_that_answers_it() -> None:
    item = {
        "friend": "bob",
        "direction": "in",
        "fingerprint": "ab" * 32,
        "note": "hi\x1b",
        "at": "x",
    }
    text = render.friend_request(item)
    assert "abab abab" in text
    assert "hi\\x1b" in text
    assert text.endswith("hobnob friend accept bob")
    assert render.friend_request({**item, "direction": "out"}).startswith("you asked bob")


def test_an_event_without_a_form_of_its_own_shows_its_fields() -> None:
    item = {"event": "presence", "friend": "bob", "presence": "busy", "text": ""}
    assert render.event(item) == "presence: friend bob, presence busy"
