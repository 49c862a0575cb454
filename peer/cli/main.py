"""`hobnob`: find the verb, hand it the rest of the line, leave with an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from argparse import Namespace

    from peer.cli.console import Console
    from peer.cli.verbs import Verb

COMMON = """\
Every verb takes, anywhere:
  --home DIR   this profile's folder, also HOBNOB_HOME; two homes are two independent people
  --json       results as one JSON object per line; errors too, on stderr
  --help       what the verb does and takes
Passwords come from a prompt, --password-file FILE (- is stdin) or HOBNOB_PASSWORD, never from the line itself."""


def main(words: list[str] | None = None) -> int:
    """Run `hobnob` with these words (default: the process's own) and give the exit code."""
    from peer.cli import exit_codes
    from peer.cli.crash import forbid_core_dumps

    forbid_core_dumps()
    line = sys.argv[1:] if words is None else words
    run = _Run(line)
    return exit_codes.guard(run, is_json=lambda: run.is_json, log=run.log)


class _Run:
    """One call of the program; knows early whether errors are to be JSON."""

    def __init__(self, words: list[str]) -> None:
        self._words = words
        self.home: str | None = os.environ.get("HOBNOB_HOME")
        before_end = words[: words.index("--")] if "--" in words else words
        self.is_json = "--json" in before_end

    def __call__(self) -> None:
        rest, asks_help, asks_version = self._common(self._words)
        if asks_version:
            _print(f"hobnob {_version()}")
            return
        if not rest:
            if asks_help:
                _print(_help())
                return
            from peer.cli.exit_codes import Misuse

            raise Misuse("a verb is missing")
        verb, rest = self._verb(rest, asks_help=asks_help)
        if verb is None:
            return
        self._call(verb, ["--help", *rest] if asks_help else rest)

    def log(self, details: str) -> str:
        """Keep the details of an unforeseen error below the home; gives the file's path, or nothing."""
        from peer.cli.crash import keep

        return keep(self.home, details)

    def _common(self, words: list[str]) -> tuple[list[str], bool, bool]:
        """Take the common options that stand before a word; gives what is left, and --help, --version."""
        from peer.cli.exit_codes import Misuse

        left = list(words)
        asks_help = asks_version = False
        while left and left[0].startswith("-"):
            word = left.pop(0)
            name, equals, value = word.partition("=")
            if name == "--home" and (equals or left):
                self.home = value if equals else left.pop(0)
            elif name == "--home":
                raise Misuse("--home lacks its value")
            elif word in {"-h", "--help"}:
                asks_help = True
            elif word == "--version":
                asks_version = True
            elif word == "--":
                break
            elif word != "--json":
                raise Misuse(f"there is no option {name} before the verb")
        return left, asks_help, asks_version

    def _verb(self, words: list[str], *, asks_help: bool) -> tuple[Verb | None, list[str]]:
        """Find the verb the words begin with, and give it with the words behind it."""
        from peer.cli import verbs
        from peer.cli.exit_codes import Misuse

        name, *rest = words
        if name not in verbs.GROUPS:
            plain = _words(rest)
            full = " ".join([name, *plain[:1]])
            is_alone = (
                len(plain) == 1 and not asks_help and "-h" not in rest and "--help" not in rest
            )
            if plain and full in verbs.BY_WORDS and not is_alone:  # else it is an argument
                rest.remove(plain[0])
                return verbs.BY_WORDS[full], rest
            if name in verbs.BY_WORDS:
                return verbs.BY_WORDS[name], rest
            known = [*verbs.GROUPS, *(verb.words for verb in verbs.VERBS)]
            raise Misuse(f"there is no verb {name!r}{_meant(name, known)}")
        rest, help_here, _ = self._common(rest)
        names = [verb.words.split()[1] for verb in verbs.VERBS if verb.words.startswith(f"{name} ")]
        if not rest:
            if asks_help or help_here:
                _print(_group_help(name))
                return None, []
            raise Misuse(f"{name} wants one of: {', '.join(names)}", f"see: hobnob {name} --help")
        full = f"{name} {rest[0]}"
        if full not in verbs.BY_WORDS:
            hint = _meant(rest[0], names)
            raise Misuse(f"there is no verb {full!r}{hint}", f"see: hobnob {name} --help")
        return verbs.BY_WORDS[full], ["--help", *rest[1:]] if help_here else rest[1:]

    def _call(self, verb: Verb, words: list[str]) -> None:
        from importlib import import_module

        from peer.cli.arguments import Arguments
        from peer.cli.console import Console
        from peer.cli.exit_codes import Misuse

        module = import_module(f"peer.cli.commands.{verb.module}")
        function = verb.words.split()[-1].replace("-", "_")
        declare: Callable[[Arguments], None] = getattr(module, f"declare_{function}")
        run: Callable[[Console, Namespace], None] = getattr(module, f"run_{function}")
        arguments = Arguments(verb.words, verb.summary, dash_from=verb.dash_from)
        declare(arguments)
        try:
            options = arguments.read(words)
            if options is None:
                return
            self.home = getattr(options, "home", self.home)
            self.is_json = self.is_json or getattr(options, "json", False)
            run(Console(home_text=self.home, is_json=self.is_json), options)
        except Misuse as misuse:
            misuse.remedy = misuse.remedy or f"see: hobnob {verb.words} --help"
            raise


def _meant(word: str, known: list[str]) -> str:
    from peer.cli.arguments import nearest_of

    nearest = nearest_of(word, known)
    return f", did you mean {nearest!r}?" if nearest else ""


def _help() -> str:
    from peer.cli import verbs

    lines = [
        "usage: hobnob [--home DIR] [--json] VERB ...",
        "",
        "Talk with friends and send them files, straight from your machine to theirs, end-to-end encrypted.",
        "",
        *(f"  {verb.words:<16} {verb.summary}" for verb in verbs.VERBS),
        "",
        COMMON,
    ]
    return "\n".join(lines)


def _group_help(group: str) -> str:
    from peer.cli import verbs

    mine = [verb for verb in verbs.VERBS if verb.words.startswith(f"{group} ")]
    lines = [
        f"usage: hobnob {group} VERB ...",
        "",
        f"{verbs.GROUPS[group].capitalize()}.",
        "",
        *(f"  {verb.words:<16} {verb.summary}" for verb in mine),
        "",
        COMMON,
    ]
    return "\n".join(lines)


def _print(text: str) -> None:
    from peer.cli import exit_codes

    exit_codes.write(text.encode("utf-8") + b"\n")


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("hobnob")
    except PackageNotFoundError:
        return "(not installed)"


def _words(words: list[str]) -> list[str]:
    """Give what is no option that every verb has."""
    found: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--home":
            next(left, None)
        elif word not in {"-h", "--help", "--json"} and not word.startswith("--home="):
            found.append(word)
    return found
