from __future__ import annotations

from typing import Any

import pytest

from peer.cli.arguments import Arguments, nearest_of
from peer.cli.exit_codes import Misuse


def say() -> Arguments:
    arguments = Arguments("say", "send a message", dash_from=1)
    arguments.add_argument("to", metavar="TO")
    arguments.add_argument("text", metavar="TEXT")
    arguments.add_argument("--reply", metavar="ID")
    arguments.add_argument("--wait", metavar="SECONDS")
    return arguments


def send() -> Arguments:
    arguments = Arguments("send", "offer files")
    arguments.add_argument("to")
    arguments.add_argument("paths", nargs="+")
    arguments.add_argument("--wait", action="store_true")
    arguments.add_argument("--name")
    return arguments


def read(arguments: Arguments, words: list[str]) -> Any:
    """Give the values of a line that asks for no help."""
    options = arguments.read(words)
    assert options is not None
    return options


@pytest.mark.parametrize(
    "words",
    [
        ["--wait", "5", "bob", "hello"],
        ["bob", "--wait", "5", "hello"],
        ["bob", "hello", "--wait", "5"],
        ["bob", "hello", "--wait=5"],
        ["--wait=5", "--", "bob", "hello"],
        ["bob", "--wait", "5", "--", "hello"],
    ],
)
def test_options_stand_before_between_and_after_arguments(words: list[str]) -> None:
    options: Any = read(say(), words)
    assert (options.to, options.text, options.wait) == ("bob", "hello", "5")


@pytest.mark.parametrize("text", ["-hello", "-", "--hello", "-x=1", "-1", "", "--rep", "-h-"])
def test_a_text_that_begins_with_a_dash_is_a_message(text: str) -> None:
    assert read(say(), ["bob", text]).text == text


@pytest.mark.parametrize("text", ["--", "--wait", "--json", "-h", "--wait=5", "bob"])
def test_after_two_dashes_everything_is_a_message(text: str) -> None:
    assert read(say(), ["bob", "--", text]).text == text
    assert read(say(), ["--", "bob", text]).text == text


def test_an_unknown_option_before_the_name_is_refused_and_the_nearest_is_named() -> None:
    with pytest.raises(Misuse, match="did you mean --wait") as caught:
        read(say(), ["--wiat", "5", "bob", "hi"])
    assert caught.value.remedy.startswith("usage: hobnob say")


def test_options_are_never_abbreviated() -> None:
    with pytest.raises(Misuse, match="no option --nam"):
        read(send(), ["bob", "--nam", "x", "file"])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([], "TO, TEXT"),
        (["bob"], "TEXT"),
        (["bob", "hi", "there"], "there"),
        (["bob", "hi", "--wait"], "--wait lacks its value"),
        (["bob", "--wait", "--json", "hi"], "--wait lacks its value"),
        (["bob", "hi", "--json=yes"], "--json"),
    ],
)
def test_what_is_missing_or_too_much_is_named(words: list[str], complaint: str) -> None:
    with pytest.raises(Misuse, match=complaint) as caught:
        read(say(), words)
    assert "\0" not in caught.value.message


def test_a_negative_number_is_the_value_of_its_option() -> None:
    assert read(say(), ["bob", "hi", "--wait", "-1"]).wait == "-1"


def test_common_options_are_absent_unless_given() -> None:
    options = read(say(), ["bob", "hi"])
    assert not hasattr(options, "home")
    assert not hasattr(options, "json")
    given: Any = read(say(), ["bob", "--home", "/x", "hi", "--json"])
    assert given.home == "/x"
    assert given.json is True


def test_several_paths_stay_in_order_around_options() -> None:
    options: Any = read(send(), ["bob", "a", "--wait", "b", "--name", "n", "c"])
    assert options.paths == ["a", "b", "c"]
    assert options.wait is True
    assert options.name == "n"


def test_nearest_of_gives_nothing_for_something_else() -> None:
    assert nearest_of("sya", ["say", "read"]) == "say"
    assert nearest_of("xqzw", ["say", "read"]) is None
