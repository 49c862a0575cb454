"""A verb's options and arguments: options stand anywhere, `--` ends them, errors name the nearest word.

argparse does the declaring, converting and help. The order is settled before it looks: options first,
then the arguments, each behind a NUL, which no argument of a program can contain. So a message may begin
with `-`, be `--`, or stand between options, on every version of argparse alike.
"""

from __future__ import annotations

import argparse
import difflib
import os
from collections.abc import Iterable
from typing import Any, NoReturn

from peer.cli.exit_codes import Failure, Misuse, write

_MARK = "\0"
_PATHS = frozenset({"PATH", "DIR", "FILE", "F"})
"""Arguments of these kinds name files: any bytes the system takes; all others are text."""


class Arguments(argparse.ArgumentParser):
    """One verb's parser, with the options that every verb has.

    verb: the words after the program's name, like `friend add`. summary: its one line in the list of
    verbs. dash_from: from this argument on (0 is the first), what begins with `-` and is no
    option of this verb is an argument; None: never.
    """

    def __init__(self, verb: str, summary: str, *, dash_from: int | None = None) -> None:
        self._takes_value: dict[str, bool] = {}
        super().__init__(
            prog=f"hobnob {verb}",
            description=summary,
            add_help=False,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        self._dash_from = dash_from
        self.add_argument("-h", "--help", action="store_true", help="show this and end")
        # SUPPRESS: what stood before the verb must not be overwritten by a default from behind it.
        self.add_argument(
            "--home", metavar="DIR", default=argparse.SUPPRESS, help="this profile's folder"
        )
        self.add_argument(
            "--json",
            action="store_true",
            default=argparse.SUPPRESS,
            help="one JSON object per line",
        )

    def add_argument(self, *names: str, **settings: Any) -> argparse.Action:
        """Declare an option or argument as argparse does, and remember which options take a value."""
        action = super().add_argument(*names, **settings)
        for name in action.option_strings:
            self._takes_value[name] = action.nargs != 0
        return action

    def read(self, words: list[str]) -> argparse.Namespace | None:
        """Give the values of `words`, what stood behind the verb; raises Misuse.

        None: help was asked for and printed, and there is nothing to do.
        """
        ordered = self._in_order(words)
        if "-h" in ordered or "--help" in ordered:
            write(self.format_help().encode())
            return None
        options = super().parse_args(ordered)
        paths = {action.dest for action in self._actions if action.metavar in _PATHS}
        for name, value in vars(options).items():
            plain = _unmark(value)
            setattr(options, name, plain if name in paths else _as_text(plain))
        return options

    def error(self, message: str) -> NoReturn:
        """Turn argparse's complaint into ours, with the usage as remedy."""
        text = message.replace(_MARK, "").replace("\\x00", "")
        raise Misuse(text, self._usage())

    def _usage(self) -> str:
        usage = " ".join(self.format_usage().removeprefix("usage: ").split())
        return f"usage: {usage.replace('[-h] [--home DIR] [--json] ', '')}"

    def _in_order(self, words: list[str]) -> list[str]:
        options: list[str] = []
        arguments: list[str] = []
        rest = iter(words)
        for word in rest:
            name, equals, _ = word.partition("=")
            if word == "--":
                arguments.extend(rest)
            elif word == "-" or not word.startswith("-"):
                arguments.append(word)
            elif name in self._takes_value and (not equals or self._takes_value[name]):
                options.append(word if equals else self._with_value(name, rest))
            elif self._dash_from is not None and len(arguments) >= self._dash_from:
                arguments.append(word)
            else:
                nearest = nearest_of(name, self._takes_value)
                hint = f", did you mean {nearest}?" if nearest else ""
                raise Misuse(f"there is no option {name}{hint}", self._usage())
        return [*options, *(_MARK + word for word in arguments)]

    def _with_value(self, name: str, rest: Iterable[str]) -> str:
        if not self._takes_value[name]:
            return name
        for value in rest:
            if value == "--" or value in self._takes_value:
                break
            return f"{name}={value}" if name.startswith("--") else f"{name}{value}"
        raise Misuse(f"{name} lacks its value", self._usage())


def nearest_of(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that a mistyped one most likely meant, or None."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.5)
    return close[0] if close else None


def _unmark(value: object) -> object:
    if isinstance(value, str):
        return value.removeprefix(_MARK)
    if isinstance(value, list):
        return [_unmark(item) for item in value]
    return value


def _as_text(value: object) -> object:
    """Give the text that stood on the command line, whatever the locale made of it.

    Where the locale is poor, Python keeps the bytes it cannot read as lone surrogates. Raises Failure
    `text-invalid` for bytes that are no UTF-8 either.
    """
    if isinstance(value, list):
        return [_as_text(item) for item in value]
    if not isinstance(value, str) or value.isascii():
        return value
    try:
        return os.fsencode(value).decode("utf-8")
    except UnicodeError as error:
        raise Failure("text-invalid", "an argument is not valid UTF-8") from error
