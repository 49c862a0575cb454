"""The help of every verb, and what a mistyped one gets; the verbs come from the program's own table."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from importlib import import_module

import pytest

from peer.cli.arguments import Arguments
from peer.cli.main import main
from peer.cli.verbs import GROUPS, VERBS, Verb


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def declared(verb: Verb) -> Arguments:
    """Make the parser of a verb as the program does."""
    arguments = Arguments(verb.words, verb.summary, dash_from=verb.dash_from)
    name = verb.words.split()[-1].replace("-", "_")
    getattr(import_module(f"peer.cli.commands.{verb.module}"), f"declare_{name}")(arguments)
    return arguments


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.words)
def test_help_names_every_option_and_argument_wherever_it_is_asked_for(
    verb: Verb, capfd: pytest.CaptureFixture[str]
) -> None:
    head, *tail = verb.words.split()
    shown = set()
    for words in (
        ["--help", head, *tail],
        [head, "--help", *tail],
        [head, *tail, "-h"],
        [head, *tail, "--help", "--json"],
        ["--json", head, *tail, "--help", "too", "many"],
    ):
        assert main(words) == 0
        told = capfd.readouterr()
        assert told.err == ""
        shown.add(told.out)
    [text] = shown
    for action in declared(verb)._actions:
        assert all(name in text for name in action.option_strings)
        assert action.help
        assert action.help.split()[0] in text
        if not action.option_strings:
            assert str(action.metavar or action.dest).split("|", maxsplit=1)[0] in text


SINGLE = {verb.words for verb in VERBS if " " not in verb.words}
ALONE = [v for v in VERBS if v.words in SINGLE or v.words.split()[0] not in SINGLE]
"""All but those behind a verb that takes any word itself, as `history share`."""


@pytest.mark.parametrize("verb", ALONE, ids=lambda verb: verb.words)
def test_a_mistyped_verb_is_told_the_nearest(verb: Verb, capfd: pytest.CaptureFixture[str]) -> None:
    head, *tail = verb.words.split()
    wrong = [head, f"{tail[0]}x"] if tail else [f"{head}x"]
    assert main(wrong) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: usage: there is no verb ")
    assert f"did you mean {(tail or [head])[0]!r}?" in told.err
    assert told.err.count("\n") == 1


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_alone_lists_its_verbs(group: str, capfd: pytest.CaptureFixture[str]) -> None:
    mine = [verb.words for verb in VERBS if verb.words.startswith(f"{group} ")]
    assert main([group, "--help"]) == 0
    out = capfd.readouterr().out
    assert all(f"  {words} " in out for words in mine)
    assert main([group]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert all(words.split()[1] in told.err for words in mine)
    assert main([f"{group[0]}{group[2:]}"]) == 2
    assert f"did you mean {group!r}?" in capfd.readouterr().err
