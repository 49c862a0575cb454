"""What was released still parses: numbers keep their meaning, old frames their fields."""

from __future__ import annotations

from typing import Any

import pytest

from tests.wire.messages import freeze
from wire import codec
from wire.messages import BY_NUMBER, CRITICAL, NUMBER_OF, Message, Purpose

FROZEN_NUMBERS = freeze.read(freeze.NUMBERS_FILE)
FROZEN_FRAMES = freeze.read(freeze.FRAMES_FILE)


def test_no_number_was_ever_given_to_two_messages() -> None:
    present = freeze.numbers()
    for number, name in present.items():
        assert FROZEN_NUMBERS.get(number, name) == name, f"{number} was {FROZEN_NUMBERS[number]}"
    bare = [int(number, 16) & ~CRITICAL for number in {**FROZEN_NUMBERS, **present}]
    assert len(set(bare)) == len(bare), "one number stands with and without its critical bit"


def test_every_registered_message_is_frozen() -> None:
    hint = "run python -m tests.wire.messages.freeze"
    assert set(freeze.numbers()) <= set(FROZEN_NUMBERS), hint
    assert set(freeze.frames()) <= set(FROZEN_FRAMES), hint


@pytest.mark.parametrize(
    ("name", "purpose"),
    [(name, purpose) for name, row in FROZEN_FRAMES.items() for purpose in row["purposes"]],
)
def test_a_frozen_frame_still_parses_to_the_same_fields(name: str, purpose: str) -> None:
    row: dict[str, Any] = FROZEN_FRAMES[name]
    message = codec.decode(Purpose[purpose.upper()], bytes.fromhex(row["record"]))
    assert type(message).__name__ == name
    assert begins_with(freeze.plain(message), row["fields"])


def begins_with(now: Any, then: Any) -> bool:
    """Say whether a value is what it was: fields that came later stand at the end and have defaults, rows of it, too."""
    if not isinstance(now, list) or not isinstance(then, list):
        return bool(now == then)
    return len(now) >= len(then) and all(map(begins_with, now, then))


def test_a_message_keeps_its_number_on_every_link_it_travels() -> None:
    for numbers in BY_NUMBER.values():
        for number, cls in numbers.items():
            assert NUMBER_OF[cls] == number


@pytest.mark.parametrize("cls", freeze.sorted_classes())
def test_every_message_says_what_it_is(cls: type[Message]) -> None:
    assert cls.__doc__
    assert cls.__doc__.split("\n")[0].endswith((".", ":")), cls
